/**
 * What SQLite and the file system complain of, said in the store's own errors.
 *
 * Every exception that leaves the SQLite driver has gone through here once; nothing else looks at SQLite's codes.
 */
import { BailiwickError, BatchInvalid, DirectoryNotWritable, StoreDamaged, StoreUnavailable } from '../errors.ts'
import type { StoreFault } from '../errors.ts'

/** Families of SQLite's result codes (extended codes begin with their family) that mean: not now, or not on this disk. */
const faults: readonly (readonly [family: string, fault: StoreFault])[] = [
  ['SQLITE_FULL', 'full'],
  // No room for the index of the WAL, which is made before anything is written.
  ['SQLITE_IOERR_SHMSIZE', 'full'],
  ['SQLITE_READONLY', 'read-only'],
  ['SQLITE_PERM', 'read-only'],
  ['SQLITE_IOERR', 'io'],
  ['SQLITE_CANTOPEN', 'io'],
  ['SQLITE_BUSY', 'busy'],
  ['SQLITE_LOCKED', 'busy'],
]

/** Codes of the file system that mean: this process may not write here. */
const refusals = new Set(['EACCES', 'EPERM', 'EROFS'])

/** Translates whatever was thrown while `file` was used. Errors of ours pass unchanged. */
export function translate(error: unknown, file: string): BailiwickError {
  if (error instanceof BailiwickError) return error
  const code = codeOf(error)
  const detail = inOneLine(error instanceof Error ? error.message : String(error))
  if (isDamage(code)) return new StoreDamaged(file, detail, { cause: error })
  // Constraints and values that cannot be bound are mistakes in the batch, not of the disk.
  if (code.startsWith('SQLITE_CONSTRAINT') || code.startsWith('SQLITE_TOOBIG') || code.startsWith('SQLITE_MISMATCH')) {
    return new BatchInvalid(detail, { cause: error })
  }
  if (error instanceof TypeError || error instanceof RangeError) return new BatchInvalid(detail, { cause: error })
  for (const [family, fault] of faults) {
    if (code.startsWith(family)) return new StoreUnavailable(fault, `${detail} (${code}, ${file})`, { cause: error })
  }
  return new StoreUnavailable('other', `${detail} (${code}, ${file})`, { cause: error })
}

/** Like `translate`, for the opening of a directory: being refused to write is an answer of its own there. */
export function translateOpening(error: unknown, directory: string, file: string): BailiwickError {
  const code = codeOf(error)
  if (refusals.has(code) || code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_PERM')) {
    return new DirectoryNotWritable(directory, error instanceof Error ? error.message : code)
  }
  return translate(error, file)
}

/** True if the code says that the file's content is wrong. */
function isDamage(code: string): boolean {
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}

/** True if somebody else holds a lock. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY')
}

/** True if there was no room on the disk, or in the file as far as it may grow. */
export function isFull(error: unknown): boolean {
  return faults.some(([family, fault]) => fault === 'full' && codeOf(error).startsWith(family))
}

/** What SQLite says in several lines as one that stands in a sentence, without its headings (`*** in database main ***`). */
export function inOneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('***')).join('; ')
}

/** The `code` that SQLite's and Node's errors carry; empty where there is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
