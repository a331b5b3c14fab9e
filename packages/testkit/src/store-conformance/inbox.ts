/** Commands that were accepted come back until they are finished. */
import assert from 'node:assert/strict'
import { account, batch, deposit, openShard, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

export const inboxScenarios: Scenarios = {
  'G2 an accepted command survives the death of the owner with every field, until it is finished': async (place) => {
    const shard = await openShard(place)
    const plain = deposit(1, { lane: 0, key: 'a\u0000b', input: '{"text":"👍"}' })
    const keyed = deposit(2, { lane: 3, idempotency: { key: 'once', fingerprint: 'f1' } })
    await shard.commit(batch({ accepted: [plain, keyed] }))
    const second = await reopenAfterCrash(place)
    assert.deepEqual(
      (await second.recover()).inbox.map((row) => ({ ...row })),
      [plain, keyed],
    )
    await second.commit(batch({ finished: [1] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(
      (await third.recover()).inbox.map((row) => ({ ...row })),
      [keyed],
    )
  },

  'G5 waiting commands come back in the order of their sequence, whatever the order of the rows': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(3), deposit(1)] }))
    await shard.commit(batch({ accepted: [deposit(10), deposit(2)] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(
      (await later.recover()).inbox.map((row) => row.sequence),
      [1, 2, 3, 10],
    )
  },

  'G3 a command and the change it made are finished in one batch or not at all': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], accepted: [deposit(1)] }))
    await shard.commit(batch({ changed: [{ number: 1, revision: 2, version: 1, snapshot: '"done"' }], finished: [1] }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.load('account', '1'))?.snapshot, '"done"')
    assert.equal((await later.recover()).inbox.length, 0)
  },

  'a command that is accepted and finished in one batch never waits': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1), deposit(2)], finished: [1] }))
    assert.deepEqual(
      (await shard.recover()).inbox.map((row) => row.sequence),
      [2],
    )
  },

  'finishing a command twice is finishing it once': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1)] }))
    await shard.commit(batch({ finished: [1, 1] }))
    await shard.commit(batch({ finished: [1, 42] }))
    const recovery = await shard.recover()
    assert.equal(recovery.inbox.length, 0)
    assert.equal(recovery.nextInboxSequence, 2)
  },
}
