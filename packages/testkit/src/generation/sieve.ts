/** A filter that gives up: unlike fast-check's own it does not try for ever. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { CannotGenerate } from './cannot-generate.ts'

/** After so many refusals in a row the generator gives up. */
const TRIES = 10_000

/** Why a value is refused; undefined for one that is taken. */
export type Complaint = (value: unknown) => string | undefined

/** The complaint of a schema: what `safeParse` finds first. A schema that throws or is asynchronous refuses. */
export function complaintOf(schema: z.core.$ZodType): Complaint {
  // Every schema of zod and of zod/mini has it; only the type of their common core does not say so.
  const parser = schema as z.ZodType
  return (value) => {
    try {
      const result = parser.safeParse(value)
      if (result.success) return undefined
      const [issue] = result.error.issues
      return issue === undefined ? 'is invalid' : `${issue.path.map((part) => `${String(part)}: `).join('')}${issue.message}`
    } catch (error) {
      return `the schema threw: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

/** The values of an arbitrary that a complaint does not refuse. Generating throws `CannotGenerate` if nearly all are refused. */
export class Sieve<T> extends fc.Arbitrary<T> {
  readonly #source: fc.Arbitrary<T>
  readonly #complaint: Complaint
  readonly #path: string
  readonly #kind: string

  constructor(source: fc.Arbitrary<T>, complaint: Complaint, path: string, kind: string) {
    super()
    this.#source = source
    this.#complaint = complaint
    this.#path = path
    this.#kind = kind
  }

  override generate(random: fc.Random, biasFactor: number | undefined): fc.Value<T> {
    let last: string | undefined
    for (let tried = 0; tried < TRIES; tried += 1) {
      // A bias may lead to the same few values again and again.
      const value = this.#source.generate(random, tried < TRIES / 2 ? biasFactor : undefined)
      last = this.#complaint(value.value)
      if (last === undefined) return value
    }
    throw new CannotGenerate(this.#path, this.#kind, `${TRIES} values in a row were refused, the last one because: ${last ?? ''}`)
  }

  override canShrinkWithoutContext(value: unknown): value is T {
    return this.#source.canShrinkWithoutContext(value) && this.#complaint(value) === undefined
  }

  override shrink(value: T, context: unknown): fc.Stream<fc.Value<T>> {
    return this.#source.shrink(value, context).filter((shrunk) => this.#complaint(shrunk.value) === undefined)
  }
}
