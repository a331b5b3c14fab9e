import { defineIdempotentEndpoint } from '@bailiwick/actors'
import { command, defineActor } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import { z } from 'zod'

/** Who has ordered under which key: what a client sends twice is answered twice, and done once. */
export const orderEndpoint = defineIdempotentEndpoint({ type: 'order-endpoint', module: import.meta.url, leaseMs: 5_000 })

/** The book in which orders are written. */
export const orderBook = defineActor({
  type: 'order-book',
  module: import.meta.url,
  logic: fromTransition((orders: number, _event: { readonly type: 'place'; readonly article: string }) => orders + 1, 0),
  commands: { place: command({ input: z.object({ article: z.string() }), reply: ({ context }) => context }) },
})
