/**
 * One order: it reserves pieces at the stock, waits for its payment, has a receipt written, and only then answers whoever
 * has paid. An order that is not paid in time gives its pieces back.
 */
import { cancelTimer, command, defineActor, effect, fail, query, reply, request, setTimer, tell } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { receipt } from './receipt.effect.ts'
import { stock } from './stock.actor.ts'

type OrderEvent =
  | { readonly type: 'place'; readonly article: string; readonly pieces: number }
  | { readonly type: 'reserved' | 'paymentOverdue' }
  | { readonly type: 'refused'; readonly error: { readonly message: string } }
  | { readonly type: 'pay'; readonly file: string }
  | { readonly type: 'receipt.done'; readonly output: { readonly number: string } }
  | { readonly type: 'receipt.failed'; readonly error: { readonly message: string } }

const machine = setup({
  types: { context: {} as { readonly article: string; readonly pieces: number }, events: {} as OrderEvent },
  actions: {
    reserve: request(stock, {
      key: ({ context }) => context.article,
      command: 'reserve',
      input: ({ context }) => ({ pieces: context.pieces }),
      onDone: 'reserved',
      onError: 'refused',
    }),
    giveBack: tell(stock, {
      key: ({ context }) => context.article,
      command: 'giveBack',
      input: ({ context }) => ({ pieces: context.pieces }),
    }),
  },
}).createMachine({
  context: { article: '', pieces: 0 },
  initial: 'new',
  states: {
    new: {
      on: {
        place: {
          target: 'reserving',
          actions: [assign(({ event }) => ({ article: event.article, pieces: event.pieces })), 'reserve'],
        },
      },
    },
    reserving: {
      on: {
        reserved: { target: 'reserved', actions: reply('reserved') },
        refused: { target: 'new', actions: fail({ message: ({ event }) => event.error.message }) },
      },
    },
    reserved: {
      entry: setTimer('payment', { delayMs: 15 * 60_000, event: 'paymentOverdue' }),
      on: {
        pay: {
          target: 'paying',
          actions: [
            cancelTimer('payment'),
            effect(receipt, ({ context, event }) => ({ file: event.file, text: `${context.pieces} ${context.article}` })),
          ],
        },
        paymentOverdue: { target: 'expired', actions: 'giveBack' },
      },
    },
    paying: {
      on: {
        'receipt.done': { target: 'paid', actions: reply(({ event }) => event.output.number) },
        'receipt.failed': { target: 'reserved', actions: fail({ message: ({ event }) => event.error.message }) },
      },
    },
    paid: {},
    expired: {},
  },
})

export const order = defineActor({
  type: 'order',
  module: import.meta.url,
  logic: machine,
  commands: {
    place: command({
      input: z.object({ article: z.string().min(1), pieces: z.number().int().positive() }),
      reply: 'deferred',
      output: z.literal('reserved'),
    }),
    pay: command({ input: z.object({ file: z.string() }), reply: 'deferred', output: z.string() }),
    state: query({ reply: ({ value }) => value }),
  },
})
