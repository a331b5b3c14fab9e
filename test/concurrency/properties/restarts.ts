/** G9: what timers do at restarts: keep their deadline, keep the time that remained, or begin anew. */
import { command, defineActor, query, setTimer } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { carefully, claim, eventually, near, perRun, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

const WAYS = ['deadline', 'remaining', 'restart'] as const
type Way = (typeof WAYS)[number]

const clock = perRun<{ readonly now: () => number; restartedAt: number; setAt: number }>((world) => ({
  now: () => world.agenda.now,
  restartedAt: 0,
  setAt: 0,
}))

type Event = { readonly type: 'begin' } | { readonly type: 'ring'; readonly way: Way }

interface Context {
  readonly begunAt: number
  readonly rung: readonly { readonly way: Way; readonly at: number }[]
}

const DELAY_MS = 2_000

const alarm = defineActor({
  type: 'alarm',
  module: import.meta.url,
  logic: setup({ types: { context: {} as Context, events: {} as Event } }).createMachine({
    context: { begunAt: 0, rung: [] },
    on: {
      begin: {
        actions: enqueueActions(({ enqueue }) => {
          enqueue.assign({ begunAt: () => clock.current.now() })
          for (const way of WAYS) enqueue(setTimer(way, { event: { type: 'ring', way }, delayMs: DELAY_MS, onRestart: way }))
        }),
      },
      ring: {
        actions: assign(({ context, event }) => ({ rung: [...context.rung, { way: event.way, at: clock.current.now() }] })),
      },
    },
  }),
  commands: { begin: command({ input: z.object({}) }), memory: query({ reply: ({ context }) => context }) },
})

/** Sets three timers at one moment, and restarts the process before they are due. Nobody calls between the restarts. */
async function restart(world: World): Promise<void> {
  const seen = clock(world)
  const client = world.client('keeper')
  await carefully(client, () => client.actor(alarm, 'a').ask.begin({}, { idempotencyKey: 'begin' }))
  await world.sleep([1, 300, 700][world.draw('run', 3)] ?? 1)
  const restarts = 1 + world.draw('restarts', 2)
  for (let time = 0; time < restarts; time += 1) {
    world.crash()
    await world.sleep([200, 500][world.draw('down', 2)] ?? 200)
    seen.restartedAt = world.agenda.now
    await world.restart()
    if (world.draw('up', 2) === 1) await world.sleep(100)
  }
}

async function eachInItsWay(world: World): Promise<void> {
  const { restartedAt } = clock(world)
  await world.sleep(20_000)
  await world.rest()
  const memory = await eventually(world, () => world.system.actor(alarm, 'a').ask.memory())
  const { begunAt, rung } = memory
  const details = (): object => ({ restartedAt, ...memory })
  claim('G9 each timer rings once', rung.length === WAYS.length && new Set(rung.map(({ way }) => way)).size === WAYS.length, details)
  for (const { way, at } of rung) {
    // What remained is counted from the last commit: at most that of the beginning.
    const dueAt = way === 'deadline' ? Math.max(begunAt + DELAY_MS, restartedAt) : restartedAt + DELAY_MS
    if (way === 'deadline') claim('G9 a timer keeps its deadline over a restart', at >= begunAt + DELAY_MS && at <= dueAt + 50, details)
    else if (way === 'restart') claim('G9 a timer begins anew at a restart', at >= dueAt && at <= dueAt + 50, details)
    else claim('G9 a timer keeps the time that remained, and no more', at >= begunAt + DELAY_MS && at <= dueAt + 50, details)
  }
  near(world, 'the process was restarted twice', world.lives > 2)
}

/** The campaigns of this family. */
export const restarts: readonly Campaign[] = [
  {
    name: 'G9 … and keep to what they are to do at a restart',
    share: 10,
    options: { actors: [alarm], scenario: restart, check: eachInItsWay, properties: sometimes('the process was restarted twice') },
  },
]
