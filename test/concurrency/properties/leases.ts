/** G7: a lease has one holder, with an epoch that grows; a command under a lease that is over changes nothing. */
import { command, defineActor, query } from '@bailiwick/kernel'
import type { Lease } from '@bailiwick/kernel'
import type { Client, World } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { allBut, claim, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

interface Entry {
  readonly what: 'granted' | 'released' | 'write'
  readonly epoch: number
  readonly id: string
}

type VaultEvent =
  | { readonly type: 'write'; readonly epoch: number; readonly id: string }
  | { readonly type: 'key.granted'; readonly owner: string; readonly epoch: number }
  | { readonly type: 'key.released'; readonly epoch: number; readonly how: string }

const machine = setup({ types: { context: {} as { readonly log: readonly Entry[] }, events: {} as VaultEvent } }).createMachine({
  context: { log: [] },
  on: {
    write: { actions: assign({ log: ({ context, event: { epoch, id } }) => [...context.log, { what: 'write', epoch, id }] }) },
    'key.granted': {
      actions: assign({ log: ({ context, event: { epoch, owner } }) => [...context.log, { what: 'granted', epoch, id: owner }] }),
    },
    'key.released': {
      actions: assign({ log: ({ context, event: { epoch, how } }) => [...context.log, { what: 'released', epoch, id: how }] }),
    },
  },
})

const vault = defineActor({
  type: 'vault',
  module: import.meta.url,
  logic: machine,
  commands: {
    write: command({ input: z.object({ epoch: z.number(), id: z.string() }), reply: ({ context }) => context.log.length }),
    log: query({ reply: ({ context }) => context.log }),
  },
  idleMs: 1_000,
})

interface Held {
  /** The latest of each client, with the number of the process that has it. */
  readonly leases: Map<number, { readonly lease: Lease; readonly life: number }>
  readonly answered: Set<string>
  readonly refused: Set<string>
}

const held = perRun<Held>(() => ({ leases: new Map(), answered: new Set(), refused: new Set() }))

function believers(world: World): void {
  const epochs = [...held(world).leases.values()]
    .filter(({ lease, life }) => life === world.lives && lease.isHeld)
    .map(({ lease }) => lease.epoch)
  world.always('G7 at most one believes to hold a lease', new Set(epochs).size <= 1, epochs)
}

async function useLease(world: World, client: Client, index: number, believe: boolean, handsOver: boolean): Promise<void> {
  const { leases, answered, refused } = held(world)
  const rounds = 1 + world.draw(`rounds ${index}`, 2)
  for (let round = 0; round < rounds; round += 1) {
    const ttlMs = [200, 1_000][world.draw(`ttl ${index}`, 2)] ?? 200
    const waitMs = [0, 500, 3_000][world.draw(`wait ${index}`, 3)] ?? 0
    const writes = 1 + world.draw(`writes ${index}`, 2)
    const end = world.draw(`end ${index}`, 5)
    const restMs = [0, 100, 250, 1_100][world.draw(`rest ${index}`, 4)] ?? 0
    if (!world.keeps(`${index}.${round}`)) continue
    // Handles of one owner do not know of each other: whoever wants to believe takes a name of its own each time.
    const owner = believe ? `client ${index}, ${round}` : `client ${index}`
    const got = await once(() => client.attempt((system) => system.actor(vault, 'a').lease('key').acquire({ owner, ttlMs, waitMs })))
    if (got.how !== 'answered' || got.value === undefined) continue
    const lease = got.value
    const { lives } = world
    leases.set(index, { lease, life: lives })
    /** Does something with the lease, in the process that has got it. */
    const use = (work: () => Promise<unknown>): Promise<unknown> =>
      once(() =>
        client.attempt(async () => {
          if (world.lives === lives) await work()
        }),
      )
    if (believe) believers(world)
    for (let write = 0; write < writes; write += 1) {
      const id = `${index}.${round}.${write}`
      const known = await once(() => client.actor(vault, 'a').ask.write({ epoch: lease.epoch, id }, { lease }))
      if (known.how === 'answered') answered.add(id)
      if (known.how === 'refused') refused.add(id)
      near(world, 'a write under a lease that was over was refused', known.how === 'refused' && known.code === 'STALE_EPOCH')
      if (believe) believers(world)
      await client.sleep(restMs)
    }
    if (end <= 1) await use(() => lease.release())
    else if (end === 2) await use(() => lease.renew())
    else if (end === 3 && !believe) await once(() => client.attempt((system) => system.actor(vault, 'a').lease('key').forceRelease()))
    // A holder from whom it is taken by force cannot know that yet.
    else if (end === 4 && handsOver) await use(() => lease.handOver(`client ${(index + 1) % 3}`))
    if (believe) believers(world)
  }
}

async function oneHolderAtATime(world: World): Promise<void> {
  const { answered, refused } = held(world)
  await settled(world)
  const log = await eventually(world, () => world.system.actor(vault, 'a').ask.log())
  let newest = 0
  let current: number | undefined
  for (const [position, { what, epoch }] of log.entries()) {
    const details = () => ({ position, log })
    if (what === 'granted') {
      claim('G7 the epoch of a lease grows with every new holder', epoch > newest, details)
      newest = epoch
      current = epoch
    } else if (what === 'released') current = undefined
    else claim('G7 a command under a lease counts only while it is held', epoch === current, details)
  }
  const written = log.filter(({ what }) => what === 'write').map(({ id }) => id)
  claim('G3 a write is made once', new Set(written).size === written.length, log)
  for (const id of answered) claim('G2 a write that was answered is there', written.includes(id), () => ({ id, log }))
  for (const id of refused) claim('G7 a write that was refused changes nothing', !written.includes(id), () => ({ id, log }))
  near(world, 'a lease went from one to another', newest > 1)
}

const reached = sometimes('a write under a lease that was over was refused', 'a lease went from one to another')

function leasing(believe: boolean, handsOver = !believe): Pick<Campaign['options'], 'actors' | 'scenario' | 'check' | 'properties'> {
  return {
    actors: [vault],
    scenario: (world) => world.together(3, (client, index) => useLease(world, client, index, believe, handsOver)),
    check: oneHolderAtATime,
    properties: reached,
  }
}

/** The campaigns of this family. */
export const leases: readonly Campaign[] = [
  {
    name: 'G7 a lease has one holder at a time, and fences what comes too late',
    share: 5,
    options: { ...leasing(false), faults: allBut('duplicate-request') },
  },
  {
    name: 'G7 … and two never believe at the same time to hold it',
    share: 4.8,
    options: { ...leasing(true), faults: allBut('duplicate-request', 'clock-jump', 'poison') },
  },
  {
    name: 'G7 … also where it is handed over',
    share: 6,
    options: { ...leasing(true, true), faults: allBut('duplicate-request', 'clock-jump', 'poison') },
  },
  {
    name: 'G7 … where commits take time',
    share: 3.2,
    options: { ...leasing(true), answers: 'later', faults: allBut('duplicate-request', 'clock-jump', 'poison') },
  },
]
