/** Strings that match a regular expression. fast-check generates them for most; what it does not know is left to the schema's check. */
import * as fc from 'fast-check'

/** A class of characters and how often it comes, as the whole of a pattern: `^[a-z]+$`. */
const REPEATED_CLASS = /^\^((?:\[(?:[^\]\\]|\\.)+\])|\\[wd])(?:[+*]|\{\d+(?:,\d*)?\})\$$/

/** Looks ahead or behind, without groups inside; and borders of words. */
const LOOKS = /\(\?<?[=!](?:[^()\\]|\\.)*\)|\\b/g

/** Strings for a pattern, about as long as they must be; undefined where it uses what cannot be generated. */
export function matching(pattern: RegExp, min: number, max: number): fc.Arbitrary<string> | undefined {
  const flags = pattern.flags.replaceAll(/[^msuv]/g, '').replace('v', 'u')
  const size = min <= 2 ? 'xsmall' : min <= 10 ? 'small' : 'medium'
  const maxLength = Number.isFinite(max) ? { maxLength: max } : {}
  for (const source of new Set([pattern.source, pattern.source.replaceAll(LOOKS, '')])) {
    try {
      return fc.stringMatching(new RegExp(source, flags), { size, ...maxLength })
    } catch {
      // The next one is simpler.
    }
  }
  return undefined
}

/** A pattern of one repeated class, with the lengths that other checks demand. Any other pattern as it is. */
export function widened(pattern: RegExp, min: number, max: number): RegExp {
  const [, characters] = REPEATED_CLASS.exec(pattern.source) ?? []
  if (characters === undefined || (min === 0 && !Number.isFinite(max))) return pattern
  return new RegExp(`^${characters}{${min},${Number.isFinite(max) ? max : ''}}$`, pattern.flags)
}
