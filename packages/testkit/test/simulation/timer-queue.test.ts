import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TimerQueue } from '../../src/simulation/timer-queue.ts'

describe('the queue of timers', () => {
  test('rings in the order of moments, those of one moment in the order of their setting, and never one that was cancelled', () => {
    const timers = fc.array(fc.record({ dueAt: fc.nat({ max: 20 }), isCancelled: fc.boolean() }))
    fc.assert(
      fc.property(timers, (given) => {
        const queue = new TimerQueue()
        const rang: number[] = []
        const set = given.map(({ dueAt }, index) => queue.add(dueAt, () => rang.push(index)))
        for (const [index, { isCancelled }] of given.entries()) if (isCancelled) set[index]?.cancel()
        for (let dueAt = queue.nextDueAt(); dueAt !== undefined; dueAt = queue.nextDueAt()) queue.ring(dueAt)
        const expected = given
          .map(({ dueAt, isCancelled }, index) => ({ dueAt, isCancelled, index }))
          .filter(({ isCancelled }) => !isCancelled)
          .toSorted((one, other) => one.dueAt - other.dueAt || one.index - other.index)
        expect(rang).toEqual(expected.map(({ index }) => index))
      }),
    )
  })
})
