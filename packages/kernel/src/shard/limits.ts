/** The bounds of a shard. Everything that can grow has one. */

/** Bounds of one shard. */
export interface ShardLimits {
  /** A batch is committed after so many commands. Default 2,048. */
  readonly batchCommands: number
  /** A batch is committed after so many milliseconds of work. Default 5. */
  readonly batchMs: number
  /** Actors kept in memory beyond which the longest idle leave it, even before their `idleMs`. Default 100,000. */
  readonly residentActors: number
  /** Commands that may wait on the shard, over all its actors. Default 2,000,000. */
  readonly waitingCommands: number
  /** How long a recorded outcome of an idempotency key is kept, counted from completion. Default 24 hours. */
  readonly idempotencyTtlMs: number
}

/** The bounds where nothing else is said. */
export const DEFAULT_LIMITS: ShardLimits = {
  batchCommands: 2_048,
  batchMs: 5,
  residentActors: 100_000,
  waitingCommands: 2_000_000,
  idempotencyTtlMs: 24 * 60 * 60 * 1_000,
}
