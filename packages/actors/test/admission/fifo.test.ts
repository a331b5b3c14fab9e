import { describe, expect, test } from 'vitest'
import { append, EMPTY_FIFO, find, headOf, without, withoutHead, withoutOverdue } from '../../src/admission/fifo.ts'
import type { Fifo, Waiter } from '../../src/admission/fifo.ts'

function waiterOf(serial: number): Waiter {
  return { id: `E${serial}`, at: serial, deadline: 1_000 - (serial % 97), ttlMs: 1, serial }
}

function idsOf({ chunks }: Fifo): string[] {
  return chunks.flat().map(({ id }) => id)
}

describe('a list of those that wait', () => {
  test('is the same as a plain array, whatever is done to it, and leaves what it was as it was', () => {
    let fifo = EMPTY_FIFO
    let plain: Waiter[] = []
    let state = 42
    const draw = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    for (let serial = 1; serial <= 3_000; serial += 1) {
      const before = fifo
      const idsBefore = serial % 100 === 0 ? idsOf(before) : []
      const what = draw(10)
      if (what < 6) {
        fifo = append(fifo, waiterOf(serial))
        plain = plain.concat(waiterOf(serial))
      } else if (what < 8) {
        expect(headOf(fifo)).toEqual(plain[0])
        fifo = withoutHead(fifo)
        plain = plain.slice(1)
      } else {
        const id = plain[draw(plain.length + 1)]?.id ?? 'nobody'
        const position = plain.findIndex((waiter) => waiter.id === id) + 1
        expect(find(fifo, id)?.position ?? 0).toBe(position)
        fifo = without(fifo, id)
        plain = plain.filter((waiter) => waiter.id !== id)
      }
      expect(fifo.size).toBe(plain.length)
      if (serial % 100 !== 0) continue
      expect(fifo.chunks.flat()).toEqual(plain)
      expect(fifo.chunks.every((chunk) => chunk.length > 0)).toBe(true)
      expect(idsOf(before)).toEqual(idsBefore)
      expect(fifo.quietUntil).toBeLessThanOrEqual(Math.min(Infinity, ...plain.map(({ deadline }) => deadline)))
    }
    const isOverdue = ({ deadline }: Waiter): boolean => deadline <= 950
    const { kept, overdue } = withoutOverdue(fifo, 950)
    expect(kept.chunks.flat()).toEqual(plain.filter((waiter) => !isOverdue(waiter)))
    expect(overdue).toEqual(plain.filter(isOverdue))
    expect(kept.quietUntil).toBe(951)
    expect(withoutOverdue(kept, 950).kept).toBe(kept)
  })
})
