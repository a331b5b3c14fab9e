/**
 * Watches as a property: random sequences of watching, not watching, ends, holds, releases and every kind of crash, against a
 * plain model. Whatever struck, each watch that was not taken back has had exactly one notice once there was something to say.
 */
import { StoreUnavailable } from '@bailiwick/store'
import type { ShardStore } from '@bailiwick/store'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../code-of.ts'
import { patientOf } from './patients.ts'
import type { Patient } from './patients.ts'
import { follow, Ward } from './ward.ts'
import type { Way } from './ward.ts'

const RUNS = Number(process.env['BAILIWICK_RUNS'] ?? 60)

const WATCHERS = ['w1', 'w2'] as const
const TARGETS = ['t1', 't2', 't3'] as const

type Step =
  | { readonly kind: 'watch'; readonly watcher: string; readonly target: string; readonly event: string }
  | { readonly kind: 'end' | 'fail' | 'stop' | 'hold' | 'release' | 'restart'; readonly target: string }
  /** Takes back one of the watches that there are. */
  | { readonly kind: 'unwatch'; readonly pick: number }
  /** … while its target fails: there may be a notice, but not two. */
  | { readonly kind: 'race'; readonly pick: number }
  | { readonly kind: 'crash' | 'crashThreads' }
  | { readonly kind: 'crashAt'; readonly point: 'before' | 'after'; readonly commits: number }
  | { readonly kind: 'failShard'; readonly shard: number; readonly commits: number }

const watcher = fc.constantFrom(...WATCHERS)
const target = fc.constantFrom(...TARGETS)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('watch' as const), watcher, target, event: fc.constantFrom('notice', 'other') }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('unwatch' as const), pick: fc.nat({ max: 5 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('fail' as const, 'fail' as const, 'stop' as const, 'hold' as const, 'end' as const, 'restart' as const),
      target,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), target }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('race' as const), pick: fc.nat({ max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'crashThreads' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('crashAt' as const),
      point: fc.constantFrom('before' as const, 'after' as const),
      commits: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('failShard' as const), shard: fc.nat({ max: 2 }), commits: fc.integer({ min: 1, max: 3 }) }),
  },
)

type Reason = 'done' | 'quarantined' | 'stopped'

/** What happened over all runs: a property that never meets a notice or a crash shows little. */
const met = { notices: 0, crashes: 0, taken: 0 }

/** One run. */
class Run {
  readonly #ward: Ward
  readonly #shards: number
  readonly #targets: ReadonlyMap<string, Patient>
  readonly #watcher: Patient
  readonly #states = new Map<string, Reason>()
  /** The event of each watch, by watcher and target. */
  readonly #watches = new Map<string, string>()
  readonly #expected = new Map<string, string[]>()
  /** Notices that may have been heard or not, by watcher. */
  readonly #possible = new Map<string, string[]>()
  #countdown: { readonly point: 'before' | 'after'; left: number } | undefined
  #failing: number[] = []
  #isDead = false
  #operations = 0

  constructor(way: Way) {
    this.#shards = way.shards
    this.#watcher = patientOf('patient')
    // The first is quarantined when it fails, the second stopped, the third restarted.
    this.#targets = new Map<string, Patient>([
      ['t1', patientOf('strict', { supervision: { maxRestarts: 0 } })],
      ['t2', patientOf('frail', { supervision: { maxRestarts: 0, onExhausted: 'stop' } })],
      ['t3', patientOf('sturdy')],
    ])
    const actors = [this.#watcher, ...this.#targets.values()]
    this.#ward = new Ward(way, { actors, wrapStore: (store, shard) => this.#strikes(store, shard) })
  }

  async play(steps: readonly Step[]): Promise<void> {
    await this.#ward.open()
    for (const next of steps) await this.#apply(next)
    this.#countdown = undefined
    this.#failing = []
    await this.#rest()
    await this.#crash()
    await this.#rest()
    for (const key of WATCHERS) {
      const { context } = await this.#ward.now(this.#ward.system.actor(this.#watcher, key).snapshot())
      const heard = context.heard.map(({ type, actor, reason }) => `${type} ${String(actor)} ${String(reason)}`)
      const rest = [...heard]
      for (const notice of this.#expected.get(key) ?? []) {
        expect(rest, `${key} has heard ${JSON.stringify(heard)}`).toContain(notice)
        rest.splice(rest.indexOf(notice), 1)
      }
      // What is left are notices of races, each at most once.
      const possible = [...(this.#possible.get(key) ?? [])]
      for (const notice of rest) {
        expect(possible, `${key} has heard ${JSON.stringify(heard)}`).toContain(notice)
        possible.splice(possible.indexOf(notice), 1)
      }
      met.notices += heard.length
    }
    expect(this.#ward.system.stats()).toMatchObject({ outbox: 0 })
    await this.#ward.world.close()
  }

  async #apply(next: Step): Promise<void> {
    switch (next.kind) {
      case 'watch':
        await this.#watch(next.watcher, next.target, next.event)
        return
      case 'unwatch': {
        const { name, watched } = this.#watchAt(next.pick)
        const key = this.#addressOf(watched)
        await this.#careful((idempotencyKey) => this.#of(name).ask.unwatch({ key }, { idempotencyKey }))
        await this.#rest()
        if (this.#watches.delete(`${name} ${watched}`)) met.taken += 1
        return
      }
      case 'race': {
        const { name, watched } = this.#watchAt(next.pick)
        await this.#race(name, watched)
        return
      }
      case 'crash':
        await this.#crash()
        return
      case 'crashThreads':
        met.crashes += 1
        await this.#ward.crashThreads()
        return
      case 'crashAt':
        this.#countdown = { point: next.point, left: next.commits }
        return
      case 'failShard':
        this.#failing[next.shard % this.#shards] = next.commits
        return
      default:
        await this.#change(next.kind, next.target)
    }
  }

  /** One of the watches that there are; one that is not if there are none. */
  #watchAt(pick: number): { readonly name: string; readonly watched: string } {
    const all = [...this.#watches.keys()]
    const [name = WATCHERS[0], watched = TARGETS[0]] = (all[pick % Math.max(1, all.length)] ?? '').split(' ').filter((part) => part !== '')
    return { name, watched }
  }

  async #watch(name: string, watched: string, event: string): Promise<void> {
    const key = this.#addressOf(watched)
    await this.#careful((idempotencyKey) => this.#of(name).ask.watch({ key, event }, { idempotencyKey }))
    await this.#rest()
    this.#watches.set(`${name} ${watched}`, event)
    const reason = this.#states.get(watched)
    if (reason !== undefined) this.#say(name, watched, reason)
  }

  async #change(kind: 'end' | 'fail' | 'stop' | 'hold' | 'release' | 'restart', name: string): Promise<void> {
    const definition = this.#targetOf(name)
    const before = this.#states.get(name)
    switch (kind) {
      case 'end':
        if (before !== undefined) return
        await this.#careful((idempotencyKey) => this.#ward.system.actor(definition, name).tell.end({}, { idempotencyKey }))
        await this.#become(name, 'done')
        return
      case 'hold':
        if (before !== undefined) return
        await this.#careful(() => this.#ward.system.quarantine.hold(definition, name, { reason: 'by hand' }))
        await this.#become(name, 'quarantined')
        return
      case 'release':
        if (before === undefined || before === 'done') return
        await this.#careful(() => this.#ward.system.quarantine.release({ definition, key: name }))
        await this.#rest()
        this.#states.delete(name)
        return
      default:
        // Only one that lives can fail.
        if (before !== undefined) return
        await this.#careful(() => this.#poison(name))
        if (name === 't3') await this.#rest()
        else await this.#become(name, name === 't1' ? 'quarantined' : 'stopped')
    }
  }

  async #race(name: string, watched: string): Promise<void> {
    const id = `${name} ${watched}`
    if (this.#states.has(watched) || watched === 't3' || !this.#watches.has(id)) return
    const key = this.#addressOf(watched)
    const event = this.#watches.get(id) ?? ''
    const both = [
      this.#careful((idempotencyKey) => this.#of(name).ask.unwatch({ key }, { idempotencyKey })),
      this.#careful(() => this.#poison(watched)),
    ]
    for (const one of both) await one
    this.#watches.delete(id)
    const reason = watched === 't1' ? 'quarantined' : 'stopped'
    this.#possible.set(name, [...(this.#possible.get(name) ?? []), `${event} ${key} ${reason}`])
    await this.#become(watched, reason)
  }

  /** A target is something from now on; its watchers hear of it, and watch it no more. */
  async #become(name: string, reason: Reason): Promise<void> {
    await this.#rest()
    this.#states.set(name, reason)
    for (const key of WATCHERS) this.#say(key, name, reason)
  }

  #say(key: string, watched: string, reason: Reason): void {
    const id = `${key} ${watched}`
    const event = this.#watches.get(id)
    if (event === undefined) return
    this.#watches.delete(id)
    this.#expected.set(key, [...(this.#expected.get(key) ?? []), `${event} ${this.#addressOf(watched)} ${reason}`])
  }

  /** Lets a target fail, unless an attempt before this one has had its effect already. */
  async #poison(name: string): Promise<void> {
    const definition = this.#targetOf(name)
    const held = await this.#ward.system.quarantine.list({ definition, key: name })
    if (held.length > 0) return
    const outcome = await codeOf(this.#ward.system.actor(definition, name).ask.poison({}))
    if (outcome !== 'COMMAND_FAILED') throw new Error(`It answers ${String(outcome)}.`)
  }

  /** Repeats what a careful caller would until it is acknowledged. */
  async #careful(act: (idempotencyKey: string) => Promise<unknown>): Promise<void> {
    this.#operations += 1
    const idempotencyKey = `operation ${this.#operations}`
    for (let tries = 0; tries < 30; tries += 1) {
      const outcome = { is: 'pending' }
      act(idempotencyKey).then(
        () => void (outcome.is = 'done'),
        (error: unknown) => void (outcome.is = String(error)),
      )
      await this.#ward.pass(200)
      await this.#revive()
      if (outcome.is === 'done') return
    }
    throw new Error(`${idempotencyKey} is never done.`)
  }

  /** Lets everything that is owed be delivered. */
  async #rest(): Promise<void> {
    for (let round = 0; round < 20; round += 1) {
      await this.#ward.pass(1_500)
      if (await this.#revive()) continue
      // A thread that is being replaced counts nothing: every shard has to answer.
      if ((await this.#isThere()) && this.#ward.system.stats().outbox === 0) return
    }
    throw new Error('It does not come to rest.')
  }

  async #isThere(): Promise<boolean> {
    const { system } = this.#ward
    const probes = Array.from({ length: this.#shards * 3 }, (_none, n) =>
      follow(system.actor(this.#watcher, `probe ${n}`).snapshot({ timeoutMs: 400 })),
    )
    await this.#ward.pass(500)
    return probes.every((answer) => typeof answer() === 'object')
  }

  async #revive(): Promise<boolean> {
    if (!this.#isDead) return false
    this.#isDead = false
    await this.#ward.open()
    return true
  }

  async #crash(): Promise<void> {
    met.crashes += 1
    this.#isDead = false
    await this.#ward.crash()
  }

  #strikes(store: ShardStore, shard: number): ShardStore {
    return new Proxy(store, {
      get: (inner, name: keyof ShardStore) => {
        const value = inner[name]
        if (name !== 'commit') return typeof value === 'function' ? value.bind(inner) : value
        return (batch: Parameters<ShardStore['commit']>[0]) => {
          const left = this.#failing[shard] ?? 0
          this.#failing[shard] = left - 1
          if (left > 0) throw new StoreUnavailable('full', 'this disk is full')
          const countdown = this.#countdown
          if (countdown === undefined || (countdown.left -= 1) > 0) return inner.commit(batch)
          this.#countdown = undefined
          if (countdown.point === 'after') void inner.commit(batch)
          met.crashes += 1
          this.#isDead = true
          this.#ward.world.crash()
          throw new Error('The process is dead.')
        }
      },
    })
  }

  #of(name: string) {
    return this.#ward.system.actor(this.#watcher, name)
  }

  #targetOf(name: string): Patient {
    const definition = this.#targets.get(name)
    if (definition === undefined) throw new Error(`There is no target ${name}.`)
    return definition
  }

  #addressOf(name: string): string {
    return `${this.#targetOf(name).type}/${name}`
  }
}

describe.each([
  { title: 'on one shard', shards: 1, isLater: false },
  { title: 'on three shards', shards: 3, isLater: false },
])('$title', (way) => {
  test('G2 G3 G11 each watch that is not taken back has exactly one notice, whatever crashes', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 14 }), async (steps) => await new Run(way).play(steps)),
      { numRuns: RUNS },
    )
    expect(met.notices).toBeGreaterThan(10)
    expect(met.crashes).toBeGreaterThan(10)
    expect(met.taken).toBeGreaterThan(2)
  })
})
