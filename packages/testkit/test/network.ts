/** Actors that talk to each other, for the tests of this package and of the whole. */
import {
  AskCycle,
  asking,
  cancelEffect,
  command,
  defineActor,
  defineEffect,
  effect,
  fail,
  postpone,
  query,
  reply,
  request,
  tell,
} from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'

type InboxEvent = { readonly type: 'note'; readonly from: string; readonly n: number } | { readonly type: 'open' | 'shut' | 'crash' }

const inboxMachine = setup({
  types: { context: {} as { readonly notes: readonly { readonly from: string; readonly n: number }[] }, events: {} as InboxEvent },
  actions: {
    keep: assign({
      notes: ({ context, event }) => (event.type === 'note' ? [...context.notes, { from: event.from, n: event.n }] : context.notes),
    }),
  },
}).createMachine({
  context: { notes: [] },
  initial: 'open',
  states: {
    open: {
      on: {
        note: { actions: 'keep' },
        shut: 'shut',
        crash: {
          actions: assign(() => {
            throw new Error('it was told to crash')
          }),
        },
      },
    },
    shut: { on: { note: { actions: postpone() }, open: 'open' } },
  },
})

/** Keeps every note that it gets; while it is shut, notes wait. */
export const inbox = defineActor({
  type: 'inbox',
  module: import.meta.url,
  logic: inboxMachine,
  commands: {
    note: command({ input: z.object({ from: z.string(), n: z.number().int() }), reply: ({ context }) => context.notes.length }),
    open: command({ priority: 'urgent' }),
    shut: command({ priority: 'urgent' }),
    crash: command(),
    notes: query({ reply: ({ context }) => context.notes }),
  },
  mailbox: { capacity: 1_000 },
})

type SenderEvent =
  | { readonly type: 'send'; readonly to: string; readonly n: number; readonly times?: number | undefined }
  | { readonly type: 'sendBadly' | 'sendLater'; readonly to: string }

const senderMachine = setup({
  types: {
    context: {} as { readonly sent: number; readonly self: string },
    events: {} as SenderEvent,
    input: {} as { readonly self: string },
  },
  actions: {
    bad: tell(inbox, { key: 'x', command: 'note', input: { from: 'me', n: 1.5 } }),
  },
}).createMachine({
  context: ({ input }) => ({ sent: 0, self: input.self }),
  on: {
    send: {
      actions: [
        enqueueActions(({ enqueue, event, context }) => {
          for (let index = 0; index < (event.times ?? 1); index += 1) {
            enqueue(tell(inbox, { key: event.to, command: 'note', input: { from: context.self, n: event.n + index } }))
          }
        }),
        assign({ sent: ({ context, event }) => context.sent + (event.times ?? 1) }),
      ],
    },
    sendBadly: { actions: [assign({ sent: ({ context }) => context.sent + 1 }), 'bad'] },
    sendLater: {
      actions: tell(inbox, {
        key: ({ event }) => event.to,
        command: 'note',
        input: ({ context }) => ({ from: context.self, n: 0 }),
        delayMs: 60_000,
      }),
    },
  },
})

/** Sends notes. */
export const sender = defineActor({
  type: 'sender',
  module: import.meta.url,
  logic: senderMachine,
  input: ({ key }) => ({ self: String(key) }),
  commands: {
    send: command({
      input: z.object({ to: z.string(), n: z.number(), times: z.number().optional() }),
      reply: ({ context }) => context.sent,
    }),
    sendBadly: command({ input: z.object({ to: z.string() }) }),
    sendLater: command({ input: z.object({ to: z.string() }) }),
    sent: query({ reply: ({ context }) => context.sent }),
  },
})

type NodeEvent =
  | { readonly type: 'ask'; readonly through: readonly string[]; readonly last: string }
  | { readonly type: 'answered'; readonly output: unknown }
  | { readonly type: 'refused'; readonly error: { readonly code: string; readonly path?: readonly string[] } }
  | { readonly type: 'again' | 'hold' | 'misspell' | 'undefine' }

/** Definitions that name themselves need their type written down once. */
const itself = (): ActorDefinition => node

const nodeMachine = setup({
  types: { context: {} as { readonly seen: readonly string[] }, events: {} as NodeEvent },
  actions: {
    forward: request(itself, {
      key: ({ event }) => (event.type === 'ask' ? (event.through[0] ?? '') : ''),
      command: ({ event }) => (event.type === 'ask' && event.through.length === 1 ? event.last : 'ask'),
      input: ({ event }) => (event.type === 'ask' && event.through.length > 1 ? { through: event.through.slice(1), last: event.last } : {}),
      onDone: 'answered',
      onError: 'refused',
      timeoutMs: 60_000,
    }),
    // Asks itself for itself, with the same command over and over.
    again: request(itself, { key: 'loop', command: 'again', onDone: 'answered', onError: 'refused' }),
  },
}).createMachine({
  context: { seen: [] },
  on: {
    ask: [{ guard: ({ event }) => event.through.length === 0, actions: reply('here') }, { actions: 'forward' }],
    again: { actions: 'again' },
    misspell: { actions: reply('x', { command: 'aks' }) },
    // As a module finds it that is imported in a circle.
    undefine: { actions: tell(() => undefined as unknown as ActorDefinition, { key: 'x', command: 'x' }) },
    // Taken, and never answered.
    hold: { actions: assign({ seen: ({ context }) => [...context.seen, 'held'] }) },
    answered: {
      actions: [assign({ seen: ({ context }) => [...context.seen, 'answered'] }), reply(({ event }) => event.output as object)],
    },
    refused: {
      actions: [
        assign({ seen: ({ context, event }) => [...context.seen, `${event.error.code} ${(event.error.path ?? []).join('>')}`] }),
        reply(({ event }) => event.error),
      ],
    },
  },
})

const question = z.object({ through: z.array(z.string()).default([]), last: z.string().default('seen') })

/** Passes a question on along a path of other nodes. */
export const node = defineActor({
  type: 'node',
  module: import.meta.url,
  logic: nodeMachine,
  commands: {
    ask: command({ input: question, reply: 'deferred' }),
    again: command(),
    hold: command({ reply: 'deferred', replyWithinMs: 5_000 }),
    misspell: command(),
    undefine: command(),
    seen: query({ reply: ({ context }) => context.seen }),
    missing: query({
      reply: () => {
        throw new Error('nothing here')
      },
    }),
  },
})

/** The same in memory only. */
export const ghostNode = defineActor({
  type: 'ghost-node',
  module: import.meta.url,
  logic: nodeMachine,
  commands: {
    ask: command({ input: question, reply: 'deferred' }),
    hold: command({ reply: 'deferred', replyWithinMs: 5_000 }),
  },
  volatile: true,
})

/** What effects did, in order: the outside world of a test. */
export const world: { readonly key: string; readonly attempt: number; readonly text: string }[] = []

/** Whether the post office is open; closed, every attempt fails. */
export const office = { isOpen: true, hang: false, knows: new Set<string>() }

/** Sends a letter. */
export const mail = defineEffect({
  name: 'mail',
  module: import.meta.url,
  input: z.object({ text: z.string() }),
  run: async ({ input, idempotencyKey, attempt, signal }) => {
    world.push({ key: idempotencyKey, attempt, text: input.text })
    if (office.hang) await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    if (!office.isOpen) throw new Error('the office is closed')
    return { stamp: input.text.length }
  },
  retry: { maxAttempts: 3, backoff: { minMs: 1_000, maxMs: 8_000, jitter: 0 } },
  timeoutMs: 5_000,
  concurrency: 2,
})

type PosterEvent =
  | { readonly type: 'post'; readonly text: string; readonly label?: string | undefined }
  | { readonly type: 'recall'; readonly label: string }
  | { readonly type: 'order'; readonly text: string }
  | { readonly type: 'giveUp' }
  | { readonly type: 'mail.done'; readonly output: { readonly stamp: number } }
  | { readonly type: 'mail.failed'; readonly error: { readonly code: string; readonly message: string } }

const posterMachine = setup({
  types: { context: {} as { readonly done: number; readonly failed: readonly string[] }, events: {} as PosterEvent },
}).createMachine({
  context: { done: 0, failed: [] },
  on: {
    post: {
      actions: effect(mail, ({ event }) => ({ text: event.text }), {
        label: ({ event }) => event.label,
        delayMs: ({ event }) => (event.label === undefined ? 0 : 60_000),
      }),
    },
    order: { actions: effect(mail, ({ event }) => ({ text: event.text })) },
    recall: { actions: cancelEffect(({ event }) => event.label) },
    giveUp: { actions: fail({ message: 'given up', all: true }) },
    'mail.done': { actions: [assign({ done: ({ context }) => context.done + 1 }), reply(({ event }) => event.output.stamp)] },
    'mail.failed': {
      actions: [
        assign({ failed: ({ context, event }) => [...context.failed, event.error.code] }),
        fail({ message: ({ event }) => event.error.message, retryable: true }),
      ],
    },
  },
})

/** Sends letters, and answers an order once its letter is on its way. */
export const poster = defineActor({
  type: 'poster',
  module: import.meta.url,
  logic: posterMachine,
  commands: {
    post: command({ input: z.object({ text: z.string(), label: z.string().optional() }) }),
    recall: command({ input: z.object({ label: z.string() }) }),
    order: command({ input: z.object({ text: z.string() }), reply: 'deferred', output: z.number(), replyWithinMs: 120_000 }),
    giveUp: command(),
    tally: query({ reply: ({ context }) => context }),
  },
})

type AskerEvent = { readonly type: 'go'; readonly through: readonly string[] } | { readonly type: 'retry' }

const otherAsker = (): ActorDefinition => asker

const askerMachine = setup({
  types: {
    context: {} as { readonly through: readonly string[]; readonly found: unknown },
    events: {} as AskerEvent,
  },
  actors: { note: asking(inbox, 'note'), goOn: asking(otherAsker, 'go') },
}).createMachine({
  context: { through: [], found: null },
  initial: 'idle',
  states: {
    idle: {
      on: {
        go: [
          {
            guard: ({ event }) => event.through.length === 0,
            target: 'noting',
          },
          { target: 'asking', actions: assign({ through: ({ event }) => event.through }) },
        ],
      },
    },
    noting: {
      invoke: {
        src: 'note',
        input: { key: 'box', input: { from: 'asker', n: 1 }, idempotencyKey: 'once' },
        onDone: { target: 'idle', actions: [assign({ found: ({ event }) => event.output }), reply(({ event }) => event.output)] },
        onError: {
          target: 'idle',
          actions: [assign({ found: ({ event }) => codeIn(event.error) }), reply(({ event }) => codeIn(event.error))],
        },
      },
    },
    asking: {
      invoke: {
        src: 'goOn',
        input: ({ context }) => ({ key: context.through[0] ?? '', input: { through: context.through.slice(1) } }),
        onDone: { target: 'idle', actions: reply(({ event }) => event.output as object) },
        onError: { target: 'idle', actions: reply(({ event }) => pathIn(event.error)) },
      },
    },
  },
})

function codeIn(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

function pathIn(error: unknown): string {
  return error instanceof AskCycle ? `cycle ${error.path.join('>')}` : codeIn(error)
}

/** Asks others as children. */
export const asker = defineActor({
  type: 'asker',
  module: import.meta.url,
  logic: askerMachine,
  commands: {
    go: command({ input: z.object({ through: z.array(z.string()).default([]) }), reply: 'deferred' }),
    found: query({ reply: ({ context }) => context.found }),
  },
})
