/** Recorded outcomes count until they expire, and are never overwritten before. */
import type { OutcomeRecorded, ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, batch, openShard, outcome, refused, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

const scope = 'account/1/deposit'

/** Which of the records `key 1` to `key 9` there are, whether they count or not. */
async function recorded(shard: ShardStore): Promise<number[]> {
  const found: number[] = []
  for (let number = 1; number <= 9; number += 1) if ((await shard.outcome(scope, `key ${number}`, 0)) !== undefined) found.push(number)
  return found
}

export const outcomeScenarios: Scenarios = {
  'G3 a recorded outcome survives the death of the owner': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [outcome('a', START + 10)] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual({ ...(await later.outcome(scope, 'a', START)) }, { fingerprint: 'f1', outcome: '{"tag":"ok"}', expiresAt: START + 10 })
  },

  'an outcome counts until just before it expires': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [outcome('a', START + 10)] }))
    assert.notEqual(await shard.outcome(scope, 'a', START + 9), undefined)
    assert.equal(await shard.outcome(scope, 'a', START + 10), undefined)
    assert.equal(await shard.outcome(scope, 'a', START + 11), undefined)
  },

  'a key means nothing outside of its scope': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [outcome('a', START + 10), outcome('a', START + 10, { scope: 'other', outcome: '"other"' })] }))
    assert.equal((await shard.outcome('other', 'a', START))?.outcome, '"other"')
    assert.equal(await shard.outcome('third', 'a', START), undefined)
    assert.equal(await shard.outcome(`${scope}a`, '', START), undefined)
  },

  'G3 an outcome that still counts is never replaced': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [outcome('a', START + 10)] }))
    await refused('BATCH_INVALID', () => shard.commit(batch({ at: START + 9, outcomes: [outcome('a', START + 90, { outcome: '"2"' })] })))
    assert.equal((await shard.outcome(scope, 'a', START + 9))?.outcome, '{"tag":"ok"}')
  },

  'an outcome that has expired by the time of the batch is replaced, also before it was deleted': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [outcome('a', START + 10)] }))
    await shard.commit(batch({ at: START + 10, outcomes: [outcome('a', START + 90, { fingerprint: 'f2', outcome: '"2"' })] }))
    assert.deepEqual({ ...(await shard.outcome(scope, 'a', START + 10)) }, { fingerprint: 'f2', outcome: '"2"', expiresAt: START + 90 })
    // The old expiry went with the old record.
    assert.equal(await shard.expireOutcomes(START + 89, 100), 0)
  },

  'G12 expired outcomes are deleted in portions, the oldest first, and never one that counts': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [5, 3, 1, 4, 2].map((age) => outcome(`key ${age}`, START + age)) }))
    assert.equal(await shard.expireOutcomes(START, 10), 0)
    assert.equal(await shard.expireOutcomes(START + 4, 0), 0)
    assert.equal(await shard.expireOutcomes(START + 4, 3), 3)
    assert.equal(await shard.outcome(scope, 'key 3', 0), undefined)
    assert.notEqual(await shard.outcome(scope, 'key 4', 0), undefined)
    assert.equal(await shard.expireOutcomes(START + 4, 3), 1)
    assert.equal(await shard.expireOutcomes(START + 4, 3), 0)
    const later = await reopenAfterCrash(place)
    assert.equal(await later.outcome(scope, 'key 4', 0), undefined)
    assert.notEqual(await later.outcome(scope, 'key 5', 0), undefined)
  },

  'T07 G12 five records and room for five: a sixth evicts the one that expires first': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomesMax: 5, outcomes: [5, 3, 1, 4, 2].map((age) => outcome(`key ${age}`, START + 10 + age)) }))
    assert.deepEqual(await recorded(shard), [1, 2, 3, 4, 5])
    await shard.commit(batch({ outcomesMax: 5, outcomes: [outcome('key 6', START + 16)] }))
    assert.deepEqual(await recorded(shard), [2, 3, 4, 5, 6])
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await recorded(later), [2, 3, 4, 5, 6])
    await later.commit(batch({ outcomesMax: 5, outcomes: [outcome('key 7', START + 17), outcome('key 8', START + 18)] }))
    assert.deepEqual(await recorded(later), [4, 5, 6, 7, 8])
  },

  'G12 the record that expires first goes, also when it is the newest': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomesMax: 2, outcomes: [outcome('key 2', START + 20), outcome('key 3', START + 30)] }))
    await shard.commit(batch({ outcomesMax: 2, outcomes: [outcome('key 1', START + 10)] }))
    assert.deepEqual(await recorded(shard), [2, 3])
  },

  'G12 a smaller bound than before counts from the next outcome on': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outcomes: [1, 2, 3, 4, 5].map((age) => outcome(`key ${age}`, START + 10 + age)) }))
    await shard.commit(batch({ outcomesMax: 2, outcomes: [outcome('key 6', START + 16)] }))
    assert.deepEqual(await recorded(shard), [5, 6])
  },

  'records that expired, were replaced or were refused are not counted against the bound': async (place) => {
    const shard = await openShard(place)
    const commit = async (at: number, ...outcomes: OutcomeRecorded[]): Promise<void> => {
      await shard.commit(batch({ at, outcomesMax: 3, outcomes }))
    }
    await commit(START, outcome('key 1', START + 1), outcome('key 2', START + 20))
    await refused('BATCH_INVALID', () =>
      commit(START, outcome('key 3', START + 30), outcome('key 4', START + 40), outcome('key 2', START + 9)),
    )
    // Refused for something that comes after its outcomes.
    const nobody = { sequence: 1, actor: 99, detail: '{}' }
    const late = batch({ outcomesMax: 3, outcomes: [outcome('key 3', START + 30)], callsOpened: [nobody] })
    await refused('BATCH_INVALID', () => shard.commit(late))
    await commit(START, outcome('key 5', START + 50))
    assert.deepEqual(await recorded(shard), [1, 2, 5])
    // Replaced in its place: still three.
    await commit(START + 1, outcome('key 1', START + 11))
    assert.deepEqual(await recorded(shard), [1, 2, 5])
    assert.equal(await shard.expireOutcomes(START + 11, 10), 1)
    await commit(START + 11, outcome('key 6', START + 60))
    assert.deepEqual(await recorded(shard), [2, 5, 6])
    await commit(START + 11, outcome('key 7', START + 70))
    assert.deepEqual(await recorded(shard), [5, 6, 7])
  },
}
