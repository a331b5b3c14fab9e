/**
 * Commands and queries: how a message to an actor is declared.
 *
 * `command()` and `query()` answer a function from the command's name to its definition; `defineActor` calls it with
 * the name under which the command stands. That the result is a function is also what lets TypeScript wait for the
 * actor's logic before it looks at `reply`, so that `({ context }) => …` is typed without an annotation.
 */
import type { z } from 'zod'
import type { ActorKey } from './key.ts'
import type { Priority } from '../shard/lanes.ts'

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
  readonly reply: ReplyFunction<Snapshot, Input, Reply> | undefined
}

/** `command`: the logic takes it as an event. `query`: only the reply is computed, the logic sees nothing. */
export type CommandKind = 'command' | 'query'

/** What `command()` and `query()` answer: the definition, once it has a name. */
export type CommandBuilder<Kind extends CommandKind, Given, Input, Reply, Snapshot> = (
  name: string,
) => CommandDefinition<Kind, Given, Input, Reply, Snapshot>

/** Options of a command without a reply. */
export interface CommandOptions<Given, Input> {
  /** Schema of the input; it must accept objects, whose properties become properties of the event. Default: no input. */
  readonly input?: z.ZodType<Input, Given>
  /** Lane of the command where the caller names none. Default `normal`. */
  readonly priority?: Priority
}

/** Options of a command with a reply, and of a query. */
export interface ReplyOptions<Given, Input, Reply, Snapshot> extends CommandOptions<Given, Input> {
  /** The answer to `ask`, from the state after the command. Without it the answer is `undefined`. */
  readonly reply: ReplyFunction<Snapshot, Input, Reply>
}

/** Input of a command that was declared without a schema. */
export type NoInput = object

/** Declares a command: the logic gets the event `{ type: name, ...input }`, and `ask` is answered after the commit. */
export function command<Given extends object = NoInput, Input extends object = NoInput, Reply = undefined, Snapshot = unknown>(
  options: ReplyOptions<Given, Input, Reply, Snapshot>,
): CommandBuilder<'command', Given, Input, Reply, Snapshot>
export function command<Given extends object = NoInput, Input extends object = NoInput, Snapshot = unknown>(
  options?: CommandOptions<Given, Input>,
): CommandBuilder<'command', Given, Input, undefined, Snapshot>
export function command<Given, Input, Reply, Snapshot>(
  options: CommandOptions<Given, Input> & Partial<ReplyOptions<Given, Input, Reply, Snapshot>> = {},
): CommandBuilder<'command', Given, Input, Reply, Snapshot> {
  return (name) => ({ name, kind: 'command', input: options.input, priority: options.priority ?? 'normal', reply: options.reply })
}

/** Declares a query: its reply is computed on the current state. It changes nothing, and its answer leaves after the commits before it. */
export function query<Given extends object = NoInput, Input extends object = NoInput, Reply = undefined, Snapshot = unknown>(
  options: ReplyOptions<Given, Input, Reply, Snapshot>,
): CommandBuilder<'query', Given, Input, Reply, Snapshot> {
  return (name) => ({ name, kind: 'query', input: options.input, priority: options.priority ?? 'normal', reply: options.reply })
}
