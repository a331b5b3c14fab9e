/** Compacting gives room back and changes nothing that can be read. */
import assert from 'node:assert/strict'
import { START, account, batch, deposit, fault, letter, mail, openShard, outcome, refused, reopenAfterCrash, timer } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

export const compactionScenarios: Scenarios = {
  'G12 a shard that is compacted has everything it had, commits go on, and so does the next owner': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        created: Array.from({ length: 200 }, (_none, index) => account(index + 1)),
        journal: [{ actor: 1, sequence: 2, at: START, event: '{"n":2}' }],
        accepted: Array.from({ length: 300 }, (_none, index) => deposit(index + 1)),
        outcomes: [outcome('a', START + 1), outcome('b', START + 9_000)],
        timersSet: [timer('tick', 1, START + 5)],
        faults: [fault('1')],
        effects: [mail(900)],
        deadLetters: [letter(901), letter(902)],
      }),
    )
    await shard.commit(batch({ finished: Array.from({ length: 299 }, (_none, index) => index + 1), deadLettersRemoved: [901] }))
    await shard.expireOutcomes(START + 1, 10)
    const before = await shard.recover(START)
    await shard.compact()
    await shard.compact()
    assert.deepEqual(await shard.recover(START), before)
    assert.deepEqual((await shard.load('account', '1'))?.events, ['{"n":2}'])
    assert.equal((await shard.timersOf('account', '1')).length, 1)
    await shard.commit(batch({ created: [account(201)], outcomes: [outcome('c', START + 9_000)], accepted: [deposit(903)] }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.load('account', '200'))?.snapshot, '{"balance":200}')
    assert.equal((await later.load('account', '201'))?.number, 201)
    assert.equal(await later.outcome('account/1/deposit', 'a', START), undefined)
    assert.equal((await later.outcome('account/1/deposit', 'b', START))?.expiresAt, START + 9_000)
    const recovery = await later.recover(START)
    assert.deepEqual([recovery.inbox.map(({ sequence }) => sequence), recovery.nextInboxSequence], [[300, 903], 904])
    assert.deepEqual(recovery.faults, before.faults)
  },

  'a shard in which nothing ever was is compacted too': async (place) => {
    const shard = await openShard(place)
    await shard.compact()
    await shard.commit(batch({ created: [account(1)] }))
    assert.equal((await (await reopenAfterCrash(place)).load('account', '1'))?.number, 1)
  },

  'G8 an older owner compacts nothing, and is told so': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ created: [account(1)] }))
    const newer = await directory.open(0)
    await refused('FENCED', () => older.compact())
    await newer.compact()
    await newer.commit(batch({ created: [account(2)] }))
  },

  'a shard that is closed is not compacted': async (place) => {
    const shard = await openShard(place)
    await shard.close()
    await refused('STORE_UNAVAILABLE', () => shard.compact())
  },
}
