import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAULT_KINDS } from '../../src/simulation/faults.ts'
import { decodeTape, encodeTape, Tape } from '../../src/simulation/tape.ts'
import type { TapeText } from '../../src/simulation/tape.ts'

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const tapes: fc.Arbitrary<TapeText> = fc.record({
  seed: uint32,
  batchCommands: fc.integer({ min: 1, max: 256 }),
  choices: fc.array(fc.nat({ max: 9 })).map((choices) => [...choices, 1]),
  faults: fc.array(fc.record({ kind: fc.constantFrom(...FAULT_KINDS), at: fc.nat(), amount: uint32 })),
  values: fc.dictionary(
    fc.string(),
    fc.array(uint32).map((values) => [...values, 1]),
  ),
  removed: fc.array(fc.string()),
})

describe('the tape', () => {
  test('as a word it says the same, in characters that nothing has to escape', () => {
    fc.assert(
      fc.property(tapes, (tape) => {
        const word = encodeTape(tape)
        expect(word).toMatch(/^[\w-]+$/)
        expect(decodeTape(word)).toEqual(tape)
      }),
    )
  })

  test('a word that was cut or changed is refused, or is another tape; never anything else', () => {
    fc.assert(
      fc.property(tapes, fc.nat(), fc.string({ maxLength: 3 }), (tape, at, put) => {
        const word = encodeTape(tape)
        const place = at % word.length
        const changed = word.slice(0, place) + put + word.slice(place + 1)
        try {
          expect(encodeTape(decodeTape(changed))).toMatch(/^[\w-]+$/)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_SCHEDULE' })
        }
      }),
    )
  })

  test('a thousand plain choices take hardly any room', () => {
    const choices = Array.from({ length: 1_000 }, (_none, index) => (index === 500 || index === 999 ? 2 : 0))
    expect(encodeTape({ seed: 1, batchCommands: 1, choices, faults: [], values: {}, removed: [] }).length).toBeLessThan(60)
  })

  test('what lies beyond the end of a tape is the plainest choice, and zeros', () => {
    const text = { seed: 1, batchCommands: 1, choices: [2], faults: [], values: { a: [7] }, removed: [] }
    const tape = new Tape(text, text)
    expect(tape.next(3)).toBe(2)
    tape.choices.push(2)
    expect(tape.next(3)).toBe(0)
    const draw = tape.stream('a')
    expect([draw(), draw(), draw()]).toEqual([7, 0, 0])
  })

  test('streams of different names are independent, and each goes on where it stood', () => {
    const begin = { seed: 5, batchCommands: 1, faults: [] }
    const [one, other] = [new Tape(begin), new Tape(begin)]
    const a = one.stream('a')
    const values = [a(), a()]
    other.stream('b')()
    const again = other.stream('a')
    expect([again(), again()]).toEqual(values)
    expect(one.stream('b')()).not.toBe(values[0])
  })
})
