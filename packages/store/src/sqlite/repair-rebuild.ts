/**
 * Making a shard's file anew from its tables, for a file of which nothing but indexes is damaged.
 *
 * SQLite's own `REINDEX` and `VACUUM` walk through the damaged index to free or to copy its pages, and fail there. So the rows are
 * copied into a new file, table by table, along the tables themselves. The new file is checked before it takes the place of
 * the old one, which stays beside it under another name.
 */
import type { Database } from 'better-sqlite3'
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreDamaged, StoreUnavailable } from '../errors.ts'
import { connect, switchToWal } from './connection.ts'
import { inOneLine, translate } from './fault.ts'
import { pragmaNumber, shardSchema } from './schema.ts'

const BUSY_TIMEOUT_MS = 1_000

/** Makes the file anew; answers where the old one is kept. Throws with the old one in its place if anything goes wrong. */
export function rebuildShard(file: string, epoch: number): string {
  const made = `${file}.rebuilt`
  const kept = `${file}.damaged-${epoch}`
  removeFile(made)
  try {
    settleFile(file)
    fill(made, file)
    // Two names for the old file, then the new one takes the first over: at no moment there is no file.
    linkSync(file, kept)
    renameSync(made, file)
    syncDirectory(dirname(file))
    return kept
  } catch (error) {
    throw translate(error, file)
  } finally {
    removeFile(made)
  }
}

/** Moves the WAL in and leaves WAL mode, which only goes if nobody else has the file open: a WAL that stayed would be read as the new file's. */
function settleFile(file: string): void {
  const db = connect(file, { busyTimeoutMs: BUSY_TIMEOUT_MS, synchronous: 'full', create: false })
  try {
    const mode = db.pragma('journal_mode = DELETE', { simple: true })
    if (mode === 'delete') return
  } finally {
    db.close()
  }
  throw new StoreUnavailable('busy', `${file} is being read by somebody else`)
}

function fill(made: string, file: string): void {
  const db = connect(made, { busyTimeoutMs: BUSY_TIMEOUT_MS, synchronous: 'full', create: true })
  try {
    db.pragma('foreign_keys = OFF')
    db.prepare('ATTACH ? AS damaged').run(file)
    const version = pragmaNumber(db, 'damaged.user_version')
    db.exec('BEGIN IMMEDIATE')
    db.pragma(`main.application_id = ${shardSchema.applicationId}`)
    for (const migration of shardSchema.migrations) if (migration.version <= version) db.exec(migration.sql)
    db.pragma(`main.user_version = ${version}`)
    for (const table of tablesOf(db)) copyTable(db, table, file)
    db.exec('COMMIT')
    db.exec('DETACH damaged')
    const verdict = db.pragma('integrity_check(1)', { simple: true })
    if (verdict !== 'ok') throw new StoreDamaged(file, `its rows do not make a sound file: ${inOneLine(String(verdict))}`)
    switchToWal(db)
  } finally {
    db.close()
  }
}

function tablesOf(db: Database): string[] {
  const rows = db.prepare<[], { readonly name: string }>(
    `SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
  )
  return rows.all().map((row) => row.name)
}

function copyTable(db: Database, table: string, file: string): void {
  // Without a condition SQLite would take the indexes over as they are, page by page.
  const copied = db.prepare(`INSERT INTO main.${table} SELECT * FROM damaged.${table} NOT INDEXED WHERE 1`).run().changes
  const { count } = db.prepare<[], { readonly count: number }>(`SELECT count(*) AS count FROM damaged.${table} NOT INDEXED`).get() ?? {
    count: -1,
  }
  if (copied !== count) throw new StoreDamaged(file, `of ${count} rows of ${table} only ${copied} could be read`)
}

function removeFile(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true })
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
