/** Checks: the latest word counts, in whatever order the words arrive. */

import { fc } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { mergeCheck, verdictOf } from '../coordinator/check.ts'
import type { Checks } from '../coordinator/check.ts'

const report = fc.record({
  name: fc.constantFrom('build', 'lint', 'constructor', '__proto__'),
  verdict: fc.constantFrom('pending' as const, 'passing' as const, 'failing' as const),
  at: fc.integer({ min: 0, max: 3 }),
})

test('the order in which reports arrive does not change what the checks say', () => {
  const twoOrders = fc
    .array(report)
    .chain((reports) => fc.tuple(fc.constant(reports), fc.shuffledSubarray(reports, { minLength: reports.length })))
  fc.assert(
    fc.property(twoOrders, ([one, other]) => {
      expect(merged(one)).toEqual(merged(other))
    }),
  )
})

test('a newer report replaces an older one, and of the same second the worse one counts', () => {
  const failed = { name: 'build', verdict: 'failing' as const, at: 1 }
  expect(merged([failed, { name: 'build', verdict: 'passing', at: 2 }])).toEqual({ build: { verdict: 'passing', at: 2 } })
  expect(merged([failed, { name: 'build', verdict: 'passing', at: 1 }])).toEqual({ build: { verdict: 'failing', at: 1 } })
})

test('a conclusion that GitHub may invent tomorrow is pending', () => {
  expect(verdictOf('unheard_of')).toBe('pending')
})

function merged(reports: readonly Parameters<typeof mergeCheck>[1][]): Checks {
  return reports.reduce<Checks>(mergeCheck, {})
}
