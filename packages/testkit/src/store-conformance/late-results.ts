/** The latest of what came too late is kept, and found by its actor. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, batch, late, letter, openShard, refused, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function found(shard: ShardStore, actor?: { type: string; key: string }, limit = 100): Promise<number[]> {
  return (await shard.lateResults(actor, limit)).map((row) => row.sequence)
}

export const lateResultScenarios: Scenarios = {
  'a late result survives the death of the owner with every field': async (place) => {
    const shard = await openShard(place)
    const full = late(2, { key: 'a\u0000b', epoch: 0, detail: '{"text":"👍"}', at: START + 5 })
    await shard.commit(batch({ lateResults: [full, late(1)] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(
      (await later.lateResults(undefined, 10)).map((row) => ({ ...row })),
      [full, late(1)],
    )
    assert.deepEqual(
      (await later.lateResults({ type: 'account', key: 'a\u0000b' }, 10)).map((row) => ({ ...row })),
      [full],
    )
  },

  'late results come the latest first, of one actor where one is given, at most as many as asked for': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ lateResults: [late(5), late(1), late(9, { key: '2' }), late(3, { type: 'session' })] }))
    await shard.commit(batch({ lateResults: [late(4)] }))
    const actor = { type: 'account', key: '1' }
    assert.deepEqual(await found(shard), [9, 5, 4, 3, 1])
    assert.deepEqual(await found(shard, undefined, 2), [9, 5])
    assert.deepEqual(await found(shard, undefined, 0), [])
    assert.deepEqual(await found(shard, actor), [5, 4, 1])
    assert.deepEqual(await found(shard, actor, 2), [5, 4])
    assert.deepEqual(await found(shard, actor, 0), [])
    assert.deepEqual(await found(shard, { type: 'session', key: '1' }), [3])
    assert.deepEqual(await found(shard, { type: 'session', key: '2' }), [])
  },

  'G12 after a batch with late results no more than its maximum are left: the oldest went, of whatever actor': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ lateResults: [late(4), late(2, { key: '2' }), late(3)], lateResultsMax: 3 }))
    assert.deepEqual(await found(shard), [4, 3, 2])
    await shard.commit(batch({ lateResults: [late(7), late(6)], lateResultsMax: 3 }))
    assert.deepEqual(await found(shard), [7, 6, 4])
    // One that is older than all that are kept is itself the oldest.
    await shard.commit(batch({ lateResults: [late(1)], lateResultsMax: 3 }))
    assert.deepEqual(await found(shard), [7, 6, 4])
    await shard.commit(batch({ lateResults: [late(8)], lateResultsMax: 1 }))
    assert.deepEqual(await found(await reopenAfterCrash(place)), [8])
  },

  'a batch without late results takes none away, whatever its maximum; one with some and none to keep takes all': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ lateResults: [late(1), late(2)] }))
    await shard.commit(batch({ lateResultsMax: 0 }))
    assert.deepEqual(await found(shard), [2, 1])
    await shard.commit(batch({ lateResults: [late(3)], lateResultsMax: 0 }))
    assert.deepEqual(await found(shard), [])
  },

  'a late result that is there is not added again: the batch is refused whole, and takes none of the oldest': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ lateResults: [late(1), late(2)] }))
    await refused('BATCH_INVALID', () => shard.commit(batch({ lateResults: [late(3), late(2)], lateResultsMax: 1 })))
    assert.deepEqual(await found(shard), [2, 1])
    const deadLetters = [letter(9), letter(9)]
    await refused('BATCH_INVALID', () => shard.commit(batch({ lateResults: [late(3)], lateResultsMax: 1, deadLetters })))
    assert.deepEqual(await found(shard), [2, 1])
    assert.deepEqual(await found(await reopenAfterCrash(place)), [2, 1])
  },
}
