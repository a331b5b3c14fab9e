/** The header `Idempotency-Key`, as the IETF draft of that name has it: a string of structured fields, in quotes. */
import { KeyMissing } from './errors.ts'

/** Name of the header, in lower case. */
export const KEY_HEADER = 'idempotency-key'

/** How many characters a key may have. */
export const KEY_LENGTH_MAX = 255

/**
 * The key out of the header's value, with or without quotes, because many clients send none; undefined where there is no
 * header. Throws `KeyMissing` for a value that is no key.
 */
export function keyOfHeader(operation: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  const quoted = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/.exec(text)?.[1]
  const key = quoted === undefined ? text : quoted.replaceAll(/\\(["\\])/g, '$1')
  if (quoted === undefined && !/^[!#-~]*$/.test(text)) throw new KeyMissing(operation, 'the header must be one string of visible ASCII')
  if (key === '' || key.length > KEY_LENGTH_MAX) throw new KeyMissing(operation, `it must have 1 to ${KEY_LENGTH_MAX} characters`)
  return key
}
