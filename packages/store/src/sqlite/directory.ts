/**
 * Opening a directory: looking at what is there, making what is missing, taking ownership.
 *
 * Whatever is wrong is found before anything is written, so a directory that is refused stays as it was. What the files
 * of the shards hold is not looked at here beyond their first page: the thread that opens a shard does that.
 */
import type { Database } from 'better-sqlite3'
import { resolve } from 'node:path'
import { DirectoryMissing, DirectoryNotOurs, StoreUnavailable } from '../errors.ts'
import type { ImmediateShardStore, ShardLocation, StoreDirectory, Synchronous } from '../store.ts'
import { connect, switchToWal } from './connection.ts'
import { codeOf, translateOpening } from './fault.ts'
import { createFile, readHeader, requireFile } from './file.ts'
import type { Header } from './file.ts'
import { contentOf, hasShards, ownerFile, requireDirectory, requireWritable, shardFile } from './layout.ts'
import { insertOwner, takeOwnership } from './ownership.ts'
import type { OwnerRow } from './ownership.ts'
import { ownerSchema, requireKnownVersion, shardSchema } from './schema.ts'
import { createShardFile, openShard } from './shard.ts'

/** How a directory is opened. */
export interface DirectoryOptions {
  /** Path of the directory; relative to the working directory of the process. */
  readonly directory: string
  /** How many shards a new directory gets, 1 to 1,024. One that exists keeps the number it was made with. */
  readonly shards: number
  /** How safe a commit is. Default `full`. */
  readonly synchronous?: Synchronous
  /** Whether a missing directory, or the store in an empty one, is made. The parent has to exist. Default true. */
  readonly create?: boolean
  /** The clock: wall time in milliseconds since 1970. Only written down, never compared. */
  readonly now: () => number
  /** How long to wait for an owner who is just leaving, in milliseconds. Default 50. */
  readonly busyTimeoutMs?: number
}

/** A directory that this process owns until it releases it or dies. */
export interface OwnedDirectory extends StoreDirectory {
  /** Absolute path. */
  readonly directory: string

  /** Where a shard lives: plain data for the thread that will open it with `openShard`. Throws `RangeError` for a shard that is not there. */
  shard(index: number): ShardLocation

  /** Opens a shard in the calling thread. */
  open(index: number): ImmediateShardStore

  /** Rolls the kept transaction back and closes `owner.db`. Idempotent. */
  release(): void
}

const SHARDS_MAX = 1_024

const BUSY_TIMEOUT_MS_DEFAULT = 50

/** How often a directory is looked at anew because somebody else is just making it. Each time takes up to some 50 ms. */
const ATTEMPTS_MAX = 100

/** Connections that hold a directory. Here they stay reachable: collected as garbage, one would give its directory up. */
const holding = new Set<Database>()

/**
 * Opens a directory and takes ownership of it; makes it first if need be.
 *
 * Throws `DirectoryInUse` (and names the owner), `DirectoryMissing`, `DirectoryNotWritable`, `DirectoryNotOurs`, `SchemaTooNew`,
 * `StoreDamaged` or `StoreUnavailable`. A directory that was refused is left as it was.
 */
export function openDirectory(options: DirectoryOptions): OwnedDirectory {
  const { shards, synchronous = 'full', create = true, busyTimeoutMs = BUSY_TIMEOUT_MS_DEFAULT } = options
  if (!Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX)
    throw new RangeError(`shards must be 1 to ${SHARDS_MAX}, not ${shards}`)
  const attempt: Attempt = {
    directory: resolve(options.directory),
    shards,
    synchronous,
    create,
    busyTimeoutMs,
    identity: { pid: process.pid, since: options.now() },
  }
  for (let count = 1; ; count += 1) {
    try {
      return attemptOpen(attempt)
    } catch (error) {
      // Not the answer that somebody owns the directory: they are just making it too, and have locked it for a moment.
      const busy = error instanceof StoreUnavailable && error.fault === 'busy'
      if (!busy || count === ATTEMPTS_MAX) throw error
    }
  }
}

/** The options of `openDirectory` with nothing left open. */
interface Attempt extends Omit<Required<DirectoryOptions>, 'now'> {
  readonly identity: { readonly pid: number; readonly since: number }
}

function attemptOpen(attempt: Attempt): OwnedDirectory {
  const { directory, identity } = attempt
  requireDirectory(directory, attempt.create)
  const file = ownerFile(directory)
  let db: Database | undefined
  try {
    prepareOwner(attempt, file)
    db = connect(file, { busyTimeoutMs: attempt.busyTimeoutMs, synchronous: 'full', create: false })
    switchToWal(db)
    const row = takeOwnership(db, {
      directory,
      file,
      ...identity,
      inspect: (found) => inspectShards(directory, found),
      create: (found) => createShards(directory, found),
    })
    holding.add(db)
    return new SqliteDirectory(db, directory, row, attempt.synchronous)
  } catch (error) {
    db?.close()
    throw translateOpening(error, directory, file)
  }
}

class SqliteDirectory implements OwnedDirectory {
  readonly directory: string
  readonly epoch: number
  readonly shardCount: number
  readonly #db: Database
  readonly #synchronous: Synchronous

  constructor(db: Database, directory: string, row: OwnerRow, synchronous: Synchronous) {
    this.directory = directory
    this.epoch = row.epoch
    this.shardCount = row.shards
    this.#db = db
    this.#synchronous = synchronous
  }

  shard(index: number): ShardLocation {
    if (!Number.isInteger(index) || index < 0 || index >= this.shardCount) throw new RangeError(`there is no shard ${index}`)
    return { file: shardFile(this.directory, index), index, ownerEpoch: this.epoch, synchronous: this.#synchronous }
  }

  open(index: number): ImmediateShardStore {
    return openShard(this.shard(index))
  }

  release(): void {
    if (!holding.delete(this.#db)) return
    this.#db.close()
  }
}

/** Leaves an `owner.db` of ours in the directory, made now if the directory is empty. Throws if the directory is somebody else's. */
function prepareOwner(attempt: Attempt, file: string): void {
  const { directory, identity, shards } = attempt
  const content = contentOf(directory)
  requireWritable(directory)
  if (content === 'store') requireOwner(directory, file)
  else if (attempt.create) createFile(file, ownerSchema, (db) => insertOwner(db, identity, shards))
  else throw new DirectoryMissing(directory, 'it holds no store')
}

/** Checks that an `owner.db` that is not empty is ours, by its first page. */
function requireOwner(directory: string, file: string): void {
  let header: Header
  try {
    header = readHeader(file)
  } catch (error) {
    if (codeOf(error) === 'SQLITE_NOTADB' && !hasShards(directory))
      throw new DirectoryNotOurs(directory, 'an owner.db that is not a database')
    throw translateOpening(error, directory, file)
  }
  if (header.applicationId !== ownerSchema.applicationId) throw new DirectoryNotOurs(directory, 'an owner.db of another program')
  requireKnownVersion(file, header.schemaVersion, ownerSchema)
}

/** Before anything is written: every shard of a finished directory has to be there, be ours and not be from the future. */
function inspectShards(directory: string, row: OwnerRow): void {
  if (row.created === 0) return
  for (let index = 0; index < row.shards; index += 1) requireFile(shardFile(directory, index), shardSchema)
}

function createShards(directory: string, row: OwnerRow): void {
  for (let index = 0; index < row.shards; index += 1) createShardFile(shardFile(directory, index), index)
}
