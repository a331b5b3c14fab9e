/**
 * Looking at the files of a directory from outside, so that nothing changes in them: the owner goes on undisturbed, and a
 * directory that nobody has open stays as it was, with the WAL that a killed owner has left.
 *
 * A connection lives for one answer. So an owner who comes meanwhile finds nobody who would hold back its checkpoints, and the
 * process never has a file open through SQLite while something else of it reads the same file with `fs`.
 */
import Sqlite from 'better-sqlite3'
import type { Database } from 'better-sqlite3'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreDamaged, StoreUnavailable } from '../errors.ts'
import { connectToLook } from './connection.ts'
import { codeOf, isBusy, translate } from './fault.ts'
import { lookAtWal } from './reader-wal.ts'

/** How long a look waits for somebody who is just making or recovering the file. Reading waits for nobody else. */
const LOOK_TIMEOUT_MS = 1_000

/** A file that can only be read in memory may be so large. */
const FROZEN_BYTES_MAX = 1_024 * 1_024 * 1_024

/** Where a database's first page says that it is in WAL mode (2), for writers and for readers; 1 is the mode without one. */
const FORMAT_BYTES = [18, 19] as const

/** Size of a file in bytes, 0 if it is not there. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/**
 * Reads a file at one moment. Every exception leaves in the store's own errors: `StoreDamaged`, or `StoreUnavailable` where the
 * file may not be read, or could only be read by writing beside it.
 */
export function look<T>(file: string, read: (db: Database) => T): T {
  try {
    const db = openToLook(file)
    try {
      return atOneMoment(db, () => read(db))
    } finally {
      db.close()
    }
  } catch (error) {
    throw translate(error, file)
  }
}

/** Opens a file for reading; nothing changes, neither now nor when it is closed. Throws the errors of SQLite and Node as they are. */
export function openToLook(file: string): Database {
  if (sizeOf(file) === 0)
    throw new StoreDamaged(file, statSync(file, { throwIfNoEntry: false }) === undefined ? 'it is missing' : 'it is empty')
  if (!lookAtWal(file).isWal) throw new StoreDamaged(`${file}-wal`, 'its beginning is not that of a write-ahead log')
  if (mayWrite(file)) return connectToLook(file, sizeOf(`${file}-wal`) > 0, LOOK_TIMEOUT_MS)
  const db = connectToLook(file, true, LOOK_TIMEOUT_MS)
  try {
    db.pragma('schema_version')
    return db
  } catch (error) {
    db.close()
    const code = codeOf(error)
    if (!code.startsWith('SQLITE_CANTOPEN') && !code.startsWith('SQLITE_READONLY')) throw error
    return openFrozen(file, error)
  }
}

/** Does something inside one read transaction, so that all of it sees the same moment. */
export function atOneMoment<T>(db: Database, read: () => T): T {
  db.exec('BEGIN')
  try {
    return read()
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK')
  }
}

/**
 * Whether somebody holds the write lock of `owner.db`, which whoever owns the directory keeps; `undefined` if that cannot be
 * seen, because this process may not write.
 *
 * The lock is asked for and given back at once. The other connection keeps the WAL of a dead owner from being moved into the
 * file: only the last one to close does that, and it may not, because it only reads.
 */
export function isHeld(file: string): boolean | undefined {
  // Taking a directory begins with a commit, so the owner's WAL is never empty.
  if (sizeOf(`${file}-wal`) === 0) return false
  if (!mayWrite(file)) return undefined
  const guard = connectToLook(file, true, LOOK_TIMEOUT_MS)
  try {
    guard.pragma('schema_version')
    const asking = new Sqlite(file, { fileMustExist: true, timeout: 0 })
    try {
      asking.exec('BEGIN IMMEDIATE')
      asking.exec('ROLLBACK')
      return false
    } catch (error) {
      if (isBusy(error)) return true
      throw error
    } finally {
      asking.close()
    }
  } catch (error) {
    throw translate(error, file)
  } finally {
    guard.close()
  }
}

/** Whether SQLite may do what reading in WAL mode needs: write into the side files, and make and remove them. */
function mayWrite(file: string): boolean {
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK)
    for (const name of [file, `${file}-wal`, `${file}-shm`]) {
      if (statSync(name, { throwIfNoEntry: false }) !== undefined) accessSync(name, constants.R_OK | constants.W_OK)
    }
    return true
  } catch (error) {
    // A side file that has gone since it was seen refuses nobody.
    return codeOf(error) === 'ENOENT'
  }
}

/**
 * Reads a file that SQLite cannot open without writing beside it: as a copy in memory, marked as being without a WAL.
 * Whoever has it open in WAL mode has a `-shm` beside it; where there is none, nobody has, and it may be read with `fs`.
 */
function openFrozen(file: string, cause: unknown): Database {
  accessSync(file, constants.R_OK)
  if (sizeOf(`${file}-wal`) > 0 || sizeOf(`${file}-shm`) > 0) {
    throw unreadable(
      `${file} has a write-ahead log, which cannot be read without writing beside it; copy the directory and look at the copy`,
      cause,
    )
  }
  if (sizeOf(file) > FROZEN_BYTES_MAX) {
    throw unreadable(`${file} may not be written and is too large to be read into memory; copy the directory and look at the copy`, cause)
  }
  const bytes = readFileSync(file)
  for (const position of FORMAT_BYTES) if (bytes[position] === 2) bytes[position] = 1
  return new Sqlite(bytes, { readonly: true })
}

function unreadable(detail: string, cause: unknown): StoreUnavailable {
  return new StoreUnavailable('read-only', detail, { cause })
}
