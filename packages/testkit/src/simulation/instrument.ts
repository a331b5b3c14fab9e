/**
 * Definitions as a simulation runs them: the actor's own logic, replies and turns, unchanged, with somebody who is told
 * before each. The one place where definitions are rebuilt, because their types are wider than what is done to them here.
 */
import type { ActorDefinition } from '@bailiwick/kernel'

/** Who is told. */
export interface Onlooker {
  /** Runs synchronous code of an actor. */
  transition<T>(where: string, run: () => T): T
  /** A turn begins. False if it is not to hear of interruptions. */
  turnHears(where: string): boolean
}

type Commands = ActorDefinition['commands']
type Logic = ActorDefinition['logic']

/** A definition whose code tells the onlooker of the run that is under way. */
export function instrumented(definition: ActorDefinition, onlooker: Onlooker): ActorDefinition {
  const { logic, type } = definition
  const told: Logic = Object.assign(Object.create(logic) as Logic, {
    transition: (...args: Parameters<Logic['transition']>): unknown =>
      onlooker.transition<unknown>(`${type} ${String((args[1] as { readonly type?: unknown }).type)}`, () => logic.transition(...args)),
    getInitialSnapshot: (...args: Parameters<Logic['getInitialSnapshot']>): unknown =>
      onlooker.transition<unknown>(`${type} initial state`, () => logic.getInitialSnapshot(...args)),
  })
  const commands = new Map<string, unknown>()
  for (const [name, command] of definition.commands) {
    const { reply, turn } = command
    commands.set(name, {
      ...command,
      ...(typeof reply === 'function' && {
        reply: (args: Parameters<typeof reply>[0]) => onlooker.transition(`reply of ${type} ${name}`, () => reply(args)),
      }),
      ...(turn !== undefined && {
        turn: {
          ...turn,
          run: (context: Parameters<typeof turn.run>[0]) => turn.run(onlooker.turnHears(`${type} ${name}`) ? context : deaf(context)),
        },
      }),
    })
  }
  return { ...definition, logic: told, commands: commands as Commands } // The same commands, some functions of which are wrapped.
}

/** A turn's context in which nothing is ever interrupted. */
function deaf<Context extends { readonly signal: AbortSignal }>(context: Context): Context {
  return { ...context, signal: new AbortController().signal, interrupted: () => false }
}
