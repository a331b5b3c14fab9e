/** Types of the action creators: what must compile in a machine, and what must not. Read by the compiler, never run. */
import { asking, cancelTimer, command, defineActor, defineEffect, effect, query, reply, request, setTimer, tell } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { expectTypeOf, test } from 'vitest'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'

const stock = defineActor({
  type: 'stock',
  module: import.meta.url,
  logic: setup({
    types: { context: {} as { readonly left: number }, events: {} as { readonly type: 'take'; readonly pieces: number } },
  }).createMachine({
    context: { left: 0 },
    on: { take: { actions: assign({ left: ({ context, event }) => context.left - event.pieces }) } },
  }),
  commands: {
    take: command({ input: z.object({ pieces: z.number() }), reply: ({ context }) => context.left }),
    left: query({ reply: ({ context }) => context.left }),
  },
})

const mail = defineEffect({
  name: 'mail',
  module: import.meta.url,
  input: z.object({ text: z.string() }),
  run: ({ input }) => input.text.length,
})

const types = {
  context: {} as { readonly article: string },
  events: {} as { readonly type: 'go'; readonly pieces: number } | { readonly type: 'answer'; readonly output: number },
}

test('context and event are typed in every place where an action may stand', () => {
  setup({
    types,
    actors: { take: asking(stock, 'take') },
    actions: {
      take: tell(stock, {
        key: ({ context }) => context.article,
        command: 'take',
        input: ({ event }) => ({ pieces: event.type === 'go' ? event.pieces : 0 }),
      }),
    },
  }).createMachine({
    context: { article: '' },
    initial: 'a',
    entry: [setTimer('t', { everyMs: 1_000, event: 'answer' }), effect(mail, ({ context }) => ({ text: context.article }))],
    on: {
      go: {
        actions: [
          'take',
          request(stock, {
            key: 'x',
            command: 'take',
            input: ({ event }) => ({ pieces: event.pieces }),
            onDone: 'answer',
            onError: 'answer',
          }),
          reply(({ context, event }) => `${context.article} ${event.pieces}`),
          enqueueActions(({ enqueue, event }) => {
            enqueue(tell(stock, { key: 'x', command: 'take', input: { pieces: event.pieces } }))
          }),
        ],
      },
    },
    states: {
      a: {
        invoke: {
          src: 'take',
          input: { key: 'x', input: { pieces: 1 } },
          onDone: { actions: ({ event }) => expectTypeOf(event.output).toEqualTypeOf<number>() },
        },
      },
    },
  })
})

test('they compile where the actions of XState do, also before any type is stated', () => {
  setup({ actions: { clear: cancelTimer('x'), ring: setTimer('t', { delayMs: 1, event: { type: 'go', by: 1 } }), answer: reply('x') } })
  setup({ types: { context: {} as { readonly n: number } }, actions: { clear: cancelTimer('x'), post: effect('mail', 1) } })
})

test('a wrong command, input or reply does not compile', () => {
  // @ts-expect-error -- there is no such command.
  tell(stock, { key: 'x', command: 'give', input: { pieces: 1 } })
  // @ts-expect-error -- pieces is a number.
  tell(stock, { key: 'x', command: 'take', input: { pieces: '1' } })
  // @ts-expect-error -- a query changes nothing, so it cannot be told.
  tell(stock, { key: 'x', command: 'left' })
  // @ts-expect-error -- the input is missing.
  tell(stock, { key: 'x', command: 'take' })
  // @ts-expect-error -- onError is missing.
  request(stock, { key: 'x', command: 'take', input: { pieces: 1 }, onDone: 'answer' })
  // @ts-expect-error -- text is a string.
  effect(mail, { text: 1 })
  // @ts-expect-error -- there is no such command.
  asking(stock, 'give')
  setTimer('t', {
    event: 'answer',
    // @ts-expect-error -- a length of time is a number.
    delayMs: '1 s',
  })
})

test('the answer to a deferred command is what its schema says', () => {
  const later = defineActor({
    type: 'later',
    module: import.meta.url,
    logic: setup({ types: { events: {} as { readonly type: 'ask' | 'any' } } }).createMachine({}),
    commands: { ask: command({ reply: 'deferred', output: z.string() }), any: command({ reply: 'deferred' }) },
  })
  const ref = (undefined as unknown as System).actor(later, 'a')
  expectTypeOf(ref.ask.ask()).resolves.toEqualTypeOf<string>()
  expectTypeOf(ref.ask.any()).resolves.toEqualTypeOf<unknown>()
})
