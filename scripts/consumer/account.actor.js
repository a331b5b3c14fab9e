import { command, defineActor } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const machine = setup({
  types: {
    context: /** @type {{ balance: number }} */ ({}),
    events: /** @type {{ type: 'deposit', amount: number }} */ ({}),
  },
}).createMachine({
  context: { balance: 0 },
  on: { deposit: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) } },
})

export const account = defineActor({
  type: 'account',
  module: import.meta.url,
  logic: machine,
  commands: {
    deposit: command({ input: z.object({ amount: z.number().int().positive() }), reply: ({ context }) => context.balance }),
  },
})
