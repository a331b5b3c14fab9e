/**
 * From a call to the message that leaves: the input is validated and checked for JSON, options get their defaults, and
 * a key gets the fingerprint of what it stands for. Whatever is wrong is found here, before anything is sent.
 */
import type { AnyCommand } from '../definition/define-actor.ts'
import { checkDueAt, checkIdempotencyKey, checkInput, checkMs, checkName, fingerprintOfInput } from '../definition/input.ts'
import { InvalidInput } from '../errors.ts'
import type { Extras } from '../protocol/to-shard.ts'
import { laneOf, PRIORITIES } from '../shard/lanes.ts'
import type { Lane, Priority } from '../shard/lanes.ts'

/** Options of `ask` and `tell`. */
export interface CallOptions {
  /** Lane of this command. Default: the priority of its definition. */
  readonly priority?: Priority
  /**
   * Makes the command safe to repeat: the same key for the same actor and command executes once, and other calls with it
   * join the one that is under way, or get the recorded answer. A string, or an array of strings for a key with parts,
   * such as a user and a request; at most 1,024 characters. Kept for 24 hours after completion unless the system says otherwise.
   */
  readonly idempotencyKey?: string | readonly string[]
  /** After so many milliseconds the call ends with `AskTimeout`, its outcome unknown. Default 30,000. */
  readonly timeoutMs?: number
  /** Ends the call with `AskAborted`. What was sent may still take effect. */
  readonly signal?: AbortSignal
  /**
   * How long to wait for a place if the mailbox or the shard is full, in milliseconds; only then the call ends with
   * `MailboxFull`. Default 0: at once.
   */
  readonly waitForRoomMs?: number
}

/** Options of `tell` alone. */
export interface TellOptions extends CallOptions {
  /** The command is accepted now and handled after so many milliseconds, at any distance. */
  readonly delayMs?: number
  /** The command is accepted now and handled at this moment: a date, or milliseconds since 1970. */
  readonly deliverAt?: Date | number
  /**
   * Names what the command is about, such as a comment. A later tell with the same name replaces the input of one that
   * still waits, which keeps its place; one whose command has been handled is ignored.
   */
  readonly naturalKey?: string
  /** Names this delivery. A second one with the same name is ignored, whatever it holds. */
  readonly deliveryId?: string
}

/** A call after its checks. */
export interface CheckedCall {
  readonly lane: Lane
  readonly input: object | null
  readonly idempotencyKey: string | undefined
  readonly fingerprint: string | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly extras: Extras | undefined
}

const NO_OPTIONS: TellOptions = {}

/** Checks a call. Throws `InvalidInput`, naming the field. */
export function checkCall(
  operation: string,
  command: AnyCommand,
  isDurable: boolean,
  isTell: boolean,
  given: unknown,
  options: TellOptions = NO_OPTIONS,
): CheckedCall {
  if (options !== NO_OPTIONS) checkOptions(operation, options)
  const input = checkInput(operation, command.input, given)
  const priority = options.priority ?? command.priority
  if (!PRIORITIES.includes(priority)) throw new InvalidInput(operation, 'priority', `must be one of ${PRIORITIES.join(', ')}`)
  const { signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new InvalidInput(operation, 'signal', 'must be an AbortSignal')
  const idempotencyKey =
    options.idempotencyKey === undefined ? undefined : checkIdempotencyKey(operation, options.idempotencyKey, command.kind, isDurable)
  return {
    lane: laneOf(priority),
    input,
    idempotencyKey,
    fingerprint: idempotencyKey === undefined ? undefined : fingerprintOfInput(input),
    timeoutMs: checkTimeout(operation, options.timeoutMs),
    signal,
    extras: options === NO_OPTIONS ? undefined : extrasOf(operation, isDurable, isTell, options),
  }
}

/** Checks a timeout; the default is 30 seconds. Throws `InvalidInput`. */
export function checkTimeout(operation: string, timeoutMs = 30_000): number {
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && Number.isFinite(timeoutMs)) return timeoutMs
  throw new InvalidInput(operation, 'timeoutMs', 'must be a positive number of milliseconds')
}

const OPTIONS: ReadonlySet<string> = new Set([
  'priority',
  'idempotencyKey',
  'timeoutMs',
  'signal',
  'waitForRoomMs',
  'delayMs',
  'deliverAt',
  'naturalKey',
  'deliveryId',
])

/** A misspelt option would be lost in silence; an idempotency key above all. */
function checkOptions(operation: string, options: unknown): void {
  if (typeof options !== 'object' || options === null) throw new InvalidInput(operation, 'options', 'must be an object')
  for (const field of Object.keys(options)) if (!OPTIONS.has(field)) throw new InvalidInput(operation, field, 'is no option of a call')
}

function extrasOf(operation: string, isDurable: boolean, isTell: boolean, options: TellOptions): Extras | undefined {
  const { waitForRoomMs, delayMs, deliverAt, naturalKey, deliveryId } = options
  if (
    waitForRoomMs === undefined &&
    delayMs === undefined &&
    deliverAt === undefined &&
    naturalKey === undefined &&
    deliveryId === undefined
  )
    return undefined
  if (waitForRoomMs !== undefined) checkMs(operation, 'waitForRoomMs', waitForRoomMs, 0)
  for (const [field, value] of Object.entries({ delayMs, deliverAt, naturalKey, deliveryId })) {
    if (value === undefined) continue
    if (!isTell) throw new InvalidInput(operation, field, 'is an option of tell')
    if (!isDurable) throw new InvalidInput(operation, field, 'has no meaning for a volatile actor, which keeps nothing')
  }
  if (naturalKey !== undefined && options.idempotencyKey !== undefined) {
    throw new InvalidInput(operation, 'idempotencyKey', 'cannot be combined with naturalKey, under which the input may change')
  }
  // A delay counts from the shard's clock; here it is only checked. A moment is a moment on any clock.
  const at = checkDueAt(operation, delayMs, deliverAt, 0)
  if (naturalKey !== undefined) checkName(operation, 'naturalKey', naturalKey)
  if (deliveryId !== undefined) checkName(operation, 'deliveryId', deliveryId)
  if (at !== undefined && (naturalKey !== undefined || deliveryId !== undefined)) {
    throw new InvalidInput(
      operation,
      naturalKey === undefined ? 'deliveryId' : 'naturalKey',
      'cannot be combined with deliverAt or delayMs',
    )
  }
  return {
    ...(waitForRoomMs === undefined ? {} : { waitMs: waitForRoomMs }),
    ...(delayMs === undefined ? {} : { delayMs: at ?? 0 }),
    ...(deliverAt === undefined ? {} : { dueAt: at ?? 0 }),
    ...(naturalKey === undefined ? {} : { naturalKey }),
    ...(deliveryId === undefined ? {} : { deliveryId }),
  }
}
