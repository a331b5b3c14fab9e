/**
 * Mending a directory, as far as that cannot lose anything: what is unfinished is finished, logs are moved in, marks and epochs are
 * raised, what has expired is deleted, a file of which only indexes are damaged is made anew from its tables, and an `owner.db`
 * that is lost from what sound shards say.
 *
 * Only the last two replace anything. The file that they replace stays beside the new one, as `shard-N.db.damaged-E` with the
 * epoch E of the repair, or `owner.db.damaged-E`. Everything else stays as it is and stays a finding: no row is guessed, and none is deleted.
 */
import type { Database } from 'better-sqlite3'
import { readdirSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { DirectoryInUse, SchemaTooNew, StoreDamaged } from '../errors.ts'
import { isoTime } from '../iso-time.ts'
import type { RepairReport } from '../maintenance.ts'
import { connect, switchToWal } from './connection.ts'
import { openDirectory } from './directory.ts'
import { isBusy, translate } from './fault.ts'
import { ownerFile, requireDirectory, requireWritable, shardFile } from './layout.ts'
import { look, sizeOf } from './reader-connection.ts'
import { readOwner } from './reader-directory.ts'
import { rebuildOwner } from './repair-owner.ts'
import { rebuildShard } from './repair-rebuild.ts'
import { migrate, pragmaNumber, shardSchema } from './schema.ts'
import { verifyDirectory, verifyShard } from './verify.ts'
import { areRowsOnly, lossOfOwner, REPLACED_MAX } from './verify-owner.ts'
import { linksBehind, marks } from './verify-rows.ts'
import type { LinkBehind } from './verify-rows.ts'

const BUSY_TIMEOUT_MS = 1_000

/** How a directory is repaired. */
export interface RepairOptions {
  /** The clock: wall time in milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Takes the directory, mends what can be mended without losing anything, gives it back, and checks it.
 *
 * Throws `DirectoryInUse` if somebody owns it, `StoreUnavailable` (`busy`) if somebody has a shard open that is to be replaced or
 * whose `owner.db` is lost, and what opening it throws, except `StoreDamaged` and `SchemaTooNew`: a directory that
 * cannot be opened is left as it is, and `left` says why.
 */
export function repairDirectory(directory: string, options: RepairOptions): RepairReport {
  const absolute = resolve(directory)
  const done: string[] = []
  passDamage(() => {
    lossOfOwner(absolute)
    requireDirectory(absolute, false)
    requireWritable(absolute)
    rebuildOwner(absolute, options.now(), done)
    raiseOwner(absolute, done)
    const isUnfinished = readOwner(absolute).created === 0
    const owned = openDirectory({ directory: absolute, shards: 1, create: false, now: options.now })
    try {
      if (isUnfinished) done.push('The making of the directory was finished.')
      for (let index = 0; index < owned.shardCount; index += 1) {
        passDamage(() => repairShard(absolute, index, owned.epoch, options.now(), done))
      }
    } finally {
      owned.release()
    }
  })
  return { done, left: verifyDirectory(absolute) }
}

/** Tries something that damage may refuse. What that was is said by the check afterwards. */
function passDamage(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof StoreDamaged) && !(error instanceof SchemaTooNew)) throw error
  }
}

/** An owner's epoch that is behind a shard's is raised before the directory is taken: the shard would refuse its owner. */
function raiseOwner(directory: string, done: string[]): void {
  const row = readOwner(directory)
  const file = ownerFile(directory)
  const newest = Math.max(0, ...Array.from({ length: row.shards }, (_, index) => ownerEpochOf(shardFile(directory, index))))
  if (newest <= row.epoch) return
  const db = connect(file, { busyTimeoutMs: 0, synchronous: 'full', create: false })
  try {
    db.exec('BEGIN IMMEDIATE')
    db.prepare<[number]>('UPDATE owner SET epoch = max(epoch, ?)').run(newest)
    db.exec('COMMIT')
    done.push(`The epoch of ${file} was raised from ${row.epoch} to ${newest}, where a shard has been.`)
  } catch (error) {
    if (isBusy(error)) throw new DirectoryInUse(directory, { pid: row.pid, since: isoTime(row.since), epoch: row.epoch })
    throw translate(error, file)
  } finally {
    db.close()
  }
}

/** The owner's epoch that a shard knows, 0 if it cannot be read. */
function ownerEpochOf(file: string): number {
  try {
    return look(file, (db) => db.prepare<[], { readonly epoch: number }>('SELECT owner_epoch AS epoch FROM meta').get()?.epoch ?? 0)
  } catch {
    return 0
  }
}

function repairShard(directory: string, index: number, epoch: number, now: number, done: string[]): void {
  const file = shardFile(directory, index)
  const { findings } = verifyShard(file, index, { isQuick: false, isOwned: false })
  // Nothing is written into a file with damage that stays: whoever tries to save something from it wants it as it is.
  if (!areRowsOnly(findings.all)) return
  if (findings.all.some(({ code, isRepairable }) => isRepairable && (code === 'damaged-index' || code === 'unused-pages'))) {
    const replaced = readdirSync(directory).filter((name) => name.includes('.damaged-')).length
    if (replaced >= REPLACED_MAX) return
    const kept = rebuildShard(file, epoch)
    done.push(`The indexes of ${file} were made anew from its tables; the file as it was is ${basename(kept)}.`)
  }
  const isWalled = sizeOf(`${file}-wal`) > 0
  settle(file, now, done)
  if (isWalled && sizeOf(`${file}-wal`) === 0) done.push(`The write-ahead log of ${file} was moved into it.`)
}

/** Brings the schema up to date, raises marks, deletes what has expired, and moves the WAL in. */
function settle(file: string, now: number, done: string[]): void {
  const db = connect(file, { busyTimeoutMs: BUSY_TIMEOUT_MS, synchronous: 'full', create: false })
  try {
    switchToWal(db)
    const said: string[] = []
    db.transaction(() => {
      const before = pragmaNumber(db, 'user_version')
      if (migrate(db, file, shardSchema))
        said.push(`The schema of ${file} was brought from version ${before} to ${pragmaNumber(db, 'user_version')}.`)
      raiseMarks(db, file, said)
      const expired = db.prepare<[number]>('DELETE FROM idempotency WHERE expires_at <= ?').run(now).changes
      if (expired > 0) said.push(`${expired} expired outcomes were deleted from ${file}.`)
    }).immediate()
    db.pragma('wal_checkpoint(TRUNCATE)')
    done.push(...said)
  } catch (error) {
    throw translate(error, file)
  } finally {
    db.close()
  }
}

function raiseMarks(db: Database, file: string, said: string[]): void {
  for (const { column, largest } of marks) {
    const raised = db.prepare(`UPDATE meta SET ${column} = (${largest}) WHERE ${column} < (${largest})`).run().changes
    if (raised > 0) said.push(`The mark ${column} of ${file} was raised to what its rows have.`)
  }
  for (const { peer, last } of db.prepare<[], LinkBehind>(linksBehind).all()) {
    db.prepare<[number, number]>(
      'INSERT INTO link (peer, sent, received) VALUES (?, ?, 0) ON CONFLICT (peer) DO UPDATE SET sent = excluded.sent',
    ).run(peer, last)
    said.push(`The count of messages of ${file} for shard ${peer} was raised to ${last}.`)
  }
}
