/** What the WAL costs is bounded: its size, and with it the time to recover. */
import { cpSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { open, temporaryDirectory } from './place.ts'
import { account, batch } from './rows.ts'

const checkpointBytes = 16 * 1_024 * 1_024

describe('the WAL', () => {
  test('G12 however much is committed, the WAL stays within its checkpoint and one batch', () => {
    const root = temporaryDirectory()
    const owned = open(join(root, 'living'), { synchronous: 'normal' })
    const shard = owned.open(0)
    const numbers = Array.from({ length: 100 }, (_, index) => index + 1)
    shard.commit(batch({ created: numbers.map((number) => account(number)) }))
    let largest = 0
    for (let revision = 2; revision < 60; revision += 1) {
      const snapshot = `"${'x'.repeat(10_000)}${revision}"`
      shard.commit(batch({ changed: numbers.map((number) => ({ number, revision, version: 1, snapshot })) }))
      largest = Math.max(largest, statSync(join(root, 'living', 'shard-0.db-wal')).size)
    }
    expect(largest).toBeGreaterThan(checkpointBytes / 2)
    expect(largest).toBeLessThan(checkpointBytes + 4 * 1_024 * 1_024)
    // What a killed process would leave now is read back wholly.
    cpSync(join(root, 'living'), join(root, 'killed'), { recursive: true })
    expect(open(join(root, 'killed')).open(0).load('account', '100')).toMatchObject({ revision: 59 })
    shard.close()
  })

  test('a WAL that one huge batch has blown up is cut back by the commits that follow', () => {
    const owned = open(temporaryDirectory(), { synchronous: 'normal' })
    const shard = owned.open(0)
    const wal = `${owned.shard(0).file}-wal`
    const snapshot = `"${'x'.repeat(1_000_000)}"`
    shard.commit(batch({ created: Array.from({ length: 100 }, (_, index) => account(index + 1, snapshot)) }))
    expect(statSync(wal).size).toBeGreaterThan(90_000_000)
    shard.commit(batch({ created: [account(101)] }))
    expect(statSync(wal).size).toBeLessThanOrEqual(4 * checkpointBytes)
    shard.close()
  })

  test('everything that guarantees rest on is set on the connection, not left to a default', () => {
    const owned = open(temporaryDirectory())
    owned.open(0).close()
    const raw = new Sqlite(owned.shard(0).file)
    expect(raw.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(raw.pragma('page_size', { simple: true })).toBe(4_096)
    raw.close()
  })
})
