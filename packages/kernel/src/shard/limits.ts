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
  /** Recorded outcomes kept on the shard; beyond it those that expire first go. Commands under way are never among them. Default 1,000,000. */
  readonly idempotencyRecords: number
  /** Effects and messages to other shards that may be promised and not yet delivered. Default 1,000,000. */
  readonly outbox: number
  /** Late results kept on the shard for inspection; beyond it the oldest go. Default 10,000. */
  readonly lateResults: number
  /** Threads of the pool on which turns compute, for each thread of shards. Default 2. */
  readonly poolThreads: number
  /** How much memory a thread of shards may use for its heap, in MiB; one that needs more is replaced. From 64. A single allocation far beyond it ends the process, as V8 does. Default 4,096. */
  readonly heapMb: number
  /** Dead letters kept on the shard; beyond it the oldest are lost, and counted. Default 10,000. */
  readonly deadLetters: number
}

/** The bounds where nothing else is said. */
export const DEFAULT_LIMITS: ShardLimits = {
  batchCommands: 2_048,
  batchMs: 5,
  residentActors: 100_000,
  waitingCommands: 2_000_000,
  idempotencyTtlMs: 24 * 60 * 60 * 1_000,
  idempotencyRecords: 1_000_000,
  outbox: 1_000_000,
  lateResults: 10_000,
  poolThreads: 2,
  heapMb: 4_096,
  deadLetters: 10_000,
}
