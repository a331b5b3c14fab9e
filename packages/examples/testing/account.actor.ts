import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

type Event = { readonly type: 'set'; readonly to: number } | { readonly type: 'deposit'; readonly amount: number }

const machine = setup({
  types: { context: {} as { readonly balance: number }, events: {} as Event },
}).createMachine({
  context: { balance: 0 },
  on: {
    set: { actions: assign({ balance: ({ event }) => event.to }) },
    deposit: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) },
  },
})

export const account = defineActor({
  type: 'account',
  module: import.meta.url,
  logic: machine,
  commands: {
    set: command({ input: z.object({ to: z.int().min(0) }) }),
    deposit: command({ input: z.object({ amount: z.int().positive() }), reply: ({ context }) => context.balance }),
    balance: query({ reply: ({ context }) => context.balance }),
  },
})
