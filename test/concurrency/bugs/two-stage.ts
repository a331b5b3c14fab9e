/**
 * Two values that belong together, each under a lock of its own.
 * Source: `twostage_bad` of SCTBench; Artho, Havelund and Biere, "High-level data races", 2003.
 */
import assert from 'node:assert/strict'
import type { Client, SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { lock, variable } from './memory.ts'

type Holding = <T>(client: Client, stage: 'first' | 'second', work: () => Promise<T>) => Promise<T>

const under = async <T>(client: Client, name: string, work: () => Promise<T>): Promise<T> => {
  const { ask } = client.actor(lock, name)
  await ask.acquire()
  const result = await work()
  await ask.release()
  return result
}

const simulation = (whole: (client: Client, work: () => Promise<void>) => Promise<void>, holding: Holding): SimulationOptions => ({
  actors: [variable, lock],
  scenario: async (world) => {
    await world.together(
      (client) =>
        whole(client, async () => {
          const [first, second] = [client.actor(variable, 'first'), client.actor(variable, 'second')]
          await holding(client, 'first', () => first.ask.write({ value: 1 }))
          await holding(client, 'second', async () => second.ask.write({ value: (await first.ask.read()) + 1 }))
        }),
      (client) =>
        whole(client, async () => {
          const [first, second] = [client.actor(variable, 'first'), client.actor(variable, 'second')]
          const one = await holding(client, 'first', () => first.ask.read())
          if (one === 0) return
          const two = await holding(client, 'second', () => second.ask.read())
          assert.equal(two, one + 1, 'the second value is not yet that of the first')
        }),
    )
  },
})

export const twoStage: KnownBug = {
  name: 'two-stage',
  what: 'Each of two values has a lock of its own, and a reader comes between the two.',
  withActors: 'Locks are actors; repaired, one lock is held over both stages.',
  shows: 'AssertionError',
  broken: simulation((_client, work) => work(), under),
  repaired: simulation(
    (client, work) => under(client, 'both', work),
    (_client, _stage, work) => work(),
  ),
}
