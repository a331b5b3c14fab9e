/**
 * Connections to SQLite and everything that is set on them.
 *
 * Nothing is left to SQLite's defaults or to those of the binding: a default that changes would change a guarantee.
 * The sizes were measured with batches of 1, 1,000 and 8,000 rows on up to 200,000 actors.
 */
import Sqlite from 'better-sqlite3'
import type { Database } from 'better-sqlite3'
import type { Synchronous } from '../store.ts'

/** 4 KiB: larger pages were no faster in batches and cost a quarter of the speed of one-row commits. Counts only for new files. */
const PAGE_BYTES = 4_096

/** The WAL is moved into the file once it holds 16 MiB: four times SQLite's default is a fifth faster, four times more again gains nothing. */
const WAL_CHECKPOINT_BYTES = 16 * 1_024 * 1_024

/** A WAL that one huge batch has blown up is cut back to this size. */
const WAL_BYTES_MAX = 4 * WAL_CHECKPOINT_BYTES

const CACHE_KIB = 32 * 1_024

/** What a connection is opened with. */
export interface ConnectionOptions {
  /** How long a statement waits for somebody else's lock before it fails as busy. */
  readonly busyTimeoutMs: number
  readonly synchronous: Synchronous
  /** Whether a missing file is created. */
  readonly create: boolean
}

/** Opens a file for reading and writing. The journal mode is left as it is: see `switchToWal`. */
export function connect(file: string, options: ConnectionOptions): Database {
  const db = new Sqlite(file, { timeout: options.busyTimeoutMs, fileMustExist: !options.create })
  try {
    db.pragma(`page_size = ${PAGE_BYTES}`)
    db.pragma(`synchronous = ${options.synchronous}`)
    db.pragma('foreign_keys = ON')
    db.pragma('recursive_triggers = ON')
    db.pragma('trusted_schema = OFF')
    db.pragma('temp_store = MEMORY')
    db.pragma(`cache_size = -${CACHE_KIB}`)
    db.pragma('mmap_size = 0')
    db.pragma(`wal_autocheckpoint = ${WAL_CHECKPOINT_BYTES / PAGE_BYTES}`)
    db.pragma(`journal_size_limit = ${WAL_BYTES_MAX}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Opens a file to look at it, so that nothing changes: not the file, and not the WAL that an owner who died has left.
 *
 * A WAL with content is read through a read-only connection, which does not move it into the file when it closes. Without
 * one the connection is an ordinary one, because only that takes the side files away again that reading in WAL mode makes.
 *
 * A database is never read with `fs` instead: closing such a descriptor would drop, by the rules of POSIX, every lock that
 * this process holds on the file through SQLite.
 */
export function connectToLook(file: string, walled: boolean, busyTimeoutMs: number): Database {
  return new Sqlite(file, { readonly: walled, fileMustExist: true, timeout: busyTimeoutMs })
}

/**
 * Opens a file for this connection alone, until it is closed; waits so long for those who have it open. Throws SQLite's error for
 * busy if they stay. The mode must be set before anything is read.
 */
export function connectAlone(file: string, busyTimeoutMs: number): Database {
  const db = new Sqlite(file, { fileMustExist: true, timeout: busyTimeoutMs })
  try {
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('synchronous = full')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Rewrites the file without the room that deleted rows have left, and cuts the WAL back. Somebody who is reading keeps the
 * WAL from being cut back until later: that is no error.
 *
 * The copy that SQLite makes on the way lies in a temporary file for once: a large shard would not fit into memory. Throws
 * the errors of SQLite as they are, with the content as it was.
 */
export function vacuum(db: Database): void {
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.pragma('temp_store = FILE')
  try {
    db.exec('VACUUM')
  } finally {
    db.pragma('temp_store = MEMORY')
  }
  // The new file is in the WAL until now.
  db.pragma('wal_checkpoint(TRUNCATE)')
}

/**
 * Moves the WAL into the file and gives its room back to the disk, as far as nobody reads it and the file need not grow. Without
 * that a WAL could take up all room of a small disk for ever: it is moved only by a commit, and there is no room for one.
 * Changes no row and waits for nobody. Throws nothing: whoever tries to commit next is told what is wrong.
 */
export function makeRoom(db: Database): void {
  try {
    const timeout = Number(db.pragma('busy_timeout', { simple: true }))
    db.pragma('busy_timeout = 0')
    try {
      db.pragma('wal_checkpoint(TRUNCATE)')
    } finally {
      db.pragma(`busy_timeout = ${timeout}`)
    }
  } catch {
    // The disk is as full as it was.
  }
}

/** Size in bytes of the file with everything that is committed, once that has been moved into it. */
export function contentBytesOf(db: Database): number {
  return Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }))
}

/** Makes WAL the journal mode of the file. Only after the schema exists: see `createFile` in `file.ts`. */
export function switchToWal(db: Database): void {
  const mode = db.pragma('journal_mode = WAL', { simple: true })
  if (mode !== 'wal') throw new Error(`the file system does not support WAL (journal mode ${String(mode)})`)
}
