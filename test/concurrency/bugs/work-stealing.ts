/**
 * A queue from one end of which its owner takes, and from the other end thieves.
 * Source: Frigo, Leiserson and Randall, "The Implementation of the Cilk-5 Multithreaded Language", PLDI 1998; `wsq` of CHESS.
 */
import assert from 'node:assert/strict'
import type { Client, SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { lock, variable, workAlone } from './memory.ts'

const ITEMS = 2

const partsOf = (client: Client) => ({
  head: client.actor(variable, 'head').ask,
  tail: client.actor(variable, 'tail').ask,
  mutex: client.actor(lock, 'thieves').ask,
})

async function steal(client: Client): Promise<number | undefined> {
  const { head, tail, mutex } = partsOf(client)
  await mutex.acquire()
  const item = await head.read()
  await head.write({ value: item + 1 })
  const isTaken = item + 1 <= (await tail.read())
  if (!isTaken) await head.write({ value: item })
  await mutex.release()
  return isTaken ? item : undefined
}

/** The owner looks whether there is something left, and then says that it takes it. */
async function takeUnannounced(client: Client): Promise<number | undefined> {
  const { head, tail } = partsOf(client)
  const item = (await tail.read()) - 1
  if (item < (await head.read())) return undefined
  await tail.write({ value: item })
  return item
}

/** The owner says what it takes before it looks; whoever comes second steps back. */
async function takeAnnounced(client: Client): Promise<number | undefined> {
  const { head, tail, mutex } = partsOf(client)
  const item = (await tail.read()) - 1
  await tail.write({ value: item })
  if (item >= (await head.read())) return item
  await tail.write({ value: item + 1 })
  await mutex.acquire()
  await tail.write({ value: item })
  const isThere = item >= (await head.read())
  if (!isThere) await tail.write({ value: item + 1 })
  await mutex.release()
  return isThere ? item : undefined
}

const simulation = (take: (client: Client) => Promise<number | undefined>): SimulationOptions => ({
  actors: [variable, lock],
  scenario: async (world) => {
    const taken: (number | undefined)[] = []
    await world.client('maker').actor(variable, 'tail').ask.write({ value: ITEMS })
    await world.together(
      async (owner) => {
        taken.push(await take(owner))
        taken.push(await take(owner))
      },
      async (thief) => {
        await workAlone(thief, 6)
        taken.push(await steal(thief))
      },
    )
    const items = taken.filter((item) => item !== undefined)
    assert.equal(new Set(items).size, items.length, `an item was taken twice: ${items.join(', ')}`)
  },
})

export const workStealing: KnownBug = {
  name: 'work-stealing queue',
  what: 'The owner looks for an item before it announces that it takes it, and a thief takes the same one.',
  withActors: 'Both ends of the queue are actors, owner and thief are clients; repaired, the owner announces first and looks then.',
  shows: 'AssertionError',
  broken: simulation(takeUnannounced),
  repaired: simulation(takeAnnounced),
}
