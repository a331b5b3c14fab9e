/** Actors for the tests of effects and timers. They do what their commands say and remember every event that they hear. */
import { cancelEffect, cancelTimer, command, defineActor, effect, query, setTimer } from '@bailiwick/kernel'
import type { TimerArguments } from '@bailiwick/kernel'
import { assign, enqueueActions, raise, setup } from 'xstate'
import { z } from 'zod'

/** What a client has heard of its effects. */
export interface Heard {
  readonly type: string
  readonly output?: unknown
  readonly code?: string
  readonly message?: string
}

type ErrandEvent =
  | {
      readonly type: 'promise'
      readonly name: string
      readonly n: unknown
      readonly label?: string | undefined
      readonly idempotencyKey?: string | undefined
      readonly delayMs?: number | undefined
      readonly times?: number | undefined
    }
  | { readonly type: 'recall'; readonly label: string }
  | { readonly type: 'job.done' | 'other.done'; readonly output: unknown }
  | { readonly type: 'job.failed' | 'other.failed'; readonly error: { readonly code: string; readonly message: string } }

const clientMachine = setup({
  types: { context: {} as { readonly heard: readonly Heard[]; readonly promised: number }, events: {} as ErrandEvent },
  actions: {
    hear: assign({
      heard: ({ context, event }) => {
        if ('output' in event) return [...context.heard, { type: event.type, output: event.output }]
        if ('error' in event) return [...context.heard, { type: event.type, code: event.error.code, message: event.error.message }]
        return context.heard
      },
    }),
  },
}).createMachine({
  context: { heard: [], promised: 0 },
  on: {
    promise: {
      actions: [
        assign({ promised: ({ context }) => context.promised + 1 }),
        enqueueActions(({ enqueue, event }) => {
          const { label, idempotencyKey, delayMs, times = 1 } = event
          for (let index = 0; index < times; index += 1) {
            const n = typeof event.n === 'number' ? event.n + index : event.n
            enqueue(effect(event.name, { n }, { label, idempotencyKey, delayMs }))
          }
        }),
      ],
    },
    recall: { actions: cancelEffect(({ event }) => event.label) },
    'job.done': { actions: 'hear' },
    'job.failed': { actions: 'hear' },
    'other.done': { actions: 'hear' },
    'other.failed': { actions: 'hear' },
  },
})

/** Promises the effects that it is told to. */
export const client = defineActor({
  type: 'client',
  module: import.meta.url,
  logic: clientMachine,
  commands: {
    promise: command({
      input: z.object({
        name: z.string().default('job'),
        n: z.unknown(),
        label: z.string().optional(),
        idempotencyKey: z.string().optional(),
        delayMs: z.number().optional(),
        times: z.number().optional(),
      }),
    }),
    recall: command({ input: z.object({ label: z.string() }) }),
    heard: query({ reply: ({ context }) => context.heard }),
    promised: query({ reply: ({ context }) => context.promised }),
  },
})

/** The same, kept as a journal: what it did is replayed when it comes back. */
export const journaledClient = defineActor({
  type: 'journaled-client',
  module: import.meta.url,
  logic: clientMachine,
  commands: {
    promise: command({ input: z.object({ name: z.string(), n: z.number() }) }),
    heard: query({ reply: ({ context }) => context.heard }),
  },
  persist: 'journal',
  journal: { snapshotEvery: 100 },
})

type StarterEvent = { readonly type: 'touch' | 'job.done' | 'hello' }

/** Promises an effect and sets a timer as soon as it exists. */
export const starter = defineActor({
  type: 'starter',
  module: import.meta.url,
  logic: setup({ types: { context: {} as { readonly heard: readonly string[] }, events: {} as StarterEvent } }).createMachine({
    context: { heard: [] },
    entry: [effect('job', { n: 1 }), setTimer('hello', { event: 'hello', delayMs: 1_000 })],
    on: { '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) } },
  }),
  commands: { touch: command(), heard: query({ reply: ({ context }) => context.heard }) },
})

/** Rings that actions have told the outside world of, in order; a test sets `elapsed` to its own clock. */
export const tower: { rings: { readonly bell: string; readonly name: string; readonly at: number }[]; elapsed: () => number } = {
  rings: [],
  elapsed: () => 0,
}

interface Ring {
  readonly type: 'ring'
  readonly name: string
  /** A timer to cancel when this one rings. */
  readonly cancels?: string | undefined
  /** A timer to set for a minute later when this one rings. */
  readonly replaces?: string | undefined
}

type BellEvent =
  | Ring
  | {
      readonly type: 'set'
      readonly name: string
      readonly delayMs?: number | undefined
      readonly at?: number | undefined
      readonly asDate?: boolean | undefined
      readonly everyMs?: number | undefined
      readonly repeat?: 'fixed-rate' | 'fixed-delay' | undefined
      readonly onRestart?: 'deadline' | 'remaining' | 'restart' | undefined
      readonly cancels?: string | undefined
      readonly replaces?: string | undefined
    }
  | { readonly type: 'setRaw'; readonly name: unknown; readonly timer: unknown }
  | { readonly type: 'clear'; readonly name: string }
  | { readonly type: 'arm' | 'raiseLater' | 'touch' }

const bellMachine = setup({
  types: {
    context: {} as { readonly rings: readonly string[]; readonly touched: number; readonly self: string },
    events: {} as BellEvent,
    input: {} as { readonly self: string },
  },
  actions: {
    note: assign({ rings: ({ context, event }) => (event.type === 'ring' ? [...context.rings, event.name] : context.rings) }),
    tell: ({ context, event }) => {
      if (event.type === 'ring') tower.rings.push({ bell: context.self, name: event.name, at: tower.elapsed() })
    },
  },
}).createMachine({
  context: ({ input }) => ({ rings: [], touched: 0, self: input.self }),
  initial: 'idle',
  on: {
    ring: {
      actions: [
        'note',
        'tell',
        enqueueActions(({ enqueue, event }) => {
          if (event.cancels !== undefined) enqueue(cancelTimer(event.cancels))
          if (event.replaces !== undefined) {
            enqueue(setTimer(event.replaces, { event: { type: 'ring', name: `${event.replaces} again` }, delayMs: 60_000 }))
          }
        }),
      ],
    },
    set: {
      actions: [
        assign({ touched: ({ context }) => context.touched + 1 }),
        setTimer(({ event }) => event.name, {
          event: ({ event }): Ring => ({ type: 'ring', name: event.name, cancels: event.cancels, replaces: event.replaces }),
          delayMs: ({ event }) => event.delayMs,
          at: ({ event }) => (event.at !== undefined && event.asDate === true ? new Date(event.at) : event.at),
          everyMs: ({ event }) => event.everyMs,
          repeat: ({ event }) => event.repeat,
          onRestart: ({ event }) => event.onRestart,
        }),
      ],
    },
    setRaw: {
      actions: [
        assign({ touched: ({ context }) => context.touched + 1 }),
        enqueueActions(({ enqueue, event }) => {
          // What no type would let through.
          enqueue(setTimer(event.name as string, event.timer as TimerArguments<unknown>))
        }),
      ],
    },
    clear: { actions: cancelTimer(({ event }) => event.name) },
    touch: { actions: assign({ touched: ({ context }) => context.touched + 1 }) },
    raiseLater: { actions: raise({ type: 'ring', name: 'raised' } as const, { id: 'raised', delay: 60_000 }) },
  },
  states: {
    idle: { on: { arm: 'armed' } },
    armed: { after: { 60_000: 'rung' } },
    rung: {},
  },
})

const bellCommands = {
  set: command({
    input: z.object({
      name: z.string(),
      delayMs: z.number().optional(),
      at: z.number().optional(),
      asDate: z.boolean().optional(),
      everyMs: z.number().optional(),
      repeat: z.enum(['fixed-rate', 'fixed-delay']).optional(),
      onRestart: z.enum(['deadline', 'remaining', 'restart']).optional(),
      cancels: z.string().optional(),
      replaces: z.string().optional(),
    }),
  }),
  setRaw: command({ input: z.object({ name: z.unknown(), timer: z.unknown() }) }),
  clear: command({ input: z.object({ name: z.string() }) }),
  arm: command(),
  touch: command(),
  raiseLater: command(),
}

/** Rings when its timers do. */
export const bell = defineActor({
  type: 'bell',
  module: import.meta.url,
  logic: bellMachine,
  input: ({ key }) => ({ self: String(key) }),
  commands: {
    ...bellCommands,
    rings: query({ reply: ({ context }) => context.rings }),
    touched: query({ reply: ({ context }) => context.touched }),
    state: query({ reply: ({ value }) => value }),
  },
})

/** The same, whose timers go on after a restart with the time that they had left. */
export const remainingBell = defineActor({
  type: 'remaining-bell',
  module: import.meta.url,
  logic: bellMachine,
  input: ({ key }) => ({ self: String(key) }),
  commands: {
    ...bellCommands,
    rings: query({ reply: ({ context }) => context.rings }),
    state: query({ reply: ({ value }) => value }),
  },
  timers: 'remaining',
})

/** The same, whose timers begin anew after a restart. */
export const restartBell = defineActor({
  type: 'restart-bell',
  module: import.meta.url,
  logic: bellMachine,
  input: ({ key }) => ({ self: String(key) }),
  commands: {
    ...bellCommands,
    rings: query({ reply: ({ context }) => context.rings }),
    state: query({ reply: ({ value }) => value }),
  },
  timers: 'restart',
})

/** The same, in memory only. */
export const ghostBell = defineActor({
  type: 'ghost-bell',
  module: import.meta.url,
  logic: bellMachine,
  input: ({ key }) => ({ self: String(key) }),
  commands: { ...bellCommands, rings: query({ reply: ({ context }) => context.rings }) },
  volatile: true,
  idleMs: 1_000,
})
