/** Commands that were accepted come back until they are finished. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, account, batch, deposit, openShard, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function dueSequences(shard: ShardStore, now: number, limit = 100): Promise<number[]> {
  return (await shard.dueCommands(now, limit)).map((row) => row.sequence)
}

export const inboxScenarios: Scenarios = {
  'G2 an accepted command survives the death of the owner with every field, until it is finished': async (place) => {
    const shard = await openShard(place)
    const plain = deposit(1, { lane: 0, key: 'a\u0000b', input: '{"text":"👍"}' })
    const keyed = deposit(2, { lane: 3, idempotency: { key: 'once', fingerprint: 'f1' } })
    await shard.commit(batch({ accepted: [plain, keyed] }))
    const second = await reopenAfterCrash(place)
    assert.deepEqual(
      (await second.recover(START)).inbox.map((row) => ({ ...row })),
      [plain, keyed],
    )
    await second.commit(batch({ finished: [1] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(
      (await third.recover(START)).inbox.map((row) => ({ ...row })),
      [keyed],
    )
  },

  'G5 waiting commands come back in the order of their sequence, whatever the order of the rows': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(3), deposit(1)] }))
    await shard.commit(batch({ accepted: [deposit(10), deposit(2)] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(
      (await later.recover(START)).inbox.map((row) => row.sequence),
      [1, 2, 3, 10],
    )
  },

  'G3 a command and the change it made are finished in one batch or not at all': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], accepted: [deposit(1)] }))
    await shard.commit(batch({ changed: [{ number: 1, revision: 2, version: 1, snapshot: '"done"' }], finished: [1] }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.load('account', '1'))?.snapshot, '"done"')
    assert.equal((await later.recover(START)).inbox.length, 0)
  },

  'a command that is accepted and finished in one batch never waits': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1), deposit(2)], finished: [1] }))
    assert.deepEqual(
      (await shard.recover(START)).inbox.map((row) => row.sequence),
      [2],
    )
  },

  'finishing a command twice is finishing it once': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1)] }))
    await shard.commit(batch({ finished: [1, 1] }))
    await shard.commit(batch({ finished: [1, 42] }))
    const recovery = await shard.recover(START)
    assert.equal(recovery.inbox.length, 0)
    assert.equal(recovery.nextInboxSequence, 2)
  },

  'G9 a command for later survives the death of the owner with every field, and waits apart from the others': async (place) => {
    const shard = await openShard(place)
    const later = deposit(1, { dueAt: START + 5, detail: '{"label":"later"}', idempotency: { key: 'once', fingerprint: 'f1' } })
    await shard.commit(batch({ accepted: [later, deposit(2, { detail: '{"caller":7}' })] }))
    const second = await reopenAfterCrash(place)
    assert.deepEqual(
      (await second.recover(START + 9)).inbox.map((row) => ({ ...row })),
      [deposit(2, { detail: '{"caller":7}' })],
    )
    assert.deepEqual(
      (await second.dueCommands(START + 5, 10)).map((row) => ({ ...row })),
      [later],
    )
  },

  'G9 no command is due early': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1, { dueAt: START + 5 })] }))
    assert.deepEqual(await dueSequences(shard, START + 4), [])
    assert.deepEqual(await dueSequences(shard, START + 5), [1])
    assert.deepEqual(await dueSequences(shard, START + 5), [1])
  },

  'due commands come the earliest first, those of one moment by sequence, and at most as many as asked for': async (place) => {
    const shard = await openShard(place)
    const due = (sequence: number, after: number) => deposit(sequence, { dueAt: START + after })
    await shard.commit(batch({ accepted: [due(4, 2), due(3, 1), due(2, 2), due(5, 1), deposit(1)] }))
    assert.deepEqual(await dueSequences(shard, START + 2), [3, 5, 2, 4])
    assert.deepEqual(await dueSequences(shard, START + 2, 3), [3, 5, 2])
    assert.deepEqual(await dueSequences(shard, START + 2, 0), [])
  },

  'the next moment is that of the earliest command for later, and goes with it': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1)] }))
    assert.equal(await shard.nextCommandDueAt(), undefined)
    await shard.commit(batch({ accepted: [deposit(2, { dueAt: START + 7 }), deposit(3, { dueAt: START + 3 })] }))
    assert.equal(await shard.nextCommandDueAt(), START + 3)
    await shard.commit(batch({ finished: [3] }))
    assert.equal(await shard.nextCommandDueAt(), START + 7)
    await shard.commit(batch({ finished: [2] }))
    assert.equal(await shard.nextCommandDueAt(), undefined)
    assert.deepEqual(await dueSequences(shard, Number.MAX_SAFE_INTEGER), [])
  },

  'an edit replaces the input and the detail of a waiting command, and nothing else of it': async (place) => {
    const shard = await openShard(place)
    const scheduled = deposit(2, { dueAt: START + 5 })
    await shard.commit(batch({ accepted: [deposit(1, { detail: '{"edits":0}' }), scheduled] }))
    await shard.commit(
      batch({
        inboxChanges: [
          { sequence: 1, input: '"first"', detail: '{"edits":1}' },
          { sequence: 2, input: '"second"', detail: '{"edits":1}' },
          { sequence: 1, input: '"later"', detail: undefined },
        ],
      }),
    )
    const later = await reopenAfterCrash(place)
    assert.deepEqual(
      (await later.recover(START)).inbox.map((row) => ({ ...row })),
      [deposit(1, { input: '"later"' })],
    )
    assert.deepEqual(
      (await later.dueCommands(START + 5, 10)).map((row) => ({ ...row })),
      [{ ...scheduled, input: '"second"', detail: '{"edits":1}' }],
    )
  },

  'a command that is accepted and edited in one batch is edited; one that is finished is passed over': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ accepted: [deposit(1)], finished: [1] }))
    const edit = (sequence: number) => ({ sequence, input: '"edited"', detail: undefined })
    await shard.commit(batch({ accepted: [deposit(2)], inboxChanges: [edit(1), edit(2), edit(99)] }))
    assert.deepEqual(
      (await shard.recover(START)).inbox.map((row) => [row.sequence, row.input]),
      [[2, '"edited"']],
    )
  },
}
