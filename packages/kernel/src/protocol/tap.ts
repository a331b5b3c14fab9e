/**
 * What the tap tells: the stream of what the runtime does, version 1.
 *
 * An event is told after the commit that it belongs to, in the order in which things happened on its shard; what a failed
 * batch would have done is not told. It never holds inputs, replies, frames or snapshots: they may be secret, and whoever
 * watches can read them where they are. A later version adds kinds and fields; readers skip what they do not know.
 */
import { PRIORITIES } from '../shard/lanes.ts'
import type { Lane, Priority } from '../shard/lanes.ts'

/** Version of the event stream. */
export const TAP_VERSION = 1

/** An error as the tap tells it. */
export interface TapError {
  readonly code: string
  readonly message: string
}

/** A command or query was handled, or refused. */
export interface CommandHandled {
  readonly kind: 'command.handled'
  readonly actor: string
  readonly command: string
  /** Names this handling, unique in the system for ever. */
  readonly id: string
  /** `id` of the command in whose handling this one was sent; absent for callers from outside, and for what was sent while nobody read the tap. */
  readonly cause?: string
  /** Address of the actor that sent it; absent for callers from outside. */
  readonly from?: string
  readonly call: 'ask' | 'tell' | 'message'
  readonly lane: Priority
  /** An outcome of `OUTCOMES`, or `open` for one whose reply is deferred, `postponed`, or `replayed` for a repeat that was answered from its record. */
  readonly outcome: string
  readonly error?: TapError
  /** How long it waited on the shard, in milliseconds. */
  readonly waitedMs: number
  /** Revision of the actor afterwards. */
  readonly revision: number
}

/** An event that is no command was handled: of a timer, a child, an effect, a request, a turn, a lease. */
export interface EventHandled {
  readonly kind: 'event.handled'
  readonly actor: string
  readonly event: string
  readonly cause?: string
  readonly error?: TapError
  readonly revision: number
}

/** A batch is on disk. Its events were told before it. */
export interface BatchCommitted {
  readonly kind: 'batch.committed'
  readonly commands: number
  /** Actors whose state it changed. */
  readonly actors: number
  /** Commands that it accepted for later, and that it finished. */
  readonly accepted: number
  readonly finished: number
  /** Time of the commit in milliseconds, its fsync included. */
  readonly commitMs: number
}

/** A batch could not be committed: nothing of it has happened. */
export interface BatchFailed {
  readonly kind: 'batch.failed'
  readonly commands: number
  readonly error: TapError
}

/** An actor came into memory, or left it. */
export interface ActorMoved {
  readonly kind: 'actor.activated' | 'actor.passivated'
  readonly actor: string
}

/** An actor failed and was restarted: it goes on from its last committed state. */
export interface ActorRestarted {
  readonly kind: 'actor.restarted'
  readonly actor: string
  /** The command or event that failed; absent if another actor of its group did. */
  readonly because?: string
  readonly error?: TapError
  /** Failures within its window, this one included. */
  readonly failures: number
  /** How long it serves nothing now, in milliseconds. */
  readonly backoffMs: number
}

/** An actor is held back from now on, or no longer. */
export interface ActorHeld {
  readonly kind: 'actor.quarantined' | 'actor.stopped' | 'actor.released'
  readonly actor: string
  readonly error?: TapError
}

/** A turn has moved. */
export interface TurnMoved {
  readonly kind: 'turn.started' | 'turn.resumed' | 'turn.parked' | 'turn.requeued' | 'turn.ended' | 'turn.interrupted'
  readonly actor: string
  readonly command: string
  readonly turn: number
  readonly attempt: number
  readonly epoch: number
  /** Of a stretch that is over. */
  readonly outcome?: string
  /** What interrupted it. */
  readonly by?: string
  readonly mode?: string
}

/** A turn says how far it has come. */
export interface TurnProgress {
  readonly kind: 'turn.progress'
  readonly actor: string
  readonly command: string
  readonly turn: number
}

/** A lease was given or taken. */
export interface LeaseMoved {
  readonly kind: 'lease.granted' | 'lease.released'
  readonly actor: string
  readonly name: string
  readonly owner: string | null
  readonly epoch: number
  readonly how?: string
}

/** A timer was set, cancelled, or has fired. */
export interface TimerMoved {
  readonly kind: 'timer.set' | 'timer.cancelled' | 'timer.fired'
  readonly actor: string
  readonly name: string
  readonly dueAt?: number
}

/** An effect was promised, is being tried, or has ended. */
export interface EffectMoved {
  readonly kind: 'effect.promised' | 'effect.started' | 'effect.delayed' | 'effect.done' | 'effect.failed'
  readonly actor: string
  readonly effect: string
  readonly idempotencyKey: string
  readonly attempt: number
  readonly error?: TapError
}

/** A message could not be handled and is kept. */
export interface LetterKept {
  readonly kind: 'letter.kept'
  readonly actor: string
  readonly command: string
  readonly reason: string
  readonly error: TapError
}

/** Something came from an older epoch and took no effect. */
export interface LateResultKept {
  readonly kind: 'late.result'
  readonly actor: string
  readonly epoch: number
}

/** Something happened to a shard or its thread. */
export interface ShardMoved {
  readonly kind:
    | 'shard.started'
    | 'shard.degraded'
    | 'shard.recovered'
    | 'shard.stopped'
    | 'thread.died'
    | 'thread.hung'
    | 'thread.restarted'
    | 'thread.abandoned'
  readonly error?: TapError
  /** What its thread was doing, as far as is known: the address and the command. */
  readonly serving?: string
}

/** So many events were not told because there were too many in one batch. */
export interface EventsLost {
  readonly kind: 'tap.lost'
  readonly count: number
}

/** What a shard tells. */
export type ShardTapEvent =
  | CommandHandled
  | EventHandled
  | BatchCommitted
  | BatchFailed
  | ActorMoved
  | ActorRestarted
  | ActorHeld
  | TurnMoved
  | TurnProgress
  | LeaseMoved
  | TimerMoved
  | EffectMoved
  | LetterKept
  | LateResultKept
  | ShardMoved
  | EventsLost

/** What every event has beside its own fields. */
export interface TapFrame {
  readonly version: typeof TAP_VERSION
  /** Position in the stream of this system, from 1. */
  readonly sequence: number
  readonly shard: number
  /** Wall time in milliseconds since 1970. */
  readonly at: number
}

/** An event of the tap. */
export type TapEvent = TapFrame & ShardTapEvent

/** Name of a kind of event. */
export type TapKind = ShardTapEvent['kind']

/**
 * The event that is by far the most frequent, as it crosses the thread: an ask of a caller from outside that was handled with
 * the outcome `ok`. Its number stands for its id.
 */
export type ShortHandled = readonly [number: number, actor: string, command: string, lane: Lane, waitedMs: number, revision: number]

/** An event as it crosses the thread. */
export type EncodedTapEvent = ShardTapEvent | ShortHandled

/** The events as readers get them. `life` is what the ids of this life of the shard begin with. */
export function expandTapEvents(life: string, events: readonly EncodedTapEvent[]): readonly ShardTapEvent[] {
  return events.map((event) => (isShort(event) ? expand(life, event) : event))
}

/** The id of a command's handling, from its number in this life of the shard. */
export function handlingId(life: string, number: number): string {
  return `${life}-${number.toString(36)}`
}

function isShort(event: EncodedTapEvent): event is ShortHandled {
  return Array.isArray(event)
}

function expand(life: string, [number, actor, command, lane, waitedMs, revision]: ShortHandled): CommandHandled {
  const id = handlingId(life, number)
  return { kind: 'command.handled', actor, command, id, call: 'ask', lane: PRIORITIES[lane], outcome: 'ok', waitedMs, revision }
}
