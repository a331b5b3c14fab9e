/** Turns outlive their owner until they end, with the checkpoint from which they resume; after that the latest are kept. */
import type { ShardStore, StoredTurn } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, account, batch, letter, openShard, refused, reopenAfterCrash, storedTurn, turn } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function openOf(shard: ShardStore, key = '1'): Promise<StoredTurn[] | undefined> {
  return (await shard.load('account', key))?.turns.map((row) => ({ ...row }))
}

async function allOf(shard: ShardStore, key = '1', limit = 100): Promise<StoredTurn[]> {
  return (await shard.turnsOf('account', key, limit)).map((row) => ({ ...row }))
}

async function sequencesOf(shard: ShardStore, key = '1', limit = 100): Promise<number[]> {
  return (await allOf(shard, key, limit)).map((row) => row.sequence)
}

async function busy(shard: ShardStore): Promise<unknown[]> {
  return (await shard.recover(START)).busy.map((actor) => ({ ...actor }))
}

export const turnScenarios: Scenarios = {
  'G2 a turn that has not ended comes back with its actor after the death of the owner, with every field': async (place) => {
    const shard = await openShard(place)
    const detail = '{"text":"a\u0000b 👍"}'
    await shard.commit(
      batch({
        created: [account(1), account(2)],
        turns: [turn(7, { detail, command: 'ship' }), turn(3), turn(5, { actor: 2 })],
        frames: [{ turn: 7, frame: '{"step":"\u0000👍"}' }],
      }),
    )
    const later = await reopenAfterCrash(place)
    const shipping = storedTurn(7, { detail, command: 'ship', frame: '{"step":"\u0000👍"}' })
    assert.deepEqual(await openOf(later), [storedTurn(3), shipping])
    assert.deepEqual(await openOf(later, '2'), [storedTurn(5)])
    assert.deepEqual(await allOf(later), [shipping, storedTurn(3)])
  },

  'a turn begins with its actor, or long after it': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)] }))
    assert.deepEqual(await openOf(shard), [])
    assert.deepEqual(await allOf(shard), [])
    await shard.commit(batch({ changed: [{ number: 1, revision: 2, version: 1, snapshot: '{}' }], turns: [turn(4)] }))
    assert.deepEqual(await openOf(shard), [storedTurn(4)])
    await shard.commit(batch({ changed: [{ number: 1, revision: 3, version: 1, snapshot: '{}' }] }))
    assert.deepEqual(await openOf(shard), [storedTurn(4)])
  },

  'a turn that changes has its last detail, keeps its frame, and is still one turn': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3)], frames: [{ turn: 3, frame: '"frame"' }] }))
    await shard.commit(batch({ turns: [turn(3, { detail: '"second"' }), turn(3, { detail: '"third"' })] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await allOf(later), [storedTurn(3, { detail: '"third"', frame: '"frame"' })])
  },

  'a turn that has ended is loaded no more, and is still among the turns of its actor': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3), turn(4)], frames: [{ turn: 3, frame: '"frame"' }] }))
    await shard.commit(batch({ turns: [turn(3, { isEnded: true, detail: '"done"' })] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await openOf(later), [storedTurn(4)])
    assert.deepEqual(await allOf(later), [storedTurn(4), storedTurn(3, { isEnded: true, detail: '"done"', frame: '"frame"' })])
  },

  'a turn that begins and ends in one batch has ended, and what is known of it later is added': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3), turn(3, { isEnded: true }), turn(4, { isEnded: true })] }))
    assert.deepEqual(await openOf(shard), [])
    await shard.commit(batch({ turns: [turn(3, { isEnded: true, detail: '"more"' })] }))
    assert.deepEqual(await allOf(shard), [storedTurn(4, { isEnded: true }), storedTurn(3, { isEnded: true, detail: '"more"' })])
  },

  'a turn that has ended stays so: what would reopen it is refused whole, also within one batch': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3, { isEnded: true, detail: '"done"' })] }))
    await refused('BATCH_INVALID', () => shard.commit(batch({ turns: [turn(4), turn(3, { detail: '"again"' })] })))
    await refused('BATCH_INVALID', () => shard.commit(batch({ turns: [turn(5, { isEnded: true }), turn(5)] })))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await allOf(later), [storedTurn(3, { isEnded: true, detail: '"done"' })])
  },

  'a turn belongs to its actor and command for ever: a change that says otherwise is refused whole': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1), account(2)], turns: [turn(3)] }))
    const others = [{ actor: 2 }, { actor: 99 }, { command: 'other' }, { actor: 2, isEnded: true }]
    for (const other of others) {
      await refused('BATCH_INVALID', () => shard.commit(batch({ turns: [turn(4), turn(3, { detail: '"moved"', ...other })] })))
    }
    assert.deepEqual(await allOf(shard), [storedTurn(3)])
    assert.deepEqual(await allOf(shard, '2'), [])
  },

  'turns are read the open ones first, then the latest first, of one actor, at most as many as asked for': async (place) => {
    const shard = await openShard(place)
    const other = account(3, { type: 'session', key: '1' })
    await shard.commit(
      batch({
        created: [account(1), account(2), other],
        turns: [turn(5), turn(3, { isEnded: true }), turn(9), turn(7, { isEnded: true }), turn(4, { actor: 2 }), turn(6, { actor: 3 })],
      }),
    )
    assert.deepEqual(await sequencesOf(shard), [9, 5, 7, 3])
    assert.deepEqual(await sequencesOf(shard, '1', 3), [9, 5, 7])
    assert.deepEqual(await sequencesOf(shard, '1', 0), [])
    assert.deepEqual(await sequencesOf(shard, '2'), [4])
    assert.deepEqual(
      (await shard.turnsOf('session', '1', 10)).map((row) => row.sequence),
      [6],
    )
    assert.deepEqual(await sequencesOf(shard, 'nobody'), [])
  },

  'G2 a checkpoint takes the place of the one before, and survives the death of the owner': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3), turn(4)] }))
    await shard.commit(
      batch({
        frames: [
          { turn: 3, frame: '"one"' },
          { turn: 3, frame: '"two"' },
          { turn: 4, frame: '' },
        ],
      }),
    )
    await shard.commit(batch({ frames: [{ turn: 3, frame: '"three"' }] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await openOf(later), [storedTurn(3, { frame: '"three"' }), storedTurn(4, { frame: '' })])
  },

  'a checkpoint of a turn that does not exist is refused whole; one of a turn that has ended is not': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3, { isEnded: true })] }))
    const frames = [
      { turn: 3, frame: '"there"' },
      { turn: 99, frame: '"nowhere"' },
    ]
    await refused('BATCH_INVALID', () => shard.commit(batch({ turns: [turn(4)], frames })))
    assert.deepEqual(await allOf(shard), [storedTurn(3, { isEnded: true })])
    await shard.commit(batch({ frames: [{ turn: 3, frame: '"there"' }] }))
    assert.deepEqual(await allOf(shard), [storedTurn(3, { isEnded: true, frame: '"there"' })])
  },

  'a discarded checkpoint is kept for diagnosis, until a new one takes its place': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3), turn(4)], frames: [{ turn: 3, frame: '"old"' }] }))
    await shard.commit(batch({ framesDiscarded: [3, 3, 4, 99] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await openOf(later), [storedTurn(3, { frame: '"old"', isFrameDiscarded: true }), storedTurn(4)])
    // A turn that had nothing to discard has not been marked for what comes later.
    await later.commit(
      batch({
        frames: [
          { turn: 3, frame: '"new"' },
          { turn: 4, frame: '"first"' },
        ],
      }),
    )
    assert.deepEqual(await openOf(later), [storedTurn(3, { frame: '"new"' }), storedTurn(4, { frame: '"first"' })])
  },

  'a checkpoint that is saved and discarded in one batch is discarded': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], turns: [turn(3)], frames: [{ turn: 3, frame: '"new"' }], framesDiscarded: [3] }))
    assert.deepEqual(await openOf(shard), [storedTurn(3, { frame: '"new"', isFrameDiscarded: true })])
    await shard.commit(batch({ turns: [turn(3, { detail: '"changed"' })] }))
    assert.deepEqual(await openOf(shard), [storedTurn(3, { detail: '"changed"', frame: '"new"', isFrameDiscarded: true })])
  },

  'G12 of the turns of an actor that have ended the latest are kept, and one that has not ended never goes': async (place) => {
    const shard = await openShard(place)
    const ended = (sequence: number, actor = 1) => turn(sequence, { actor, isEnded: true })
    await shard.commit(
      batch({
        created: [account(1), account(2)],
        turns: [turn(2), ended(8), ended(3), turn(5), ended(6), ended(4), ended(1, 2), turn(9)],
      }),
    )
    await shard.commit(batch({ turnsKept: [{ actor: 1, keep: 5 }] }))
    assert.deepEqual(await sequencesOf(shard), [9, 5, 2, 8, 6, 4, 3])
    await shard.commit(batch({ turnsKept: [{ actor: 1, keep: 2 }] }))
    assert.deepEqual(await sequencesOf(shard), [9, 5, 2, 8, 6])
    // What ends in the same batch counts, and an actor that does not exist has nothing to lose.
    const turnsKept = [
      { actor: 1, keep: 2 },
      { actor: 99, keep: 0 },
    ]
    await shard.commit(batch({ turns: [ended(5), ended(9)], turnsKept }))
    assert.deepEqual(await sequencesOf(shard), [2, 9, 8])
    await shard.commit(batch({ turnsKept: [{ actor: 1, keep: 0 }] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await sequencesOf(later), [2])
    assert.deepEqual(await sequencesOf(later, '2'), [1])
  },

  'the frame of a turn goes with it: nothing of it is left, and nothing can be saved for it': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        created: [account(1)],
        turns: [turn(3, { isEnded: true })],
        frames: [{ turn: 3, frame: '"old"' }],
        turnsKept: [{ actor: 1, keep: 0 }],
      }),
    )
    assert.deepEqual(await allOf(shard), [])
    await refused('BATCH_INVALID', () => shard.commit(batch({ frames: [{ turn: 3, frame: '"late"' }] })))
    await shard.commit(batch({ turns: [turn(3)] }))
    assert.deepEqual(await allOf(shard), [storedTurn(3)])
  },

  'a refused batch leaves turns, frames and what was kept as they were': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        created: [account(1)],
        turns: [turn(3), turn(4), turn(5, { isEnded: true }), turn(6)],
        frames: [3, 4, 5].map((sequence) => ({ turn: sequence, frame: `"frame ${sequence}"` })),
        framesDiscarded: [4],
      }),
    )
    const before = [await openOf(shard), await allOf(shard), await busy(shard)]
    const attempt = batch({
      created: [account(2)],
      turns: [turn(3, { isEnded: true, detail: '"gone"' }), turn(8), turn(9, { actor: 2 })],
      frames: [4, 6, 8].map((sequence) => ({ turn: sequence, frame: '"gone"' })),
      framesDiscarded: [3, 6],
      turnsKept: [{ actor: 1, keep: 0 }],
      deadLetters: [letter(20), letter(20)],
    })
    await refused('BATCH_INVALID', () => shard.commit(attempt))
    assert.deepEqual([await openOf(shard), await allOf(shard), await busy(shard)], before)
    const later = await reopenAfterCrash(place)
    assert.deepEqual([await openOf(later), await allOf(later), await busy(later)], before)
  },

  'actors with turns that have not ended are known at recovery, once each, in the order of their oldest such turn': async (place) => {
    const shard = await openShard(place)
    assert.deepEqual(await busy(shard), [])
    await shard.commit(
      batch({
        created: [account(1), account(2), account(3), account(4, { type: 'session', key: '3' }), account(5)],
        turns: [
          turn(8),
          turn(2, { isEnded: true }),
          turn(9),
          turn(3, { actor: 3 }),
          turn(12, { actor: 3 }),
          turn(5, { actor: 4 }),
          turn(1, { actor: 2, isEnded: true }),
        ],
      }),
    )
    const second = await reopenAfterCrash(place)
    const actor = (key: string, type = 'account') => ({ type, key })
    assert.deepEqual(await busy(second), [actor('3'), actor('3', 'session'), actor('1')])
    await second.commit(batch({ turns: [turn(3, { actor: 3, isEnded: true }), turn(5, { actor: 4, isEnded: true })] }))
    const third = await reopenAfterCrash(place)
    assert.deepEqual(await busy(third), [actor('1'), actor('3')])
    await third.commit(batch({ turns: [8, 9].map((sequence) => turn(sequence, { isEnded: true })) }))
    assert.deepEqual(await busy(third), [actor('3')])
  },
}
