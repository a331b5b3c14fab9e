/**
 * What lies in a directory of the store, and what may lie there before it becomes one.
 *
 * Looks at names and rights only; opens no file of the store and writes nothing but a missing directory.
 */
import { accessSync, closeSync, constants, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DirectoryMissing, DirectoryNotOurs, DirectoryNotWritable, StoreDamaged } from '../errors.ts'
import { codeOf } from './fault.ts'

/** The file that says who owns the directory. */
export function ownerFile(directory: string): string {
  return join(directory, 'owner.db')
}

/** The file of a shard. */
export function shardFile(directory: string, index: number): string {
  return join(directory, `shard-${index}.db`)
}

/** A database of ours, or a file that SQLite keeps beside one. */
const ours = /^(owner|shard-\d+)\.db(-wal|-shm|-journal)?$/

const shard = /^shard-\d+\.db$/

/**
 * Makes sure that the directory is there and may be written. Makes it if its parent exists and `create` is true.
 * Throws `DirectoryMissing` or `DirectoryNotWritable`.
 */
export function requireDirectory(directory: string, create: boolean): void {
  try {
    const stats = statSync(directory, { throwIfNoEntry: false })
    if (stats === undefined) {
      if (!create) throw new DirectoryMissing(directory, 'it does not exist')
      makeDirectory(directory)
    } else if (!stats.isDirectory()) {
      throw new DirectoryMissing(directory, 'it is a file, not a directory')
    }
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw refusal(error, directory)
  }
}

function makeDirectory(directory: string): void {
  const parent = dirname(directory)
  if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new DirectoryMissing(directory, `its parent ${parent} does not exist`)
  }
  try {
    mkdirSync(directory)
  } catch (error) {
    // Somebody else has just made it.
    if (codeOf(error) !== 'EEXIST') throw error
  }
  // Without this the whole directory could be gone after a power failure, however safely the files in it were written.
  const descriptor = openSync(parent, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** What a directory holds: nothing of anyone's, or a store (which may be unfinished). */
export type Content = 'nothing' | 'store'

/**
 * Looks at what a directory holds. Throws `DirectoryNotOurs` if it holds somebody else's files, `StoreDamaged` if it holds
 * shards without an `owner.db`.
 */
export function contentOf(directory: string): Content {
  const names = listing(directory)
  const owner = statSync(ownerFile(directory), { throwIfNoEntry: false })
  if (owner !== undefined && !owner.isFile()) throw new DirectoryNotOurs(directory, 'an owner.db that is not a file')
  if (owner !== undefined && owner.size > 0 && !isInterrupted(directory)) return 'store'
  const rest = names.filter((name) => name !== 'owner.db' && name !== 'lost+found' && !name.startsWith('.'))
  if (rest.some((name) => shard.test(name))) {
    throw new StoreDamaged(ownerFile(directory), `it is ${owner === undefined ? 'missing' : 'empty'}, but shards are there`)
  }
  // An empty owner.db with nothing but its journal beside it is where a creation was interrupted.
  const foreign = rest.find((name) => owner === undefined || !ours.test(name))
  if (foreign !== undefined) throw new DirectoryNotOurs(directory, foreign)
  return 'nothing'
}

/**
 * Whether the first transaction on `owner.db` has not finished, or is just being made: a rollback journal beside it says
 * that the file was empty before. Only creation uses such a journal, everything later goes through the WAL.
 * (SQLite holds no lock on a journal, so unlike the database itself it can be read with `fs`.)
 */
function isInterrupted(directory: string): boolean {
  let journal: Buffer
  try {
    journal = readFileSync(`${ownerFile(directory)}-journal`)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw refusal(error, directory)
  }
  const magic = journal.subarray(0, 8).toString('hex') === 'd9d505f920a163d7'
  return magic && journal.length >= 20 && journal.readUInt32BE(16) === 0
}

/** Whether shard files lie in the directory, whatever is in them. */
export function hasShards(directory: string): boolean {
  return listing(directory).some((name) => shard.test(name))
}

/** Throws `DirectoryNotWritable` if a file of the store that exists may not be read and written. */
export function requireWritable(directory: string): void {
  for (const name of listing(directory)) {
    if (!ours.test(name)) continue
    try {
      accessSync(join(directory, name), constants.R_OK | constants.W_OK)
    } catch (error) {
      // SQLite removes its side files whenever it likes: one that has gone since it was listed refuses nobody.
      if (codeOf(error) !== 'ENOENT') throw new DirectoryNotWritable(directory, `${name} may not be read and written by this process`)
    }
  }
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    throw refusal(error, directory)
  }
}

/** What the file system's refusals mean for a directory. */
function refusal(error: unknown, directory: string): unknown {
  const code = codeOf(error)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return new DirectoryNotWritable(directory, `${code} for this process`)
  if (code === 'ENOENT') return new DirectoryMissing(directory, 'it does not exist')
  if (code === 'ENOTDIR') return new DirectoryMissing(directory, 'a part of its path is a file, not a directory')
  return error
}
