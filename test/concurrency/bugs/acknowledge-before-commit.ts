/** A buffer in memory that says "saved" before it has written anything: write-behind without a log. */
import assert from 'node:assert/strict'
import { command, defineActor, fail, query, reply, request, tell } from '@bailiwick/kernel'
import type { SimulationOptions } from '@bailiwick/testkit'
import { assign, createMachine, fromTransition, setup } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'

const FLUSH_MS = 20

const line = z.object({ text: z.string() })

/** What is here is on disk. */
const journal = defineActor({
  type: 'journal',
  module: import.meta.url,
  logic: fromTransition((lines: readonly string[], { text }: { readonly type: 'append'; readonly text: string }) => [...lines, text], []),
  commands: { append: command({ input: line }), lines: query({ reply: ({ context }) => context }) },
})

type Save = { readonly type: 'save'; readonly text: string }

/** Says "saved" and writes later. */
const eager = defineActor({
  type: 'buffer',
  module: import.meta.url,
  volatile: true,
  logic: setup({ types: { context: {} as { readonly text: string }, events: {} as Save } }).createMachine({
    context: { text: '' },
    initial: 'clean',
    states: {
      clean: { on: { save: { target: 'dirty', actions: assign({ text: ({ event }) => event.text }) } } },
      dirty: {
        after: {
          [FLUSH_MS]: {
            target: 'clean',
            actions: tell(journal, { key: 'one', command: 'append', input: ({ context }) => ({ text: context.text }) }),
          },
        },
      },
    },
  }),
  commands: { save: command({ input: line, reply: () => 'saved' }) },
})

/** Writes, and says "saved" when the journal has said so. */
const patient = defineActor({
  type: 'buffer',
  module: import.meta.url,
  logic: createMachine({
    types: {} as { readonly events: Save | { readonly type: 'written' } | { readonly type: 'failed' } },
    on: {
      save: {
        actions: request(journal, {
          key: 'one',
          command: 'append',
          input: ({ event }) => ({ text: event.text }),
          onDone: 'written',
          onError: 'failed',
        }),
      },
      written: { actions: reply('saved') },
      failed: { actions: fail({ message: 'it was not written' }) },
    },
  }),
  commands: { save: command({ input: line, reply: 'deferred' }) },
})

const simulation = (buffer: typeof eager | typeof patient): SimulationOptions => {
  let saved: string[] = []
  return {
    actors: [journal, buffer],
    faults: 'crashes',
    scenario: async (world) => {
      saved = []
      await world.together(2, async (client, index) => {
        const text = `line ${index}`
        const answer = await client
          .actor(buffer, `of ${index}`)
          .ask.save({ text })
          .catch(() => 'nobody knows')
        if (answer === 'saved') saved.push(text)
      })
      await world.sleep(2 * FLUSH_MS)
    },
    check: async (world) => {
      const lines = await world.system.actor(journal, 'one').ask.lines()
      for (const text of saved) assert.ok(lines.includes(text), `${text} was acknowledged and is gone`)
    },
  }
}

export const acknowledgeBeforeCommit: KnownBug = {
  name: 'acknowledge before commit',
  what: 'What was acknowledged is gone after a crash, because it was not written yet.',
  withActors:
    'A volatile actor answers at once and tells the journal 20 ms later; repaired, it asks the journal and answers when that has answered.',
  shows: 'AssertionError',
  broken: simulation(eager),
  repaired: simulation(patient),
}
