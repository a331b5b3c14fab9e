/** Printers that jam, and an office that hears when one is out of service. */
import { command, defineActor, query, watch } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const page = z.object({ text: z.string() })
type Print = { readonly type: 'print' } & z.output<typeof page>

const printing = setup({
  types: { context: {} as { readonly pages: readonly string[] }, events: {} as Print },
}).createMachine({
  context: { pages: [] },
  on: {
    print: {
      actions: assign({
        pages: ({ context, event: { text } }) => {
          if (text === '') throw new Error('paper jam')
          return [...context.pages, text]
        },
      }),
    },
  },
})

export const printer = defineActor({
  type: 'printer',
  module: import.meta.url,
  logic: printing,
  commands: {
    print: command({ input: page }),
    pages: query({ reply: ({ context }) => context.pages }),
  },
  supervision: { maxRestarts: 2, withinMs: 10_000, backoff: { minMs: 10 } },
})

type Out = { readonly type: 'printer.out'; readonly actor: string; readonly reason: string }

const watching = setup({
  types: { context: {} as { readonly out: readonly string[] }, events: {} as Out | { readonly type: 'hire'; readonly printer: string } },
}).createMachine({
  context: { out: [] },
  on: {
    hire: { actions: watch(printer, { key: ({ event }) => event.printer, event: 'printer.out' }) },
    'printer.out': { actions: assign({ out: ({ context, event }) => [...context.out, `${event.actor}: ${event.reason}`] }) },
  },
})

export const office = defineActor({
  type: 'office',
  module: import.meta.url,
  logic: watching,
  commands: {
    hire: command({ input: z.object({ printer: z.string() }) }),
    out: query({ reply: ({ context }) => context.out }),
  },
})
