/** The room of deleted rows is given back, also beside readers, and a compaction that cannot be done changes nothing. */
import { statSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openShard } from '../src/index.ts'
import type { ImmediateShardStore, InboxCommand, ShardOptions } from '../src/index.ts'
import { open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

const count = 400

function command(sequence: number): InboxCommand {
  return {
    sequence,
    id: `c${sequence}`,
    type: 'account',
    key: '1',
    command: 'deposit',
    lane: 2,
    input: `"${'x'.repeat(4_000)}"`,
    idempotency: undefined,
    at: 1_000,
    dueAt: undefined,
    detail: undefined,
  }
}

/** A shard of which most rows have been deleted. */
function hollow(options: ShardOptions = {}): { readonly shard: ImmediateShardStore; readonly file: string } {
  const owned = open(temporaryDirectory(), { synchronous: 'normal' })
  const { file } = owned.shard(0)
  const filling = owned.open(0)
  const sequences = Array.from({ length: count }, (_none, index) => index + 1)
  filling.commit(batch({ created: [account(1)], accepted: sequences.map(command) }))
  filling.commit(batch({ finished: sequences.slice(1) }))
  filling.close()
  return { shard: openShard(owned.shard(0), options), file }
}

function sizesOf(file: string): { readonly file: number; readonly wal: number } {
  return { file: statSync(file).size, wal: statSync(`${file}-wal`).size }
}

describe('compacting', () => {
  test('G12 makes the file small again and empties the WAL', () => {
    const { shard, file } = hollow()
    expect(sizesOf(file).file).toBeGreaterThan(count * 4_000)
    shard.compact()
    expect(sizesOf(file).wal).toBe(0)
    expect(sizesOf(file).file).toBeLessThan(200_000)
    expect(shard.recover(1_000).inbox).toEqual([command(1)])
    shard.commit(batch({ created: [account(2)] }))
    const after = sizesOf(file).file
    shard.compact()
    expect(sizesOf(file).file).toBeLessThanOrEqual(after)
  })

  test('a reader beside it reads on, keeps the WAL for a while, and is no error', () => {
    const { shard, file } = hollow({ busyTimeoutMs: 0 })
    const reader = new Sqlite(file, { readonly: true })
    reader.exec('BEGIN')
    const waiting = reader.prepare('SELECT count(*) FROM inbox').pluck()
    expect(waiting.get()).toBe(1)
    shard.commit(batch({ finished: [1] }))
    shard.compact()
    expect(waiting.get()).toBe(1)
    expect(sizesOf(file).wal).toBeGreaterThan(0)
    reader.exec('COMMIT')
    expect(waiting.get()).toBe(0)
    reader.close()
    shard.commit(batch({ created: [account(2)] }))
    shard.compact()
    expect(sizesOf(file).wal).toBe(0)
    expect(sizesOf(file).file).toBeLessThan(200_000)
  })

  test('somebody who writes beside it is an error that passes, with nothing changed', () => {
    const { shard, file } = hollow({ busyTimeoutMs: 0 })
    const before = sizesOf(file)
    const raw = new Sqlite(file)
    raw.exec('BEGIN IMMEDIATE')
    expect(refusal(() => shard.compact())).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    raw.exec('ROLLBACK')
    raw.close()
    expect(sizesOf(file).file).toBe(before.file)
    shard.compact()
    expect(sizesOf(file).file).toBeLessThan(200_000)
    expect(shard.recover(1_000).inbox).toEqual([command(1)])
  })

  test('statements that were used before are used after it, and what is set on the connection stays set', () => {
    const { shard, file } = hollow()
    for (let number = 2; number < 6; number += 1) {
      shard.commit(batch({ created: [account(number)] }))
      shard.compact()
      expect(shard.load('account', String(number))).toMatchObject({ number })
    }
    const raw = new Sqlite(file, { readonly: true })
    expect(raw.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(raw.pragma('page_size', { simple: true })).toBe(4_096)
    expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
    raw.close()
  })
})
