/**
 * The kernel's errors, and how any error of Bailiwick crosses a thread.
 *
 * Expected ends of a call that the caller must tell apart are classes here, each with a stable `code`, typed fields
 * and an answer to the question "did it happen?" in its documentation. docs/outcomes.md lists them all; a test compares
 * that page with `errorClasses`.
 */
import {
  BailiwickError,
  BatchInvalid,
  DirectoryInUse,
  DirectoryMissing,
  DirectoryNotEmpty,
  DirectoryNotOurs,
  DirectoryNotWritable,
  Fenced,
  SchemaTooNew,
  StoreDamaged,
  StoreUnavailable,
} from '@bailiwick/store'
import type { ErrorField, StoreFault } from '@bailiwick/store'

/** An argument is wrong: an input that its schema refuses, a key, an option. Nothing was sent. Fix the call. */
export class InvalidInput extends BailiwickError {
  readonly code = 'INVALID_INPUT'
  readonly retryable = false
  /** Path of the first offending field, for instance `amount` or `items.3.price`; empty for the value as a whole. */
  readonly field: string
  /** What was called, for instance `account.deposit`. */
  readonly operation: string
  /** Every complaint, as `field: message`. */
  readonly issues: readonly string[]

  constructor(operation: string, field: string, detail: string, issues: readonly string[] = [`${field}: ${detail}`]) {
    super(`Invalid input for ${operation}: ${field === '' ? '' : `${field}: `}${detail}`)
    this.operation = operation
    this.field = field
    this.issues = issues
  }

  fields(): Record<string, ErrorField> {
    return { operation: this.operation, field: this.field, issues: this.issues }
  }
}

/** A definition of an actor, or an option of `openSystem`, contradicts itself. Nothing was started. Fix the code. */
export class InvalidDefinition extends BailiwickError {
  readonly code = 'INVALID_DEFINITION'
  readonly retryable = false
  /** Type of the actor, or `openSystem`. */
  readonly definition: string
  /** Path of the offending field. */
  readonly field: string

  constructor(definition: string, field: string, detail: string) {
    super(`Invalid definition of ${definition}: ${field}: ${detail}`)
    this.definition = definition
    this.field = field
  }

  fields(): Record<string, ErrorField> {
    return { definition: this.definition, field: this.field }
  }
}

/** A shard thread could not load a definition, or loaded another one than the caller has. The system did not open. */
export class DefinitionNotLoaded extends BailiwickError {
  readonly code = 'DEFINITION_NOT_LOADED'
  readonly retryable = false
  readonly type: string
  readonly module: string

  constructor(type: string, module: string, detail: string, options?: ErrorOptions) {
    super(`A shard could not load the actor type "${type}" from ${module}: ${detail}`, options)
    this.type = type
    this.module = module
  }

  fields(): Record<string, ErrorField> {
    return { type: this.type, module: this.module }
  }
}

/** What can be full. */
export type FullScope = 'mailbox' | 'shard' | 'system' | 'outbox'

const FULL_SCOPES: readonly FullScope[] = ['mailbox', 'shard', 'system', 'outbox']

/** A queue is at its bound. The command was not accepted and has no effect. Slow down, then ask again. */
export class MailboxFull extends BailiwickError {
  readonly code = 'MAILBOX_FULL'
  readonly retryable = true
  readonly actor: string
  /** Which bound was hit: the actor's mailbox, its shard, the system's pending calls, or the outbox of the sender's shard. */
  readonly scope: FullScope
  /** The bound, in commands. */
  readonly capacity: number

  constructor(actor: string, scope: FullScope, capacity: number) {
    super(`The ${scope === 'mailbox' ? `mailbox of ${actor}` : scope} is full: ${capacity} commands are waiting.`)
    this.actor = actor
    this.scope = scope
    this.capacity = capacity
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, scope: this.scope, capacity: this.capacity }
  }
}

/** The actor's present state does not take this command. It had no effect. Retry after the state has changed. */
export class CommandRejected extends BailiwickError {
  readonly code = 'COMMAND_REJECTED'
  readonly retryable = false
  readonly actor: string
  readonly command: string
  /** The state that refused, as JSON text, for instance `"frozen"`; the snapshot's status once the logic has ended. */
  readonly state: string

  constructor(actor: string, command: string, state: string) {
    super(`${actor} does not take the command "${command}" in its state ${state}.`)
    this.actor = actor
    this.command = command
    this.state = state
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, state: this.state }
  }
}

/**
 * The logic or the reply function threw: the actor's state is as before the command, and retry helps only if the cause is
 * gone. Or the machine ended a deferred command with `fail`: what it did before stays, and `retryable` is what it said.
 */
export class CommandFailed extends BailiwickError {
  readonly code = 'COMMAND_FAILED'
  readonly retryable: boolean
  readonly actor: string
  readonly command: string
  /** Message of the error that was thrown. */
  readonly reason: string

  constructor(actor: string, command: string, reason: string, options?: ErrorOptions & { readonly retryable?: boolean }) {
    super(`The command "${command}" of ${actor} failed: ${reason}`, options)
    this.actor = actor
    this.command = command
    this.reason = reason
    this.retryable = options?.retryable ?? false
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, reason: this.reason, retryable: this.retryable }
  }
}

/** State, reply or input holds a value that JSON cannot carry. The actor's state is as before the command. Fix the code. */
export class NotSerializable extends BailiwickError {
  readonly code = 'NOT_SERIALIZABLE'
  readonly retryable = false
  readonly actor: string
  /** What holds the value: `context`, `reply`, … followed by the path, for instance `context.seen`. */
  readonly field: string

  constructor(actor: string, field: string, detail: string) {
    super(`${actor}: ${field} ${detail}, which JSON cannot carry.`)
    this.actor = actor
    this.field = field
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, field: this.field }
  }
}

/** The actor could not be brought into memory: its initial state threw, or its snapshot cannot be restored. It is left untouched. */
export class ActivationFailed extends BailiwickError {
  readonly code = 'ACTIVATION_FAILED'
  readonly retryable = false
  readonly actor: string
  readonly reason: string

  constructor(actor: string, reason: string, options?: ErrorOptions) {
    super(`${actor} could not be activated: ${reason}`, options)
    this.actor = actor
    this.reason = reason
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, reason: this.reason }
  }
}

/** The stored snapshot has a version that no `migrate` function leads from. The actor is left untouched. */
export class NoMigration extends BailiwickError {
  readonly code = 'NO_MIGRATION'
  readonly retryable = false
  readonly actor: string
  /** Version of the stored snapshot. */
  readonly found: number
  /** Version of the definition. */
  readonly wanted: number

  constructor(actor: string, found: number, wanted: number) {
    super(`${actor} was stored by version ${found} of its logic, and nothing leads from there to version ${wanted}.`)
    this.actor = actor
    this.found = found
    this.wanted = wanted
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, found: this.found, wanted: this.wanted }
  }
}

/** The same idempotency key was used with another input. Nothing was executed. Use a new key. */
export class IdempotencyConflict extends BailiwickError {
  readonly code = 'IDEMPOTENCY_CONFLICT'
  readonly retryable = false
  readonly actor: string
  readonly command: string
  readonly key: string

  constructor(actor: string, command: string, key: string) {
    super(`The idempotency key "${key}" was already used for "${command}" of ${actor} with another input.`)
    this.actor = actor
    this.command = command
    this.key = key
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, key: this.key }
  }
}

/**
 * The same idempotency key is being worked on, and this call's time was over before the answer came. Asking again with
 * the key joins the work again, or gets its recorded answer.
 */
export class CommandInProgress extends BailiwickError {
  readonly code = 'COMMAND_IN_PROGRESS'
  readonly retryable = true
  readonly actor: string
  readonly command: string
  readonly key: string

  constructor(actor: string, command: string, key: string) {
    super(`"${command}" of ${actor} is still being worked on for the idempotency key "${key}".`)
    this.actor = actor
    this.command = command
    this.key = key
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, key: this.key }
  }
}

/** A command with a deferred reply got none in the time that its definition allows. What the machine has done, stays; its key is free again. */
export class ReplyOverdue extends BailiwickError {
  readonly code = 'REPLY_OVERDUE'
  readonly retryable = true
  readonly actor: string
  readonly command: string
  readonly withinMs: number

  constructor(actor: string, command: string, withinMs: number) {
    super(`${actor} gave no reply to "${command}" within ${withinMs} ms.`)
    this.actor = actor
    this.command = command
    this.withinMs = withinMs
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, withinMs: this.withinMs }
  }
}

/** A request has come back to an actor that waits for it, and would wait in turn. It had no effect there. Change the design. */
export class AskCycle extends BailiwickError {
  readonly code = 'ASK_CYCLE'
  readonly retryable = false
  /** The actors of the cycle in the order in which they ask; the first is also the last. */
  readonly path: readonly string[]

  constructor(path: readonly string[]) {
    super(`An ask has come back to an actor that waits for it: ${path.join(' → ')}.`)
    this.path = path
  }

  fields(): Record<string, ErrorField> {
    return { path: this.path }
  }
}

/** An attempt of an effect took too long. What it did is unknown; a probe is asked before the next, where there is one. */
export class EffectTimeout extends BailiwickError {
  readonly code = 'EFFECT_TIMEOUT'
  readonly retryable = true
  readonly effect: string
  readonly timeoutMs: number

  constructor(effect: string, timeoutMs: number) {
    super(`An attempt of the effect "${effect}" was not done within ${timeoutMs} ms.`)
    this.effect = effect
    this.timeoutMs = timeoutMs
  }

  fields(): Record<string, ErrorField> {
    return { effect: this.effect, timeoutMs: this.timeoutMs }
  }
}

/** A stored message names an actor type, a command or an effect that the system was not opened with. It had no effect. */
export class UnknownCommand extends BailiwickError {
  readonly code = 'UNKNOWN_COMMAND'
  readonly retryable = false
  readonly actor: string
  readonly command: string

  constructor(actor: string, command: string) {
    super(`The system was opened without "${command}" of ${actor}.`)
    this.actor = actor
    this.command = command
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command }
  }
}

/** No answer in time. The outcome is unknown: the command may have taken effect, or may yet. Safe to repeat with an idempotency key. */
export class AskTimeout extends BailiwickError {
  readonly code = 'ASK_TIMEOUT'
  readonly retryable = true
  readonly actor: string
  readonly command: string
  readonly timeoutMs: number

  constructor(actor: string, command: string, timeoutMs: number) {
    super(
      `No answer from ${actor} to "${command}" within ${timeoutMs} ms. The outcome is unknown; with an idempotency key it is safe to ask again.`,
    )
    this.actor = actor
    this.command = command
    this.timeoutMs = timeoutMs
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, timeoutMs: this.timeoutMs }
  }
}

/** The caller's signal was aborted. Before the call nothing was sent; after it the outcome is unknown. The signal's reason is the cause. */
export class AskAborted extends BailiwickError {
  readonly code = 'ASK_ABORTED'
  readonly retryable = false
  readonly actor: string
  readonly command: string
  /** Whether the command had already left: then it may have taken effect. */
  readonly sent: boolean

  constructor(actor: string, command: string, sent: boolean, options?: ErrorOptions) {
    super(
      `The caller gave up on "${command}" of ${actor} ${sent ? 'after it was sent: its outcome is unknown' : 'before it was sent'}.`,
      options,
    )
    this.actor = actor
    this.command = command
    this.sent = sent
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, sent: this.sent }
  }
}

/** The shard's thread died, or may not be restarted any more. The outcome of a call under way is unknown; safe to repeat with an idempotency key. */
export class ShardCrashed extends BailiwickError {
  readonly code = 'SHARD_CRASHED'
  readonly retryable: boolean
  readonly reason: string
  /** True if no thread will come any more: only opening the system again helps. */
  readonly isFinal: boolean

  constructor(reason: string, isFinal = false, options?: ErrorOptions) {
    super(
      isFinal
        ? `The thread of this actor's shard died too often and is not replaced any more: ${reason}. Open the system again.`
        : `The thread of this actor's shard died: ${reason}. The outcome is unknown; with an idempotency key it is safe to ask again.`,
      options,
    )
    this.reason = reason
    this.isFinal = isFinal
    this.retryable = !isFinal
  }

  fields(): Record<string, ErrorField> {
    return { reason: this.reason, isFinal: this.isFinal }
  }
}

/** The actor has failed too often, or somebody holds it back: it serves nothing until it is released. Nothing happened; tells wait for it. */
export class ActorQuarantined extends BailiwickError {
  readonly code = 'ACTOR_QUARANTINED'
  readonly retryable = false
  readonly actor: string
  /** Why it is held back: what its last failure said, or what an operator gave as the reason. */
  readonly reason: string

  constructor(actor: string, reason: string) {
    super(`${actor} is quarantined and serves nothing until it is released: ${reason}`)
    this.actor = actor
    this.reason = reason
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, reason: this.reason }
  }
}

/** The actor has failed too often and was stopped, as its definition wants it. Nothing happened; what nobody waited for is a dead letter. */
export class ActorStopped extends BailiwickError {
  readonly code = 'ACTOR_STOPPED'
  readonly retryable = false
  readonly actor: string
  /** What its last failure said. */
  readonly reason: string

  constructor(actor: string, reason: string) {
    super(`${actor} was stopped: ${reason}`)
    this.actor = actor
    this.reason = reason
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, reason: this.reason }
  }
}

/** A consumer of `changes()` fell too far behind and was cut off. Read the snapshot, then follow again. */
export class SlowConsumer extends BailiwickError {
  readonly code = 'SLOW_CONSUMER'
  readonly retryable = true
  readonly actor: string
  readonly buffered: number

  constructor(actor: string, buffered: number) {
    super(`A consumer of the changes of ${actor} was cut off: ${buffered} changes were waiting for it.`)
    this.actor = actor
    this.buffered = buffered
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, buffered: this.buffered }
  }
}

/** The system is closed or closing. A call made before `close()` had an unknown outcome only if `sent` says so. */
export class SystemClosed extends BailiwickError {
  readonly code = 'SYSTEM_CLOSED'
  readonly retryable = false
  /** Whether the command had already left when the system was closed by force: then it may have taken effect. */
  readonly sent: boolean

  constructor(sent: boolean) {
    super(sent ? 'The system was closed by force before the answer came: the outcome is unknown.' : 'The system is closed.')
    this.sent = sent
  }

  fields(): Record<string, ErrorField> {
    return { sent: this.sent }
  }
}

/** What was wanted in the name of an epoch that is over: somebody else acts by now, or nobody. It took no effect. Stop; do not try again. */
export class StaleEpoch extends BailiwickError {
  readonly code = 'STALE_EPOCH'
  readonly retryable = false
  /** What was to be done, for instance `checkpoint of repository/17`. */
  readonly operation: string
  /** The epoch that was named. */
  readonly epoch: number
  /** The epoch that counts. */
  readonly current: number

  constructor(operation: string, epoch: number, current: number) {
    super(`${operation} came from epoch ${epoch}, which is over: ${current > epoch ? `the epoch is ${current}` : 'nobody acts now'}.`)
    this.operation = operation
    this.epoch = epoch
    this.current = current
  }

  fields(): Record<string, ErrorField> {
    return { operation: this.operation, epoch: this.epoch, current: this.current }
  }
}

/** A turn came to its end without a result: `undefined`, `null` or an empty text. What it did stays; nothing says that its work is done. */
export class TurnEmpty extends BailiwickError {
  readonly code = 'TURN_EMPTY'
  readonly retryable = false
  readonly actor: string
  readonly command: string

  constructor(actor: string, command: string) {
    super(`The turn "${command}" of ${actor} came to its end without a result.`)
    this.actor = actor
    this.command = command
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command }
  }
}

/** An attempt of a turn took longer than its `timeoutMs` and was interrupted. What it did before stays. */
export class TurnTimeout extends BailiwickError {
  readonly code = 'TURN_TIMEOUT'
  readonly retryable = false
  readonly actor: string
  readonly command: string
  readonly timeoutMs: number

  constructor(actor: string, command: string, timeoutMs: number) {
    super(`The turn "${command}" of ${actor} was interrupted: it ran for longer than ${timeoutMs} ms.`)
    this.actor = actor
    this.command = command
    this.timeoutMs = timeoutMs
  }

  fields(): Record<string, ErrorField> {
    return { actor: this.actor, command: this.command, timeoutMs: this.timeoutMs }
  }
}

/** What a turn ran on is gone: its thread, or a process that it talked to. What it did before stays. A turn that lets this error through is tried again. */
export class ProcessLost extends BailiwickError {
  readonly code = 'PROCESS_LOST'
  readonly retryable = true
  /** What was lost, for instance the name of a program. */
  readonly what: string
  /** How it ended. */
  readonly reason: string

  constructor(what: string, reason: string, options?: ErrorOptions) {
    super(`${what} is gone: ${reason}.`, options)
    this.what = what
    this.reason = reason
  }

  fields(): Record<string, ErrorField> {
    return { what: this.what, reason: this.reason }
  }
}

type Fields = Readonly<Record<string, ErrorField | undefined>>

const text = (fields: Fields, name: string): string => String(fields[name] ?? '')
const number = (fields: Fields, name: string): number => Number(fields[name] ?? 0)
const list = (fields: Fields, name: string): readonly string[] => {
  const value = fields[name]
  return Array.isArray(value) ? value.map(String) : []
}

/**
 * Every error class by its code, with the way back from its fields. A record, so that a class that is missing here
 * cannot be sent: adding an error means adding its line.
 */
export const errorClasses: Readonly<Record<string, (fields: Fields, message: string) => BailiwickError>> = {
  ACTOR_QUARANTINED: (f) => new ActorQuarantined(text(f, 'actor'), text(f, 'reason')),
  ACTOR_STOPPED: (f) => new ActorStopped(text(f, 'actor'), text(f, 'reason')),
  ACTIVATION_FAILED: (f) => new ActivationFailed(text(f, 'actor'), text(f, 'reason')),
  ASK_ABORTED: (f) => new AskAborted(text(f, 'actor'), text(f, 'command'), f['sent'] === true),
  ASK_CYCLE: (f) => new AskCycle(list(f, 'path')),
  ASK_TIMEOUT: (f) => new AskTimeout(text(f, 'actor'), text(f, 'command'), number(f, 'timeoutMs')),
  BATCH_INVALID: (f) => new BatchInvalid(text(f, 'detail')),
  COMMAND_FAILED: (f) => new CommandFailed(text(f, 'actor'), text(f, 'command'), text(f, 'reason'), { retryable: f['retryable'] === true }),
  COMMAND_IN_PROGRESS: (f) => new CommandInProgress(text(f, 'actor'), text(f, 'command'), text(f, 'key')),
  COMMAND_REJECTED: (f) => new CommandRejected(text(f, 'actor'), text(f, 'command'), text(f, 'state')),
  DEFINITION_NOT_LOADED: (f) => new DefinitionNotLoaded(text(f, 'type'), text(f, 'module'), ''),
  DIRECTORY_IN_USE: (f) =>
    new DirectoryInUse(text(f, 'directory'), { pid: number(f, 'pid'), since: text(f, 'since'), epoch: number(f, 'epoch') }),
  DIRECTORY_MISSING: (f) => new DirectoryMissing(text(f, 'directory'), ''),
  DIRECTORY_NOT_EMPTY: (f) => new DirectoryNotEmpty(text(f, 'directory')),
  DIRECTORY_NOT_OURS: (f) => new DirectoryNotOurs(text(f, 'directory'), text(f, 'found')),
  DIRECTORY_NOT_WRITABLE: (f) => new DirectoryNotWritable(text(f, 'directory'), ''),
  EFFECT_TIMEOUT: (f) => new EffectTimeout(text(f, 'effect'), number(f, 'timeoutMs')),
  FENCED: (f) => new Fenced(number(f, 'epoch'), f['current'] === null ? null : number(f, 'current')),
  IDEMPOTENCY_CONFLICT: (f) => new IdempotencyConflict(text(f, 'actor'), text(f, 'command'), text(f, 'key')),
  INVALID_DEFINITION: (f) => new InvalidDefinition(text(f, 'definition'), text(f, 'field'), ''),
  INVALID_INPUT: (f) => new InvalidInput(text(f, 'operation'), text(f, 'field'), '', list(f, 'issues')),
  MAILBOX_FULL: (f) =>
    new MailboxFull(text(f, 'actor'), FULL_SCOPES.find((scope) => scope === f['scope']) ?? 'mailbox', number(f, 'capacity')),
  NOT_SERIALIZABLE: (f) => new NotSerializable(text(f, 'actor'), text(f, 'field'), ''),
  NO_MIGRATION: (f) => new NoMigration(text(f, 'actor'), number(f, 'found'), number(f, 'wanted')),
  PROCESS_LOST: (f) => new ProcessLost(text(f, 'what'), text(f, 'reason')),
  REPLY_OVERDUE: (f) => new ReplyOverdue(text(f, 'actor'), text(f, 'command'), number(f, 'withinMs')),
  SCHEMA_TOO_NEW: (f) => new SchemaTooNew(text(f, 'file'), number(f, 'found'), number(f, 'supported')),
  SHARD_CRASHED: (f) => new ShardCrashed(text(f, 'reason'), f['isFinal'] === true),
  SLOW_CONSUMER: (f) => new SlowConsumer(text(f, 'actor'), number(f, 'buffered')),
  STALE_EPOCH: (f) => new StaleEpoch(text(f, 'operation'), number(f, 'epoch'), number(f, 'current')),
  STORE_DAMAGED: (f) => new StoreDamaged(text(f, 'file'), ''),
  STORE_UNAVAILABLE: (f) => new StoreUnavailable(storeFaultOf(f['fault']), ''),
  SYSTEM_CLOSED: (f) => new SystemClosed(f['sent'] === true),
  TURN_EMPTY: (f) => new TurnEmpty(text(f, 'actor'), text(f, 'command')),
  TURN_TIMEOUT: (f) => new TurnTimeout(text(f, 'actor'), text(f, 'command'), number(f, 'timeoutMs')),
  UNKNOWN_COMMAND: (f) => new UnknownCommand(text(f, 'actor'), text(f, 'command')),
}

function storeFaultOf(value: ErrorField | undefined): StoreFault {
  return value === 'full' || value === 'read-only' || value === 'io' || value === 'busy' || value === 'missing' ? value : 'other'
}

/** An error as it crosses a thread: everything but the class itself. */
export interface EncodedError {
  readonly code: string
  readonly message: string
  readonly fields: Fields
  readonly stack: string | undefined
  readonly cause: EncodedError | undefined
}

const CAUSES_MAX = 5

/** Encodes any thrown value. What is no error of Bailiwick gets the code of its `code` property, or its name. */
export function encodeError(error: unknown, depth = 0): EncodedError {
  try {
    return encode(error, depth)
  } catch {
    // Anything can be thrown, also what throws when it is looked at.
    return { code: 'Error', message: messageOf(error), fields: {}, stack: undefined, cause: undefined }
  }
}

function encode(error: unknown, depth: number): EncodedError {
  if (!(error instanceof Error)) {
    return { code: 'Error', message: messageOf(error), fields: {}, stack: undefined, cause: undefined }
  }
  const cause = error.cause === undefined || depth >= CAUSES_MAX ? undefined : encodeError(error.cause, depth + 1)
  if (error instanceof BailiwickError) {
    return { code: error.code, message: error.message, fields: error.fields(), stack: error.stack, cause }
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return { code, message: error.message, fields: {}, stack: error.stack, cause }
}

/** Gives an encoded error its class, fields, message, stack and cause back. */
export function decodeError(encoded: EncodedError): Error {
  const restore = errorClasses[encoded.code]
  const error = restore === undefined ? new Error(encoded.message) : restore(encoded.fields, encoded.message)
  if (restore === undefined) Object.defineProperty(error, 'name', { value: encoded.code, configurable: true })
  error.message = encoded.message
  if (encoded.stack !== undefined) error.stack = encoded.stack
  if (encoded.cause !== undefined) error.cause = decodeError(encoded.cause)
  return error
}

/** What a thrown value says, for people. Never throws. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error)
  } catch {
    return 'something that cannot be shown'
  }
}

/** A thrown value as an error. Never throws. */
export function asError(error: unknown): Error {
  try {
    if (error instanceof Error) return error
  } catch {
    // What throws when it is looked at is no error of anybody's.
  }
  return new Error(messageOf(error))
}
