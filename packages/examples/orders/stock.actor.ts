/** The stock of one article. It gives out what it has, and never less than nothing. */
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const pieces = z.object({ pieces: z.number().int().positive() })

type StockEvent = { readonly type: 'stockUp' | 'reserve' | 'giveBack'; readonly pieces: number }

const machine = setup({
  types: { context: {} as { readonly left: number }, events: {} as StockEvent },
}).createMachine({
  context: { left: 0 },
  on: {
    stockUp: { actions: assign({ left: ({ context, event }) => context.left + event.pieces }) },
    giveBack: { actions: assign({ left: ({ context, event }) => context.left + event.pieces }) },
    // Without this guard's consent the command is rejected, and whoever asked hears of it.
    reserve: {
      guard: ({ context, event }) => event.pieces <= context.left,
      actions: assign({ left: ({ context, event }) => context.left - event.pieces }),
    },
  },
})

export const stock = defineActor({
  type: 'stock',
  module: import.meta.url,
  logic: machine,
  commands: {
    stockUp: command({ input: pieces, reply: ({ context }) => context.left }),
    reserve: command({ input: pieces, reply: ({ context }) => context.left }),
    giveBack: command({ input: pieces }),
    left: query({ reply: ({ context }) => context.left }),
  },
})
