/** G8 and G11 on real threads: whatever ends a thread is named, ends nothing else, and loses nothing. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { OpenSystemOptions, System } from '@bailiwick/kernel'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import type { Place } from '../fixtures/place.ts'
import { saboteur } from '../fixtures/saboteur.actor.ts'

const HANG_MS = 500

const actors: OpenSystemOptions['actors'] = [saboteur]

/** A thread that hangs is found out soon, and the next one comes soon. */
const supervision: NonNullable<OpenSystemOptions['supervision']> = { threads: { hangMs: HANG_MS, backoff: { minMs: 10, maxMs: 20 } } }

/** One shard, where everything shares a thread. */
async function openOne(place: Place = makePlace(), limits: NonNullable<OpenSystemOptions['limits']> = {}): Promise<System> {
  return await place.open({ actors, supervision, limits })
}

/** The error that a call ends with. */
async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    (value) => ({ unexpected: value }),
    (error: unknown) => error,
  )
}

/** What the actor has marked, as soon as a thread says so. */
async function marksOf(system: System, key = 'a'): Promise<unknown> {
  return await until(
    () => codeOf(system.actor(saboteur, key).ask.marks()),
    (marks) => marks !== 'SHARD_CRASHED',
  )
}

/**
 * Has a command stored for the actor and served after that. Two marks fill the batch, so the tell waits for the next one, and
 * is acknowledged by the commit of this one.
 */
async function storeBehindMarks(system: System, key: string, tell: () => Promise<unknown>): Promise<void> {
  const marks = ['first', 'second'].map((text) => system.actor(saboteur, key).ask.mark({ text }))
  await Promise.all([...marks, tell()])
}

const STORING = { batchCommands: 2 }

describe('G11 what ends a thread is replaced, whatever it is', () => {
  const strays = [
    ['an error', 'error', /stray error/],
    ['null', 'null', /null/],
    ['a function', 'function', /./],
    ['what no thread can pass on', 'unclonable', /./],
    ['into a promise that nobody waits for', 'rejection', /nobody waits for this/],
  ] as const
  test.each(strays)('G11 code outside of any actor that throws %s', async (_what, what, reason) => {
    const system = await openOne()
    const ref = system.actor(saboteur, 'a')
    await ref.ask.mark({ text: 'kept' })
    const before = await ref.ask.where()
    const spent = errorOf(ref.ask.stray({ what }))
    await until(
      () => codeOf(ref.ask.where()),
      (where) => typeof where === 'number' && where !== before,
    )
    expect(await marksOf(system)).toEqual(['kept'])
    // The command's answer may have left before the thread died.
    const answer = await spent
    if (answer instanceof Error)
      expect(answer).toMatchObject({ code: 'SHARD_CRASHED', isFinal: false, reason: expect.stringMatching(reason) as string })
    else expect(answer).toEqual({ unexpected: undefined })
  })

  test('G11 an action that calls process.exit', async () => {
    const system = await openOne()
    const ref = system.actor(saboteur, 'a')
    await ref.ask.mark({ text: 'kept' })
    const before = await ref.ask.where()
    void codeOf(ref.ask.depart())
    await until(
      () => codeOf(ref.ask.where()),
      (where) => typeof where === 'number' && where !== before,
    )
    expect(await marksOf(system)).toEqual(['kept'])
  })

  test.each([
    ['calls process.exit', 'leave', 'it exited with code 5 while it served saboteur/a leave'],
    ['never ends', 'spin', `it hung for ${HANG_MS} ms while it served saboteur/a spin`],
  ] as const)('G11 a transition that %s: its ask gets one error that names it', async (_what, deed, reason) => {
    const system = await openOne()
    const ref = system.actor(saboteur, 'a')
    await ref.ask.mark({ text: 'kept' })
    expect(await errorOf(ref.ask[deed]({}, { timeoutMs: 20_000 }))).toMatchObject({
      code: 'SHARD_CRASHED',
      isFinal: false,
      retryable: true,
      reason,
    })
    expect(await marksOf(system)).toEqual(['kept'])
    expect(await ref.ask.mark({ text: 'more' })).toBe(2)
  })

  test(
    'G11 a transition that needs more memory than there is: the process and the other threads live on',
    { timeout: 60_000 },
    async () => {
      const { open } = makePlace()
      const system = await open({ actors, shards: 2, supervision: { threads: { backoff: { minMs: 10 } } }, limits: { heapMb: 64 } })
      const { broken, other } = await twoShards(system)
      await system.actor(saboteur, broken).ask.mark({ text: 'kept' })
      const otherThread = await system.actor(saboteur, other).ask.where()
      const error = await errorOf(system.actor(saboteur, broken).ask.hog({}, { timeoutMs: 50_000 }))
      expect(error).toMatchObject({
        code: 'SHARD_CRASHED',
        reason: expect.stringContaining(`while it served saboteur/${broken} hog`) as string,
      })
      expect(error).toMatchObject({ cause: { code: 'ERR_WORKER_OUT_OF_MEMORY' } })
      expect(await marksOf(system, broken)).toEqual(['kept'])
      expect(await system.actor(saboteur, other).ask.where()).toBe(otherThread)
    },
  )
})

describe('G11 what has ended its thread does not do so for ever', () => {
  test.each([
    ['never ends', 'spin', 'hung'],
    ['calls process.exit', 'leave', 'exited with code 5'],
  ] as const)('G11 a stored tell that %s becomes a dead letter that says so, and the actor goes on', async (_what, deed, how) => {
    const system = await openOne(makePlace(), STORING)
    const ref = system.actor(saboteur, 'a')
    await storeBehindMarks(system, 'a', () => ref.tell[deed]())
    expect(await marksOf(system)).toEqual(['first', 'second'])
    expect(await ref.ask.mark({ text: 'third' })).toBe(3)
    const letters = await lettersOf(system)
    expect(letters).toMatchObject([
      { actor: 'saboteur/a', command: deed, error: { code: 'SHARD_CRASHED', message: expect.stringContaining(how) as string } },
    ])
  })

  test(
    'G11 a stored tell that needs more memory than there is gets a second chance, and then is a dead letter',
    { timeout: 60_000 },
    async () => {
      const system = await makePlace().open({
        actors,
        supervision: { threads: { backoff: { minMs: 10, maxMs: 20 } } },
        limits: { ...STORING, heapMb: 64 },
      })
      const ref = system.actor(saboteur, 'a')
      await storeBehindMarks(system, 'a', () => ref.tell.hog())
      const letters = await lettersOf(system)
      expect(letters).toMatchObject([{ actor: 'saboteur/a', command: 'hog', error: { code: 'SHARD_CRASHED' } }])
      expect(await marksOf(system)).toEqual(['first', 'second'])
    },
  )

  test('G11 a timer whose transition never ends hangs one thread, and none after it', async () => {
    const system = await openOne()
    const ref = system.actor(saboteur, 'a')
    await ref.ask.mark({ text: 'kept' })
    const before = await ref.ask.where()
    await ref.ask.arm({ delayMs: 1 })
    const after = await until(
      () => codeOf(ref.ask.where()),
      (where) => typeof where === 'number' && where !== before,
    )
    expect(await lettersOf(system)).toMatchObject([
      { actor: 'saboteur/a', command: 'ring', error: { code: 'SHARD_CRASHED', message: expect.stringContaining('hung') as string } },
    ])
    // Twice as long as it takes to find a thread that hangs.
    await quietFor(2 * HANG_MS, () => codeOf(ref.ask.where()), after)
    expect(await marksOf(system)).toEqual(['kept'])
  })

  test.each([
    ['never ends', 'spin'],
    ['calls process.exit', 'leave'],
  ] as const)(
    'G11 a message of another actor that %s in the batch that sent it is found out, and its sender goes on',
    async (_what, deed) => {
      const system = await openOne(makePlace(), STORING)
      await storeBehindMarks(system, 'a', () => system.actor(saboteur, 'a').tell.pass({ to: 'b', deed }))
      expect(await lettersOf(system)).toMatchObject([
        { actor: 'saboteur/b', command: deed, error: { code: 'SHARD_CRASHED' }, source: 'saboteur/a' },
      ])
      expect(await marksOf(system)).toEqual(['first', 'second', 'passed'])
      expect(await system.actor(saboteur, 'b').ask.mark({ text: 'b lives' })).toBe(1)
    },
  )
})

describe('G8 G11 the others do not notice', () => {
  test.each(['spin', 'leave'] as const)(
    'G11 calls to other shards are answered without error or gap while a thread is ruined by "%s"',
    async (deed) => {
      const { open } = makePlace()
      const hangMs = 2_000
      const system = await open({ actors, shards: 2, supervision: { threads: { hangMs, backoff: { minMs: 10 } } } })
      const { broken, other } = await twoShards(system)
      const thread = await system.actor(saboteur, other).ask.where()
      const probe = probeEvery(10, () => system.actor(saboteur, other).ask.where())
      const error = await errorOf(system.actor(saboteur, broken).ask[deed]({}, { timeoutMs: 20_000 }))
      expect(error).toMatchObject({ code: 'SHARD_CRASHED' })
      await marksOf(system, broken)
      const { answers, errors, gapMs } = await probe.end()
      expect(errors).toEqual([])
      expect(new Set(answers)).toEqual(new Set([thread]))
      // The broken one is away for longer than that.
      expect(gapMs).toBeLessThan(hangMs / 2)
    },
  )

  test('G8 G11 unfinished stored commands of all actors of the thread are delivered again, each of them once', async () => {
    const patient = { threads: { maxRestarts: 100, backoff: { minMs: 10, maxMs: 20 } } }
    const system = await makePlace().open({ actors, supervision: patient, limits: { batchCommands: 4 } })
    const keys = ['a', 'b', 'c']
    const sent: string[] = []
    // A careful caller: the same key until it is acknowledged.
    const send = async (key: string, text: string): Promise<void> => {
      const tell = (): Promise<unknown> => codeOf(system.actor(saboteur, key).tell.mark({ text }, { idempotencyKey: text }))
      await until(tell, (outcome) => outcome !== 'SHARD_CRASHED')
    }
    for (let round = 0; round < 5; round += 1) {
      const texts = Array.from({ length: 30 }, (_none, index) => `${round}/${index}`)
      sent.push(...texts)
      const sending = Promise.all(keys.flatMap((key) => texts.map((text) => send(key, text))))
      const leaving = codeOf(system.actor(saboteur, `x${round}`).ask.leave())
      await sending
      expect(await leaving).toBe('SHARD_CRASHED')
    }
    for (const key of keys) {
      const marks = await until(
        () => marksOf(system, key),
        (seen) => Array.isArray(seen) && seen.length >= sent.length,
      )
      expect(marks).toHaveLength(sent.length)
      expect(new Set(marks as readonly string[])).toEqual(new Set(sent)) // `until` has seen that it is a list.
    }
    expect(system.stats().recovered).toBeGreaterThan(0)
  })

  test('G8 G11 every pending ask settles: those without an answer get the one error, and nothing of them happened twice', async () => {
    const system = await openOne(makePlace(), { batchCommands: 10 })
    const ref = system.actor(saboteur, 'a')
    const ids = Array.from({ length: 200 }, (_none, index) => `m${index}`)
    const asks = ids.map((text, index) => {
      const ask = codeOf(ref.ask.mark({ text }))
      if (index === 150) void codeOf(ref.ask.spin())
      return ask
    })
    const outcomes = await Promise.all(asks)
    const answered = ids.filter((_id, index) => typeof outcomes[index] === 'number')
    expect(answered.length).toBeGreaterThan(0)
    expect(new Set(outcomes.filter((outcome) => typeof outcome !== 'number'))).toEqual(new Set(['SHARD_CRASHED']))
    const marks = await marksOf(system)
    expect(marks).toEqual(ids.slice(0, answered.length))
  })
})

describe('G11 the watchdog', () => {
  test('G11 leaves a thread alone that stands still for less than it may, and says how late its event loop was', async () => {
    const system = await makePlace().open({ actors, supervision: { threads: { hangMs: 4_000 } } })
    const ref = system.actor(saboteur, 'a')
    const before = await ref.ask.where()
    // The beat is counted every 250 ms: however it falls, it is late by more than this.
    await ref.ask.pause({ ms: 1_000 })
    const lagMs = await until(
      () => system.stats().perShard[0]?.loopLagMsMax ?? 0,
      (seen) => seen > 700,
    )
    expect(lagMs).toBeLessThan(4_000)
    expect(await ref.ask.where()).toBe(before)
    expect(await marksOf(system)).toEqual(['paused'])
  })

  test('G11 accuses nobody after the caller has stood still', async () => {
    const system = await openOne()
    const ref = system.actor(saboteur, 'a')
    const before = await ref.ask.where()
    // The caller's thread sleeps: it can neither look nor hear.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * HANG_MS)
    expect(await ref.ask.where()).toBe(before)
    await quietFor(2 * HANG_MS, () => codeOf(ref.ask.where()), before)
  })

  test('G11 accuses nobody after the whole process was stopped', async () => {
    const { directory } = makePlace()
    const child = spawn(process.execPath, [`${import.meta.dirname}/../fixtures/steady-owner.ts`, directory, String(HANG_MS)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const where = async (): Promise<unknown> => {
      child.stdin.write('where\n')
      const { value }: { readonly value?: unknown } = await lines.next()
      return value
    }
    const before = await where()
    child.kill('SIGSTOP')
    const stoppedAt = performance.now()
    await until(
      () => performance.now(),
      (now) => now > stoppedAt + 3 * HANG_MS,
    )
    child.kill('SIGCONT')
    await quietFor(2 * HANG_MS, where, before)
  })
})

/** Dead letters, once there are some. */
async function lettersOf(system: System): Promise<readonly object[]> {
  const look = async (): Promise<readonly object[]> => {
    try {
      return await system.deadLetters.list()
    } catch {
      return []
    }
  }
  return await until(look, (letters) => letters.length > 0)
}

/** Expects the same answer for so long. */
async function quietFor(ms: number, look: () => Promise<unknown>, expected: unknown): Promise<void> {
  const endAt = performance.now() + ms
  await until(
    async () => {
      expect(await look()).toBe(expected)
      return performance.now()
    },
    (now) => now >= endAt,
  )
}

/** Two keys that are served by different threads. */
async function twoShards(system: System): Promise<{ readonly broken: string; readonly other: string }> {
  const keys = Array.from({ length: 20 }, (_none, index) => `k${index}`)
  const threads = await Promise.all(keys.map((key) => system.actor(saboteur, key).ask.where()))
  const other = keys.find((_key, index) => threads[index] !== threads[0])
  if (other === undefined) throw new Error('All keys are served by one thread.')
  return { broken: 'k0', other }
}

interface Probed {
  readonly answers: readonly unknown[]
  readonly errors: readonly unknown[]
  /** The longest time between two answers, in milliseconds. */
  readonly gapMs: number
}

/** Calls every so many milliseconds, one call at a time, until it is ended. */
function probeEvery(ms: number, call: () => Promise<unknown>): { readonly end: () => Promise<Probed> } {
  const answers: unknown[] = []
  const errors: unknown[] = []
  const over = new AbortController()
  let gapMs = 0
  let lastAt = performance.now()
  const probe = async (): Promise<void> => {
    try {
      answers.push(await call())
    } catch (error) {
      errors.push(error)
    }
    const now = performance.now()
    gapMs = Math.max(gapMs, now - lastAt)
    lastAt = now
    if (over.signal.aborted) return
    await new Promise((resolve) => setTimeout(resolve, ms))
    await probe()
  }
  const probing = probe()
  const end = async (): Promise<Probed> => {
    over.abort()
    await probing
    return { answers, errors, gapMs }
  }
  onTestFinished(async () => void (await end()))
  return { end }
}
