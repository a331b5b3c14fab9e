/** Actors and an outside world for the tests of keys, the inbox, dead letters and pressure. */
import { command, defineActor, defineEffect, effect, fail, postpone, query, reply, tell } from '@bailiwick/kernel'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { codeOf } from './code-of.ts'

interface Errand {
  readonly key: string
  readonly attempt: number
  readonly text: string
  /** Ends an attempt that waits. */
  readonly end: (result: string) => void
}

/** What the actors did to the world outside, and how it treats them. */
export const outside: {
  /** What actions did, after their commits, in order. */
  did: string[]
  /** What was tried and postponed. */
  tried: string[]
  /** How many of the next risky commands throw. */
  faults: number
  /** Attempts of the errand, in order. */
  errands: Errand[]
  /** How an attempt ends. */
  mood: 'done' | 'failed' | 'waiting'
} = { did: [], tried: [], faults: 0, errands: [], mood: 'done' }

/** A new world outside. */
export function resetOutside(): void {
  Object.assign(outside, { did: [], tried: [], faults: 0, errands: [], mood: 'done' })
}

/** What a promise has come to so far: its value or the code of its error, and `pending` until then. */
export function follow(promise: Promise<unknown>): () => unknown {
  let seen: unknown = 'pending'
  void codeOf(promise).then((outcome) => {
    seen = outcome
  })
  return () => seen
}

/** Runs an errand outside. */
const errand = defineEffect({
  name: 'errand',
  module: import.meta.url,
  input: z.object({ text: z.string() }),
  run: async ({ input, idempotencyKey, attempt }) => {
    const { promise, resolve } = Promise.withResolvers<string>()
    outside.errands.push({ key: idempotencyKey, attempt, text: input.text, end: resolve })
    if (outside.mood === 'failed') throw new Error('nobody was at home')
    return outside.mood === 'waiting' ? await promise : `${input.text} is done`
  },
  retry: { maxAttempts: 2, backoff: { minMs: 1_000, maxMs: 1_000, jitter: 0 } },
  timeoutMs: 600_000,
})

type WorkerEvent =
  | { readonly type: 'work' | 'risky' | 'hold' | 'brief' | 'note' | 'order' | 'only'; readonly text: string }
  | { readonly type: 'release'; readonly value: string }
  | { readonly type: 'spoil'; readonly retryable: boolean }
  | { readonly type: 'shut' | 'open' | 'rest' | 'touch' }
  | { readonly type: 'errand.done'; readonly output: string }
  | { readonly type: 'errand.failed'; readonly error: { readonly message: string } }

const machine = setup({
  types: { context: {} as { readonly done: readonly string[]; readonly touched: number }, events: {} as WorkerEvent },
  actions: {
    keep: assign({ done: ({ context, event }) => ('text' in event ? [...context.done, event.text] : context.done) }),
    do: ({ event }) => {
      if ('text' in event) outside.did.push(event.text)
    },
    touch: assign({ touched: ({ context }) => context.touched + 1 }),
    mayThrow: assign(() => {
      if (outside.faults === 0) return {}
      outside.faults -= 1
      throw new Error('it was told to throw')
    }),
  },
  guards: {
    tried: ({ event }) => {
      if ('text' in event) outside.tried.push(event.text)
      return true
    },
  },
}).createMachine({
  context: { done: [], touched: 0 },
  initial: 'open',
  on: {
    work: { actions: ['keep', 'do'] },
    risky: { actions: ['mayThrow', 'keep', 'do'] },
    hold: { actions: ['keep', 'do'] },
    brief: { actions: ['keep', 'do'] },
    touch: { actions: 'touch' },
    order: { actions: ['keep', 'do', effect(errand, ({ event }) => ({ text: event.text }))] },
    release: { actions: reply(({ event }) => event.value) },
    spoil: { actions: fail({ message: 'it was spoiled', retryable: ({ event }) => event.retryable }) },
    'errand.done': { actions: reply(({ event }) => event.output) },
    'errand.failed': { actions: fail({ message: ({ event }) => event.error.message, retryable: true }) },
    open: '.open',
    shut: '.shut',
    rest: '.resting',
  },
  states: {
    open: { on: { note: { actions: ['keep', 'do'] }, only: { actions: ['keep', 'do'] } } },
    shut: { on: { note: { guard: 'tried', actions: postpone() } } },
    resting: { on: { note: { guard: 'tried', actions: postpone() } }, after: { 10_000: 'open' } },
  },
})

const text = z.object({ text: z.string() })

/** Does all kinds of work. */
const makeWorker = <const Type extends string>(type: Type, capacity: number) =>
  defineActor({
    type,
    module: import.meta.url,
    logic: machine,
    commands: {
      work: command({ input: text, reply: ({ context }) => context.done.length }),
      /** Throws as long as `outside.faults` says so. */
      risky: command({ input: text, reply: ({ context }) => context.done.length }),
      /** Answered by `release` or `spoil`. */
      hold: command({ input: text, reply: 'deferred', output: z.string() }),
      /** The same, within ten seconds. */
      brief: command({ input: text, reply: 'deferred', output: z.string(), replyWithinMs: 10_000 }),
      /** Answered once its errand is run; within a minute. */
      order: command({ input: text, reply: 'deferred', output: z.string(), replyWithinMs: 60_000 }),
      /** Postponed unless the worker is open. */
      note: command({ input: text, reply: ({ context }) => context.done.length }),
      /** Rejected unless the worker is open. */
      only: command({ input: text, reply: ({ context, input }) => ({ status: 400, text: input.text, nth: context.done.length }) }),
      release: command({ input: z.object({ value: z.string() }), priority: 'urgent' }),
      spoil: command({ input: z.object({ retryable: z.boolean() }), priority: 'urgent' }),
      shut: command({ priority: 'urgent' }),
      open: command({ priority: 'urgent' }),
      /** Shut for ten seconds. */
      rest: command({ priority: 'urgent' }),
      touch: command({ priority: 'urgent' }),
      done: query({ priority: 'low', reply: ({ context }) => context.done }),
    },
    idleMs: 10_000,
    mailbox: { capacity },
  })

/** Room enough. */
export const worker = makeWorker('worker', 10_000)

/** The same, with room for three. */
export const narrow = makeWorker('narrow', 3)

type CourierEvent = {
  readonly type: 'send' | 'sendNarrow'
  readonly to: string
  readonly command: 'note' | 'only' | 'risky'
  readonly texts: readonly string[]
}

/** Tells workers what to do. */
export const courier = defineActor({
  type: 'courier',
  module: import.meta.url,
  logic: setup({ types: { events: {} as CourierEvent } }).createMachine({
    on: {
      send: {
        actions: enqueueActions(({ enqueue, event }) => {
          for (const each of event.texts) enqueue(tell(worker, { key: event.to, command: event.command, input: { text: each } }))
        }),
      },
      sendNarrow: {
        actions: enqueueActions(({ enqueue, event }) => {
          for (const each of event.texts) enqueue(tell(narrow, { key: event.to, command: event.command, input: { text: each } }))
        }),
      },
    },
  }),
  commands: {
    send: command({ input: z.object({ to: z.string(), command: z.enum(['note', 'only', 'risky']), texts: z.array(z.string()) }) }),
    sendNarrow: command({ input: z.object({ to: z.string(), command: z.enum(['note', 'only', 'risky']), texts: z.array(z.string()) }) }),
  },
})

/** Everything that the tests open. */
export const everything = { actors: [worker, narrow, courier], effects: [errand] }
