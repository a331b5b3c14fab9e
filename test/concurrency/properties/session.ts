/** A session: an actor with turns of four ranks that do their work in steps, and remembers what it hears of them. */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import type { Interruption, TurnContext } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import { perRun } from './campaign.ts'

/** Names of the turns, the highest rank first. */
export const RANKS = ['handler', 'worker', 'chore', 'background'] as const
export type Rank = (typeof RANKS)[number]
/** What a turn does once its signal has fired. `linger`: it takes no notice, and comes with its result when nobody waits any more. */
export const MANNERS = ['throw', 'return', 'save', 'finish', 'linger'] as const

const work = z.object({ op: z.string(), rank: z.enum(RANKS), steps: z.number(), manner: z.enum(MANNERS) })
const frame = z.object({ step: z.number() })

export type Work = z.infer<typeof work>
type Stretched = TurnContext<Work, { readonly step: number }>

/** One stretch of running, as the outside has seen it. */
export interface Stretch {
  readonly op: string
  readonly rank: Rank
  readonly turn: number
  readonly attempt: number
  readonly epoch: number
  readonly from: number | undefined
  /** Position among everything that was seen. */
  readonly beganAt: number
  /** The highest step whose checkpoint was acknowledged in this stretch; that was asked for. */
  acked: number
  asked: number
  signal: Interruption['mode'] | 'timed-out' | undefined
}

/** Everything that was seen of a run. */
export interface Stage {
  readonly world: World
  readonly stretches: Stretch[]
  /** When an operation was acknowledged, for the first time. */
  readonly acceptedAt: Map<string, number>
  readonly works: Map<string, Work>
  events: number
}

export const stage = perRun<Stage>((world) => ({ world, stretches: [], acceptedAt: new Map(), works: new Map(), events: 0 }))

const STEP_MS = 30
const DRAIN_MS = 200

/** What is thrown when it is too late to go on. */
class Interrupted extends Error {}

async function run(context: Stretched): Promise<unknown> {
  const seen = stage.current
  const { world } = seen
  const { input, epoch, signal } = context
  const stretch: Stretch = {
    op: input.op,
    rank: input.rank,
    turn: context.turn,
    attempt: context.attempt,
    epoch,
    from: context.frame?.step,
    beganAt: (seen.events += 1),
    acked: -1,
    asked: -1,
    signal: undefined,
  }
  seen.stretches.push(stretch)
  const hear = (): void => {
    stretch.signal = (signal.reason as Interruption).mode // What a turn's signal carries.
  }
  if (signal.aborted) hear()
  else signal.addEventListener('abort', hear, { once: true })
  const save = async (step: number): Promise<void> => {
    const isLate = seen.stretches.some((other) => other.epoch > epoch)
    stretch.asked = Math.max(stretch.asked, step)
    await context.checkpoint({ step })
    world.always('G7 a checkpoint of an epoch that is over is refused', !isLate, { stretch, step })
    stretch.acked = Math.max(stretch.acked, step)
  }
  const result = { op: input.op, epoch }
  for (let step = stretch.from ?? 0; step < input.steps; step += 1) {
    await world.workFor(STEP_MS)
    if (signal.aborted && input.manner !== 'linger') {
      if (input.manner === 'finish') return result
      if (input.manner === 'return') return undefined
      if (input.manner === 'save') await save(step + 1)
      throw new Interrupted()
    }
    if (signal.aborted) {
      await world.workFor(2 * DRAIN_MS)
      await save(step + 1).catch(() => undefined)
      return result
    }
    await save(step + 1)
  }
  return result
}

/** An event as the machine heard it. */
export interface Heard {
  readonly what: string
  readonly op: string
  readonly turn: number
  readonly attempt: number
  readonly epoch: number
  readonly mode?: string
  readonly outcome?: string
  readonly output?: { readonly op: string; readonly epoch: number }
  readonly code?: string
}

interface SessionEvent {
  readonly type: string
  readonly op?: string
  readonly turn?: number
  readonly attempt?: number
  readonly epoch?: number
  readonly input?: Work
  readonly mode?: string
  readonly outcome?: string
  readonly output?: { readonly op: string; readonly epoch: number }
  readonly error?: { readonly code: string }
}

const remember = (heard: readonly Heard[], event: SessionEvent): readonly Heard[] => {
  const { type, turn: number = 0, attempt = 0, epoch = 0, mode, outcome, output, error } = event
  const entry = {
    what: type.slice(type.indexOf('.') + 1),
    op: event.op ?? event.input?.op ?? '',
    turn: number,
    attempt,
    epoch,
    ...(mode === undefined ? {} : { mode }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { code: error.code }),
  }
  return [...heard, entry]
}

const turns = { input: work, frame, run, drainMs: DRAIN_MS, timeoutMs: 3_600_000 }
const note = z.object({ op: z.string() })

function sessionOf<const Type extends string>(type: Type, persist: 'snapshot' | 'journal') {
  return defineActor({
    type,
    module: import.meta.url,
    logic: fromTransition(remember, []),
    commands: {
      handler: turn({ ...turns, rank: 'handler', priority: 'urgent', preempt: 'steal' }),
      worker: turn({ ...turns, rank: 'worker', preempt: 'abort-keep' }),
      chore: turn({ ...turns, rank: 'chore' }),
      background: turn({ ...turns, rank: 'background', preemptible: false }),
      /** Handled once it has interrupted what runs. */
      steal: command({ input: note, rank: 'handler', priority: 'urgent', preempt: 'steal' }),
      keep: command({ input: note, rank: 'handler', priority: 'urgent', preempt: 'abort-keep' }),
      drop: command({ input: note, rank: 'handler', priority: 'urgent', preempt: 'abort-drop' }),
      note: command({ input: note }),
      heard: query({ reply: ({ context }) => context }),
    },
    turns: { ranks: [...RANKS], keep: 1_000 },
    persist,
    idleMs: 3_000,
  })
}

export const session = sessionOf('session', 'snapshot')
/** The same, kept as a journal. */
export const diary = sessionOf('diary', 'journal') as unknown as typeof session // Of the same commands.
