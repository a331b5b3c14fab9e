/** G10: attempts that take longer than they may, and effects that are taken back as soon as they are promised. */
import { cancelEffect, command, defineActor, defineEffect, effect, query } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { carefully, claim, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

const job = z.object({ id: z.string(), ms: z.array(z.number()) })
type Job = z.infer<typeof job>

interface Outside {
  readonly world: World
  /** By id: how often it was begun. */
  readonly begun: Map<string, number>
  /** By id: positions, among everything that was seen, of its first attempt and of the last time that a machine took it back. */
  readonly firstAt: Map<string, number>
  readonly recalledAt: Map<string, number>
  events: number
}

const outside = perRun<Outside>((world) => ({ world, begun: new Map(), firstAt: new Map(), recalledAt: new Map(), events: 0 }))

const TIMEOUT_MS = 100

const run = async ({ id, ms }: Job): Promise<string> => {
  const seen = outside.current
  const { world, begun, firstAt } = seen
  const attempt = (begun.get(id) ?? 0) + 1
  begun.set(id, attempt)
  seen.events += 1
  if (attempt === 1) firstAt.set(id, seen.events)
  const takesMs = ms[attempt - 1] ?? 1
  await world.workFor(takesMs)
  return `${id} ${takesMs}`
}

const retry = { maxAttempts: 2, backoff: { minMs: 20, maxMs: 50, jitter: 0.2 } }

const errand = defineEffect({
  name: 'errand',
  module: import.meta.url,
  input: job,
  run: ({ input }) => run(input),
  retry,
  timeoutMs: TIMEOUT_MS,
  concurrency: 2,
})

interface Entry {
  readonly what: 'promised' | 'recalled' | 'done' | 'failed'
  readonly id: string
}

type ErrandEvent =
  | ({ readonly type: 'send' } & Job)
  | { readonly type: 'recall'; readonly id: string }
  | { readonly type: 'errand.done'; readonly output: string }
  | { readonly type: 'errand.failed'; readonly label: string }

const sender = defineActor({
  type: 'sender',
  module: import.meta.url,
  logic: setup({ types: { context: {} as { readonly log: readonly Entry[] }, events: {} as ErrandEvent } }).createMachine({
    context: { log: [] },
    on: {
      send: {
        actions: enqueueActions(({ enqueue, context, event: { id, ms } }) => {
          enqueue.assign({ log: [...context.log, { what: 'promised', id }] })
          enqueue(effect('errand', { id, ms }, { label: id }))
        }),
      },
      recall: {
        actions: [
          assign(({ context, event: { id } }) => {
            const seen = outside.current
            seen.recalledAt.set(id, (seen.events += 1))
            return { log: [...context.log, { what: 'recalled' as const, id }] }
          }),
          cancelEffect(({ event }) => event.id),
        ],
      },
      'errand.done': {
        actions: assign(({ context, event }) => ({ log: [...context.log, { what: 'done' as const, id: event.output }] })),
      },
      'errand.failed': {
        actions: assign(({ context, event }) => ({ log: [...context.log, { what: 'failed' as const, id: event.label }] })),
      },
    },
  }),
  commands: {
    send: command({ input: job }),
    recall: command({ input: z.object({ id: z.string() }) }),
    log: query({ reply: ({ context }) => context.log }),
  },
})

/** How long the attempts of a job take: some much longer than they may. */
const LENGTHS_MS = [[1], [300, 1], [300, 300], [180, 1]] as const

async function overrun(world: World): Promise<void> {
  outside(world)
  await world.together(2, async (client, index) => {
    for (let step = 0; step < 2; step += 1) {
      const ms = [...(LENGTHS_MS[world.draw(`ms ${index}`, LENGTHS_MS.length)] ?? [1])]
      const id = `${index}.${step}`
      if (!world.keeps(id)) continue
      await carefully(client, () => client.actor(sender, 'a').ask.send({ id, ms }, { idempotencyKey: `${id} ${ms.join(', ')}` }))
    }
  })
  await world.sleep(1_000)
}

/** The log, once nothing is under way. */
async function finished(world: World): Promise<readonly Entry[]> {
  await settled(world)
  for (let tries = 0; tries < 20; tries += 1) {
    await world.sleep(500)
    if (world.system.stats().effects.running === 0) break
  }
  await world.sleep(500)
  await world.rest()
  return await eventually(world, () => world.system.actor(sender, 'a').ask.log())
}

async function nothingLateCounts(world: World): Promise<void> {
  const log = await finished(world)
  for (const { id } of log.filter(({ what }) => what === 'promised')) {
    const ends = log.filter((entry) => entry.what === 'done' || entry.what === 'failed').filter((entry) => entry.id.split(' ')[0] === id)
    claim('G10 an effect has one end', ends.length === 1, () => ({ id, log }))
    for (const { id: output } of ends)
      claim('G10 what comes after its time does not count', Number(output.split(' ')[1] ?? 0) <= TIMEOUT_MS, () => ({ output, log }))
  }
  near(
    world,
    'an effect failed',
    log.some(({ what }) => what === 'failed'),
  )
  near(world, 'a late result was refused', world.system.stats().lateResults > 0)
}

/** Promises and recalls of one client, in one lane, without waiting for answers: they often meet in one batch. */
async function takeBack(world: World): Promise<void> {
  outside(world)
  await world.together(2, async (client, index) => {
    const actor = client.actor(sender, 'a')
    const under: Promise<unknown>[] = []
    for (let step = 0; step < 3; step += 1) {
      const id = `${index}.${step}`
      const recalls = world.draw(`recalls ${index}`, 3) > 0
      const rest = world.draw(`rest ${index}`, 6)
      if (!world.keeps(id)) continue
      under.push(once(() => actor.ask.send({ id, ms: [20] })))
      // About as long as it takes until it is claimed.
      for (let yields = 0; yields < rest; yields += 1) await client.yield()
      if (recalls) under.push(once(() => actor.ask.recall({ id })))
    }
    await Promise.all(under)
  })
}

async function whatIsTakenBackIsNotBegun(world: World): Promise<void> {
  const { firstAt, recalledAt } = outside(world)
  const log = await finished(world)
  for (const { id } of log.filter(({ what }) => what === 'promised')) {
    const first = firstAt.get(id)
    const promisedAt = log.findIndex((entry) => entry.what === 'promised' && entry.id === id)
    const isTakenBack = log.some((entry, position) => entry.what === 'recalled' && entry.id === id && position > promisedAt)
    const details = (): object => ({ id, first, recalledAt: recalledAt.get(id), log })
    if (isTakenBack) claim('G10 what is taken back is not begun', first === undefined || first < (recalledAt.get(id) ?? 0), details)
    else claim('G10 what is not taken back is begun', first !== undefined, details)
    near(world, 'an effect was taken back', isTakenBack && first === undefined)
  }
}

/** The campaigns of this family. */
export const overruns: readonly Campaign[] = [
  {
    name: 'G10 … and what comes when its time is over does not count',
    share: 0.3,
    options: {
      actors: [sender],
      effects: [errand],
      scenario: overrun,
      check: nothingLateCounts,
      // Whoever stands still takes late for early.
      faults: ['disk-full', 'disk-busy', 'lost-reply', 'duplicate-request'],
      properties: sometimes('an effect failed', 'a late result was refused'),
    },
  },
  {
    name: 'G10 … also where it is taken back as soon as it is promised',
    share: 3,
    options: {
      actors: [sender],
      effects: [errand],
      scenario: takeBack,
      check: whatIsTakenBackIsNotBegun,
      batchCommands: 8,
      maxFaults: 1,
      faults: ['disk-full', 'disk-busy', 'stall', 'pause'],
      properties: sometimes('an effect was taken back'),
    },
  },
]
