/** What is known of an actor's failures is there for the next owner, whether or not the actor is stored. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, account, batch, fault, letter, openShard, refused, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function faultsOf(shard: ShardStore): Promise<unknown[]> {
  return (await shard.recover(START)).faults.map((row) => ({ ...row }))
}

export const faultScenarios: Scenarios = {
  'faults are found by the next owner with every field, by type and key, also those of actors that were never stored': async (place) => {
    const shard = await openShard(place)
    const odd = { type: 'a\u0000b', key: 'c"d', detail: '{"error":"👍"}' }
    const empty = { type: 'account', key: '', detail: '' }
    await shard.commit(batch({ created: [account(2)], faults: [fault('2'), { ...fault('1'), type: 'session' }, odd, fault('10'), empty] }))
    const expected = [odd, empty, fault('10'), fault('2'), { ...fault('1'), type: 'session' }]
    assert.deepEqual(await faultsOf(shard), expected)
    assert.deepEqual(await faultsOf(await reopenAfterCrash(place)), expected)
  },

  'of each actor the last one counts, within one batch and over several': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ faults: [fault('1', '"first"'), fault('2'), fault('1', '"second"')] }))
    assert.deepEqual(await faultsOf(shard), [fault('1', '"second"'), fault('2')])
    await shard.commit(batch({ faults: [fault('1', '"third"')] }))
    assert.deepEqual(await faultsOf(await reopenAfterCrash(place)), [fault('1', '"third"'), fault('2')])
  },

  'without a detail nothing is known any more, and forgetting twice is forgetting once': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ faults: [fault('1'), fault('2'), { ...fault('1'), type: 'session' }] }))
    const forgotten = { type: 'account', key: '1', detail: undefined }
    await shard.commit(batch({ faults: [forgotten, forgotten, { ...forgotten, key: 'never there' }] }))
    const second = await reopenAfterCrash(place)
    assert.deepEqual(await faultsOf(second), [fault('2'), { ...fault('1'), type: 'session' }])
    // Forgotten and then known again is known; known and then forgotten is not.
    await second.commit(batch({ faults: [{ ...forgotten, key: '2' }, fault('2', '"again"'), fault('3'), { ...forgotten, key: '3' }] }))
    assert.deepEqual(await faultsOf(second), [fault('2', '"again"'), { ...fault('1'), type: 'session' }])
  },

  'a refused batch leaves faults as they were': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ faults: [fault('1', '"before"'), fault('2', '"before"')] }))
    const forgotten = { type: 'account', key: '2', detail: undefined }
    const faults = [fault('1', '"gone"'), forgotten, fault('3'), fault('3', '"gone"'), fault('2', '"gone"'), forgotten]
    await refused('BATCH_INVALID', () => shard.commit(batch({ faults, deadLetters: [letter(9), letter(9)] })))
    const before = [fault('1', '"before"'), fault('2', '"before"')]
    assert.deepEqual(await faultsOf(shard), before)
    assert.deepEqual(await faultsOf(await reopenAfterCrash(place)), before)
  },

  'G8 an older owner neither notes a fault nor forgets one': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ faults: [fault('1')] }))
    const newer = await directory.open(0)
    await refused('FENCED', () => older.commit(batch({ faults: [fault('2')] })))
    await refused('FENCED', () => older.commit(batch({ faults: [{ type: 'account', key: '1', detail: undefined }] })))
    assert.deepEqual(await faultsOf(newer), [fault('1')])
  },

  'shards know nothing of the faults of each other': async (place) => {
    const directory = await place.open()
    const left = await directory.open(0)
    const right = await directory.open(1)
    await left.commit(batch({ faults: [fault('1')] }))
    assert.deepEqual(await faultsOf(right), [])
  },
}
