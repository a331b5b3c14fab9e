/** What the search remembers: never more than it has seen. */
import { describe, expect, test } from 'vitest'
import { VisitedConfigurations } from '../../src/histories/visited-configurations.ts'
import type { Configuration } from '../../src/histories/visited-configurations.ts'

const MANY_BYTES = 2 ** 24

function configuration(certain: readonly number[], unknown: number, firstWord = 0): Configuration {
  // All have the same hash: only their content tells them apart.
  return { certain: Uint32Array.from(certain), firstWord, lastWord: certain.length - 1, certainHash: 5, unknown: Uint32Array.of(unknown) }
}

function memo(): VisitedConfigurations<string> {
  return new VisitedConfigurations<string>({ hash: () => 1, equal: (left, right) => left === right }, 1)
}

describe('a configuration', () => {
  test('is new once, and told apart from others of the same hash', () => {
    const visited = memo()
    const add = (certain: readonly number[], state: string | undefined, firstWord?: number): boolean =>
      visited.add(configuration(certain, 0, firstWord), state, MANY_BYTES)
    expect([add([1, 2], 'a'), add([1, 2], 'a')]).toEqual([true, false])
    expect([add([1, 3], 'a'), add([1, 2], 'b'), add([1, 2], undefined), add([1], 'a'), add([1, 2], 'a', 1)]).toEqual([
      true,
      true,
      true,
      true,
      true,
    ])
    expect([add([1, 3], 'a'), add([1, 2], 'b'), add([1, 2], undefined), add([1], 'a'), add([9, 2], 'a', 1)]).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
  })

  test('is known if one is that is the same but for fewer operations of unknown end', () => {
    const visited = memo()
    const add = (unknown: number): boolean => visited.add(configuration([1], unknown), 'a', MANY_BYTES)
    expect([add(0b0110), add(0b1110), add(0b0101), add(0b0100), add(0b0110), add(0b1000)]).toEqual([true, false, true, true, false, true])
  })
})

describe('the memory', () => {
  test('is bounded: the oldest are forgotten, the last ones are not', () => {
    const visited = new VisitedConfigurations<number>({ hash: (state) => state, equal: (left, right) => left === right }, 1)
    const add = (state: number): boolean => visited.add(configuration([1], 0), state, 10_000)
    for (let state = 0; state < 10_000; state++) expect(add(state)).toBe(true)
    expect(add(9_999)).toBe(false)
    expect(add(9_980)).toBe(false)
    expect(add(0)).toBe(true)
  })
})
