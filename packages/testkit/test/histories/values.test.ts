/** When two values are the same. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fingerprintOf, sameValue } from '../../src/histories/values.ts'

describe('two values', () => {
  test.each<[unknown, unknown]>([
    [Number.NaN, Number.NaN],
    [0, -0],
    [
      { a: 1, b: [2] },
      { b: [2], a: 1 },
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [new Set([1, [2]]), new Set([[2], 1])],
    [new Map([[{ a: 1 }, 2]]), new Map([[{ a: 1 }, 2]])],
    [new Date(5), new Date(5)],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    [null, null],
  ])('are the same by content: %o, %o', (left, right) => {
    expect(sameValue(left, right)).toBe(true)
    expect(fingerprintOf(left)).toBe(fingerprintOf(right))
  })

  test.each<[unknown, unknown]>([
    [1, '1'],
    [1n, 1],
    [null, undefined],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], { '0': 1 }],
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ toString: 1 }, {}],
    [new Set([1]), new Set([2])],
    [new Set([[1], [2]]), new Set([[1], [1]])],
    [new Map([[1, 2]]), new Map([[1, 3]])],
    [new Date(5), new Date(6)],
    [new Date(5), {}],
    [new Uint8Array([1]), new Uint8Array([2])],
  ])('differ by content: %o, %o', (left, right) => {
    expect(sameValue(left, right)).toBe(false)
    expect(sameValue(right, left)).toBe(false)
  })

  test('that are copies of each other are the same and have the same fingerprint', () => {
    const anything = fc.anything({ withDate: true, withMap: true, withSet: true, withBigInt: true })
    fc.assert(
      fc.property(anything, (value) => {
        const copy: unknown = structuredClone(value)
        expect(sameValue(value, copy)).toBe(true)
        expect(fingerprintOf(value)).toBe(fingerprintOf(copy))
      }),
      { seed: 3 },
    )
  })
})
