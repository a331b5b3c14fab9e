/**
 * Ownership of a directory: a write transaction on `owner.db` that is kept open for as long as the directory is owned.
 *
 * 1. Take SQLite's write lock, or be refused by whoever holds it.
 * 2. Raise the epoch, write down who we are, commit: from here on others can read who the owner is.
 * 3. Finish what creation has left unfinished, under the lock.
 * 4. Take the write lock again, check that the epoch is still ours, write something, and never commit.
 *
 * Between two transactions somebody else can get in: then the lock is theirs or the epoch has moved on, and we give up.
 * The operating system drops the lock when the process dies, however it dies, so nothing goes stale and nobody has to judge
 * whether an owner is still alive. WAL mode lets others read the row while the lock is held.
 */
import type { Database } from 'better-sqlite3'
import { DirectoryInUse, DirectoryNotOurs, StoreDamaged } from '../errors.ts'
import { isoTime } from '../iso-time.ts'
import { isBusy } from './fault.ts'
import { migrate, ownerSchema } from './schema.ts'

const ownerSql = {
  insert: 'INSERT INTO owner (id, epoch, pid, since, shards, created) VALUES (1, 0, ?, ?, ?, 0)',
  read: 'SELECT epoch, pid, since, shards, created FROM owner WHERE id = 1',
  take: 'UPDATE owner SET epoch = epoch + 1, pid = ?, since = ? WHERE id = 1',
  finish: 'UPDATE owner SET created = 1 WHERE id = 1 AND epoch = ?',
  keep: 'UPDATE owner SET epoch = epoch WHERE id = 1 AND epoch = ?',
} as const

/** The row of `owner.db`. */
export interface OwnerRow {
  readonly epoch: number
  readonly pid: number
  /** Wall time in milliseconds since 1970. */
  readonly since: number
  readonly shards: number
  /** 1 once every shard's file has been made. */
  readonly created: number
}

/** Who wants the directory, and what has to be done before the directory is theirs. */
export interface Claim {
  readonly directory: string
  readonly file: string
  readonly pid: number
  readonly since: number
  /** Looks at the shards before anything is written; a throw leaves everything as it was. */
  inspect(row: OwnerRow): void
  /** Makes the files of the shards. Called under the lock, only while creation is unfinished. */
  create(row: OwnerRow): void
}

/**
 * Takes the directory: afterwards `db` is inside the transaction that holds it, and must stay open and unused.
 * Throws `DirectoryInUse` if somebody else holds it, and whatever the claim's callbacks throw.
 */
export function takeOwnership(db: Database, claim: Claim): OwnerRow {
  begin(db, claim)
  const found = readOwner(db, claim)
  claim.inspect(found)
  migrate(db, claim.file, ownerSchema)
  db.prepare<[number, number]>(ownerSql.take).run(claim.pid, claim.since)
  const taken = readOwner(db, claim)
  db.exec('COMMIT')
  if (taken.created === 0) {
    begin(db, claim)
    requireEpoch(db, claim, taken.epoch)
    claim.create(taken)
    db.prepare<[number]>(ownerSql.finish).run(taken.epoch)
    db.exec('COMMIT')
  }
  begin(db, claim)
  requireEpoch(db, claim, taken.epoch)
  db.prepare<[number]>(ownerSql.keep).run(taken.epoch)
  return readOwner(db, claim)
}

/** Writes the first row of a new `owner.db`. Its maker is named, so that whoever comes in between can be told. */
export function insertOwner(db: Database, claim: Pick<Claim, 'pid' | 'since'>, shards: number): void {
  db.prepare<[number, number, number]>(ownerSql.insert).run(claim.pid, claim.since, shards)
}

function begin(db: Database, claim: Claim): void {
  try {
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    throw isBusy(error) ? inUse(claim.directory, readOwner(db, claim)) : error
  }
}

function requireEpoch(db: Database, claim: Claim, epoch: number): void {
  const row = readOwner(db, claim)
  if (row.epoch !== epoch) throw inUse(claim.directory, row)
}

function inUse(directory: string, row: OwnerRow): DirectoryInUse {
  return new DirectoryInUse(directory, { pid: row.pid, since: isoTime(row.since), epoch: row.epoch })
}

function readOwner(db: Database, claim: Pick<Claim, 'file' | 'directory'>): OwnerRow {
  const tables = db.prepare<[], { readonly name: string }>(`SELECT name FROM sqlite_schema WHERE name = 'owner'`).all()
  if (tables.length === 0) throw new DirectoryNotOurs(claim.directory, 'an owner.db without an owner')
  const row = db.prepare<[], OwnerRow>(ownerSql.read).get()
  if (row === undefined) throw new StoreDamaged(claim.file, 'its row is missing')
  return row
}
