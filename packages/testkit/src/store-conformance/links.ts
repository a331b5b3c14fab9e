/** Messages between shards: each is sent until its peer has it, and none is admitted twice. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, batch, message, openShard, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function waitingFor(shard: ShardStore, peer: number, after = 0, limit = 100): Promise<number[]> {
  return (await shard.outboxTo(peer, after, limit)).map((row) => row.sequence)
}

async function linksOf(shard: ShardStore): Promise<unknown[]> {
  return (await shard.recover(START)).links.map((link) => ({ ...link }))
}

export const linkScenarios: Scenarios = {
  'G2 a promised message survives the death of the owner with every field, until its peer has it': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outbox: [message(1, 1)] }))
    const second = await reopenAfterCrash(place)
    assert.deepEqual(
      (await second.outboxTo(1, 0, 10)).map((row) => ({ ...row })),
      [message(1, 1)],
    )
    await second.commit(batch({ delivered: [{ peer: 1, through: 1 }] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(await waitingFor(third, 1), [])
  },

  'messages are read by sequence, for one peer, after a sequence, and at most as many as asked for': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outbox: [message(1, 1), message(2, 1), message(1, 2), message(1, 3)] }))
    await shard.commit(batch({ outbox: [message(1, 4)] }))
    assert.deepEqual(await waitingFor(shard, 1), [1, 2, 3, 4])
    assert.deepEqual(await waitingFor(shard, 1, 2), [3, 4])
    assert.deepEqual(await waitingFor(shard, 1, 1, 2), [2, 3])
    assert.deepEqual(await waitingFor(shard, 1, 4), [])
    assert.deepEqual(await waitingFor(shard, 1, 0, 0), [])
    assert.deepEqual(await waitingFor(shard, 2), [1])
    assert.deepEqual(await waitingFor(shard, 3), [])
  },

  'what a peer has goes up to its mark, and nothing of another peer': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outbox: [1, 2, 3].flatMap((sequence) => [message(1, sequence), message(2, sequence)]) }))
    await shard.commit(batch({ delivered: [{ peer: 1, through: 2 }] }))
    assert.deepEqual(await waitingFor(shard, 1), [3])
    assert.deepEqual(await waitingFor(shard, 2), [1, 2, 3])
    await shard.commit(
      batch({
        delivered: [
          { peer: 1, through: 1 },
          { peer: 2, through: 99 },
          { peer: 7, through: 1 },
        ],
      }),
    )
    assert.deepEqual(await waitingFor(shard, 1), [3])
    assert.deepEqual(await waitingFor(shard, 2), [])
  },

  'G3 the mark of what was sent stays when the messages are gone, so that no sequence is used twice': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outbox: [message(1, 1), message(1, 2)] }))
    await shard.commit(batch({ delivered: [{ peer: 1, through: 2 }] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await linksOf(later), [{ peer: 1, sent: 2, received: 0 }])
  },

  'G3 the mark of what was received rises, never falls, and survives the death of the owner': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ received: [{ peer: 1, through: 5 }] }))
    await shard.commit(
      batch({
        received: [
          { peer: 1, through: 3 },
          { peer: 2, through: 1 },
        ],
      }),
    )
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await linksOf(later), [
      { peer: 1, sent: 0, received: 5 },
      { peer: 2, sent: 0, received: 1 },
    ])
  },

  'the two directions of a link do not touch each other': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ received: [{ peer: 1, through: 5 }] }))
    await shard.commit(batch({ outbox: [message(1, 1)] }))
    await shard.commit(batch({ received: [{ peer: 1, through: 6 }] }))
    assert.deepEqual(await linksOf(shard), [{ peer: 1, sent: 1, received: 6 }])
  },

  'a message that is sent and delivered in one batch never waits, and leaves its mark': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ outbox: [message(1, 1)], delivered: [{ peer: 1, through: 1 }] }))
    assert.deepEqual(await waitingFor(shard, 1), [])
    assert.deepEqual(await linksOf(shard), [{ peer: 1, sent: 1, received: 0 }])
  },
}
