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
  /** The actor's open calls, by sequence. */
  readonly openCalls: readonly StoredOpenCall[]
  /** The actor's turns that have not ended, by sequence. */
  readonly turns: readonly StoredTurn[]
  /** The actor's leases, by name. */
  readonly leases: readonly StoredLease[]
}

/** A turn: long work done for an actor. Its row stays for a while after it has ended. */
export interface StoredTurn {
  /** Unique in the shard for ever. */
  readonly sequence: number
  /** Name of the command that it is. */
  readonly command: string
  readonly isEnded: boolean
  /** Everything else, encoded. */
  readonly detail: string
  /** The encoded state from which it resumes: its last checkpoint; `undefined` if it has none. */
  readonly frame: string | undefined
  /** True if the frame is kept for diagnosis only. */
  readonly isFrameDiscarded: boolean
}

/**
 * A turn that is new, or has changed. The actor must exist. Neither actor nor command of a turn ever change, and one that has
 * ended stays so: what says otherwise makes the batch invalid. The detail may change at any time.
 */
export interface TurnChanged {
  readonly sequence: number
  readonly actor: number
  readonly command: string
  readonly isEnded: boolean
  readonly detail: string
}

/** A checkpoint of a turn, which must exist but may have ended: takes the place of the one before, and is not discarded. */
export interface FrameSaved {
  readonly turn: number
  readonly frame: string
}

/**
 * How many turns of an actor are kept once they have ended: the ones with the largest sequences. The others go with their
 * frames. Turns that have not ended neither count nor go.
 */
export interface TurnsKept {
  readonly actor: number
  readonly keep: number
}

/** A lease of an actor: the right to act for something. */
export interface StoredLease {
  readonly name: string
  /** Fencing token of the last grant; never smaller than before. */
  readonly epoch: number
  /** Who holds it and who waits for it, encoded. */
  readonly detail: string
}

/** A lease that is new, or has changed. The actor must exist. An epoch that is smaller than the stored one makes the batch invalid. */
export interface LeaseChanged extends StoredLease {
  readonly actor: number
}

/** Something that came from the owner of an older epoch and took no effect. */
export interface LateResult {
  /** Unique in the shard for ever; larger is later. */
  readonly sequence: number
  readonly type: string
  readonly key: string
  /** The epoch that it came from. */
  readonly epoch: number
  /** What it was, encoded. */
  readonly detail: string
  /** Wall time in milliseconds since 1970. */
  readonly at: number
}

/** What is known of an actor's failures: when it failed, and whether it is held back. The actor need not be stored. */
export interface StoredFault {
  readonly type: string
  readonly key: string
  /** Everything that is known, encoded. */
  readonly detail: string
}

/** What is known of an actor's failures from now on; nothing any more if `detail` is undefined. */
export interface FaultChanged {
  readonly type: string
  readonly key: string
  readonly detail: string | undefined
}

/** A child process that belongs to this shard. Written before it is started, so that its remains are found after a crash. */
export interface OwnedProcess {
  /** Unique in the shard for ever. */
  readonly sequence: number
  /** What tells it from every other process, encoded. */
  readonly detail: string
}

/** A call that an actor has taken and not yet answered, or has made and awaits the answer of. The store does not tell them apart. */
export interface StoredOpenCall {
  readonly sequence: number
  /** The encoded call. */
  readonly detail: string
}

/** An open call of an actor. The actor must exist. */
export interface OpenCall extends StoredOpenCall {
  readonly actor: number
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
  /** Wall time before which it is not to be handled; `undefined` for at once. */
  readonly dueAt: number | undefined
  /** What else belongs to it, encoded; `undefined` for most. */
  readonly detail: string | undefined
}

/** An edit of a waiting command. One that is no longer in the inbox is passed over. */
export interface InboxChange {
  readonly sequence: number
  readonly input: string
  readonly detail: string | undefined
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
  /** The delay that it was set with, in milliseconds; what `restart` begins again. */
  readonly delayMs: number
  /** For a periodic timer the time from tick to tick in milliseconds; 0 for one that fires once. The store only keeps it. */
  readonly everyMs: number
  /** What a restart of the shard does to it. */
  readonly onRestart: TimerRestart
}

/**
 * What the next `recover` does to a timer: `deadline` leaves it alone; `remaining` moves it by the time since the last
 * commit or `recover`, unless it was due by then; `restart` begins its delay anew.
 */
export type TimerRestart = 'deadline' | 'remaining' | 'restart'

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

/** A message promised to an actor of another shard. */
export interface OutboxMessage {
  /** Index of the shard that it is for. */
  readonly peer: number
  /** Position among all messages to this peer: 1, 2, 3, … without a gap, never reused. */
  readonly sequence: number
  /** The encoded message. */
  readonly message: string
}

/** How far the messages between this shard and a peer have come, up to and including a sequence. */
export interface LinkMark {
  readonly peer: number
  readonly through: number
}

/** Both directions between this shard and a peer. */
export interface Link {
  readonly peer: number
  /** Sequence of the last message promised to the peer; 0 for none ever. Kept when the messages are gone. */
  readonly sent: number
  /** Sequence of the last message admitted from the peer; 0 for none ever. */
  readonly received: number
}

/** An effect promised to the outside world. */
export interface Effect {
  /** Unique in the shard for ever. */
  readonly sequence: number
  /** Name of the effect's definition. */
  readonly name: string
  /** The key under which the outside world hears of it, the same at every attempt. */
  readonly idempotencyKey: string
  /** The actor that wants it. */
  readonly type: string
  readonly key: string
  /** The actor's own name for it, by which it can be cancelled; `undefined` where it gave none. */
  readonly label: string | undefined
  /** The encoded input. */
  readonly input: string
  /** What else belongs to it, encoded. */
  readonly detail: string | undefined
  /** Sequence of the turn on whose behalf it was promised; `undefined` for most. The turn need not be there, or not any more. */
  readonly turn: number | undefined
  /** Wall time before which it is not to be tried. */
  readonly dueAt: number
  /** How many attempts were claimed so far. */
  readonly attempts: number
}

/** An effect whose time has come. */
export interface DueEffect extends Effect {
  /** True if its last attempt was claimed and nothing was recorded since: what it did is unknown. */
  readonly isClaimed: boolean
}

/** An effect that goes back to wait for another attempt. */
export interface EffectDelayed {
  readonly sequence: number
  readonly dueAt: number
  /** The encoded error of the last attempt. */
  readonly detail: string | undefined
}

/** Cancels what is not claimed: an actor's effect by its label, or every effect of a turn. */
export type EffectCancelled = { readonly type: string; readonly key: string; readonly label: string } | { readonly turn: number }

/** A command or an effect that could not be handled, kept with the reason. */
export interface DeadLetter {
  /** Unique in the shard for ever; larger is later. */
  readonly sequence: number
  readonly type: string
  readonly key: string
  /** Name of the command, or of the effect. */
  readonly command: string
  readonly reason: string
  /** The encoded error. */
  readonly error: string
  /** The encoded input. */
  readonly input: string
  /** The natural key of the command, by which a later edit finds it. */
  readonly naturalKey: string | undefined
  /** Revision of the actor whose state could not take it; `undefined` where no actor was asked, or the letter is older than this field. */
  readonly revision: number | undefined
  /** What else is needed to try it again, encoded. */
  readonly detail: string
  /** Wall time in milliseconds since 1970. */
  readonly at: number
}

/** Which dead letters are meant. Every field that is given must match. */
export interface DeadLetterFilter {
  readonly sequence?: number
  readonly type?: string
  readonly key?: string
  readonly command?: string
  readonly reason?: string
  readonly naturalKey?: string
  /** Only those with a smaller sequence: for reading on. */
  readonly before?: number
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
  readonly inboxChanges: readonly InboxChange[]
  /** Sequences of inbox commands that are finished. One that is not in the inbox is passed over: finishing twice is finishing once. */
  readonly finished: readonly number[]
  readonly outcomes: readonly OutcomeRecorded[]
  readonly timersCleared: readonly TimerCleared[]
  readonly timersSet: readonly TimerSet[]
  /** Calls that are new, or have a new detail. */
  readonly callsOpened: readonly OpenCall[]
  /** Sequences of open calls that are settled. One that is not open is passed over. */
  readonly callsClosed: readonly number[]
  readonly turns: readonly TurnChanged[]
  readonly frames: readonly FrameSaved[]
  /** Turns whose frame is kept for diagnosis only from now on. One without a frame is passed over. */
  readonly framesDiscarded: readonly number[]
  readonly turnsKept: readonly TurnsKept[]
  readonly leases: readonly LeaseChanged[]
  readonly lateResults: readonly LateResult[]
  /** After a batch with late results at most so many are kept; the oldest go. */
  readonly lateResultsMax: number
  /** Of each actor the last one counts. */
  readonly faults: readonly FaultChanged[]
  /** Processes that are about to be started, or of which more is known. */
  readonly processes: readonly OwnedProcess[]
  /** Sequences of processes that are gone. One that is not there is passed over. */
  readonly processesEnded: readonly number[]
  /** Each raises the mark `sent` of its peer to its own sequence. */
  readonly outbox: readonly OutboxMessage[]
  /** Messages that their peer has: they are deleted. */
  readonly delivered: readonly LinkMark[]
  /** Messages of peers that this batch admits: each raises the mark `received`, never lowers it. */
  readonly received: readonly LinkMark[]
  readonly effectsCancelled: readonly EffectCancelled[]
  readonly effects: readonly Effect[]
  /** Sequences of effects that are about to be tried: each counts one more attempt, and is due no more until it is settled or the shard recovers. */
  readonly effectsClaimed: readonly number[]
  readonly effectsDelayed: readonly EffectDelayed[]
  /** Sequences of effects that are done, or given up. */
  readonly effectsSettled: readonly number[]
  readonly deadLetters: readonly DeadLetter[]
  /** Sequences of dead letters that were replayed or discarded. */
  readonly deadLettersRemoved: readonly number[]
  /** How many of the oldest dead letters go, after the new ones were added. */
  readonly deadLettersTrimmed: number
  /** After a batch that records outcomes at most so many records are kept; the ones that expire first go. */
  readonly outcomesMax: number
}

/** What only the store can tell of a commit. */
export interface CommitReport {
  /** How many effects were really cancelled: those that existed and were not claimed. */
  readonly effectsCancelled: number
}

/** What a shard needs to know before it serves its first command. Its size depends on waiting commands, never on actors. */
export interface Recovery {
  /** The number that the next new actor gets. */
  readonly nextActorNumber: number
  /** The sequence that the next accepted command gets; larger than any ever used. */
  readonly nextInboxSequence: number
  /** The generation that the next timer setting gets; larger than any ever used. */
  readonly nextTimerGeneration: number
  /** Commands accepted but not finished and without a `dueAt`, by sequence. */
  readonly inbox: readonly InboxCommand[]
  /** Every peer that this shard ever had to do with. */
  readonly links: readonly Link[]
  /** How many dead letters there are. */
  readonly deadLetters: number
  /** How many effects and messages to other shards are promised and not delivered. */
  readonly outboxSize: number
  /** Actors with turns that have not ended, in the order of their oldest such turn. */
  readonly busy: readonly { readonly type: string; readonly key: string }[]
  /** Processes of earlier owners that were not seen to end, by sequence. */
  readonly processes: readonly OwnedProcess[]
  /** What is known of actors' failures, by type and key. */
  readonly faults: readonly StoredFault[]
  /** `at` of the last committed batch, 0 if there is none: wall time must not run behind it. */
  readonly committedAt: number
}

/** One shard's durable truth, owned by whoever opened it last. */
export interface ShardStore {
  /** Fencing token: larger than that of every earlier owner of this shard. */
  readonly epoch: number

  /**
   * Reads what is needed to serve, after two changes, fenced like a commit: effects that were claimed are due again, with
   * `isClaimed`, and timers are moved by their `onRestart`. Called once, before anything else, with the wall time.
   * Throws `StoreDamaged`, `StoreUnavailable` or `Fenced`.
   */
  recover(now: number): Answer<Recovery>

  /** Reads one actor; `undefined` if it was never committed. Throws `StoreDamaged` or `StoreUnavailable`. */
  load(type: string, key: string): Answer<StoredActor | undefined>

  /** Reads the recorded outcome for a key that has not expired at `now`. Throws `StoreDamaged` or `StoreUnavailable`. */
  outcome(scope: string, key: string, now: number): Answer<StoredOutcome | undefined>

  /** Timers with `dueAt <= now`, the earliest first (by dueAt, then generation), at most `limit`. Reading changes nothing. */
  dueTimers(now: number, limit: number): Answer<readonly DueTimer[]>

  /** The earliest `dueAt` of all timers, `undefined` if there are none. */
  nextDueAt(): Answer<number | undefined>

  /** The timers of one actor, by name. */
  timersOf(type: string, key: string): Answer<readonly TimerSet[]>

  /** Inbox commands with `dueAt <= now`, the earliest first (by dueAt, then sequence), at most `limit`. Reading changes nothing. */
  dueCommands(now: number, limit: number): Answer<readonly InboxCommand[]>

  /** The earliest `dueAt` of all inbox commands that have one, `undefined` if none has. */
  nextCommandDueAt(): Answer<number | undefined>

  /** Messages to a peer with a sequence larger than `after`, by sequence, at most `limit`. */
  outboxTo(peer: number, after: number, limit: number): Answer<readonly OutboxMessage[]>

  /** Effects of one name with `dueAt <= now` that are not claimed since `recover`, the earliest first (by dueAt, then sequence), at most `limit`. */
  dueEffects(name: string, now: number, limit: number): Answer<readonly DueEffect[]>

  /** The earliest `dueAt` of all effects of a name that are not claimed since `recover`; `undefined` if there are none. */
  nextEffectDueAt(name: string): Answer<number | undefined>

  /** Turns of an actor, at most `limit`: first those that have not ended, then those that have; the latest first in each. */
  turnsOf(type: string, key: string, limit: number): Answer<readonly StoredTurn[]>

  /** Late results, the latest first, at most `limit`; of one actor where one is given. */
  lateResults(actor: { readonly type: string; readonly key: string } | undefined, limit: number): Answer<readonly LateResult[]>

  /** Dead letters that match, the latest first, at most `limit`. */
  deadLetters(filter: DeadLetterFilter, limit: number): Answer<readonly DeadLetter[]>

  /**
   * Commits a batch wholly or not at all; when it returns (or resolves), the batch is durable.
   * Throws `Fenced` if a newer owner exists, `StoreUnavailable` or `StoreDamaged` if it could not commit, `BatchInvalid`
   * if the batch contradicts itself or the store; in each case nothing of the batch has happened and the store goes on.
   */
  commit(batch: Batch): Answer<CommitReport>

  /** Deletes up to `limit` outcome records that have expired at `now`; answers how many. Fenced like a commit. */
  expireOutcomes(now: number, limit: number): Answer<number>

  /**
   * Gives the space of deleted rows back to the disk, as far as the store can. Takes a time that grows with the shard, during
   * which nothing else is answered. Fenced like a commit; throws like one, with nothing changed.
   */
  compact(): Answer<void>

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
