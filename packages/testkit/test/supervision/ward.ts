/** A world for the tests of supervision: a system on virtual time, what its tap tells, and patience with stores that take theirs. */
import { onTestFinished } from 'vitest'
import type { ActorDefinition, SystemSupervision, System, TapEvent } from '@bailiwick/kernel'
import type { ShardStore } from '@bailiwick/store'
import { laterStore, TestWorld } from '../../src/index.ts'
import { codeOf } from '../code-of.ts'
import { job, resetOutside } from './patients.ts'

/** Where a claim is shown. */
export interface Way {
  readonly title: string
  readonly shards: number
  /** Whether commits and reads take time. */
  readonly isLater: boolean
}

export const WAYS: readonly Way[] = [
  { title: 'on one shard', shards: 1, isLater: false },
  { title: 'on three shards', shards: 3, isLater: false },
  { title: 'on three shards, with a store that answers later', shards: 3, isLater: true },
]

export interface WardOptions {
  readonly actors: readonly ActorDefinition[]
  readonly supervision?: SystemSupervision
  readonly seed?: number
  readonly wrapStore?: (store: ShardStore, shard: number) => ShardStore
}

const PATIENCE_MS = 5_000

/** Everything that a test needs. */
export class Ward {
  readonly world: TestWorld
  /** What the tap has told of actors and letters since the beginning, over all crashes. */
  readonly told: TapEvent[] = []
  readonly #options: WardOptions
  #system: System | undefined

  constructor({ shards, isLater }: Way, options: WardOptions) {
    resetOutside()
    this.#options = options
    let round = 0
    const wrap = options.wrapStore ?? ((store: ShardStore) => store)
    const rounds = (): number => 1 + ((round += 1) % 3)
    this.world = new TestWorld({
      shards,
      seed: options.seed ?? 1,
      wrapStore: (store, shard) => (isLater ? laterStore(wrap(store, shard), rounds) : wrap(store, shard)),
    })
    onTestFinished(() => this.world.close())
  }

  /** Opens the system; again after a crash. */
  async open(actors = this.#options.actors): Promise<System> {
    const threads = { maxRestarts: Infinity, backoff: { minMs: 1, maxMs: 1 } }
    const supervision = { threads, ...this.#options.supervision }
    this.#system = await this.now(this.world.open({ actors, effects: [job], supervision }))
    this.#system.tap((event) => this.told.push(event), { kinds: ['actor.*', 'letter.kept'] })
    return this.#system
  }

  get system(): System {
    if (this.#system === undefined) throw new Error('The ward is not open.')
    return this.#system
  }

  /** Kills the process and opens the system again. */
  async crash(actors = this.#options.actors): Promise<System> {
    this.world.crash()
    return await this.open(actors)
  }

  /** Kills the threads, which are started again a millisecond later. */
  async crashThreads(): Promise<void> {
    this.world.crashThreads()
    await this.pass(1)
  }

  /** Lets everything run that needs no time, until something holds. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}. The tap: ${JSON.stringify(this.told.slice(-20))}`)
      await this.world.advance(0)
    }
  }

  /** Lets a promise settle while time stands still. */
  async now<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = (): void => void (isSettled = true)
    promise.then(settled, settled)
    await this.until('the promise has settled', () => isSettled)
    return await promise
  }

  /** The value of a promise that settles while time stands still, or the code of its error. */
  async outcome(promise: Promise<unknown>): Promise<unknown> {
    return await this.now(codeOf(promise))
  }

  /** Lets everything run that needs no time, for long enough that whatever was to happen has happened. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 6; round += 1) await this.world.advance(0)
  }

  /** Lets time pass, and whatever it sets going. */
  async pass(ms: number): Promise<void> {
    await this.world.advance(ms)
    await this.quiet()
  }

  /** Lets time pass until so much has passed since the beginning. */
  async at(ms: number): Promise<void> {
    await this.pass(ms - this.world.clock.elapsed())
  }

  /** What the tap has told, by its kind. */
  toldOf<Kind extends TapEvent['kind']>(kind: Kind): readonly Extract<TapEvent, { readonly kind: Kind }>[] {
    return this.told.filter((event): event is Extract<TapEvent, { readonly kind: Kind }> => event.kind === kind)
  }
}

/** Opens a ward. */
export async function wardOf(way: Way, options: WardOptions): Promise<Ward> {
  const ward = new Ward(way, options)
  await ward.open()
  return ward
}

/** What a promise has come to so far: its value or the code of its error, and `pending` until then. */
export function follow(promise: Promise<unknown>): () => unknown {
  let seen: unknown = 'pending'
  void codeOf(promise).then((outcome) => {
    seen = outcome
  })
  return () => seen
}

/** Keys of which the actors of a type live on different shards, one for each. */
export function keysApart(types: readonly string[], shards: number): string {
  // One key for all types, such that as many shards as possible are met.
  let best = { key: 'k0', places: 0 }
  for (let n = 0; n < 500 && best.places < Math.min(shards, types.length); n += 1) {
    const places = new Set(types.map((type) => shardOf(type, `k${n}`, shards))).size
    if (places > best.places) best = { key: `k${n}`, places }
  }
  return best.key
}

/** The shard of an actor, as the kernel reckons. */
export function shardOf(type: string, key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (const character of `${type}/${key}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return (hash >>> 0) % shards
}

/** A key whose actor lives on a shard. */
export function keyOn(type: string, shard: number, shards: number, prefix = 'k'): string {
  for (let n = 0; ; n += 1) if (shardOf(type, `${prefix}${n}`, shards) === shard % shards) return `${prefix}${n}`
}
