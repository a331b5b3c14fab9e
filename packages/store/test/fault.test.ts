/** A disk that will not take a commit: nothing of it happens, and the store goes on when the disk does. */
import { statSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { createMemoryDisk, openMemoryDirectory, openShard } from '../src/index.ts'
import { open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

const large = `"${'x'.repeat(100_000)}"`

describe('a disk that is full', () => {
  test('a commit for which there is no room is refused as full, wholly, and the next one that fits is committed', () => {
    const owned = open(temporaryDirectory())
    const shard = openShard(owned.shard(0), { fileBytesMax: 256 * 1_024 })
    shard.commit(batch({ created: [account(1)] }))
    const before = shard.recover(1_000)
    const many = Array.from({ length: 20 }, (_, index) => account(index + 2, large))
    const change = { number: 1, revision: 2, version: 1, snapshot: '"changed"' }
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const refused = refusal(() => shard.commit(batch({ at: 9_000, created: many, changed: [change] })))
      expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'full', retryable: true })
    }
    expect(shard.recover(1_000)).toEqual(before)
    expect(shard.load('account', '1')).toMatchObject({ revision: 1 })
    expect(shard.load('account', '2')).toBeUndefined()
    shard.commit(batch({ created: [account(2)], changed: [change] }))
    shard.close()
    const later = owned.open(0)
    expect(later.load('account', '1')).toMatchObject({ revision: 2 })
    expect(later.load('account', '2')).toMatchObject({ snapshot: '{"balance":2}' })
  })

  test('a commit for which there is no room gives the disk back what the write-ahead log takes, so that the next one has room', () => {
    const owned = open(temporaryDirectory())
    const { file } = owned.shard(0)
    const shard = openShard(owned.shard(0), { fileBytesMax: 256 * 1_024 })
    shard.commit(batch({ created: [account(1)] }))
    for (let revision = 2; revision < 50; revision += 1) {
      shard.commit(batch({ changed: [{ number: 1, revision, version: 1, snapshot: `"${String(revision).repeat(4_000)}"` }] }))
    }
    const before = statSync(`${file}-wal`).size
    expect(before).toBeGreaterThan(300_000)
    const many = Array.from({ length: 20 }, (_, index) => account(index + 2, large))
    expect(refusal(() => shard.commit(batch({ created: many })))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'full' })
    expect(statSync(`${file}-wal`).size).toBe(0)
    shard.commit(batch({ created: [account(2)] }))
    expect(shard.load('account', '1')).toMatchObject({ revision: 49 })
    shard.close()
    expect(owned.open(0).load('account', '2')).toMatchObject({ number: 2 })
  })

  test('a commit for which there is no room waits for no reader of the write-ahead log', () => {
    const owned = open(temporaryDirectory())
    const shard = openShard(owned.shard(0), { fileBytesMax: 256 * 1_024 })
    shard.commit(batch({ created: [account(1)] }))
    const reader = new Sqlite(owned.shard(0).file, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT * FROM meta').get()
    shard.commit(batch({ created: [account(2)] }))
    const many = Array.from({ length: 20 }, (_, index) => account(index + 3, large))
    const begun = performance.now()
    expect(refusal(() => shard.commit(batch({ created: many })))).toMatchObject({ fault: 'full' })
    expect(performance.now() - begun).toBeLessThan(900)
    reader.close()
    shard.commit(batch({ created: [account(3)] }))
  })

  test('the file never outgrows its bound', () => {
    const owned = open(temporaryDirectory())
    const bound = 1_024 * 1_024
    const shard = openShard(owned.shard(0), { fileBytesMax: bound })
    let number = 0
    while (refusal(() => shard.commit(batch({ created: [account(number + 1, large)] }))).code === 'nothing') number += 1
    expect(number).toBeGreaterThan(5)
    shard.close()
    expect(statSync(owned.shard(0).file).size).toBeLessThanOrEqual(bound)
  })
})

describe('a shard that somebody else is writing', () => {
  test('a commit that cannot get the lock in time is refused as busy, and goes through afterwards', () => {
    const owned = open(temporaryDirectory())
    const shard = openShard(owned.shard(0), { busyTimeoutMs: 0 })
    const raw = new Sqlite(owned.shard(0).file)
    raw.exec('BEGIN IMMEDIATE')
    const refused = refusal(() => shard.commit(batch({ created: [account(1)] })))
    expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    raw.exec('ROLLBACK')
    shard.commit(batch({ created: [account(1)] }))
    raw.close()
  })

  test('a commit gives up after a second, so that its thread can do something else, and goes through afterwards', () => {
    const owned = open(temporaryDirectory())
    const shard = owned.open(0)
    const raw = new Sqlite(owned.shard(0).file)
    raw.exec('BEGIN IMMEDIATE')
    const begun = performance.now()
    expect(refusal(() => shard.commit(batch({ created: [account(1)] })))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    const waitedMs = performance.now() - begun
    expect(waitedMs).toBeGreaterThan(900)
    expect(waitedMs).toBeLessThan(4_000)
    raw.exec('ROLLBACK')
    shard.commit(batch({ created: [account(1)] }))
    raw.close()
  })

  test('opening a shard that is locked is refused as busy', () => {
    const owned = open(temporaryDirectory())
    const raw = new Sqlite(owned.shard(0).file)
    raw.exec('BEGIN IMMEDIATE; UPDATE meta SET shard = shard')
    expect(refusal(() => openShard(owned.shard(0), { busyTimeoutMs: 0 }))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    raw.exec('ROLLBACK')
    raw.close()
    expect(owned.open(0).epoch).toBe(1)
  })
})

describe('a value that does not belong there', () => {
  test('a batch with something that is no text is refused whole, and the store goes on', () => {
    const shard = open(temporaryDirectory()).open(0)
    const wrong = { ...account(2), snapshot: { balance: 2 } as unknown as string }
    expect(refusal(() => shard.commit(batch({ created: [account(1), wrong] })))).toMatchObject({ code: 'BATCH_INVALID' })
    expect(shard.load('account', '1')).toBeUndefined()
    shard.commit(batch({ created: [account(1)] }))
  })
})

describe('the memory disk', () => {
  test('commits fail as they are told to, wholly, until they are told otherwise', () => {
    const disk = createMemoryDisk({ shards: 1 })
    const shard = openMemoryDirectory(disk, { now: () => 1_000 }).open(0)
    disk.failCommits('full')
    expect(refusal(() => shard.commit(batch({ created: [account(1)] })))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'full' })
    expect(refusal(() => shard.expireOutcomes(1, 1))).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'full' })
    disk.failCommits(undefined)
    expect(shard.load('account', '1')).toBeUndefined()
    shard.commit(batch({ created: [account(1)] }))
  })

  test('what a dead owner had open does nothing any more', () => {
    const disk = createMemoryDisk({ shards: 1 })
    const directory = openMemoryDirectory(disk, { now: () => 1_000 })
    const shard = directory.open(0)
    disk.crash()
    expect(refusal(() => shard.commit(batch({ created: [account(1)] })))).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(refusal(() => directory.open(0))).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const next = openMemoryDirectory(disk, { now: () => 1_000 })
    directory.release()
    expect(refusal(() => openMemoryDirectory(disk, { now: () => 1_000 }))).toMatchObject({ code: 'DIRECTORY_IN_USE', epoch: next.epoch })
  })
})
