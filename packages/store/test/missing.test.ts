/** A commit counts only if it can be found again: files that are deleted, moved or replaced while they are open are noticed. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openShard } from '../src/index.ts'
import type { ImmediateShardStore, OwnedDirectory } from '../src/index.ts'
import { bytesOf, open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

interface Open {
  readonly directory: string
  readonly owned: OwnedDirectory
  readonly shard: ImmediateShardStore
  readonly file: string
}

/** A store whose shard 0 is open and has acknowledged one commit. */
function opened(): Open {
  const directory = join(temporaryDirectory(), 'data')
  const owned = open(directory)
  const shard = owned.open(0)
  shard.commit(batch({ created: [account(1)] }))
  return { directory, owned, shard, file: owned.shard(0).file }
}

/** Puts another file into the place of one, with the same bytes. */
function replace(file: string): void {
  copyFileSync(file, `${file}.copy`)
  renameSync(`${file}.copy`, file)
}

const losses: readonly (readonly [what: string, lose: (place: Open) => void, ends: string])[] = [
  ['the file is deleted', ({ file }) => rmSync(file), 'shard-0.db'],
  ['the file is replaced by a copy of itself', ({ file }) => replace(file), 'shard-0.db'],
  ['the write-ahead log is deleted', ({ file }) => rmSync(`${file}-wal`), 'shard-0.db-wal'],
  ['the write-ahead log is replaced by a copy of itself', ({ file }) => replace(`${file}-wal`), 'shard-0.db-wal'],
  ['the directory is deleted', ({ directory }) => rmSync(directory, { recursive: true }), 'shard-0.db'],
  ['the directory is moved away', ({ directory }) => renameSync(directory, `${directory}-moved`), 'shard-0.db'],
  [
    'the directory is replaced by a file',
    ({ directory }) => {
      renameSync(directory, `${directory}-moved`)
      writeFileSync(directory, '')
    },
    'shard-0.db',
  ],
]

const missing = { code: 'STORE_UNAVAILABLE', fault: 'missing', retryable: false }

describe.each(losses)('when %s', (_, lose, ends) => {
  test('the next commit is refused, and names what is missing', () => {
    const place = opened()
    lose(place)
    const refused = refusal(() => place.shard.commit(batch({ created: [account(2)] })))
    expect(refused).toMatchObject(missing)
    expect(refused.message).toContain(join(place.directory, ends))
    place.shard.close()
  })

  test.each([
    ['recovery', (shard: ImmediateShardStore) => shard.recover(1_000)],
    ['the deletion of outcomes', (shard: ImmediateShardStore) => shard.expireOutcomes(1_000, 1)],
    ['compaction', (shard: ImmediateShardStore) => shard.compact()],
  ])('%s is refused', (_name, use) => {
    const place = opened()
    lose(place)
    expect(refusal(() => use(place.shard))).toMatchObject(missing)
    place.shard.close()
  })

  test('nothing is answered from then on, for what the connection sees may be nowhere else', () => {
    const place = opened()
    lose(place)
    const first = refusal(() => place.shard.commit(batch({ created: [account(2)] })))
    expect(refusal(() => place.shard.load('account', '1'))).toEqual(first)
    expect(refusal(() => place.shard.commit(batch({ created: [account(3)] })))).toEqual(first)
    expect(refusal(() => place.shard.recover(1_000))).toEqual(first)
    place.shard.close()
    place.shard.close()
    expect(refusal(() => place.shard.load('account', '1'))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'other' })
  })
})

describe('what was acknowledged before files went missing', () => {
  test('is in the directory that was moved away', () => {
    const { directory, owned, shard } = opened()
    renameSync(directory, `${directory}-moved`)
    expect(refusal(() => shard.commit(batch({ created: [account(2)] })))).toMatchObject(missing)
    shard.close()
    owned.release()
    const later = open(`${directory}-moved`).open(0)
    expect(later.load('account', '1')).toMatchObject({ number: 1 })
    // It was refused although the file has it: so it is said that nobody knows.
    expect(later.load('account', '2')).toMatchObject({ number: 2 })
  })

  test('is there again when the directory is moved back and opened anew', () => {
    const { directory, owned, shard } = opened()
    renameSync(directory, `${directory}-moved`)
    expect(refusal(() => shard.commit(batch({})))).toMatchObject(missing)
    renameSync(`${directory}-moved`, directory)
    shard.close()
    const later = owned.open(0)
    expect(later.load('account', '1')).toMatchObject({ number: 1 })
    later.commit(batch({ created: [account(2)] }))
  })

  test('is in a file whose log was deleted, once the shard has been closed', () => {
    const { owned, shard, file } = opened()
    rmSync(`${file}-wal`)
    expect(refusal(() => shard.commit(batch({ created: [account(2)] })))).toMatchObject(missing)
    shard.close()
    expect(owned.open(0).load('account', '1')).toMatchObject({ number: 1 })
  })
})

describe('files that were put in the place of those that are open', () => {
  test('stay as they are, whatever the owner of the lost ones does until it has closed them', () => {
    const { directory, shard, file } = opened()
    const backup = `${directory}-backup`
    cpSync(directory, backup, { recursive: true })
    for (const name of readdirSync(directory)) if (name.startsWith('shard-0')) rmSync(join(directory, name))
    for (const suffix of ['', '-wal']) copyFileSync(join(backup, `shard-0.db${suffix}`), `${file}${suffix}`)
    const before = bytesOf(directory)
    expect(refusal(() => shard.commit(batch({ created: [account(2)] })))).toMatchObject(missing)
    shard.close()
    expect(bytesOf(directory)).toEqual(before)
  })
})

describe('opening a shard', () => {
  test('whose file has gone since the directory was opened is refused as damage that names it, and makes nothing', () => {
    const { directory, owned, shard, file } = opened()
    shard.close()
    rmSync(file)
    const before = readdirSync(directory)
    const refused = refusal(() => owned.open(0))
    expect(refused).toMatchObject({ code: 'STORE_DAMAGED', file })
    expect(refused.message).toContain('it is missing')
    expect(readdirSync(directory)).toEqual(before)
  })

  test('whose directory has gone is refused in the same way', () => {
    const { directory, owned, shard, file } = opened()
    shard.close()
    rmSync(directory, { recursive: true })
    expect(refusal(() => owned.open(0))).toMatchObject({ code: 'STORE_DAMAGED', file })
    mkdirSync(directory)
    expect(refusal(() => openShard(owned.shard(0)))).toMatchObject({ code: 'STORE_DAMAGED', file })
    expect(readdirSync(directory)).toEqual([])
  })
})

describe('a file that is where it was', () => {
  test('is not taken for another when readers come and go, the log is moved into it and the shard is opened again', () => {
    const { owned, shard, file } = opened()
    for (let number = 2; number < 20; number += 1) {
      const reader = new Sqlite(file)
      expect(reader.prepare('SELECT count(*) FROM actor').pluck().get()).toBe(number - 1)
      reader.pragma('wal_checkpoint(TRUNCATE)')
      reader.close()
      shard.commit(batch({ created: [account(number)] }))
    }
    shard.compact()
    shard.commit(batch({ created: [account(20)] }))
    shard.close()
    const later = owned.open(0)
    later.commit(batch({ created: [account(21)] }))
    expect(later.load('account', '20')).toMatchObject({ number: 20 })
  })
})
