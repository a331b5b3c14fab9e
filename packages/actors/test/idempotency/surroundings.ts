import type { Client, TestWorld } from '@bailiwick/testkit'
import type { EndpointSurroundings } from '../../src/idempotency/idempotent-endpoint.ts'

/** Chance that counts. */
function countedBytes(prefix: number): (count: number) => Uint8Array {
  let made = 0
  return (count) => {
    made += 1
    return new Uint8Array(count).fill(made % 256).fill(prefix, 0, 1)
  }
}

/** Surroundings on the clock of a test world. */
export function virtualSurroundings(world: TestWorld, prefix = 0): EndpointSurroundings {
  return {
    randomBytes: countedBytes(prefix),
    pause: (ms, signal) =>
      new Promise((resolve) => {
        const timer = world.clock.setTimer(() => resolve(), ms)
        signal?.addEventListener('abort', () => {
          timer.cancel()
          resolve()
        })
      }),
  }
}

/** Surroundings of somebody whose process stands still: what it waits for never comes. */
export function frozenSurroundings(prefix: number): EndpointSurroundings {
  return { randomBytes: countedBytes(prefix), pause: () => new Promise(() => undefined) }
}

/** Surroundings of a client of a simulation. */
export function simulatedSurroundings(client: Client, prefix: number): EndpointSurroundings {
  return { randomBytes: countedBytes(prefix), pause: (ms) => client.sleep(ms) }
}
