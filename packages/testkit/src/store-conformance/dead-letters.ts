/** Dead letters are kept until they are replayed, discarded or trimmed, and found by what they are. */
import type { DeadLetterFilter, ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, batch, letter, openShard, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function found(shard: ShardStore, filter: DeadLetterFilter = {}, limit = 100): Promise<number[]> {
  return (await shard.deadLetters(filter, limit)).map((row) => row.sequence)
}

export const deadLetterScenarios: Scenarios = {
  'a dead letter survives the death of the owner with every field, until it is removed': async (place) => {
    const shard = await openShard(place)
    const full = letter(2, {
      key: 'a\u0000b',
      reason: 'poison',
      naturalKey: 'order 7',
      input: '{"text":"👍"}',
      revision: 12,
      at: START + 5,
    })
    await shard.commit(batch({ deadLetters: [letter(1), full] }))
    const second = await reopenAfterCrash(place)
    assert.equal((await second.recover(START)).deadLetters, 2)
    assert.deepEqual(
      (await second.deadLetters({}, 10)).map((row) => ({ ...row })),
      [full, letter(1)],
    )
    await second.commit(batch({ deadLettersRemoved: [2, 99] }))
    await second.commit(batch({ deadLettersRemoved: [2] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(await found(third), [1])
    assert.equal((await third.recover(START)).deadLetters, 1)
  },

  'dead letters come the latest first, at most as many as asked for, and are read on from any of them': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ deadLetters: [letter(3), letter(1), letter(7)] }))
    await shard.commit(batch({ deadLetters: [letter(5)] }))
    assert.deepEqual(await found(shard), [7, 5, 3, 1])
    assert.deepEqual(await found(shard, {}, 2), [7, 5])
    assert.deepEqual(await found(shard, { before: 5 }, 1), [3])
    assert.deepEqual(await found(shard, { before: 1 }), [])
    assert.deepEqual(await found(shard, {}, 0), [])
  },

  'every field of a filter must match, and one that is not given says nothing': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        deadLetters: [
          letter(1, { naturalKey: 'k' }),
          letter(2, { naturalKey: 'k', key: '2' }),
          letter(3, { naturalKey: 'k', command: 'withdraw' }),
          letter(4, { reason: 'poison' }),
          letter(5, { type: 'session' }),
          letter(6, { naturalKey: '' }),
        ],
      }),
    )
    assert.deepEqual(await found(shard, { sequence: 4 }), [4])
    assert.deepEqual(await found(shard, { sequence: 4, reason: 'expired' }), [])
    assert.deepEqual(await found(shard, { type: 'session' }), [5])
    assert.deepEqual(await found(shard, { key: '2' }), [2])
    assert.deepEqual(await found(shard, { command: 'deposit', type: 'account' }), [6, 4, 2, 1])
    assert.deepEqual(await found(shard, { reason: 'expired', key: '1' }), [6, 5, 3, 1])
    assert.deepEqual(await found(shard, { naturalKey: 'k' }), [3, 2, 1])
    assert.deepEqual(await found(shard, { naturalKey: '' }), [6])
    assert.deepEqual(await found(shard, { type: 'account', key: '1', naturalKey: 'k' }), [3, 1])
    assert.deepEqual(await found(shard, { type: 'account', key: '1', naturalKey: 'k', before: 3 }), [1])
    assert.deepEqual(await found(shard, { type: 'account', key: '1', command: 'withdraw', reason: 'expired', naturalKey: 'k' }), [3])
    assert.deepEqual(await found(shard, { sequence: 4, before: 4 }), [])
    assert.deepEqual(await found(shard, { type: `account' OR '1'='1` }), [])
  },

  'G12 the oldest dead letters are trimmed, after the new ones were added and others removed': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ deadLetters: [letter(4), letter(2), letter(3)] }))
    await shard.commit(batch({ deadLetters: [letter(1), letter(9)], deadLettersRemoved: [2], deadLettersTrimmed: 2 }))
    assert.deepEqual(await found(shard), [9, 4])
    await shard.commit(batch({ deadLettersTrimmed: 0 }))
    assert.deepEqual(await found(shard), [9, 4])
    await shard.commit(batch({ deadLettersTrimmed: 99 }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await found(later), [])
    assert.equal((await later.recover(START)).deadLetters, 0)
  },
}
