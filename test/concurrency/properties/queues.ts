/** G7: who waits for a lease gets it in order, and one that is given to somebody else is not renewed by its old holder. */
import { defineActor, query } from '@bailiwick/kernel'
import type { Lease } from '@bailiwick/kernel'
import type { Client, World } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { claim, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

interface Entry {
  readonly what: 'granted' | 'released'
  readonly owner: string
  readonly epoch: number
}

interface LeaseEvent {
  readonly type: string
  readonly owner?: string
  readonly epoch?: number
}

const safe = defineActor({
  type: 'safe',
  module: import.meta.url,
  logic: fromTransition(
    (log: readonly Entry[], { type, owner = '', epoch = 0 }: LeaseEvent): readonly Entry[] =>
      type === 'key.granted' || type === 'key.released'
        ? [...log, { what: type === 'key.granted' ? 'granted' : 'released', owner, epoch }]
        : log,
    [],
  ),
  commands: { log: query({ reply: ({ context }) => context }) },
})

interface Line {
  /** Owners in the order in which they were seen to wait. */
  readonly order: string[]
  /** Whether the first holder renewed it after it was taken away by force and given to the next. */
  wasRenewed: boolean
}

const line = perRun<Line>(() => ({ order: [], wasRenewed: false }))

const acquire = (client: Client, owner: string, waitMs: number): Promise<Lease | undefined> =>
  client.attempt((system) => system.actor(safe, 'a').lease('key').acquire({ owner, ttlMs: 600_000, waitMs })).catch(() => undefined)

const waiting = async (client: Client): Promise<number> => {
  const known = await once(() => client.attempt((system) => system.actor(safe, 'a').lease('key').state()))
  return known.how === 'answered' ? known.value.waiting : 0
}

/** One holds the lease and several wait for it, one after the other; then it is given back, or taken away. */
async function standInLine(world: World): Promise<void> {
  const seen = line(world)
  const keeper = world.client('keeper')
  const first = await acquire(keeper, 'first', 0)
  if (first === undefined) return
  const waits: Promise<void>[] = []
  const waiters = 2 + world.draw('waiters', 2)
  const isTaken = world.draw('taken', 2) === 0
  for (let index = 0; index < waiters; index += 1) {
    const owner = `waiter ${index}`
    const client = world.client(owner)
    waits.push(
      acquire(client, owner, 60_000).then(async (lease) => {
        if (lease === undefined) return
        await client.sleep(200)
        await once(() => client.attempt(() => lease.release()))
      }),
    )
    for (let tries = 0; tries < 20 && (await waiting(keeper)) <= index; tries += 1) await keeper.sleep(100)
    if ((await waiting(keeper)) === index + 1) seen.order.push(owner)
  }
  if (isTaken) {
    const taken = await once(() => keeper.attempt((system) => system.actor(safe, 'a').lease('key').forceRelease()))
    if (taken.how === 'answered') await keeper.sleep(world.draw('sleep', 2) * 50)
    const renewed = await once(() => keeper.attempt(() => first.renew()))
    seen.wasRenewed = taken.how === 'answered' && renewed.how === 'answered'
  } else await once(() => keeper.attempt(() => first.release()))
  await Promise.all(waits)
}

async function inTheOrderOfTheLine(world: World): Promise<void> {
  const { order, wasRenewed } = line(world)
  await settled(world)
  const log = await eventually(world, () => world.system.actor(safe, 'a').ask.log())
  claim('G7 a lease that was taken away is not renewed', !wasRenewed, log)
  let holder: string | undefined
  for (const { what, owner } of log) {
    claim('G7 nobody is granted a lease that somebody else holds', what === 'released' || holder === undefined, log)
    holder = what === 'granted' ? owner : undefined
  }
  const granted = log.filter(({ what, owner }) => what === 'granted' && order.includes(owner)).map(({ owner }) => owner)
  // Where everybody stands still for long, some have waited long enough.
  const due = order.filter((owner) => granted.includes(owner))
  claim('G7 those who wait for a lease get it in the order in which they came', granted.join(', ') === due.join(', '), () => ({
    order,
    log,
  }))
  near(world, 'several waited in line', order.length > 1)
}

/** The campaigns of this family. */
export const queues: readonly Campaign[] = [
  {
    name: 'G7 … and is given to those who wait for it in their order',
    share: 3,
    options: {
      actors: [safe],
      scenario: standInLine,
      check: inTheOrderOfTheLine,
      faults: ['stall', 'slow-consumer'],
      properties: sometimes('several waited in line'),
    },
  },
]
