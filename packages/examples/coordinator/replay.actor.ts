/**
 * The replay actor remembers how far the replay has come: all rounds before `rounds` are done, with this tally.
 *
 * It takes stretches of rounds only in order, so a stretch is never counted twice, whoever reports it.
 */

import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { EventOf } from './message.ts'
import { addTally, emptyTally, tally } from './tally.ts'
import type { Tally } from './tally.ts'

const commands = {
  complete: command({ input: z.object({ from: z.number(), to: z.number(), tally }) }),
}

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as { rounds: number; tally: Tally }, events: {} as EventOf<typeof commands> },
}).createMachine({
  id: 'replay',
  context: { rounds: 0, tally: emptyTally },
  on: {
    complete: {
      guard: ({ context, event }) => event.from === context.rounds,
      actions: assign({ rounds: ({ event }) => event.to, tally: ({ context, event }) => addTally(context.tally, event.tally) }),
    },
  },
})

export const replayLog = defineActor({
  type: 'replay',
  module: import.meta.url,
  logic: machine,
  commands: { ...commands, progress: query({ reply: ({ context }) => context }) },
})
