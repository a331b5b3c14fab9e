/** The actors that the benchmarks ask: one machine, durable and volatile, and one plain reducer. */
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, fromTransition, setup } from 'xstate'
import { z } from 'zod'

/** An account, as in the README; the floors run the same machine. */
export const machine = setup({
  types: { context: {} as { readonly balance: number }, events: {} as { readonly type: 'deposit'; readonly amount: number } },
}).createMachine({
  context: { balance: 0 },
  initial: 'open',
  states: { open: { on: { deposit: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) } } } },
})

const input = z.object({ amount: z.number().int().positive() })

/** Kept in the store. */
export const account = defineActor({
  type: 'account',
  module: import.meta.url,
  logic: machine,
  commands: {
    deposit: command({ input, reply: ({ context }) => context.balance }),
    balance: query({ reply: ({ context }) => context.balance }),
  },
  mailbox: { capacity: 2_000_000 },
  idleMs: 600_000,
})

/** The same in memory only. */
export const purse = defineActor({
  type: 'purse',
  module: import.meta.url,
  logic: machine,
  commands: {
    deposit: command({ input, reply: ({ context }) => context.balance }),
    balance: query({ reply: ({ context }) => context.balance }),
  },
  volatile: true,
  mailbox: { capacity: 2_000_000 },
  idleMs: 600_000,
})

/** A plain reducer. */
export const reduce = (
  state: { readonly total: number },
  event: { readonly type: 'add'; readonly amount: number },
): { readonly total: number } => ({
  total: state.total + event.amount,
})

/** A counter in memory only. */
export const tally = defineActor({
  type: 'tally',
  module: import.meta.url,
  logic: fromTransition(reduce, { total: 0 }),
  commands: { add: command({ input }), total: query({ reply: ({ context }) => context.total }) },
  volatile: true,
  mailbox: { capacity: 2_000_000 },
  idleMs: 600_000,
})
