/** Leases outlive their holders' owner, and their epochs never go back. */
import type { ShardStore, StoredLease } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, account, batch, lease, letter, openShard, refused, reopenAfterCrash, storedLease } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function leasesOf(shard: ShardStore, key = '1'): Promise<StoredLease[] | undefined> {
  return (await shard.load('account', key))?.leases.map((row) => ({ ...row }))
}

export const leaseScenarios: Scenarios = {
  'G2 an actor comes back with its leases by name after the death of the owner, with every field': async (place) => {
    const shard = await openShard(place)
    const odd = { name: 'a\u0000b', detail: '{"holder":"👍"}' }
    await shard.commit(
      batch({
        created: [account(1), account(2), account(3)],
        leases: [lease('printer', 4), lease('door', 1), lease(odd.name, 0, { detail: odd.detail }), lease('door', 9, { actor: 2 })],
      }),
    )
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await leasesOf(later), [storedLease(odd.name, 0, odd.detail), storedLease('door', 1), storedLease('printer', 4)])
    assert.deepEqual(await leasesOf(later, '2'), [storedLease('door', 9)])
    assert.deepEqual(await leasesOf(later, '3'), [])
  },

  'a lease that changes has its last epoch and detail: of two changes in one batch the later one counts': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], leases: [lease('door', 1)] }))
    await shard.commit(batch({ leases: [lease('door', 2, { detail: '"second"' }), lease('door', 5, { detail: '"fifth"' })] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await leasesOf(later), [storedLease('door', 5, '"fifth"')])
  },

  'a lease changes its detail within one epoch': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], leases: [lease('door', 3)] }))
    await shard.commit(batch({ leases: [lease('door', 3, { detail: '"free"' })] }))
    assert.deepEqual(await leasesOf(shard), [storedLease('door', 3, '"free"')])
  },

  'an epoch never goes back: a smaller one is refused with its whole batch, also within one batch and after a crash': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1), account(2)], leases: [lease('door', 3)] }))
    await refused('BATCH_INVALID', () => shard.commit(batch({ leases: [lease('printer', 1), lease('door', 2, { detail: '"old"' })] })))
    await refused('BATCH_INVALID', () => shard.commit(batch({ leases: [lease('door', 5), lease('door', 4)] })))
    const later = await reopenAfterCrash(place)
    await refused('BATCH_INVALID', () => later.commit(batch({ leases: [lease('door', 2)] })))
    assert.deepEqual(await leasesOf(later), [storedLease('door', 3)])
    // Leases with other names and of other actors count for themselves.
    await later.commit(batch({ leases: [lease('printer', 1), lease('door', 1, { actor: 2 })] }))
    assert.deepEqual(await leasesOf(later, '2'), [storedLease('door', 1)])
  },

  'G8 a lease that an older owner of the shard grants is not granted': async (place) => {
    const directory = await place.open()
    const older = await directory.open(0)
    await older.commit(batch({ created: [account(1)], leases: [lease('door', 1)] }))
    const newer = await directory.open(0)
    await refused('FENCED', () => older.commit(batch({ at: START + 1, leases: [lease('door', 2), lease('printer', 1)] })))
    assert.deepEqual(await leasesOf(newer), [storedLease('door', 1)])
    await newer.commit(batch({ leases: [lease('door', 2)] }))
  },

  'a refused batch leaves leases as they were': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], leases: [lease('door', 1)] }))
    const leases = [lease('door', 7, { detail: '"gone"' }), lease('printer', 1), lease('printer', 2)]
    await refused('BATCH_INVALID', () => shard.commit(batch({ leases, deadLetters: [letter(9), letter(9)] })))
    assert.deepEqual(await leasesOf(shard), [storedLease('door', 1)])
    await shard.commit(batch({ leases: [lease('door', 2)] }))
    assert.deepEqual(await leasesOf(await reopenAfterCrash(place)), [storedLease('door', 2)])
  },
}
