/** Actors of the delivery benchmarks: one sends, one receives, one rings, one posts. */
import { command, defineActor, defineEffect, effect, postpone, query, setTimer, tell } from '@bailiwick/kernel'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'

const MAILBOX = 4_000_000

type SinkEvent = { readonly type: 'take'; readonly n: number } | { readonly type: 'shut' | 'open' }

const sinkMachine = setup({
  types: { context: {} as { readonly sum: number }, events: {} as SinkEvent },
}).createMachine({
  context: { sum: 0 },
  initial: 'open',
  states: {
    open: { on: { take: { actions: assign({ sum: ({ context, event }) => context.sum + event.n }) }, shut: 'shut' } },
    shut: { on: { take: { actions: postpone() }, open: 'open' } },
  },
})

/** Adds up what it gets. */
export const sink = defineActor({
  type: 'sink',
  module: import.meta.url,
  logic: sinkMachine,
  commands: {
    take: command({ input: z.object({ n: z.number() }) }),
    shut: command(),
    open: command({ priority: 'urgent' }),
    sum: query({ reply: ({ context }) => context.sum, priority: 'low' }),
    now: query({ reply: ({ context }) => context.sum, priority: 'urgent' }),
  },
  mailbox: { capacity: MAILBOX, starvationBound: MAILBOX },
})

type SourceEvent =
  | { readonly type: 'spray'; readonly to: readonly string[]; readonly each: number }
  | { readonly type: 'arm'; readonly timers: number; readonly delayMs: number }
  | { readonly type: 'rang' }
  | { readonly type: 'post'; readonly count: number }
  | { readonly type: 'noop.done' }

const sourceMachine = setup({
  types: { context: {} as { readonly rang: number; readonly done: number }, events: {} as SourceEvent },
}).createMachine({
  context: { rang: 0, done: 0 },
  on: {
    spray: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (const key of event.to) {
          for (let nth = 0; nth < event.each; nth += 1) enqueue(tell(sink, { key, command: 'take', input: { n: 1 } }))
        }
      }),
    },
    arm: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let nth = 0; nth < event.timers; nth += 1) enqueue(setTimer(`t${nth}`, { delayMs: event.delayMs, event: 'rang' }))
      }),
    },
    rang: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
    post: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let nth = 0; nth < event.count; nth += 1) enqueue(effect(noop, { n: nth }))
      }),
    },
    'noop.done': { actions: assign({ done: ({ context }) => context.done + 1 }) },
  },
})

/** Sends, sets timers and posts as it is told. */
export const source = defineActor({
  type: 'source',
  module: import.meta.url,
  logic: sourceMachine,
  commands: {
    spray: command({ input: z.object({ to: z.array(z.string()), each: z.number().int() }) }),
    arm: command({ input: z.object({ timers: z.number().int(), delayMs: z.number() }) }),
    post: command({ input: z.object({ count: z.number().int() }) }),
    tally: query({ reply: ({ context }) => context }),
  },
  mailbox: { capacity: MAILBOX },
})

/** Costs nothing, so that what is measured is the way there and back. */
export const noop = defineEffect({ name: 'noop', module: import.meta.url, run: () => null, concurrency: 1_024 })
