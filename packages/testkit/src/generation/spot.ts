/** What the builders of the kinds of schemas are given, and what they share. */
import type * as fc from 'fast-check'
import type { z } from 'zod'
import type { Refusal } from './cannot-generate.ts'

/** Where a value stands. JSON has no `undefined`: a property can be absent, an element of an array cannot. */
export type Place = 'root' | 'property' | 'element'

/** An arbitrary, or why there is none. */
export type Built = fc.Arbitrary<unknown> | Refusal

/** The part of the schema that is being built. */
export interface Spot {
  readonly path: string
  readonly place: Place
  /** How much may be added to what a schema demands: characters, elements, steps from the number nearest to zero. */
  readonly size: number
  /** Builds a schema that stands for the same value. */
  inner(schema: z.core.$ZodType): Built
  /** Builds a schema of a part of the value. */
  child(schema: z.core.$ZodType, name: string, place: Place): Built
  /** The values of a source that this spot's own schema takes. */
  sieve<T>(source: fc.Arbitrary<T>): fc.Arbitrary<T>
  /** Says that JSON has no value for the schema, or that there is none at all. */
  refuse(detail: string): Refusal
  /** Says that there is no value here, and that nothing is lost by it. */
  lack(detail: string): Refusal
}

/** The definitions of the checks of a schema, its own first: a format is a schema and a check at once. */
export function checksOf(schema: z.core.$ZodType): readonly z.core.$ZodChecks['_zod']['def'][] {
  const { def } = schema._zod
  const added = (def.checks ?? []).map((check) => check._zod.def)
  // zod types checks as something that only takes values; what is read here is their definitions, told apart by `check`.
  return ('check' in def ? [def, ...added] : added) as readonly unknown[] as readonly z.core.$ZodChecks['_zod']['def'][]
}

/** The bounds of a length, as the checks of a string or an array say. */
export function lengthsOf(schema: z.core.$ZodType): { readonly min: number; readonly max: number } {
  let min = 0
  let max = Number.POSITIVE_INFINITY
  for (const check of checksOf(schema)) {
    if (check.check === 'min_length') min = Math.max(min, check.minimum)
    if (check.check === 'max_length') max = Math.min(max, check.maximum)
    if (check.check !== 'length_equals') continue
    min = Math.max(min, check.length)
    max = Math.min(max, check.length)
  }
  return { min, max }
}
