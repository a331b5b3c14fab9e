/** One owner at a time; an older one changes nothing any more. */
import assert from 'node:assert/strict'
import { START, account, batch, deposit, late, mail, openShard, outcome, refused, timer, turn } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

export const ownershipScenarios: Scenarios = {
  'G8 a second owner is refused while the first one lives, and told who it is': async (place) => {
    const first = await place.open()
    const error = await refused('DIRECTORY_IN_USE', () => place.open())
    assert.ok('pid' in error && 'since' in error && 'epoch' in error)
    assert.equal(error.pid, process.pid)
    assert.equal(error.epoch, first.epoch)
    assert.equal(new Date(String(error.since)).toISOString(), error.since)
  },

  'G8 every owner has a larger epoch than the one before, and so has every shard': async (place) => {
    const first = await place.open()
    const shardEpoch = (await first.open(0)).epoch
    await first.release()
    const second = await place.open()
    assert.ok(second.epoch > first.epoch)
    assert.ok((await second.open(0)).epoch > shardEpoch)
    await place.crash()
    assert.ok((await place.open()).epoch > second.epoch)
  },

  'releasing twice releases once: the next owner stays the owner': async (place) => {
    const first = await place.open()
    await first.release()
    await place.open()
    await first.release()
    await refused('DIRECTORY_IN_USE', () => place.open())
  },

  'the directory is free as soon as its owner has died': async (place) => {
    await place.open()
    await place.crash()
    const directory = await place.open()
    assert.equal(directory.shardCount, 2)
  },

  'G8 a commit of an older owner is refused and changes nothing': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ created: [account(1)], accepted: [deposit(1)], outcomes: [outcome('a', START)] }))
    const newer = await directory.open(0)
    assert.ok(newer.epoch > older.epoch)
    const error = await refused('FENCED', () =>
      older.commit(
        batch({
          at: START + 9,
          created: [account(2)],
          changed: [{ number: 1, revision: 2, version: 1, snapshot: '"older"' }],
          finished: [1],
        }),
      ),
    )
    assert.ok('epoch' in error && 'current' in error)
    assert.deepEqual([error.epoch, error.current], [older.epoch, newer.epoch])
    assert.equal((await newer.load('account', '1'))?.snapshot, '{"balance":1}')
    assert.equal(await newer.load('account', '2'), undefined)
    const recovery = await newer.recover(START)
    assert.deepEqual([recovery.inbox.length, recovery.nextActorNumber, recovery.committedAt], [1, 2, START])
  },

  'G8 an older owner neither begins nor ends a turn, saves no frame, and leaves no late result': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ created: [account(1)], turns: [turn(3)], frames: [{ turn: 3, frame: '"before"' }] }))
    const newer = await directory.open(0)
    const before = await newer.load('account', '1')
    const parts = [
      { turns: [turn(4)] },
      { turns: [turn(3, { isEnded: true })], turnsKept: [{ actor: 1, keep: 0 }] },
      { frames: [{ turn: 3, frame: '"older"' }] },
      { framesDiscarded: [3] },
      { lateResults: [late(5)] },
    ]
    for (const part of parts) await refused('FENCED', () => older.commit(batch(part)))
    assert.deepEqual(await newer.load('account', '1'), before)
    assert.equal((await newer.turnsOf('account', '1', 10)).length, 1)
    assert.equal((await newer.lateResults(undefined, 10)).length, 0)
    assert.equal((await newer.recover(START)).nextInboxSequence, 4)
  },

  'G8 an older owner deletes no outcomes': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ outcomes: [outcome('a', START + 1)] }))
    const newer = await directory.open(0)
    await refused('FENCED', () => older.expireOutcomes(START + 1, 10))
    assert.equal(await newer.expireOutcomes(START + 1, 10), 1)
  },

  'G8 a recovery of an older owner is refused and changes nothing': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(
      batch({
        created: [account(1)],
        timersSet: [timer('tick', 1, START + 5, { onRestart: 'restart' })],
        effects: [mail(1)],
        effectsClaimed: [1],
      }),
    )
    const newer = await directory.open(0)
    await refused('FENCED', () => older.recover(START + 100))
    assert.equal(await newer.nextDueAt(), START + 5)
    assert.equal(await newer.nextEffectDueAt('mail'), undefined)
    await newer.recover(START + 100)
    assert.equal(await newer.nextDueAt(), START + 150)
    assert.notEqual(await newer.nextEffectDueAt('mail'), undefined)
  },

  'G8 once refused is refused for ever, and the newer owner goes on': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    const newer = await directory.open(0)
    await refused('FENCED', () => older.commit(batch({})))
    await newer.commit(batch({ created: [account(1)] }))
    await refused('FENCED', () => older.commit(batch({ created: [account(1)] })))
    await newer.commit(batch({ changed: [{ number: 1, revision: 2, version: 1, snapshot: '"newer"' }] }))
    assert.equal((await newer.load('account', '1'))?.snapshot, '"newer"')
  },

  'G8 a shard that a newer owner has taken cannot be taken back on behalf of an older one': async (place) => {
    const first = await place.open()
    await first.open(0)
    await first.release()
    const second = await place.open()
    const taken = await second.open(0)
    await refused('FENCED', () => first.open(0))
    await taken.commit(batch({ created: [account(1)] }))
  },

  'shards share nothing but the directory': async (place) => {
    const directory = await place.open()
    const left = await directory.open(0)
    const right = await directory.open(1)
    await left.commit(batch({ created: [account(1)], accepted: [deposit(1)] }))
    assert.equal(await right.load('account', '1'), undefined)
    assert.equal((await right.recover(START)).nextActorNumber, 1)
    await right.commit(batch({ created: [account(1, { snapshot: '"right"' })] }))
    assert.equal((await left.load('account', '1'))?.snapshot, '{"balance":1}')
  },

  'a shard that is closed can be closed again, answers nothing, and can be opened anew': async (place) => {
    const directory = await place.open()
    const shard = await directory.open(0)
    await shard.commit(batch({ created: [account(1)] }))
    await shard.close()
    await shard.close()
    await refused('STORE_UNAVAILABLE', () => shard.load('account', '1'))
    await refused('STORE_UNAVAILABLE', () => shard.commit(batch({})))
    await refused('STORE_UNAVAILABLE', () => shard.recover(START))
    await refused('STORE_UNAVAILABLE', () => shard.dueEffects('mail', START, 1))
    await refused('STORE_UNAVAILABLE', () => shard.turnsOf('account', '1', 1))
    await refused('STORE_UNAVAILABLE', () => shard.lateResults(undefined, 1))
    assert.equal((await (await directory.open(0)).load('account', '1'))?.number, 1)
  },

  'a directory closed in peace is as it was when it is opened again': async (place) => {
    const directory = await place.open()
    const shard = await directory.open(0)
    await shard.commit(batch({ created: [account(1)], accepted: [deposit(1)] }))
    await shard.close()
    await directory.release()
    const later = await openShard(place)
    assert.equal((await later.load('account', '1'))?.number, 1)
    assert.equal((await later.recover(START)).inbox.length, 1)
  },
}
