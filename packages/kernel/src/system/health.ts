/** `system.health()`: whether every shard can serve, and what is wrong with those that cannot. */
import type { TapError } from '../protocol/tap.ts'

/** Why a system is not as it should be. */
export interface HealthReason {
  /** Position of the shard. */
  readonly shard: number
  /** Code of the error, for instance `STORE_UNAVAILABLE` or `SHARD_CRASHED`. */
  readonly code: string
  readonly message: string
  /** Since when, as wall time in milliseconds since 1970. */
  readonly since: number
}

/** How a system is. */
export interface SystemHealth {
  /**
   * `ready`: every shard serves. `degraded`: one of them does not; the reasons say which, and why. `closing`: no new calls
   * are taken. `closed`: it is over.
   */
  readonly status: 'ready' | 'degraded' | 'closing' | 'closed'
  /** Empty if every shard serves. */
  readonly reasons: readonly HealthReason[]
}

/** What is wrong with a shard: itself, or its thread. */
interface ShardHealth {
  store: HealthReason | undefined
  thread: HealthReason | undefined
}

/** Keeps what is wrong with each shard. */
export class Health {
  readonly #shards = new Map<number, ShardHealth>()

  /** A shard cannot commit. One that could not before keeps its moment. */
  shardFails(shard: number, { code, message }: TapError, now: number): void {
    const health = this.#of(shard)
    health.store = { shard, code, message, since: health.store?.since ?? now }
  }

  /** A shard serves again. Answers whether it did not before. */
  shardServes(shard: number): boolean {
    const health = this.#of(shard)
    const didFail = health.store !== undefined
    health.store = undefined
    return didFail
  }

  /** The thread of a shard is gone. What was wrong with the shard in it is over. */
  threadIsGone(shard: number, { code, message }: TapError, now: number): void {
    const health = this.#of(shard)
    health.store = undefined
    health.thread = { shard, code, message, since: health.thread?.since ?? now }
  }

  /** Another thread serves the shard. */
  threadServes(shard: number): void {
    this.#of(shard).thread = undefined
  }

  /** What is wrong now, by shard. */
  get reasons(): readonly HealthReason[] {
    const reasons = [...this.#shards.values()].flatMap(({ thread, store }) => thread ?? store ?? [])
    return reasons.toSorted((left, right) => left.shard - right.shard)
  }

  #of(shard: number): ShardHealth {
    const known = this.#shards.get(shard)
    if (known !== undefined) return known
    const health: ShardHealth = { store: undefined, thread: undefined }
    this.#shards.set(shard, health)
    return health
  }
}
