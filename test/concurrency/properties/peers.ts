/** Actors that send each other numbered messages in every way there is. */
import { command, defineActor, postpone, query, reply, request, setTimer, tell } from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'

export const PEER_LANES = ['urgent', 'high', 'normal', 'low'] as const
/** `slow request`: the answer is deferred, and comes with a timer. */
export const PEER_WAYS = ['tell', 'request', 'slow request'] as const

const message = z.object({ from: z.string(), lane: z.enum(PEER_LANES), way: z.enum(PEER_WAYS), n: z.number() })
const order = z.object({ to: z.string(), lane: z.enum(PEER_LANES), way: z.enum(PEER_WAYS), times: z.number() })

/** A message as its receiver notes it. */
export type Message = z.infer<typeof message>
/** What a peer is told to send. */
export type Order = z.infer<typeof order>

type PeerEvent =
  | ({ readonly type: 'send' } & Order)
  | ({ readonly type: 'hear' | 'consider' } & Message)
  | { readonly type: 'answered'; readonly output: unknown }
  | { readonly type: 'refused'; readonly error: { readonly code: string } }
  | { readonly type: 'shut' | 'open' | 'thought' }

/** What a peer remembers. */
export interface PeerMemory {
  readonly self: string
  /** How many messages were sent, by stream. */
  readonly sent: Readonly<Record<string, number>>
  readonly heard: readonly Message[]
  readonly answers: number
  readonly refusals: readonly string[]
}

/** Within one stream order is promised. */
export function streamOf(from: string, to: string, { lane, way }: Pick<Message, 'lane' | 'way'>): string {
  return `${from} to ${to}, ${lane}, ${way}`
}

const itself = (): ActorDefinition => peer

const machine = setup({
  types: { context: {} as PeerMemory, events: {} as PeerEvent, input: {} as { readonly self: string } },
  actions: {
    note: assign({
      heard: ({ context, event }) => {
        if (event.type !== 'hear' && event.type !== 'consider') return context.heard
        const { from, lane, way, n } = event
        return [...context.heard, { from, lane, way, n }]
      },
    }),
    send: enqueueActions(({ enqueue, context, event }) => {
      if (event.type !== 'send') return
      const { to, lane, way, times } = event
      const stream = streamOf(context.self, to, event)
      const before = context.sent[stream] ?? 0
      enqueue.assign({ sent: { ...context.sent, [stream]: before + times } })
      for (let n = before + 1; n <= before + times; n += 1) {
        const input = { from: context.self, lane, way, n }
        if (way === 'tell') enqueue(tell(itself, { key: to, command: 'hear', priority: lane, input }))
        else {
          const name = way === 'request' ? 'hear' : 'consider'
          enqueue(
            request(itself, {
              key: to,
              command: name,
              priority: lane,
              input,
              onDone: 'answered',
              onError: 'refused',
              timeoutMs: 3_000_000,
            }),
          )
        }
      }
    }),
  },
}).createMachine({
  context: ({ input }) => ({ self: input.self, sent: {}, heard: [], answers: 0, refusals: [] }),
  initial: 'open',
  on: {
    send: { actions: 'send' },
    consider: { actions: ['note', setTimer('thought', { delayMs: 20, event: 'thought' })] },
    thought: { actions: reply('considered', { command: 'consider', all: true }) },
    answered: { actions: assign({ answers: ({ context }) => context.answers + 1 }) },
    refused: { actions: assign({ refusals: ({ context, event }) => [...context.refusals, event.error.code] }) },
    shut: '.shut',
    open: '.open',
  },
  states: {
    open: { on: { hear: { actions: 'note' } } },
    shut: { on: { hear: { actions: postpone() } } },
  },
})

function peerOf<const Type extends string>(type: Type, persist: 'snapshot' | 'journal') {
  return defineActor({
    type,
    module: import.meta.url,
    logic: machine,
    input: ({ key }) => ({ self: String(key) }),
    commands: {
      send: command({ input: order }),
      hear: command({ input: message, reply: ({ input }) => input.n }),
      consider: command({ input: message, reply: 'deferred', output: z.string(), replyWithinMs: 30_000 }),
      shut: command({ priority: 'urgent' }),
      open: command({ priority: 'urgent' }),
      memory: query({ reply: ({ context }) => context }),
    },
    persist,
    idleMs: 2_000,
  })
}

/** One of the peers. While it is shut, what it hears waits. */
export const peer = peerOf('peer', 'snapshot')
