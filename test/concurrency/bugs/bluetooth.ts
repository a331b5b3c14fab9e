/**
 * The Bluetooth driver of Windows: a stop waits until nobody works any more, and work looks whether a stop has begun.
 * Source: Qadeer and Wu, "KISS: Keep It Simple and Sequential", PLDI 2004.
 */
import assert from 'node:assert/strict'
import type { Client, SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { latch, variable } from './memory.ts'

const simulation = (enter: (client: Client) => Promise<boolean>): SimulationOptions => ({
  actors: [variable, latch],
  scenario: async (world) => {
    // The driver itself counts as one that works, until it is stopped.
    await world.client('driver').actor(variable, 'pending').ask.write({ value: 1 })
    await world.together(
      async (client) => {
        if (!(await enter(client))) return
        assert.equal(await client.actor(variable, 'stopped').ask.read(), 0, 'works although the driver has stopped')
        await leave(client)
      },
      async (client) => {
        await client.actor(variable, 'stopping').ask.write({ value: 1 })
        await leave(client)
        await client.actor(latch, 'idle').ask.wait()
        await client.actor(variable, 'stopped').ask.write({ value: 1 })
      },
    )
  },
})

async function leave(client: Client): Promise<void> {
  const left = await client.actor(variable, 'pending').ask.add({ by: -1 })
  if (left === 0) await client.actor(latch, 'idle').ask.open()
}

const isStopping = async (client: Client): Promise<boolean> => (await client.actor(variable, 'stopping').ask.read()) === 1

export const bluetooth: KnownBug = {
  name: 'bluetooth driver',
  what: 'Work looks at the flag and only then counts itself, so a stop in between does not wait for it.',
  withActors: 'Flag and counter are actors; repaired, the counter is asked first and the flag second.',
  shows: 'AssertionError',
  broken: simulation(async (client) => {
    if (await isStopping(client)) return false
    await client.actor(variable, 'pending').ask.add({ by: 1 })
    return true
  }),
  repaired: simulation(async (client) => {
    await client.actor(variable, 'pending').ask.add({ by: 1 })
    if (!(await isStopping(client))) return true
    await leave(client)
    return false
  }),
}
