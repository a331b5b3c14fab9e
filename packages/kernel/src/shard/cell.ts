/**
 * One actor in the memory of its shard: its mailbox, its hosted logic and where it stands in the store.
 *
 * A cell is created for the first message and forgotten when the actor leaves memory. It is a record: the shard and
 * its parts change it.
 */
import type { DueTimer, StoredOutcome } from '@bailiwick/store'
import type { ActorDefinition, AnyCommand } from '../definition/define-actor.ts'
import type { Supervision } from '../definition/supervision.ts'
import { addressOf } from '../definition/key.ts'
import type { EventLike, Host, Hosted } from '../hosting/host.ts'
import { Fifo } from './fifo.ts'
import type { Lane } from './lanes.ts'
import { Mailbox } from './mailbox.ts'
import type { Timer } from '../seams/seams.ts'
import type { Interruption } from '../definition/turn-context.ts'
import type { Detail } from './detail.ts'
import type { Lease } from './lease.ts'
import type { OpenCall } from './open-call.ts'
import type { Session } from './session.ts'

/** One type of actor on one shard. */
export interface Kind {
  readonly definition: ActorDefinition
  readonly commands: readonly AnyCommand[]
  readonly host: Host<Cell>
  readonly isDurable: boolean
  readonly supervision: Supervision
  /** Empty mailboxes, kept for the next actor that gets work. */
  readonly spareMailboxes: Mailbox<Waiting>[]
}

const SPARE_MAILBOXES_MAX = 1_024

/** Something that waits in a lane: a command, an event for the actor's own logic, or a wish to read the state. */
export interface Waiting {
  readonly tag: 'ask' | 'tell' | 'event' | 'control' | 'snapshot' | 'follow' | 'timers' | 'turns' | 'late-results'
  /** The caller's number for the call; 0 where nobody waits any more. */
  call: number
  readonly cell: Cell
  /** Undefined for an event and for reads. */
  readonly command: AnyCommand | undefined
  readonly lane: Lane
  /** The input of the command, or what makes up the event. An edit replaces it. */
  input: object | null
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | undefined
  /** Wall time of arrival. */
  readonly at: number
  /** What belongs to it beside the input, where anything does. */
  detail: Detail | undefined
  /** Position in the stored inbox; 0 while it is not stored. */
  sequence: number
  /** True once its caller has been told that it was not accepted. */
  isWithdrawn: boolean
  /** True while it is not in its lane: it was taken. */
  isServed: boolean
  /** True once nothing is owed for it any more. */
  isFinished: boolean
  /** True while it is in the shard's list of what waits. */
  isListed: boolean
  /** Neighbours in the shard's list of what waits in the lane. */
  older: Waiting | undefined
  newer: Waiting | undefined
}

/** Something that begins to wait. */
export function waitingOf({
  tag,
  call,
  cell,
  command,
  lane,
  input,
  idempotency,
  at,
  sequence,
  detail,
}: Omit<Waiting, 'isWithdrawn' | 'isServed' | 'isFinished' | 'isListed' | 'older' | 'newer'>): Waiting {
  // Written out, because spreading is several times slower and there is one of these for every command.
  return {
    tag,
    call,
    cell,
    command,
    lane,
    input,
    idempotency,
    at,
    sequence,
    detail,
    isWithdrawn: false,
    isServed: false,
    isFinished: false,
    isListed: false,
    older: undefined,
    newer: undefined,
  }
}

/** What comes from inside: an event of a child or of an action, a timer that is due, or the wish to store the state again. */
export type Internal =
  | { readonly tag: 'event'; readonly event: EventLike }
  | { readonly tag: 'tick'; readonly timer: DueTimer; isCancelled: boolean }
  /** The tick of a timer that is in memory only; `next` says what becomes of the timer. */
  | { readonly tag: 'ring'; readonly name: string; readonly event: EventLike; isCancelled: boolean; next: (() => void) | undefined }
  | { readonly tag: 'store' }
  /** It is to be in memory, for the sake of its children. */
  | { readonly tag: 'wake' }
  | { readonly tag: 'turn'; readonly news: TurnNews }

/** What is heard of a turn: of one stretch of running, named by the turn's number and the epoch; or of a restart of the shard. */
export type TurnNews =
  | { readonly kind: 'recover' }
  | {
      readonly kind: 'ended'
      readonly id: number
      readonly epoch: number
      readonly result: { readonly value: unknown } | { readonly error: Error }
      /** Whether its signal had fired by then. */
      readonly isSignaled: boolean
    }
  /** Its time to come to a boundary is over. */
  | { readonly kind: 'drained'; readonly id: number; readonly epoch: number }
  /** It is to be interrupted for a reason that is no command. */
  | { readonly kind: 'interrupted'; readonly id: number; readonly epoch: number; readonly interruption: Interruption }
  | {
      readonly kind: 'checkpoint'
      readonly id: number
      readonly epoch: number
      /** Takes the encoded frame. */
      readonly take: () => string
      /** Called once it is committed, or has come too late. */
      readonly done: (error: Error | undefined) => void
    }

/** A call from outside that waits for a deferred reply. */
export interface Awaiting {
  readonly call: number
  readonly cell: Cell
  /** The command that it came with, to be tried again if the one that it has joined fails; `undefined` for that one itself. */
  readonly waiting: Waiting | undefined
  /** Whether it is to hear of progress. */
  readonly isFollowed?: boolean
  /** Whether it waits for a turn: a closing system does not. */
  readonly isForTurn?: boolean
}

/** What the store says about a command's names: that it was handled, or that it takes the place of a dead letter. */
export type NameFinding =
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'supersedes'; readonly letter: number; readonly deliveries: readonly string[] }
  | undefined

/** What the past says about a command: that it was handled, that it failed, that it repeats one; or nothing. */
export type Past = { readonly kind: 'recorded'; readonly outcome: StoredOutcome } | NameFinding

/** A command that was taken and had to wait for the store. */
interface Suspended {
  readonly waiting: Waiting
  readonly past: Past
}

/** What few actors have, and hardly any that is idle; apart, so that the others do not pay for it. */
class Rare {
  suspended: Suspended | undefined = undefined
  internals: Fifo<Internal> | undefined = undefined
  overflow: Set<Waiting> | undefined = undefined
  openCalls: Map<number, OpenCall> | undefined = undefined
  named: Map<string, Waiting> | undefined = undefined
  timers: Map<string, Timer> | undefined = undefined
  session: Session | undefined = undefined
  leases: Map<string, Lease> | undefined = undefined
}

/** An actor on its shard. */
export class Cell {
  readonly kind: Kind
  readonly key: string
  /** Undefined until the actor is in memory. */
  hosted: Hosted | undefined = undefined
  /** The actor's number in the store; 0 until it has one. */
  number = 0
  /** Whether the store has a row for it. */
  isStored = false
  /** Count of the events that changed it. */
  revision = 0
  /** Revision of the last stored snapshot. */
  snapshotRevision = 0
  /** Waits for the store's answer: not to be served meanwhile. */
  isWaiting = false
  /** Has failed, and waits for the commit that restarts it or for the end of its back-off: not to be served meanwhile. */
  isResting = false
  /** Is quarantined or was stopped: not to be served until it is released. */
  isHeld = false
  mailbox: Mailbox<Waiting> | undefined = undefined
  /** In which of the shard's ready lanes it is to be served; -1 for none. */
  readyLane: Lane | -1 = -1
  /** Bit per ready lane in which it has an entry, which counts only in `readyLane`. */
  readyEntries = 0
  /** Number of the batch that touched it last. */
  batch = 0
  /** Whether the batch under way changed its snapshot. */
  isDirty = false
  /** Neighbours in the list of residents, by last use. */
  older: Cell | undefined = undefined
  newer: Cell | undefined = undefined
  /** Elapsed time of last use. */
  usedAt = 0

  #rare: Rare | undefined = undefined

  constructor(kind: Kind, key: string) {
    this.kind = kind
    this.key = key
  }

  /** The command that is to be served next, whatever the lanes say: it was taken and had to wait for the store. */
  get suspended(): Suspended | undefined {
    return this.#rare?.suspended
  }

  set suspended(value: Suspended | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.suspended = value
  }

  /** What comes from inside the actor. */
  get internals(): Fifo<Internal> | undefined {
    return this.#rare?.internals
  }

  set internals(value: Fifo<Internal> | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.internals = value
  }

  /** Commands that wait for a place in the mailbox. */
  get overflow(): Set<Waiting> | undefined {
    return this.#rare?.overflow
  }

  set overflow(value: Set<Waiting> | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.overflow = value
  }

  /** Calls that the actor has taken and not answered, or made and not got the answer of; by sequence. */
  get openCalls(): Map<number, OpenCall> | undefined {
    return this.#rare?.openCalls
  }

  set openCalls(value: Map<number, OpenCall> | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.openCalls = value
  }

  /** What waits under a name by which it can be edited; by natural key and by delivery. */
  get named(): Map<string, Waiting> | undefined {
    return this.#rare?.named
  }

  set named(value: Map<string, Waiting> | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.named = value
  }

  /** Timers of an actor that has no store. */
  get timers(): Map<string, Timer> | undefined {
    return this.#rare?.timers
  }

  set timers(value: Map<string, Timer> | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.timers = value
  }

  /** The actor's turns; `undefined` if it never had one. */
  get session(): Session | undefined {
    return this.#rare?.session
  }

  set session(value: Session | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.session = value
  }

  /** The actor's leases by name; `undefined` if it never had one. */
  get leases(): Map<string, Lease> | undefined {
    return this.#rare?.leases
  }

  set leases(value: Map<string, Lease> | undefined) {
    if (value !== undefined) this.#rare ??= new Rare()
    if (this.#rare !== undefined) this.#rare.leases = value
  }

  /** Whether it has turns that have not ended. */
  get hasTurns(): boolean {
    return (this.#rare?.session?.turns.size ?? 0) > 0
  }

  /** The actor's name in messages. */
  get address(): string {
    return addressOf(this.kind.definition.type, this.key)
  }

  /** Whether it may be served now, if it has work. */
  get isServable(): boolean {
    return !this.isWaiting && !this.isResting && !this.isHeld
  }

  /** Whether anything waits for the actor. */
  get hasWork(): boolean {
    const rare = this.#rare
    return (
      (rare !== undefined && (rare.suspended !== undefined || (rare.internals?.size ?? 0) > 0)) ||
      (this.mailbox !== undefined && this.mailbox.size > this.mailbox.postponed)
    )
  }

  /** The most urgent lane in which something waits; what comes from inside goes first. */
  get urgency(): Lane | undefined {
    const rare = this.#rare
    if (rare !== undefined && (rare.suspended !== undefined || (rare.internals?.size ?? 0) > 0)) return 0
    return this.mailbox?.mostUrgent()
  }

  /** The mailbox, made when the first command waits. */
  openMailbox(): Mailbox<Waiting> {
    return (this.mailbox ??= this.kind.spareMailboxes.pop() ?? new Mailbox<Waiting>(this.kind.definition.mailbox))
  }

  /** Gives an empty mailbox away, so that an idle actor costs little. */
  closeMailbox(): void {
    if (this.mailbox === undefined || this.mailbox.size > 0) return
    if (this.kind.spareMailboxes.length < SPARE_MAILBOXES_MAX) this.kind.spareMailboxes.push(this.mailbox)
    this.mailbox = undefined
  }

  /** Adds something from inside. It is never refused: its amount is bounded by what the actor itself started. */
  pushInternal(internal: Internal): void {
    this.internals ??= new Fifo<Internal>()
    this.internals.push(internal)
  }
}
