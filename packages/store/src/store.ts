/**
 * The store as the kernel sees it: an interface in domain words, implemented by the drivers (SQLite, memory).
 *
 * Everything crosses this seam encoded: snapshots, inputs, events and outcomes are JSON text that the store never
 * looks into. The store knows no thread, no machine and no schema library. Every answer may be given at once or as a
 * promise, so that a driver behind a network fits; SQLite and memory always answer at once.
 */

/** An answer given at once, or later. */
export type Answer<T> = T | Promise<T>

/** The last committed state of an actor. */
export interface StoredActor {
  /** The actor's number in its shard: given once, never used again for another actor. */
  readonly number: number
  /** How many events have changed the actor, up to and including `snapshot`. */
  readonly revision: number
  /** Version of the logic that wrote the snapshot. */
  readonly version: number
  /** The encoded snapshot. */
  readonly snapshot: string
  /** Encoded events after the snapshot, in order, with sequences revision+1, revision+2, …; empty unless the actor is journaled. */
  readonly events: readonly string[]
}

/** The first snapshot of an actor. Its number must be new, its type and key too. */
export interface ActorCreated {
  readonly number: number
  readonly type: string
  readonly key: string
  readonly revision: number
  readonly version: number
  readonly snapshot: string
}

/** A later snapshot of an actor. */
export interface ActorChanged {
  readonly number: number
  readonly revision: number
  readonly version: number
  readonly snapshot: string
}

/** One event that changed a journaled actor. */
export interface JournalEntry {
  readonly actor: number
  /** The actor's revision after this event. */
  readonly sequence: number
  /** Wall time in milliseconds since 1970. */
  readonly at: number
  /** The encoded event. */
  readonly event: string
}

/** Journal rows of one actor that are no longer wanted. */
export interface JournalTrim {
  readonly actor: number
  /** Rows with a sequence up to and including this one go; the store keeps those that recovery still needs. */
  readonly through: number
}

/** A command accepted but not finished, as the inbox keeps it. */
export interface InboxCommand {
  /** Position in the shard's inbox: larger means accepted later. Never reused. */
  readonly sequence: number
  /** The command's id. */
  readonly id: string
  readonly type: string
  readonly key: string
  readonly command: string
  /** Index of the lane: 0 urgent, 1 high, 2 normal, 3 low. */
  readonly lane: number
  /** The encoded input. */
  readonly input: string
  /** The caller's idempotency key with the payload's fingerprint, where one was given. */
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | undefined
  /** Wall time of acceptance in milliseconds since 1970. */
  readonly at: number
}

/** The recorded outcome of a command that had an idempotency key. */
export interface StoredOutcome {
  readonly fingerprint: string
  /** The encoded outcome. */
  readonly outcome: string
  /** Wall time in milliseconds since 1970. The record counts until just before this moment: at `expiresAt` it is gone. */
  readonly expiresAt: number
}

/** An outcome to record. A record of the same scope and key that has expired by `batch.at` is replaced; one that still counts never is. */
export interface OutcomeRecorded extends StoredOutcome {
  /** Which operation the key belongs to: actor and command, encoded by the kernel. */
  readonly scope: string
  readonly key: string
}

/** A named timer of an actor. Setting one that exists replaces it. */
export interface TimerSet {
  readonly actor: number
  readonly name: string
  /** Distinguishes this setting from earlier and later ones of the same name; larger is later. */
  readonly generation: number
  /** Wall time in milliseconds since 1970. */
  readonly dueAt: number
  /** The encoded event that the actor gets. */
  readonly event: string
}

/** Clears a timer: whatever its generation, or only the given one. */
export interface TimerCleared {
  readonly actor: number
  readonly name: string
  readonly generation: number | undefined
}

/** A timer that has come due. */
export interface DueTimer extends TimerSet {
  readonly type: string
  readonly key: string
}

/**
 * What is committed together: one transaction, one fsync, fenced by the epoch of the shard that commits.
 * Applied in the order of the fields; within a field in the order of the array.
 */
export interface Batch {
  /** Wall time of the commit in milliseconds since 1970, never smaller than that of an earlier batch. */
  readonly at: number
  readonly created: readonly ActorCreated[]
  readonly changed: readonly ActorChanged[]
  readonly journal: readonly JournalEntry[]
  readonly journalTrims: readonly JournalTrim[]
  readonly accepted: readonly InboxCommand[]
  /** Sequences of inbox commands that are finished. One that is not in the inbox is passed over: finishing twice is finishing once. */
  readonly finished: readonly number[]
  readonly outcomes: readonly OutcomeRecorded[]
  readonly timersCleared: readonly TimerCleared[]
  readonly timersSet: readonly TimerSet[]
}

/** What a shard needs to know before it serves its first command. Its size depends on waiting commands, never on actors. */
export interface Recovery {
  /** The number that the next new actor gets. */
  readonly nextActorNumber: number
  /** The sequence that the next accepted command gets; larger than any ever used. */
  readonly nextInboxSequence: number
  /** The generation that the next timer setting gets; larger than any ever used. */
  readonly nextTimerGeneration: number
  /** Commands accepted but not finished, by sequence. */
  readonly inbox: readonly InboxCommand[]
  /** `at` of the last committed batch, 0 if there is none: wall time must not run behind it. */
  readonly committedAt: number
}

/** One shard's durable truth, owned by whoever opened it last. */
export interface ShardStore {
  /** Fencing token: larger than that of every earlier owner of this shard. */
  readonly epoch: number

  /** Reads what is needed to serve. Throws `StoreDamaged` or `StoreUnavailable`. */
  recover(): Answer<Recovery>

  /** Reads one actor; `undefined` if it was never committed. Throws `StoreDamaged` or `StoreUnavailable`. */
  load(type: string, key: string): Answer<StoredActor | undefined>

  /** Reads the recorded outcome for a key that has not expired at `now`. Throws `StoreDamaged` or `StoreUnavailable`. */
  outcome(scope: string, key: string, now: number): Answer<StoredOutcome | undefined>

  /** Timers with `dueAt <= now`, the earliest first (by dueAt, then generation), at most `limit`. Reading changes nothing. */
  dueTimers(now: number, limit: number): Answer<readonly DueTimer[]>

  /** The earliest `dueAt` of all timers, `undefined` if there are none. */
  nextDueAt(): Answer<number | undefined>

  /**
   * Commits a batch wholly or not at all; when it returns (or resolves), the batch is durable.
   * Throws `Fenced` if a newer owner exists, `StoreUnavailable` or `StoreDamaged` if it could not commit, `BatchInvalid`
   * if the batch contradicts itself or the store; in each case nothing of the batch has happened and the store goes on.
   */
  commit(batch: Batch): Answer<void>

  /** Deletes up to `limit` outcome records that have expired at `now`; answers how many. Fenced like a commit. */
  expireOutcomes(now: number, limit: number): Answer<number>

  /** Stops using the shard. Idempotent. */
  close(): Answer<void>
}

/** A store that gives every answer at once, as SQLite and memory do. */
export type ImmediateShardStore = {
  readonly [Name in keyof ShardStore]: ShardStore[Name] extends (...values: infer Values) => infer Given
    ? (...values: Values) => Exclude<Given, Promise<unknown>>
    : ShardStore[Name]
}

/** What an owner holds, whatever the driver: the sole right to open the shards of one directory. */
export interface StoreDirectory {
  /** Number of this ownership: larger than that of every earlier owner. */
  readonly epoch: number
  /** How many shards there are; fixed when the directory was created. */
  readonly shardCount: number

  /**
   * Opens a shard in the calling thread and takes it: every earlier owner of the shard is fenced from here on.
   * Throws `Fenced` if a newer owner of the directory has taken the shard, `StoreDamaged`, `SchemaTooNew` or `StoreUnavailable`.
   */
  open(index: number): Answer<ShardStore>

  /** Gives the directory up, so that another owner can take it. Idempotent. Close the shards first. */
  release(): Answer<void>
}

/** How safe a commit is: `full` survives the death of the machine, `normal` that of the process. */
export type Synchronous = 'full' | 'normal'

/** Where a shard lives, in a form that can be sent to the thread that will own it. */
export interface ShardLocation {
  readonly file: string
  readonly index: number
  /** Epoch of the directory's owner on whose behalf the shard is opened. */
  readonly ownerEpoch: number
  readonly synchronous: Synchronous
}
