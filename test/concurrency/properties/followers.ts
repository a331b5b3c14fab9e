/** G1: what those who follow an actor see of it is there for good. */
import type { World } from '@bailiwick/testkit'
import { carefully, claim, claimOnce, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'
import { ledger, witness } from './ledger.ts'

interface Sent {
  readonly must: Set<string>
  readonly may: Set<string>
}

const sent = perRun<Sent>(() => ({ must: new Set(), may: new Set() }))

/** Adds what a follower waits for, whatever became of the rest. */
async function addLast(world: World): Promise<void> {
  const { may } = sent(world)
  const client = world.client('last')
  for (const id of ['last 1', 'last 2']) {
    may.add(id)
    await carefully(client, () => client.actor(ledger, 'a').ask.add({ id }, { idempotencyKey: id }))
  }
}

/** What clients see of changes and snapshots is there for good. */
async function follow(world: World, isCareful: boolean): Promise<void> {
  const { must, may } = sent(world)
  const { seen } = witness(world)
  const add = world.together(2, async (client, index) => {
    for (let step = 0; step < 2; step += 1) {
      if (!world.keeps(`${index}.${step}`)) continue
      const id = `a${index}.${step}`
      may.add(id)
      // What is sent once may come to nothing: then nobody has seen it.
      const call = () => client.actor(ledger, 'a').ask.add({ id }, { idempotencyKey: id })
      const known = await (isCareful ? carefully(client, call) : once(call))
      if (known.how === 'answered') must.add(id)
    }
  })
  const watch = world.client('follower')
  let length = 0
  await Promise.all([
    add,
    watch
      .attempt(async (system) => {
        for await (const { context } of system.actor(ledger, 'a').changes()) {
          for (const id of context.entries) seen.add(id)
          claim('G1 changes only grow', context.entries.length >= length, context.entries)
          ;({ length } = context.entries)
          if (length >= 2) break
        }
      })
      .catch((error: unknown) => {
        if (error instanceof Error && error.name === 'ClaimBroken') throw error
      }),
    add
      .then(() => world.crash())
      .then(() => world.restart())
      .then(() => (isCareful ? undefined : addLast(world))),
  ])
  near(world, 'somebody followed', length > 0)
}

async function followedIsThere(world: World): Promise<void> {
  const { must, may } = sent(world)
  await settled(world)
  const entries = await eventually(world, () => world.system.actor(ledger, 'a').ask.entries())
  claimOnce('G2 an acknowledged entry', entries, must, may)
  for (const id of witness(world).seen) claim('G1 nothing is seen before it is on disk', entries.includes(id), id)
}

/** The campaigns of this family. */
export const followers: readonly Campaign[] = [
  {
    name: 'G1 what a follower sees of changes is on disk',
    share: 15,
    options: {
      actors: [ledger],
      scenario: (world) => follow(world, true),
      check: followedIsThere,
      faults: 'all',
      properties: sometimes('somebody followed'),
    },
  },
  {
    name: 'G1 … also of what comes to nothing',
    share: 3.2,
    options: {
      actors: [ledger],
      scenario: (world) => follow(world, false),
      check: followedIsThere,
      faults: ['disk-full', 'disk-busy', 'process-kill-at-commit', 'thread-kill-at-commit'],
      properties: sometimes('somebody followed'),
    },
  },
]
