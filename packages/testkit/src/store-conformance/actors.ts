/** How actors and their journals are kept. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { account, batch, letter, openShard, refused, reopenAfterCrash } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

export const actorScenarios: Scenarios = {
  'an actor that was never committed is not there': async (place) => {
    const shard = await openShard(place)
    assert.equal(await shard.load('account', '1'), undefined)
  },

  'an actor is found by its type and key, not by either alone': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1), account(2, { type: 'session', key: '1' })] }))
    assert.equal((await shard.load('account', '1'))?.number, 1)
    assert.equal((await shard.load('session', '1'))?.number, 2)
    assert.equal(await shard.load('session', '2'), undefined)
    assert.equal(await shard.load('accoun', 't1'), undefined)
  },

  'G2 the last committed snapshot survives the death of the owner': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1), account(2)] }))
    await shard.commit(batch({ changed: [{ number: 1, revision: 7, version: 3, snapshot: '{"balance":70}' }] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(
      { ...(await later.load('account', '1')) },
      { number: 1, revision: 7, version: 3, snapshot: '{"balance":70}', events: [], openCalls: [], turns: [], leases: [] },
    )
    assert.equal((await later.load('account', '2'))?.snapshot, '{"balance":2}')
  },

  'of two changes in one batch the later one counts': async (place) => {
    const shard = await openShard(place)
    const change = { number: 1, version: 1 }
    await shard.commit(
      batch({
        created: [account(1)],
        changed: [
          { ...change, revision: 2, snapshot: '2' },
          { ...change, revision: 3, snapshot: '3' },
        ],
      }),
    )
    assert.equal((await shard.load('account', '1'))?.snapshot, '3')
  },

  'events after the snapshot are read in order, older ones are not': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1), account(2)] }))
    const entry = (sequence: number) => ({ actor: 1, sequence, at: 5, event: `"event ${sequence}"` })
    await shard.commit(batch({ journal: [entry(2), entry(3), { ...entry(2), actor: 2 }] }))
    await shard.commit(batch({ changed: [{ number: 1, revision: 3, version: 1, snapshot: '"at 3"' }], journal: [entry(4), entry(5)] }))
    const later = await reopenAfterCrash(place)
    const actor = await later.load('account', '1')
    assert.equal(actor?.snapshot, '"at 3"')
    assert.equal(actor.revision, 3)
    assert.deepEqual([...actor.events], ['"event 4"', '"event 5"'])
  },

  'trimming a journal never takes what recovery needs, nor what belongs to another actor': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1), account(2)] }))
    const journal = [1, 2].flatMap((actor) => [2, 3, 4].map((sequence) => ({ actor, sequence, at: 5, event: `"${actor}.${sequence}"` })))
    await shard.commit(batch({ journal, changed: [{ number: 1, revision: 2, version: 1, snapshot: '"at 2"' }] }))
    await shard.commit(batch({ journalTrims: [{ actor: 1, through: 4 }] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual([...((await later.load('account', '1'))?.events ?? [])], ['"1.3"', '"1.4"'])
    assert.deepEqual([...((await later.load('account', '2'))?.events ?? [])], ['"2.2"', '"2.3"', '"2.4"'])
    // What was trimmed is gone: its sequence is free again.
    await later.commit(batch({ journal: [{ actor: 1, sequence: 2, at: 6, event: '"again"' }] }))
  },

  'a journal with a gap after the snapshot is damage, not a shorter history': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], journal: [{ actor: 1, sequence: 3, at: 5, event: '{}' }] }))
    await refused('STORE_DAMAGED', () => shard.load('account', '1'))
  },

  'an actor comes back with its open calls by sequence, until each is closed': async (place) => {
    const shard = await openShard(place)
    const call = (sequence: number, actor = 1) => ({ sequence, actor, detail: `"call ${sequence}"` })
    await shard.commit(batch({ created: [account(1), account(2)], callsOpened: [call(5), call(3), call(4, 2)] }))
    await shard.commit(batch({ changed: [{ number: 1, revision: 2, version: 1, snapshot: '{}' }], callsOpened: [call(9)] }))
    const second = await reopenAfterCrash(place)
    const callsOf = async (key: string) => (await second.load('account', key))?.openCalls.map((row) => ({ ...row }))
    const stored = (...sequences: number[]) => sequences.map((sequence) => ({ sequence, detail: `"call ${sequence}"` }))
    assert.deepEqual(await callsOf('1'), stored(3, 5, 9))
    assert.deepEqual(await callsOf('2'), stored(4))
    await second.commit(batch({ callsClosed: [5, 4] }))
    assert.deepEqual(await callsOf('1'), stored(3, 9))
    assert.deepEqual(await callsOf('2'), [])
  },

  'closing a call twice is closing it once, and one opened and closed in a batch was never open': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], callsOpened: [{ sequence: 1, actor: 1, detail: '{}' }], callsClosed: [1] }))
    assert.deepEqual((await shard.load('account', '1'))?.openCalls, [])
    await shard.commit(batch({ callsClosed: [1, 99] }))
  },

  'opening a call that is open changes its detail, and a crash or a refused batch leaves it as it was': async (place) => {
    const shard = await openShard(place)
    const detailsOf = async (from: ShardStore) => (await from.load('account', '1'))?.openCalls.map(({ detail }) => detail)
    await shard.commit(batch({ created: [account(1)], callsOpened: [{ sequence: 1, actor: 1, detail: '"first"' }] }))
    await shard.commit(batch({ callsOpened: [{ sequence: 1, actor: 1, detail: '"second"' }] }))
    await refused('BATCH_INVALID', () =>
      shard.commit(batch({ callsOpened: [{ sequence: 1, actor: 1, detail: '"third"' }], deadLetters: [letter(9), letter(9)] })),
    )
    assert.deepEqual(await detailsOf(shard), ['"second"'])
    assert.deepEqual(await detailsOf(await reopenAfterCrash(place)), ['"second"'])
  },

  'any text comes back as it was: NUL, emoji, quotes, nothing at all': async (place) => {
    const shard = await openShard(place)
    const keys = ['', 'a', 'a\u0000', 'a\u0000b', '👩‍👩‍👧', `'"\\`, ' a ', 'ß', 'e\u0301', 'é']
    await shard.commit(
      batch({ created: keys.map((key, index) => account(index + 1, { key, snapshot: JSON.stringify(`${key}\u0000${key}`) })) }),
    )
    const later = await reopenAfterCrash(place)
    for (const [index, key] of keys.entries()) {
      const actor = await later.load('account', key)
      assert.equal(actor?.number, index + 1)
      assert.equal(actor.snapshot, JSON.stringify(`${key}\u0000${key}`))
    }
  },

  'a snapshot of ten megabytes is a snapshot like any other': async (place) => {
    const shard = await openShard(place)
    const snapshot = JSON.stringify('0123456789'.repeat(1_024 * 1_024))
    await shard.commit(batch({ created: [account(1, { snapshot })] }))
    await shard.commit(batch({ changed: [{ number: 1, revision: 2, version: 1, snapshot: snapshot.replaceAll('9', 'é') }] }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.load('account', '1'))?.snapshot === snapshot.replaceAll('9', 'é'), true)
  },
}
