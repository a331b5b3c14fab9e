/** Budgets on virtual time, and their definitions. */
import type { System } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Budget } from '../../src/budget/budget.ts'
import { defineBudget } from '../../src/budget/define-budget.ts'
import type { BudgetDefinition, BudgetOptions } from '../../src/budget/define-budget.ts'
import { escalateResponseMode, RESPONSE_MODES } from '../../src/budget/response-mode.ts'
import { small, tokens } from '../fixtures/limits.actor.ts'

async function setUp(...actors: readonly BudgetDefinition[]): Promise<{ world: TestWorld; open: () => Promise<System> }> {
  const world = new TestWorld()
  onTestFinished(async () => await world.close())
  return { world, open: async () => await world.open({ actors }) }
}

/** Reserves without further ado. Throws where nothing is granted. */
async function granted(budget: Budget, key: string, amount?: number): Promise<string> {
  const outcome = await budget.reserve(key, amount === undefined ? {} : { amount })
  if (outcome.outcome !== 'granted') throw new Error(`It was ${outcome.outcome}.`)
  return outcome.id
}

describe('a budget', () => {
  test('W14 what is reserved is what was asked for, or what remains; nothing is granted once nothing remains', async () => {
    const { open } = await setUp(tokens)
    const budget = new Budget(await open(), tokens)
    expect(await budget.reserve('s')).toMatchObject({ outcome: 'granted', granted: 4_000, balance: { reserved: 4_000, remaining: 6_000 } })
    expect(await budget.reserve('s', { amount: 4_000 })).toMatchObject({ granted: 4_000 })
    expect(await budget.reserve('s')).toMatchObject({ granted: 2_000, balance: { remaining: 0 } })
    expect(await budget.reserve('s', { amount: 1 })).toEqual({
      outcome: 'exhausted',
      balance: { total: 10_000, used: 0, reserved: 10_000, remaining: 0, overshoot: 0 },
    })
  })

  test('recording returns the reservation and takes what it has cost, less or more than was reserved', async () => {
    const { open } = await setUp(tokens)
    const budget = new Budget(await open(), tokens)
    expect(await budget.record('s', await granted(budget, 's', 1_000), 400)).toMatchObject({
      outcome: 'recorded',
      charged: 400,
      overshoot: 0,
      balance: { used: 400, reserved: 0, remaining: 9_600 },
    })
    expect(await budget.record('s', await granted(budget, 's', 1_000), 3_000)).toMatchObject({ charged: 3_000, balance: { used: 3_400 } })
    // Beyond the total nothing is taken: what was beyond it is told, and kept apart.
    expect(await budget.record('s', await granted(budget, 's', 1_000), 9_000)).toMatchObject({
      charged: 6_600,
      overshoot: 2_400,
      balance: { used: 10_000, remaining: 0, overshoot: 2_400 },
    })
    expect(await budget.resize('s', 13_000)).toMatchObject({ used: 12_400, remaining: 600, overshoot: 0 })
  })

  test('every call that is repeated with its id takes effect once and is answered as before, also after a crash', async () => {
    const { world, open } = await setUp(tokens)
    const first = new Budget(await open(), tokens)
    const one = await first.reserve('s', { id: 'one', amount: 10 })
    expect(await first.reserve('s', { id: 'one', amount: 10 })).toEqual(one)
    await first.reserve('s', { id: 'two', amount: 10 })
    world.crash()
    const second = new Budget(await open(), tokens)
    expect(await second.reserve('s', { id: 'one', amount: 99 })).toMatchObject({
      outcome: 'granted',
      granted: 10,
      balance: { reserved: 20 },
    })
    const recorded = await second.record('s', 'one', 7)
    expect(await second.record('s', 'one', 7)).toEqual(recorded)
    expect(await second.record('s', 'one', 999)).toEqual(recorded)
    const released = await second.release('s', 'two')
    expect(await second.release('s', 'two')).toEqual(released)
    expect(await second.balance('s')).toMatchObject({ used: 7, reserved: 0 })
    expect(await second.reserve('s', { id: 'one' })).toMatchObject({ outcome: 'ended', end: 'recorded' })
    expect(await second.release('s', 'one')).toMatchObject({ outcome: 'lost', reason: 'recorded' })
    expect(await second.record('s', 'two', 5)).toMatchObject({ outcome: 'lost', reason: 'released', charged: 0 })
    expect(await second.record('s', 'three', 5)).toMatchObject({ outcome: 'lost', reason: 'unknown', charged: 0 })
    expect(await second.balance('s')).toMatchObject({ used: 7, reserved: 0 })
  })

  test('W14 a reservation whose holder is gone comes back when its lease is over, by a timer that survives a crash', async () => {
    const { world, open } = await setUp(tokens)
    const before = new Budget(await open(), tokens)
    await before.reserve('s', { ttlMs: 5_000, amount: 10_000 })
    world.crash()
    const system = await open()
    await world.advance(4_999)
    expect(await new Budget(system, tokens).balance('s')).toMatchObject({ reserved: 10_000, remaining: 0 })
    expect((await system.actor(tokens, 's').timers()).map(({ name }) => name)).toEqual(['lease'])
    await world.advance(1)
    // Nobody has asked: it was the timer.
    expect((await system.actor(tokens, 's').snapshot()).context).toMatchObject({ open: [], alarmAt: null })
    expect(await new Budget(system, tokens).reserve('s')).toMatchObject({ outcome: 'granted', granted: 4_000 })
  })

  test('a lease that is renewed counts on; it is never made shorter', async () => {
    const { world, open } = await setUp(small)
    const budget = new Budget(await open(), small)
    const id = await granted(budget, 's', 10)
    await world.advance(999)
    expect(await budget.renew('s', id)).toMatchObject({ outcome: 'renewed', expiresAt: world.clock.wall() + 1_000 })
    expect(await budget.renew('s', id, 1)).toMatchObject({ outcome: 'renewed', expiresAt: world.clock.wall() + 1_000 })
    await world.advance(999)
    expect(await budget.balance('s')).toMatchObject({ reserved: 10 })
    await world.advance(1)
    expect(await budget.renew('s', id)).toMatchObject({ outcome: 'lost', reason: 'lapsed' })
    expect(await budget.balance('s')).toMatchObject({ reserved: 0 })
  })

  test('what is recorded after the lease is lost, but charged: it was spent. Once, however often it is told', async () => {
    const { world, open } = await setUp(small)
    const budget = new Budget(await open(), small)
    const id = await granted(budget, 's', 300)
    await world.advance(1_000)
    const other = await granted(budget, 's', 900)
    const late = await budget.record('s', id, 250)
    expect(late).toMatchObject({ outcome: 'lost', reason: 'lapsed', charged: 250, overshoot: 0 })
    // Others were granted what had come back: for a while there is less than nothing left, which is nothing.
    expect(late.balance).toMatchObject({ used: 250, reserved: 900, remaining: 0 })
    expect(await budget.record('s', id, 250)).toEqual(late)
    expect(await budget.record('s', other, 900)).toMatchObject({ outcome: 'recorded', charged: 750, overshoot: 150 })
  })

  test('open reservations are bounded, and so is what is remembered of ended ones', async () => {
    const { open } = await setUp(small)
    const system = await open()
    const budget = new Budget(system, small)
    const ids = [await granted(budget, 's', 1), await granted(budget, 's', 1), await granted(budget, 's', 1)]
    expect(await budget.reserve('s', { amount: 1 })).toMatchObject({ outcome: 'full', open: 3, balance: { remaining: 997 } })
    for (const id of ids) await budget.release('s', id)
    expect((await system.actor(small, 's').snapshot()).context.ended).toHaveLength(2)
    // The one that is forgotten is unknown, and charges nothing.
    expect(await budget.record('s', ids[0] ?? '', 1)).toMatchObject({ outcome: 'lost', reason: 'unknown', charged: 0 })
  })

  test('budgets are apart, and have what their key gives them', async () => {
    const { open } = await setUp(small)
    const budget = new Budget(await open(), small)
    expect(await budget.reserve('poor')).toMatchObject({ granted: 10 })
    expect(await budget.balance(['rich', 'today'])).toMatchObject({ total: 1_000, reserved: 0 })
  })

  test('below what is used and reserved nothing more is granted, and no reservation is taken back', async () => {
    const { open } = await setUp(tokens)
    const budget = new Budget(await open(), tokens)
    const id = await granted(budget, 's', 5_000)
    expect(await budget.resize('s', 2_000)).toMatchObject({ total: 2_000, reserved: 5_000, remaining: 0 })
    expect(await budget.reserve('s')).toMatchObject({ outcome: 'exhausted' })
    expect(await budget.record('s', id, 1_500)).toMatchObject({ outcome: 'recorded', charged: 1_500 })
    expect(await budget.reserve('s')).toMatchObject({ granted: 500 })
  })
})

describe('response modes', () => {
  test('W15 at exactly 50 %, 20 %, 5 % and below 5 %: table, summary, summary, handle-only', async () => {
    const { open } = await setUp(tokens)
    const budget = new Budget(await open(), tokens)
    const seen: unknown[] = [await budget.responseMode('s', 'raw')]
    for (const spent of [4_999, 1, 2_999, 1, 1_499, 1, 1]) {
      await budget.record('s', await granted(budget, 's', 1), spent)
      const { mode, balance } = await budget.responseMode('s', 'raw')
      seen.push([balance.remaining, mode])
    }
    expect(seen).toEqual([
      { mode: 'raw', balance: { total: 10_000, used: 0, reserved: 0, remaining: 10_000, overshoot: 0 } },
      [5_001, 'raw'],
      [5_000, 'table'],
      [2_001, 'table'],
      [2_000, 'summary'],
      [501, 'summary'],
      [500, 'summary'],
      [499, 'handle-only'],
    ])
  })

  test('W15 a mode is never more generous than the one that was asked for, whatever remains', () => {
    for (let remaining = 0; remaining <= 1_000; remaining += 1) {
      const modes = RESPONSE_MODES.map((asked) => escalateResponseMode(asked, { total: 1_000, remaining }))
      for (const [index, mode] of modes.entries()) expect(RESPONSE_MODES.indexOf(mode)).toBeGreaterThanOrEqual(index)
    }
  })
})

describe('definitions', () => {
  const wrong: readonly (readonly [string, Partial<BudgetOptions<'wrong'>>])[] = [
    ['total', { total: 0 }],
    ['reserveDefault', { reserveDefault: 0.5 }],
    ['ttlMs', { ttlMs: 0 }],
    ['openMax', { openMax: 0 }],
    ['endedMax', { endedMax: 0 }],
    ['leaseMs', { leaseMs: 5 } as object],
  ]
  test.each(wrong)('are checked as a whole: %s', (field, options) => {
    const wanted = { code: 'INVALID_DEFINITION', definition: 'wrong', field }
    expect(() => defineBudget({ type: 'wrong', module: import.meta.url, total: 1, ...options })).toThrow(expect.objectContaining(wanted))
  })
})
