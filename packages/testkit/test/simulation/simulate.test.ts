import { simulate, explore, FAULT_KINDS, SimulationFailed } from '@bailiwick/testkit'
import type { SimulationOptions } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { wallet } from './wallets.ts'

/** Two clients that read, add one, and write: the oldest mistake. */
const lostUpdate: SimulationOptions = {
  actors: [wallet],
  scenario: async (world) => {
    await world.together(2, async (client) => {
      const { ask } = client.actor(wallet, 'alice')
      const balance = await ask.balance()
      await ask.set({ to: balance + 1 })
    })
  },
  check: async (world) => {
    expect(await world.system.actor(wallet, 'alice').ask.balance()).toBe(2)
  },
}

describe('simulate', () => {
  test('the same seed gives the same runs, and another seed gives others', async () => {
    const options: SimulationOptions = { ...lostUpdate, check: () => undefined, schedules: 50, faults: 'all', scenario: careless }
    const [one, again, other] = [await explore(options), await explore(options), await explore({ ...options, seed: 2 })]
    expect(again).toEqual(one)
    expect(other.steps).not.toBe(one.steps)
  })

  test('finds a lost update, makes it smaller, and the schedule plays it again a hundred times of a hundred', async () => {
    const { failure } = await explore(lostUpdate)
    expect(failure?.error.message).toContain('expected 1 to be 2')
    for (let times = 0; times < 100; times += 1) {
      const again = await explore({ ...lostUpdate, replay: failure?.schedule ?? '' })
      expect(again.failure?.error.message).toBe(failure?.error.message)
      expect(again.failure?.schedule).toBe(failure?.schedule)
    }
  })

  test('what fails is an error that says the seed, the sizes, the schedule and the history', async () => {
    const error = await simulate(lostUpdate).catch((error_: unknown) => error_)
    expect(error).toBeInstanceOf(SimulationFailed)
    expect(String(error)).toMatch(/Run \d+ of seed 1 \([a-z0-9 ]+\) failed/)
    expect(String(error)).toContain("replay: '")
    expect(String(error)).toMatch(/invoke {2}wallet\/alice set {"to":1}/)
  })

  test('every kind of fault strikes that can strike, and what is acknowledged survives them', async () => {
    const report = await simulate({
      actors: [wallet],
      shards: 2,
      schedules: 1_500,
      faults: 'all',
      scenario: async (world) => {
        await world.together(2, async (client, index) => {
          const { ask } = client.actor(wallet, `own ${index}`)
          for (let number = 1; number <= 2; number += 1) {
            const answer = await client.retry(() => ask.deposit({ amount: 1 }, { idempotencyKey: `${number}` }))
            world.always('a deposit counts once', answer === number, { answer, number })
          }
        })
      },
      check: async (world) => {
        for (const key of ['own 0', 'own 1']) expect(await world.system.actor(wallet, key).ask.balance()).toBe(2)
      },
    })
    // There are no turns and no messages between shards here.
    const absent = new Set(['deaf-turn', 'lost-message', 'duplicate-message', 'delayed-message'])
    for (const kind of FAULT_KINDS) if (!absent.has(kind)) expect([kind, report.faults[kind] > 0]).toEqual([kind, true])
    expect(report.distinct).toBeGreaterThan(1_000)
  })
})

async function careless(world: Parameters<SimulationOptions['scenario']>[0]): Promise<void> {
  await world.together(2, async (client) => {
    await client
      .actor(wallet, 'alice')
      .ask.deposit({ amount: 1 })
      .catch(() => undefined)
  })
}
