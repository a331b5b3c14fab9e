import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
// The rule itself, as the kernel has it.
import { LANES, Mailbox } from '@bailiwick/kernel/seams'
import { checkStarvation } from '../../src/histories/starvation.ts'
import type { StarvationEvent } from '../../src/histories/starvation.ts'
import { expectAnomaly, kindsOf } from './recording.ts'

function event(type: 'waits' | 'served', lane: number, id: string): StarvationEvent {
  return { type, mailbox: 'm', lane, id }
}

/** A low command waits while so many urgent ones are served, and is served then. */
function overtaken(times: number): StarvationEvent[] {
  const urgent = Array.from({ length: times }, (_, n) => [event('waits', 0, `u${n}`), event('served', 0, `u${n}`)]).flat()
  return [event('waits', 3, 'low'), ...urgent, event('served', 3, 'low')]
}

describe('G6 small histories of a mailbox', () => {
  test('as many overtakings as the bound are fine, one more is not', () => {
    expect(checkStarvation(overtaken(5), { bound: 5, exact: true })).toEqual({ ok: true, served: 6, overtakenMax: 5 })
    const verdict = checkStarvation(overtaken(6), { bound: 5, exact: true })
    expect(kindsOf(verdict)).toEqual(['starved'])
    expectAnomaly(verdict, 'starved', 'low waits in lane 3 of m', 'more than 5 times', 'u5 of lane 0 (event 12)')
  })

  test('being served counts from zero again, and so does an empty lane', () => {
    const events = [event('waits', 3, 'l1'), event('waits', 3, 'l2'), ...overtaken(5).slice(1, -1), event('served', 3, 'l1')]
    expect(checkStarvation([...events, ...overtaken(5).slice(1, -1)], { bound: 5 })).toMatchObject({ ok: true, overtakenMax: 5 })
    const gone: StarvationEvent = { type: 'gone', mailbox: 'm', id: 'low' }
    expect(checkStarvation([...overtaken(5).slice(0, -1), gone, ...overtaken(5)], { bound: 5 })).toMatchObject({ ok: true })
  })

  test('a wait that is told after it was served is no wait, and other mailboxes do not count', () => {
    const late = [event('served', 3, 'low'), event('waits', 3, 'low'), ...overtaken(9).slice(1, -1)]
    expect(checkStarvation(late, { bound: 5 })).toMatchObject({ ok: true, overtakenMax: 0 })
    const elsewhere = overtaken(9).map((each) => (each.id === 'low' ? { ...each, mailbox: 'other' } : each))
    expect(checkStarvation(elsewhere, { bound: 5 })).toMatchObject({ ok: true })
  })

  test('a less urgent command before its time is an inversion, where moments are exact', () => {
    const events = [event('waits', 3, 'low'), event('waits', 0, 'u'), event('served', 3, 'low'), event('served', 0, 'u')]
    expect(checkStarvation(events, { bound: 5 })).toMatchObject({ ok: true })
    expectAnomaly(checkStarvation(events, { bound: 5, exact: true }), 'inversion', 'low of lane 3', 'u waited in the more urgent lane 0')
  })
})

describe('G6 random histories of a mailbox', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...LANES, 0 as const, 0 as const) },
    { weight: 2, arbitrary: fc.constant('take' as const) },
  )
  const script = fc.array(step, { minLength: 20, maxLength: 300 })

  /** What the kernel's own mailbox does with pushes and takes. */
  function run(steps: readonly (0 | 1 | 2 | 3 | 'take')[], starvationBound: number): readonly StarvationEvent[] {
    const mailbox = new Mailbox<{ readonly id: string; readonly lane: number }>({ capacity: 1_000, starvationBound })
    const events: StarvationEvent[] = []
    for (const [n, next] of steps.entries()) {
      if (next === 'take') {
        const taken = mailbox.shift()
        if (taken !== undefined) events.push(event('served', taken.lane, taken.id))
      } else {
        expect(mailbox.tryPush(next, { id: String(n), lane: next })).toBe(true)
        events.push(event('waits', next, String(n)))
      }
    }
    for (let taken = mailbox.shift(); taken !== undefined; taken = mailbox.shift()) events.push(event('served', taken.lane, taken.id))
    return events
  }

  test("the kernel's mailbox keeps its bound; one with a bound larger by one is found out", () => {
    let caught = 0
    fc.assert(
      fc.property(script, fc.integer({ min: 1, max: 6 }), (steps, bound) => {
        expect(checkStarvation(run(steps, bound), { bound, exact: true })).toMatchObject({ ok: true })
        const verdict = checkStarvation(run(steps, bound + 1), { bound, exact: true })
        for (const kind of kindsOf(verdict)) expect(kind).toBe('starved')
        if (!verdict.ok) caught += 1
      }),
      { numRuns: 300 },
    )
    expect(caught).toBeGreaterThan(200)
  })

  test('one with a bound smaller by one is found out as an inversion', () => {
    let caught = 0
    fc.assert(
      fc.property(script, fc.integer({ min: 2, max: 6 }), (steps, bound) => {
        const verdict = checkStarvation(run(steps, bound - 1), { bound, exact: true })
        for (const kind of kindsOf(verdict)) expect(kind).toBe('inversion')
        if (!verdict.ok) caught += 1
      }),
      { numRuns: 300 },
    )
    expect(caught).toBeGreaterThan(200)
  })

  test('waits that are told late never make a right mailbox wrong', () => {
    fc.assert(
      fc.property(script, fc.integer({ min: 1, max: 6 }), fc.infiniteStream(fc.nat({ max: 30 })), (steps, bound, delays) => {
        const late = run(steps, bound)
          .map((each, position) => ({ each, at: position + (each.type === 'waits' ? delays.next().value : 0) }))
          .toSorted((one, other) => one.at - other.at)
          .map(({ each }) => each)
        expect(checkStarvation(late, { bound })).toMatchObject({ ok: true })
      }),
      { numRuns: 300 },
    )
  })
})
