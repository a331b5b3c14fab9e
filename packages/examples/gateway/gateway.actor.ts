/** What the gateway keeps: limits, tokens, budgets, answers, and the orders themselves. */
import { defineBudget, defineIdempotentEndpoint, defineRateLimiter, defineTokens } from '@bailiwick/actors'
import { command, defineActor, query } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import { z } from 'zod'

const module = import.meta.url

/** So many requests of a customer are let through in any window of this length, which is longer than a crash and its recovery. */
export const LIMIT = 8
export const WINDOW_MS = 3_000

export const limiter = defineRateLimiter({
  type: 'limiter',
  module,
  algorithm: 'sliding-window',
  rule: { limit: LIMIT, windowMs: WINDOW_MS },
})

export const tokens = defineTokens({ type: 'tokens', module })

/** Ada is on trial: her budget is soon spent. A reservation outlives every repetition of its request. */
export const budget = defineBudget({
  type: 'budget',
  module,
  total: (key) => (key === 'ada' ? 200 : 100_000),
  ttlMs: 3_600_000,
  endedMax: 1_000,
})

/** When the process dies in the middle of an order, whoever repeats the request goes on with it a second later. */
export const endpoint = defineIdempotentEndpoint({ type: 'endpoint', module, leaseMs: 1_000 })

/** What a customer has ordered. */
export interface Orders {
  readonly count: number
  readonly cost: number
}

const NOTHING: Orders = { count: 0, cost: 0 }

/** The orders of one customer. */
export const orderBook = defineActor({
  type: 'order-book',
  module,
  logic: fromTransition(
    ({ count, cost }: Orders, event: { readonly type: 'place'; readonly cost: number }) => ({ count: count + 1, cost: cost + event.cost }),
    NOTHING,
  ),
  commands: {
    place: command({ input: z.object({ cost: z.number().int().positive() }), reply: ({ context }) => context.count }),
    orders: query({ reply: ({ context }) => context }),
  },
})

/** Everything that `openSystem` has to know. */
export const actors = [limiter, tokens, budget, endpoint, orderBook]
