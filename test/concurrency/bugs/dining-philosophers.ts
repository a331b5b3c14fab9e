/** Philosophers at a round table, each of whom needs the forks on both sides. Source: Dijkstra, "Hierarchical Ordering of Sequential Processes", 1971. */
import type { SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { lock, variable, workAlone } from './memory.ts'

const simulation = (
  seats: number,
  order: (left: number, right: number) => readonly [first: number, second: number],
): SimulationOptions => ({
  actors: [lock, variable],
  scenario: async (world) => {
    await world.together(seats, async (client, seat) => {
      // All but the first think for a while.
      if (seat > 0) await workAlone(client, 2)
      const [first, second] = order(seat, (seat + 1) % seats)
      await client.actor(lock, `fork ${first}`).ask.acquire()
      await client.actor(lock, `fork ${second}`).ask.acquire()
      await client.actor(lock, `fork ${second}`).ask.release()
      await client.actor(lock, `fork ${first}`).ask.release()
    })
  },
})

const philosophers = (seats: number): KnownBug => ({
  name: `dining philosophers ${seats}`,
  what: `Each of ${seats} has taken the fork to the left and waits for the one to the right.`,
  withActors: 'Forks are actors and philosophers clients, whose asks time out; repaired, the fork with the lower number comes first.',
  shows: 'AskTimeout',
  broken: simulation(seats, (left, right) => [left, right]),
  repaired: simulation(seats, (left, right) => [Math.min(left, right), Math.max(left, right)]),
})

export const diningPhilosophers: readonly KnownBug[] = [3, 5, 7].map(philosophers)
