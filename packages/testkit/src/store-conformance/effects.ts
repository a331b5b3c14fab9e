/** Effects are tried until they are done, and one whose outcome is unknown says so. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, account, batch, letter, mail, message, openShard, refused, reopenAfterCrash, turn } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function dueSequences(shard: ShardStore, now: number, limit = 100, name = 'mail'): Promise<number[]> {
  return (await shard.dueEffects(name, now, limit)).map((row) => row.sequence)
}

const reminder = { type: 'account', key: '1', label: 'reminder' }

export const effectScenarios: Scenarios = {
  'G10 a promised effect survives the death of the owner with every field, until it is settled': async (place) => {
    const shard = await openShard(place)
    const full = mail(1, { key: 'a\u0000b', label: 'reminder', detail: '{"try":1}', turn: 50, attempts: 3 })
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

  'G10 cancelling a turn takes every waiting effect of it, whatever its actor, name and label, and nothing else': async (place) => {
    const shard = await openShard(place)
    const ofTurn = [mail(1, { turn: 50 }), mail(2, { turn: 50, label: 'reminder', key: '2' }), mail(3, { turn: 50, name: 'bill' })]
    await shard.commit(batch({ effects: [...ofTurn, mail(4, { turn: 51 }), mail(5), mail(6, { turn: 0 })] }))
    const later = await reopenAfterCrash(place)
    await later.recover(START)
    const report = await later.commit(batch({ effectsCancelled: [{ turn: 50 }, { turn: 99 }] }))
    assert.equal(report.effectsCancelled, 3)
    assert.deepEqual(await dueSequences(later, START), [4, 5, 6])
    assert.deepEqual(await dueSequences(later, START, 10, 'bill'), [])
    assert.equal((await later.commit(batch({ effectsCancelled: [{ turn: 0 }] }))).effectsCancelled, 1)
    assert.deepEqual(await dueSequences(await reopenAfterCrash(place), START), [4, 5])
  },

  'G10 what was really cancelled is counted, once each, by label and by turn': async (place) => {
    const shard = await openShard(place)
    const label = 'reminder'
    await shard.commit(
      batch({
        effects: [mail(1, { label, turn: 50 }), mail(2, { label }), mail(3, { turn: 50 }), mail(4, { turn: 50 })],
        effectsClaimed: [4],
      }),
    )
    assert.equal((await shard.commit(batch({ effectsCancelled: [reminder, { turn: 50 }, reminder] }))).effectsCancelled, 3)
    assert.equal((await shard.commit(batch({ effectsCancelled: [{ turn: 50 }] }))).effectsCancelled, 0)
  },

  'G10 an effect of a turn that is being tried, or whose outcome is unknown, cannot be cancelled; one that waits again can': async (
    place,
  ) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1, { turn: 50 })], effectsClaimed: [1] }))
    assert.equal((await shard.commit(batch({ effectsCancelled: [{ turn: 50 }] }))).effectsCancelled, 0)
    const later = await reopenAfterCrash(place)
    await later.recover(START)
    assert.equal((await later.commit(batch({ effectsCancelled: [{ turn: 50 }] }))).effectsCancelled, 0)
    await later.commit(batch({ effectsDelayed: [{ sequence: 1, dueAt: START, detail: undefined }] }))
    assert.equal((await later.dueEffects('mail', START, 1))[0]?.turn, 50)
    assert.equal((await later.commit(batch({ effectsCancelled: [{ turn: 50 }] }))).effectsCancelled, 1)
    assert.deepEqual(await dueSequences(later, START), [])
  },

  'an effect of a turn outlives the turn, and an effect of a turn that the shard never had is an effect like any other': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({ created: [account(1)], turns: [turn(50, { isEnded: true })], effects: [mail(1, { turn: 50 }), mail(2, { turn: 7 })] }),
    )
    await shard.commit(batch({ turnsKept: [{ actor: 1, keep: 0 }] }))
    assert.deepEqual(await dueSequences(shard, START), [1, 2])
    assert.equal((await shard.commit(batch({ effectsCancelled: [{ turn: 50 }, { turn: 7 }] }))).effectsCancelled, 2)
  },

  'an effect that is cancelled in a batch that is refused is not cancelled': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ effects: [mail(1, { turn: 50 }), mail(2, { turn: 50, label: 'reminder' })] }))
    await refused('BATCH_INVALID', () =>
      shard.commit(batch({ effectsCancelled: [{ turn: 50 }], effects: [mail(3, { turn: 50 })], deadLetters: [letter(9), letter(9)] })),
    )
    assert.deepEqual(await dueSequences(shard, START), [1, 2])
    assert.equal((await shard.commit(batch({ effectsCancelled: [reminder] }))).effectsCancelled, 1)
    assert.equal((await shard.commit(batch({ effectsCancelled: [{ turn: 50 }] }))).effectsCancelled, 1)
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
