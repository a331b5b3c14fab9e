/** Recorded outcomes count until they expire, and are never overwritten before. */
import assert from 'node:assert/strict'
import { START, batch, openShard, outcome, refused, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

const scope = 'account/1/deposit'

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
}
