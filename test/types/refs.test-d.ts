/** Types from end to end: what must compile, and what must not. Read by the compiler, never run. */
import type { System, TellReceipt } from '@bailiwick/kernel'
import { command, defineActor, query } from '@bailiwick/kernel'
import { expectTypeOf, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'

const machine = setup({
  types: {
    context: {} as { readonly balance: number },
    events: {} as { readonly type: 'deposit'; readonly amount: number } | { readonly type: 'freeze' },
  },
}).createMachine({
  context: { balance: 0 },
  initial: 'open',
  states: {
    open: { on: { deposit: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) }, freeze: 'frozen' } },
    frozen: {},
  },
})

const input = z.object({ amount: z.number() })

const account = defineActor({
  type: 'account',
  module: import.meta.url,
  logic: machine,
  commands: {
    deposit: command({ input, reply: ({ context, input: given }) => `${context.balance} after ${given.amount}` }),
    freeze: command({ priority: 'urgent' }),
    state: query({ reply: ({ value }) => value }),
  },
})

declare const system: System

test('replies are inferred from the reply function and the logic', () => {
  const ref = system.actor(account, 'alice')
  expectTypeOf(ref.ask.deposit({ amount: 1 })).resolves.toEqualTypeOf<string>()
  expectTypeOf(ref.ask.freeze()).resolves.toEqualTypeOf<undefined>()
  expectTypeOf(ref.ask.state()).resolves.toEqualTypeOf<'open' | 'frozen'>()
  expectTypeOf(ref.tell.deposit({ amount: 1 })).resolves.toEqualTypeOf<TellReceipt>()
  expectTypeOf(ref.snapshot()).resolves.toHaveProperty('context').toEqualTypeOf<{ readonly balance: number }>()
})

test('a wrong input, command, key or option does not compile', () => {
  const ref = system.actor(account, ['bank', 'alice'])
  // @ts-expect-error -- the amount is a number
  void ref.ask.deposit({ amount: '1' })
  // @ts-expect-error -- the input is required
  void ref.ask.deposit()
  // @ts-expect-error -- there is no such command
  void ref.ask.withdraw({ amount: 1 })
  // @ts-expect-error -- freeze takes no input
  void ref.ask.freeze({ now: true })
  // @ts-expect-error -- a query cannot be told
  void ref.tell.state()
  // @ts-expect-error -- priorities have names
  void ref.ask.freeze({}, { priority: 1 })
  // @ts-expect-error -- keys are strings
  system.actor(account, 7)
})

test('a command that the logic does not know does not compile', () => {
  const rest = { type: 'account', module: import.meta.url, logic: machine } as const
  // @ts-expect-error -- the machine has no such event
  defineActor({ ...rest, commands: { close: command() } })
  // @ts-expect-error -- the machine wants a number
  defineActor({ ...rest, commands: { deposit: command({ input: z.object({ amount: z.string() }) }) } })
})
