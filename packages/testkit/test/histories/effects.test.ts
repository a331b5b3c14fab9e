import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkEffects } from '../../src/histories/effects.ts'
import type { EffectEvent } from '../../src/histories/effects.ts'
import { InvalidHistory } from '../../src/histories/history.ts'
import { expectAnomaly, kindsOf } from './recording.ts'

const promised: EffectEvent = { type: 'promised', effect: 'e', key: 'k' }
const maybe: EffectEvent = { type: 'promised', effect: 'e', certain: false }
const claimed: EffectEvent = { type: 'claimed', effect: 'e' }
const cancelled: EffectEvent = { type: 'cancelled', effect: 'e' }
const delivered: EffectEvent = { type: 'delivered', effect: 'e', key: 'k' }
const givenUp: EffectEvent = { type: 'given-up', effect: 'e' }

describe('G10 small histories of effects', () => {
  test.each<[string, readonly EffectEvent[]]>([
    ['promised, claimed, delivered', [promised, claimed, delivered]],
    ['delivered again under the same key', [promised, claimed, delivered, claimed, delivered]],
    ['cancelled and never tried', [promised, cancelled]],
    ['cancelled after its claim, and delivered', [promised, claimed, cancelled, delivered]],
    ['cancelled after a delivery that crashed, and delivered again', [promised, delivered, cancelled, delivered]],
    ['given up', [promised, claimed, givenUp]],
    ['nobody knows whether it was promised, and it was not delivered', [maybe]],
    ['… and it was', [maybe, delivered]],
    ['nobody knows whether it was cancelled, and it was delivered', [promised, { ...cancelled, certain: false }, delivered]],
    ['told as asked for, delivered, then acknowledged', [maybe, delivered, promised]],
  ])('%s is fine', (_, events) => {
    expect(checkEffects(events)).toMatchObject({ ok: true })
  })

  test.each<[string, string, readonly EffectEvent[], readonly string[]]>([
    ['promised and never delivered', 'lost', [promised], ['effect e']],
    ['acknowledged after all and never delivered', 'lost', [maybe, promised, claimed], ['effect e']],
    ['delivered without a promise', 'unpromised', [delivered], ['event 0']],
    ['claimed before the promise', 'unpromised', [claimed, promised, delivered], ['attempted (event 0)']],
    ['delivered under another key than promised', 'key-changed', [promised, { ...delivered, key: 'other' }], ['key other', 'its key is k']],
    ['delivered under two keys', 'key-changed', [maybe, delivered, { ...delivered, key: 'other' }], ['event 2']],
    ['delivered after its cancel', 'after-cancel', [promised, cancelled, delivered], ['event 1', 'event 2']],
    ['claimed after its cancel', 'after-cancel', [promised, cancelled, claimed], ['attempted (event 2)']],
  ])('%s is found', (_, kind, events, words) => {
    const verdict = checkEffects(events)
    expect(kindsOf(verdict)).toEqual([kind])
    expectAnomaly(verdict, kind, ...words)
  })

  test('what has not had its time is not lost; counts say what there was', () => {
    expect(checkEffects([promised], { settled: false })).toEqual({
      ok: true,
      promised: 1,
      delivered: 0,
      repeated: 0,
      cancelled: 0,
      givenUp: 0,
    })
    expect(() => checkEffects([promised, { ...promised, key: 'other' }])).toThrow(InvalidHistory)
  })
})

test('G10 effects by construction are fine, and whatever is planted is found', () => {
  const one = fc.record({
    end: fc.constantFrom(
      'delivered' as const,
      'delivered' as const,
      'cancelled' as const,
      'cancelled-late' as const,
      'given-up' as const,
      'unknown' as const,
    ),
    attempts: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat({ max: 11 }), { maxLength: 80 }),
      fc.nat(),
      (script, turns, choice) => {
        const lines = script.map(({ end, attempts }, number): EffectEvent[] => {
          const effect = `e${number}`
          const tries = Array.from({ length: attempts }, (): EffectEvent[] => [
            { type: 'claimed', effect },
            { type: 'delivered', effect, key: `k${number}` },
          ]).flat()
          const first: EffectEvent = { type: 'promised', effect, certain: end !== 'unknown' }
          if (end === 'cancelled') return [first, { type: 'cancelled', effect }]
          if (end === 'cancelled-late') return [first, tries[0]!, { type: 'cancelled', effect }, ...tries.slice(1)]
          if (end === 'given-up') return [first, tries[0]!, { type: 'given-up', effect }]
          return end === 'unknown' ? [first] : [first, ...tries]
        })
        const events: EffectEvent[] = []
        for (const who of turns) events.push(...(lines[who]?.splice(0, 1) ?? []))
        events.push(...lines.flat())
        expect(checkEffects(events)).toMatchObject({ ok: true })

        const number = choice % script.length
        const effect = `e${number}`
        const end = script[number]?.end
        const rest = events.filter((event) => event.effect !== effect)
        expectAnomaly(checkEffects([...events, { type: 'delivered', effect: 'nobody', key: 'x' }]), 'unpromised', 'nobody')
        expectAnomaly(checkEffects([...rest, { type: 'promised', effect }]), 'lost', effect)
        if (end === 'cancelled') expectAnomaly(checkEffects([...events, { type: 'delivered', effect, key: 'x' }]), 'after-cancel', effect)
        if (end === 'delivered')
          expectAnomaly(checkEffects([...events, { type: 'delivered', effect, key: 'x' }]), 'key-changed', effect, 'key x')
      },
    ),
    { numRuns: 300 },
  )
})
