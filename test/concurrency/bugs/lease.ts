/**
 * Somebody holds a lease, stands still for longer than it lasts, and goes on as if nothing had been.
 * Source: Kleppmann, "How to do distributed locking", 2016.
 */
import assert from 'node:assert/strict'
import { command, defineActor, outcomeOf, postpone, query } from '@bailiwick/kernel'
import type { Client, SimulationOptions } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'

const LEASE_MS = 1_000

/** Gives a lease to one after the other, each for a second at most, and numbers them. */
const desk = defineActor({
  type: 'desk',
  module: import.meta.url,
  logic: setup({
    types: {
      context: {} as { readonly epoch: number },
      events: {} as { readonly type: 'acquire' } | { readonly type: 'release'; readonly epoch: number },
    },
  }).createMachine({
    context: { epoch: 0 },
    initial: 'free',
    states: {
      free: { on: { acquire: { target: 'held', actions: assign({ epoch: ({ context }) => context.epoch + 1 }) }, release: 'free' } },
      held: {
        after: { [LEASE_MS]: 'free' },
        on: {
          acquire: { actions: postpone() },
          release: [{ guard: ({ context, event }) => event.epoch === context.epoch, target: 'free' }, 'held'],
        },
      },
    },
  }),
  commands: {
    acquire: command({ reply: ({ context }) => context.epoch }),
    release: command({ input: z.object({ epoch: z.int() }) }),
  },
})

interface File {
  readonly lines: readonly number[]
  /** The highest epoch that was shown. */
  readonly epoch: number
}

/** Who writes may show the epoch of its lease; one that is older than the latest is refused. */
const file = defineActor({
  type: 'file',
  module: import.meta.url,
  logic: setup({
    types: { context: {} as File, events: {} as { readonly type: 'write'; readonly line: number; readonly epoch?: number | undefined } },
  }).createMachine({
    context: { lines: [], epoch: 0 },
    on: {
      write: {
        guard: ({ context, event }) => event.epoch === undefined || event.epoch >= context.epoch,
        actions: assign({
          lines: ({ context, event }) => [...context.lines, event.line],
          epoch: ({ context, event }) => event.epoch ?? context.epoch,
        }),
      },
    },
  }),
  commands: {
    write: command({ input: z.object({ line: z.int(), epoch: z.int().optional() }) }),
    lines: query({ reply: ({ context }) => context.lines }),
  },
})

async function hold(client: Client, write: (client: Client, epoch: number) => Promise<unknown>): Promise<void> {
  const { ask } = client.actor(desk, 'one')
  const epoch = await ask.acquire()
  await write(client, epoch)
  await write(client, epoch)
  await ask.release({ epoch })
}

const simulation = (write: (client: Client, epoch: number) => Promise<unknown>): SimulationOptions => ({
  actors: [desk, file],
  faults: ['stall', 'delayed-request'],
  scenario: async (world) => {
    await world.together(2, async (client) => {
      await hold(client, write).catch((error: unknown) => {
        // Whoever is refused, or hears no answer in time, gives up.
        if (outcomeOf(error) !== 'rejected' && outcomeOf(error) !== 'timed-out') throw error
      })
    })
  },
  check: async (world) => {
    const lines = await world.system.actor(file, 'one').ask.lines()
    assert.deepEqual(
      lines,
      lines.toSorted((left, right) => left - right),
      'an older holder has written after a newer one',
    )
  },
})

export const lease: KnownBug = {
  name: 'lease without fencing',
  what: 'A holder that stood still writes after its lease has gone to the next.',
  withActors:
    'A desk gives leases that end by a timer, clients write to another actor; repaired, they show their epoch and the older one is refused.',
  shows: 'AssertionError',
  broken: simulation((client, epoch) => client.actor(file, 'one').ask.write({ line: epoch })),
  repaired: simulation((client, epoch) => client.actor(file, 'one').ask.write({ line: epoch, epoch })),
}
