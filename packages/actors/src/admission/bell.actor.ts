/**
 * The bell of one execution: whoever waits for it, or works on its behalf, waits here to hear what its queue has to say.
 *
 * It lives in memory only. The queue is the truth, and a bell shortens the wait: who has heard nothing for a while, or finds the
 * bell gone, asks the queue.
 */
import { command, defineActor, reply } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { Ring } from './book.ts'

/** What a bell has to say: the latest that has happened to the execution. */
export type RingNews = Pick<Ring, 'serial' | 'outcome'>

const serial = z.int().min(0)
const news = z.object({ serial, outcome: z.enum(['granted', 'cancelled', 'timed-out', 'expired']) })
const wait = z.object({ after: serial })

type BellEvent = ({ readonly type: 'ring' } & RingNews) | ({ readonly type: 'wait' } & z.output<typeof wait>)

interface BellContext {
  readonly last: RingNews | null
}

interface BellCommands {
  readonly ring: CommandBuilder<'command', RingNews, RingNews, undefined, never>
  readonly wait: CommandBuilder<'command', { after: number }, { after: number }, RingNews, never>
}

/** The definition of bells. */
export type BellDefinition = ActorDefinition<string, { readonly context: BellContext }, BellCommands>

/** What a bell needs to know. */
export interface BellParts {
  readonly type: string
  readonly module: string
  /** How long somebody waits before looking for oneself, in milliseconds. */
  readonly lookMs: number
}

const machine = setup({
  types: { context: {} as BellContext, events: {} as BellEvent },
}).createMachine({
  context: { last: null },
  on: {
    wait: [
      { guard: ({ context, event }) => (context.last?.serial ?? 0) > event.after, actions: reply(({ context }) => context.last) },
      // Nothing to say yet: the call stays open.
      { actions: () => undefined },
    ],
    ring: [
      {
        guard: ({ context, event }) => event.serial > (context.last?.serial ?? 0),
        actions: [
          assign({ last: ({ event: { serial: number, outcome } }) => ({ serial: number, outcome }) }),
          reply(({ context }) => context.last, { command: 'wait', all: true }),
        ],
      },
      // It is older than what was said before: rejected, it would become a dead letter.
      { actions: () => undefined },
    ],
  },
})

/** Defines the bells of an admission. */
export function defineBell({ type, module, lookMs }: BellParts): BellDefinition {
  return defineActor({
    type,
    module,
    logic: machine,
    commands: {
      ring: command({ input: news }),
      wait: command({ input: wait, reply: 'deferred', output: news, replyWithinMs: lookMs }),
    },
    volatile: true,
    // Long enough for whoever has just been told to wait; all that is lost with it is time.
    idleMs: 5_000,
  })
}
