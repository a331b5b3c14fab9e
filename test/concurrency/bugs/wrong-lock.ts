/** One value under two different locks. Source: `wronglock_bad` of SCTBench. */
import assert from 'node:assert/strict'
import type { SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { lock, variable } from './memory.ts'

const simulation = (lockOfOthers: string): SimulationOptions => ({
  actors: [variable, lock],
  scenario: async (world) => {
    await world.together(3, async (client, index) => {
      const data = client.actor(variable, 'data').ask
      const mutex = client.actor(lock, index === 0 ? 'data' : lockOfOthers).ask
      await mutex.acquire()
      const before = await data.read()
      await data.write({ value: before + 1 })
      if (index === 0) assert.equal(await data.read(), before + 1, 'somebody else has written under another lock')
      await mutex.release()
    })
  },
})

export const wrongLock: KnownBug = {
  name: 'wrong lock',
  what: 'Some hold one lock while they change a value, others another one.',
  withActors: 'Locks are actors; repaired, all take the same.',
  shows: 'AssertionError',
  broken: simulation('this'),
  repaired: simulation('data'),
}
