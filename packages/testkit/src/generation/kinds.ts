/** How a value is generated for each kind of zod schema: a table from the kind to its builder. A kind that is not in it has no JSON form. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { Refusal } from './cannot-generate.ts'
import { arrays, objects, records, tuples } from './collections.ts'
import { numbers, numbersOrText } from './numbers.ts'
import type { Built, Spot } from './spot.ts'
import { asText, patterned, shortStrings, strings } from './strings.ts'

/** The kind of a schema, as its definition says. */
export type Kind = z.core.$ZodTypeDef['type']

type SchemaOf<K extends Kind> = Extract<z.core.$ZodTypes, { _zod: { def: { type: K } } }>

/** A builder for each kind that has one. */
type Builders = { readonly [K in Kind]?: (schema: SchemaOf<K>, spot: Spot) => Built }

const DAY_MS = 86_400_000

const BUILDERS: Builders = {
  string: (schema, spot) => strings(schema, spot),
  number: (schema, spot) => (schema._zod.def.coerce === true ? numbersOrText(schema, spot) : numbers(schema, spot)),
  boolean: () => fc.boolean(),
  null: () => fc.constant(null),
  undefined: (_schema, spot) => nothing(spot),
  void: (_schema, spot) => nothing(spot),
  never: (_schema, spot) => spot.lack('there is no such value'),
  any: (_schema, spot) => json(spot.size),
  unknown: (_schema, spot) => json(spot.size),
  literal: (schema, spot) => oneOfValues(schema._zod.def.values, spot),
  enum: (schema, spot) => oneOfValues(valuesOf(schema._zod.def.entries), spot),
  template_literal: (schema, spot) => patterned(schema._zod.pattern, spot),
  custom: (_schema, spot) => json(spot.size),
  // With `coerce` a schema takes texts and numbers, which are JSON, and makes of them what is not.
  bigint: (schema, spot) => (schema._zod.def.coerce === true ? numbersOrText(schema, spot, true) : spot.refuse('JSON has no big integers')),
  date: (schema, spot) => (schema._zod.def.coerce === true ? moments(spot) : spot.refuse('JSON has no dates; take z.iso.datetime()')),
  object: objects,
  array: arrays,
  tuple: tuples,
  record: records,
  union: (schema, spot) => unions(schema._zod.def.options, spot),
  intersection: (schema, spot) => intersections(schema, spot),
  optional: (schema, spot) => optionals(schema._zod.def.innerType, spot),
  default: (schema, spot) => optionals(schema._zod.def.innerType, spot),
  prefault: (schema, spot) => optionals(schema._zod.def.innerType, spot),
  nullable: (schema, spot) => nullables(schema._zod.def.innerType, spot),
  nonoptional: (schema, spot) => spot.inner(schema._zod.def.innerType),
  readonly: (schema, spot) => spot.inner(schema._zod.def.innerType),
  catch: (schema, spot) => spot.inner(schema._zod.def.innerType),
  success: (schema, spot) => spot.inner(schema._zod.def.innerType),
  lazy: (schema, spot) => spot.inner(schema._zod.innerType),
  pipe: (schema, spot) => pipes(schema, spot),
  transform: (_schema, spot) => json(spot.size),
}

/** Kinds whose builder aims at more than what the schema takes. Of the others only those with checks have to be sorted. */
const INEXACT: ReadonlySet<Kind> = new Set<Kind>([
  'string',
  'number',
  'bigint',
  'date',
  'template_literal',
  'custom',
  'intersection',
  'nonoptional',
  'pipe',
  'transform',
])

/** Builds a schema by its kind. */
export function buildByKind(schema: z.core.$ZodType, spot: Spot): Built {
  const { def } = schema._zod
  // The table goes by the kind, and the kind says which schema it is; TypeScript cannot follow that from one to the other.
  const builder = BUILDERS[def.type] as ((schema: z.core.$ZodType, spot: Spot) => Built) | undefined
  const built = builder === undefined ? spot.refuse('JSON has no such values') : builder(schema, spot)
  if (built instanceof Refusal) return built
  const isExact = !INEXACT.has(def.type) && (def.checks ?? []).length === 0 && !('inclusive' in def && def.inclusive === false)
  return isExact ? built : spot.sieve(built)
}

/** Any JSON, small. */
function json(size: number): fc.Arbitrary<unknown> {
  const leaf = fc.oneof(fc.constant(null), fc.boolean(), fc.integer({ min: 0, max: size }), shortStrings(size))
  const name = fc.constantFrom('a', 'b', 'c')
  return fc.oneof(
    { arbitrary: leaf, weight: 4 },
    { arbitrary: fc.array(leaf, { maxLength: size, size: 'max' }), weight: 1 },
    { arbitrary: fc.dictionary(name, leaf, { maxKeys: size, size: 'max', noNullPrototype: true }), weight: 1 },
  )
}

function nothing(spot: Spot): Built {
  return spot.place === 'root' ? fc.constant(undefined) : spot.lack('JSON has no undefined')
}

function oneOfValues(values: readonly unknown[], spot: Spot): Built {
  const carried = values.filter((value) =>
    typeof value === 'number' ? Number.isFinite(value) : value === null || typeof value === 'string' || typeof value === 'boolean',
  )
  if (carried.length > 0) return fc.constantFrom(...carried)
  return values.includes(undefined) ? nothing(spot) : spot.refuse('none of its values is JSON')
}

/** The values of an enum. One of TypeScript's with numbers also has the names of its numbers among them. */
function valuesOf(entries: z.core.util.EnumLike): readonly (string | number)[] {
  const numbers = new Set(Object.values(entries).filter((value) => typeof value === 'number'))
  return Object.entries(entries)
    .filter(([name]) => !numbers.has(Number(name)))
    .map(([, value]) => value)
}

/** Moments as milliseconds since 1970, whole days, within the bounds of the schema. */
function moments(spot: Spot): Built {
  const days = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max }).map((day) => day * DAY_MS)
  return fc.oneof({ arbitrary: days(0, spot.size), weight: 1 }, { arbitrary: days(-36_500, 73_000), weight: 3 })
}

function optionals(innerType: z.core.$ZodType, spot: Spot): Built {
  const inner = spot.inner(innerType)
  if (spot.place !== 'root') return inner // The object around it leaves the property out; an array has no place for it.
  if (!(inner instanceof Refusal)) return fc.option(inner, { nil: undefined })
  return inner.isHarmless ? fc.constant(undefined) : inner
}

function nullables(innerType: z.core.$ZodType, spot: Spot): Built {
  const inner = spot.inner(innerType)
  if (!(inner instanceof Refusal)) return fc.option(inner, { nil: null })
  return inner.isHarmless ? fc.constant(null) : inner
}

/** Branches that JSON cannot take are left out: no command can. */
function unions(options: readonly z.core.$ZodType[], spot: Spot): Built {
  const branches = options.map((option) => spot.inner(option))
  const possible = branches.filter((branch): branch is fc.Arbitrary<unknown> => !(branch instanceof Refusal))
  if (possible.length > 0) return fc.oneof(...possible)
  const refusals = branches.filter((branch) => branch instanceof Refusal)
  return refusals.find(({ isHarmless }) => !isHarmless) ?? refusals[0] ?? spot.lack('it has no branch')
}

function intersections({ _zod: { def } }: z.core.$ZodIntersection, spot: Spot): Built {
  const left = spot.inner(def.left)
  const right = spot.inner(def.right)
  if (left instanceof Refusal) return left
  if (right instanceof Refusal) return right
  return fc.tuple(left, right, fc.boolean()).map(([one, other, isFirst]) => (isFirst ? merged(one, other) : merged(other, one)))
}

/** Two values as one: objects with the properties of both; of anything else the second. */
function merged(one: unknown, other: unknown): unknown {
  if (!isObject(one) || !isObject(other)) return other
  const both = { ...one, ...other }
  for (const name of Object.keys(one)) if (Object.hasOwn(other, name)) both[name] = merged(one[name], other[name])
  return both
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The input side of a pipe. Values that its output side names are tried too, written back by the codec or as text: of the
 * strings that are read as numbers, hardly one would be found by chance.
 */
function pipes(schema: z.core.$ZodPipe, spot: Spot): Built {
  const { def, bag } = schema._zod
  const { truthy, falsy } = bag // Of z.stringbool(): the words that it takes.
  if (Array.isArray(truthy) && Array.isArray(falsy)) return oneOfValues([truthy, falsy].flat() as unknown[], spot) // They are any array's elements.
  if (def.in._zod.def.type === 'transform') return spot.inner(def.out)
  const built = spot.inner(sourceOf(def.in))
  if (built instanceof Refusal || def.out._zod.def.type === 'transform') return built
  const output = spot.inner(def.out)
  if (output instanceof Refusal) return built
  const { reverseTransform } = def
  if (reverseTransform !== undefined) {
    const encoded = output.map((value) => attempted(() => reverseTransform(value, { value, issues: [] })))
    return fc.oneof({ arbitrary: encoded, weight: 3 }, { arbitrary: built, weight: 1 })
  }
  const text = startOf(def.in)._zod.def.type === 'string' ? asText(output) : output
  return text instanceof Refusal ? built : fc.oneof(built, text)
}

/** What generates for the input side: without the transforms after it, which the whole pipe checks anyway. */
function sourceOf(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema._zod.def.type !== 'pipe') return schema
  const { def } = (schema as z.core.$ZodPipe)._zod // The kind says what it is.
  return def.out._zod.def.type === 'transform' ? sourceOf(def.in) : schema
}

/** The schema that is first given the value. */
function startOf(schema: z.core.$ZodType): z.core.$ZodType {
  return schema._zod.def.type === 'pipe' ? startOf((schema as z.core.$ZodPipe)._zod.def.in) : schema // The kind says what it is.
}

/** What a user's function answers; undefined, which the schema refuses, where it throws. */
function attempted(encode: () => unknown): unknown {
  try {
    return encode()
  } catch {
    return undefined
  }
}
