import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkLeaseOrder } from '../../src/histories/lease-order.ts'
import type { GuardedWrite, LeaseEvent, LeaseHeld } from '../../src/histories/lease-order.ts'
import { expectAnomaly, kindsOf } from './recording.ts'

function lease(holder: string, epoch: number, from: number, end: { readonly until?: number; readonly released?: number } = {}): LeaseHeld {
  return { type: 'lease', name: 'refresh', holder, epoch, from, ...end }
}

function write(epoch: number, at: number, accepted = true): GuardedWrite {
  return { type: 'write', name: 'refresh', epoch, at, accepted }
}

describe('G7 small histories of leases', () => {
  test('one after the other, with epochs that grow and writes of the present holder', () => {
    const events = [
      lease('a', 1, 0, { released: 5 }),
      write(1, 3),
      lease('b', 2, 6, { until: 9 }),
      write(1, 7, false),
      write(2, 8),
      lease('a', 5, 10),
    ]
    expect(checkLeaseOrder(events)).toEqual({ ok: true, leases: 3, accepted: 2, refused: 1 })
  })

  test.each<[string, string, readonly LeaseEvent[], readonly string[]]>([
    [
      'the same epoch again',
      'epoch-not-grown',
      [lease('a', 1, 0, { released: 5 }), lease('b', 1, 6)],
      ['epoch 1 of refresh (held by b from 6'],
    ],
    ['a smaller epoch', 'epoch-not-grown', [lease('a', 2, 0, { released: 5 }), lease('b', 1, 6)], ['came after epoch 2']],
    ['two holders at a time', 'two-holders', [lease('a', 1, 0, { until: 7 }), lease('b', 2, 6)], ['held by b', 'held by a from 0 to 7']],
    ['a holder that never ends', 'two-holders', [lease('a', 1, 0), lease('b', 2, 6)], ['to the end']],
    [
      'a write of an older epoch',
      'stale-write',
      [lease('a', 1, 0, { until: 5 }), lease('b', 2, 6), write(1, 7)],
      ['epoch 1', 'at 7', 'held by b'],
    ],
    ['a write after its release', 'write-after-release', [lease('a', 1, 0, { released: 5 }), write(1, 7)], ['given it back at 5']],
    ['a write of nobody', 'write-without-lease', [lease('a', 1, 0), write(4, 7)], ['epoch 4']],
  ])('%s is found', (_, kind, events, words) => {
    const verdict = checkLeaseOrder(events)
    expect(kindsOf(verdict)).toEqual([kind])
    expectAnomaly(verdict, kind, ...words)
  })

  test('what a guard still takes after the deadline of its holder, before anybody else has it, is fine', () => {
    expect(checkLeaseOrder([lease('a', 1, 0, { until: 5 }), write(1, 7), lease('b', 2, 8)])).toMatchObject({ ok: true })
  })

  test('leases of different names do not meet', () => {
    expect(checkLeaseOrder([lease('a', 1, 0), { ...lease('b', 1, 1), name: 'other' }])).toMatchObject({ ok: true })
  })
})

describe('G7 random histories of leases', () => {
  const held = fc.record({
    holder: fc.constantFrom('a', 'b', 'c'),
    grow: fc.integer({ min: 1, max: 3 }),
    writes: fc.nat({ max: 3 }),
    isReleased: fc.boolean(),
    late: fc.nat({ max: 2 }),
  })

  test('leases in turn are fine, and whatever is planted is found', () => {
    fc.assert(
      fc.property(fc.array(held, { minLength: 2, maxLength: 12 }), fc.nat(), (script, choice) => {
        const leases: LeaseHeld[] = []
        const writes: GuardedWrite[] = []
        let [now, epoch] = [0, 0]
        for (const { holder, grow, writes: count, isReleased, late } of script) {
          const before = epoch
          epoch += grow
          now += 1
          const from = now
          for (let n = 0; n < count; n += 1) writes.push(write(epoch, from + n + 1))
          now += count
          for (let n = 0; n < late; n += 1) writes.push(write(before, now + n + 1, false))
          now += late
          now += 1
          leases.push(lease(holder, epoch, from, isReleased ? { released: now } : { until: now }))
        }
        const right = [...writes, ...leases]
        expect(checkLeaseOrder(right)).toMatchObject({ ok: true, leases: script.length })

        const position = choice % (script.length - 1)
        const [older, newer] = [leases[position]!, leases[position + 1]!]
        const swap = (changed: LeaseHeld): readonly LeaseEvent[] => right.map((event) => (event === newer ? changed : event))
        expectAnomaly(checkLeaseOrder(swap({ ...newer, epoch: older.epoch })), 'epoch-not-grown', `from ${newer.from}`)
        const early = { ...newer, from: older.from + 0.5, holder: 'somebody' }
        expectAnomaly(checkLeaseOrder(swap(early)), 'two-holders', 'somebody')
        expectAnomaly(checkLeaseOrder([...right, write(older.epoch, newer.from + 0.5)]), 'stale-write', `epoch ${older.epoch} of`)
        const last = leases.at(-1)!
        const kind = last.released === undefined ? undefined : 'write-after-release'
        const after = checkLeaseOrder([...right, write(last.epoch, now + 5)])
        expect(kindsOf(after)).toEqual(kind === undefined ? [] : [kind])
      }),
      { numRuns: 300 },
    )
  })
})
