/** G9: timers ring once, never early, never after their cancel, and are not lost. */
import { cancelTimer, command, defineActor, query, setTimer } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, eventually, near, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

interface Entry {
  readonly what: 'set' | 'cancel' | 'ring' | 'arm' | 'disarm' | 'rung'
  readonly name: string
  readonly id: string
  /** Virtual time, whatever clocks say. */
  readonly at: number
  readonly delayMs?: number
  readonly everyMs?: number
}

type BellEvent =
  | {
      readonly type: 'set'
      readonly name: string
      readonly id: string
      readonly delayMs: number
      readonly every: boolean
      readonly onRestart: 'deadline' | 'remaining' | 'restart'
    }
  | { readonly type: 'cancel'; readonly name: string }
  | { readonly type: 'pair'; readonly id: string; readonly delayMs: number }
  | { readonly type: 'ring'; readonly name: string; readonly id: string; readonly cancels?: string }
  | { readonly type: 'arm' | 'disarm'; readonly id: string }

const clock = perRun<{ now: () => number }>((world) => ({ now: () => world.agenda.now }))

const logged = (context: { readonly log: readonly Entry[] }, entry: Omit<Entry, 'at'>): { readonly log: readonly Entry[] } => ({
  log: [...context.log, { ...entry, at: clock.current.now() }],
})

const ARMED_MS = 700

const machine = setup({
  types: { context: {} as { readonly log: readonly Entry[]; readonly armed: string }, events: {} as BellEvent },
  actions: {
    rung: assign(({ context }) => logged(context, { what: 'rung', name: 'after', id: context.armed })),
  },
}).createMachine({
  context: { log: [], armed: '' },
  initial: 'idle',
  on: {
    set: {
      actions: enqueueActions(({ enqueue, context, event }) => {
        const { name, id, delayMs, every, onRestart } = event
        enqueue.assign(logged(context, { what: 'set', name, id, delayMs, ...(every ? { everyMs: delayMs } : {}) }))
        enqueue(setTimer(name, { event: { type: 'ring', name, id }, onRestart, ...(every ? { everyMs: delayMs } : { delayMs }) }))
      }),
    },
    cancel: {
      actions: [
        assign(({ context, event }) => logged(context, { what: 'cancel', name: event.name, id: '' })),
        cancelTimer(({ event }) => event.name),
      ],
    },
    // Two of one moment, each of which cancels the other.
    pair: {
      actions: enqueueActions(({ enqueue, context, event: { id, delayMs } }) => {
        const first = logged(context, { what: 'set', name: 'timer 0', id: `${id} 0`, delayMs })
        enqueue.assign(logged(first, { what: 'set', name: 'timer 1', id: `${id} 1`, delayMs }))
        enqueue(setTimer('timer 0', { event: { type: 'ring', name: 'timer 0', id: `${id} 0`, cancels: 'timer 1' }, delayMs }))
        enqueue(setTimer('timer 1', { event: { type: 'ring', name: 'timer 1', id: `${id} 1`, cancels: 'timer 0' }, delayMs }))
      }),
    },
    ring: {
      actions: enqueueActions(({ enqueue, context, event: { name, id, cancels } }) => {
        const rung = logged(context, { what: 'ring', name, id })
        enqueue.assign(cancels === undefined ? rung : logged(rung, { what: 'cancel', name: cancels, id: '' }))
        if (cancels !== undefined) enqueue(cancelTimer(cancels))
      }),
    },
    disarm: { target: '.idle', actions: assign(({ context, event }) => logged(context, { what: 'disarm', name: 'after', id: event.id })) },
  },
  states: {
    idle: {
      on: {
        arm: {
          target: 'armed',
          actions: assign(({ context, event }) => ({ ...logged(context, { what: 'arm', name: 'after', id: event.id }), armed: event.id })),
        },
      },
    },
    armed: { after: { [ARMED_MS]: { target: 'idle', actions: 'rung' } } },
  },
})

function bellOf<const Type extends string>(type: Type, idleMs: number) {
  return defineActor({
    type,
    module: import.meta.url,
    logic: machine,
    commands: {
      set: command({
        input: z.object({
          name: z.string(),
          id: z.string(),
          delayMs: z.number(),
          every: z.boolean(),
          onRestart: z.enum(['deadline', 'remaining', 'restart']),
        }),
      }),
      pair: command({ input: z.object({ id: z.string(), delayMs: z.number() }) }),
      cancel: command({ input: z.object({ name: z.string() }) }),
      arm: command({ input: z.object({ id: z.string() }) }),
      disarm: command({ input: z.object({ id: z.string() }), priority: 'urgent' }),
      log: query({ reply: ({ context }) => context.log }),
    },
    idleMs,
  })
}

const bell = bellOf('bell', 400)

const DELAYS_MS = [0, 1, 300, 1_000] as const
const RESTARTS = ['deadline', 'remaining', 'restart'] as const

async function setAndCancel(world: World, restarts: boolean): Promise<void> {
  clock(world)
  const down = restarts && world.draw('down', 2) === 0
  const ringers = world.together(2, async (client, index) => {
    const actor = client.actor(bell, 'a')
    const steps = 2 + world.draw(`steps ${index}`, 3)
    for (let step = 0; step < steps; step += 1) {
      const what = world.draw(`what ${index}`, 7)
      const name = `timer ${world.draw(`name ${index}`, 2)}`
      const id = `${index}.${step}`
      const delayMs = DELAYS_MS[world.draw(`delay ${index}`, 4)] ?? 0
      const onRestart = RESTARTS[world.draw(`restart ${index}`, 3)] ?? 'deadline'
      if (!world.keeps(id)) continue
      const key = { idempotencyKey: id }
      if (what <= 2)
        await carefully(client, () => actor.ask.set({ name, id, delayMs: what === 2 ? 300 : delayMs, every: what === 2, onRestart }, key))
      else if (what === 3) await carefully(client, () => actor.ask.cancel({ name }, key))
      else if (what === 6) await carefully(client, () => actor.ask.pair({ id, delayMs }, key))
      else if (what === 4) await carefully(client, () => actor.ask.arm({ id }, key))
      else await carefully(client, () => actor.ask.disarm({ id }, key))
      await client.sleep([0, 1, 299, 300, 701][world.draw(`sleep ${index}`, 5)] ?? 0)
    }
  })
  if (down) {
    await world.sleep(500)
    world.crash()
    await world.sleep(1_500)
    await world.restart()
  }
  await ringers
}

/** What a timer's log says, entry by entry. `isExact`: nobody has set a clock, so that virtual time is everybody's. */
async function ringsAreRight(world: World, isExact: boolean): Promise<void> {
  await settled(world)
  // One that repeats goes on until it is cancelled.
  for (const name of ['timer 0', 'timer 1']) {
    const { log } = { log: await eventually(world, () => world.system.actor(bell, 'a').ask.log()) }
    const last = log.findLast((entry) => entry.name === name && entry.what !== 'ring')
    if (last?.everyMs !== undefined) await eventually(world, () => world.system.actor(bell, 'a').ask.cancel({ name }))
  }
  await world.sleep(isExact ? 3_000 : 30_000)
  await world.rest()
  const log = await eventually(world, () => world.system.actor(bell, 'a').ask.log())
  const current = new Map<string, Entry & { rings: number; readonly rungAt: number[] }>()
  for (const [position, entry] of log.entries()) {
    const { what, name, id, at } = entry
    const details = () => ({ entry, position, log })
    if (what === 'set') {
      const before = current.get(name)
      near(world, 'a setting took the place of another', before !== undefined)
      current.set(name, { ...entry, rings: 0, rungAt: [] })
    } else if (what === 'cancel') {
      near(world, 'a timer was cancelled', current.has(name))
      current.delete(name)
    } else if (what === 'ring') {
      const setting = current.get(name)
      claim('G9 what was cancelled or set anew does not ring', setting?.id === id, details)
      setting.rings += 1
      if (setting.everyMs === undefined) {
        claim('G9 a timer does not ring early', !isExact || at >= setting.at + (setting.delayMs ?? 0), details)
        // It is over: a second ring would find nothing.
        current.delete(name)
      } else
        claim('G9 a periodic timer does not ring before its grid', !isExact || at >= setting.at + setting.rings * setting.everyMs, details)
      // Ticks that were missed come as one. One more may be late by itself, and the next ones are on the grid.
      const before = setting.rungAt.at(-3)
      claim('G9 ticks that were missed do not all ring', !isExact || before === undefined || at - before >= (setting.everyMs ?? 0), details)
      setting.rungAt.push(at)
      near(world, 'a periodic timer rang twice', setting.rings > 1)
    } else if (what === 'arm') current.set('after', { ...entry, rings: 0, rungAt: [] })
    else if (what === 'disarm') current.delete('after')
    else {
      const setting = current.get('after')
      claim('G9 a state that was left does not time out', setting?.id === id, details)
      claim('G9 a state does not time out early', !isExact || at >= setting.at + ARMED_MS, details)
      current.delete('after')
      near(world, 'a state timed out', true)
    }
  }
  for (const left of current.values()) claim('G9 a timer is not lost', left.everyMs !== undefined, () => ({ left, log }))
}

const reached = sometimes(
  'a timer was cancelled',
  'a setting took the place of another',
  'a periodic timer rang twice',
  'a state timed out',
)

/** The campaigns of this family. */
export const timers: readonly Campaign[] = [
  {
    name: 'G9 timers ring once, not early, not after their cancel, whatever strikes',
    share: 1.5,
    options: {
      actors: [bell],
      scenario: (world) => setAndCancel(world, false),
      check: (world) => ringsAreRight(world, true),
      faults: allBut('clock-jump', 'poison'),
      properties: reached,
    },
  },
  {
    name: 'G9 … also those that came due while nothing ran',
    share: 3,
    options: {
      actors: [bell],
      scenario: (world) => setAndCancel(world, true),
      check: (world) => ringsAreRight(world, true),
      faults: allBut('clock-jump', 'poison'),
      properties: reached,
    },
  },
  {
    name: 'G9 … and are not lost where clocks jump',
    share: 1.5,
    options: {
      actors: [bell],
      scenario: (world) => setAndCancel(world, true),
      check: (world) => ringsAreRight(world, false),
      maxFaults: 4,
      faults: ['clock-jump', 'stall', 'pause', 'thread-kill', 'process-kill', 'disk-busy'],
      properties: reached,
    },
  },
  {
    name: 'G9 … where commits take time',
    share: 0.6,
    options: {
      actors: [bell],
      scenario: (world) => setAndCancel(world, false),
      check: (world) => ringsAreRight(world, true),
      answers: 'later',
      faults: allBut('clock-jump', 'poison'),
    },
  },
  {
    name: 'G9 … on SQLite files',
    share: 0.01,
    options: {
      actors: [bell],
      scenario: (world) => setAndCancel(world, true),
      check: (world) => ringsAreRight(world, true),
      disk: 'sqlite',
      auditEvery: 0,
      faults: allBut('clock-jump', 'poison'),
    },
  },
]
