/** G3, G5: commands that are sent for later are handled once, and not before their time. */
import { command, defineActor, postpone, query } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, claimOnce, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

type DiaryEvent = { readonly type: 'note'; readonly id: string } | { readonly type: 'shut' | 'open' }

interface Entry {
  readonly id: string
  /** Virtual time. */
  readonly at: number
}

interface Plans {
  readonly now: () => number
  readonly must: Set<string>
  readonly may: Set<string>
  /** By id: the moment before which it must not be handled. */
  readonly notBefore: Map<string, number>
}

const plans = perRun<Plans>((world) => ({ now: () => world.agenda.now, must: new Set(), may: new Set(), notBefore: new Map() }))

const planner = defineActor({
  type: 'planner',
  module: import.meta.url,
  logic: setup({
    types: { context: {} as { readonly notes: readonly Entry[] }, events: {} as DiaryEvent },
    actions: {
      keep: assign(({ context, event }) => ({
        notes: event.type === 'note' ? [...context.notes, { id: event.id, at: plans.current.now() }] : context.notes,
      })),
    },
  }).createMachine({
    context: { notes: [] },
    initial: 'open',
    on: { shut: '.shut', open: '.open' },
    states: { open: { on: { note: { actions: 'keep' } } }, shut: { on: { note: { actions: postpone() } } } },
  }),
  commands: {
    note: command({ input: z.object({ id: z.string() }) }),
    shut: command({ priority: 'urgent' }),
    open: command({ priority: 'urgent' }),
    notes: query({ reply: ({ context }) => context.notes }),
  },
  idleMs: 200,
})

const DELAYS_MS = [0, 100, 200, 1_000] as const

/** Tells for different moments, while the actor takes notes, is shut, or is held back. */
async function plan(world: World): Promise<void> {
  const { must, may, notBefore } = plans(world)
  const keeper = world.client('keeper')
  const state = (['open', 'shut', 'held'] as const)[world.draw('state', 3)]
  if (state === 'held')
    await once(() => keeper.attempt((system) => system.quarantine.hold(planner, 'a', { reason: 'so that what is due waits' })))
  if (state === 'shut') await carefully(keeper, () => keeper.actor(planner, 'a').ask.shut({}, { idempotencyKey: 'shut' }))
  await world.together(2, async (client, index) => {
    for (let step = 0; step < 3; step += 1) {
      const delayMs = DELAYS_MS[world.draw(`delay ${index}`, 4)] ?? 0
      const restMs = [0, 150][world.draw(`rest ${index}`, 2)] ?? 0
      const id = `${index}.${step}`
      if (!world.keeps(id)) continue
      may.add(id)
      notBefore.set(id, world.agenda.now + delayMs)
      // A key would hide that it is handled twice.
      const known = await once(() => client.actor(planner, 'a').tell.note({ id }, { delayMs }))
      if (known.how === 'answered') must.add(id)
      await client.sleep(restMs)
    }
  })
  await world.sleep(400)
  if (state === 'held') await carefully(keeper, () => keeper.attempt((system) => system.quarantine.release({})))
  if (state === 'shut') await carefully(keeper, () => keeper.actor(planner, 'a').ask.open({}, { idempotencyKey: 'open' }))
}

async function eachAtItsTime(world: World): Promise<void> {
  const { must, may, notBefore } = plans(world)
  await eventually(world, () => world.system.quarantine.release({}))
  await eventually(world, () => world.system.actor(planner, 'a').ask.open())
  await world.sleep(2_000)
  await settled(world)
  const notes = await eventually(world, () => world.system.actor(planner, 'a').ask.notes())
  claimOnce(
    'G3 a command for later',
    notes.map(({ id }) => id),
    must,
    may,
  )
  for (const { id, at } of notes)
    claim('G5 a command for later is not handled before its time', at >= (notBefore.get(id) ?? 0), () => ({
      id,
      at,
      notBefore: notBefore.get(id),
      notes,
    }))
  near(world, 'a command waited for its time over a restart', world.lives > 1 && notes.some(({ id, at }) => at === notBefore.get(id)))
}

/** The campaigns of this family. */
export const later: readonly Campaign[] = [
  {
    name: 'G3 G5 a command that is sent for later is handled once, not before its time',
    share: 4.8,
    options: {
      actors: [planner],
      scenario: plan,
      check: eachAtItsTime,
      faults: allBut('clock-jump', 'poison', 'duplicate-request'),
      properties: sometimes('a command waited for its time over a restart'),
    },
  },
]
