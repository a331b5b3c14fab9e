/**
 * The load of the crash tests and of the soak: senders of many kinds, each of which numbers what it sends from 1.
 *
 * A sender is named after its kind and its actor, for instance `tell-low/l3`. Whoever receives a number notices if it is not the
 * next one, so nothing here has to remember what was sent. After a restart a sender goes on from what its actor says; one with
 * keys goes on from what it was told, and repeats the rest under the same keys.
 */
import { setTimeout as pass } from 'node:timers/promises'
import { BailiwickError } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { journaled, ledger } from '../fixtures/ledger.actor.ts'
import { LANES, LEDGERS } from './fixtures/account.ts'
import type { Account } from './fixtures/account.ts'
import { bell } from './fixtures/bell.actor.ts'
import { broker } from './fixtures/broker.actor.ts'
import { craftsman, resultOf } from './fixtures/craftsman.actor.ts'
import { known, post, postman } from './fixtures/postman.actor.ts'
import { sleeper } from './fixtures/sleeper.actor.ts'

/** How many commands wait, over all actors. */
export function waitingIn(system: System): number {
  return Object.values(system.stats().lanes).reduce((total, { depth }) => total + depth, 0)
}

/** Everything that a system of this load is opened with. */
export const DEFINITIONS = {
  actors: [ledger, journaled, postman, bell, sleeper, broker, craftsman],
  effects: [post, known],
} as const

/** How many shards it has. */
export const SHARDS = 3

/** Keys of the actors other than ledgers. */
const POSTMEN = ['p0', 'p1']
const BELLS = ['b0', 'b1']
const SLEEPERS = ['s0', 's1']
const BROKERS = ['q0', 'q1']
const CRAFTSMEN = ['c0', 'c1']

/** Effects that may be promised and not delivered; more only make the end of a test longer. */
const OUTBOX_MAX = 150
/** Tells that may wait; with more of them, those who ask would wait for nothing but tells. */
const WAITING_MAX = 60
/** Who has to wait looks again after so long. */
const LOOK_MS = 2
const BEAT_MS = 40
/** Timers that ring once do so after up to so long. */
const DELAY_MS_MAX = 900

/** Under which circumstances the load runs. */
export interface WorkloadParts {
  readonly system: System
  /** Address of the receiver of effects. */
  readonly url: string
  /** The file to which turns write what they do. */
  readonly log: string
  /** The folder of the whole test. */
  readonly root: string
  /** A number from 0 to 1. */
  readonly random: () => number
  /** The last number of a sender that is to be taken as sent. */
  readonly last: (sender: string) => number
  /** Hears of every promise that has resolved. */
  readonly acknowledge: (sender: string, n: number) => void
  /** Hears of everything that must not be. */
  readonly complain: (text: string) => void
  /** Waits until the sender may send its next ones. */
  readonly pace: (sender: string) => Promise<void>
  readonly isClosing: () => boolean
}

/** A piece of the load. */
interface Sender {
  readonly name: string
  /** How many are sent at a time. */
  readonly width: number
  readonly send: (n: number) => Promise<unknown>
  /** Whether it has to wait before it sends the next ones. */
  readonly isHeldUp?: () => boolean
}

function ledgerOf(system: System, index: number) {
  const key = LEDGERS[index] ?? ''
  return index % 2 === 0 ? system.actor(ledger, key) : system.actor(journaled, key)
}

/** Runs the load until the system is closed. */
export async function work(parts: WorkloadParts): Promise<void> {
  const beginnings = BELLS.map((key) => attempt(parts, `begin ${key}`, () => parts.system.actor(bell, key).ask.begin({ everyMs: BEAT_MS })))
  await Promise.all([...beginnings, ...sendersOf(parts).map((sender) => drive(parts, sender))])
}

async function drive(parts: WorkloadParts, { name, width, send, isHeldUp = () => false }: Sender): Promise<void> {
  let n = parts.last(name)
  while (!parts.isClosing()) {
    if (isHeldUp()) {
      await pass(LOOK_MS)
      continue
    }
    const sent: Promise<void>[] = []
    for (let each = 0; each < width; each += 1) {
      n += 1
      sent.push(sendOne(parts, name, n, send))
    }
    await Promise.all(sent)
    await parts.pace(name)
  }
}

async function sendOne(parts: WorkloadParts, name: string, n: number, send: Sender['send']): Promise<void> {
  if (await attempt(parts, `${name} ${n}`, () => send(n))) parts.acknowledge(name, n)
}

/** Answers whether it succeeded. */
async function attempt(parts: WorkloadParts, name: string, send: () => Promise<unknown>): Promise<boolean> {
  try {
    await send()
    return true
  } catch (error) {
    // While the system closes, it says so to everybody.
    if (!parts.isClosing() || !(error instanceof BailiwickError) || error.code !== 'SYSTEM_CLOSED')
      parts.complain(`${name}: ${String(error)}`)
    return false
  }
}

function sendersOf(parts: WorkloadParts): readonly Sender[] {
  return [
    ...LEDGERS.flatMap((key, index) => sendersOfLedger(parts, key, index)),
    ...POSTMEN.map((key) => senderOfPostman(parts, key)),
    ...BELLS.flatMap((key) => sendersOfBell(parts, key)),
    ...SLEEPERS.map((key) => senderOfSleeper(parts, key)),
    ...BROKERS.map((key) => senderOfBroker(parts, key)),
    ...CRAFTSMEN.flatMap((key) => sendersOfCraftsman(parts, key)),
  ]
}

function sendersOfLedger({ system }: WorkloadParts, key: string, index: number): readonly Sender[] {
  const ref = ledgerOf(system, index)
  const keyed = `keyed/${key}`
  return [
    { name: `ask/${key}`, width: 1, send: async (n) => await ref.ask.enter({ sender: `ask/${key}`, n }) },
    { name: `deep/${key}`, width: 8, send: async (n) => await ref.ask.enter({ sender: `deep/${key}`, n }) },
    {
      name: keyed,
      width: 2,
      send: async (n) => {
        const entered = await ref.ask.enter({ sender: keyed, n }, { idempotencyKey: `${n}` })
        // Recorded or not, the answer is that of the first time.
        if (entered !== n) throw new Error(`answered ${entered}`)
      },
    },
    ...LANES.map((priority): Sender => {
      const name = `tell-${priority}/${key}`
      return {
        name,
        width: 8,
        send: async (n) => await ref.tell.enter({ sender: name, n }, { priority }),
        isHeldUp: () => waitingIn(system) > WAITING_MAX,
      }
    }),
  ]
}

function senderOfPostman({ system, url }: WorkloadParts, key: string): Sender {
  const ref = system.actor(postman, key)
  return {
    name: `send/${key}`,
    width: 3,
    send: async (n) => await ref.ask.send({ n, url }),
    isHeldUp: () => system.stats().outbox > OUTBOX_MAX,
  }
}

function sendersOfBell({ system, random }: WorkloadParts, key: string): readonly Sender[] {
  const ref = system.actor(bell, key)
  return [
    {
      name: `once/${key}`,
      width: 2,
      send: async (n) => {
        const delayMs = Math.floor(random() * DELAY_MS_MAX)
        await ref.ask.once({ n, delayMs, earliest: Date.now() + delayMs })
      },
    },
    { name: `again/${key}`, width: 1, send: async (n) => await ref.ask.again({ n }) },
  ]
}

function senderOfSleeper({ system }: WorkloadParts, key: string): Sender {
  const ref = system.actor(sleeper, key)
  return {
    name: `nap/${key}`,
    width: 2,
    send: async (n) => {
      const answer = await ref.ask.nap({ n }, { idempotencyKey: `${n}` })
      if (answer !== n) throw new Error(`answered ${answer}`)
    },
  }
}

function senderOfBroker({ system }: WorkloadParts, key: string): Sender {
  const ref = system.actor(broker, key)
  return {
    name: `quote/${key}`,
    width: 4,
    send: async (n) => {
      const answer = await ref.ask.quote({ n }, { idempotencyKey: `${n}` })
      if (answer !== n) throw new Error(`answered ${answer}`)
    },
  }
}

function sendersOfCraftsman({ system, log, root, acknowledge }: WorkloadParts, key: string): readonly Sender[] {
  const ref = system.actor(craftsman, key)
  const check = (n: number, outcome: { readonly outcome: string; readonly value?: { readonly n: number; readonly sum: number } }): void => {
    if (outcome.outcome === 'ok' && outcome.value?.n === n && outcome.value.sum === resultOf(n)) return
    throw new Error(`ended with ${JSON.stringify(outcome)}`)
  }
  return [
    {
      name: `work/${key}`,
      width: 2,
      send: async (n) => {
        await ref.tell.work({ n, log, root }, { idempotencyKey: `${n}` })
        acknowledge(`accepted/${key}`, n)
        check(n, await ref.ask.work({ n, log, root }, { idempotencyKey: `${n}` }))
      },
    },
    { name: `rush/${key}`, width: 1, send: async (n) => check(n, await ref.ask.rush({ n, log, root }, { idempotencyKey: `${n}` })) },
  ]
}

/** What all actors say. Sequences of tells are read in the lane of their sender, behind everything of that lane that waits. */
export async function readAll(system: System): Promise<Account> {
  const ledgers = LEDGERS.flatMap((_key, index) =>
    LANES.map(async (priority): Promise<Account> => {
      const { last, violations } = await ledgerOf(system, index).ask.read({}, { priority })
      const isOfLane = (sender: string): boolean => !sender.startsWith('tell-') || sender.startsWith(`tell-${priority}/`)
      const ofLane = Object.entries(last).filter(([sender]) => isOfLane(sender))
      return { last: Object.fromEntries(ofLane), violations, pending: 0, counts: {} }
    }),
  )
  return joined(await Promise.all([...ledgers, ...others(system).map(async (ref) => await ref.ask.read())]))
}

function others(system: System) {
  return [
    ...POSTMEN.map((key) => system.actor(postman, key)),
    ...BELLS.map((key) => system.actor(bell, key)),
    ...SLEEPERS.map((key) => system.actor(sleeper, key)),
    ...BROKERS.map((key) => system.actor(broker, key)),
    ...CRAFTSMEN.map((key) => system.actor(craftsman, key)),
  ]
}

/** Several accounts as one. A sender that stands in several has its largest number. */
function joined(accounts: readonly Account[]): Account {
  const last: Record<string, number> = {}
  const counts: Record<string, number> = {}
  for (const account of accounts) {
    for (const [sender, n] of Object.entries(account.last)) last[sender] = Math.max(last[sender] ?? 0, n)
    for (const [name, count] of Object.entries(account.counts)) counts[name] = (counts[name] ?? 0) + count
  }
  return {
    last,
    violations: [...new Set(accounts.flatMap(({ violations }) => violations))],
    pending: accounts.reduce((total, { pending }) => total + pending, 0),
    counts,
  }
}

/** Stops what would go on for ever: what repeats, and what is promised for much later. */
export async function settle(system: System): Promise<void> {
  await Promise.all([
    ...BELLS.map((key) => system.actor(bell, key).ask.end()),
    ...POSTMEN.map((key) => system.actor(postman, key).ask.settle()),
  ])
}

/** Timers that are set: none, once everything has been settled. */
export async function timersOf(system: System): Promise<readonly string[]> {
  const views = await Promise.all(others(system).map(async (ref) => (await ref.timers()).map(({ name }) => `${ref.address} ${name}`)))
  return views.flat()
}

/** Turns that have not ended. */
export async function openTurnsOf(system: System): Promise<readonly string[]> {
  const views = await Promise.all(
    CRAFTSMEN.map(async (key) => {
      const turns = await system.actor(craftsman, key).turns()
      return turns.filter(({ state }) => state !== 'ended').map(({ command, turn, state }) => `${key} ${command} ${turn} ${state}`)
    }),
  )
  return views.flat()
}
