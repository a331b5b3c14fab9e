import { InvalidInput } from '@bailiwick/kernel'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../src/tokens/canonical-json.ts'

test('the same value has the same text, whatever order it was made in, at every level', () => {
  const one = { b: [1, { d: null, c: 'x' }], a: true }
  const other = { a: true, b: [1, { c: 'x', d: null }] }
  expect(canonicalJson(one)).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}')
  expect(canonicalJson(other)).toBe(canonicalJson(one))
})

test('what is undefined is left out, and texts are escaped as JSON escapes them', () => {
  expect(canonicalJson({ b: undefined, 'é"': 'a\nb' })).toBe('{"é\\"":"a\\nb"}')
})

test.each([
  ['a number that is none', { a: { b: Number.NaN } }, 'a.b'],
  ['a date', { a: [new Date(0)] }, 'a.0'],
  ['a function', { a: () => 1 }, 'a'],
])('%s is refused with its path', (_what, value, path) => {
  // What types refuse, programs without types pass.
  expect(() => canonicalJson(value as never)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field: path }))
})

test('what is nested without end is refused', () => {
  const endless: Record<string, unknown> = {}
  endless['a'] = endless
  expect(() => canonicalJson(endless as never)).toThrow(InvalidInput)
})
