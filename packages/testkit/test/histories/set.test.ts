import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkSet } from '../../src/histories/set.ts'
import { InvalidHistory } from '../../src/histories/history.ts'
import type { HistoryEvent } from '../../src/histories/history.ts'
import { expectAnomaly, kindsOf, Recording } from './recording.ts'

describe('small histories of a set', () => {
  test('what was acknowledged is there, what failed is not, what nobody knows may be', () => {
    const { history } = new Recording()
      .call(1, 'add', 1)
      .call(1, 'add', 2, 'refused', 'fail')
      .call(1, 'add', 3, 'timeout', 'info')
      .call(2, 'add', 4, 'timeout', 'info')
      .call(3, 'read', null, [1, 3])
    const counts = { acknowledged: 1, lost: 0, stale: 0, unexpected: 0, duplicated: 0, recovered: 1, reads: 1 }
    expect(checkSet(history)).toEqual({ ok: true, ...counts })
  })

  test('an acknowledged element that no later read has is lost', () => {
    const verdict = checkSet(new Recording().call(1, 'add', 1).call(2, 'read', null, []).history)
    expectAnomaly(verdict, 'lost', 'add 0 (process 1)', 'acknowledged before read 2 (process 2)')
    expect(verdict).toMatchObject({ lost: 1 })
  })

  test('an element that was read once and is gone later is lost, even if nobody knew of its add', () => {
    const { history } = new Recording().call(1, 'add', 1, 'timeout', 'info').call(2, 'read', null, [1]).call(2, 'read', null, [])
    expectAnomaly(checkSet(history), 'lost', 'which was read before read 4')
  })

  test('an element that is missing and comes back is stale, which can be allowed', () => {
    const { history } = new Recording().call(1, 'add', 1).call(2, 'read', null, []).call(2, 'read', null, [1])
    expect(kindsOf(checkSet(history))).toEqual(['stale'])
    expect(checkSet(history, { allowStale: true })).toMatchObject({ ok: true, stale: 1 })
  })

  test('an element that nobody added, that failed or that was added only later is unexpected', () => {
    expectAnomaly(checkSet(new Recording().call(1, 'read', null, [9]).history), 'unexpected', '9', 'nobody added')
    expectAnomaly(checkSet(new Recording().call(1, 'add', 9, 'no', 'fail').call(1, 'read', null, [9]).history), 'unexpected', 'failed')
    expectAnomaly(checkSet(new Recording().call(1, 'read', null, [9]).call(1, 'add', 9).history), 'unexpected', 'began later')
  })

  test('an element twice in a read is a duplicate', () => {
    expectAnomaly(checkSet(new Recording().call(1, 'add', 1).call(1, 'read', null, [1, 1]).history), 'duplicate', 'read 2', '1')
  })

  test('a read beside an add may have it or not', () => {
    for (const list of [[], [1]]) {
      const { history } = new Recording().invoke(1, 'add', 1).invoke(2, 'read').ok(1, 'add', 1).ok(2, 'read', list)
      expect(checkSet(history)).toMatchObject({ ok: true })
    }
  })

  test('sets of different keys are different sets', () => {
    const one = new Recording('a').call(1, 'add', 1).history
    const other = new Recording('b').call(1, 'read', null, []).history.map((event) => ({ ...event, index: event.index + one.length }))
    expect(checkSet([...one, ...other])).toMatchObject({ ok: true, acknowledged: 1, reads: 1 })
  })

  test('elements that are no elements, and adds of the same one, are no history', () => {
    expect(() => checkSet(new Recording().call(1, 'add', {}).history)).toThrow(InvalidHistory)
    expect(() => checkSet(new Recording().call(1, 'add', 1).call(1, 'add', 1).history)).toThrow(InvalidHistory)
    expect(() => checkSet(new Recording().call(1, 'read', null, 5).history)).toThrow(InvalidHistory)
  })
})

describe('random histories of a set', () => {
  const outcome = fc.constantFrom('ok' as const, 'ok' as const, 'fail' as const, 'info' as const, 'info-done' as const)
  const scripts = fc.array(fc.record({ process: fc.nat({ max: 3 }), isRead: fc.boolean(), outcome }), { minLength: 10, maxLength: 80 })

  /** Each call begins, takes effect in one moment and ends; at the end one reads all. */
  function run(
    script: readonly { readonly process: number; readonly isRead: boolean; readonly outcome: 'ok' | 'fail' | 'info' | 'info-done' }[],
  ): Recording {
    const recording = new Recording()
    const set = new Set<number>()
    const open = new Map<
      number,
      { process: number; isRead: boolean; outcome: string; element: number; seen: readonly number[] | undefined }
    >()
    for (const [element, step] of [...script, ...script].entries()) {
      const now = open.get(step.process)
      // A process whose last call nobody knows the end of goes on under another number.
      const process = now?.process ?? step.process + 4 * element
      if (now === undefined) {
        recording.invoke(process, step.isRead ? 'read' : 'add', step.isRead ? null : element)
        open.set(step.process, { process, isRead: step.isRead, outcome: step.outcome, element, seen: undefined })
      } else if (now.seen === undefined) {
        if (!now.isRead && (now.outcome === 'ok' || now.outcome === 'info-done')) set.add(now.element)
        now.seen = [...set]
      } else {
        open.delete(step.process)
        if (now.isRead) recording.ok(process, 'read', now.seen)
        else if (now.outcome === 'ok') recording.ok(process, 'add', now.element)
        else recording[now.outcome === 'fail' ? 'fail' : 'info'](process, 'add', 'no')
      }
    }
    return recording.call(-1, 'read', null, [...set])
  }

  function changeLast(history: readonly HistoryEvent[], change: (list: readonly number[]) => readonly number[]): readonly HistoryEvent[] {
    // The reply of the last read, which is a list of numbers because `run` made it.
    return history.map((event, index) =>
      index === history.length - 1 ? { ...event, value: change(event.value as readonly number[]) } : event,
    )
  }

  test('what was right when it was made is found to be right, and what is planted is found', () => {
    let lost = 0
    fc.assert(
      fc.property(scripts, fc.nat(), (script, choice) => {
        const { history } = run(script)
        const verdict = checkSet(history)
        expect(verdict).toMatchObject({ ok: true })
        const acknowledged = history.filter(({ type, f }) => type === 'ok' && f === 'add').map(({ value }) => Number(value))
        const victim = acknowledged[choice % Math.max(1, acknowledged.length)]
        expectAnomaly(checkSet(changeLast(history, (list) => [...list, 99_999])), 'unexpected', '99999')
        if (victim === undefined) return
        lost += 1
        expectAnomaly(checkSet(changeLast(history, (list) => list.filter((element) => element !== victim))), 'lost', `${victim}, which`)
        expectAnomaly(checkSet(changeLast(history, (list) => [...list, victim])), 'duplicate', `${victim}`)
      }),
      { numRuns: 200 },
    )
    expect(lost).toBeGreaterThan(100)
  })
})
