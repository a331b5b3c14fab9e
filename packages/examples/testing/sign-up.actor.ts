import { cancelTimer, command, defineActor, effect, query, setTimer } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { welcome } from './welcome.effect.ts'

type Event =
  | { readonly type: 'start'; readonly email: string }
  | { readonly type: 'confirm' | 'overdue' }
  | { readonly type: 'welcome.done' | 'welcome.failed' }

const machine = setup({
  types: { context: {} as { readonly email: string; readonly greeted: boolean }, events: {} as Event },
}).createMachine({
  context: { email: '', greeted: false },
  initial: 'new',
  states: {
    new: { on: { start: { target: 'waiting', actions: assign({ email: ({ event }) => event.email }) } } },
    waiting: {
      entry: setTimer('deadline', { delayMs: 15 * 60_000, event: 'overdue' }),
      on: {
        confirm: {
          target: 'confirmed',
          actions: [cancelTimer('deadline'), effect(welcome, ({ context }) => ({ email: context.email }))],
        },
        overdue: 'expired',
      },
    },
    confirmed: { on: { 'welcome.done': { actions: assign({ greeted: true }) }, 'welcome.failed': {} } },
    expired: {},
  },
})

export const signUp = defineActor({
  type: 'sign-up',
  module: import.meta.url,
  logic: machine,
  commands: {
    start: command({ input: z.object({ email: z.string() }) }),
    confirm: command(),
    state: query({ reply: ({ value, context }) => ({ value, greeted: context.greeted }) }),
  },
})
