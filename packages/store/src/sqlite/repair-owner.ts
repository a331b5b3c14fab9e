/**
 * Making `owner.db` anew where it is missing or cannot be read, from what the shards say of themselves.
 *
 * Without `owner.db` nobody can be refused by its lock. So every shard is locked meanwhile: who has one open, as an owner whose
 * `owner.db` was deleted, keeps the repair away, and so does another repair.
 */
import type { Database } from 'better-sqlite3'
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { connectAlone } from './connection.ts'
import { translate } from './fault.ts'
import { createFile } from './file.ts'
import { ownerFile, shardFile } from './layout.ts'
import { insertOwner } from './ownership.ts'
import { sizeOf } from './reader-connection.ts'
import { ownerSchema } from './schema.ts'
import { verifyShards } from './verify.ts'
import { indexOf, lossOfOwner, whyNotRebuilt } from './verify-owner.ts'

/** How long to wait for somebody who is just looking at a shard. */
const BUSY_TIMEOUT_MS = 1_000

const sideFiles = ['-journal', '-wal', '-shm', ''] as const

/**
 * Makes `owner.db` anew if it is lost and the shards say enough; says so in `done`. What was there stays beside it, as
 * `owner.db.damaged-E` with the largest epoch E of an owner that a shard knows.
 * Throws `StoreUnavailable` (`busy`) if somebody has a shard open.
 */
export function rebuildOwner(directory: string, now: number, done: string[]): void {
  if (lossOfOwner(directory) === undefined) return
  const names = readdirSync(directory)
  const shards = Math.max(0, ...names.map((name) => (indexOf(name) ?? -1) + 1))
  const checks = verifyShards(directory, shards, { isQuick: false, isOwned: undefined })
  if (whyNotRebuilt(directory, names, checks) !== undefined) return
  const held: Database[] = []
  try {
    const epochs = checks.map((_, index) => lockShard(shardFile(directory, index), held))
    // Another repair may have been first, until the shards were locked.
    const loss = lossOfOwner(directory)
    if (loss === undefined) return
    const epoch = Math.max(...epochs)
    const kept = replaceOwner(directory, shards, epoch, now)
    const file = ownerFile(directory)
    const why = loss.code === 'owner-gone' ? 'it was missing' : `the damaged one is ${basename(kept)}`
    done.push(`${file} was made anew for ${shards} shards, with epoch ${epoch}: ${why}.`)
  } finally {
    for (const db of held) db.close()
  }
}

/** Takes a shard's file for this connection alone, until that is closed; answers the epoch of the owner on whose behalf it was last opened. */
function lockShard(file: string, held: Database[]): number {
  try {
    const db = connectAlone(file, BUSY_TIMEOUT_MS)
    held.push(db)
    return db.prepare<[], { readonly epoch: number }>('SELECT owner_epoch AS epoch FROM meta').get()?.epoch ?? 0
  } catch (error) {
    throw translate(error, file)
  }
}

/** Puts a new file into the place of what is there; answers where that is kept. */
function replaceOwner(directory: string, shards: number, epoch: number, now: number): string {
  const file = ownerFile(directory)
  const made = `${file}.rebuilt`
  const kept = keptName(directory, epoch)
  const removeMade = (): void => {
    for (const suffix of sideFiles) rmSync(`${made}${suffix}`, { force: true })
  }
  removeMade()
  try {
    createFile(made, ownerSchema, (db) => {
      insertOwner(db, { pid: process.pid, since: now }, shards)
      db.prepare<[number]>('UPDATE owner SET epoch = ?, created = 1').run(epoch)
    })
    syncPath(made)
    // A log that stayed would be read as that of the new file. Until that has its name the directory is as without any, and can be repaired again.
    for (const suffix of sideFiles) {
      if (suffix === '-shm' || sizeOf(`${file}${suffix}`) === 0) rmSync(`${file}${suffix}`, { force: true })
      else renameSync(`${file}${suffix}`, `${kept}${suffix}`)
    }
    renameSync(made, file)
    syncPath(directory)
    return kept
  } catch (error) {
    throw translate(error, file)
  } finally {
    removeMade()
  }
}

/** A name that no file has: the same epoch may be met twice, if it was not the owner's. */
function keptName(directory: string, epoch: number): string {
  const names = readdirSync(directory)
  for (let count = epoch; ; count += 1) {
    if (!names.some((name) => name.startsWith(`owner.db.damaged-${count}`))) return `${ownerFile(directory)}.damaged-${count}`
  }
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
