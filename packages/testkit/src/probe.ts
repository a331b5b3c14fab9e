/**
 * Probes: actors that stand in for others. A probe has the type and the commands of the actor that it replaces, keeps what it
 * is told, and answers as the test says. It is an actor like any other, so what is under test cannot tell the difference, and
 * what it was told survives crashes.
 */
import type { ActorDefinition, ActorKey, CommandBuilder, CommandKind, System } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'

/** What a probe was told. */
export interface ProbedCommand {
  readonly command: string
  readonly input: unknown
}

type CommandsIn<Definition> = Definition extends ActorDefinition<string, infer _Snapshot, infer Commands> ? Commands : never

/** What is answered, by command: the reply to an input. A command that is not named is answered `undefined`. */
export type ProbeReplies<Definition> = {
  readonly [Name in keyof CommandsIn<Definition>]?: CommandsIn<Definition>[Name] extends CommandBuilder<
    CommandKind,
    infer _Given,
    infer Input,
    infer Reply,
    infer _Snapshot
  >
    ? (input: Input, told: readonly ProbedCommand[]) => Reply
    : never
}

/** A stand-in for the actors of a definition. */
export interface Probe<Definition extends ActorDefinition> {
  /** Takes the place of the definition among the `actors` of a test world or a simulation. */
  readonly definition: Definition
  /** What the probe with this key was told, in its order; queries are answered and not kept. */
  told(system: System, key: ActorKey): Promise<readonly ProbedCommand[]>
}

interface Told {
  readonly told: readonly ProbedCommand[]
}

/**
 * Makes a stand-in for the actors of a definition. Replies must be pure functions; one that throws fails its command. For test
 * worlds and simulations only: a shard thread would load the definition that is replaced.
 */
export function probe<Definition extends ActorDefinition>(
  definition: Definition,
  replies: ProbeReplies<Definition> = {},
): Probe<Definition> {
  const answers = replies as Readonly<Record<string, ((input: unknown, told: readonly ProbedCommand[]) => unknown) | undefined>> // By name, as checked above.
  const commands = new Map(
    [...definition.commands].map(([name, command]) => [
      name,
      {
        ...command,
        kind: command.kind === 'query' ? 'query' : 'command',
        output: undefined,
        turn: undefined,
        preempt: 'none',
        reply: ({ context, input }: { readonly context: Told; readonly input: unknown }) => answers[name]?.(input, context.told),
      },
    ]),
  )
  const logic = fromTransition<Told, { readonly type: string }, never, Record<string, never>>(
    (state, { type, ...input }) => ({ told: [...state.told, { command: type, input }] }),
    { told: [] },
  )
  // The same type and commands, with logic of its own: to callers it is the definition itself.
  const standIn = {
    ...definition,
    logic,
    commands,
    input: undefined,
    persist: 'snapshot',
    version: 1,
    migrate: {},
  } as unknown as Definition
  return {
    definition: standIn,
    told: async (system, key) => {
      const { context } = await system.actor<ActorDefinition>(standIn, key).snapshot()
      return (context as unknown as Told).told // Of the logic above.
    },
  }
}
