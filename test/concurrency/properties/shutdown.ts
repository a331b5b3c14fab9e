/** G13: what a close that went well says of itself is so: nothing waits after a drain, no turn is cut off, and no call is denied that counts. */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import type { CloseReport } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import { claim, codeOf, eventually, near, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

interface Shop {
  readonly world: World
  /** Turns that run now. */
  readonly live: Set<string>
  readonly answered: Set<string>
  /** What was said never to have been sent. */
  readonly denied: Set<string>
  report: CloseReport | undefined
}

const shop = perRun<Shop>((world) => ({ world, live: new Set(), answered: new Set(), denied: new Set(), report: undefined }))

const id = z.object({ id: z.string() })

const counter = defineActor({
  type: 'counter',
  module: import.meta.url,
  logic: fromTransition(
    (done: readonly string[], event: { readonly type: string; readonly id?: string }) =>
      event.type === 'work' && event.id !== undefined ? [...done, event.id] : done,
    [],
  ),
  commands: {
    work: command({ input: id, reply: ({ context }) => context.length }),
    toil: turn({
      input: id,
      drainMs: 300,
      run: async ({ input, signal }) => {
        const { live, world } = shop.current
        live.add(input.id)
        try {
          // It comes to a boundary a while after its signal.
          for (let step = 0; step < 5 && !signal.aborted; step += 1) await world.workFor(100)
          signal.throwIfAborted()
        } finally {
          live.delete(input.id)
        }
        return 'done'
      },
    }),
    done: query({ reply: ({ context }) => context }),
  },
})

/** One of the errors of a system that is closed says whether the call had left. */
const wasNeverSent = (error: unknown): boolean => codeOf(error) === 'SYSTEM_CLOSED' && (error as { readonly sent?: unknown }).sent === false // Looked at with care.

const MODES = ['drain', 'polite', 'now', 'drain'] as const

async function shut(world: World): Promise<void> {
  const seen = shop(world)
  const { answered, denied, live } = seen
  const mode = MODES[world.draw('mode', 4)] ?? 'polite'
  const isBusy = world.draw('busy', 2) === 0
  const isTold = world.draw('told', 2) === 0
  const keeper = world.client('keeper')
  if (isBusy)
    await keeper
      .actor(counter, 'b')
      .tell.toil({ id: 'turn' })
      .catch(() => undefined)
  const workers = world.together(2, async (client, index) => {
    const actor = client.actor(counter, 'a')
    const under: Promise<unknown>[] = []
    for (let step = 0; step < 4; step += 1) {
      const name = `${index}.${step}`
      if (!world.keeps(name)) continue
      const call = isTold ? actor.tell.work({ id: name }) : actor.ask.work({ id: name })
      under.push(
        call.then(
          () => answered.add(name),
          (error: unknown) => wasNeverSent(error) && denied.add(name),
        ),
      )
    }
    await Promise.all(under)
  })
  // In the middle of them.
  const after = world.draw('after', 4)
  for (let yields = 0; yields < 40 && answered.size < after; yields += 1) await keeper.yield()
  const report = await keeper
    .attempt(async (system) => {
      const closed = await system.close({ mode, timeoutMs: 10_000 })
      claim('G13 no turn outlives a polite close', closed.outcome !== 'polite' || live.size === 0, [...live])
      return closed
    })
    .catch((error: unknown) => {
      if (error instanceof Error && error.name === 'ClaimBroken') throw error
      return undefined
    })
  seen.report = report
  claim('G13 nothing waits after a drain that had time', (report?.waiting ?? 0) === 0, report)
  await workers
  world.crash()
  await world.restart()
}

async function asItWasSaid(world: World): Promise<void> {
  const { answered, denied, report } = shop(world)
  await settled(world)
  const done = await eventually(world, () => world.system.actor(counter, 'a').ask.done())
  for (const name of denied) claim('G13 what was never sent has no effect', !done.includes(name), () => ({ name, done, report }))
  for (const name of answered) claim('G2 what was answered before the close', done.includes(name), () => ({ name, done, report }))
  near(world, 'it was closed politely', report?.outcome === 'polite')
  near(world, 'calls were denied', denied.size > 0)
}

/** The campaigns of this family. */
export const shutdown: readonly Campaign[] = [
  {
    name: 'G13 … and what it says of itself is so',
    share: 4.8,
    options: {
      actors: [counter],
      scenario: shut,
      check: asItWasSaid,
      // Where everybody stands still, turns have had their time to hear of it, and are ended by force.
      faults: ['slow-consumer', 'disk-busy'],
      properties: sometimes('it was closed politely', 'calls were denied'),
    },
  },
]
