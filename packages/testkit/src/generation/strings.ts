/** Strings: short ones over few letters, and for formats and patterns a few that come again and again, so that commands collide. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { Refusal } from './cannot-generate.ts'
import { formatted } from './formats.ts'
import { matching, widened } from './patterns.ts'
import { checksOf, lengthsOf } from './spot.ts'
import type { Built, Spot } from './spot.ts'

/** How many values of a pattern come again and again. */
const POOL = 4

/** Beyond so many characters the longest allowed string is not tried. */
const LONGEST = 1_000

/** One UTF-16 unit each, so that lengths are exact. The rare ones are those that break quoting, trimming and sorting. */
const CHARACTER: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', 'c'), weight: 12 },
  { arbitrary: fc.constantFrom('Z', '0', ' ', '"', "'", '\\', '/', '\n', 'é', '漢', '\u0000'), weight: 1 },
)

/** What the checks of a string demand. */
interface Wants {
  readonly min: number
  readonly max: number
  readonly prefix: string
  readonly suffix: string
  readonly middle: string
  readonly formats: readonly z.core.$ZodCheckStringFormatDef[]
  readonly letters: 'any' | 'lowercase' | 'uppercase'
}

/** Strings for a schema of strings. */
export function strings(schema: z.core.$ZodString, spot: Spot): Built {
  const wants = wantsOf(schema)
  if (wants.min > wants.max) return spot.refuse('no string is as long as it must be')
  const [format] = wants.formats
  if (format === undefined) return cased(plain(wants, spot.size), wants)
  const { pattern } = format
  const known = formatted(format, spot.size)
  const matched = pattern === undefined ? undefined : matching(widened(pattern, wants.min, wants.max), wants.min, wants.max)
  if (known === undefined && matched === undefined) {
    if (pattern === undefined) return cased(plain(wants, spot.size), wants)
    return spot.refuse(`its pattern ${String(pattern)} is more than can be generated from`)
  }
  const sources = [known, matched].filter((source) => source !== undefined)
  const { prefix, middle, suffix } = wants
  if (`${prefix}${middle}${suffix}` !== '') sources.push(...sources.map((source) => source.map((text) => prefix + middle + text + suffix)))
  return pooled(cased(fc.oneof(...sources), wants), spot)
}

/** Strings that match a pattern, for a template literal. */
export function patterned(pattern: RegExp, spot: Spot): Built {
  const matched = matching(pattern, 0, Number.POSITIVE_INFINITY)
  return matched === undefined ? spot.refuse(`its pattern ${String(pattern)} is more than can be generated from`) : pooled(matched, spot)
}

/** Short strings for where anything goes. */
export function shortStrings(size: number): fc.Arbitrary<string> {
  return fc.string({ unit: CHARACTER, maxLength: size, size: 'max' })
}

/** An alternative to whatever takes text: other values as the text that stands for them. */
export function asText(built: Built): Built {
  if (built instanceof Refusal) return built
  return built.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
}

function wantsOf(schema: z.core.$ZodString): Wants {
  let prefix = ''
  let suffix = ''
  let middle = ''
  let letters: Wants['letters'] = 'any'
  const formats: z.core.$ZodCheckStringFormatDef[] = []
  for (const check of checksOf(schema)) {
    if (check.check !== 'string_format') continue
    if ('prefix' in check && typeof check.prefix === 'string') ({ prefix } = check)
    else if ('suffix' in check && typeof check.suffix === 'string') ({ suffix } = check)
    else if ('includes' in check && typeof check.includes === 'string') middle += check.includes
    else if (check.format === 'lowercase' || check.format === 'uppercase') letters = check.format
    else formats.push(check)
  }
  return { ...lengthsOf(schema), prefix, suffix, middle, formats, letters }
}

function plain({ min, max, prefix, middle, suffix }: Wants, size: number): fc.Arbitrary<string> {
  const fixed = prefix.length + middle.length + suffix.length
  const least = Math.max(0, min - fixed)
  const most = Math.max(least, max - fixed)
  const near = Math.min(most, least + size)
  const strings = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc.string({ unit: CHARACTER, minLength, maxLength, size: 'max' })
  const short = strings(least, near)
  const text =
    near < most && most <= LONGEST ? fc.oneof({ arbitrary: short, weight: 12 }, { arbitrary: strings(most, most), weight: 1 }) : short
  return fixed === 0 ? text : text.map((body) => prefix + middle + body + suffix)
}

function cased(source: fc.Arbitrary<string>, { letters }: Wants): fc.Arbitrary<string> {
  if (letters === 'any') return source
  return source.map((text) => (letters === 'lowercase' ? text.toLowerCase() : text.toUpperCase()))
}

/** A few values that come again and again, the shortest first, and now and then another one. */
function pooled(source: fc.Arbitrary<string>, spot: Spot): Built {
  const valid = spot.sieve(source)
  const pool = [...new Set(fc.sample(valid, { numRuns: 2 * POOL, seed: 1 }))]
  const few = pool.sort((left, right) => left.length - right.length || (left < right ? -1 : 1)).slice(0, POOL)
  return fc.oneof({ arbitrary: fc.constantFrom(...few), weight: 4 }, { arbitrary: valid, weight: 1 })
}
