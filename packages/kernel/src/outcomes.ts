/**
 * How a command, a message or an effect can end, and which error stands for which end.
 *
 * docs/outcomes.md explains each; a test compares that page with this file and with `errorClasses`.
 */

/** Every way to end. */
export const OUTCOMES = ['ok', 'empty', 'rejected', 'cancelled', 'failed', 'timed-out', 'stale', 'duplicate', 'full'] as const

/** How something ended. */
export type Outcome = (typeof OUTCOMES)[number]

/** The outcome that each error code stands for. What stops a program before it sends anything counts as `rejected`. */
export const outcomeByCode: Readonly<Record<string, Outcome>> = {
  ACTIVATION_FAILED: 'failed',
  ACTOR_QUARANTINED: 'rejected',
  ACTOR_STOPPED: 'rejected',
  ASK_ABORTED: 'cancelled',
  ASK_CYCLE: 'rejected',
  ASK_TIMEOUT: 'timed-out',
  BATCH_INVALID: 'failed',
  COMMAND_FAILED: 'failed',
  COMMAND_IN_PROGRESS: 'timed-out',
  COMMAND_REJECTED: 'rejected',
  DEFINITION_NOT_LOADED: 'rejected',
  DIRECTORY_IN_USE: 'rejected',
  DIRECTORY_MISSING: 'rejected',
  DIRECTORY_NOT_EMPTY: 'rejected',
  DIRECTORY_NOT_OURS: 'rejected',
  DIRECTORY_NOT_WRITABLE: 'rejected',
  EFFECT_TIMEOUT: 'timed-out',
  FENCED: 'stale',
  IDEMPOTENCY_CONFLICT: 'rejected',
  INVALID_DEFINITION: 'rejected',
  INVALID_INPUT: 'rejected',
  MAILBOX_FULL: 'full',
  NOT_SERIALIZABLE: 'failed',
  NO_MIGRATION: 'failed',
  PROCESS_LOST: 'failed',
  REPLY_OVERDUE: 'timed-out',
  SCHEMA_TOO_NEW: 'rejected',
  SHARD_CRASHED: 'failed',
  SLOW_CONSUMER: 'cancelled',
  STALE_EPOCH: 'stale',
  STORE_DAMAGED: 'failed',
  STORE_UNAVAILABLE: 'failed',
  SYSTEM_CLOSED: 'cancelled',
  TURN_EMPTY: 'empty',
  TURN_TIMEOUT: 'timed-out',
  UNKNOWN_COMMAND: 'rejected',
}

/** The outcome that an error stands for; `failed` for one that is not of this project. */
export function outcomeOf(error: unknown): Outcome {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return (typeof code === 'string' ? outcomeByCode[code] : undefined) ?? 'failed'
}
