/** What people get wrong when they simulate, and what they are told. */
import { command, defineActor } from '@bailiwick/kernel'
import { explore, InvalidSimulation, simulate } from '@bailiwick/testkit'
import type { SimulationOptions } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { fromTransition } from 'xstate'
import { wallet } from './wallets.ts'

const deposit: SimulationOptions = {
  actors: [wallet],
  schedules: 20,
  scenario: async (world) => {
    await world.client().actor(wallet, 'a').ask.deposit({ amount: 1 })
  },
}

/** The error with which the first run fails. */
async function errorOf(options: Partial<SimulationOptions>): Promise<string> {
  const { failure } = await explore({ ...deposit, ...options })
  return failure === undefined ? 'none' : `${failure.error.name}: ${failure.error.message}`
}

/** An actor that does something in its transition, and a client that has it do so. */
function doing(does: () => unknown): Pick<SimulationOptions, 'actors' | 'scenario'> {
  const logic = fromTransition((state: object) => {
    does()
    return state
  }, {})
  const actor = defineActor({ type: 'doer', module: import.meta.url, logic, commands: { act: command() } })
  return { actors: [actor], scenario: async (world) => await world.client().actor(actor, 'a').ask.act() }
}

describe('a forgotten await', () => {
  test('is found and named, whether what it forgets would fail or not', async () => {
    const forgetful = async (world: Parameters<SimulationOptions['scenario']>[0]): Promise<void> => {
      void world.client().actor(wallet, 'a').ask.deposit({ amount: 1 })
      await world.sleep(0)
      void world.client('the forgotten').actor(wallet, 'b').ask.deposit({ amount: 99 })
    }
    expect(await errorOf({ scenario: forgetful })).toBe(
      'ScenarioLeft: The scenario ended: client 1 has called ask wallet/a deposit; the forgotten has called ask wallet/b deposit, ' +
        'and nobody has awaited that. Is an await missing?',
    )
  })

  test('of all clients together is found as well', async () => {
    const scenario: SimulationOptions['scenario'] = async (world) => {
      void world.together(2, async (client) => {
        await client.actor(wallet, 'a').ask.deposit({ amount: 1 })
      })
      await world.sleep(0)
    }
    expect(await errorOf({ scenario })).toContain('ScenarioLeft: The scenario ended: clients were set to work together')
  })

  test('is not what a caller does who gives up: what was awaited may be left behind', async () => {
    const scenario: SimulationOptions['scenario'] = async (world) => {
      const client = world.client()
      await Promise.race([client.actor(wallet, 'a').ask.deposit({ amount: 1 }), client.sleep(0)])
    }
    expect(await errorOf({ scenario })).toBe('none')
  })
})

describe('a test that shows nothing', () => {
  test.for<readonly [string, Partial<SimulationOptions>, RegExp]>([
    ['a scenario that does nothing', { scenario: async () => undefined }, /no run has made a step/],
    ['no schedules', { schedules: 0 }, /schedules must be a whole number from 1/],
    ['a check that answers false', { check: () => false }, /The check answered false/],
    ['a sometimes that never was', { properties: [{ kind: 'sometimes', name: 'luck' }] }, /luck/],
    ['a reachable that was declared and never reached', { properties: [{ kind: 'reachable', name: 'the end' }] }, /the end/],
  ])('%s is an error', async ([, options, message]) => {
    await expect(simulate({ ...deposit, ...options })).rejects.toThrow(message)
  })
})

describe('options', () => {
  test.for<readonly [string, object]>([
    ['actors', { actors: [] }],
    ['actors[0]', { actors: [{}] }],
    ['actors', { actors: [wallet, wallet] }],
    ['scenario', { scenario: undefined }],
    ['check', { check: 1 }],
    ['shards', { shards: 0 }],
    ['seed', { seed: 1.5 }],
    ['schedules', { schedules: Number.NaN }],
    ['limits.steps', { limits: { steps: 0 } }],
    ['faults', { faults: 'crash' }],
    ['faults', { faults: ['crash'] }],
    ['faults', { faults: true }],
    ['strategy', { strategy: 'best' }],
    ['disk', { disk: 'sqllite' }],
    ['answers', { answers: 'late' }],
    ['synchronous', { synchronous: 'off' }],
    ['schedule', { schedule: 10 }],
  ])('a wrong %s is refused by name', async ([field, wrong]) => {
    const error = await simulate({ ...deposit, ...wrong }).catch((error_: unknown) => error_)
    expect(error).toBeInstanceOf(InvalidSimulation)
    expect(error).toMatchObject({ field, code: 'INVALID_SIMULATION' })
  })

  test.for(['', 'x', '!!!', 'izbUMTGyNDYxMbIws9Ax1ImOhaN'])('the schedule %j is refused', async (replay) => {
    await expect(simulate({ ...deposit, replay })).rejects.toMatchObject({ code: 'INVALID_SCHEDULE' })
  })

  test('what openSystem refuses is its own error, and no failure of a schedule', async () => {
    await expect(simulate({ ...deposit, open: { limits: { outbox: -1 } } })).rejects.toMatchObject({ code: 'INVALID_DEFINITION' })
  })
})

describe('a scenario that', () => {
  test.for<readonly [string, SimulationOptions['scenario'], RegExp]>([
    ['throws a text', () => Promise.reject('boom'), /Error: The scenario threw boom\./], // oxlint-disable-line typescript/prefer-promise-reject-errors
    ['is no promise', (() => 1) as never, /^none$/],
    ['sleeps for NaN', async (world) => await world.sleep(Number.NaN), /InvalidSimulation.*NaN/],
    ['draws from nothing', async (world) => void (await Promise.resolve(world.draw('x', 0))), /InvalidSimulation.*whole number from 1/],
    ['is together with nobody', async (world) => await world.together(0, async () => undefined), /InvalidSimulation/],
    [
      'waits for what never comes',
      async () => await new Promise(() => undefined),
      /SimulationStuck: The scenario did not end.*not simulated/,
    ],
    [
      'leaves the process down',
      async (world) => {
        world.crash()
        await world.client().actor(wallet, 'a').ask.deposit({ amount: 1 })
      },
      /SimulationStuck.*waits for ask wallet\/a deposit.*down since world\.crash/,
    ],
    ['simulates', async () => void (await simulate(deposit)), /must not simulate/],
  ])('%s is told so', async ([, scenario, message]) => {
    expect(await errorOf({ scenario })).toMatch(message)
  })

  test('depends on what earlier runs have left is found by playing it again', async () => {
    let calls = 0
    const { failure } = await explore({
      ...deposit,
      auditEvery: 0,
      scenario: async (world) => {
        calls += 1
        await deposit.scenario(world)
        if (calls === 7) throw new Error('only in the seventh')
      },
    })
    expect(failure).toMatchObject({ isReproducible: false, run: 6 })
  })

  test('differs from run to run is found in the first, with the line that differs', async () => {
    let amount = 0
    const scenario: SimulationOptions['scenario'] = async (world) => {
      amount = (amount % 10) + 1
      await world.client().actor(wallet, 'a').ask.deposit({ amount })
    }
    expect(await errorOf({ scenario })).toMatch(
      /NotDeterministic.*line 0 of the history is client 1 invoke wallet\/a deposit {"amount":\d+} in one and .*Look for variables/,
    )
  })
})

describe('strays', () => {
  test.for<readonly [string, () => unknown]>([
    ['Date.now', () => Date.now()],
    ['Math.random', () => Math.random()],
    ['setTimeout', () => clearTimeout(setTimeout(() => undefined, 1))],
    ['Promise', () => void Promise.resolve().then(() => undefined)],
  ])('%s in an actor is found, named with file and line, and comes with advice', async ([api, does]) => {
    const error = await errorOf(doing(does))
    expect(error).toMatch(/^StrayCall: doer act .*mistakes\.test\.ts:\d+:\d+: [a-z].*\.$/)
    expect(error).toContain(api === 'Promise' ? 'promise' : api)
  })

  test('are nobody’s business where strict is false', async () => {
    const random = doing(() => Math.random())
    expect(await errorOf({ ...random, strict: false })).toBe('none')
    expect(await errorOf(random)).toContain('StrayCall')
  })
})
