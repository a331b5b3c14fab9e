/**
 * The SQLite driver on real files as a simulated disk.
 *
 * A life of the machine has a folder of its own. When it dies, the next folder gets the files as the power failure leaves them: of
 * each database what is in it, of each write-ahead log its first part, and no index of a log. The driver then opens them
 * as it opens the files of a machine that has failed, and what it finds there is the work of SQLite's recovery.
 *
 * Files are read with `fs` while SQLite has them open, which drops the locks that this process holds on them. So the disk is for
 * one process; within it SQLite keeps its own account of who holds what.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { SystemDirectory } from '@bailiwick/kernel/seams'
import { StoreUnavailable, openDirectory, openShard } from '@bailiwick/store'
import type { Batch, ImmediateShardStore, OwnedDirectory, ShardLocation, StoreFault } from '@bailiwick/store'
import { requireShare, shareOf } from './disk.ts'
import type { SimulatedDisk, SimulatedDiskOptions } from './disk.ts'
import { failingStore } from './failing-store.ts'
import { commitUnheard } from './memory.ts'
import { movedEnd, readLog, tornLog } from './wal.ts'
import type { Log } from './wal.ts'

/** How a disk of real files is made. */
export interface SqliteDiskOptions extends SimulatedDiskOptions {
  /** Folder in which the disk makes its own. Default: that of the system for temporary files. Faster where syncing costs nothing, as in `/dev/shm`. */
  readonly parent?: string
}

/**
 * Makes an empty disk of real files, in a folder `bailiwick-simulated-…` that `dispose` removes. Also what is torn within the write
 * of a commit is told apart: frames that are missing, cut, or garbage.
 */
export function sqliteDisk(options: SqliteDiskOptions): SimulatedDisk {
  return new SimulatedSqliteDisk(options)
}

/** A shard's files at one moment. */
interface Photograph {
  readonly database: Buffer
  readonly bytes: Buffer
  readonly log: Log
  /** Up to here the log is synced. */
  readonly syncedEnd: number
}

class SimulatedSqliteDisk implements SimulatedDisk {
  readonly kind = 'sqlite'
  readonly #options: SqliteDiskOptions
  readonly #root: string
  readonly #faults = new Map<number | undefined, StoreFault>()
  #life = 1
  #isDisposed = false
  readonly #owned: OwnedDirectory[] = []
  readonly #stores: { readonly index: number; readonly store: ImmediateShardStore }[] = []
  /** The logs with which the life has begun, by shard: they had survived. */
  #inherited = new Map<number, Log>()
  /** A shard before the commit that is under way. */
  #before: { readonly index: number; readonly photograph: Photograph } | undefined

  constructor(options: SqliteDiskOptions) {
    const { shards } = options
    if (!Number.isInteger(shards) || shards < 1) throw new RangeError(`shards must be at least 1, not ${shards}`)
    this.#options = options
    this.#root = mkdtempSync(join(options.parent ?? tmpdir(), 'bailiwick-simulated-'))
    mkdirSync(this.#folder)
  }

  openDirectory(now: () => number): SystemDirectory {
    if (this.#isDisposed) throw new StoreUnavailable('other', `the disk ${this.#root} was disposed of`)
    const { shards, synchronous = 'full' } = this.#options
    const owned = openDirectory({ directory: this.#folder, shards, synchronous, now })
    this.#owned.push(owned)
    return owned
  }

  openShard(location: ShardLocation): ImmediateShardStore {
    const { file, index } = location
    if (this.#isDisposed || dirname(file) !== this.#folder) throw new StoreUnavailable('other', `the owner of ${file} has died`)
    const store = failingStore(openShard(location), () => {
      const fault = this.#faults.get(undefined) ?? this.#faults.get(index)
      if (fault !== undefined) throw new StoreUnavailable(fault, `${file} was told to fail`)
    })
    this.#stores.push({ index, store })
    return store
  }

  fail(shard: number | undefined, fault: StoreFault | undefined): void {
    if (shard !== undefined) this.#requireShard(shard)
    if (fault === undefined) this.#faults.delete(shard)
    else this.#faults.set(shard, fault)
  }

  tearing(shard: number, batch: Batch, epoch?: number): void {
    this.#requireShard(shard)
    const found = this.#stores.findLast(({ index, store }) => index === shard && (epoch === undefined || store.epoch === epoch))
    const photograph = found && this.#photograph(shard)
    if (found === undefined || photograph === undefined) return
    this.#before = { index: shard, photograph }
    commitUnheard(found.store, batch)
  }

  crash(torn = 0): void {
    requireShare(torn)
    const dead = this.#folder
    this.#life += 1
    mkdirSync(this.#folder)
    this.#leaveOwner(dead)
    const logs = new Map<number, Log>()
    for (let index = 0; index < this.#options.shards; index += 1) {
      const log = this.#leaveShard(dead, index, torn)
      if (log !== undefined) logs.set(index, log)
    }
    this.#inherited = logs
    this.#before = undefined
    this.#end(dead)
  }

  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#end(this.#root)
  }

  get #folder(): string {
    return join(this.#root, String(this.#life))
  }

  /** Closes what is open and removes a folder, in this order: SQLite may still write there. */
  #end(folder: string): void {
    for (const { store } of this.#stores.splice(0)) store.close()
    for (const owned of this.#owned.splice(0)) owned.release()
    rmSync(folder, { recursive: true, force: true })
  }

  /** Every commit in `owner.db` is synced. The transaction that holds it has not committed, so SQLite passes over what it has written. */
  #leaveOwner(dead: string): void {
    for (const name of ['owner.db', 'owner.db-wal']) copyIfThere(join(dead, name), join(this.#folder, name))
  }

  /** Answers the log that is left; `undefined` for a shard that has no file yet. */
  #leaveShard(dead: string, index: number, torn: number): Log | undefined {
    const file = join(dead, fileName(index))
    const now = this.#photograph(index, file)
    if (now === undefined) return undefined
    const before = this.#before?.index === index ? this.#before.photograph : now
    const restarted = before.log.salts !== now.log.salts
    // What was committed before is synced, unless the disk does not do that; a log that was begun anew is new from its first byte.
    const certain = restarted ? 0 : this.#options.synchronous === 'normal' ? before.syncedEnd : before.log.end
    const share = this.#options.synchronous === 'normal' ? shareOf(torn, index) : torn
    const length = Math.floor(certain + share * (now.log.end - certain))
    const copy = join(this.#folder, basename(file))
    // A checkpoint that the commit under way has made itself comes after all of it, so it counts only if that is whole.
    writeFileSync(copy, length === now.log.end ? now.database : before.database)
    const left = tornLog(now.bytes, length, now.log)
    if (left.length > 0) writeFileSync(`${copy}-wal`, left)
    return readLog(left)
  }

  /** `undefined` for a shard that has no file yet. */
  #photograph(index: number, file: string = join(this.#folder, fileName(index))): Photograph | undefined {
    const database = readIfThere(file)
    if (database === undefined) return undefined
    const bytes = readIfThere(`${file}-wal`) ?? Buffer.alloc(0)
    const log = readLog(bytes)
    const inherited = this.#inherited.get(index)
    const inheritedEnd = inherited?.salts === log.salts ? inherited.end : 0
    const moved = movedEnd(readIfThere(`${file}-shm`) ?? Buffer.alloc(0), log)
    return { database, bytes, log, syncedEnd: Math.min(log.end, Math.max(inheritedEnd, moved)) }
  }

  #requireShard(shard: number): void {
    if (!Number.isInteger(shard) || shard < 0 || shard >= this.#options.shards) throw new RangeError(`there is no shard ${shard}`)
  }
}

function fileName(index: number): string {
  return `shard-${index}.db`
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function copyIfThere(from: string, to: string): void {
  try {
    copyFileSync(from, to)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
