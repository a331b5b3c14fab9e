/** The parts of a shard as those below them see them: what a step may ask of each. */
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { ActorQuarantined, ActorStopped, MailboxFull } from '../errors.ts'
import type { TimerWish } from '../hosting/host.ts'
import type { OpenBatch } from './batch.ts'
import type { Cell, Internal, Kind, Waiting } from './cell.ts'
import type { Parcel } from './detail.ts'
import type { EffectPromise } from './effect.ts'
import type { Held } from './fault.ts'

/** Timers of actors. */
export interface TimersPart {
  /** Notes what a transition wants. */
  wish(cell: Cell, wish: TimerWish): void
  /** Takes a tick that is about to be handled; false if it has become void. */
  take(tick: Extract<Internal, { tag: 'tick' }>): boolean
  /** Forgets ticks of an actor that is dropped. */
  forget(cell: Cell): void
  /** Takes ticks of an actor up again that has been activated. */
  revive(cell: Cell): void
  /** Looks for the earliest timer again: ticks may have been forgotten. */
  arm(): void
}

/** Commands for later. */
export interface SchedulePart {
  /** Accepts a command for later as part of the open batch. */
  accept(parcel: Parcel): void
}

/** Messages to other shards. */
export interface LinksPart {
  /** Promises a message to a peer, as part of the open batch. */
  post(peer: number, parcel: Parcel): void
  /** Gives the messages of a batch their positions. */
  seal(batch: OpenBatch): void
  /** Puts deletions into a batch that is committed anyway. */
  deleteConfirmed(batch: OpenBatch): void
  /** After a failed commit. */
  rolledBack(batch: OpenBatch): void
}

/** Effects on the outside world. */
export interface EffectsPart {
  /** How many attempts are under way. */
  readonly running: number
  /** The definition of a name, if this shard knows it. */
  definitionOf(name: string): EffectDefinition | undefined
  /** Promises an effect as part of the open batch. */
  promise(promise: EffectPromise): void
  /** Takes back an actor's effect that is not being tried. */
  cancel(type: string, key: string, label: string): void
  /** Takes back what was promised on behalf of a turn and is not being tried. */
  cancelOfTurn(turn: number): void
  /** After a failed commit. */
  rolledBack(batch: OpenBatch): void
}

/** Turns that run. */
export interface TurnsPart {
  /** How many run. */
  readonly running: number
  /** Whether none begins any more. */
  readonly isClosing: boolean
  /** For how long a turn that runs has given no sign of life, in milliseconds; undefined for one that does not run. */
  silentMs(turn: number): number | undefined
  /** Whether a stretch of running is known here and not over. */
  isLive(turn: number, epoch: number): boolean
  /** Ends a stretch by force: whatever it does from now on has no effect. */
  force(turn: number, epoch: number): void
  /** A stretch is over. */
  settled(turn: number, epoch: number): void
}

/** A caller that waits for a lease. */
export interface LeaseWaiter {
  readonly call: number
  readonly owner: string
  readonly ttlMs: number
  readonly waitMs: number
  /** What it is told if it has waited in vain. */
  readonly refused: object
}

/** Callers that wait for leases. */
export interface LeaseQueuePart {
  /** How many wait for a lease. */
  size(cell: Cell, name: string): number
  /** Lets a caller wait. */
  add(cell: Cell, name: string, waiter: LeaseWaiter): void
  /** Takes the first one. */
  shift(cell: Cell, name: string): LeaseWaiter | undefined
  /** After a failed commit: those who began to wait in it wait no more. Answers their calls. */
  rolledBack(calls: readonly number[]): readonly number[]
}

/** Commands that wait for a place. */
export interface OverflowPart {
  /** Whether anybody waits for a place on the shard. */
  readonly isShardAwaited: boolean
  /** Lets a command wait for a place, which it was refused. */
  add(waiting: Waiting, refusal: MailboxFull, waitMs: number): void
}

/** Asks of children. */
export interface ChildAsksPart {
  /** Whether a child of an actor waits for an answer. */
  isAsking(address: string): boolean
  /** After a failed commit: children hear that their asks have not left. */
  rolledBack(asked: readonly number[], error: Error): void
}

/** What follows when actors fail. */
export interface SupervisorPart {
  /** How many actors are held back. */
  readonly held: number
  /** Why an actor is held back, if it is. */
  heldOf(kind: Kind, key: string): Held | undefined
  /** The error for whoever wants something of an actor that is held back. */
  refusalOf(cell: Cell): ActorQuarantined | ActorStopped | undefined
  /** Notes a failure as part of the open batch. */
  failed(cell: Cell, failure: { readonly error: unknown; readonly because: string; readonly isOwn: boolean; readonly isDeath?: true }): void
  /** What an actor's group wants of it: done at once, as part of the open batch; it is no mail. */
  follow(kind: Kind, parcel: Pick<Parcel, 'key' | 'command' | 'input'>): void
  /** After a failed commit. */
  rolledBack(batch: OpenBatch): void
}

/** Those who want to hear of an actor's end. */
export interface WatchesPart {
  /** Answers a watch of an actor that is held back: there is nothing to wait for. False if the message is no watch. */
  answerHeld(cell: Cell, message: Pick<Parcel, 'command' | 'detail'>): boolean
  /** An actor has come to its end, or is held back: tells those who watch it, as part of the open batch. */
  halted(
    cell: Cell,
    reason: 'done' | 'failed' | 'quarantined' | 'stopped',
    error: { readonly code: string; readonly message: string } | null,
  ): void
}

/** All of them. */
export interface Parts {
  readonly timers: TimersPart
  readonly schedule: SchedulePart
  readonly links: LinksPart
  readonly effects: EffectsPart
  readonly overflow: OverflowPart
  readonly childAsks: ChildAsksPart
  readonly turns: TurnsPart
  readonly leaseQueue: LeaseQueuePart
  readonly supervisor: SupervisorPart
  readonly watches: WatchesPart
}
