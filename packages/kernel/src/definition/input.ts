/** Checks of what is handed to a command, the same for a call from outside and for a message from another actor. */
import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { InvalidInput, messageOf } from '../errors.ts'
import { canonicalJson, findJsonFault } from './json.ts'
import type { Preempt } from './turn-context.ts'

const KEY_LENGTH_MAX = 1_024
const NAME_LENGTH_MAX = 1_024
/** The last moment that a date can stand for. */
const MOMENT_MAX = 8.64e15
/** A hundred thousand years, so that every moment reached by a delay is one that a date can stand for. */
export const DELAY_MAX = 3.2e15

/** Validates the input of a command. Throws `InvalidInput`, naming the field. */
export function checkInput(operation: string, schema: z.ZodType | undefined, given: unknown): object | null {
  if (schema === undefined) {
    if (given === undefined || given === null) return null
    if (typeof given === 'object' && Object.keys(given).length === 0) return null
    throw new InvalidInput(operation, '', 'takes no input')
  }
  const input = parse(operation, schema, given ?? {})
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new InvalidInput(operation, '', 'must be an object')
  if ('type' in input) throw new InvalidInput(operation, 'type', 'is the name of the command in its event, and cannot be an input')
  checkJson(operation, input)
  return input
}

/** Validates any value by a schema, where there is one. Throws `InvalidInput`, naming the field. */
export function checkValue(operation: string, schema: z.ZodType | undefined, given: unknown): unknown {
  const value = schema === undefined ? given : parse(operation, schema, given)
  checkJson(operation, value)
  return value
}

/** Checks a key, joining the parts of a compound one. Throws `InvalidInput` where keys have no meaning, or for a bad one. */
export function checkIdempotencyKey(operation: string, key: unknown, kind: 'command' | 'query' | 'turn', isDurable: boolean): string {
  const text = Array.isArray(key) ? compound(operation, key) : plain(key)
  if (typeof text !== 'string' || text === '' || text.length > KEY_LENGTH_MAX || !text.isWellFormed()) {
    throw new InvalidInput(operation, 'idempotencyKey', `must be a string of 1 to ${KEY_LENGTH_MAX} characters, or an array of strings`)
  }
  if (kind === 'query') throw new InvalidInput(operation, 'idempotencyKey', 'has no meaning for a query, which changes nothing')
  if (!isDurable) throw new InvalidInput(operation, 'idempotencyKey', 'has no meaning for a volatile actor, which keeps no records')
  return text
}

/** SHA-256 of the canonical input: two inputs are the same if their JSON is, whatever the order of properties. */
export function fingerprintOfInput(input: object | null): string {
  return createHash('sha256').update(canonicalJson(input)).digest('base64url')
}

/** The moment before which something is not to be handled, from a delay or a date. Throws `InvalidInput`. */
export function checkDueAt(operation: string, delayMs: unknown, at: unknown, now: number, atField = 'deliverAt'): number | undefined {
  if (delayMs === undefined && at === undefined) return undefined
  if (delayMs !== undefined && at !== undefined) throw new InvalidInput(operation, atField, 'cannot be combined with delayMs')
  if (delayMs !== undefined) return now + Math.ceil(checkMs(operation, 'delayMs', delayMs, 0))
  // oxlint-disable-next-line eslint/no-restricted-globals -- it recognises a date that was given, and reads no time.
  const moment = at instanceof Date ? at.getTime() : at
  if (typeof moment === 'number' && moment >= 0 && moment <= MOMENT_MAX) return Math.ceil(moment)
  throw new InvalidInput(operation, atField, 'must be a date, or milliseconds since 1970')
}

/** Checks a length of time in milliseconds. Throws `InvalidInput`. */
export function checkMs(operation: string, field: string, value: unknown, min: number): number {
  if (typeof value === 'number' && value >= min && value <= DELAY_MAX) return value
  throw new InvalidInput(operation, field, `must be a number of milliseconds from ${min} to ${DELAY_MAX}`)
}

/** Checks a name that a sender gives. Throws `InvalidInput`. */
export function checkName(operation: string, field: string, name: unknown): string {
  if (typeof name === 'string' && name !== '' && name.length <= NAME_LENGTH_MAX && name.isWellFormed() && !name.startsWith('\u0000'))
    return name
  throw new InvalidInput(operation, field, `must be a string of 1 to ${NAME_LENGTH_MAX} characters`)
}

/** Checks what a command is to do to a running turn. Throws `InvalidInput`. */
export function checkPreempt(operation: string, preempt: unknown): Preempt {
  if (preempt === 'steal' || preempt === 'abort-keep' || preempt === 'abort-drop' || preempt === 'none') return preempt
  throw new InvalidInput(operation, 'preempt', 'must be "steal", "abort-keep", "abort-drop" or "none"')
}

/** A misspelt option would be lost in silence. Throws `InvalidInput`, naming it. */
export function checkOptionNames(operation: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) throw new InvalidInput(operation, 'options', 'must be an object')
  for (const field of Object.keys(options)) if (!known.has(field)) throw new InvalidInput(operation, field, 'is no option of this call')
}

/** Checks an abort signal, where one is given. Throws `InvalidInput`. */
export function checkSignal(operation: string, signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new InvalidInput(operation, 'signal', 'must be an AbortSignal')
}

/** A plain key that looks like a compound one is written as JSON too, so that the two are never the same. */
function plain(key: unknown): unknown {
  return typeof key === 'string' && (key.startsWith('[') || key.startsWith('"')) ? JSON.stringify(key) : key
}

/** Writes a key with parts as JSON, so that no part can pretend to be several. */
function compound(operation: string, parts: readonly unknown[]): string {
  if (parts.length === 0 || parts.some((part) => typeof part !== 'string')) {
    throw new InvalidInput(operation, 'idempotencyKey', 'must be a string, or an array of strings that is not empty')
  }
  return JSON.stringify(parts)
}

function checkJson(operation: string, value: unknown): void {
  const fault = findJsonFault(value)
  if (fault !== undefined) throw new InvalidInput(operation, fault.path, `${fault.detail}, which JSON cannot carry`)
}

function parse(operation: string, schema: z.ZodType, given: unknown): unknown {
  const result = safeParse(operation, schema, given)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => ({ field: path.map(String).join('.'), message }))
  const [first] = issues
  throw new InvalidInput(
    operation,
    first?.field ?? '',
    first?.message ?? 'is invalid',
    issues.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)),
  )
}

function safeParse(operation: string, schema: z.ZodType, given: unknown): ReturnType<typeof schema.safeParse> {
  try {
    return schema.safeParse(given)
  } catch (error) {
    throw new InvalidInput(operation, '', `could not be checked, because its schema threw or is asynchronous (${messageOf(error)})`)
  }
}
