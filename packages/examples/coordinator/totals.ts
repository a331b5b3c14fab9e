/**
 * The totals, read from the actors themselves: what each has taken and which state it is in.
 *
 * They depend on nothing but the rounds. Order is kept inside a lane, and no actor lets a command of one lane decide about
 * one of another; so neither load, nor urgency, nor crashes change them.
 */

import type { System } from '@bailiwick/kernel'
import { refOf } from './actors.ts'
import type { Address } from './actors.ts'
import { deliveriesOf, ROUNDS_DISTINCT } from './payloads.ts'
import type { Example } from './payloads.ts'
import { addCounts, sortCounts } from './tally.ts'
import { translate } from './translate.ts'

/** Counts by name, in the order of the names. */
export interface Totals {
  /** How many actors of each type have been at work. */
  readonly actors: Readonly<Record<string, number>>
  /** How many commands took effect, as `actor.command`. */
  readonly handled: Readonly<Record<string, number>>
  /** How many actors are in which state, as `actor.state`. */
  readonly states: Readonly<Record<string, number>>
}

const READ_AT_ONCE = 1000

/** Asks every actor that the first `rounds` rounds are about. */
export async function readTotals(system: System, rounds: number, examples: readonly Example[]): Promise<Totals> {
  let totals: Totals = { actors: {}, handled: {}, states: {} }
  const addresses = addressesOf(rounds, examples)
  for (let start = 0; start < addresses.length; start += READ_AT_ONCE) {
    const answers = await Promise.all(addresses.slice(start, start + READ_AT_ONCE).map((address) => totalsOf(system, address)))
    totals = [totals, ...answers].reduce((one, other) => ({
      actors: addCounts(one.actors, other.actors),
      handled: addCounts(one.handled, other.handled),
      states: addCounts(one.states, other.states),
    }))
  }
  return { actors: sortCounts(totals.actors), handled: sortCounts(totals.handled), states: sortCounts(totals.states) }
}

/** How many commands took effect. */
export function handledBy(totals: Totals): number {
  return Object.values(totals.handled).reduce((sum, count) => sum + count, 0)
}

async function totalsOf(system: System, address: Address): Promise<Totals> {
  // In the lane of what was told: order inside the lane puts the question behind all of it.
  const { handled, value } = await refOf(system, address).ask.overview({}, { priority: 'low' })
  const named = (name: string): string => `${address.actor}.${name}`
  return {
    actors: { [address.actor]: 1 },
    handled: Object.fromEntries(Object.entries(handled).map(([command, count]) => [named(command), count])),
    states: Object.fromEntries(leavesOf(value).map((state) => [named(state), 1])),
  }
}

/** The actors that the rounds are about. Pure: it follows from the deliveries. */
function addressesOf(rounds: number, examples: readonly Example[]): readonly Address[] {
  const about = examples.filter(({ event, payload }) => translate({ id: 'any', event, payload }).kind === 'commands')
  const addresses = new Map<string, Address>()
  for (let round = 0; round < Math.min(rounds, ROUNDS_DISTINCT); round += 1) {
    for (const delivery of deliveriesOf(round, about)) {
      const translation = translate(delivery)
      if (translation.kind !== 'commands') continue
      for (const { actor, key } of translation.commands) addresses.set([actor, ...key].join('/'), { actor, key })
    }
  }
  return [...addresses.values()]
}

/** The states that a machine is in, innermost only: `{ life: { unmerged: 'open' }, checks: 'failing' }` is open and failing. */
function leavesOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : []
}
