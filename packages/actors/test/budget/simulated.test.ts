/** Budgets against a plain model of them, on virtual time and under schedules and faults. */
import { inputOf, simulate, simulateModel, TestWorld } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Budget } from '../../src/budget/budget.ts'
import { defineBudget } from '../../src/budget/define-budget.ts'
import { chance } from '../fixtures/chance.ts'
import { timeless } from '../fixtures/timeless.ts'
import { nextLapse, reduceBudget } from './model.ts'
import type { ModelState, ModelStep } from './model.ts'

const MONTH_MS = 30 * 24 * 3_600_000
const TOTAL = 20
const tight = { reserveDefault: 3, openMax: 3, endedMax: 3 }
const EMPTY: ModelState = { total: TOTAL, spent: 0, entries: [] }
const IDS = ['a', 'b', 'c', 'd', 'e', 'f']

function stepOf(draw: (below: number) => number): ModelStep {
  const id = IDS[draw(IDS.length)] ?? ''
  switch (draw(9)) {
    case 0:
    case 1:
    case 2:
      return {
        command: 'reserve',
        input: { id, ...(draw(2) === 0 ? {} : { amount: 1 + draw(12) }), ...(draw(2) === 0 ? {} : { ttlMs: 1 + draw(8) }) },
      }
    case 3:
    case 4:
      return { command: 'record', input: { id, actual: draw(8) } }
    case 5:
      return { command: 'release', input: { id } }
    case 6:
      return { command: 'renew', input: { id, ...(draw(2) === 0 ? {} : { ttlMs: 1 + draw(8) }) } }
    case 7:
      return { command: 'responseMode', input: { asked: (['raw', 'table', 'summary', 'handle-only'] as const)[draw(4)] ?? 'raw' } }
    default:
      return draw(4) === 0 ? { command: 'resize', input: { total: 1 + draw(30) } } : { command: 'balance', input: {} }
  }
}

describe('a budget and its model', () => {
  test('agree on every reply, whenever leases are over, and the timer is always set for the next one', { timeout: 60_000 }, async () => {
    const options = { ...tight, ttlMs: 5 }
    const walked = timeless(defineBudget({ type: 'walked', module: import.meta.url, total: TOTAL, ...options }))
    for (let seed = 1; seed <= 40; seed += 1) {
      const draw = chance(seed)
      const world = new TestWorld()
      let system = await world.open({ actors: [walked] })
      let state = EMPTY
      for (let number = 0; number < 40; number += 1) {
        await world.advance([0, 0, 1, 2, 5][draw(5)] ?? 0)
        if (draw(10) === 0) {
          world.crash()
          system = await world.open({ actors: [walked] })
        }
        const ref = system.actor(walked, 's')
        const step = stepOf(draw)
        const methods = ref.ask as Readonly<Record<string, (input: unknown) => Promise<unknown>>> // By name, as the definition has them.
        const reply = await methods[step.command]?.(step.input)
        const reduced = reduceBudget(state, step, options, world.clock.wall())
        state = reduced.state
        expect(reply, `seed ${seed}, step ${number}: ${JSON.stringify(step)}`).toEqual(reduced.reply)
        const timers = (await ref.timers()).map(({ dueAt }) => dueAt)
        expect(timers, `seed ${seed}, step ${number}`).toEqual([nextLapse(state)].filter((moment) => moment !== undefined))
      }
      await world.close()
    }
  })

  test('W14 agree under faults of every kind, in some order of the calls', { timeout: 60_000 }, async () => {
    const options = { ...tight, ttlMs: MONTH_MS }
    const month = inputOf(z.literal(MONTH_MS))
    const id = inputOf(z.enum(['a', 'b', 'c', 'd']))
    const actual = inputOf(z.number().int().min(0).max(8))
    await simulateModel({
      actor: timeless(defineBudget({ type: 'long', module: import.meta.url, total: TOTAL, ...options })),
      schedules: 200,
      model: {
        initial: EMPTY,
        reduce: (state, step) => reduceBudget(state, step, options, 0),
      },
      generate: {
        weights: { reserve: 4, record: 3 },
        override: {
          reserve: { id, ttlMs: month, amount: inputOf(z.number().int().min(1).max(12)) },
          record: { id, actual },
          release: { id },
          renew: { id, ttlMs: month },
          resize: { total: inputOf(z.number().int().min(1).max(30)) },
        },
      },
    })
  })
})

describe('under faults of every kind', () => {
  test(
    'W14 all that was charged was recorded once, what holders left behind comes back, and no more is granted than there is',
    { timeout: 60_000 },
    async () => {
      const leased = defineBudget({ type: 'leased', module: import.meta.url, total: TOTAL, ttlMs: 1_000, reserveDefault: 8 })
      let charged = 0
      let overshoot = 0
      let lost = 0
      let largest = 0
      await simulate({
        actors: [leased],
        shards: 2,
        schedules: 250,
        faults: 'all',
        scenario: async (world) => {
          charged = 0
          overshoot = 0
          lost = 0
          largest = 0
          await world.together(3, async (client, index) => {
            const budget = new Budget(client, leased)
            for (const number of [0, 1]) {
              const id = `${index}.${number}`
              if (!world.keeps(id)) continue
              const reserved = await client.retry(async () => await budget.reserve('s', { id }))
              world.sometimes('nothing remains', reserved.outcome === 'exhausted')
              largest = Math.max(largest, reserved.balance.used + reserved.balance.reserved)
              if (reserved.outcome !== 'granted') continue
              // Some forget their reservation, some come too late.
              const fate = world.draw(`fate ${id}`, 5)
              await client.sleep([0, 0, 1, 1_000][world.draw(`work ${id}`, 4)] ?? 0)
              if (fate === 0) continue
              if (fate === 1) {
                await client.retry(async () => await budget.release('s', id))
                continue
              }
              const actual = world.draw(`cost ${id}`, reserved.granted + 1)
              for (let times = 0; times < (fate === 2 ? 2 : 1); times += 1) {
                const recorded = await client.retry(async () => await budget.record('s', id, actual))
                if (times > 0) continue
                charged += recorded.charged
                overshoot += recorded.overshoot
                if (recorded.outcome === 'lost') lost += 1
                world.sometimes('a record comes too late', recorded.outcome === 'lost')
                world.sometimes('a record comes in time', recorded.outcome === 'recorded')
                world.always('what was known is charged', recorded.charged + recorded.overshoot === actual, recorded)
              }
            }
          })
          await world.sleep(1_001)
        },
        check: async (world) => {
          const { context } = await world.system.actor(leased, 's').snapshot()
          const balance = await new Budget(world.system, leased).balance('s')
          expect(balance).toEqual({ total: TOTAL, used: charged, reserved: 0, remaining: TOTAL - charged, overshoot })
          expect(context.open).toEqual([])
          expect(context.alarmAt).toBeNull()
          if (lost === 0) expect(largest).toBeLessThanOrEqual(TOTAL)
        },
      })
    },
  )
})
