import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidHistory } from '../../src/histories/history.ts'
import { checkTimers } from '../../src/histories/timers.ts'
import type { TimerCancelled, TimerEvent, TimerSet, TimerTicked } from '../../src/histories/timers.ts'
import { expectAnomaly, kindsOf } from './recording.ts'

function set(setting: number, dueAt: number, more: Partial<TimerSet> = {}): TimerSet {
  return { type: 'set', timer: 't', setting, dueAt, ...more }
}

function ticked(at: number, more: Partial<TimerTicked> = {}): TimerTicked {
  return { type: 'ticked', timer: 't', at, ...more }
}

function cancelled(more: Partial<TimerCancelled> = {}): TimerCancelled {
  return { type: 'cancelled', timer: 't', ...more }
}

const until = 1_000

describe('G9 small histories of timers', () => {
  test.each<[string, readonly TimerEvent[]]>([
    ['a timer that rings when it is due', [set(1, 100), ticked(100)]],
    ['one that rings late', [set(1, 100), ticked(900)]],
    ['one that is not due yet', [set(1, 2_000)]],
    ['one that was cancelled', [set(1, 100), cancelled()]],
    ['one that was replaced and rings for the new setting', [set(1, 100), set(2, 200), ticked(200)]],
    ['one that was cancelled and set again', [set(1, 100), cancelled(), set(2, 300), ticked(300)]],
    ['one that rang before its cancel was acknowledged', [set(1, 100), ticked(100), cancelled()]],
    ['one of which nobody knows whether it was set', [set(1, 100, { certain: false })]],
    ['… and that rings', [set(1, 100, { certain: false }), ticked(100)]],
    ['one of which nobody knows whether it was cancelled, and that rings', [set(1, 100), cancelled({ certain: false }), ticked(120)]],
    ['… and that does not', [set(1, 100), cancelled({ certain: false })]],
    ['one of which nobody knows whether it was replaced', [set(1, 100), set(2, 200, { certain: false }), ticked(100, { setting: 1 })]],
    ['a periodic one on its grid', [set(1, 500, { everyMs: 200 }), ticked(500), ticked(705), ticked(900)]],
    ['a periodic one whose missed ticks come as one', [set(1, 100, { everyMs: 100 }), ticked(100), ticked(1_000)]],
    ['a cancel of an older setting, told late', [set(1, 100), set(2, 200), cancelled({ setting: 1 }), ticked(200)]],
  ])('%s is fine', (_, events) => {
    expect(checkTimers(events, { until })).toMatchObject({ ok: true })
  })

  test.each<[string, string, readonly TimerEvent[], readonly string[]]>([
    ['one that never rings', 'lost', [set(1, 100)], ['setting 1, due at 100', '1000']],
    ['one that was set for certain after all', 'lost', [set(1, 100, { certain: false }), set(1, 100)], ['setting 1']],
    ['one that rings early', 'early', [set(1, 100), ticked(99)], ['at 99', '1 ms before 100']],
    ['one that rings twice', 'twice', [set(1, 100), ticked(100), ticked(150)], ['at 150']],
    ['one that rings after its cancel', 'after-cancel', [set(1, 100), cancelled(), ticked(100)], ['cancel of t']],
    [
      'one that rings for an old setting',
      'after-replacement',
      [set(1, 100), set(2, 200), ticked(100, { setting: 1 }), ticked(200)],
      ['setting 1'],
    ],
    [
      'one that rings for a setting that was known to be replaced later',
      'after-replacement',
      [set(1, 100), set(2, 200, { certain: false }), set(2, 200), ticked(100, { setting: 1 }), ticked(200, { setting: 2 })],
      ['setting 1'],
    ],
    ['one that nobody has set', 'never-set', [ticked(100)], ['event 0']],
    [
      'a periodic one that rings between two points of its grid',
      'early',
      [set(1, 500, { everyMs: 400 }), ticked(500), ticked(899), ticked(900)],
      ['899'],
    ],
    ['a periodic one that stops', 'lost', [set(1, 100, { everyMs: 100 }), ticked(100)], ['has not rung for 1000']],
    [
      'a periodic one that rings twice for one point',
      'twice',
      [set(1, 500, { everyMs: 500 }), ticked(500, { dueAt: 500 }), ticked(600, { dueAt: 500 }), ticked(1_000, { dueAt: 1_000 })],
      ['for 500'],
    ],
    [
      'a periodic one that leaves its grid',
      'off-grid',
      [set(1, 500, { everyMs: 500 }), ticked(700, { dueAt: 600 }), ticked(1_000, { dueAt: 1_000 })],
      ['for 600'],
    ],
  ])('%s is found', (_, kind, events, words) => {
    const verdict = checkTimers(events, { until })
    expectAnomaly(verdict, kind, ...words)
    if (kind !== 'early') expect(kindsOf(verdict)).toEqual([kind])
  })

  test('without an end nothing is lost, and a setting that is told differently is no history', () => {
    expect(checkTimers([set(1, 100)])).toMatchObject({ ok: true, settings: 1, ticks: 0 })
    expect(() => checkTimers([set(1, 100), set(1, 101)])).toThrow(InvalidHistory)
  })
})

describe('G9 random histories of timers', () => {
  const step = fc.record({
    timer: fc.constantFrom('a', 'b', 'c'),
    kind: fc.constantFrom('set' as const, 'set' as const, 'cancel' as const, 'wait' as const, 'wait' as const),
    delayMs: fc.integer({ min: 1, max: 50 }),
  })

  test('timers by construction are fine, and whatever is planted is found', () => {
    const planted = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), fc.nat(), (script, choice) => {
        const events: TimerEvent[] = []
        const due = new Map<string, TimerSet>()
        let now = 0
        for (const [setting, { timer, kind, delayMs }] of [...script, { timer: '', kind: 'wait' as const, delayMs: 100 }].entries()) {
          if (kind === 'set') {
            const event: TimerSet = { type: 'set', timer, setting, dueAt: now + delayMs }
            events.push(event)
            due.set(timer, event)
          } else if (kind === 'cancel') {
            events.push({ type: 'cancelled', timer })
            due.delete(timer)
          } else {
            now += delayMs
            for (const [name, { dueAt, setting: ringing }] of due) {
              if (dueAt > now) continue
              events.push({ type: 'ticked', timer: name, at: now, setting: ringing })
              due.delete(name)
            }
          }
        }
        const check = (changed: readonly TimerEvent[]) => checkTimers(changed, { until: now })
        expect(check(events)).toMatchObject({ ok: true })

        const plant = (kind: string, changed: readonly TimerEvent[], ...words: readonly string[]): void => {
          planted.set(kind, (planted.get(kind) ?? 0) + 1)
          expectAnomaly(check(changed), kind, ...words)
        }
        const ticks = events.filter((event) => event.type === 'ticked')
        const tick = ticks[choice % Math.max(1, ticks.length)]
        if (tick !== undefined) {
          const at = events.indexOf(tick)
          const later = events.slice(at + 1)
          const isLastOfTimer = later.every((event) => event.timer !== tick.timer)
          if (isLastOfTimer)
            plant(
              'lost',
              events.filter((event) => event !== tick),
              `setting ${String(tick.setting)}`,
            )
          plant('twice', [...events.slice(0, at + 1), tick, ...later], `setting ${String(tick.setting)}`)
          plant('early', [...events.slice(0, at), { ...tick, at: -1 }, ...later], 'at -1')
          plant('after-cancel', [...events.slice(0, at), { type: 'cancelled', timer: tick.timer }, tick, ...later], `timer ${tick.timer}`)
          const newer: TimerSet = { type: 'set', timer: tick.timer, setting: 'newer', dueAt: now + 1 }
          plant('after-replacement', [...events.slice(0, at), newer, tick, ...later], `setting ${String(tick.setting)}`)
        }
        plant('never-set', [...events, { type: 'ticked', timer: 'nobody', at: now }], 'nobody')
      }),
      { numRuns: 300 },
    )
    expect(planted.size).toBe(6)
    for (const count of planted.values()) expect(count).toBeGreaterThan(50)
  })
})
