/** A credential whose refresh token can be used once. Whoever refreshes it holds a lease of the actor that keeps it. */
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const secret = z.object({ access: z.string(), refresh: z.string() })

type Context = { readonly secret: z.output<typeof secret>; readonly version: number }
type Event = { readonly type: 'publish' } & z.output<typeof secret>

const machine = setup({ types: { context: {} as Context, events: {} as Event } }).createMachine({
  context: { secret: { access: 'a1', refresh: 'r1' }, version: 1 },
  on: {
    publish: {
      actions: assign({
        secret: ({ event: { access, refresh } }) => ({ access, refresh }),
        version: ({ context }) => context.version + 1,
      }),
    },
  },
})

export const credential = defineActor({
  type: 'credential',
  module: import.meta.url,
  logic: machine,
  commands: {
    publish: command({ input: secret }),
    current: query({ reply: ({ context }) => context }),
  },
})
