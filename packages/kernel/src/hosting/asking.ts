/**
 * Asking another actor as a child: an invoked promise that is settled by the answer.
 *
 * Like every child it starts after the commit, and again when its actor comes back into memory while its state lasts; so
 * it may ask more than once. An idempotency key makes that harmless. A `request` is asked once and needs none.
 */
import { fromPromise } from 'xstate'
import type { PromiseActorLogic } from 'xstate'
import type { CommandBuilder, CommandKind } from '../definition/command.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { ActorKey } from '../definition/key.ts'
import type { Priority } from '../shard/lanes.ts'
import type { CommandInput, CommandName } from './actions.ts'
import type { TellWish } from './wish.ts'

/** Input of an `asking` child. */
export interface AskingInput<Input> {
  readonly key: ActorKey
  readonly input?: Input
  /** Lane of the command. Default: the priority of its definition. */
  readonly priority?: Priority
  /** Makes the command execute once, although the child may ask again after a restart. */
  readonly idempotencyKey?: string | readonly string[]
  /** After so many milliseconds the child fails with `AskTimeout`. Default 30,000. */
  readonly timeoutMs?: number
}

/** What a command of a definition answers; anything where the definition's types are not known. */
export type CommandReply<Definition, Name> =
  Definition extends ActorDefinition<string, infer _Snapshot, infer Commands>
    ? Name extends keyof Commands
      ? Commands[Name] extends CommandBuilder<CommandKind, infer _Given, infer _Input, infer Reply, infer _OfSnapshot>
        ? Reply
        : never
      : unknown
    : never

/** Where a child asks: the part of its system that the kernel adds. */
export interface Asker {
  ask(wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown>
}

/**
 * Logic of a child that asks a command of another actor: `invoke: { src: asking(stock, 'reserve'), input, onDone, onError }`.
 * `onError` gets the error with its `code`. Works in actors of a system only.
 */
export function asking<Definition extends ActorDefinition, Name extends CommandName<Definition>>(
  definition: Definition | (() => Definition),
  command: Name,
): PromiseActorLogic<CommandReply<Definition, Name>, AskingInput<CommandInput<Definition, Name>>> {
  return fromPromise(async ({ input, system, signal }) => {
    const { key, priority, idempotencyKey, timeoutMs } = input
    const wish: TellWish = {
      kind: 'tell',
      definition: typeof definition === 'function' ? definition() : definition,
      key,
      command,
      input: input.input,
      priority,
      idempotencyKey,
    }
    const reply = await askerOf(system).ask(wish, timeoutMs, signal)
    return reply as CommandReply<Definition, Name> // The receiver's definition says what it answers.
  })
}

/** The seam to XState: in a hosted actor the system of its children is the kernel's. */
function askerOf(system: object): Asker {
  if ('ask' in system && typeof system.ask === 'function') return system as Asker
  throw new Error('asking() works in actors that are opened in a system.')
}
