/** Repairing mends what can be mended without losing anything, and leaves everything else as it is. */
import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { repairDirectory } from '../src/sqlite/repair.ts'
import { verifyDirectory } from '../src/sqlite/verify.ts'
import { closedStore, contentOf, furniture, killedStore, overwrite } from './furnished.ts'
import { open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

const now = () => 2_000

function repair(directory: string): { readonly done: readonly string[]; readonly left: readonly string[] } {
  const { done, left } = repairDirectory(directory, { now })
  const lines = left.filter((finding) => finding.level !== 'note').map((finding) => `${finding.level} ${finding.code}`)
  return { done: done.map((sentence) => sentence.replaceAll(`${directory}/`, '')), left: lines }
}

/** Runs statements on the file of shard 0. */
function meddle(directory: string, sql: string): void {
  const raw = new Sqlite(join(directory, 'shard-0.db'))
  raw.pragma('foreign_keys = OFF')
  raw.exec(sql)
  raw.close()
}

/** All rows of shard 0 but those that repairing or opening changes. */
function rowsOf(directory: string): unknown[] {
  const raw = new Sqlite(join(directory, 'shard-0.db'))
  const tables = raw.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`).pluck().all()
  const rows = tables.map((table) => [table, raw.prepare(`SELECT * FROM "${String(table)}" NOT INDEXED`).all()])
  raw.close()
  return rows
}

/** Overwrites the last leaf of a table or an index of shard 0, of which there are several. */
function damageLeaf(directory: string, name: string): void {
  const file = join(directory, 'shard-0.db')
  const raw = new Sqlite(file)
  const page = Number(raw.prepare(`SELECT max(pageno) FROM dbstat WHERE name = ? AND pagetype = 'leaf'`).pluck().get(name))
  raw.close()
  overwrite(file, (page - 1) * 4_096, Buffer.alloc(4_096, 0xff))
}

function large(): string {
  const directory = temporaryDirectory()
  const owned = open(directory)
  const shards = [owned.open(0), owned.open(1)]
  shards[0]?.commit({ ...furniture, created: Array.from({ length: 2_000 }, (_, index) => account(index + 1)) })
  for (const shard of shards) shard.close()
  owned.release()
  return directory
}

describe('repair', () => {
  test('a sound directory has nothing done to it', () => {
    const directory = closedStore()
    const before = rowsOf(directory)
    expect(repair(directory)).toEqual({ done: [], left: [] })
    expect(rowsOf(directory)).toEqual(before)
    expect(readdirSync(directory).toSorted()).toEqual(['owner.db', 'shard-0.db', 'shard-1.db'])
  })

  test('G8 a directory that is owned is left alone', () => {
    const directory = temporaryDirectory()
    open(directory).open(0).close()
    const before = contentOf(directory)
    expect(refusal(() => repair(directory))).toMatchObject({ code: 'DIRECTORY_IN_USE', pid: process.pid })
    expect(contentOf(directory)).toEqual(before)
  })

  test('the logs of a killed owner are moved in, with all that is in them', () => {
    const directory = killedStore()
    expect(repair(directory)).toEqual({
      done: ['The write-ahead log of shard-0.db was moved into it.', 'The write-ahead log of shard-1.db was moved into it.'],
      left: [],
    })
    expect(existsSync(join(directory, 'shard-0.db-wal'))).toBe(false)
    expect(open(directory).open(0).load('account', '1')).toMatchObject({ snapshot: '{"balance":1}' })
  })

  test('an older schema is brought up to date', () => {
    const directory = closedStore()
    meddle(directory, 'DROP TABLE fault; ALTER TABLE dead_letter DROP COLUMN revision; PRAGMA user_version = 1')
    expect(repair(directory).done).toEqual(['The schema of shard-0.db was brought from version 1 to 2.'])
    expect(open(directory).open(0).deadLetters({}, 10)).toHaveLength(1)
  })

  test('a making that was interrupted is finished', () => {
    const directory = closedStore()
    const raw = new Sqlite(join(directory, 'owner.db'))
    raw.exec('UPDATE owner SET created = 0')
    raw.close()
    rmSync(join(directory, 'shard-1.db'))
    expect(repair(directory)).toEqual({ done: ['The making of the directory was finished.'], left: [] })
    open(directory).open(1).close()
  })

  test('marks that are behind the rows are raised, and nothing is given twice', () => {
    const directory = closedStore()
    meddle(directory, 'UPDATE meta SET sequence = 2, actor_number = 1, timer_generation = 0; UPDATE link SET sent = 0')
    expect(repair(directory)).toEqual({
      done: [
        'The mark sequence of shard-0.db was raised to what its rows have.',
        'The mark actor_number of shard-0.db was raised to what its rows have.',
        'The mark timer_generation of shard-0.db was raised to what its rows have.',
        'The count of messages of shard-0.db for shard 1 was raised to 1.',
      ],
      left: [],
    })
    expect(open(directory).open(0).recover(3_000)).toMatchObject({
      nextActorNumber: 4,
      nextInboxSequence: 11,
      nextTimerGeneration: 4,
      links: [{ peer: 1, sent: 1, received: 0 }],
    })
  })

  test('an owner’s epoch that is behind a shard’s is raised, so that the shard takes its owner again', () => {
    const directory = closedStore()
    meddle(directory, 'UPDATE meta SET owner_epoch = 40')
    expect(refusal(() => openAndClose(directory))).toMatchObject({ code: 'FENCED' })
    expect(repair(directory)).toEqual({ done: ['The epoch of owner.db was raised from 2 to 40, where a shard has been.'], left: [] })
    expect(open(directory).open(0).load('account', '1')).toMatchObject({ number: 1 })
  })

  test('outcomes that have expired are deleted, the others are not', () => {
    const directory = closedStore()
    meddle(directory, `INSERT INTO idempotency VALUES ('s', 'old', 'f', 'broken', 1999)`)
    expect(repair(directory)).toEqual({ done: ['1 expired outcomes were deleted from shard-0.db.'], left: [] })
    expect(open(directory).open(0).outcome('account/1', 'k', 2_000)).toMatchObject({ outcome: '{"value":1}' })
  })
})

function openAndClose(directory: string): void {
  const owned = open(directory)
  try {
    owned.open(0).close()
  } finally {
    owned.release()
  }
}

describe('a file of which only indexes are damaged', () => {
  test('is made anew with every row, and the damaged one is kept beside it', () => {
    const directory = large()
    const rows = rowsOf(directory)
    damageLeaf(directory, 'sqlite_autoindex_actor_1')
    expect(refusal(() => openAndClose(directory))).toMatchObject({ code: 'STORE_DAMAGED' })
    const damaged = statSync(join(directory, 'shard-0.db')).size
    expect(repair(directory)).toEqual({
      done: ['The indexes of shard-0.db were made anew from its tables; the file as it was is shard-0.db.damaged-3.'],
      left: [],
    })
    expect(rowsOf(directory)).toEqual(rows)
    expect(statSync(join(directory, 'shard-0.db.damaged-3')).size).toBe(damaged)
    expect(verifyDirectory(directory).map((finding) => finding.code)).toContain('file-replaced')
    const owned = open(directory)
    const shard = owned.open(0)
    for (const number of [1, 1_000, 2_000]) expect(shard.load('account', String(number))).toMatchObject({ number })
    shard.commit(batch({ at: 3_000, created: [account(2_001)] }))
    shard.close()
  })

  test('is left alone while somebody reads it', () => {
    const directory = large()
    damageLeaf(directory, 'sqlite_autoindex_actor_1')
    const reading = new Sqlite(join(directory, 'shard-0.db'))
    reading.exec('BEGIN')
    reading.prepare('SELECT * FROM meta').get()
    expect(refusal(() => repair(directory))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    reading.exec('ROLLBACK')
    reading.close()
    expect(repair(directory).left).toEqual([])
  })
})

describe('what cannot be mended without losing something', () => {
  test('a damaged table stays as it is, byte for byte, and the other shard is mended', () => {
    const directory = large()
    const raw = new Sqlite(join(directory, 'shard-1.db'))
    raw.exec(`INSERT INTO idempotency VALUES ('s', 'old', 'f', '1', 1999)`)
    raw.close()
    damageLeaf(directory, 'actor')
    const before = contentOf(directory)['shard-0.db']
    const { done, left } = repair(directory)
    expect(done).toEqual(['1 expired outcomes were deleted from shard-1.db.'])
    expect(left).toContain('error damaged-page')
    expect(contentOf(directory)['shard-0.db']).toBe(before)
    expect(readdirSync(directory).filter((name) => name.includes('damaged') || name.includes('rebuilt'))).toEqual([])
  })

  test('a row that cannot be read stays, and stays a finding', () => {
    const directory = closedStore()
    meddle(directory, `UPDATE actor SET snapshot = '{' WHERE number = 2; UPDATE meta SET sequence = 1`)
    const { done, left } = repair(directory)
    expect(done).toEqual(['The mark sequence of shard-0.db was raised to what its rows have.'])
    expect(left).toEqual(['error row-unreadable'])
  })

  test('a shard that is missing stays missing, and nothing else is touched', () => {
    const directory = killedStore()
    rmSync(join(directory, 'shard-1.db'))
    const before = contentOf(directory)
    expect(repair(directory)).toEqual({ done: [], left: expect.arrayContaining(['error file-missing']) })
    const after = contentOf(directory)
    for (const name of ['shard-0.db', 'shard-0.db-wal']) expect(after[name]).toBe(before[name])
  })

  test('so many replaced files, and no more, are kept', () => {
    const directory = large()
    for (let count = 1; count <= 8; count += 1) cpSync(join(directory, 'shard-1.db'), join(directory, `shard-1.db.damaged-${count}`))
    damageLeaf(directory, 'sqlite_autoindex_actor_1')
    expect(repair(directory).left).toEqual(['error damaged-index'])
    rmSync(join(directory, 'shard-1.db.damaged-1'))
    expect(repair(directory).left).toEqual([])
  })
})
