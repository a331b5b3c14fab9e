/** Arbitraries of the commands that an actor takes, from its own schemas. */
import type { ActorDefinition, CommandBuilder, CommandKind } from '@bailiwick/kernel'
import * as fc from 'fast-check'
import type { z } from 'zod'
import { CannotGenerate } from './cannot-generate.ts'
import { walked } from './input-of.ts'
import type { GenerateOptions, InputOfOptions } from './input-of.ts'
import { complaintOf } from './sieve.ts'
import type { Complaint } from './sieve.ts'

/** The commands of a definition, by name. */
type CommandsIn<Definition> = Definition extends ActorDefinition<string, infer _Snapshot, infer Commands> ? Commands : never

/** What a command is given: undefined for one that takes no input. */
type GivenTo<Given> = object extends Given ? (keyof Given extends never ? undefined : Given) : Given

/**
 * One command of a definition with its input, as a union over all of them, for instance
 * `{ command: 'deposit', input: { amount: number } } | { command: 'close', input: undefined }`.
 */
export type CommandOf<Definition, Kinds extends CommandKind = CommandKind> = {
  readonly [Name in keyof CommandsIn<Definition> & string]: CommandsIn<Definition>[Name] extends CommandBuilder<
    infer Kind,
    infer Given,
    infer _Input,
    infer _Reply,
    infer _Snapshot
  >
    ? Kind extends Kinds
      ? { readonly command: Name; readonly input: GivenTo<Given> }
      : never
    : never
}[keyof CommandsIn<Definition> & string]

/** Options of `commandsOf`. */
export interface CommandsOfOptions<Name extends string = string> extends GenerateOptions {
  /** The commands to take. Default: all. */
  readonly only?: readonly Name[]
  /** Commands to leave out. Default: none. */
  readonly except?: readonly Name[]
  /** How often each comes, in proportion to the others; a whole number from 0. Default 1. */
  readonly weights?: Readonly<Partial<Record<Name, number>>>
  /** For each command arbitraries for parts of its input, by path as in `inputOf`. */
  readonly override?: Readonly<Partial<Record<Name, NonNullable<InputOfOptions['override']>>>>
  /** Whether queries are among them. Default true. */
  readonly queries?: boolean
  /** Whether turns are among them. Default false. */
  readonly turns?: boolean
}

type KindsOf<Options> =
  | 'command'
  | (Options extends { readonly queries: false } ? never : 'query')
  | (Options extends { readonly turns: infer Turns } ? (Turns extends false ? never : 'turn') : never)

type Except<Command, Options> = Options extends { readonly except: readonly (infer Name)[] }
  ? Exclude<Command, { readonly command: Name }>
  : Command

/** The commands that are left by the options of `commandsOf`. */
export type ChosenCommand<Definition, Options> = Except<
  Options extends { readonly only: readonly (infer Name)[] }
    ? Extract<CommandOf<Definition, KindsOf<Options>>, { readonly command: Name }>
    : CommandOf<Definition, KindsOf<Options>>,
  Options
>

const OPTIONS: ReadonlySet<string> = new Set(['only', 'except', 'weights', 'override', 'queries', 'turns', 'size', 'depth'])

/**
 * An arbitrary of one command of an actor: its name, and an input that its schema takes, so that
 * `ref.ask[command](input)` is never refused for its input. A command without a schema has `input: undefined`.
 * Throws `CannotGenerate`; its path begins with the name of the command.
 */
export function commandsOf<
  Definition extends ActorDefinition,
  const Options extends CommandsOfOptions<keyof CommandsIn<Definition> & string> = GenerateOptions,
>(definition: Definition, options?: Options): fc.Arbitrary<ChosenCommand<Definition, Options>> {
  // Here the names are any strings; the signature has checked them.
  const given = (options ?? {}) as CommandsOfOptions
  checkNames(definition, given)
  const { only, except = [], weights = {}, override = {}, queries = true, turns = false, ...generating } = given
  const kinds = new Set<CommandKind>(['command', ...(queries ? ['query' as const] : []), ...(turns ? ['turn' as const] : [])])
  const chosen = [...definition.commands.values()].filter(
    ({ name, kind }) => kinds.has(kind) && (only?.includes(name) ?? true) && !except.includes(name) && weights[name] !== 0,
  )
  if (chosen.length === 0) throw new CannotGenerate('', 'command', `no command of ${definition.type} is left by the options`)
  const choices = chosen.map(({ name, input }) => ({
    arbitrary: fc.record(
      { command: fc.constant(name), input: inputs(name, input, { ...generating, override: override[name] ?? {} }) },
      { noNullPrototype: true },
    ),
    weight: weightOf(name, weights[name]),
  }))
  // The schemas are those of the definition's own type, and every input has passed its one.
  return fc.oneof(...choices) as fc.Arbitrary<unknown> as fc.Arbitrary<ChosenCommand<Definition, Options>>
}

function inputs(name: string, schema: z.core.$ZodType | undefined, options: InputOfOptions): fc.Arbitrary<unknown> {
  if (schema === undefined) return fc.constant(undefined)
  try {
    // Nothing around it could leave the input out.
    return walked(schema, options, 'property', complaintOfCommand(schema))
  } catch (error) {
    if (!(error instanceof CannotGenerate) || error.kind === 'option') throw error
    throw error.within(name)
  }
}

/** What the kernel refuses beside what the schema does: the input must become an object without a `type`, which is the command's name. */
function complaintOfCommand(schema: z.core.$ZodType): Complaint {
  const complaint = complaintOf(schema)
  const parser = schema as z.ZodType // As in `complaintOf`.
  return (value) => {
    const first = complaint(value)
    if (first !== undefined) return first
    const parsed: unknown = parser.safeParse(value).data
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'the input of a command must be an object'
    return 'type' in parsed ? 'type: is the name of the command, and cannot be an input' : undefined
  }
}

function checkNames(definition: ActorDefinition, options: CommandsOfOptions): void {
  const { only = [], except = [], weights = {}, override = {} } = options
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new CannotGenerate(name, 'option', 'is no option of commandsOf')
  for (const name of [...only, ...except, ...Object.keys(weights), ...Object.keys(override)]) {
    if (!definition.commands.has(name)) throw new CannotGenerate(name, 'command', `${definition.type} has no such command`)
  }
}

function weightOf(name: string, weight = 1): number {
  if (Number.isSafeInteger(weight) && weight > 0) return weight
  throw new CannotGenerate(name, 'option', `a weight must be a whole number from 0, is ${weight}`)
}
