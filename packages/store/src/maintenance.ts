/**
 * Looking after a directory from outside: reading it beside its owner, checking it, copying it, making it smaller.
 *
 * A reader changes nothing and takes nothing: it works beside a running owner and on a directory that nobody has open. Every
 * answer of a reader is read from one moment of each shard. Times are wall times in milliseconds since 1970.
 */

/** Who owns a directory, as far as can be seen from outside. */
export interface OwnerView {
  readonly epoch: number
  readonly pid: number
  readonly since: number
  readonly shards: number
  /** Whether somebody has it open now; `undefined` if this process cannot see that, because it may not write there. */
  readonly isOwned: boolean | undefined
}

/** How much one shard holds. */
export interface ShardSummary {
  readonly index: number
  readonly file: string
  readonly bytes: number
  /** Size of what is written and not yet moved into the file. */
  readonly walBytes: number
  /** Bytes of the file that deleted rows have left free. */
  readonly freeBytes: number
  readonly epoch: number
  readonly committedAt: number
  readonly actors: number
  /** Commands accepted and not finished, and the wall time of the oldest; `undefined` if there is none. */
  readonly inbox: number
  readonly oldestInboxAt: number | undefined
  readonly timers: number
  readonly nextTimerAt: number | undefined
  /** Messages for other shards that are not confirmed. */
  readonly outbox: number
  readonly effects: number
  readonly openCalls: number
  /** Turns that have not ended. */
  readonly turns: number
  readonly deadLetters: number
  readonly lateResults: number
  readonly idempotencyRecords: number
  readonly faults: number
}

/** Which rows are meant. Every field that is given must match. */
export interface RowFilter {
  readonly type?: string
  /** The encoded key. */
  readonly key?: string
  /** At most so many, over all shards. Default 100. */
  readonly limit?: number
}

/** Which promises are meant. A type or a key lets no message through: whom a message is for is encoded in it. */
export interface PromiseFilter extends RowFilter {
  /** Default: both kinds. */
  readonly kind?: PromiseRow['kind']
}

/** One actor in a list. */
export interface ActorRow {
  readonly shard: number
  readonly type: string
  readonly key: string
  readonly revision: number
  readonly version: number
  /** Size of the encoded snapshot in bytes. */
  readonly bytes: number
  /** Commands that wait for it in the inbox. */
  readonly waiting: number
  readonly timers: number
  /** Turns that have not ended. */
  readonly turns: number
  /** The encoded fault, if there is one. */
  readonly fault: string | undefined
}

/** Everything that is stored of one actor. Texts are encoded, as the store has them. */
export interface ActorDetail extends ActorRow {
  readonly snapshot: string
  /** Events after the snapshot, in order. */
  readonly events: readonly { readonly sequence: number; readonly at: number; readonly event: string }[]
  readonly inbox: readonly InboxRow[]
  readonly timersSet: readonly TimerRow[]
  readonly openCalls: readonly { readonly sequence: number; readonly detail: string }[]
  readonly turnRows: readonly {
    readonly sequence: number
    readonly command: string
    readonly isEnded: boolean
    readonly detail: string
    readonly hasFrame: boolean
  }[]
  readonly leases: readonly { readonly name: string; readonly epoch: number; readonly detail: string }[]
}

/** A command that waits. */
export interface InboxRow {
  readonly shard: number
  readonly sequence: number
  readonly type: string
  readonly key: string
  readonly command: string
  readonly lane: number
  readonly at: number
  readonly dueAt: number | undefined
  readonly input: string
}

/** A timer that is set. */
export interface TimerRow {
  readonly shard: number
  readonly type: string
  readonly key: string
  readonly name: string
  readonly dueAt: number
  readonly everyMs: number
  readonly event: string
}

/** Something promised and not delivered: an effect, or a message for another shard. */
export interface PromiseRow {
  readonly shard: number
  readonly kind: 'effect' | 'message'
  readonly sequence: number
  /** Name of the effect; of a message the index of the shard that it is for, as text. */
  readonly name: string
  /** The actor that promised the effect; `undefined` for a message. */
  readonly actor: { readonly type: string; readonly key: string } | undefined
  readonly attempts: number
  /** When it is due; `undefined` for one that is being tried now, and for messages. */
  readonly dueAt: number | undefined
  readonly content: string
}

/** A dead letter. */
export interface DeadLetterRow {
  readonly shard: number
  readonly sequence: number
  readonly type: string
  readonly key: string
  readonly command: string
  readonly reason: string
  readonly at: number
  readonly revision: number | undefined
  readonly error: string
  readonly input: string
}

/** What is known of an actor's failures. The actor need not be stored. */
export interface FaultRow {
  readonly shard: number
  readonly type: string
  readonly key: string
  /** Everything that is known, encoded. */
  readonly detail: string
}

/** How bad a finding is: `error` means that something is lost or wrong, `warning` that somebody should look, `note` that all is well. */
export type FindingLevel = 'error' | 'warning' | 'note'

/** Something that a check has found. */
export interface Finding {
  readonly level: FindingLevel
  /** Stable name of the kind of finding, for instance `damaged-page`, `row-unreadable`, `link-behind`, `owner-gone`. */
  readonly code: string
  /** Where: a file, and what in it. */
  readonly place: string
  /** What was found, in a sentence. */
  readonly message: string
  /** What to do about it, in a sentence; `undefined` if there is nothing to do. */
  readonly advice: string | undefined
  /** Whether `repair` can mend it without losing anything. */
  readonly isRepairable: boolean
}

/** A directory that is looked at. */
export interface DirectoryReader {
  /** Absolute path. */
  readonly directory: string
  owner(): OwnerView
  /** Every shard, in order. */
  shards(): readonly ShardSummary[]
  /** Actors by type and key. */
  actors(filter?: RowFilter): readonly ActorRow[]
  /** One actor; `undefined` if the store has none of that type and key. */
  actor(type: string, key: string): ActorDetail | undefined
  /** Commands that wait, the oldest first. */
  inbox(filter?: RowFilter): readonly InboxRow[]
  /** Timers, the earliest first. */
  timers(filter?: RowFilter): readonly TimerRow[]
  /** Promised and not delivered: effects first, then messages; each by shard (messages then by peer), the oldest first. */
  promises(filter?: PromiseFilter): readonly PromiseRow[]
  /** Dead letters, the latest first. */
  deadLetters(filter?: RowFilter): readonly DeadLetterRow[]
  /** Actors' faults, by type and key. */
  faults(filter?: RowFilter): readonly FaultRow[]
  /** Checks everything that can be checked: see `verifyDirectory`, which also serves where no reader can be opened. */
  verify(options?: VerifyOptions): readonly Finding[]
  /** Idempotent. Every answer after it throws `StoreUnavailable`. */
  close(): void
}

/** How closely a directory is checked. */
export interface VerifyOptions {
  /** Whether pages are looked at less closely (not whether indexes agree with their tables) and texts are not parsed. Default false. */
  readonly isQuick?: boolean
}

/** How a directory is copied. */
export interface BackupOptions {
  /** Wall time in milliseconds since 1970. Only written down. */
  readonly now: number
  /** Milliseconds since some moment, never running backwards: measures how long commits had to wait, and bounds the waiting. */
  readonly elapsed: () => number
  /** Ends the copying; what is there of the copy is removed. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Called now and then, also at the end. A throw ends the copying like an error. */
  readonly onProgress?: (progress: BackupProgress) => void
  /** How long to wait for a moment at which no shard commits, in milliseconds. Default 10,000. */
  readonly busyTimeoutMs?: number
}

/** How far a copy has come. */
export interface BackupProgress {
  readonly bytes: number
  /** Size of all shards at the moment that is copied. */
  readonly bytesTotal: number
}

/** What a repair has done. */
export interface RepairReport {
  /** Sentences, in the order in which it was done. */
  readonly done: readonly string[]
  /** What a check finds afterwards. */
  readonly left: readonly Finding[]
}

/** What a copy has cost. */
export interface BackupReport {
  /** Absolute path of the copy, which can be opened as it is. */
  readonly directory: string
  readonly shards: number
  readonly bytes: number
  /** For how long commits had to wait, in milliseconds: while the moment was fixed that the copy shows. */
  readonly heldMs: number
  /** What a check of the copy has found: what is wrong in the original, too. A copy whose pages are damaged is not made. */
  readonly findings: readonly Finding[]
}
