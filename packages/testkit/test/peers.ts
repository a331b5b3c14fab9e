/** Actors that send each other numbered messages in every way there is; for properties of order and of exactly once. */
import { command, defineActor, query, request, tell } from '@bailiwick/kernel'
import type { ActorDefinition, Priority } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const priority = z.enum(['urgent', 'high', 'normal', 'low'])

/** A message as its receiver notes it. */
export interface Heard {
  readonly from: string
  readonly lane: Priority
  readonly way: 'tell' | 'request'
  readonly n: number
}

type PeerEvent =
  | { readonly type: 'send'; readonly to: string; readonly lane: Priority; readonly way: 'tell' | 'request' }
  | ({ readonly type: 'hear' } & Heard)
  | { readonly type: 'answered'; readonly output: unknown }
  | { readonly type: 'refused'; readonly error: { readonly code: string } }

interface PeerContext {
  readonly self: string
  /** How many messages were sent, by receiver, lane and way. */
  readonly sent: Readonly<Record<string, number>>
  readonly heard: readonly Heard[]
  readonly answers: number
  readonly refusals: readonly string[]
}

/** The stream that a message belongs to: within one, order is promised. */
export function streamOf(to: string, lane: Priority, way: 'tell' | 'request'): string {
  return `${to} ${lane} ${way}`
}

const itself = (): ActorDefinition => peer

const machine = setup({
  types: { context: {} as PeerContext, events: {} as PeerEvent, input: {} as { readonly self: string } },
  guards: { isTell: ({ event }) => event.type === 'send' && event.way === 'tell' },
  actions: {
    count: assign({
      sent: ({ context, event }) => {
        if (event.type !== 'send') return context.sent
        const stream = streamOf(event.to, event.lane, event.way)
        return { ...context.sent, [stream]: (context.sent[stream] ?? 0) + 1 }
      },
    }),
    tell: tell(itself, {
      key: ({ event }) => (event.type === 'send' ? event.to : ''),
      command: 'hear',
      priority: ({ event }) => (event.type === 'send' ? event.lane : undefined),
      input: ({ context, event }) => messageOf(context, event),
    }),
    request: request(itself, {
      key: ({ event }) => (event.type === 'send' ? event.to : ''),
      command: 'hear',
      priority: ({ event }) => (event.type === 'send' ? event.lane : undefined),
      input: ({ context, event }) => messageOf(context, event),
      onDone: 'answered',
      onError: 'refused',
      timeoutMs: 3_600_000,
    }),
  },
}).createMachine({
  context: ({ input }) => ({ self: input.self, sent: {}, heard: [], answers: 0, refusals: [] }),
  on: {
    send: [{ guard: 'isTell', actions: ['count', 'tell'] }, { actions: ['count', 'request'] }],
    hear: {
      actions: assign({
        heard: ({ context, event: { from, lane, way, n } }) => [...context.heard, { from, lane, way, n }],
      }),
    },
    answered: { actions: assign({ answers: ({ context }) => context.answers + 1 }) },
    refused: { actions: assign({ refusals: ({ context, event }) => [...context.refusals, event.error.code] }) },
  },
})

function messageOf({ self, sent }: PeerContext, event: PeerEvent): object {
  if (event.type !== 'send') return {}
  const { to, lane, way } = event
  return { from: self, lane, way, n: sent[streamOf(to, lane, way)] ?? 0 }
}

/** One of the peers. */
export const peer = defineActor({
  type: 'peer',
  module: import.meta.url,
  logic: machine,
  input: ({ key }) => ({ self: String(key) }),
  commands: {
    send: command({ input: z.object({ to: z.string(), lane: priority, way: z.enum(['tell', 'request']) }) }),
    hear: command({
      input: z.object({ from: z.string(), lane: priority, way: z.enum(['tell', 'request']), n: z.number() }),
      reply: ({ input }) => input.n,
    }),
    all: query({ reply: ({ context }) => context }),
  },
  idleMs: 50,
})
