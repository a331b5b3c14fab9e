/** Values drawn from a tape of integers: the same tape gives the same value, zeros give small ones, and no tape is read without end. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { drawn } from '../../src/generation/drawn.ts'
import { inputOf } from '../../src/generation/input-of.ts'
import { seededRandom } from '../../src/seeded-random.ts'

const order = inputOf(
  z.object({
    id: z.uuid(),
    amount: z.int().min(-100).max(100),
    price: z.number(),
    note: z.string().optional(),
    lines: z.array(z.object({ name: z.string(), count: z.int().positive() })),
    how: z.union([z.literal('cash'), z.object({ card: z.string().min(2) })]),
  }),
)

/** A tape that goes on for ever, and how much of it was read. */
function tapeOf(source: () => number): { readonly next: () => number; reads: number } {
  const tape = {
    reads: 0,
    next: () => {
      tape.reads += 1
      return source()
    },
  }
  return tape
}

function chance(seed: number): () => number {
  const random = seededRandom(seed)
  return () => Math.floor(random() * 2 ** 32)
}

describe('drawn', () => {
  test('the same tape gives the same value, and another one mostly another', () => {
    const texts = new Set<string>()
    for (let seed = 0; seed < 200; seed += 1) {
      const value = drawn(order, chance(seed))
      expect(drawn(order, chance(seed))).toStrictEqual(value)
      texts.add(JSON.stringify(value))
    }
    expect(texts.size).toBeGreaterThan(150)
  })

  test('only what is read of the tape counts', () => {
    const read: number[] = []
    const source = chance(5)
    const value = drawn(order, () => {
      const number = source()
      read.push(number)
      return number
    })
    let index = 0
    expect(drawn(order, () => read[index++] ?? expect.unreachable('it reads more than before'))).toStrictEqual(value)
    expect(index).toBe(read.length)
  })

  test('zeros give the first choice, the shortest text, the number nearest to zero, and nothing that is optional', () => {
    expect(drawn(order, () => 0)).toEqual({ id: '00000000-0000-0000-0000-000000000000', amount: 0, price: 0, lines: [], how: 'cash' })
    expect(drawn(inputOf(z.tuple([z.int().min(5).max(9), z.int().max(-3), z.string().min(2)])), () => 0)).toEqual([5, -3, 'aa'])
    expect(drawn(inputOf(z.int().nullable()), () => 0)).toBeNull()
  })

  test('numbers other than uint32 are taken modulo 2³²', () => {
    expect(drawn(order, () => 2 ** 32)).toEqual(drawn(order, () => 0))
    expect(drawn(order, () => -1)).toEqual(drawn(order, () => 2 ** 32 - 1))
  })

  test.for([0, 1, 2 ** 31, 2 ** 32 - 1])(
    'a tape of nothing but %i comes to an end, also where a filter refuses what it gives',
    (constant) => {
      for (const arbitrary of [
        order,
        inputOf(z.json()),
        inputOf(z.string().refine((text) => text.includes('bc'))),
        inputOf(z.int().refine((value) => value % 3 === 2)),
        fc.constantFrom(1, 2, 3).filter((value) => value === 2),
        fc.integer({ min: 0, max: 2 }).filter((value) => value === 1),
      ]) {
        const tape = tapeOf(() => constant)
        const value = drawn(arbitrary as fc.Arbitrary<unknown>, tape.next)
        expect(tape.reads).toBeLessThanOrEqual(256)
        expect(drawn(arbitrary as fc.Arbitrary<unknown>, () => constant)).toStrictEqual(value)
      }
    },
  )

  test('no more than the limit is read, and what follows depends on what was read', () => {
    const list = inputOf(z.array(z.int()).min(30), { size: 100 })
    const values = [1, 2, 3].map((seed) => {
      const tape = tapeOf(chance(seed))
      const value = drawn(list, tape.next, { limit: 4 })
      expect(tape.reads).toBe(4)
      return JSON.stringify(value)
    })
    expect(new Set(values).size).toBe(3)
    expect(() => drawn(list, () => 0, { limit: 0 })).toThrow(RangeError)
  })

  test('arbitraries that copy their chance for later read nothing of the tape for it', () => {
    const tape = tapeOf(chance(9))
    const [number, stream] = drawn(fc.tuple(fc.nat(), fc.infiniteStream(fc.nat())), tape.next)
    const { reads } = tape
    expect(number).toBeTypeOf('number')
    expect([...stream.take(5)]).toHaveLength(5)
    expect(tape.reads).toBe(reads)
  })
})
