/**
 * One instant of all shards, while their owner goes on.
 *
 * 1. Take the write lock of each shard, in the order of their indexes: once all are held, no commit is under way anywhere.
 * 2. Begin a read transaction on a second connection to each shard and read one row: what it sees is fixed from here on.
 * 3. Give the write locks back. Commits have waited in their busy handlers meanwhile.
 *
 * A message between two shards is committed by its sender before its receiver hears of it. So at one instant no receiver has what
 * its sender does not know of, and every message that the receiver does not have is still in the sender's outbox.
 */
import Sqlite from 'better-sqlite3'
import type { Database } from 'better-sqlite3'
import { StoreUnavailable } from '../errors.ts'
import { isBusy, translate } from './fault.ts'
import { openToLook } from './reader-connection.ts'

/**
 * For so long some locks are held while the others are waited for: a commit waits much longer before it fails. Each round that
 * ends in vain may take twice as long as the one before, up to the larger bound.
 */
const ROUND_MS_MIN = 10
const ROUND_MS_MAX = 500

/**
 * Whoever holds a lock for longer than this is doing something large, or nothing: it was stopped in the middle of a commit. From
 * then on two thirds of the time are spent asleep, in short pieces, because this thread may have other things to do.
 */
const EAGER_MS = 1_000
const SLEEP_ROUNDS = 2
const SLEEP_PIECE_MS = 5

/** What fixing a moment needs. */
export interface MomentOptions {
  readonly elapsed: () => number
  readonly busyTimeoutMs: number
  /** Waits for a turn of the event loop, holding nothing; throws to give up. */
  readonly pause: () => Promise<void>
}

/** Connections that see one instant of all shards, each inside a read transaction. */
export interface Moment {
  readonly shards: readonly Database[]
  /** For how long commits had to wait. */
  readonly heldMs: number
  close(): void
}

/** Fixes a moment. Throws `StoreUnavailable` (`busy`) if the locks cannot be had in time. */
export async function fixMoment(files: readonly string[], options: MomentOptions): Promise<Moment> {
  const opened: Database[] = []
  const writers: Database[] = []
  try {
    // The readers first: as long as they are there, a writer that closes leaves the WAL where it is.
    const readers = files.map((file) => keep(opened, () => openReading(file), file))
    for (const file of files) writers.push(keep(opened, () => new Sqlite(file, { fileMustExist: true, timeout: 0 }), file))
    const heldMs = await hold(files, writers, options, () => {
      for (const reader of readers) fix(reader)
    })
    return { shards: readers, heldMs, close: () => closeAll(readers) }
  } catch (error) {
    closeAll(writers)
    closeAll(opened)
    throw error
  } finally {
    closeAll(writers)
  }
}

function keep(opened: Database[], open: () => Database, file: string): Database {
  try {
    const db = open()
    opened.push(db)
    return db
  } catch (error) {
    throw translate(error, file)
  }
}

/** A connection that has read once, and so keeps its file from being tidied up by another one that closes. */
function openReading(file: string): Database {
  const db = openToLook(file)
  db.pragma('schema_version')
  return db
}

function fix(reader: Database): void {
  reader.exec('BEGIN')
  reader.prepare('SELECT epoch FROM meta').get()
}

/** Does something while every write lock is held; answers for how long one was. */
async function hold(files: readonly string[], writers: readonly Database[], options: MomentOptions, work: () => void): Promise<number> {
  const { elapsed, busyTimeoutMs, pause } = options
  const begun = elapsed()
  const end = begun + busyTimeoutMs
  for (let roundMs = ROUND_MS_MIN; ; roundMs = Math.min(2 * roundMs, ROUND_MS_MAX)) {
    const started = elapsed()
    const until = Math.min(started + roundMs, end)
    let since = started
    let held = 0
    try {
      for (const [index, writer] of writers.entries()) {
        if (!takeLock(writer, files[index] ?? '', () => elapsed() < until)) break
        if (held === 0) since = elapsed()
        held += 1
      }
      if (held === writers.length) {
        work()
        return elapsed() - since
      }
    } finally {
      for (const writer of writers) if (writer.inTransaction) writer.exec('ROLLBACK')
    }
    if (elapsed() >= end) throw new StoreUnavailable('busy', `${files[held]} was being written for ${busyTimeoutMs} ms without a pause`)
    await pause()
    if (elapsed() - begun < EAGER_MS) continue
    const rested = Math.min(elapsed() + SLEEP_ROUNDS * roundMs, end)
    while (elapsed() < rested) {
      doze()
      await pause()
    }
  }
}

/** Sleeps for a moment, without a timer. */
function doze(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLEEP_PIECE_MS)
}

/**
 * Asks for a write lock until it is there or time is up. It is asked for without sleeping: an owner who commits without a pause
 * leaves the lock only for some microseconds, and whoever sleeps in between would miss that.
 */
function takeLock(writer: Database, file: string, isTime: () => boolean): boolean {
  for (;;) {
    try {
      writer.exec('BEGIN IMMEDIATE')
      return true
    } catch (error) {
      if (!isBusy(error)) throw translate(error, file)
      if (!isTime()) return false
    }
  }
}

function closeAll(connections: readonly Database[]): void {
  for (const db of connections) db.close()
}
