/** G7, K32: who interrupts whom, what becomes of stretches that do not hear of it, and that no two of them live at the same time. */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import type { TurnContext } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import { carefully, claim, eventually, near, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

const RANKS = ['first', 'second'] as const
const work = z.object({ op: z.string(), ms: z.number(), isDull: z.boolean() })

type Work = z.infer<typeof work>

interface Yard {
  readonly world: World
  /** Epochs of the stretches that live now. */
  readonly live: Set<number>
  readonly sent: Set<string>
  /** Whether there may be stretches that take no notice of their signal: then another may begin while they still live. */
  hasDull: boolean
}

const yard = perRun<Yard>((world) => ({ world, live: new Set(), sent: new Set(), hasDull: false }))

async function run({ input: { op, ms, isDull }, epoch, signal }: TurnContext<Work, never>): Promise<unknown> {
  const { world, live, hasDull } = yard.current
  live.add(epoch)
  world.always('K32 stretches that hear their signal do not live at the same time', hasDull || live.size === 1, [...live])
  try {
    await world.workFor(ms, isDull ? {} : { signal })
  } finally {
    live.delete(epoch)
  }
  return { op, epoch }
}

/** What the machine heard of a turn. */
interface Heard {
  readonly what: string
  readonly command: string
  readonly op: string
  readonly epoch: number
  /** The epoch that a result names. */
  readonly from?: number
}

interface DrillEvent {
  readonly type: string
  readonly epoch?: number
  readonly input?: Work
  readonly output?: { readonly epoch: number }
}

const remember = (heard: readonly Heard[], { type, epoch = 0, input, output }: DrillEvent): readonly Heard[] => {
  const [name = '', what = ''] = type.split('.')
  return [...heard, { what, command: name, op: input?.op ?? '', epoch, ...(output === undefined ? {} : { from: output.epoch }) }]
}

const turns = { input: work, run, drainMs: 50, timeoutMs: 3_600_000 }

const drill = defineActor({
  type: 'drill',
  module: import.meta.url,
  logic: fromTransition(remember, []),
  commands: {
    steal: turn({ ...turns, rank: 'first', preempt: 'steal' }),
    restart: turn({ ...turns, rank: 'first', preempt: 'abort-keep' }),
    /** Would interrupt, but is of the lowest rank. */
    work: turn({ ...turns, rank: 'second', preempt: 'steal' }),
    note: command({ input: z.object({}) }),
    heard: query({ reply: ({ context }) => context }),
  },
  turns: { ranks: [...RANKS], keep: 1_000 },
})

/** `isDull`: long turns take no notice of signals, and come with their results when they run again or when nobody waits. */
async function interrupt(world: World, isDull: boolean): Promise<void> {
  const seen = yard(world)
  const { sent } = seen
  seen.hasDull = isDull
  const isAlone = !isDull && world.draw('alone', 2) === 0
  await world.together(2, async (client, index) => {
    const actor = client.actor(drill, 'a')
    const steps = isDull ? 1 + world.draw(`steps ${index}`, 2) : 3
    for (let step = 0; step < steps; step += 1) {
      const isUrgent = world.draw(`urgent ${index}`, 2) === 0 && !isAlone
      const name = isUrgent ? (['steal', 'restart'] as const)[world.draw(`how ${index}`, 2)] : undefined
      const ms = isUrgent ? 10 : [100, 200, 300][world.draw(`ms ${index}`, 3)]
      const restMs = [1, 60, 150][world.draw(`rest ${index}`, 3)]
      const op = `${index}.${step}`
      if (!world.keeps(op)) continue
      const known = await carefully(client, () =>
        actor.tell[name ?? 'work']({ op, ms: ms ?? 10, isDull: isDull && !isUrgent }, { idempotencyKey: op }),
      )
      if (known.how === 'answered') sent.add(op)
      await client.sleep(restMs ?? 1)
    }
  })
}

const LEAVES = new Set(['parked', 'cancelled', 'done', 'failed'])

async function eachResultIsOfItsStretch(world: World): Promise<void> {
  const { sent } = yard(world)
  await settled(world)
  for (let tries = 0; tries < 20; tries += 1) {
    const open = await eventually(world, () => world.system.actor(drill, 'a').turns({ limit: 1_000 }))
    if (open.every(({ state }) => state === 'ended')) break
    await world.sleep(500)
  }
  const heard = await eventually(world, () => world.system.actor(drill, 'a').ask.heard())
  const hasUrgent = heard.some(({ command: name }) => name === 'steal' || name === 'restart')
  const parked = new Set<string>()
  for (const { what, command: name, op, epoch, from } of heard) {
    if (what === 'done') claim('G7 a result counts only from the stretch that runs', from === epoch, () => ({ op, epoch, from, heard }))
    if (what === 'parked') claim('K32 nobody interrupts a turn of its own rank', hasUrgent, heard)
    if (what === 'started' && name === 'work')
      claim('K32 a parked turn goes before those of its own rank that have not begun', parked.size === 0, () => ({ op, heard }))
    if (what === 'parked' && name === 'work') parked.add(op)
    else if (what === 'resumed' || LEAVES.has(what)) parked.delete(op)
  }
  for (const op of sent)
    claim('K32 every accepted turn is done once', heard.filter((entry) => entry.op === op && entry.what === 'done').length === 1, () => ({
      op,
      heard,
    }))
  near(
    world,
    'a turn was resumed',
    heard.some(({ what }) => what === 'resumed'),
  )
  near(world, 'a late result was refused', world.system.stats().lateResults > 0)
}

/** The campaigns of this family. */
export const interruptions: readonly Campaign[] = [
  {
    name: 'G7 a stretch that was ended by force does not end the next one of its turn',
    share: 6,
    options: {
      actors: [drill],
      scenario: (world) => interrupt(world, true),
      check: eachResultIsOfItsStretch,
      faults: ['deaf-turn', 'disk-busy', 'lost-reply', 'duplicate-request'],
      properties: sometimes('a turn was resumed', 'a late result was refused'),
    },
  },
  {
    name: 'G7 … and no two live at the same time, whatever commits fail',
    share: 3.2,
    options: {
      actors: [drill],
      scenario: (world) => interrupt(world, false),
      check: eachResultIsOfItsStretch,
      faults: ['disk-full', 'disk-busy', 'stall', 'lost-reply', 'delayed-request'],
      properties: sometimes('a turn was resumed'),
    },
  },
]
