/**
 * Wishes: what a transition wants to send, as data.
 *
 * An action creator (`actions.ts`) makes one while a transition is computed; the shard checks it, and performs it as part
 * of the commit of that transition. Nothing in here has happened.
 */
import type { TimerRestart } from '@bailiwick/store'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { ActorKey } from '../definition/key.ts'
import type { Preempt, PreemptMode } from '../definition/turn-context.ts'
import type { Priority } from '../shard/lanes.ts'

/** An event of the logic. */
export interface EventLike {
  readonly type: string
}

/** Options of a message to another actor; the same as those of a tell from outside. */
export interface SendOptions {
  /** Lane of the command. Default: the priority of its definition. */
  readonly priority?: Priority | undefined
  /** What it does to a running turn of lower rank. Default: what its definition says. */
  readonly preempt?: Preempt | undefined
  /** Makes the command execute once, however often it is sent. */
  readonly idempotencyKey?: string | readonly string[] | undefined
  /** Not to be handled before so many milliseconds have passed. */
  readonly delayMs?: number | undefined
  /** Not to be handled before this moment, as a date or in milliseconds since 1970. */
  readonly deliverAt?: Date | number | undefined
}

/** A command for another actor. */
export interface TellWish extends SendOptions {
  readonly kind: 'tell'
  readonly definition: ActorDefinition
  readonly key: ActorKey
  readonly command: string
  readonly input: unknown
}

/** A command for another actor whose answer comes back as an event. */
export interface RequestWish extends SendOptions {
  readonly kind: 'request'
  readonly definition: ActorDefinition
  readonly key: ActorKey
  readonly command: string
  readonly input: unknown
  readonly onDone: string
  readonly onError: string
  readonly timeoutMs: number | undefined
}

/** The answer to a command that was declared with `reply: 'deferred'`. */
export interface ReplyWish {
  readonly kind: 'reply'
  readonly value: unknown
  readonly command: string | undefined
  readonly all: boolean
}

/** The failure of a command that was declared with `reply: 'deferred'`. */
export interface FailWish {
  readonly kind: 'fail'
  readonly message: string
  readonly retryable: boolean
  readonly command: string | undefined
  readonly all: boolean
}

/** An effect on the outside world. */
export interface EffectWish {
  readonly kind: 'effect'
  readonly name: string
  readonly input: unknown
  readonly label: string | undefined
  readonly idempotencyKey: string | undefined
  readonly delayMs: number | undefined
}

/** Takes an effect back that nobody has begun. */
export interface CancelEffectWish {
  readonly kind: 'cancel-effect'
  readonly label: string
}

/** Interrupts a turn of the actor itself. */
export interface CancelTurnWish {
  readonly kind: 'cancel-turn'
  readonly turn: number
  readonly attempt: number | undefined
  readonly mode: PreemptMode
  readonly reason: string | undefined
}

/** Wants to hear once that another actor has come to its end, or is held back. */
export interface WatchWish {
  readonly kind: 'watch'
  readonly definition: ActorDefinition
  readonly key: ActorKey
  /** Type of the event with the notice. */
  readonly event: string
}

/** Wants to hear of it no more. */
export interface UnwatchWish {
  readonly kind: 'unwatch'
  readonly definition: ActorDefinition
  readonly key: ActorKey
}

/** The command is to wait until the state has changed. */
export interface PostponeWish {
  readonly kind: 'postpone'
}

/** A named timer, as the logic states it. */
export interface SetTimerWish {
  readonly kind: 'set-timer'
  readonly name: string
  readonly event: EventLike
  readonly delayMs: number | undefined
  readonly at: Date | number | undefined
  readonly everyMs: number | undefined
  readonly repeat: 'fixed-rate' | 'fixed-delay' | undefined
  readonly onRestart: TimerRestart | undefined
}

/** Clears a named timer. */
export interface CancelTimerWish {
  readonly kind: 'cancel-timer'
  readonly name: string
}

/** Everything that a transition can want. */
export type Wish =
  | TellWish
  | RequestWish
  | ReplyWish
  | FailWish
  | EffectWish
  | CancelEffectWish
  | CancelTurnWish
  | WatchWish
  | UnwatchWish
  | PostponeWish
  | SetTimerWish
  | CancelTimerWish

/** Marks the events that carry a wish, also across copies of this package. */
export const WISH: unique symbol = Symbol.for('bailiwick.wish')

/** The event with which a wish leaves a machine. */
export interface WishEvent {
  readonly type: 'bailiwick.wish'
  readonly [WISH]: Wish
}

/** The wish that an emitted event carries, if it does. */
export function wishOf(event: object): Wish | undefined {
  return WISH in event ? (event as WishEvent)[WISH] : undefined
}
