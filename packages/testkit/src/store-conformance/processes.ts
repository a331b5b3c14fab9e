/** A child process is known from before it is started until it was seen to end, whoever owns the shard by then. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, batch, letter, openShard, refused, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function processesOf(shard: ShardStore): Promise<unknown[]> {
  return (await shard.recover(START)).processes.map((row) => ({ ...row }))
}

export const processScenarios: Scenarios = {
  'a process is found by the next owner with every field, by sequence, until it was seen to end': async (place) => {
    const shard = await openShard(place)
    const full = { sequence: 2, detail: '{"name":"a\u0000b 👍"}' }
    await shard.commit(batch({ processes: [{ sequence: 5, detail: '{}' }, full] }))
    const second = await reopenAfterCrash(place)
    assert.deepEqual(await processesOf(second), [full, { sequence: 5, detail: '{}' }])
    await second.commit(batch({ processesEnded: [5] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(await processesOf(third), [full])
  },

  'more is known of a process once it runs: the later detail counts': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ processes: [{ sequence: 1, detail: '"about to start"' }] }))
    await shard.commit(
      batch({
        processes: [
          { sequence: 1, detail: '"starting"' },
          { sequence: 1, detail: '"running"' },
        ],
      }),
    )
    assert.deepEqual(await processesOf(await reopenAfterCrash(place)), [{ sequence: 1, detail: '"running"' }])
  },

  'ending twice is ending once, and one that is added and ends in one batch was never there': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ processes: [{ sequence: 1, detail: '{}' }], processesEnded: [1, 1, 99] }))
    assert.deepEqual(await processesOf(shard), [])
    await shard.commit(batch({ processesEnded: [1] }))
    assert.deepEqual(await processesOf(await reopenAfterCrash(place)), [])
  },

  'a refused batch leaves processes as they were': async (place) => {
    const shard = await openShard(place)
    const before = [1, 2].map((sequence) => ({ sequence, detail: '"before"' }))
    await shard.commit(batch({ processes: before }))
    const attempt = batch({
      processes: [1, 3].map((sequence) => ({ sequence, detail: '"gone"' })),
      processesEnded: [2, 3],
      deadLetters: [letter(9), letter(9)],
    })
    await refused('BATCH_INVALID', () => shard.commit(attempt))
    assert.deepEqual(await processesOf(shard), before)
    assert.deepEqual(await processesOf(await reopenAfterCrash(place)), before)
  },

  'G8 an older owner neither adds a process nor ends one': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ processes: [{ sequence: 1, detail: '{}' }] }))
    const newer = await directory.open(0)
    await refused('FENCED', () => older.commit(batch({ processes: [{ sequence: 2, detail: '{}' }] })))
    await refused('FENCED', () => older.commit(batch({ processesEnded: [1] })))
    assert.deepEqual(await processesOf(newer), [{ sequence: 1, detail: '{}' }])
  },
}
