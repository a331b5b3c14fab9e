/**
 * The errors of the store, and the base class that every error of Bailiwick extends.
 *
 * Recognise an error by its `code`, never by `instanceof`: errors cross threads and processes, where classes do not.
 * The code is the class name in capitals; the message is for people and may change between versions.
 */

/** Values that an error may carry as a field: everything that survives JSON. */
export type ErrorField = string | number | boolean | null | readonly string[]

/** Base of every error of Bailiwick: a stable code, typed fields, a message for people. */
export abstract class BailiwickError extends Error {
  /** Stable identifier: the class name in capitals, for instance `MAILBOX_FULL`. */
  abstract readonly code: string

  /** True where the same call may succeed later without anybody changing anything but time. */
  abstract readonly retryable: boolean

  /** The typed fields of the error, in a form that survives a thread border. */
  abstract fields(): Readonly<Record<string, ErrorField>>

  override get name(): string {
    return this.constructor.name
  }
}

/** The directory does not exist and was not to be created, or its parent does not exist. Nothing was written. */
export class DirectoryMissing extends BailiwickError {
  readonly code = 'DIRECTORY_MISSING'
  readonly retryable = false
  readonly directory: string

  constructor(directory: string, detail: string) {
    super(`The directory ${directory} cannot be opened: ${detail}.`)
    this.directory = directory
  }

  fields(): Record<string, ErrorField> {
    return { directory: this.directory }
  }
}

/** The directory or one of its files may not be written by this process. Nothing was written. */
export class DirectoryNotWritable extends BailiwickError {
  readonly code = 'DIRECTORY_NOT_WRITABLE'
  readonly retryable = false
  readonly directory: string

  constructor(directory: string, detail: string) {
    super(`The directory ${directory} cannot be written: ${detail}.`)
    this.directory = directory
  }

  fields(): Record<string, ErrorField> {
    return { directory: this.directory }
  }
}

/** The directory holds something that Bailiwick did not make. Nothing was written. */
export class DirectoryNotOurs extends BailiwickError {
  readonly code = 'DIRECTORY_NOT_OURS'
  readonly retryable = false
  readonly directory: string
  readonly found: string

  constructor(directory: string, found: string) {
    super(`The directory ${directory} was not made by Bailiwick: it holds ${found}. Use an empty directory, or one that openSystem made.`)
    this.directory = directory
    this.found = found
  }

  fields(): Record<string, ErrorField> {
    return { directory: this.directory, found: this.found }
  }
}

/** What is to be made, as the copy of a directory, is already there and holds something. Nothing was written. */
export class DirectoryNotEmpty extends BailiwickError {
  readonly code = 'DIRECTORY_NOT_EMPTY'
  readonly retryable = false
  readonly directory: string

  /** `found` is the name of something in the directory; without it, `directory` is the path of a file. */
  constructor(directory: string, found?: string) {
    const what = found === undefined ? `${directory} is a file` : `The directory ${directory} is not empty: it holds ${found}`
    super(`${what}. Use a directory that is empty, or a path where nothing is.`)
    this.directory = directory
  }

  fields(): Record<string, ErrorField> {
    return { directory: this.directory }
  }
}

/** Another process (or another system of this process) owns the directory. Retry once it has closed or died. */
export class DirectoryInUse extends BailiwickError {
  readonly code = 'DIRECTORY_IN_USE'
  readonly retryable = true
  readonly directory: string
  /** Process id of the owner. */
  readonly pid: number
  /** When the owner took the directory, as an ISO 8601 time. */
  readonly since: string
  /** The owner's epoch. */
  readonly epoch: number

  constructor(directory: string, owner: { readonly pid: number; readonly since: string; readonly epoch: number }) {
    super(`The directory ${directory} is in use by process ${owner.pid} since ${owner.since} (epoch ${owner.epoch}).`)
    this.directory = directory
    this.pid = owner.pid
    this.since = owner.since
    this.epoch = owner.epoch
  }

  fields(): Record<string, ErrorField> {
    return { directory: this.directory, pid: this.pid, since: this.since, epoch: this.epoch }
  }
}

/** A file was written by a newer version of Bailiwick. Nothing was written; upgrade the package. */
export class SchemaTooNew extends BailiwickError {
  readonly code = 'SCHEMA_TOO_NEW'
  readonly retryable = false
  readonly file: string
  readonly found: number
  readonly supported: number

  constructor(file: string, found: number, supported: number) {
    super(
      `The file ${file} has schema version ${found}, but this version of Bailiwick knows versions up to ${supported}. Upgrade the package.`,
    )
    this.file = file
    this.found = found
    this.supported = supported
  }

  fields(): Record<string, ErrorField> {
    return { file: this.file, found: this.found, supported: this.supported }
  }
}

/** A file of the store is damaged or missing. Nothing was overwritten; restore it from a backup. */
export class StoreDamaged extends BailiwickError {
  readonly code = 'STORE_DAMAGED'
  readonly retryable = false
  readonly file: string

  constructor(file: string, detail: string, options?: ErrorOptions) {
    super(`The file ${file} is damaged: ${detail}.`, options)
    this.file = file
  }

  fields(): Record<string, ErrorField> {
    return { file: this.file }
  }
}

/** Why the store could not do what it was asked. `missing`: a file was deleted or replaced while it was open. */
export type StoreFault = 'full' | 'read-only' | 'io' | 'busy' | 'missing' | 'other'

/**
 * The store could not read or commit. What was to be committed has not happened; after an I/O error, and where a file is
 * missing, it is unknown whether it has.
 */
export class StoreUnavailable extends BailiwickError {
  readonly code = 'STORE_UNAVAILABLE'
  /** False after an I/O error and where a file is missing: what was written is then unknown until the system is opened again. */
  readonly retryable: boolean
  readonly fault: StoreFault

  constructor(fault: StoreFault, detail: string, options?: ErrorOptions) {
    super(`The store is unavailable (${fault}): ${detail}.`, options)
    this.fault = fault
    this.retryable = fault !== 'io' && fault !== 'missing'
  }

  fields(): Record<string, ErrorField> {
    return { fault: this.fault }
  }
}

/**
 * A batch contradicts itself or the store: a number or sequence used twice, a change to an actor that does not exist, an
 * outcome over one that still counts. A mistake in the caller, not of the disk: the same batch will never be accepted.
 * Nothing of it was written, and the store goes on.
 */
export class BatchInvalid extends BailiwickError {
  readonly code = 'BATCH_INVALID'
  readonly retryable = false
  /** Which rule the batch breaks. */
  readonly detail: string

  constructor(detail: string, options?: ErrorOptions) {
    super(`The batch cannot be committed: ${detail}.`, options)
    this.detail = detail
  }

  fields(): Record<string, ErrorField> {
    return { detail: this.detail }
  }
}

/** A newer owner has taken the shard: this one must stop. Nothing of the refused batch was written. */
export class Fenced extends BailiwickError {
  readonly code = 'FENCED'
  readonly retryable = false
  /** The epoch that this owner believed in. */
  readonly epoch: number
  /** The epoch that the store holds, where it could be read. */
  readonly current: number | null

  constructor(epoch: number, current: number | null) {
    super(`This owner has epoch ${epoch}, but the store has epoch ${current ?? 'unknown'}: a newer owner has taken over.`)
    this.epoch = epoch
    this.current = current
  }

  fields(): Record<string, ErrorField> {
    return { epoch: this.epoch, current: this.current }
  }
}
