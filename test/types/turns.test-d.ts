/** Types of turns: what `run` gets, what `ask` answers, and what does not compile. */
import { cancelTurn, command, defineActor, query, turn } from '@bailiwick/kernel'
import type { RefOf, TurnOutcome, TurnView } from '@bailiwick/kernel'
import { expectTypeOf, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const machine = setup({
  types: {
    context: {} as { readonly isOpen: boolean; readonly turn: number },
    events: {} as { readonly type: 'close' } | { readonly type: 'prompt.started'; readonly turn: number },
  },
}).createMachine({
  context: { isOpen: true, turn: 0 },
  on: {
    close: { actions: [assign({ isOpen: false }), cancelTurn({ turn: ({ context }) => context.turn, reason: 'closed' })] },
    'prompt.started': { actions: assign({ turn: ({ event }) => event.turn }) },
  },
})

export const session = defineActor({
  type: 'session',
  module: import.meta.url,
  logic: machine,
  commands: {
    prompt: turn({
      input: z.object({ text: z.string(), tries: z.number().default(1) }),
      output: z.object({ answer: z.string() }),
      frame: z.object({ step: z.number() }),
      when: ({ context, input }) => context.isOpen && input.text !== '',
      run: async ({ input, frame, attempt, epoch, signal, interrupted, checkpoint, progress, process }) => {
        expectTypeOf(input).toEqualTypeOf<{ text: string; tries: number }>()
        expectTypeOf(frame).toEqualTypeOf<{ step: number } | undefined>()
        expectTypeOf(attempt).toEqualTypeOf<number>()
        expectTypeOf(epoch).toEqualTypeOf<number>()
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
        expectTypeOf(interrupted()).toEqualTypeOf<boolean>()
        await checkpoint({ step: 1 })
        // @ts-expect-error -- the frame's schema asks for a number.
        await checkpoint({ step: 'one' })
        progress({ done: 1 })
        const result = await process.run({ command: 'true' })
        expectTypeOf(result.exitCode).toEqualTypeOf<number | null>()
        return { answer: input.text }
      },
    }),
    plain: turn({ run: () => 42 }),
    close: command({ preempt: 'abort-drop' }),
    isOpen: query({ reply: ({ context }) => context.isOpen }),
  },
})

declare const ref: RefOf<typeof session>

test('a turn types its run, its ask and its tell end to end', () => {
  expectTypeOf(ref.ask.prompt({ text: 'a' })).resolves.toEqualTypeOf<TurnOutcome<{ answer: string }>>()
  expectTypeOf(ref.ask.plain()).resolves.toEqualTypeOf<TurnOutcome<number>>()
  expectTypeOf(ref.ask.isOpen()).resolves.toEqualTypeOf<boolean>()
  expectTypeOf(ref.tell.prompt({ text: 'a' }, { preempt: 'steal' })).resolves.toHaveProperty('outcome')
  expectTypeOf(ref.turns()).resolves.toEqualTypeOf<readonly TurnView[]>()
  // @ts-expect-error -- the text is missing.
  void ref.ask.prompt({})
  // @ts-expect-error -- there is no such mode.
  void ref.ask.prompt({ text: 'a' }, { preempt: 'abort' })
  // @ts-expect-error -- a turn without input takes none.
  void ref.ask.plain({ text: 'a' })
})

test('an outcome narrows by its tag', () => {
  const show = (outcome: TurnOutcome<string>): string => {
    switch (outcome.outcome) {
      case 'ok':
        return outcome.value
      case 'empty':
        return ''
      case 'cancelled':
        return `${outcome.mode} ${outcome.epoch}`
      case 'failed':
      case 'timed-out':
        return outcome.error.code
    }
  }
  expectTypeOf(show).returns.toEqualTypeOf<string>()
})

test('what run returns must be what the output schema gives', () => {
  turn({
    output: z.number(),
    // @ts-expect-error -- a text is no number.
    run: () => 'text',
  })
})
