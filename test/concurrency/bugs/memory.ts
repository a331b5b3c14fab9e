/** What programs with shared memory are made of, as actors: variables and locks. Threads are clients. */
import { command, defineActor, postpone, query } from '@bailiwick/kernel'
import type { Client } from '@bailiwick/testkit'
import { createMachine, fromTransition } from 'xstate'
import { z } from 'zod'

type VariableEvent = { readonly type: 'write'; readonly value: number } | { readonly type: 'add'; readonly by: number }

/** One number, 0 at first. Each command is atomic; two of them are not. */
export const variable = defineActor({
  type: 'variable',
  module: import.meta.url,
  logic: fromTransition((value: number, event: VariableEvent) => (event.type === 'write' ? event.value : value + event.by), 0),
  commands: {
    read: query({ reply: ({ context }) => context }),
    write: command({ input: z.object({ value: z.int() }) }),
    add: command({ input: z.object({ by: z.int() }), reply: ({ context }) => context }),
  },
})

/** A lock: who asks for it while it is held waits until it is free. It does not know who holds it. */
export const lock = defineActor({
  type: 'lock',
  module: import.meta.url,
  logic: createMachine({
    initial: 'free',
    states: {
      free: { on: { acquire: 'held' } },
      held: { on: { acquire: { actions: postpone() }, release: 'free' } },
    },
  }),
  commands: { acquire: command(), release: command() },
})

/** An event that happens once: who waits for it goes on as soon as it has. */
export const latch = defineActor({
  type: 'latch',
  module: import.meta.url,
  logic: createMachine({
    initial: 'shut',
    states: {
      shut: { on: { wait: { actions: postpone() }, open: 'open' } },
      open: { on: { wait: 'open', open: 'open' } },
    },
  }),
  commands: { wait: command(), open: command() },
})

/**
 * Work of a client's own before it comes to what it shares: so many asks of a variable that nobody else knows. The plainest
 * schedule serves everybody in turn; this keeps it from leading two clients to the same place at the same time.
 */
export async function workAlone(client: Client, asks: number): Promise<void> {
  const { ask } = client.actor(variable, `of ${client.name}`)
  for (let count = 0; count < asks; count += 1) await ask.add({ by: 1 })
}
