/** One client takes 25 steps, another one a single step, which must not come between the last two. Source: Zhao et al., "Selectively Uniform Concurrency Testing", ASPLOS 2025. */
import assert from 'node:assert/strict'
import { command, defineActor, query } from '@bailiwick/kernel'
import type { SimulationOptions } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'

interface Archive {
  readonly rows: number
  readonly isComplete: boolean
}

const archive = defineActor({
  type: 'archive',
  module: import.meta.url,
  logic: fromTransition(
    ({ rows, isComplete }: Archive, event: { readonly type: 'copy' } | { readonly type: 'complete' }): Archive =>
      event.type === 'copy' ? { rows: rows + 1, isComplete } : { rows, isComplete: true },
    { rows: 0, isComplete: false },
  ),
  commands: {
    copy: command(),
    complete: command(),
    state: query({ input: z.object({}), reply: ({ context }) => context }),
  },
})

const ROWS = 24

/** `last`: how many rows are copied after the archive was called complete. */
const simulation = (last: number): SimulationOptions => ({
  actors: [archive],
  scenario: async (world) => {
    await world.together(
      async (client) => {
        const { ask } = client.actor(archive, 'one')
        for (let row = 0; row < ROWS - last; row += 1) await ask.copy()
        await ask.complete()
        for (let row = 0; row < last; row += 1) await ask.copy()
      },
      async (client) => {
        const { rows, isComplete } = await client.actor(archive, 'one').ask.state({})
        if (isComplete) assert.equal(rows, ROWS, 'it is called complete and is not')
      },
    )
  },
})

export const uneven: KnownBug = {
  name: 'uneven, 1 against 25 steps',
  what: 'A single read meets a writer of 25 steps just between its last two.',
  withActors:
    'A client of 25 asks calls an archive complete before the last row is in it, another client asks once; repaired, after the last row.',
  shows: 'AssertionError',
  broken: simulation(1),
  repaired: simulation(0),
}
