/**
 * From a call to the message that leaves: the input is validated and checked for JSON, options get their defaults, and
 * a key gets the fingerprint of what it stands for. Whatever is wrong is found here, before anything is sent.
 */
import { createHash } from 'node:crypto'
import type { AnyCommand } from '../definition/define-actor.ts'
import { canonicalJson, findJsonFault } from '../definition/json.ts'
import { InvalidInput, messageOf } from '../errors.ts'
import { laneOf, PRIORITIES } from '../shard/lanes.ts'
import type { Lane, Priority } from '../shard/lanes.ts'

/** Options of `ask` and `tell`. */
export interface CallOptions {
  /** Lane of this command. Default: the priority of its definition. */
  readonly priority?: Priority
  /**
   * Makes the command safe to repeat: the same key for the same actor and command executes once, and later calls get
   * the recorded answer. At most 1,024 characters. Kept for 24 hours after completion unless the system says otherwise.
   */
  readonly idempotencyKey?: string
  /** After so many milliseconds the call ends with `AskTimeout`, its outcome unknown. Default 30,000. */
  readonly timeoutMs?: number
  /** Ends the call with `AskAborted`. What was sent may still take effect. */
  readonly signal?: AbortSignal
}

/** A call after its checks. */
export interface CheckedCall {
  readonly lane: Lane
  readonly input: object | null
  readonly idempotencyKey: string | undefined
  readonly fingerprint: string | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

const KEY_LENGTH_MAX = 1_024
const NO_OPTIONS: CallOptions = {}

/** Checks a call. Throws `InvalidInput`, naming the field. */
export function checkCall(
  operation: string,
  command: AnyCommand,
  isDurable: boolean,
  given: unknown,
  options: CallOptions = NO_OPTIONS,
): CheckedCall {
  const input = checkInput(operation, command, given)
  const priority = options.priority ?? command.priority
  if (!PRIORITIES.includes(priority)) throw new InvalidInput(operation, 'priority', `must be one of ${PRIORITIES.join(', ')}`)
  const { idempotencyKey, signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new InvalidInput(operation, 'signal', 'must be an AbortSignal')
  if (idempotencyKey !== undefined) checkKey(operation, idempotencyKey, command.kind, isDurable)
  return {
    lane: laneOf(priority),
    input,
    idempotencyKey,
    fingerprint: idempotencyKey === undefined ? undefined : fingerprintOfInput(input),
    timeoutMs: checkTimeout(operation, options.timeoutMs),
    signal,
  }
}

/** Checks a timeout; the default is 30 seconds. Throws `InvalidInput`. */
export function checkTimeout(operation: string, timeoutMs = 30_000): number {
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && Number.isFinite(timeoutMs)) return timeoutMs
  throw new InvalidInput(operation, 'timeoutMs', 'must be a positive number of milliseconds')
}

function checkInput(operation: string, command: AnyCommand, given: unknown): object | null {
  if (command.input === undefined) {
    if (given === undefined || given === null) return null
    if (typeof given === 'object' && Object.keys(given).length === 0) return null
    throw new InvalidInput(operation, '', 'takes no input')
  }
  const input = parse(operation, command.input, given ?? {})
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new InvalidInput(operation, '', 'must be an object')
  if ('type' in input) throw new InvalidInput(operation, 'type', 'is the name of the command in its event, and cannot be an input')
  const fault = findJsonFault(input)
  if (fault !== undefined) throw new InvalidInput(operation, fault.path, `${fault.detail}, which JSON cannot carry`)
  return input
}

function parse(operation: string, schema: NonNullable<AnyCommand['input']>, given: unknown): unknown {
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

function safeParse(operation: string, schema: NonNullable<AnyCommand['input']>, given: unknown): ReturnType<typeof schema.safeParse> {
  try {
    return schema.safeParse(given)
  } catch (error) {
    throw new InvalidInput(operation, '', `could not be checked, because its schema threw or is asynchronous (${messageOf(error)})`)
  }
}

function checkKey(operation: string, key: unknown, kind: AnyCommand['kind'], isDurable: boolean): void {
  if (typeof key !== 'string' || key === '' || key.length > KEY_LENGTH_MAX || !key.isWellFormed()) {
    throw new InvalidInput(operation, 'idempotencyKey', `must be a string of 1 to ${KEY_LENGTH_MAX} characters`)
  }
  if (kind === 'query') throw new InvalidInput(operation, 'idempotencyKey', 'has no meaning for a query, which changes nothing')
  if (!isDurable) throw new InvalidInput(operation, 'idempotencyKey', 'has no meaning for a volatile actor, which keeps no records')
}

/** SHA-256 of the canonical input: two inputs are the same if their JSON is, whatever the order of properties. */
function fingerprintOfInput(input: object | null): string {
  return createHash('sha256').update(canonicalJson(input)).digest('base64url')
}
