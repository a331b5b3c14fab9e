/** Effects are tried until they are done, and one whose outcome is unknown says so. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, batch, mail, message, openShard, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function dueSequences(shard: ShardStore, now: number, limit = 100, name = 'mail'): Promise<number[]> {
  return (await shard.dueEffects(name, now, limit)).map((row) => row.sequence)
}

const reminder = { type: 'account', key: '1', label: 'reminder' }

export const effectScenarios: Scenarios = {
  'G10 a promised effect survives the death of the owner with every field, until it is settled': async (place) => {
    const shard = await openShard(place)
    const full = mail(1, { key: 'a\u0000b', label: 'reminder', detail: '{"try":1}', attempts: 3 })
    await shard.commit(batch({ effects: [full, mail(2)] }))
    const second = await reopenAfterCrash(place)
    await second.recover(START)
    assert.deepEqual(
      (await second.dueEffects('mail', START, 10)).map((row) => ({ ...row })),
      [
        { ...full, isClaimed: false },
        { ...mail(2), isClaimed: false },
      ],
    )
    await second.commit(batch({ effectsSettled: [1, 99] }))
    await second.commit(batch({ effectsSettled: [1] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(await dueSequences(third, START), [2])
  },

  'G10 no effect is due early, and none under the name of another': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1, { dueAt: START + 5 }), mail(2, { name: 'bill', dueAt: START + 3 })] }))
    assert.deepEqual(await dueSequences(shard, START + 4), [])
    assert.deepEqual(await dueSequences(shard, START + 5), [1])
    assert.deepEqual(await dueSequences(shard, START + 5, 10, 'bill'), [2])
    assert.equal(await shard.nextEffectDueAt('mail'), START + 5)
    assert.equal(await shard.nextEffectDueAt('bill'), START + 3)
    assert.equal(await shard.nextEffectDueAt('ship'), undefined)
    assert.deepEqual(await dueSequences(shard, START + 5, 10, 'ship'), [])
  },

  'due effects come the earliest first, those of one moment by sequence, and at most as many as asked for': async (place) => {
    const shard = await openShard(place)
    const due = (sequence: number, after: number) => mail(sequence, { dueAt: START + after })
    await shard.commit(batch({ effects: [due(4, 2), due(3, 1), due(2, 2), due(5, 1)] }))
    assert.deepEqual(await dueSequences(shard, START + 2), [3, 5, 2, 4])
    assert.deepEqual(await dueSequences(shard, START + 2, 3), [3, 5, 2])
    assert.deepEqual(await dueSequences(shard, START + 2, 0), [])
  },

  'G10 an effect that is being tried is due no more, and hides no other': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1), mail(2, { dueAt: START + 7 })], effectsClaimed: [1] }))
    assert.deepEqual(await dueSequences(shard, Number.MAX_SAFE_INTEGER), [2])
    assert.equal(await shard.nextEffectDueAt('mail'), START + 7)
    await shard.commit(batch({ effectsClaimed: [2, 99] }))
    assert.equal(await shard.nextEffectDueAt('mail'), undefined)
  },

  'G10 an effect that was being tried when the owner died is due at once, and says that its outcome is unknown': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1, { dueAt: START + 5 }), mail(2)] }))
    await shard.commit(batch({ at: START + 5, effectsClaimed: [1] }))
    const later = await reopenAfterCrash(place)
    // Also where the clock has gone back since.
    await later.recover(START)
    const due = await later.dueEffects('mail', START, 10)
    assert.deepEqual(
      due.map((row) => [row.sequence, row.isClaimed, row.attempts]),
      [
        [1, true, 1],
        [2, false, 0],
      ],
    )
    assert.equal(due[0]?.idempotencyKey, 'mail-1')
    await later.commit(batch({ at: START + 5, effectsClaimed: [1] }))
    assert.deepEqual(await dueSequences(later, Number.MAX_SAFE_INTEGER), [2])
  },

  'G10 every attempt counts, also across the death of the owner': async (place) => {
    let shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1)] }))
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await shard.commit(batch({ effectsClaimed: [1] }))
      shard = await reopenAfterCrash(place)
      await shard.recover(START)
      assert.equal((await shard.dueEffects('mail', START, 1))[0]?.attempts, attempt)
    }
  },

  'G10 an effect that failed waits for its next attempt with its error, and its outcome is known': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1)] }))
    await shard.commit(batch({ effectsClaimed: [1] }))
    await shard.commit(
      batch({
        effectsDelayed: [
          { sequence: 1, dueAt: START + 30, detail: '"timeout"' },
          { sequence: 99, dueAt: START, detail: undefined },
        ],
      }),
    )
    const later = await reopenAfterCrash(place)
    await later.recover(START + 10)
    assert.deepEqual(await dueSequences(later, START + 29), [])
    assert.equal(await later.nextEffectDueAt('mail'), START + 30)
    assert.deepEqual(
      (await later.dueEffects('mail', START + 30, 10)).map((row) => ({ ...row })),
      [{ ...mail(1, { dueAt: START + 30, detail: '"timeout"', attempts: 1 }), isClaimed: false }],
    )
  },

  'G10 cancelling takes every waiting effect of that label and actor, and nothing else': async (place) => {
    const shard = await openShard(place)
    const label = 'reminder'
    const others = [mail(3, { label: 'other' }), mail(4), mail(5, { label, key: '2' }), mail(6, { label, type: 'session' })]
    await shard.commit(batch({ effects: [mail(1, { label }), mail(2, { label, name: 'bill' }), ...others] }))
    await shard.commit(batch({ effectsCancelled: [reminder, { ...reminder, label: 'unknown' }] }))
    assert.deepEqual(await dueSequences(shard, START), [3, 4, 5, 6])
    assert.deepEqual(await dueSequences(shard, START, 10, 'bill'), [])
  },

  'G10 an effect that is being tried, or whose outcome is unknown, cannot be cancelled; one that waits again can': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1, { label: 'reminder' })] }))
    await shard.commit(batch({ effectsClaimed: [1] }))
    await shard.commit(batch({ effectsCancelled: [reminder] }))
    const later = await reopenAfterCrash(place)
    await later.recover(START)
    assert.deepEqual(await dueSequences(later, START), [1])
    await later.commit(batch({ effectsCancelled: [reminder] }))
    assert.deepEqual(await dueSequences(later, START), [1])
    await later.commit(batch({ effectsDelayed: [{ sequence: 1, dueAt: START, detail: undefined }] }))
    await later.commit(batch({ effectsCancelled: [reminder] }))
    assert.deepEqual(await dueSequences(later, START), [])
  },

  'an effect cancelled and promised in one batch is promised': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1, { label: 'reminder' })] }))
    await shard.commit(batch({ effectsCancelled: [reminder], effects: [mail(2, { label: 'reminder' })] }))
    assert.deepEqual(await dueSequences(shard, START), [2])
  },

  'an effect promised, claimed and settled in one batch is done; one promised and claimed is being tried': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1), mail(2)], effectsClaimed: [1, 2], effectsSettled: [1] }))
    await shard.recover(START)
    assert.deepEqual(
      (await shard.dueEffects('mail', START, 10)).map((row) => [row.sequence, row.isClaimed]),
      [[2, true]],
    )
  },

  'G12 what is promised and not delivered is counted: effects, waiting or tried, and messages to other shards': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({ effects: [mail(1), mail(2), mail(3)], effectsClaimed: [1], outbox: [message(1, 1), message(1, 2), message(2, 1)] }),
    )
    assert.equal((await shard.recover(START)).outboxSize, 6)
    await shard.commit(batch({ effectsSettled: [1], delivered: [{ peer: 1, through: 2 }] }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.recover(START)).outboxSize, 3)
  },
}
