/**
 * One database file of the store: how it is made, and what is looked at before it is opened for writing.
 *
 * A file is inspected through connections that change nothing, so a refused file stays as it was, byte for byte.
 */
import type { Database } from 'better-sqlite3'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { StoreDamaged } from '../errors.ts'
import { connect, connectToLook, switchToWal } from './connection.ts'
import { inOneLine, translate } from './fault.ts'
import { migrate, pragmaNumber, requireKnownVersion } from './schema.ts'
import type { Schema } from './schema.ts'

/** Up to this size, checking the whole file takes no longer than a person notices. */
const CHECKED_BYTES_MAX = 32 * 1_024 * 1_024

/** How long to wait for somebody else who makes or looks at the same file. Then it is worth looking at it anew. */
const CREATION_TIMEOUT_MS = 50

/** The two magic numbers that a WAL can begin with, big-endian and little-endian checksums. */
const walMagics: ReadonlySet<number> = new Set([0x377f0682, 0x377f0683])

/**
 * Makes a file with its schema and first rows, or finishes one whose making was interrupted. Leaves a finished one alone.
 * Fails as busy if somebody else has the file open.
 *
 * The schema is written under the rollback journal and only then the file is switched to WAL. So a file that is not empty
 * always shows its application id in its first page, without a WAL being read. The file stays locked in between: two who
 * want to switch at once would each wait for the other.
 */
export function createFile(file: string, schema: Schema, fill: (db: Database) => void): void {
  const db = connect(file, { busyTimeoutMs: CREATION_TIMEOUT_MS, synchronous: 'full', create: true })
  try {
    db.pragma('locking_mode = EXCLUSIVE')
    db.exec('BEGIN EXCLUSIVE')
    if (migrate(db, file, schema)) fill(db)
    db.exec('COMMIT')
    switchToWal(db)
  } finally {
    db.close()
  }
}

/** What the first page of a file says. */
export interface Header {
  readonly applicationId: number
  readonly schemaVersion: number
}

/** Reads the first page. Throws the errors of SQLite as they are: what they mean depends on where the file stands. */
export function readHeader(file: string): Header {
  const db = connectToLook(file, hasContent(`${file}-wal`), CREATION_TIMEOUT_MS)
  try {
    return headerOf(db)
  } finally {
    db.close()
  }
}

/**
 * Checks that a file is there, is one of ours and is not from the future; cheap enough for a thousand files.
 * A file with a WAL is only checked for being there: reading the WAL takes a while, and opening the file does it anyway.
 * Throws `StoreDamaged` or `SchemaTooNew`.
 */
export function requireFile(file: string, schema: Schema): void {
  requireContent(file)
  if (hasContent(`${file}-wal`)) return
  try {
    requireHeader(file, readHeader(file), schema)
  } catch (error) {
    throw translate(error, file)
  }
}

/**
 * Checks a file as a whole before it is opened for writing: the first page, the size, the WAL's beginning and, if the file
 * is not large, every page. Throws `StoreDamaged`, `SchemaTooNew` or `StoreUnavailable`.
 */
export function requireSound(file: string, schema: Schema, busyTimeoutMs: number): void {
  requireContent(file)
  const walled = hasContent(`${file}-wal`)
  try {
    if (walled) requireWal(`${file}-wal`)
    const db = connectToLook(file, walled, busyTimeoutMs)
    try {
      requireHeader(file, headerOf(db), schema)
      requirePages(file, db, walled)
    } finally {
      db.close()
    }
  } catch (error) {
    throw translate(error, file)
  }
}

/** Whether a file is there and not empty. */
function hasContent(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0
}

function headerOf(db: Database): Header {
  return { applicationId: pragmaNumber(db, 'application_id'), schemaVersion: pragmaNumber(db, 'user_version') }
}

function requireContent(file: string): void {
  if (hasContent(file)) return
  throw new StoreDamaged(file, statSync(file, { throwIfNoEntry: false }) === undefined ? 'it is missing' : 'it is empty')
}

function requireHeader(file: string, header: Header, schema: Schema): void {
  if (header.applicationId !== schema.applicationId) throw new StoreDamaged(file, 'it is not the file that Bailiwick put there')
  requireKnownVersion(file, header.schemaVersion, schema)
}

/** With a WAL, the size of the file says nothing: pages may be missing in it that are in the WAL. */
function requirePages(file: string, db: Database, walled: boolean): void {
  const { size } = statSync(file)
  const expected = pragmaNumber(db, 'page_count') * pragmaNumber(db, 'page_size')
  if (!walled && size !== expected) throw new StoreDamaged(file, `it has ${size} bytes, but its header counts ${expected}`)
  if (size > CHECKED_BYTES_MAX) return
  const verdict = db.pragma('quick_check(1)', { simple: true })
  if (verdict !== 'ok') throw new StoreDamaged(file, inOneLine(String(verdict)))
}

/**
 * SQLite passes over a WAL whose beginning it cannot read, and with it over every commit in there. So that is looked at here.
 * A beginning of zeros is no damage: so a WAL looks whose first write did not reach the disk before the machine died.
 * (SQLite holds no lock on a WAL file, so unlike the database itself it can be read with `fs`.)
 */
function requireWal(wal: string): void {
  const start = Buffer.alloc(4)
  const descriptor = openSync(wal, 'r')
  try {
    if (readSync(descriptor, start, 0, 4, 0) < 4) return
  } finally {
    closeSync(descriptor)
  }
  const magic = start.readUInt32BE(0)
  if (magic !== 0 && !walMagics.has(magic)) throw new StoreDamaged(wal, 'its beginning is not that of a write-ahead log')
}
