/** A commit counts only if it can be found again: files that are deleted, moved, replaced or cut while they are open are noticed. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
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

describe('a database file that is cut while it is open', () => {
  const cuts: readonly (readonly [how: string, cut: (file: string) => void])[] = [
    ['to nothing', (file) => writeFileSync(file, '')],
    ['by its last page', (file) => truncateSync(file, statSync(file).size - 4_096)],
    ['by a byte', (file) => truncateSync(file, statSync(file).size - 1)],
  ]

  test.each(cuts)('%s has the next commit refused as damage that names it, and nothing is answered from then on', (_how, cut) => {
    const { shard, file } = opened()
    cut(file)
    const refused = refusal(() => shard.commit(batch({ created: [account(2)] })))
    expect(refused).toMatchObject({ code: 'STORE_DAMAGED', file, retryable: false })
    expect(refused.message).toBe(`The file ${file} is damaged: it was cut while it was open.`)
    expect(refusal(() => shard.commit(batch({ created: [account(3)] })))).toEqual(refused)
    expect(refusal(() => shard.load('account', '1'))).toEqual(refused)
    shard.close()
  })

  test('after it has grown has the next commit refused, too', () => {
    const { shard, file } = opened()
    const before = statSync(file).size
    shard.commit(batch({ created: [account(2, `"${'x'.repeat(1_000_000)}"`)] }))
    const moving = new Sqlite(file)
    moving.pragma('wal_checkpoint(TRUNCATE)')
    moving.close()
    shard.commit(batch({ created: [account(3)] }))
    truncateSync(file, before)
    expect(refusal(() => shard.commit(batch({ created: [account(4)] })))).toMatchObject({ code: 'STORE_DAMAGED', file })
    shard.close()
  })
})

describe('a database file that a compaction has made smaller', () => {
  const text = `"${'x'.repeat(4_000)}"`
  const sequences = Array.from({ length: 200 }, (_, index) => index + 1)

  /** A shard most rows of which have been deleted, all in the file. */
  function hollow(): Open {
    const place = opened()
    const rest = { idempotency: undefined, dueAt: undefined, detail: undefined }
    const accepted = sequences.map((sequence) => ({
      sequence,
      id: `c${sequence}`,
      type: 'account',
      key: '1',
      command: 'c',
      lane: 2,
      at: 1,
      ...rest,
    }))
    place.shard.commit(batch({ accepted: accepted.map((command) => ({ ...command, input: text })) }))
    place.shard.commit(batch({ finished: sequences }))
    const moving = new Sqlite(place.file)
    moving.pragma('wal_checkpoint(TRUNCATE)')
    moving.close()
    place.shard.commit(batch({}))
    return place
  }

  test('is not taken for one that was cut, and one that is cut afterwards is', () => {
    const { shard, file } = hollow()
    const before = statSync(file).size
    shard.compact()
    expect(statSync(file).size).toBeLessThan(before / 2)
    shard.commit(batch({ created: [account(2)] }))
    truncateSync(file, statSync(file).size - 4_096)
    expect(refusal(() => shard.commit(batch({ created: [account(3)] })))).toMatchObject({ code: 'STORE_DAMAGED', file })
    shard.close()
  })

  test('is not taken for one either if a reader delays that until a later commit', () => {
    const { owned, file, shard: first } = hollow()
    first.close()
    const shard = openShard(owned.shard(0), { busyTimeoutMs: 0 })
    const before = statSync(file).size
    const reader = new Sqlite(file, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT * FROM meta').get()
    shard.compact()
    shard.commit(batch({ created: [account(2)] }))
    expect(statSync(file).size).toBe(before)
    reader.close()
    const moving = new Sqlite(file)
    moving.pragma('wal_checkpoint(TRUNCATE)')
    moving.close()
    expect(statSync(file).size).toBeLessThan(before / 2)
    shard.commit(batch({ created: [account(3)] }))
    expect(shard.load('account', '3')).toMatchObject({ number: 3 })
    shard.close()
  })

  test('is not taken for one by the owner after one who died before it was smaller', () => {
    const { directory, owned, file, shard: first } = hollow()
    first.close()
    const shard = openShard(owned.shard(0), { busyTimeoutMs: 0 })
    const reader = new Sqlite(file, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT * FROM meta').get()
    shard.compact()
    cpSync(directory, `${directory}-killed`, { recursive: true })
    reader.close()
    shard.close()
    const killed = open(`${directory}-killed`)
    const later = killed.open(0)
    const before = statSync(killed.shard(0).file).size
    const moving = new Sqlite(killed.shard(0).file)
    moving.pragma('wal_checkpoint(TRUNCATE)')
    moving.close()
    expect(statSync(killed.shard(0).file).size).toBeLessThan(before / 2)
    later.commit(batch({ created: [account(2)] }))
    later.close()
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
