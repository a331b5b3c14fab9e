/** Actors for the tests of this package. They run in the test's own thread, so a test may look into what they did. */
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, cancel, raise, setup } from 'xstate'
import { z } from 'zod'

/** What actions did, in order; the proof of what ran and when. */
export const journal: string[] = []

const machine = setup({
  types: {
    context: {} as { readonly total: number; readonly seen: readonly number[] },
    events: {} as { readonly type: 'add'; readonly n: number } | { readonly type: 'arm' | 'disarm' | 'race' | 'left' | 'right' },
  },
  actions: { note: ({ context }) => journal.push(`note ${context.total}`) },
}).createMachine({
  context: { total: 0, seen: [] },
  initial: 'idle',
  on: {
    // Two timers of one moment, each of which cancels the other.
    race: { actions: [raise({ type: 'left' }, { id: 'left', delay: 5_000 }), raise({ type: 'right' }, { id: 'right', delay: 5_000 })] },
    left: { actions: [cancel('right'), () => journal.push('left')] },
    right: { actions: [cancel('left'), () => journal.push('right')] },
    add: {
      actions: [assign(({ context, event }) => ({ total: context.total + event.n, seen: [...context.seen, event.n] })), 'note'],
    },
  },
  states: {
    idle: { on: { arm: 'armed' } },
    armed: { on: { disarm: 'idle' }, after: { 60_000: 'rung' } },
    rung: { entry: () => journal.push('rung') },
  },
})

/** Adds numbers, and rings a minute after it was armed. */
export const counter = defineActor({
  type: 'counter',
  module: import.meta.url,
  logic: machine,
  commands: {
    add: command({ input: z.object({ n: z.number() }), reply: ({ context }) => context.total }),
    arm: command(),
    disarm: command(),
    race: command(),
    state: query({ reply: ({ value }) => value }),
    seen: query({ reply: ({ context }) => context.seen }),
  },
  idleMs: 10_000,
})
