/** An account: it takes deposits and withdrawals while it is open, and refuses both while it is frozen. */

import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const amount = z.object({ amount: z.number().int().positive() })

type Event = { type: 'deposit' | 'withdraw'; amount: number } | { type: 'freeze' } | { type: 'thaw' }

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as { balance: number }, events: {} as Event },
}).createMachine({
  context: { balance: 0 },
  initial: 'open',
  states: {
    open: {
      on: {
        deposit: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) },
        withdraw: {
          guard: ({ context, event }) => event.amount <= context.balance,
          actions: assign({ balance: ({ context, event }) => context.balance - event.amount }),
        },
        freeze: 'frozen',
      },
    },
    frozen: { on: { thaw: 'open' } },
  },
})

export const account = defineActor({
  type: 'account',
  module: import.meta.url,
  logic: machine,
  commands: {
    deposit: command({ input: amount, reply: ({ context }) => context.balance }),
    withdraw: command({ input: amount, reply: ({ context }) => context.balance }),
    freeze: command({ priority: 'urgent' }),
    thaw: command(),
    balance: query({ reply: ({ context }) => context.balance }),
  },
})
