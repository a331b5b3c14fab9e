/**
 * Action creators: what an actor's machine writes in `actions` to reach other actors, its callers, the outside world and
 * its own timers.
 *
 * They are ordinary actions for `setup({ actions })`, `enqueueActions`, and entry, exit and transition actions. Each
 * becomes part of the commit of the transition that it stands in: if that commit fails, nothing of it has happened.
 * Every argument may be a value or a function of `{ context, event }`. They work in the actor's own machine, not in
 * machines that it invokes.
 */
import { emit } from 'xstate'
import type { ActionArgs, ActionFunction, EventObject, MachineContext, ParameterizedObject } from 'xstate'
import type { TimerRestart } from '@bailiwick/store'
import type { CommandBuilder, CommandKind } from '../definition/command.ts'
import { isActorDefinition } from '../definition/define-actor.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { ActorKey } from '../definition/key.ts'
import type { Preempt, PreemptMode } from '../definition/turn-context.ts'
import { InvalidInput } from '../errors.ts'
import type { Priority } from '../shard/lanes.ts'
import type { EventLike } from './host.ts'
import { WISH } from './wish.ts'
import type { TellWish, Wish, WishEvent } from './wish.ts'

type Params = ParameterizedObject['params'] | undefined

/** A value, or how it follows from context and event. */
export type Given<Value, Args> = Value | ((args: Args) => Value)

/** The commands of a definition by name; any name where the definition's types are not known. */
type CommandsOf<Definition> = Definition extends ActorDefinition<string, infer _Snapshot, infer Commands> ? Commands : never

/** Names of the commands and queries of a definition. */
export type CommandName<Definition> = unknown extends CommandsOf<Definition> ? string : keyof CommandsOf<Definition> & string

/** Names of the commands of a definition, without its queries: what can be told. */
export type TellName<Definition> =
  unknown extends CommandsOf<Definition>
    ? string
    : {
        [Name in keyof CommandsOf<Definition>]: CommandsOf<Definition>[Name] extends CommandBuilder<
          'query',
          infer _Given,
          infer _Input,
          infer _Reply,
          infer _Snapshot
        >
          ? never
          : Name
      }[keyof CommandsOf<Definition>] &
        string

/** What a command of a definition takes. */
export type CommandInput<Definition, Name> =
  unknown extends CommandsOf<Definition>
    ? object
    : Name extends keyof CommandsOf<Definition>
      ? CommandsOf<Definition>[Name] extends CommandBuilder<CommandKind, infer Taken, infer _Input, infer _Reply, infer _Snapshot>
        ? Taken
        : never
      : never

/** The input: it may be left out where nothing in it is needed. */
type InputPart<Definition, Name, Args> =
  object extends CommandInput<Definition, Name>
    ? { readonly input?: Given<CommandInput<Definition, Name>, Args> }
    : { readonly input: Given<CommandInput<Definition, Name>, Args> }

interface Target<Name, Args> {
  readonly key: Given<ActorKey, Args>
  readonly command: Given<Name, Args>
  /** Lane of the command. Default: the priority of its definition. */
  readonly priority?: Given<Priority | undefined, Args>
  /** What it does to a running turn of lower rank. Default: what its definition says. */
  readonly preempt?: Given<Preempt | undefined, Args>
  /** Makes the command execute once, however often it is sent. */
  readonly idempotencyKey?: Given<string | readonly string[] | undefined, Args>
}

/** What JSON can carry. Written so that a function in its place is seen as one, and its arguments are typed. */
export type Plain = string | number | boolean | null | undefined | object

/** Arguments of `tell`. */
export type TellArguments<Definition, Name, Args> = InputPart<Definition, Name, Args> & TellTarget<Name, Args>

/** Where a tell goes, and when. */
interface TellTarget<Name, Args> extends Target<Name, Args> {
  /** Not to be handled before so many milliseconds have passed. */
  readonly delayMs?: Given<number | undefined, Args>
  /** Not to be handled before this moment: a date, or milliseconds since 1970. */
  readonly deliverAt?: Given<Date | number | undefined, Args>
}

/** Arguments of `request`. */
export type RequestArguments<Definition, Name, Args> = InputPart<Definition, Name, Args> & RequestTarget<Name, Args>

/** Where a request goes, and how its answer comes back. */
interface RequestTarget<Name, Args> extends Target<Name, Args> {
  /** Type of the event with the answer: `{ type, output }`. */
  readonly onDone: Given<string, Args>
  /** Type of the event for every other end: `{ type, error: { code, message, … } }`. */
  readonly onError: Given<string, Args>
  /** After so many milliseconds the request ends with `onError` and the code `ASK_TIMEOUT`. Default 30,000. */
  readonly timeoutMs?: Given<number | undefined, Args>
}

/** Which of the actor's open commands `reply` and `fail` mean. */
export interface ReplyOptions<Args> {
  /** Only commands of this name. */
  readonly command?: Given<string | undefined, Args>
  /** Every one that is open, instead of one. Default false. */
  readonly all?: Given<boolean, Args>
}

/** Arguments of `fail`. */
export interface FailArguments<Args> extends ReplyOptions<Args> {
  readonly message: Given<string, Args>
  /**
   * Whether trying again may help. With an idempotency key: after a retryable failure the next caller with the key
   * executes the command anew; any other failure is recorded and answered again. Default true.
   */
  readonly retryable?: Given<boolean, Args>
}

/** Options of `effect`. */
export interface EffectOptions<Args> {
  /** The actor's own name for it: setting an effect with the same label again, or `cancelEffect`, takes back what has not begun. */
  readonly label?: Given<string | undefined, Args>
  /** The key under which the outside world hears of it. Default: one that is made for this effect and never again. */
  readonly idempotencyKey?: Given<string | undefined, Args>
  /** Not before so many milliseconds have passed. Default 0. */
  readonly delayMs?: Given<number | undefined, Args>
}

/** When a timer rings, and what its actor then hears. */
export interface TimerArguments<Args> {
  /** The event that the actor gets; a text stands for an event of that type. */
  readonly event: Given<EventLike | (EventLike & Readonly<Record<string, unknown>>) | string, Args>
  /** So many milliseconds from now; any length. */
  readonly delayMs?: Given<number | undefined, Args>
  /** At this moment: a date, or milliseconds since 1970. */
  readonly at?: Given<Date | number | undefined, Args>
  /** Again and again, so many milliseconds apart. Without `delayMs` and `at` the first time is after one such period. */
  readonly everyMs?: Given<number | undefined, Args>
  /**
   * `fixed-rate`: ticks stay on the grid of the first one, and those that were missed come as one.
   * `fixed-delay`: each period begins when the tick before was handled. Default `fixed-rate`.
   */
  readonly repeat?: Given<'fixed-rate' | 'fixed-delay' | undefined, Args>
  /**
   * What a restart of the shard does to it: keep its `deadline`, go on with the time that was `remaining` when the shard
   * last committed, or `restart` the delay. Default: that of the definition, else `deadline`.
   */
  readonly onRestart?: Given<TimerRestart | undefined, Args>
}

/** Resolves a value, or the function that leads to it. */
function resolve<Value, Args>(given: Given<Value, Args>, args: Args): Value {
  return typeof given === 'function' ? (given as (args: Args) => Value)(args) : given // No value that is taken here is a function.
}

/** What a tell and a request have in common. */
function addressed<Args>(
  definition: ActorDefinition | (() => ActorDefinition),
  to: Target<string, Args> & { readonly input?: unknown },
  args: Args,
): Pick<TellWish, 'definition' | 'key' | 'command' | 'input' | 'priority' | 'preempt' | 'idempotencyKey'> {
  return {
    definition: typeof definition === 'function' ? definition() : definition,
    key: resolve(to.key, args),
    command: resolve(to.command, args),
    input: resolve(to.input, args),
    priority: resolve(to.priority, args),
    preempt: resolve(to.preempt, args),
    idempotencyKey: resolve(to.idempotencyKey, args),
  }
}

// The creators below write XState's type out: behind an alias of ours, its inference from the place where an action stands
// fails for machines whose events are not stated.

function wishing<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  wish: (args: ActionArgs<Context, ExpressionEvent, Event>) => Wish,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  const action = emit<Context, ExpressionEvent, ActionParams, Event, WishEvent>((args) => ({ type: 'bailiwick.wish', [WISH]: wish(args) }))
  return action as unknown as ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> // The seam: the emitted event never leaves the kernel.
}

/** Sends a command to an actor of this system. Delivered once and in order, or kept as a dead letter. `definition` may be a function, for definitions that name each other. */
export function tell<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
  Definition extends ActorDefinition,
  Name extends TellName<Definition>,
>(
  definition: Definition | (() => Definition),
  to: TellArguments<Definition, Name, ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({
    kind: 'tell',
    ...addressed(definition, to, args),
    delayMs: resolve(to.delayMs, args),
    deliverAt: resolve(to.deliverAt, args),
  }))
}

/**
 * Asks an actor of this system. The actor goes on; the answer comes as the event `{ type: onDone, output }`, everything
 * else as `{ type: onError, error }`, exactly one of them and once. A request that comes back to a command that it was
 * made for ends at once with the code `ASK_CYCLE` and its path.
 */
export function request<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
  Definition extends ActorDefinition,
  Name extends CommandName<Definition>,
>(
  definition: Definition | (() => Definition),
  to: RequestArguments<Definition, Name, ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({
    kind: 'request',
    ...addressed(definition, to, args),
    onDone: resolve(to.onDone, args),
    onError: resolve(to.onError, args),
    timeoutMs: resolve(to.timeoutMs, args),
  }))
}

/**
 * Answers a command that was declared with `reply: 'deferred'`: the one that is being handled; or the one on whose behalf
 * this event has come, as the answer to a request or the end of an effect; or the one that has waited longest. Does
 * nothing if none is open, for instance because its time was over.
 */
export function reply<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  value: Given<Plain, ActionArgs<Context, ExpressionEvent, Event>>,
  options: ReplyOptions<ActionArgs<Context, ExpressionEvent, Event>> = {},
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({
    kind: 'reply',
    value: resolve(value, args),
    command: resolve(options.command, args),
    all: resolve(options.all ?? false, args),
  }))
}

/** Ends a deferred command with `CommandFailed`; which one, is as for `reply`. What the machine has done stays. */
export function fail<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  how: FailArguments<ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({
    kind: 'fail',
    message: resolve(how.message, args),
    retryable: resolve(how.retryable ?? true, args),
    command: resolve(how.command, args),
    all: resolve(how.all ?? false, args),
  }))
}

/**
 * Promises an effect: it is tried after the commit, at least once, always under the same idempotency key. The actor then
 * hears `{ type: '<name>.done', output }` or `{ type: '<name>.failed', error }`.
 */
export function effect<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
  Taken = unknown,
>(
  name: string | EffectDefinition<Taken>,
  input?: Given<Taken, ActionArgs<Context, ExpressionEvent, Event>>,
  options: EffectOptions<ActionArgs<Context, ExpressionEvent, Event>> = {},
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({
    kind: 'effect',
    name: typeof name === 'string' ? name : name.name,
    input: resolve<unknown, typeof args>(input, args),
    label: resolve(options.label, args),
    idempotencyKey: resolve(options.idempotencyKey, args),
    delayMs: resolve(options.delayMs, args),
  }))
}

/** Takes the effect with this label back: if no attempt has begun, it is never tried; between two attempts, not again. One that is being tried goes on. */
export function cancelEffect<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  label: Given<string, ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({ kind: 'cancel-effect', label: resolve(label, args) }))
}

/** Which turn of the actor `cancelTurn` means, and what is to become of it. */
export interface CancelTurnArguments<Args> {
  /** The turn's number, which its events carry. */
  readonly turn: Given<number, Args>
  /** Only if it is in this attempt. Default: any. */
  readonly attempt?: Given<number | undefined, Args>
  /** Default `abort-drop`. */
  readonly mode?: Given<PreemptMode, Args>
  /** Why, in words. */
  readonly reason?: Given<string | undefined, Args>
}

/**
 * Interrupts a turn of the actor, whatever its rank: `steal` parks it until its turn comes again, `abort-keep` lets it start
 * anew, `abort-drop` ends it for good. Does nothing to a turn that has ended, or is in another attempt.
 */
export function cancelTurn<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  which: CancelTurnArguments<ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({
    kind: 'cancel-turn',
    turn: resolve(which.turn, args),
    attempt: resolve(which.attempt, args),
    mode: resolve(which.mode ?? 'abort-drop', args),
    reason: resolve(which.reason, args),
  }))
}

/** Sets a durable timer of the actor. One of the same name is replaced. */
export function setTimer<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  name: Given<string, ActionArgs<Context, ExpressionEvent, Event>>,
  timer: TimerArguments<ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => {
    const event = resolve(timer.event, args)
    return {
      kind: 'set-timer',
      name: resolve(name, args),
      event: typeof event === 'string' ? { type: event } : event,
      delayMs: resolve(timer.delayMs, args),
      at: resolve(timer.at, args),
      everyMs: resolve(timer.everyMs, args),
      repeat: resolve(timer.repeat, args),
      onRestart: resolve(timer.onRestart, args),
    }
  })
}

/** Clears a timer of the actor. It wins against a tick that is already queued; clearing what is not set does nothing. */
export function cancelTimer<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  name: Given<string, ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing((args) => ({ kind: 'cancel-timer', name: resolve(name, args) }))
}

/** Whom `watch` and `unwatch` mean. */
export interface WatchArguments<Args> {
  /** Key of the actor. */
  readonly key: Given<ActorKey, Args>
  /** Type of the event with the notice: `{ type, actor, reason, failure? }`, where `reason` is `done`, `quarantined` or `stopped`. */
  readonly event: Given<string, Args>
}

/** Arguments that are missing are found where the machine is made, not when it first comes to the action. */
function checkWatched(operation: string, definition: unknown, to: unknown, needed: readonly string[]): void {
  if (typeof definition !== 'function') watchedBy(operation, definition)
  if (typeof to !== 'object' || to === null)
    throw new InvalidInput(operation, 'arguments', `must be an object with ${needed.join(' and ')}`)
  const given = new Map<string, unknown>(Object.entries(to))
  for (const field of needed) if (given.get(field) === undefined) throw new InvalidInput(operation, field, 'is missing')
}

/** The definition that is meant. Throws `InvalidInput` if it is none. */
function watchedBy(operation: string, definition: unknown): ActorDefinition {
  if (isActorDefinition(definition)) return definition
  const hint = 'between modules that import each other, give a function, `() => other`'
  throw new InvalidInput(operation, 'definition', `must be made by defineActor; ${hint}`)
}

/**
 * Watches another actor: this one hears once, as an event, that the other has come to its end or is held back; at once if that
 * has happened already. Nothing is heard of restarts, passivation and crashes. Watching again gives the notice another
 * event; after a notice the watch is over. `definition` may be a function, for definitions that name each other.
 */
export function watch<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  definition: ActorDefinition | (() => ActorDefinition),
  to: WatchArguments<ActionArgs<Context, ExpressionEvent, Event>>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  checkWatched('watch', definition, to, ['key', 'event'])
  return wishing((args) => ({
    kind: 'watch',
    definition: watchedBy('watch', typeof definition === 'function' ? definition() : definition),
    key: resolve(to.key, args),
    event: resolve(to.event, args),
  }))
}

/** Watches another actor no more. It wins against a notice that waits to be handled; does nothing if there is no watch. */
export function unwatch<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(
  definition: ActorDefinition | (() => ActorDefinition),
  to: Pick<WatchArguments<ActionArgs<Context, ExpressionEvent, Event>>, 'key'>,
): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  checkWatched('unwatch', definition, to, ['key'])
  return wishing((args) => ({
    kind: 'unwatch',
    definition: watchedBy('unwatch', typeof definition === 'function' ? definition() : definition),
    key: resolve(to.key, args),
  }))
}

/**
 * Lets the command wait because the present state cannot take it yet. It is tried again when the machine's state value
 * has changed, in its old order and before newer commands. Nothing else of the transition that it stands in takes place.
 * What is postponed counts for the mailbox's capacity. An event that is no command is dropped.
 */
export function postpone<
  Context extends MachineContext,
  ExpressionEvent extends EventObject,
  Event extends EventObject,
  ActionParams extends Params,
>(): ActionFunction<Context, ExpressionEvent, Event, ActionParams, never, never, never, never, never> {
  return wishing(() => ({ kind: 'postpone' }))
}
