import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidHistory } from '../../src/histories/history.ts'
import { checkLaneOrder } from '../../src/histories/lane-order.ts'
import type { CommandAccepted, CommandHandled, LaneOrderEvent } from '../../src/histories/lane-order.ts'
import { expectAnomaly, kindsOf } from './recording.ts'

function accepted(id: string, more: Partial<CommandAccepted> = {}): CommandAccepted {
  return { type: 'accepted', sender: 's', receiver: 'r', lane: 'normal', id, ...more }
}

function handled(id: string): CommandHandled {
  return { type: 'handled', receiver: 'r', id }
}

describe('G5 small histories of lanes', () => {
  test.each<[string, readonly LaneOrderEvent[]]>([
    ['in the order sent', [accepted('1'), accepted('2'), handled('1'), handled('2')]],
    ['in any order of two lanes', [accepted('1'), accepted('2', { lane: 'urgent' }), handled('2'), handled('1')]],
    ['in any order of two senders', [accepted('1'), accepted('2', { sender: 'other' }), handled('2'), handled('1')]],
    [
      'with one missing of which nobody knows',
      [accepted('1'), accepted('2', { certain: false }), accepted('3'), handled('1'), handled('3')],
    ],
    ['told handled first', [handled('1'), handled('2'), accepted('1'), accepted('2')]],
  ])('%s is fine', (_, events) => {
    expect(checkLaneOrder(events)).toMatchObject({ ok: true })
  })

  test.each<[string, string, readonly LaneOrderEvent[], readonly string[]]>([
    [
      'handled in another order',
      'out-of-order',
      [accepted('1'), accepted('2'), handled('2'), handled('1')],
      ['1 (from s to r, lane normal)', 'after 2'],
    ],
    ['handled twice', 'twice', [accepted('1'), handled('1'), handled('1')], ['1 (from s']],
    ['never handled', 'lost', [accepted('1')], ['1 (from s']],
    ['handled and never accepted', 'unexpected', [handled('9')], ['r handled 9']],
    ['handled by another', 'unexpected', [accepted('9', { receiver: 'q', certain: false }), handled('9')], ['r handled 9']],
  ])('%s is found', (_, kind, events, words) => {
    const verdict = checkLaneOrder(events)
    expect(kindsOf(verdict)).toEqual([kind])
    expectAnomaly(verdict, kind, ...words)
  })

  test('what has not had its time is not lost; an id twice is no history', () => {
    expect(checkLaneOrder([accepted('1')], { settled: false })).toEqual({ ok: true, accepted: 1, handled: 0, lanes: 1 })
    expect(() => checkLaneOrder([accepted('1'), accepted('1')])).toThrow(InvalidHistory)
  })
})

test('G5 lanes by construction keep their order, and whatever is planted is found', () => {
  const command = fc.record({
    sender: fc.constantFrom('a', 'b'),
    receiver: fc.constantFrom('p', 'q'),
    lane: fc.constantFrom('urgent', 'low'),
  })
  let swapped = 0
  fc.assert(
    fc.property(fc.array(command, { minLength: 3, maxLength: 40 }), fc.infiniteStream(fc.nat()), fc.nat(), (script, choices, choice) => {
      const sent = script.map((each, position) => accepted(String(position), each))
      // Each step handles the head of some line.
      const lines = [...Map.groupBy(sent, ({ sender, receiver, lane }) => [sender, receiver, lane].join(' ')).values()].map((line) => [
        ...line,
      ])
      const done: CommandHandled[] = []
      while (done.length < sent.length) {
        const busy = lines.filter((line) => line.length > 0)
        const next = busy[choices.next().value % busy.length]?.shift()
        if (next !== undefined) done.push({ type: 'handled', receiver: next.receiver, id: next.id })
      }
      expect(checkLaneOrder([...sent, ...done])).toMatchObject({ ok: true, accepted: sent.length, handled: sent.length })

      const victim = done[choice % done.length]!
      expectAnomaly(checkLaneOrder([...sent, ...done, victim]), 'twice', `${victim.id} (from`)
      expectAnomaly(checkLaneOrder([...sent, ...done.filter((each) => each !== victim)]), 'lost', `${victim.id} (from`)
      expectAnomaly(checkLaneOrder([...sent.filter(({ id }) => id !== victim.id), ...done]), 'unexpected', `handled ${victim.id}`)
      const mine = sent[Number(victim.id)]!
      const isSameLine = (each: CommandAccepted): boolean =>
        each.id !== mine.id && each.sender === mine.sender && each.receiver === mine.receiver && each.lane === mine.lane
      const other = sent.find(isSameLine)
      if (other === undefined) return
      swapped += 1
      const changed = done.map((each) =>
        each.id === mine.id ? { ...each, id: other.id } : each.id === other.id ? { ...each, id: mine.id } : each,
      )
      expectAnomaly(checkLaneOrder([...sent, ...changed]), 'out-of-order')
    }),
    { numRuns: 300 },
  )
  expect(swapped).toBeGreaterThan(100)
})
