/** Nodes in a ring, each of which takes over the value of the one before it. Source: `token_ring_bad` of SCTBench. */
import assert from 'node:assert/strict'
import { command, defineActor, query, request, tell } from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import type { SimulationOptions } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { KnownBug } from './known-bug.ts'
import { variable, workAlone } from './memory.ts'

const NODES = 3

interface Context {
  readonly node: number
  readonly value: number
}
type NodeEvent = { readonly type: 'move' } | { readonly type: 'heard'; readonly output: number } | { readonly type: 'lost' }

/** `passesOn`: a node that has moved tells the next one to move. The first adds one to the value of the last. */
const nodeOf = (passesOn: boolean) => {
  const itself = (): ActorDefinition => definition
  const takeOver = assign<Context, { readonly type: 'heard'; readonly output: number }, undefined, NodeEvent, never>({
    value: ({ context, event }) => event.output + (context.node === 0 ? 1 : 0),
  })
  const definition = defineActor({
    type: 'node',
    module: import.meta.url,
    input: ({ key }) => ({ node: Number(key) }),
    logic: setup({ types: { context: {} as Context, events: {} as NodeEvent, input: {} as { readonly node: number } } }).createMachine({
      context: ({ input: { node } }) => ({ node, value: 0 }),
      on: {
        move: {
          actions: request(itself, {
            key: ({ context }) => `${(context.node + NODES - 1) % NODES}`,
            command: 'value',
            onDone: 'heard',
            onError: 'lost',
          }),
        },
        heard: [
          {
            guard: ({ context }) => passesOn && context.node < NODES - 1,
            actions: [takeOver, tell(itself, { key: ({ context }) => `${context.node + 1}`, command: 'move' })],
          },
          { actions: takeOver },
        ],
      },
    }),
    commands: { move: command(), value: query({ input: z.object({}), reply: ({ context }) => context.value }) },
  })
  return definition
}

const simulation = (passesOn: boolean): SimulationOptions => {
  const node = nodeOf(passesOn)
  return {
    actors: [node, variable],
    scenario: async (world) => {
      await world.together(NODES, async (client, index) => {
        await workAlone(client, 2 * index)
        const { ask } = client.actor(node, `${index}`)
        if (index === 0 || !passesOn) await ask.move()
        else await ask.value({})
      })
    },
    check: async (world) => {
      const values: number[] = []
      for (let index = 0; index < NODES; index += 1) values.push(await world.system.actor(node, `${index}`).ask.value({}))
      assert.deepEqual(values, [1, 1, 1])
    },
  }
}

export const tokenRing: KnownBug = {
  name: 'token ring',
  what: 'Each node takes over the value of the one before it, and one does so too early.',
  withActors: 'Nodes request the value of their neighbour when a client says so; repaired, each is told by the one before it.',
  shows: 'AssertionError',
  broken: simulation(false),
  repaired: simulation(true),
}
