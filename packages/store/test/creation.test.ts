/** A directory whose making was interrupted is finished by whoever opens it next; one that was finished is never made again. */
import { copyFileSync, existsSync, readdirSync, rmSync, truncateSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { bytesOf, open, startOwner, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

const shardCount = 12

/** A directory that was made and closed in peace, with the mark of its being finished taken away. */
function unfinished(): string {
  const directory = temporaryDirectory()
  open(directory).release()
  const raw = new Sqlite(join(directory, 'owner.db'))
  raw.exec('UPDATE owner SET created = 0')
  raw.close()
  return directory
}

/** Expects that every shard of a directory can be used. */
function expectUsable(directory: string, shards = 2): void {
  const owned = open(directory)
  expect(owned.shardCount).toBe(shards)
  for (let index = 0; index < shards; index += 1) {
    const shard = owned.open(index)
    shard.commit(batch({ created: [account(1)] }))
    expect(shard.load('account', '1')).toMatchObject({ number: 1 })
  }
}

describe('a creation that was interrupted', () => {
  test.each(Array.from({ length: 14 }, (_, index) => index * 4 + 1))(
    'kill -9 after %d changes in the directory is repaired',
    async (changes) => {
      const root = temporaryDirectory()
      const directory = join(root, 'new')
      const seen = Promise.withResolvers<undefined>()
      let count = 0
      const watcher = watch(root, { recursive: true }, () => {
        count += 1
        if (count === changes) seen.resolve(undefined)
      })
      const owner = startOwner([directory, 'hold', String(shardCount)])
      // Where there are fewer changes than that, the owner is killed after it has finished.
      await Promise.race([seen.promise, owner.line()])
      await owner.kill()
      watcher.close()
      // Killed before it had written how many shards it wants, it leaves that to the next one.
      const owned = open(directory, { shards: shardCount })
      expect(owned.shardCount).toBe(shardCount)
      owned.release()
      expectUsable(directory, shardCount)
    },
  )

  test('an empty owner.db is where a creation stopped', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'owner.db'), '')
    expectUsable(directory)
  })

  test('a first transaction that died before its commit is taken back and made anew', () => {
    const directory = temporaryDirectory()
    leaveHotJournal(join(directory, 'owner.db'))
    expectUsable(directory)
  })

  test('a switch to WAL that died halfway is taken back and made again', () => {
    const directory = unfinished()
    const file = join(directory, 'owner.db')
    const raw = new Sqlite(file)
    raw.pragma('journal_mode = DELETE')
    raw.close()
    leaveHotJournal(file)
    expectUsable(directory)
  })

  test('missing and empty shards of an unfinished directory are made', () => {
    const directory = unfinished()
    rmSync(join(directory, 'shard-0.db'))
    truncateSync(join(directory, 'shard-1.db'), 0)
    expectUsable(directory)
  })

  test('an unfinished directory keeps the number of shards of its first maker', () => {
    const directory = unfinished()
    rmSync(join(directory, 'shard-1.db'))
    expect(open(directory, { shards: 5 }).shardCount).toBe(2)
    expect(existsSync(join(directory, 'shard-2.db'))).toBe(false)
  })

  test('somebody else’s file in the place of an unfinished shard is not overwritten', () => {
    const directory = unfinished()
    const file = join(directory, 'shard-1.db')
    rmSync(file)
    const raw = new Sqlite(file)
    raw.exec('CREATE TABLE precious (x)')
    raw.close()
    const before = bytesOf(directory)['shard-1.db']
    expect(refusal(() => open(directory))).toMatchObject({ code: 'STORE_DAMAGED', file })
    expect(bytesOf(directory)['shard-1.db']).toBe(before)
  })
})

describe('a directory that was finished', () => {
  test.each(['missing', 'empty'])('a shard that is %s is damage, named, and is not made again', (what) => {
    const directory = temporaryDirectory()
    open(directory).release()
    const file = join(directory, 'shard-1.db')
    if (what === 'missing') rmSync(file)
    else truncateSync(file, 0)
    const before = bytesOf(directory)
    expect(refusal(() => open(directory))).toMatchObject({ code: 'STORE_DAMAGED', file })
    expect(bytesOf(directory)).toEqual(before)
  })

  test.each(['missing', 'empty'])('an owner.db that is %s beside shards is damage, and nothing is made', (what) => {
    const directory = temporaryDirectory()
    open(directory).release()
    const file = join(directory, 'owner.db')
    if (what === 'missing') rmSync(file)
    else truncateSync(file, 0)
    const before = bytesOf(directory)
    expect(refusal(() => open(directory))).toMatchObject({ code: 'STORE_DAMAGED', file })
    expect(bytesOf(directory)).toEqual(before)
  })

  test('closing in peace leaves the databases and nothing beside them', () => {
    const directory = temporaryDirectory()
    const owned = open(directory)
    owned.open(0).close()
    owned.release()
    expect(readdirSync(directory).sort()).toEqual(['owner.db', 'shard-0.db', 'shard-1.db'])
  })
})

/** Leaves a file as a process does that dies in the middle of a transaction: pages half written, and a hot journal beside it. */
function leaveHotJournal(file: string): void {
  const scratch = join(temporaryDirectory(), 'scratch.db')
  if (existsSync(file)) copyFileSync(file, scratch)
  const db = new Sqlite(scratch)
  db.pragma('cache_size = 1')
  db.pragma('synchronous = FULL')
  db.exec('BEGIN EXCLUSIVE; CREATE TABLE large (x)')
  // More pages than the cache holds: SQLite has to write some of them, and so the journal, before the commit.
  const insert = db.prepare('INSERT INTO large VALUES (randomblob(3000))')
  for (let row = 0; row < 50; row += 1) insert.run()
  copyFileSync(scratch, file)
  copyFileSync(`${scratch}-journal`, `${file}-journal`)
  db.close()
}
