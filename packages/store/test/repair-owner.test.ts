/** An owner.db that is lost is made anew from sound shards, with nothing lost and nobody fenced; otherwise it is said why not. */
import { cpSync, existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { repairDirectory } from '../src/sqlite/repair.ts'
import { verifyDirectory } from '../src/sqlite/verify.ts'
import { closedStore, contentOf, furnish, killedStore, overwrite } from './furnished.ts'
import { open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

const now = () => 2_000

function repair(directory: string): { readonly done: readonly string[]; readonly left: readonly string[] } {
  const { done, left } = repairDirectory(directory, { now })
  const lines = left.filter((finding) => finding.level !== 'note').map((finding) => `${finding.level} ${finding.code}`)
  return { done: done.map((sentence) => sentence.replaceAll(`${directory}/`, '')), left: lines }
}

/** Runs statements on the file of a shard. */
function meddle(directory: string, index: number, sql: string): void {
  const raw = new Sqlite(join(directory, `shard-${index}.db`))
  raw.exec(sql)
  raw.close()
}

const losses: readonly (readonly [what: string, lose: (file: string) => void, said: string, kept: readonly string[]])[] = [
  ['missing', (file) => rmSync(file), 'it was missing', []],
  ['empty', (file) => writeFileSync(file, ''), 'it was missing', []],
  [
    'no database',
    (file) => writeFileSync(file, 'not a database '.repeat(2_000)),
    'the damaged one is owner.db.damaged-40',
    ['owner.db.damaged-40'],
  ],
  [
    'without its row',
    (file) => {
      const raw = new Sqlite(file)
      raw.exec('DELETE FROM owner')
      raw.close()
    },
    'the damaged one is owner.db.damaged-40',
    ['owner.db.damaged-40'],
  ],
]

describe('an owner.db that is lost', () => {
  test.each(losses)('G2 because it is %s is made anew, and every shard takes the next owner', (_, lose, said, kept) => {
    const directory = closedStore()
    meddle(directory, 1, 'UPDATE meta SET owner_epoch = 40')
    lose(join(directory, 'owner.db'))
    expect(refusal(() => open(directory)).code).toBe('STORE_DAMAGED')
    expect(repair(directory)).toEqual({ done: [`owner.db was made anew for 2 shards, with epoch 40: ${said}.`], left: [] })
    expect(readdirSync(directory).filter((name) => name.startsWith('owner'))).toEqual(['owner.db', ...kept])
    const owned = open(directory)
    expect(owned).toMatchObject({ shardCount: 2, epoch: 42 })
    for (const index of [0, 1]) {
      const shard = owned.open(index)
      expect(shard.load('account', index === 0 ? '1' : '7')).toMatchObject({ number: 1 })
      shard.commit(batch({ at: 3_000, created: [account(9)] }))
      shard.close()
    }
  })

  test('G2 with all that a killed owner has left in the logs of its shards is made anew with nothing of that lost', () => {
    const directory = killedStore()
    rmSync(join(directory, 'owner.db'))
    const { done, left } = repair(directory)
    expect(done[0]).toBe('owner.db was made anew for 2 shards, with epoch 1: it was missing.')
    expect(left).toEqual([])
    expect(existsSync(join(directory, 'owner.db-wal'))).toBe(false)
    expect(open(directory).open(0).load('account', '2')).toMatchObject({ number: 2 })
  })

  test('a damaged one is kept under a name that no other has', () => {
    const directory = closedStore()
    for (const kept of [1, 2]) {
      writeFileSync(join(directory, 'owner.db'), 'not a database '.repeat(2_000))
      expect(repair(directory).done).toEqual([expect.stringContaining(`the damaged one is owner.db.damaged-${kept}.`)])
    }
    expect(verifyDirectory(directory).filter(({ code }) => code === 'file-replaced')).toHaveLength(2)
  })

  test('G8 is not made anew while its owner goes on, which is said as busy; once that has died it is', () => {
    const root = temporaryDirectory()
    const { shards, owned } = furnish(join(root, 'data'))
    rmSync(join(root, 'data', 'owner.db'))
    expect(refusal(() => repair(join(root, 'data')))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    expect(existsSync(join(root, 'data', 'owner.db'))).toBe(false)
    shards[0]?.commit(batch({ at: 2_000, created: [account(9)] }))
    for (const shard of shards) shard.close()
    owned.release()
    expect(repair(join(root, 'data')).left).toEqual([])
    expect(open(join(root, 'data')).open(0).load('account', '9')).toMatchObject({ number: 9 })
  })
})

describe('an owner.db that is lost and cannot be made anew stays so, and one finding says why', () => {
  const reasons: readonly (readonly [when: string, spoil: (directory: string) => void, why: string])[] = [
    ['a shard is missing before another', (place) => rmSync(join(place, 'shard-0.db')), 'shard-0.db is missing'],
    ['a shard has to do with one that is not there', (place) => rmSync(join(place, 'shard-1.db')), 'shard-0.db has to do with a shard'],
    ['a shard is damaged', (place) => overwrite(join(place, 'shard-1.db'), 4_096, Buffer.alloc(8_192, 0xff)), 'shard-1.db is not sound'],
    ['shards were swapped', swap, 'shard-0.db is not sound'],
  ]

  test.each(reasons)('when %s', (_, spoil, why) => {
    const directory = closedStore()
    spoil(directory)
    rmSync(join(directory, 'owner.db'))
    const before = contentOf(directory)
    expect(repair(directory).done).toEqual([])
    expect(contentOf(directory)).toEqual(before)
    const about = verifyDirectory(directory).filter(({ place }) => place.startsWith(join(directory, 'owner.db')))
    expect(about).toMatchObject([{ level: 'error', code: 'owner-gone', isRepairable: false }])
    expect(about[0]?.message).toContain(why)
  })

  test('when the directory is a copy that was not finished', () => {
    const directory = join(temporaryDirectory(), 'copy.partial-a1B2c3')
    cpSync(closedStore(), directory, { recursive: true })
    rmSync(join(directory, 'owner.db'))
    expect(repair(directory)).toEqual({ done: [], left: ['error owner-gone'] })
  })

  function swap(directory: string): void {
    renameSync(join(directory, 'shard-0.db'), join(directory, 'other'))
    renameSync(join(directory, 'shard-1.db'), join(directory, 'shard-0.db'))
    renameSync(join(directory, 'other'), join(directory, 'shard-1.db'))
  }
})
