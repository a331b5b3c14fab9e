/** The scene log remembers how many scenes have been played to their end, so that one that was cut off is gone on with. */

import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { EventOf } from './message.ts'

const commands = {
  begin: command({ input: z.object({ scene: z.int() }) }),
  complete: command({ input: z.object({ scene: z.int() }) }),
}

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as { begun: number; played: number }, events: {} as EventOf<typeof commands> },
}).createMachine({
  id: 'scene-log',
  context: { begun: 0, played: 0 },
  on: {
    begin: { actions: assign({ begun: ({ event }) => event.scene }) },
    complete: { actions: assign({ played: ({ event }) => event.scene }) },
  },
})

export const sceneLog = defineActor({
  type: 'scene-log',
  module: import.meta.url,
  logic: machine,
  commands: { ...commands, progress: query({ reply: ({ context }) => context }) },
})
