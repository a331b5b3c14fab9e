/** Timers are kept, found when due, replaced and cleared. */
import type { ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import { START, account, batch, openShard, reopenAfterCrash, timer } from './scenario.ts'
import type { Scenarios } from './scenario.ts'

async function dueNames(shard: ShardStore, now: number, limit = 100): Promise<string[]> {
  return (await shard.dueTimers(now, limit)).map((due) => due.name)
}

async function dueTimes(shard: ShardStore): Promise<Record<string, number>> {
  return Object.fromEntries((await shard.timersOf('account', '1')).map((row) => [row.name, row.dueAt]))
}

export const timerScenarios: Scenarios = {
  'G9 a timer survives the death of the owner with every field': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 3, START + 5)] }))
    const later = await reopenAfterCrash(place)
    const due = (await later.dueTimers(START + 5, 10)).map((row) => ({ ...row }))
    assert.deepEqual(due, [{ ...timer('tick', 3, START + 5), type: 'account', key: '1' }])
  },

  'G9 no timer is due early': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START + 5)] }))
    assert.deepEqual(await dueNames(shard, START + 4), [])
    assert.deepEqual(await dueNames(shard, START + 5), ['tick'])
  },

  'due timers come the earliest first, those of one moment by generation, and at most as many as asked for': async (place) => {
    const shard = await openShard(place)
    const set = [timer('d', 4, START + 2), timer('c', 3, START + 1), timer('b', 2, START + 2, { actor: 2 }), timer('a', 5, START + 1)]
    await shard.commit(batch({ created: [account(1), account(2)], timersSet: set }))
    assert.deepEqual(await dueNames(shard, START + 2), ['c', 'a', 'b', 'd'])
    assert.deepEqual(await dueNames(shard, START + 2, 3), ['c', 'a', 'b'])
    assert.deepEqual(await dueNames(shard, START + 2, 0), [])
  },

  'looking at due timers changes nothing': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START)] }))
    assert.deepEqual(await dueNames(shard, START), await dueNames(shard, START))
  },

  'G9 setting a timer again replaces it, earlier or later': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START + 5)] }))
    await shard.commit(batch({ timersSet: [timer('tick', 2, START + 9)] }))
    assert.deepEqual(await dueNames(shard, START + 8), [])
    assert.equal(await shard.nextDueAt(), START + 9)
    await shard.commit(batch({ timersSet: [timer('tick', 3, START + 2)] }))
    assert.deepEqual(
      (await shard.dueTimers(START + 99, 10)).map((due) => due.generation),
      [3],
    )
  },

  'G9 a cleared timer never comes due': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('a', 1, START), timer('b', 2, START)] }))
    await shard.commit(batch({ timersCleared: [{ actor: 1, name: 'a', generation: undefined }] }))
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await dueNames(later, START), ['b'])
  },

  'G9 clearing a generation leaves a later setting of the same name alone': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 2, START)] }))
    await shard.commit(batch({ timersCleared: [{ actor: 1, name: 'tick', generation: 1 }] }))
    assert.deepEqual(await dueNames(shard, START), ['tick'])
    await shard.commit(batch({ timersCleared: [{ actor: 1, name: 'tick', generation: 2 }] }))
    assert.deepEqual(await dueNames(shard, START), [])
  },

  'a timer cleared and set in one batch is set': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START)] }))
    const cleared = { actor: 1, name: 'tick', generation: undefined }
    await shard.commit(batch({ timersCleared: [cleared], timersSet: [timer('tick', 2, START + 1)] }))
    assert.equal(await shard.nextDueAt(), START + 1)
  },

  'clearing a timer that is not there is nothing': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ timersCleared: [{ actor: 7, name: 'tick', generation: undefined }] }))
    assert.equal(await shard.nextDueAt(), undefined)
  },

  'the next moment is that of the earliest timer of all actors': async (place) => {
    const shard = await openShard(place)
    assert.equal(await shard.nextDueAt(), undefined)
    await shard.commit(
      batch({ created: [account(1), account(2)], timersSet: [timer('a', 1, START + 7), timer('a', 2, START + 3, { actor: 2 })] }),
    )
    assert.equal(await shard.nextDueAt(), START + 3)
    await shard.commit(batch({ timersCleared: [{ actor: 2, name: 'a', generation: 2 }] }))
    assert.equal(await shard.nextDueAt(), START + 7)
  },

  'the timers of an actor are read by name, with every field, and those of no other actor': async (place) => {
    const shard = await openShard(place)
    const ticking = timer('tick', 2, START + 9, { delayMs: 70, everyMs: 30, onRestart: 'restart' })
    await shard.commit(
      batch({
        created: [account(1), account(2), account(3)],
        timersSet: [timer('tock', 1, START + 5), ticking, timer('tick', 3, START, { actor: 2 })],
      }),
    )
    assert.deepEqual(
      (await shard.timersOf('account', '1')).map((row) => ({ ...row })),
      [ticking, timer('tock', 1, START + 5)],
    )
    assert.deepEqual(await shard.timersOf('account', '3'), [])
    assert.deepEqual(await shard.timersOf('account', '4'), [])
  },

  'setting a timer again replaces every field of it': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START + 5)] }))
    const again = timer('tick', 2, START + 6, { event: '"again"', delayMs: 6, everyMs: 7, onRestart: 'remaining' })
    await shard.commit(batch({ timersSet: [again] }))
    assert.deepEqual(
      (await shard.timersOf('account', '1')).map((row) => ({ ...row })),
      [again],
    )
  },

  'G9 a restart leaves a deadline alone, moves what remains by the time since the last commit, and begins a delay anew': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        created: [account(1)],
        timersSet: [
          timer('deadline', 1, START + 20),
          timer('remaining', 2, START + 20, { onRestart: 'remaining' }),
          timer('restart', 3, START + 20, { onRestart: 'restart', delayMs: 50 }),
        ],
      }),
    )
    await shard.commit(batch({ at: START + 5 }))
    const later = await reopenAfterCrash(place)
    await later.recover(START + 1_000)
    assert.deepEqual(await dueTimes(later), { deadline: START + 20, remaining: START + 1_015, restart: START + 1_050 })
    assert.equal(await later.nextDueAt(), START + 20)
    assert.deepEqual(await dueNames(later, START + 1_014), ['deadline'])
    assert.deepEqual(await dueNames(later, START + 1_015), ['deadline', 'remaining'])
  },

  'G9 a restart does not move a timer that was due by the last commit': async (place) => {
    const shard = await openShard(place)
    const set = [timer('past', 1, START + 5), timer('future', 2, START + 6)].map((row) => ({ ...row, onRestart: 'remaining' as const }))
    await shard.commit(batch({ created: [account(1)], timersSet: set }))
    await shard.commit(batch({ at: START + 5 }))
    const later = await reopenAfterCrash(place)
    await later.recover(START + 100)
    assert.deepEqual(await dueTimes(later), { past: START + 5, future: START + 101 })
  },

  'G9 a timer keeps its remaining time however often the shard is recovered before its next commit': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START + 20, { onRestart: 'remaining' })] }))
    for (const now of [START + 100, START + 250, START + 250]) {
      const restarted = await reopenAfterCrash(place)
      const recovery = await restarted.recover(now)
      assert.equal(recovery.committedAt, START)
      assert.deepEqual(await dueTimes(restarted), { tick: now + 20 })
    }
  },

  'a wall clock that went back moves no timer back': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ created: [account(1)], timersSet: [timer('tick', 1, START + 20, { onRestart: 'remaining' })] }))
    const later = await reopenAfterCrash(place)
    await later.recover(START - 500)
    assert.deepEqual(await dueTimes(later), { tick: START + 20 })
  },

  'a timer that was moved by a restart is replaced and cleared like any other': async (place) => {
    const shard = await openShard(place)
    const set = [timer('a', 1, START + 20), timer('b', 2, START + 20)].map((row) => ({ ...row, onRestart: 'restart' as const }))
    await shard.commit(batch({ created: [account(1)], timersSet: set }))
    const later = await reopenAfterCrash(place)
    await later.recover(START + 100)
    await later.commit(
      batch({ at: START + 100, timersCleared: [{ actor: 1, name: 'a', generation: 1 }], timersSet: [timer('b', 3, START + 130)] }),
    )
    assert.deepEqual(await dueTimes(later), { b: START + 130 })
    assert.deepEqual(await dueNames(later, START + 999), ['b'])
  },
}
