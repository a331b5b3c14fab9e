/** A relay that sends what stands in an outbox and then notes that it was sent. */
import assert from 'node:assert/strict'
import { command, defineActor, query } from '@bailiwick/kernel'
import type { SimulationOptions } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'

type OutboxEvent = { readonly type: 'add' | 'sent'; readonly row: string }

/** What is still to be sent. */
const outbox = defineActor({
  type: 'outbox',
  module: import.meta.url,
  logic: fromTransition(
    (rows: readonly string[], { type, row }: OutboxEvent) => (type === 'add' ? [...rows, row] : rows.filter((other) => other !== row)),
    [],
  ),
  commands: {
    add: command({ input: z.object({ row: z.string() }) }),
    sent: command({ input: z.object({ row: z.string() }) }),
    unsent: query({ reply: ({ context }) => context }),
  },
})

/** Who gets it: each letter must come once. */
const receiver = defineActor({
  type: 'receiver',
  module: import.meta.url,
  logic: fromTransition((letters: readonly string[], { row }: { readonly type: 'receive'; readonly row: string }) => [...letters, row], []),
  commands: {
    receive: command({ input: z.object({ row: z.string() }) }),
    letters: query({ reply: ({ context }) => context }),
  },
})

/** `hasKey`: what is sent carries the name of its row, under which the receiver takes it once. */
const simulation = (hasKey: boolean): SimulationOptions => ({
  actors: [outbox, receiver],
  faults: 'crashes',
  scenario: async (world) => {
    const client = world.client('relay')
    const rows = client.actor(outbox, 'one').ask
    const { ask } = client.actor(receiver, 'one')
    for (const row of ['first', 'second']) await client.retry(() => rows.add({ row }, { idempotencyKey: row }))
    // Whatever fails, the relay begins again with what is not yet noted as sent.
    await client.retry(async () => {
      for (const row of await rows.unsent()) {
        await ask.receive({ row }, hasKey ? { idempotencyKey: row } : {})
        await rows.sent({ row })
      }
    })
  },
  check: async (world) => {
    const letters = await world.system.actor(receiver, 'one').ask.letters()
    assert.deepEqual(letters, ['first', 'second'])
  },
})

export const doubleSend: KnownBug = {
  name: 'double outbox send',
  what: 'A crash between sending and noting it lets the same letter be sent again.',
  withActors: 'A client relays rows of an outbox to a receiver; repaired, it sends each under the name of its row as idempotency key.',
  shows: 'AssertionError',
  broken: simulation(false),
  repaired: simulation(true),
}
