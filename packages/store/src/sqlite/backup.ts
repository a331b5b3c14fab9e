/**
 * Copying a directory while its owner runs: all shards as of one instant (`backup-moment.ts`), into a directory that can be opened.
 *
 * The copy is made beside its place under another name, without an `owner.db` until it is whole, written to the disk, checked, and
 * only then given its name. So what has the name is a copy, whatever happens in between.
 *
 * While shards are read their WALs cannot be begun anew: they grow by what is committed meanwhile.
 */
import type Sqlite from 'better-sqlite3'
import type { Database } from 'better-sqlite3'
import { closeSync, fsyncSync, mkdtempSync, openSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { DirectoryMissing, DirectoryNotEmpty, DirectoryNotWritable, StoreDamaged } from '../errors.ts'
import type { BackupOptions, BackupReport, Finding } from '../maintenance.ts'
import { fixMoment } from './backup-moment.ts'
import { connect } from './connection.ts'
import { codeOf, translate, translateOpening } from './fault.ts'
import { createFile } from './file.ts'
import { ownerFile, requireDirectory, requireWritable, shardFile } from './layout.ts'
import { insertOwner } from './ownership.ts'
import { readOwner, requireStore } from './reader-directory.ts'
import { sizeOf } from './reader-connection.ts'
import { ownerSchema, pragmaNumber } from './schema.ts'
import { verifyShards } from './verify.ts'

const BUSY_TIMEOUT_MS_DEFAULT = 10_000

/** Pages copied at a time, between two turns of the event loop: 2 MiB take a few milliseconds. */
const PAGES_PER_STEP = 512

/** Codes of the file system when a directory cannot take the place of what is there. */
const occupied: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR'])

/** Findings that a copy could not be opened or trusted with. */
const refused: ReadonlySet<string> = new Set([
  'file-missing',
  'file-foreign',
  'file-size',
  'file-damaged',
  'file-misplaced',
  'meta-missing',
  'damaged-page',
  'damaged-index',
])

/**
 * Copies the directory `from` to `to`, which must not exist or be empty; its parent must exist. Works beside a running owner and on
 * a directory that nobody has open; changes nothing in it. The children that processes of the original have started are not
 * the copy's: whoever opens the copy leaves them alone.
 *
 * Rejects with `DirectoryMissing`, `DirectoryNotEmpty` (`to` holds something or is a file, also if that came while it was copied),
 * `DirectoryNotOurs` (`from` is not), `DirectoryNotWritable` (asking for the write locks needs the right to write in `from` as well;
 * `to` must not lie in `from`), `SchemaTooNew`, `StoreDamaged` (the original is), `StoreUnavailable`, or the reason of the signal.
 * Nothing is left of the copy then.
 */
export async function backupDirectory(from: string, to: string, options: BackupOptions): Promise<BackupReport> {
  const source = resolve(from)
  const target = resolve(to)
  const { signal } = options
  signal?.throwIfAborted()
  requireStore(source)
  requireDirectory(source, false)
  requireWritable(source)
  requireFree(source, target)
  let made: string | undefined
  try {
    made = mkdtempSync(`${target}.partial-`)
    const report = await copyInto(source, target, made, options)
    signal?.throwIfAborted()
    renameSync(made, target)
    made = undefined
    syncPath(dirname(target))
    return report
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason
    // Only the last step meets these: somebody has put something there meanwhile.
    if (occupied.has(codeOf(error))) requireEmpty(target)
    // What has no code is not of SQLite or the file system, but of the caller's `onProgress`.
    throw codeOf(error) === '' ? error : translateOpening(error, dirname(target), target)
  } finally {
    if (made !== undefined) rmSync(made, { recursive: true, force: true })
  }
}

async function copyInto(source: string, target: string, made: string, options: BackupOptions): Promise<BackupReport> {
  const { elapsed, now, signal, busyTimeoutMs = BUSY_TIMEOUT_MS_DEFAULT } = options
  const { shards, created } = readOwner(source)
  if (created === 0) throw new DirectoryMissing(source, 'its making has not been finished')
  const files = Array.from({ length: shards }, (_, index) => shardFile(source, index))
  for (const file of files) if (sizeOf(file) === 0) throw new StoreDamaged(file, 'it is missing or empty')
  const pause = async (): Promise<void> => {
    // A question to the file system is a turn of the event loop.
    await stat(source)
    signal?.throwIfAborted()
  }
  const moment = await fixMoment(files, { elapsed, busyTimeoutMs, pause })
  try {
    await copyShards(moment.shards, files, made, options)
  } finally {
    moment.close()
  }
  // Read after the moment: an owner's epoch only grows, so that of the copy is not behind any of its shards.
  const { epoch } = readOwner(source)
  for (const index of files.keys()) forgetProcesses(shardFile(made, index))
  const findings = verifyCopy(made, shards, files)
  createFile(ownerFile(made), ownerSchema, (db) => {
    insertOwner(db, { pid: process.pid, since: now }, shards)
    db.prepare<[number]>('UPDATE owner SET epoch = ?, created = 1').run(epoch)
  })
  const names = readdirSync(made)
  for (const name of names) syncPath(join(made, name))
  syncPath(made)
  const bytes = names.reduce((sum, name) => sum + sizeOf(join(made, name)), 0)
  const placed = findings.map((finding) => ({ ...finding, place: finding.place.replace(made, target) }))
  return { directory: target, shards, bytes, heldMs: moment.heldMs, findings: placed }
}

/** Copies what the connections see. SQLite reads the pages through the open read transaction, so later commits are not in the copy. */
async function copyShards(shards: readonly Database[], files: readonly string[], made: string, options: BackupOptions): Promise<void> {
  const { signal, onProgress } = options
  const sizes = shards.map((db) => pragmaNumber(db, 'page_count') * pragmaNumber(db, 'page_size'))
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0)
  const report = (bytes: number): void => {
    signal?.throwIfAborted()
    onProgress?.({ bytes, bytesTotal })
  }
  let before = 0
  for (const [index, db] of shards.entries()) {
    const size = sizes[index] ?? 0
    try {
      await db.backup(shardFile(made, index), { progress: reporting(report, before, size) })
    } catch (error) {
      throw codeOf(error).startsWith('SQLITE_') ? translate(error, files[index] ?? '') : error
    }
    before += size
    report(before)
  }
}

/** What SQLite's binding calls between two steps, and how much it is to copy in the next. */
function reporting(report: (bytes: number) => void, before: number, size: number): (progress: Sqlite.BackupMetadata) => number {
  return ({ totalPages, remainingPages }) => {
    report(before + Math.floor((size * (totalPages - remainingPages)) / Math.max(1, totalPages)))
    return PAGES_PER_STEP
  }
}

/** The processes belong to the original: whoever opens the copy must not end them. */
function forgetProcesses(file: string): void {
  const db = connect(file, { busyTimeoutMs: 0, synchronous: 'full', create: false })
  try {
    db.exec('DELETE FROM process')
  } catch (error) {
    throw translate(error, file)
  } finally {
    db.close()
  }
}

/** Answers what a check of the copied shards finds. Throws `StoreDamaged` with the file of the original if a copy could not be trusted. */
function verifyCopy(made: string, shards: number, files: readonly string[]): readonly Finding[] {
  const checks = verifyShards(made, shards, { isQuick: false, isOwned: false })
  for (const [index, { findings }] of checks.entries()) {
    const worst = findings.all.find((finding) => refused.has(finding.code))
    if (worst !== undefined) throw new StoreDamaged(files[index] ?? '', `a copy of it is not sound: ${worst.message}`)
  }
  return checks.flatMap((check) => check.findings.all)
}

/** Throws unless a directory can be made there. */
function requireFree(source: string, target: string): void {
  if (statSync(dirname(target), { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new DirectoryMissing(target, `its parent ${dirname(target)} does not exist`)
  const [original, place] = [realpathSync(source), realpathOf(target)]
  if (place === original) throw new DirectoryNotWritable(target, 'it is the directory that is to be copied')
  if (place.startsWith(original + sep)) throw new DirectoryNotWritable(target, 'it lies within the directory that is to be copied')
  requireEmpty(target)
}

/** Throws if something is there, and is not an empty directory. */
function requireEmpty(target: string): void {
  const stats = statSync(target, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isDirectory()) throw new DirectoryNotEmpty(target)
  const [found] = readdirSync(target)
  if (found !== undefined) throw new DirectoryNotEmpty(target, found)
}

/** The path without symbolic links, of something that need not be there in a directory that is. */
function realpathOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? join(realpathSync(dirname(path)), basename(path)) : realpathSync(path)
}

/** Has the disk write a file or directory. */
function syncPath(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
