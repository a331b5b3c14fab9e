import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkBank } from '../../src/histories/bank.ts'
import { InvalidHistory } from '../../src/histories/history.ts'
import { expectAnomaly, Recording } from './recording.ts'

describe('small histories of a bank', () => {
  test('reads that add up are fine', () => {
    const { history } = new Recording().call(1, 'transfer', { from: 'a', to: 'b', amount: 3 }).call(2, 'read', null, { a: 7, b: 3 })
    expect(checkBank(history, { total: 10, accounts: ['a', 'b'] })).toEqual({ ok: true, reads: 1, transfers: 1 })
  })

  test('a wrong total names the read, what it saw, and the transfers under way', () => {
    const { history } = new Recording()
      .call(3, 'transfer', { amount: 1 })
      .invoke(1, 'transfer', { amount: 3 })
      .call(2, 'read', null, { a: 7, b: 0 })
      .ok(1, 'transfer')
    const words = ['read 3 (process 2) saw a 7, b 0', '7 in all instead of 10', '2 (process 1: {"amount":3})']
    const verdict = checkBank(history, { total: 10 })
    expectAnomaly(verdict, 'wrong-total', ...words)
    expect(verdict.ok ? '' : verdict.problem).not.toContain('"amount":1')
  })

  test('a balance below zero is wrong unless it is allowed', () => {
    const { history } = new Recording().call(2, 'read', null, { a: 12, b: -2 })
    expectAnomaly(checkBank(history, { total: 10 }), 'negative-balance', 'b -2')
    expect(checkBank(history, { total: 10, allowNegative: true })).toMatchObject({ ok: true })
  })

  test('a missing and an unknown account are named, if accounts are', () => {
    const { history } = new Recording().call(2, 'read', null, { a: 5, c: 5 })
    expectAnomaly(checkBank(history, { total: 10, accounts: ['a', 'b'] }), 'wrong-accounts', 'b, c')
    expect(checkBank(history, { total: 10 })).toMatchObject({ ok: true })
  })

  test('replies that are no balances are no history', () => {
    for (const reply of [5, null, { a: 'x' }]) {
      expect(() => checkBank(new Recording().call(1, 'read', null, reply).history, { total: 1 })).toThrow(InvalidHistory)
    }
  })
})

test('random transfers keep the total at every moment; one that is seen half does not', () => {
  const transfer = fc.record({ from: fc.nat({ max: 3 }), to: fc.nat({ max: 3 }), amount: fc.integer({ min: 1, max: 5 }) })
  let planted = 0
  fc.assert(
    fc.property(fc.array(transfer, { minLength: 5, maxLength: 40 }), fc.nat({ max: 39 }), (transfers, half) => {
      const right = new Recording()
      const wrong = new Recording()
      const balances = [25, 25, 25, 25]
      let isPlanted = false
      for (const [position, { from, to, amount }] of transfers.entries()) {
        const isDone = (balances[from] ?? 0) >= amount
        const input = { from, to, amount }
        if (isDone) balances[from] = (balances[from] ?? 0) - amount
        const between = { ...balances }
        if (isDone) balances[to] = (balances[to] ?? 0) + amount
        right.call(1, 'transfer', input, null, isDone ? 'ok' : 'fail').call(2, 'read', null, { ...balances })
        const isHalf = isDone && position === half
        isPlanted ||= isHalf
        wrong.call(1, 'transfer', input, null, isDone ? 'ok' : 'fail').call(2, 'read', null, isHalf ? between : { ...balances })
      }
      expect(checkBank(right.history, { total: 100 })).toMatchObject({ ok: true, reads: transfers.length })
      if (!isPlanted) return
      planted += 1
      expectAnomaly(checkBank(wrong.history, { total: 100 }), 'wrong-total', `read ${half * 4 + 2} (process 2)`)
    }),
    { numRuns: 200 },
  )
  expect(planted).toBeGreaterThan(40)
})
