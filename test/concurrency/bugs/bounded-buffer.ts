/**
 * A buffer with room for one item, whose producers and consumers wait for the same condition.
 * Source: Tom Cargill's "extreme programming challenge fourteen", 2003.
 */
import { command, defineActor, reply, tell } from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import type { SimulationOptions } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'

type Side = 'put' | 'take'
type BufferEvent = { readonly type: Side } | { readonly type: 'signal'; readonly side: Side }

/** A monitor: `put` and `take` answer `done`, or wait for a signal and answer `again`. `hasTwoConditions`: those who put wait apart from those who take. */
const bufferOf = (hasTwoConditions: boolean) => {
  const itself = (): ActorDefinition => definition
  const definition = defineActor({
    type: 'buffer',
    module: import.meta.url,
    logic: setup({
      types: { context: {} as { readonly isFull: boolean; readonly waits: number }, events: {} as BufferEvent },
    }).createMachine({
      context: { isFull: false, waits: 0 },
      on: {
        put: [
          {
            guard: ({ context }) => !context.isFull,
            actions: [assign({ isFull: true }), reply('done'), tell(itself, { key: 'one', command: 'signal', input: { side: 'take' } })],
          },
          { actions: assign({ waits: ({ context }) => context.waits + 1 }) },
        ],
        take: [
          {
            guard: ({ context }) => context.isFull,
            actions: [assign({ isFull: false }), reply('done'), tell(itself, { key: 'one', command: 'signal', input: { side: 'put' } })],
          },
          { actions: assign({ waits: ({ context }) => context.waits + 1 }) },
        ],
        // Wakes one of those who wait: the one who has waited longest.
        signal: { actions: reply('again', hasTwoConditions ? { command: ({ event }) => event.side } : {}) },
      },
    }),
    commands: {
      put: command({ reply: 'deferred', output: z.enum(['done', 'again']) }),
      take: command({ reply: 'deferred', output: z.enum(['done', 'again']) }),
      signal: command({ input: z.object({ side: z.enum(['put', 'take']) }) }),
    },
  })
  return definition
}

const simulation = (hasTwoConditions: boolean): SimulationOptions => {
  const buffer = bufferOf(hasTwoConditions)
  return {
    actors: [buffer],
    scenario: async (world) => {
      // One puts four items, two take two each.
      await world.together(3, async (client, index) => {
        const { ask } = client.actor(buffer, 'one')
        for (let left = index === 0 ? 4 : 2; left > 0;) {
          const answer = await (index === 0 ? ask.put() : ask.take())
          if (answer === 'done') left -= 1
        }
      })
    },
  }
}

export const boundedBuffer: KnownBug = {
  name: 'bounded buffer',
  what: 'Those who put and those who take wait for one condition, and a signal wakes one of the wrong side.',
  withActors:
    'A deferred reply goes to whoever has waited longest; repaired, to whoever has waited longest with the command that can go on. Asks time out.',
  shows: 'AskTimeout',
  broken: simulation(false),
  repaired: simulation(true),
}
