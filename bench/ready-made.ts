/**
 * Goals: how many checks a second the ready-made actors answer, against a Map that does the same without any guarantee, and
 * against the nearest well-known package, which keeps its state in memory too.
 * Non-goals: what several processes make of those; docs/consistency.md shows it.
 */
import { createHmac, randomBytes, timingSafeEqual, webcrypto } from 'node:crypto'
import { join } from 'node:path'
import { Admission, RateLimiter, Tokens } from '@bailiwick/actors'
import { openSystem } from '@bailiwick/kernel'
import type { ActorDefinition, System } from '@bailiwick/kernel'
import { jwtVerify, SignJWT } from 'jose'
import PQueue from 'p-queue'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { callers, median, requireSum } from './measure.ts'
import type { Finding, Run } from './measure.ts'
import type { Plan } from './plan.ts'
import { admission, narrowLimiter, tokens, wideLimiter } from './ready-made.actors.ts'

const CALLERS = 1_024
const PRINCIPALS = 1_000
const CAPABILITY = 'reports.read'

/** Something that does the same, and is measured in the same turns. */
interface Rival {
  readonly name: string
  readonly run: Run
}

/** Checks of a rate limit: all allowed, then nearly all denied. */
export async function rateLimits(plan: Plan): Promise<readonly Finding[]> {
  return [
    ...(await rateLimit(plan, 'allowed', wideLimiter, 1_000, 1_000)),
    ...(await rateLimit(plan, 'denied', narrowLimiter, 5, 3_600_000)),
  ]
}

async function rateLimit(
  plan: Plan,
  outcome: 'allowed' | 'denied',
  definition: typeof wideLimiter | typeof narrowLimiter,
  limit: number,
  windowMs: number,
): Promise<readonly Finding[]> {
  const total = plan.scale(50_000)
  const principalOf = (caller: number, nth: number): string => `p${(caller + nth) % PRINCIPALS}`
  return await withSystem(plan, [definition], async (system) => {
    const limiter = new RateLimiter(system, definition)
    const windows = new Map<string, { from: number; count: number }>()
    const flexible = new RateLimiterMemory({ points: limit, duration: windowMs / 1_000 })
    let sent = 0
    let allowed = 0
    const findings = await against(
      plan,
      { name: `rate limit checks, ${outcome}`, sync: outcome === 'allowed' ? 'full' : 'none' },
      {
        ours: () => {
          sent += total
          return callers(CALLERS, total, async (caller, nth) => {
            const decision = await limiter.check({ principal: principalOf(caller, nth), capability: CAPABILITY })
            if (decision.outcome === 'allowed') allowed += 1
          })
        },
        rivals: [
          {
            name: 'a Map',
            run: () =>
              callers(CALLERS, total, async (caller, nth) => {
                const now = Date.now()
                const principal = principalOf(caller, nth)
                const known = windows.get(principal)
                if (known === undefined || now - known.from >= windowMs) windows.set(principal, { from: now, count: 1 })
                else if (known.count < limit) known.count += 1
              }),
          },
          {
            name: 'rate-limiter-flexible',
            run: () =>
              callers(CALLERS, total, async (caller, nth) => {
                try {
                  await flexible.consume(principalOf(caller, nth))
                } catch (error) {
                  if (!(error instanceof RateLimiterRes)) throw error
                }
              }),
          },
        ],
      },
    )
    requireSum(`rate limit checks, ${outcome}`, allowed, outcome === 'allowed' ? sent : Math.min(sent, PRINCIPALS * limit))
    return findings
  })
}

/** Verifications of tokens: with their revocation asked for, and without. */
export async function tokenVerifications(plan: Plan): Promise<readonly Finding[]> {
  const total = plan.scale(50_000)
  const secret = randomBytes(32)
  // Made once: from bytes jose would make it for every token.
  const key = await webcrypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
  return await withSystem(plan, [tokens], async (system) => {
    const issuer = new Tokens(system, tokens, { keys: [{ id: 'bench', secret }] })
    const subjects = await Promise.all(
      Array.from({ length: PRINCIPALS }, async (_none, index) => {
        const use = { principal: `p${index}`, capability: CAPABILITY }
        const { token } = await issuer.issue(use)
        const claims = Buffer.from(JSON.stringify({ ...use, id: `t${index}`, expires: Date.now() + 3_600_000 })).toString('base64url')
        const jwt = await new SignJWT({ capability: CAPABILITY })
          .setProtectedHeader({ alg: 'HS256' })
          .setSubject(use.principal)
          .setExpirationTime('1h')
          .sign(key)
        return { use, token, bare: `${claims}.${signatureOf(claims, secret)}`, jwt }
      }),
    )
    const subjectOf = (caller: number, nth: number): (typeof subjects)[number] => {
      const subject = subjects[(caller + nth) % PRINCIPALS]
      if (subject === undefined) throw new Error('no subject')
      return subject
    }
    const revoked = new Map<string, boolean>()
    const rivals: readonly Rival[] = [
      {
        name: 'HMAC and a Map',
        run: () =>
          callers(CALLERS, total, async (caller, nth) => {
            const { bare, use } = subjectOf(caller, nth)
            if (!isGood(bare, secret, use.principal, revoked)) throw new Error('refused')
          }),
      },
      {
        name: 'jose',
        run: () =>
          callers(CALLERS, total, async (caller, nth) => {
            const { jwt, use } = subjectOf(caller, nth)
            await jwtVerify(jwt, key, { subject: use.principal })
          }),
      },
    ]
    return [
      ...(await against(
        plan,
        { name: 'tokens verified', sync: 'none' },
        {
          rivals,
          ours: () => callers(CALLERS, total, (caller, nth) => issuer.verify(subjectOf(caller, nth).token, subjectOf(caller, nth).use)),
        },
      )),
      ...(await against(
        plan,
        { name: 'tokens verified locally', sync: 'none' },
        {
          rivals,
          ours: () =>
            callers(CALLERS, total, async (caller, nth) => issuer.verifyLocally(subjectOf(caller, nth).token, subjectOf(caller, nth).use)),
        },
      )),
    ]
  })
}

/** Slots taken and given back: by few for many actions, so that nobody waits, and by many for one, so that most wait. */
export async function admissions(plan: Plan): Promise<readonly Finding[]> {
  return [...(await slots(plan, 'nobody waits', 64, 256)), ...(await slots(plan, 'most wait', 64, 1))]
}

async function slots(plan: Plan, wait: string, count: number, actions: number): Promise<readonly Finding[]> {
  const total = plan.scale(5_000)
  return await withSystem(plan, admission.actors, async (system) => {
    const gate = new Admission(system, admission)
    const { limit } = admission.rules
    const semaphores = new Map(Array.from({ length: actions }, (_none, index) => [`a${index}`, new Semaphore(limit)]))
    const queues = new Map(Array.from({ length: actions }, (_none, index) => [`a${index}`, new PQueue({ concurrency: limit })]))
    const actionOf = (caller: number, nth: number): string => `a${(caller + nth) % actions}`
    let sent = 0
    const findings = await against(
      plan,
      { name: `slots taken and given back, ${wait}`, sync: 'full' },
      {
        ours: () =>
          callers(count, total, async (caller, nth) => {
            sent += 1
            const acquired = await gate.acquire({ action: actionOf(caller, nth), executionId: `e${sent}` })
            if (acquired.outcome !== 'granted') throw new Error(acquired.outcome)
            await gate.release(acquired.slot)
          }),
        rivals: [
          {
            name: 'a Map',
            run: () =>
              callers(count, total, async (caller, nth) => {
                const semaphore = semaphores.get(actionOf(caller, nth))
                await semaphore?.acquire()
                semaphore?.release()
              }),
          },
          {
            name: 'p-queue',
            run: () => callers(count, total, async (caller, nth) => await queues.get(actionOf(caller, nth))?.add(async () => undefined)),
          },
        ],
      },
    )
    const figures = await Promise.all([...semaphores.keys()].map((action) => gate.stats({ action })))
    requireSum(
      `slots, ${wait}`,
      figures.reduce((sum, each) => sum + (each?.totals.released ?? 0), 0),
      sent,
    )
    return findings
  })
}

/** So many at a time, the others in their order; forgotten when the process ends. */
class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#free = limit
  }

  async acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}

function signatureOf(text: string, secret: Buffer): string {
  return createHmac('sha256', secret).update(text).digest('base64url')
}

function isGood(token: string, secret: Buffer, principal: string, revoked: ReadonlyMap<string, boolean>): boolean {
  const [text = '', signature = ''] = token.split('.')
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(signatureOf(text, secret)))) return false
  // Signed by this benchmark.
  const claims = JSON.parse(Buffer.from(text, 'base64url').toString()) as { id: string; principal: string; expires: number }
  return claims.expires > Date.now() && claims.principal === principal && revoked.get(claims.id) !== true
}

async function withSystem<T>(plan: Plan, actors: readonly ActorDefinition[], work: (system: System) => Promise<T>): Promise<T> {
  const system = await openSystem({ directory: join(plan.place(), 'data'), actors: [...actors] })
  try {
    return await work(system)
  } finally {
    await system.close()
  }
}

/** Runs ours and its rivals in turns, after one of each that does not count: a finding for each rival, with the same runs of ours. */
async function against(
  plan: Plan,
  what: Pick<Finding, 'name' | 'sync'>,
  { ours, rivals }: { readonly ours: Run; readonly rivals: readonly Rival[] },
): Promise<readonly Finding[]> {
  const values: number[] = []
  const floors = rivals.map((): number[] => [])
  for (const { run } of rivals) await run()
  await ours()
  for (let run = 0; run < plan.runs; run += 1) {
    for (const [index, rival] of rivals.entries()) floors[index]?.push(await rival.run())
    values.push(await ours())
  }
  return rivals.map(({ name }, index) => {
    const own = floors[index] ?? []
    const ratios = own.map((floor, run) => (values[run] ?? 0) / floor)
    return {
      ...what,
      unit: '/s',
      runs: plan.runs,
      value: median(values),
      floor: median(own),
      ratio: median(ratios),
      spread: [Math.min(...ratios), Math.max(...ratios)],
      note: `the floor is ${name}`,
    }
  })
}
