/**
 * From a call to the message that leaves: the input is validated and checked for JSON, options get their defaults, and
 * a key gets the fingerprint of what it stands for. Whatever is wrong is found here, before anything is sent.
 */
import { answerWithinMsOf } from '../definition/command.ts'
import type { AnyCommand } from '../definition/define-actor.ts'
import {
  checkDueAt,
  checkIdempotencyKey,
  checkInput,
  checkMs,
  checkName,
  checkOptionNames,
  checkPreempt,
  checkSignal,
  fingerprintOfInput,
} from '../definition/input.ts'
import type { Preempt } from '../definition/turn-context.ts'
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
  /** After so many milliseconds the call ends with `AskTimeout`, its outcome unknown. Default 30,000; for an ask of a turn its `endWithinMs`. */
  readonly timeoutMs?: number
  /** Ends the call with `AskAborted`. What was sent may still take effect. */
  readonly signal?: AbortSignal
  /**
   * How long to wait for a place if the mailbox or the shard is full, in milliseconds; only then the call ends with
   * `MailboxFull`. Default 0: at once.
   */
  readonly waitForRoomMs?: number
  /** What the command does to the actor's running turn, if that one has a lower rank. Default: what its definition says. */
  readonly preempt?: Preempt
  /**
   * Lets the command count only as long as this lease is held: otherwise it ends with `StaleEpoch` and has no effect.
   * A `Lease`, or its name and epoch.
   */
  readonly lease?: { readonly name: string; readonly epoch: number }
}

/** Options of `ask` alone. */
export interface AskOptions extends CallOptions {
  /** Hears what a turn reports with `progress`, in order. Nothing that comes after the answer. What it throws is an uncaught error of the program. */
  readonly onProgress?: (value: unknown) => void
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
  readonly onProgress: ((value: unknown) => void) | undefined
}

const NO_OPTIONS: TellOptions & AskOptions = {}

/** Checks a call. Throws `InvalidInput`, naming the field. */
export function checkCall(
  operation: string,
  command: AnyCommand,
  isDurable: boolean,
  isTell: boolean,
  given: unknown,
  options: TellOptions & AskOptions = NO_OPTIONS,
): CheckedCall {
  if (options !== NO_OPTIONS) checkOptionNames(operation, options, OPTIONS)
  const input = checkInput(operation, command.input, given)
  const priority = options.priority ?? command.priority
  if (!PRIORITIES.includes(priority)) throw new InvalidInput(operation, 'priority', `must be one of ${PRIORITIES.join(', ')}`)
  const { signal } = options
  checkSignal(operation, signal)
  const idempotencyKey =
    options.idempotencyKey === undefined ? undefined : checkIdempotencyKey(operation, options.idempotencyKey, command.kind, isDurable)
  return {
    lane: laneOf(priority),
    input,
    idempotencyKey,
    fingerprint: idempotencyKey === undefined ? undefined : fingerprintOfInput(input),
    // A turn takes its time: unless its caller says otherwise, it is waited for as long as it may take.
    timeoutMs: checkTimeout(operation, options.timeoutMs ?? (isTell ? undefined : answerWithinMsOf(command))),
    signal,
    extras: options === NO_OPTIONS ? undefined : extrasOf(operation, command, isDurable, isTell, options),
    onProgress: checkProgress(operation, isTell, options.onProgress),
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
  'preempt',
  'lease',
  'onProgress',
])

function checkProgress(operation: string, isTell: boolean, listener: unknown): ((value: unknown) => void) | undefined {
  if (listener === undefined) return undefined
  if (isTell) throw new InvalidInput(operation, 'onProgress', 'is an option of ask')
  if (typeof listener !== 'function') throw new InvalidInput(operation, 'onProgress', 'must be a function')
  return listener as (value: unknown) => void // What it takes cannot be seen.
}

/** Checks what has to do with turns and leases. */
function checkFencing(operation: string, command: AnyCommand, isDurable: boolean, { preempt, lease }: CallOptions): void {
  if (preempt !== undefined) {
    checkPreempt(operation, preempt)
    if (command.kind === 'query' && preempt !== 'none') throw new InvalidInput(operation, 'preempt', 'has no meaning for a query')
  }
  if (lease === undefined) return
  if (!isDurable) throw new InvalidInput(operation, 'lease', 'has no meaning for a volatile actor, which keeps none')
  const given: unknown = lease
  if (typeof given !== 'object' || given === null) throw new InvalidInput(operation, 'lease', 'must be a lease, or its name and epoch')
  checkName(operation, 'lease.name', lease.name)
  if (!Number.isSafeInteger(lease.epoch)) throw new InvalidInput(operation, 'lease.epoch', 'must be a whole number')
}

function extrasOf(
  operation: string,
  command: AnyCommand,
  isDurable: boolean,
  isTell: boolean,
  options: TellOptions & AskOptions,
): Extras | undefined {
  const { waitForRoomMs, delayMs, deliverAt, naturalKey, deliveryId, preempt, lease, onProgress } = options
  const isPlain = [waitForRoomMs, delayMs, deliverAt, naturalKey, deliveryId, preempt, lease, onProgress].every(
    (value) => value === undefined,
  )
  if (isPlain) return undefined
  checkFencing(operation, command, isDurable, options)
  if (waitForRoomMs !== undefined) checkMs(operation, 'waitForRoomMs', waitForRoomMs, 0)
  for (const [field, value] of Object.entries({ delayMs, deliverAt, naturalKey, deliveryId })) {
    if (value === undefined) continue
    if (!isTell) throw new InvalidInput(operation, field, 'is an option of tell')
    if (!isDurable) throw new InvalidInput(operation, field, 'has no meaning for a volatile actor, which keeps nothing')
  }
  if (lease !== undefined && (naturalKey !== undefined || deliveryId !== undefined)) {
    throw new InvalidInput(operation, 'lease', 'cannot be combined with naturalKey or deliveryId, which may edit what was sent by others')
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
    ...(preempt === undefined ? {} : { preempt }),
    ...(lease === undefined ? {} : { lease: { name: lease.name, epoch: lease.epoch } }),
    ...(onProgress === undefined ? {} : { isFollowed: true }),
  }
}
