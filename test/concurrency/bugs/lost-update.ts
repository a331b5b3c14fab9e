/** Two clients read a number, add one, and write it back. */
import assert from 'node:assert/strict'
import type { Client, SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { variable, workAlone } from './memory.ts'

const simulation = (increment: (client: Client) => Promise<unknown>): SimulationOptions => ({
  actors: [variable],
  scenario: async (world) => {
    await world.together(2, async (client, index) => {
      await workAlone(client, 3 * index)
      await increment(client)
    })
  },
  check: async (world) => {
    assert.equal(await world.system.actor(variable, 'count').ask.read(), 2)
  },
})

export const lostUpdate: KnownBug = {
  name: 'lost update',
  what: 'Of two increments one is lost, because both have read the same number.',
  withActors: 'Read, add and write as two asks; repaired, as one command.',
  shows: 'AssertionError',
  broken: simulation(async (client) => {
    const { ask } = client.actor(variable, 'count')
    const value = await ask.read()
    await ask.write({ value: value + 1 })
  }),
  repaired: simulation((client) => client.actor(variable, 'count').ask.add({ by: 1 })),
}
