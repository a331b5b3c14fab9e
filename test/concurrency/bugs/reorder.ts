/**
 * Many write two variables in one order, one reads both: it must see none or both of a write.
 * Source: `reorder_3_bad`, `reorder_5_bad` and `reorder_10_bad` of SCTBench; Thomson, Donaldson and Betts, "Concurrency Testing
 * Using Controlled Schedulers", TOPC 2016.
 */
import assert from 'node:assert/strict'
import { command, defineActor, query } from '@bailiwick/kernel'
import type { Client, SimulationOptions } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'
import { variable } from './memory.ts'

type Both = readonly [a: number, b: number]

/** Both variables in one actor. */
const pair = defineActor({
  type: 'pair',
  module: import.meta.url,
  logic: fromTransition(
    (_both: Both, { a, b }: { readonly type: 'write'; readonly a: number; readonly b: number }): Both => [a, b],
    [0, 0],
  ),
  commands: {
    read: query({ reply: ({ context }) => context }),
    write: command({ input: z.object({ a: z.int(), b: z.int() }) }),
  },
})

const simulation = (
  clients: number,
  write: (client: Client) => Promise<unknown>,
  read: (client: Client) => Promise<Both>,
): SimulationOptions => ({
  actors: [variable, pair],
  scenario: async (world) => {
    await world.together(clients, async (client, index) => {
      if (index < clients - 1) await write(client)
      else assert.match((await read(client)).join(' and '), /^(?:0 and 0|1 and -1)$/, 'half of a write was seen')
    })
  },
})

const reorder = (clients: number): KnownBug => ({
  name: `reorder ${clients}`,
  what: `One of ${clients} reads two variables between the writes of the others to the first and to the second.`,
  withActors: 'Each variable is an actor; repaired, both are one actor with one command and one query.',
  shows: 'AssertionError',
  broken: simulation(
    clients,
    async (client) => {
      await client.actor(variable, 'a').ask.write({ value: 1 })
      await client.actor(variable, 'b').ask.write({ value: -1 })
    },
    async (client) => [await client.actor(variable, 'a').ask.read(), await client.actor(variable, 'b').ask.read()],
  ),
  repaired: simulation(
    clients,
    (client) => client.actor(pair, 'both').ask.write({ a: 1, b: -1 }),
    (client) => client.actor(pair, 'both').ask.read(),
  ),
})

export const reorders: readonly KnownBug[] = [3, 5, 10].map(reorder)
