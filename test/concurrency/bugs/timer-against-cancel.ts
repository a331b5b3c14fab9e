/** A deadline that passes while it is being cancelled. */
import assert from 'node:assert/strict'
import { cancelTimer, command, defineActor, outcomeOf, query, setTimer, tell } from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import type { SimulationOptions } from '@bailiwick/testkit'
import { createMachine } from 'xstate'
import type { KnownBug } from './known-bug.ts'

const DEADLINE_MS = 1_000

/** An order that is paid in time, or expires; and the alarm that tells it so. `isGuarded`: only an order that waits can expire. */
const actorsOf = (isGuarded: boolean) => {
  const theOrder = (): ActorDefinition => order
  const alarm = defineActor({
    type: 'alarm',
    module: import.meta.url,
    logic: createMachine({
      on: {
        set: { actions: setTimer('deadline', { delayMs: DEADLINE_MS, event: 'rang' }) },
        cancel: { actions: cancelTimer('deadline') },
        rang: { actions: tell(theOrder, { key: 'one', command: 'expire' }) },
      },
    }),
    commands: { set: command(), cancel: command() },
  })
  const order = defineActor({
    type: 'order',
    module: import.meta.url,
    logic: createMachine({
      initial: 'open',
      ...(isGuarded ? {} : { on: { expire: '.expired' } }),
      states: {
        open: { on: { place: { target: 'waiting', actions: tell(alarm, { key: 'one', command: 'set' }) } } },
        waiting: { on: { expire: 'expired', pay: { target: 'paid', actions: tell(alarm, { key: 'one', command: 'cancel' }) } } },
        paid: {},
        expired: {},
      },
    }),
    commands: { place: command(), pay: command(), expire: command(), state: query({ reply: ({ value }) => value }) },
  })
  return { alarm, order }
}

const simulation = (isGuarded: boolean): SimulationOptions => {
  const { alarm, order } = actorsOf(isGuarded)
  return {
    actors: [alarm, order],
    scenario: async (world) => {
      const client = world.client()
      const { ask } = client.actor(order, 'one')
      await ask.place()
      // The last moment: it is paid when the alarm rings.
      await client.sleep(DEADLINE_MS)
      const isPaid = await ask.pay().then(
        () => true,
        (error: unknown) => {
          if (outcomeOf(error) !== 'rejected') throw error
          return false
        },
      )
      await world.rest()
      assert.equal(await ask.state(), isPaid ? 'paid' : 'expired')
    },
  }
}

export const timerAgainstCancel: KnownBug = {
  name: 'timer against cancel',
  what: 'A deadline is cancelled after it has rung and before that is heard, so what was in time counts as late.',
  withActors: 'An alarm is an actor whose tell is under way when it is cancelled; repaired, an order expires only while it waits.',
  shows: 'AssertionError',
  broken: simulation(false),
  repaired: simulation(true),
}
