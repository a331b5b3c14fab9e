/** Inputs generated from zod schemas: for every kind of schema all of them pass it, and all are what JSON carries. */
import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import { CannotGenerate } from '../../src/generation/cannot-generate.ts'
import { inputOf } from '../../src/generation/input-of.ts'

/** Something that has to be seen among the generated values. */
type Sighting = (value: never) => boolean

interface Category {
  readonly name: string
  readonly children: Category[]
  readonly parent?: Category | undefined
}
const category: z.ZodType<Category, Category> = z.object({
  name: z.enum(['a', 'b']),
  get children() {
    return z.array(category)
  },
  get parent() {
    return category.optional()
  },
})
const numbered = { low: 1, high: 2, 1: 'low', 2: 'high' } as const

const isAbsent =
  (name: string): Sighting =>
  (value: object) =>
    !Object.hasOwn(value, name)
const isPresent =
  (name: string): Sighting =>
  (value: object) =>
    Object.hasOwn(value, name)
const is =
  (expected: unknown): Sighting =>
  (value: unknown) =>
    value === expected
const hasLength =
  (length: number): Sighting =>
  (value: { readonly length: number }) =>
    value.length === length

const SCHEMAS: Readonly<Record<string, readonly [schema: z.core.$ZodType, ...sightings: readonly Sighting[]]>> = {
  // Strings
  string: [z.string(), hasLength(0), hasLength(3)],
  'string with bounds': [z.string().min(2).max(4), hasLength(2), hasLength(4)],
  'string of a length': [z.string().length(7), hasLength(7)],
  'long string': [z.string().min(50).max(60), hasLength(50), hasLength(60)],
  nonempty: [z.string().nonempty(), hasLength(1)],
  trimmed: [z.string().trim().min(1)],
  'start, end and middle': [z.string().startsWith('<').endsWith('>').includes('-').max(8), is('<->')],
  'start that leaves no room': [z.string().startsWith('ab').max(2), is('ab')],
  lowercase: [z.string().lowercase().min(1)],
  uppercase: [z.string().uppercase().min(1)],
  'to upper case': [z.string().toUpperCase()],
  regex: [z.string().regex(/^[A-Z]{3}-\d+$/)],
  'regex with flags': [z.string().regex(/^(?:on|off)$/i), is('on'), is('off')],
  'regex that is not anchored': [z.string().regex(/\d/)],
  'regex with a lookahead': [z.string().regex(/^(?=.*\d)[a-z\d]{2,4}$/)],
  'regex with bounds': [
    z
      .string()
      .regex(/^[a-z]+$/)
      .min(12)
      .max(14),
    hasLength(12),
  ],
  'two regexes': [
    z
      .string()
      .regex(/^[a-z]+$/)
      .regex(/^.{2}$/),
    hasLength(2),
  ],
  email: [z.email(), is('a@example.com')],
  'email by another pattern': [z.email({ pattern: z.regexes.html5Email })],
  'email of one domain': [z.email({ pattern: /^[a-z]+@corp\.example$/ })],
  url: [z.url()],
  httpUrl: [z.httpUrl()],
  'url of a host': [z.url({ protocol: /^wss$/, hostname: /^[a-z]+\.corp$/ })],
  uuid: [z.uuid()],
  uuidv7: [z.uuidv7()],
  guid: [z.guid()],
  nanoid: [z.nanoid()],
  cuid2: [z.cuid2()],
  ulid: [z.ulid()],
  xid: [z.xid()],
  ksuid: [z.ksuid()],
  emoji: [z.emoji()],
  datetime: [z.iso.datetime()],
  'datetime with offset': [z.iso.datetime({ offset: true, precision: 3 })],
  'local datetime': [z.iso.datetime({ local: true })],
  date: [z.iso.date()],
  time: [z.iso.time()],
  duration: [z.iso.duration()],
  ipv4: [z.ipv4()],
  ipv6: [z.ipv6()],
  mac: [z.mac()],
  cidrv4: [z.cidrv4()],
  cidrv6: [z.cidrv6()],
  base64: [z.base64()],
  base64url: [z.base64url()],
  e164: [z.e164()],
  jwt: [z.jwt({ alg: 'HS256' })],
  hostname: [z.hostname()],
  hex: [z.hex()],
  sha256: [z.hash('sha256')],
  'string format of the user': [z.stringFormat('even', (text) => text.length % 2 === 0)],
  templateLiteral: [z.templateLiteral(['item-', z.number().int().min(0), z.enum(['a', 'b'])])],
  stringbool: [z.stringbool(), is('true'), is('off')],
  'stringbool of two words': [z.stringbool({ truthy: ['ja'], falsy: ['nein'] }), is('ja'), is('nein')],
  // Numbers
  number: [z.number(), is(0), (value: number) => value < 0, (value: number) => !Number.isInteger(value)],
  int: [z.int(), is(0), (value: number) => value < 0, (value: number) => Math.abs(value) > 1_000],
  int32: [z.int32()],
  uint32: [z.uint32(), is(0), is(2 ** 32 - 1)],
  float32: [z.float32()],
  float64: [z.float64()],
  'number with bounds': [z.number().min(-1).max(1), is(-1), is(1), is(0)],
  'number with excluded bounds': [z.number().gt(0).lt(0.25)],
  'number of one value': [z.number().min(3).max(3), is(3)],
  'int with bounds': [z.int().min(1).max(1_000_000), is(1), is(1_000_000)],
  'int with excluded bounds': [z.int().gt(2).lt(6), is(3), is(4), is(5)],
  'int between fractions': [z.int().min(0.5).max(2.5), is(1), is(2)],
  positive: [z.number().positive()],
  negative: [z.int().negative(), is(-1)],
  multipleOf: [z.number().multipleOf(0.01).min(0).max(10), is(0.01), is(10)],
  'multiple of two numbers': [z.number().multipleOf(4).multipleOf(6).min(1), is(12)],
  'multiple that excludes its bounds': [z.number().multipleOf(0.1).gt(0.2).lt(0.4), is(0.3)],
  // Values
  boolean: [z.boolean(), is(true), is(false)],
  null: [z.null(), is(null)],
  literal: [z.literal('one'), is('one')],
  literals: [z.literal(['a', 2, null, true]), is('a'), is(2), is(null), is(true)],
  'literals that are partly JSON': [z.literal(['a', 5n]), is('a')],
  enum: [z.enum(['red', 'green']), is('red'), is('green')],
  'enum of numbers': [z.enum(numbered), is(1), is(2)],
  any: [z.any()],
  unknown: [z.unknown()],
  json: [z.json(), (value: unknown) => Array.isArray(value), is(null)],
  // Objects
  object: [z.object({ a: z.int(), b: z.string() })],
  'object with optional properties': [
    z.object({ a: z.int().optional(), b: z.int().exactOptional() }),
    isAbsent('a'),
    isPresent('a'),
    isAbsent('b'),
    isPresent('b'),
  ],
  'object with defaults': [
    z.object({ a: z.int().default(1), b: z.int().prefault(1), c: z.int().nullish(), d: z.int().catch(1) }),
    isAbsent('a'),
    isPresent('a'),
    isAbsent('b'),
    isAbsent('c'),
    (value: { readonly c?: unknown }) => value.c === null,
  ],
  strictObject: [z.strictObject({ a: z.int() })],
  looseObject: [z.looseObject({ a: z.int() }), isAbsent('extra'), isPresent('extra')],
  catchall: [z.object({ a: z.int() }).catchall(z.boolean()), isPresent('more')],
  partial: [z.object({ a: z.int(), b: z.int() }).partial(), isAbsent('a'), isPresent('b')],
  'object with a refinement': [z.object({ from: z.int(), to: z.int() }).refine(({ from, to }) => from < to)],
  'property that is never there': [
    z.object({ a: z.int(), b: z.undefined().optional(), c: z.never().optional() }),
    isAbsent('b'),
    isAbsent('c'),
  ],
  'property of a name that objects have': [z.object({ constructor: z.int() }), isPresent('constructor')],
  // Collections
  array: [z.array(z.int()), hasLength(0), hasLength(3)],
  'array with bounds': [z.array(z.int()).min(2).max(4), hasLength(2), hasLength(4)],
  'array with a high bound': [z.array(z.boolean()).max(20), hasLength(0), hasLength(20)],
  'array that is not empty': [z.array(z.int()).nonempty(), hasLength(1)],
  'array of what may be undefined': [z.array(z.int().optional())],
  'array of distinct numbers': [
    z
      .array(z.int())
      .min(2)
      .refine((list) => new Set(list).size === list.length),
  ],
  tuple: [z.tuple([z.string(), z.int()]), hasLength(2)],
  'tuple with rest': [z.tuple([z.string()], z.int()), hasLength(1), hasLength(3)],
  'tuple with an optional end': [z.tuple([z.string(), z.int().optional()]), hasLength(1), hasLength(2)],
  record: [
    z.record(z.string(), z.int()),
    (value: object) => Object.keys(value).length === 0,
    (value: object) => Object.keys(value).length > 1,
  ],
  'record of known keys': [z.record(z.enum(['a', 'b']), z.int()), isPresent('a'), isPresent('b')],
  partialRecord: [z.partialRecord(z.enum(['a', 'b']), z.int()), isAbsent('a'), isPresent('a')],
  'record of keys of a form': [z.record(z.string().regex(/^k\d$/), z.boolean())],
  'record of numbers': [z.record(z.int(), z.boolean())],
  // Choices
  union: [
    z.union([z.int(), z.string(), z.null()]),
    (value: unknown) => typeof value === 'string',
    is(null),
    (value: unknown) => typeof value === 'number',
  ],
  'union with what is not JSON': [z.union([z.date(), z.iso.date()])],
  discriminatedUnion: [
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('circle'), r: z.number() }),
      z.object({ kind: z.literal(['box', 'cube']), a: z.int() }),
    ]),
    ...['circle', 'box', 'cube'].map(
      (kind): Sighting =>
        (value: { readonly kind: string }) =>
          value.kind === kind,
    ),
  ],
  xor: [z.xor([z.object({ a: z.int() }), z.object({ b: z.int() })]), isPresent('a'), isPresent('b')],
  intersection: [
    z.intersection(z.object({ a: z.int(), n: z.int().min(0) }), z.object({ b: z.int().optional(), n: z.int().max(2) })),
    isPresent('a'),
    isAbsent('b'),
    isPresent('b'),
  ],
  nullable: [z.int().nullable(), is(null), is(0)],
  optional: [z.int().optional(), is(undefined), is(0)],
  nonoptional: [z.object({ a: z.int().optional().nonoptional() }), isPresent('a')],
  // Around a schema
  readonly: [z.array(z.int()).readonly()],
  brand: [z.string().brand<'Id'>()],
  transform: [z.int().transform(String)],
  pipe: [z.string().pipe(z.string().min(2))],
  'numbers as text': [z.string().transform(Number).pipe(z.number().int().min(10).max(99)), is('10'), is('99')],
  'JSON as text': [
    z
      .string()
      .transform((text, context): unknown => {
        try {
          return JSON.parse(text)
        } catch {
          context.addIssue('no JSON')
          return z.NEVER
        }
      })
      .pipe(z.object({ a: z.int() })),
  ],
  codec: [z.codec(z.iso.datetime(), z.date(), { decode: (text) => new globalThis.Date(text), encode: (date) => date.toISOString() })],
  'codec of numbers': [z.codec(z.string(), z.int().min(5).max(6), { decode: Number, encode: String }), is('5'), is('6')],
  preprocess: [z.preprocess((value) => value ?? 3, z.int())],
  refine: [z.int().refine((value) => value % 2 === 0), is(0), is(2)],
  superRefine: [
    z.string().superRefine((text, context) => {
      if (!text.includes('a')) context.addIssue('no a')
    }),
  ],
  'refinement that few pass': [z.string().refine((text) => text === 'abc'), is('abc')],
  custom: [z.custom<string>((value) => typeof value === 'string')],
  coerce: [z.coerce.number().int().max(100), is('1'), is(1)],
  'coerced string': [z.coerce.string()],
  'coerced boolean': [z.coerce.boolean()],
  'coerced big integer': [z.coerce.bigint().min(2n)],
  'coerced date': [z.coerce.date()],
  // Recursion
  recursive: [
    category,
    isAbsent('parent'),
    isPresent('parent'),
    (value: Category) => value.children.length > 0,
    (value: Category) => value.children.some(({ children }) => children.length > 0),
  ],
  lazy: [z.lazy(() => z.int()), is(0)],
  // Schemas of the small zod
  'zod/mini': [
    mini.object({ a: mini.optional(mini.string().check(mini.minLength(2), mini.maxLength(3))), b: mini.int().check(mini.positive()) }),
    isAbsent('a'),
    isPresent('a'),
  ],
}

describe('inputOf', () => {
  test.for(Object.entries(SCHEMAS))(
    '%s: every input passes the schema and survives JSON, and all that must occur does',
    ([, [schema, ...sightings]]) => {
      const missing = new Set(sightings)
      const parser = schema as z.ZodType // Also those of zod/mini can parse.
      fc.assert(
        fc.property(inputOf(schema), (value) => {
          expect(parser.safeParse(value).error).toBeUndefined()
          if (value !== undefined) expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value)
          for (const sighting of missing) if (sighting(value as never)) missing.delete(sighting)
        }),
        { numRuns: 400, seed: 7 },
      )
      expect([...missing].map(String)).toEqual([])
    },
  )

  test('what fails is shrunk to the smallest input that passes the schema', () => {
    const schema = z.object({ amount: z.int().min(1).max(1_000), note: z.string().min(1).optional(), tags: z.array(z.int()) })
    const { counterexample } = fc.check(
      fc.property(inputOf(schema), ({ amount }) => amount < 3),
      { seed: 3 },
    )
    expect(counterexample).toEqual([{ amount: 3, tags: [] }])
  })

  test('ids and names come again: of 200 drawn at most 60 are distinct', () => {
    for (const schema of [z.string(), z.uuid(), z.ulid(), z.int(), z.string().regex(/^[a-z]{8}$/)]) {
      expect(new Set(fc.sample(inputOf(schema), { numRuns: 200, seed: 1 })).size).toBeLessThanOrEqual(60)
    }
  })

  test('`size` says how far values go beyond what is demanded', () => {
    const lengths = (size: number): number =>
      Math.max(...fc.sample(inputOf(z.array(z.null()), { size }), { numRuns: 200, seed: 1 }).map((list) => list.length))
    expect([lengths(0), lengths(1), lengths(9)]).toEqual([0, 1, 9])
  })

  test('`depth` says how often a schema that contains itself is entered again', () => {
    const depthOf = (value: Category): number => 1 + Math.max(0, ...value.children.map(depthOf))
    const depths = (depth: number): number =>
      Math.max(...fc.sample(inputOf(category, { depth }), { numRuns: 300, seed: 1 }).map((value) => depthOf(value)))
    expect([depths(0), depths(1), depths(3)]).toEqual([1, 2, 4])
  })

  test('an override takes the place of a part, wherever it stands', () => {
    const schema = z.object({
      at: z.map(z.string(), z.int()).optional(),
      items: z.array(z.object({ price: z.number() })),
      pair: z.tuple([z.int()]),
    })
    const override = { at: fc.constant(new Map([['a', 1]])), 'items.*.price': fc.constant(7), 'pair.0': fc.constantFrom(8, 'refused') }
    const values = fc.sample(inputOf(schema, { override }), { numRuns: 100, seed: 1 })
    expect(new Set(values.flatMap(({ items }) => items.map(({ price }) => price)))).toEqual(new Set([7]))
    expect(new Set(values.map(({ pair }) => pair[0]))).toEqual(new Set([8]))
    expect(new Set(values.map(({ at }) => at?.get('a')))).toEqual(new Set([1, undefined]))
  })

  test('the type is that of what the schema takes', () => {
    const schema = z.object({ a: z.string().transform(Number), b: z.int().default(1) })
    expectTypeOf(inputOf(schema)).toEqualTypeOf<fc.Arbitrary<{ a: string; b?: number | undefined }>>()
  })
})

const REFUSED: readonly (readonly [title: string, schema: z.core.$ZodType, path: string, kind: string, message: RegExp])[] = [
  ['a map', z.object({ a: z.object({ m: z.map(z.string(), z.int()) }) }), 'a.m', 'map', /JSON has no such values/],
  ['a set that may be absent', z.object({ s: z.set(z.int()).optional() }), 's', 'set', /JSON has no such values/],
  ['a date', z.array(z.object({ at: z.date() })), '*.at', 'date', /iso\.datetime/],
  ['a big integer', z.tuple([z.bigint()]), '0', 'bigint', /big integers/],
  ['NaN', z.record(z.string(), z.nan()), '*', 'nan', /JSON has no such values/],
  ['a symbol, a function, a file', z.union([z.symbol(), z.file()]), '', 'symbol', /JSON has no such values/],
  ['an instance', z.object({ url: z.instanceof(URL) }), 'url', 'custom', /10000 values in a row were refused/],
  ['what has no value', z.object({ a: z.never() }), 'a', 'never', /no such value/],
  ['a property that must be there and undefined', z.object({ a: z.undefined() }), 'a', 'undefined', /JSON has no undefined/],
  ['undefined where something must be', z.array(z.undefined()).min(1), '*', 'undefined', /JSON has no undefined/],
  ['bounds without a number', z.object({ n: z.int().min(5).max(4) }), 'n', 'number', /no number is within its bounds/],
  ['bounds without a whole number', z.int().gt(1).lt(2), '', 'number', /no number is within its bounds/],
  ['bounds without a string', z.object({ s: z.string().min(5).max(4) }), 's', 'string', /as long as it must be/],
  ['bounds without an array', z.array(z.int()).min(5).max(4), '', 'array', /as long as it must be/],
  ['a pattern with a reference', z.object({ s: z.string().regex(/^(a|b)\1$/) }), 's', 'string', /more than can be generated from/],
  [
    'a check that nothing passes',
    z.object({ a: z.object({ n: z.int().refine(() => false, 'never good') }) }),
    'a.n',
    'number',
    /never good/,
  ],
  ['an asynchronous check', z.object({ a: z.int().refine(async () => true) }), 'a', 'number', /threw: .*[Pp]romise/],
  ['a check that throws', z.int().refine(() => JSON.parse('{') as boolean), '', 'number', /threw: .*JSON/],
  ['a schema without an end', z.lazy((): z.ZodType => z.object({ next: endless })), '', 'lazy', /without an end/],
]
const endless: z.ZodType = z.lazy(() => z.object({ next: endless }))

describe('what cannot be generated is CANNOT_GENERATE, with its path and kind', () => {
  test.for(REFUSED)('%s', ([, schema, path, kind, message]) => {
    const refused = (): unknown => inputOf(schema)
    expect(refused).toThrow(CannotGenerate)
    expect(refused).toThrow(message)
    if (kind !== 'lazy') expect(refused).toThrow(expect.objectContaining({ code: 'CANNOT_GENERATE', retryable: false, path, kind }))
  })

  test('options that are misspelt, wrong or for nothing', () => {
    expect(() => inputOf(z.int(), { override: { amuont: fc.constant(1) } })).toThrow(
      expect.objectContaining({ path: 'amuont', kind: 'override' }),
    )
    expect(() => inputOf(z.int(), { size: -1 })).toThrow(expect.objectContaining({ path: 'size', kind: 'option' }))
    expect(() => inputOf(z.int(), { depth: 0.5 })).toThrow(expect.objectContaining({ path: 'depth', kind: 'option' }))
    expect(() => inputOf(z.int(), { sise: 1 } as object)).toThrow(expect.objectContaining({ path: 'sise', kind: 'option' }))
  })

  test('an override that the schema refuses throughout', () => {
    expect(() => inputOf(z.object({ n: z.int() }), { override: { n: fc.constant('one') } })).toThrow(
      expect.objectContaining({ path: 'n', kind: 'number' }),
    )
  })
})
