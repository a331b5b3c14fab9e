import { describe, expect, test } from 'vitest'
import {
  complete,
  completionsOf,
  EMPTY,
  holds,
  release,
  renew,
  reserve,
  standingOf,
  standingOfOwner,
} from '../../src/idempotency/ledger.ts'
import type { KeptOutcome, Ledger } from '../../src/idempotency/ledger.ts'
import { checkRules } from '../../src/idempotency/rules.ts'
import type { EndpointRules } from '../../src/idempotency/rules.ts'

const outcome: KeptOutcome = { kind: 'response', response: { status: 201, headers: {}, body: 'x', encoding: 'text' } }

function ledgerOf(options: EndpointRules) {
  const rules = checkRules('test', options)
  let ledger: Ledger = EMPTY
  return {
    get ledger() {
      return ledger
    },
    look: (name: string, at: number, fingerprint = 'f') => standingOf(ledger, { name, fingerprint, at }, rules),
    reserve: (name: string, at: number, owner = name) => {
      ledger = reserve(ledger, { name, fingerprint: 'f', owner, at }, rules)
      return standingOfOwner(ledger, { name, fingerprint: 'f', owner, at }, rules)
    },
    renew: (name: string, epoch: number, at: number) => {
      ledger = renew(ledger, name, epoch, at, rules)
    },
    complete: (name: string, epoch: number, at: number, bytes = 1) => {
      ledger = complete(ledger, { name, epoch, outcome, bytes, at }, rules)
      return holds(ledger, name, epoch, 'completed')
    },
    release: (name: string, epoch: number) => {
      ledger = release(ledger, name, epoch)
    },
    done: (name: string, at: number, bytes = 1) => {
      const at_ = ledger.epoch + 1
      ledger = reserve(ledger, { name, fingerprint: 'f', owner: name, at }, rules)
      ledger = complete(ledger, { name, epoch: at_, outcome, bytes, at }, rules)
    },
    names: () => [...Object.keys(ledger.inProgress), ...completionsOf(ledger).map(([name]) => name)].sort(),
  }
}

describe('the ledger of an endpoint', () => {
  test('T08: an answer is replayed until its time is over, counted from completion, and gone at that moment', () => {
    const book = ledgerOf({ ttlMs: 1_000, leaseMs: 500 })
    book.reserve('a', 0)
    book.renew('a', 1, 400)
    book.complete('a', 1, 800)
    expect(book.look('a', 1_799).outcome).toBe('completed')
    expect(book.look('a', 1_800).outcome).toBe('free')
    expect(book.reserve('a', 1_800)).toMatchObject({ outcome: 'owner', epoch: 2 })
    expect(book.ledger).toMatchObject({ completed: 0, bytes: 0 })
  })

  test('a lease is over at the moment at which it ends, and the next owner has a larger epoch', () => {
    const book = ledgerOf({ leaseMs: 500 })
    book.reserve('a', 0, 'first')
    expect(book.reserve('a', 499, 'second')).toMatchObject({ outcome: 'in-progress', leaseUntil: 500 })
    expect(book.reserve('a', 500, 'second')).toMatchObject({ outcome: 'owner', epoch: 2 })
    expect(book.complete('a', 1, 510)).toBe(false)
    expect(book.complete('a', 2, 510)).toBe(true)
  })

  test('an owner whose lease is over but not taken may still renew and complete', () => {
    const book = ledgerOf({ leaseMs: 500 })
    book.reserve('a', 0)
    book.renew('a', 1, 600)
    expect(book.look('a', 1_099).outcome).toBe('in-progress')
    expect(book.complete('a', 1, 2_000)).toBe(true)
  })

  test('epochs are never given again, so an old owner is known after release, oblivion and a new reservation', () => {
    const book = ledgerOf({ leaseMs: 500 })
    book.reserve('a', 0, 'first')
    book.reserve('a', 500, 'second')
    book.release('a', 1)
    expect(book.look('a', 501).outcome).toBe('in-progress')
    book.release('a', 2)
    expect(book.look('a', 501).outcome).toBe('free')
    expect(book.reserve('a', 502, 'third')).toMatchObject({ epoch: 3 })
    expect(book.complete('a', 1, 503)).toBe(false)
    book.release('a', 1)
    expect(book.look('a', 504).outcome).toBe('in-progress')
  })

  test('the repeat of a reservation is the same reservation', () => {
    const book = ledgerOf({})
    expect(book.reserve('a', 0, 'me')).toEqual(book.reserve('a', 0, 'me'))
    expect(book.ledger.epoch).toBe(1)
  })

  test('T07: of five that are completed the oldest goes for a new one; of five in progress none', () => {
    const full = ledgerOf({ keysMax: 5 })
    for (const name of ['c', 'a', 'e', 'b', 'd']) full.done(name, 10)
    full.reserve('new', 11)
    expect(full.names()).toEqual(['a', 'b', 'd', 'e', 'new'])

    const busy = ledgerOf({ keysMax: 5 })
    for (const name of ['a', 'b', 'c', 'd', 'e', 'new']) busy.reserve(name, 0)
    expect(busy.names()).toEqual(['a', 'b', 'c', 'd', 'e', 'new'])
    busy.complete('c', 3, 1)
    expect(busy.names()).toHaveLength(6)
    busy.reserve('newer', 2)
    expect(busy.names()).toEqual(['a', 'b', 'd', 'e', 'new', 'newer'])
  })

  test('what an owner has left goes before answers, and what is over before anything else', () => {
    const book = ledgerOf({ keysMax: 3, leaseMs: 100, ttlMs: 1_000 })
    book.reserve('left', 0)
    book.done('old', 50)
    book.done('newer', 60)
    book.reserve('x', 200)
    expect(book.names()).toEqual(['newer', 'old', 'x'])
    book.reserve('y', 1_055)
    expect(book.names()).toEqual(['newer', 'x', 'y'])
  })

  test('what is over goes now and then, also where no bound is reached', () => {
    const book = ledgerOf({ ttlMs: 1_000, leaseMs: 100 })
    book.reserve('left', 0)
    for (let number = 1; number < 64; number += 1) book.done(`early ${number}`, 10)
    expect(book.names()).toHaveLength(64)
    book.done('late', 1_100)
    expect(book.names()).toEqual(['late'])
    expect(book.ledger).toMatchObject({ completed: 1, bytes: 1, inProgress: {} })
  })

  test('the bytes of all answers have a bound; the latest answer stays', () => {
    const book = ledgerOf({ responseBytesMax: 60, keptBytesMax: 100 })
    book.done('a', 0, 60)
    book.done('b', 1, 40)
    expect(book.names()).toEqual(['a', 'b'])
    book.done('c', 2, 60)
    expect(book.names()).toEqual(['b', 'c'])
  })

  test('so many may be in progress, and no more', () => {
    const book = ledgerOf({ inProgressMax: 2, leaseMs: 100 })
    book.reserve('a', 0)
    book.reserve('b', 0)
    expect(book.reserve('c', 50).outcome).toBe('full')
    expect(book.reserve('c', 100).outcome).toBe('owner')
  })

  test('another payload under the same key is a conflict, as long as the key is remembered', () => {
    const book = ledgerOf({ leaseMs: 100, ttlMs: 1_000 })
    book.reserve('a', 0)
    expect(book.look('a', 50, 'other').outcome).toBe('conflict')
    expect(book.look('a', 500, 'other').outcome).toBe('conflict')
    expect(book.look('a', 1_100, 'other').outcome).toBe('free')
  })
})

describe('the rules of an endpoint', () => {
  test.each<[object, string]>([
    [{ leaseMs: 29 }, 'leaseMs'],
    [{ ttlMs: 0 }, 'ttlMs'],
    [{ waitMs: -1 }, 'waitMs'],
    [{ keysMax: 1.5 }, 'keysMax'],
    [{ keptBytesMax: 10 }, 'keptBytesMax'],
    [{ headers: ['Set-Cookie'] }, 'headers'],
    [{ headers: ['a b'] }, 'headers'],
    [{ lease: 5 }, 'lease'],
  ])('%o is refused, naming the field', (options, field) => {
    expect(() => checkRules('test', options)).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION', field }))
  })

  test('T06: 2xx, 3xx and deterministic 4xx are kept; what may be different the next time is not', () => {
    const { keeps } = checkRules('test', {})
    const kept = [200, 201, 204, 303, 400, 401, 403, 404, 410, 422]
    const passing = [408, 409, 425, 429, 500, 502, 503, 504]
    expect(kept.filter((status) => !keeps(status))).toEqual([])
    expect(passing.filter((status) => keeps(status))).toEqual([])
  })
})
