/**
 * Commands and queries: how a message to an actor is declared.
 *
 * `command()` and `query()` answer a function from the command's name to its definition; `defineActor` calls it with
 * the name under which the command stands. That the result is a function is also what lets TypeScript wait for the
 * actor's logic before it looks at `reply`, so that `({ context }) => …` is typed without an annotation.
 */
import type { z } from 'zod'
import type { ActorKey } from './key.ts'
import { isStamped } from './stamped.ts'
import type { Priority } from '../shard/lanes.ts'
import type { Preempt } from './turn-context.ts'
import type { TurnDefinition } from './turn-definition.ts'

/** What a reply function is given: the state after the command, and the command itself. */
export interface ReplyArguments<Snapshot, Input> {
  /** The logic's context after the command. */
  readonly context: Snapshot extends { readonly context: infer Context } ? Context : undefined
  /** The machine's state value after the command; `undefined` for logic that is not a machine. */
  readonly value: Snapshot extends { readonly value: infer Value } ? Value : undefined
  /** The whole snapshot after the command. */
  readonly snapshot: Snapshot
  /** The validated input. */
  readonly input: Input
  /** The actor's key. */
  readonly key: ActorKey
}

/** Computes the answer to a command from the state after it; pure, and its result must be something JSON can carry. */
export type ReplyFunction<Snapshot, Input, Reply> = (args: ReplyArguments<Snapshot, Input>) => Reply

/** A command as it stands in a definition. `kind` says whether the logic sees it (`command`) or only its state is read (`query`). */
export interface CommandDefinition<Kind extends CommandKind, Given, Input, Reply, Snapshot> {
  readonly name: string
  readonly kind: Kind
  readonly input: z.ZodType<Input, Given> | undefined
  readonly priority: Priority
  /** How the answer is computed; `deferred` if an action of the machine gives it, now or later; `undefined` for none. */
  readonly reply: ReplyFunction<Snapshot, Input, Reply> | 'deferred' | undefined
  /** Schema of a deferred reply. */
  readonly output: z.ZodType<Reply> | undefined
  /** How long a deferred reply, or a turn, may take, in milliseconds. */
  readonly replyWithinMs: number
  /** What it does to a turn of lower rank, where the caller does not say. */
  readonly preempt: Preempt
  /** Its place among the ranks of the definition. */
  readonly rank: string | undefined
  /** What makes it a turn, if it is one. */
  readonly turn: TurnDefinition | undefined
  /** Whether the shard adds its time to the input: see `stamped`. */
  readonly isStamped: boolean
}

/** `command`: the logic takes it as an event. `query`: only the reply is computed, the logic sees nothing. `turn`: long work, whose course the logic sees. */
export type CommandKind = 'command' | 'query' | 'turn'

/** What `command()` and `query()` answer: the definition, once it has a name. */
export type CommandBuilder<Kind extends CommandKind, Given, Input, Reply, Snapshot> = (
  name: string,
) => CommandDefinition<Kind, Given, Input, Reply, Snapshot>

/** Options that every command and query has. */
export interface LaneOptions {
  /** Lane of the command where the caller names none. Default `normal`. */
  readonly priority?: Priority
}

/** Options that every command and turn has. */
export interface CommandOptions extends LaneOptions {
  /**
   * What it does to the actor's turn that is running, if that one has a lower rank and is preemptible. The command is then
   * handled once the turn has come to a boundary. Default `none`: it waits, or is handled beside it.
   */
  readonly preempt?: Preempt
  /** Its place among the `turns.ranks` of the definition. Without such ranks the priority of each call is its rank. */
  readonly rank?: string
}

/** Options of what has an input. */
export interface InputOptions<Given, Input> {
  /** Schema of the input; it must accept objects, whose properties become properties of the event. */
  readonly input: z.ZodType<Input, Given>
}

/** Options of what has a reply. */
export interface ReplyOptions<Input, Reply, Snapshot> {
  /** The answer to `ask`, from the state after the command. Without it the answer is `undefined`. */
  readonly reply: ReplyFunction<Snapshot, Input, Reply>
}

/** Options of a command that is answered by the action `reply`, in the same transition or a later one. */
export interface DeferredOptions<Reply> {
  readonly reply: 'deferred'
  /** Schema of the reply. Without it any JSON value is taken. */
  readonly output?: z.ZodType<Reply>
  /**
   * After so many milliseconds without an answer the command ends with `ReplyOverdue`, its idempotency key is free again,
   * and a later reply is counted as late. Default 3,600,000: one hour.
   */
  readonly replyWithinMs?: number
}

const REPLY_WITHIN_MS = 3_600_000

const ANSWER_MS = 30_000

/** How long to wait for an answer where nobody says: for a turn as long as it may take, and until it has come to its boundary. */
export function answerWithinMsOf({
  replyWithinMs,
  turn,
}: {
  readonly replyWithinMs: number
  readonly turn: TurnDefinition | undefined
}): number {
  return turn === undefined ? ANSWER_MS : replyWithinMs + turn.drainMs + ANSWER_MS
}

/** Input of a command that was declared without a schema. */
export type NoInput = object

/**
 * Declares a command: the logic gets the event `{ type: name, ...input }`, and `ask` is answered after the commit.
 * There is one signature for each of with or without input and reply, because a type that is inferred from nothing
 * would allow everything.
 */
export function command<Given extends object, Input extends object, Reply, Snapshot = unknown>(
  options: CommandOptions & InputOptions<Given, Input> & ReplyOptions<Input, Reply, Snapshot>,
): CommandBuilder<'command', Given, Input, Reply, Snapshot>
export function command<Given extends object, Input extends object, Reply = unknown, Snapshot = unknown>(
  // oxlint-disable-next-line typescript/unified-signatures -- joined, a wrong reply would be explained in terms of both forms.
  options: CommandOptions & InputOptions<Given, Input> & DeferredOptions<Reply>,
): CommandBuilder<'command', Given, Input, Reply, Snapshot>
export function command<Reply = unknown, Snapshot = unknown>(
  options: CommandOptions & DeferredOptions<Reply>,
): CommandBuilder<'command', NoInput, NoInput, Reply, Snapshot>
export function command<Given extends object, Input extends object, Snapshot = unknown>(
  options: CommandOptions & InputOptions<Given, Input>,
): CommandBuilder<'command', Given, Input, undefined, Snapshot>
export function command<Reply, Snapshot = unknown>(
  // oxlint-disable-next-line typescript/unified-signatures -- as above.
  options: CommandOptions & ReplyOptions<NoInput, Reply, Snapshot>,
): CommandBuilder<'command', NoInput, NoInput, Reply, Snapshot>
export function command<Snapshot = unknown>(options?: CommandOptions): CommandBuilder<'command', NoInput, NoInput, undefined, Snapshot>
export function command<Given, Input, Reply, Snapshot>(
  options: CommandOptions &
    Partial<InputOptions<Given, Input>> &
    (Partial<ReplyOptions<Input, Reply, Snapshot>> | DeferredOptions<Reply>) = {},
): CommandBuilder<'command', Given, Input, Reply, Snapshot> {
  return (name) => ({
    name,
    kind: 'command',
    input: options.input,
    priority: options.priority ?? 'normal',
    reply: options.reply,
    output: 'output' in options ? options.output : undefined,
    replyWithinMs: ('replyWithinMs' in options ? options.replyWithinMs : undefined) ?? REPLY_WITHIN_MS,
    preempt: options.preempt ?? 'none',
    rank: options.rank,
    turn: undefined,
    isStamped: isStamped(options.input),
  })
}

/** Declares a query: its reply is computed on the current state. It changes nothing, and its answer leaves after the commits before it. */
export function query<Given extends object, Input extends object, Reply, Snapshot = unknown>(
  options: LaneOptions & InputOptions<Given, Input> & ReplyOptions<Input, Reply, Snapshot>,
): CommandBuilder<'query', Given, Input, Reply, Snapshot>
export function query<Reply, Snapshot = unknown>(
  options: LaneOptions & ReplyOptions<NoInput, Reply, Snapshot>,
): CommandBuilder<'query', NoInput, NoInput, Reply, Snapshot>
export function query<Given, Input, Reply, Snapshot>(
  options: LaneOptions & Partial<InputOptions<Given, Input>> & ReplyOptions<Input, Reply, Snapshot>,
): CommandBuilder<'query', Given, Input, Reply, Snapshot> {
  return (name) => ({
    name,
    kind: 'query',
    input: options.input,
    priority: options.priority ?? 'normal',
    reply: options.reply,
    output: undefined,
    replyWithinMs: REPLY_WITHIN_MS,
    preempt: 'none',
    rank: undefined,
    turn: undefined,
    isStamped: isStamped(options.input),
  })
}
