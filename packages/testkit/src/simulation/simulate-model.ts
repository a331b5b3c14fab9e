/**
 * An actor against a model of it: commands are generated from its own schemas, several clients send them at the same time,
 * faults strike, and what the clients have heard must be what a plain reducer could have answered, in some order that fits.
 */
import type { ActorDefinition, ActorKey } from '@bailiwick/kernel'
import type { Arbitrary } from 'fast-check'
import { commandsOf } from '../generation/commands-of.ts'
import type { CommandOf, CommandsOfOptions } from '../generation/commands-of.ts'
import type { GenerateOptions } from '../generation/input-of.ts'
import { drawn } from '../generation/drawn.ts'
import type { History } from '../histories/history.ts'
import { checkLinearizable, describeLinearizability } from '../histories/linearizability.ts'
import type { Model } from '../histories/model.ts'
import { sameValue } from '../histories/values.ts'
import type { Client } from './client.ts'
import { InvalidSimulation, ModelContradicted } from './errors.ts'
import type { SimulationOptions } from './options.ts'
import { explore, simulate } from './simulate.ts'
import type { SimulationReport } from './failure.ts'
import type { World } from './world.ts'

/** What an actor should do: a plain function from a state and a command to the next state and the reply. */
export interface ActorModel<State, Command> {
  /** The state before the first command. */
  readonly initial: State
  /** `rejected` where the actor does not take the command in this state. A command without a reply is answered `undefined`. */
  readonly reduce: (state: State, command: Command) => { readonly state: State; readonly reply?: unknown } | { readonly rejected: true }
}

/** An actor, its model, and how they are compared. */
export interface ModelOptions<Definition extends ActorDefinition, State> extends Omit<SimulationOptions, 'actors' | 'scenario' | 'check'> {
  readonly actor: Definition
  readonly model: ActorModel<State, CommandOf<Definition>>
  /** Other actors that the actor needs. */
  readonly others?: readonly ActorDefinition[]
  /** Keys of the actors that are called. Default one, `subject`. */
  readonly keys?: readonly ActorKey[]
  /** How many clients call at the same time. Default 3. */
  readonly clients?: number
  /** How many commands each client sends at most. Default 4. */
  readonly commands?: number
  /** How commands are generated. */
  readonly generate?: CommandsOfOptions
}

type AnyCommand = CommandOf<ActorDefinition>
type Methods = Readonly<Record<string, ((input?: unknown, options?: object) => Promise<unknown>) | undefined>>

const REJECTED = Object.freeze({ rejected: true })
const CLIENTS = 3
const COMMANDS = 4

/**
 * Compares an actor with its model over many schedules, with all faults unless others are named. Every command has an idempotency
 * key, so that one that arrives twice counts once. Rejects as `simulate` does; what contradicts the model is `ModelContradicted`,
 * with the longest part of the history that fits and the call that does not.
 */
export async function simulateModel<Definition extends ActorDefinition, State>(
  options: ModelOptions<Definition, State>,
): Promise<SimulationReport> {
  return await simulate(asSimulation(options))
}

/** The same, with a failing run as part of the answer instead of an error. */
export async function exploreModel<Definition extends ActorDefinition, State>(
  options: ModelOptions<Definition, State>,
): Promise<SimulationReport> {
  return await explore(asSimulation(options))
}

function asSimulation<Definition extends ActorDefinition, State>(options: ModelOptions<Definition, State>): SimulationOptions {
  const { actor, model, others = [], keys = ['subject'], clients = CLIENTS, commands = COMMANDS, generate = {}, ...rest } = options
  if (keys.length === 0) throw new InvalidSimulation('keys', 'must name at least one actor')
  for (const name of ['actors', 'scenario', 'check']) {
    if (name in rest) throw new InvalidSimulation(name, 'is no option of simulateModel: use simulate')
  }
  const given: unknown = model
  if (typeof given !== 'object' || given === null || !('initial' in given) || !('reduce' in given) || typeof given.reduce !== 'function')
    throw new InvalidSimulation('model', 'must have an initial state and a function that reduces')
  requireCount('clients', clients)
  requireCount('commands', commands)
  // The types of commands are those of the model; from here on they are names and inputs.
  const arbitrary: Arbitrary<AnyCommand> = commandsOf<ActorDefinition>(actor, generate)
  const reads = [...actor.commands.values()].some(({ kind }) => kind === 'query')
    ? commandsOf<ActorDefinition>(actor, { only: queriesOf(actor) } as GenerateOptions)
    : undefined
  const specification = specificationOf(model)
  return {
    faults: 'all',
    ...rest,
    actors: [actor, ...others],
    scenario: async (world) => {
      await world.together(clients, async (client, index) => {
        for (let number = 0; number < commands; number += 1) {
          const name = `${index}.${number}`
          if (world.keeps(name)) await send(world, client, actor, keys, name, arbitrary)
        }
      })
    },
    check: async (world) => {
      // What was acknowledged must still be there when everything is over.
      const observer = world.client('observer')
      if (reads !== undefined) for (const key of keys) await send(world, observer, actor, [key], `at the end ${JSON.stringify(key)}`, reads)
      requireFits(world.history, specification)
    },
  }
}

async function send(
  world: World,
  client: Client,
  actor: ActorDefinition,
  keys: readonly ActorKey[],
  name: string,
  arbitrary: Arbitrary<AnyCommand>,
): Promise<void> {
  const next = world.draws(name)
  const key = keys[next() % keys.length] ?? ''
  const { command, input } = drawn(arbitrary, next)
  const methods = client.actor(actor, key).ask as Methods // By name, as the definition has them.
  const isQuery = actor.commands.get(command)?.kind === 'query'
  const options = isQuery || actor.persist === 'nothing' ? undefined : { idempotencyKey: name }
  // How it ended stands in the history.
  await methods[command]?.(input, options).catch(() => undefined)
}

function queriesOf(actor: ActorDefinition): string[] {
  return [...actor.commands.values()].filter(({ kind }) => kind === 'query').map(({ name }) => name)
}

/** The model as the checker wants it. A rejection is an answer like any other: it must fit the state as well. */
function specificationOf<State, Command>({ initial, reduce }: ActorModel<State, Command>): Model<State> {
  return {
    name: 'model',
    initial: frozen(initial),
    step: (state, { f, input, outcome, output }) => {
      const reduced = reduce(state, { command: f, input } as Command) // As it was generated, from the schemas that the type is made of.
      requireReduced(f, reduced)
      if ('rejected' in reduced) return outcome !== 'ok' || output === REJECTED ? state : undefined
      const fits = outcome !== 'ok' || (output !== REJECTED && sameValue(reduced.reply, output))
      return fits ? frozen(reduced.state) : undefined
    },
  }
}

/** A state that nobody can change in place: whoever reduces has to answer another one. */
function frozen<State>(state: State): State {
  if (typeof state === 'object' && state !== null && !Object.isFrozen(state)) {
    Object.freeze(state)
    for (const part of Object.values(state)) frozen(part)
  }
  return state
}

/** A reducer in plain JavaScript may forget to answer. */
function requireReduced(command: string, reduced: unknown): void {
  if (typeof reduced === 'object' && reduced !== null && ('rejected' in reduced || 'state' in reduced)) return
  throw new InvalidSimulation('model', `must answer { state } or { rejected: true } to ${command}, not ${JSON.stringify(reduced)}`)
}

function requireFits<State>(history: History, specification: Model<State>): void {
  const answered = history.map((event) => (isRejection(event) ? { ...event, type: 'ok' as const, value: REJECTED } : event))
  const result = checkLinearizable(answered, specification)
  // One that is not decided is no pass.
  if (result.verdict !== 'yes') throw new ModelContradicted(describeLinearizability(result))
}

function isRejection({ type, value }: History[number]): boolean {
  return type === 'fail' && typeof value === 'object' && value !== null && 'code' in value && value.code === 'COMMAND_REJECTED'
}

function requireCount(field: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidSimulation(field, `must be a whole number from 1, not ${String(value)}`)
}
