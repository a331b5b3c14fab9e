/** Arbitraries of what a zod schema takes. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { CannotGenerate, Refusal } from './cannot-generate.ts'
import { complaintOf, Sieve } from './sieve.ts'
import type { Complaint } from './sieve.ts'
import type { Place } from './spot.ts'
import { Walk } from './walk.ts'

/** Options of what generates inputs. */
export interface GenerateOptions {
  /**
   * How far values go beyond what their schema demands: characters of a string, elements of an array, whole steps from the
   * number nearest to zero. Small, so that the commands of a test collide; bounds and far values come now and then. A whole
   * number from 0. Default 3.
   */
  readonly size?: number
  /** How often a schema that contains itself is entered again. A whole number from 0. Default 2. */
  readonly depth?: number
}

/** Options of `inputOf`. */
export interface InputOfOptions extends GenerateOptions {
  /**
   * Arbitraries for parts of the input, by path: names of properties joined with dots, `*` for the elements of an array, the
   * values of a record and further properties of an object, a number for the items of a tuple; empty for the input as a whole.
   * What a schema refuses of them is left out.
   */
  readonly override?: Readonly<Record<string, fc.Arbitrary<unknown>>>
}

const OPTIONS: ReadonlySet<string> = new Set(['size', 'depth', 'override'])

/**
 * An arbitrary of inputs that a zod 4 schema takes: all pass `safeParse`, and all are what JSON carries unchanged, which
 * leaves out `undefined` (an optional property is absent), NaN and -0. Of a union those branches are taken that are JSON.
 * Throws `CannotGenerate`, naming path and kind, for what has no JSON form, and for checks that refuse nearly everything; a
 * check that does so only at times throws while values are generated.
 */
export function inputOf<Schema extends z.core.$ZodType>(schema: Schema, options: InputOfOptions = {}): fc.Arbitrary<z.input<Schema>> {
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new CannotGenerate(name, 'option', 'is no option of inputOf')
  // What has passed the schema is an input of it; the walk forgets the types.
  return walked(schema, options, 'root', complaintOf(schema)) as fc.Arbitrary<z.input<Schema>>
}

/** Walks through a schema. `complaint` has the last word on every value. */
export function walked(schema: z.core.$ZodType, options: InputOfOptions, place: Place, complaint: Complaint): fc.Arbitrary<unknown> {
  const { size = 3, depth = 2, override = {} } = options
  wholeNumber('size', size)
  wholeNumber('depth', depth)
  const walk = new Walk(size, depth, override)
  const built = walk.build(schema, '', place)
  if (built instanceof Refusal) throw built.toError()
  const [unused] = walk.unused
  if (unused !== undefined) throw new CannotGenerate(unused, 'override', 'the schema has no such part')
  const arbitrary = new Sieve(built, complaint, '', schema._zod.def.type)
  fc.sample(arbitrary, { numRuns: 3, seed: 1 }) // What can hardly be generated is said at once, not in the middle of a test.
  return arbitrary
}

function wholeNumber(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new CannotGenerate(name, 'option', `must be a whole number from 0, is ${String(value)}`)
}
