/**
 * Whether the files that a shard writes are still the ones that can be found under their names, and whether they are whole.
 *
 * A process goes on writing into a file that was deleted or replaced, and so does SQLite: its commits succeed and are on no
 * path any more. It goes on in the same way beside a file that somebody has cut: what it needs of it is in memory, and what it
 * commits goes into the log. Looking costs about 1 µs for each file, so it is done after every commit.
 */
import { statSync } from 'node:fs'
import { StoreDamaged, StoreUnavailable } from '../errors.ts'
import { codeOf } from './fault.ts'

/** What tells a file from another that takes its name: inode and device. */
export interface FileIdentity {
  readonly ino: number
  readonly dev: number
}

/** Reads the identity of the file that has this name now. Throws `StoreUnavailable` with the fault `missing` if there is none. */
export function identify(file: string): FileIdentity {
  const { ino, dev } = look(file) ?? raiseMissing(file, 'it is not there any more')
  return { ino, dev }
}

/**
 * The database file of a shard and its write-ahead log. While a connection is open, nobody makes the log anew: it is removed
 * when the last connection closes, and only then.
 */
export class OpenFiles {
  readonly #file: string
  readonly #wal: string
  readonly #fileIdentity: FileIdentity
  readonly #walIdentity: FileIdentity
  /** Size of the log after the last commit. Nobody but its owner makes it longer. */
  #walSize = 0
  /** Size of the file after the last commit. It becomes smaller only where rows were compacted. */
  #fileSize = 0
  /**
   * Size that the file has once a compaction has been moved into it, which a reader may delay; `Infinity` if none is in the
   * log. One can also have been left there by an owner who died.
   */
  #compactedSize = Infinity

  /**
   * Call it when something has been written through the connection, so that the log is there. `identity` is that of the
   * database file, read before the connection was made; `contentBytes` the size of what the connection sees. Throws like `require`.
   */
  constructor(file: string, identity: FileIdentity, contentBytes: number) {
    this.#file = file
    this.#wal = `${file}-wal`
    this.#fileIdentity = identity
    this.#walIdentity = identify(this.#wal)
    this.expectCompacted(contentBytes)
    this.require()
  }

  /** Has the file become as small as this without complaint, in bytes: its content was compacted to that size. */
  expectCompacted(contentBytes: number): void {
    this.#compactedSize = contentBytes
  }

  /**
   * Throws `StoreUnavailable` with the fault `missing`, naming the file, unless both are where they were, and `StoreDamaged` if the
   * database file was cut. Answers whether the log has become shorter since the last time.
   */
  require(): boolean {
    this.#requireUncut(requireSame(this.#file, this.#fileIdentity))
    const before = this.#walSize
    this.#walSize = requireSame(this.#wal, this.#walIdentity)
    return this.#walSize < before
  }

  /** Whether the log is shorter than after the last commit: somebody has cut it, or has moved all of it into the file. */
  get isShorter(): boolean {
    return (statSync(this.#wal, options)?.size ?? Infinity) < this.#walSize
  }

  /** Size of the log after the last commit, in bytes. */
  get walSize(): number {
    return this.#walSize
  }

  /** Path of the log. */
  get wal(): string {
    return this.#wal
  }

  #requireUncut(size: number): void {
    if (size < Math.min(this.#fileSize, this.#compactedSize)) throw new StoreDamaged(this.#file, 'it was cut while it was open')
    // A size that has changed is that of the content: all of the log up to some commit has been moved in.
    if (this.#fileSize > 0 && size !== this.#fileSize) this.#compactedSize = Infinity
    this.#fileSize = size
  }
}

const options = { throwIfNoEntry: false, bigint: false } as const

/** Answers the size of a file. Throws unless it is the one with this identity. */
function requireSame(file: string, identity: FileIdentity): number {
  const found = look(file) ?? raiseMissing(file, 'it was deleted or moved while it was open')
  if (found.ino !== identity.ino || found.dev !== identity.dev) raiseMissing(file, 'it was replaced by another while it was open')
  return found.size
}

/** A file that cannot be looked at counts as missing too: nobody could find there what was committed. */
function look(file: string): (FileIdentity & { readonly size: number }) | undefined {
  try {
    return statSync(file, options)
  } catch (error) {
    return raiseMissing(file, `it cannot be looked at (${codeOf(error)})`, error)
  }
}

function raiseMissing(file: string, detail: string, cause?: unknown): never {
  throw new StoreUnavailable('missing', `${file}: ${detail}`, cause === undefined ? {} : { cause })
}
