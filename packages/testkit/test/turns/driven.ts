/**
 * Actors whose turns do nothing by themselves: the test is handed every stretch of running and decides how it goes on.
 *
 * Their logic remembers, in order, every event that it hears, and notes by itself where a command that preempts is handled
 * while a turn runs that it should have interrupted.
 */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import type { Preempt, TurnContext } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import { z } from 'zod'

/** Names of the ranks, the highest first; a rank is a position in this list. */
export const RANKS = ['handler', 'worker', 'chore', 'background'] as const

/** After so long without a boundary a turn is ended by force. */
export const DRAIN_MS = 1_000

/** From what a turn resumes. */
interface Frame {
  readonly step: number
}

/** What the test gets for every stretch of running. */
export type Driven = TurnContext<{ readonly op: number; readonly rank: number }, Frame>

/** Where stretches are handed over; the test sets it. */
export const stage: { begin: (stretch: Driven) => Promise<unknown> } = { begin: () => Promise.resolve('nobody drives') }

/** An event as it was heard. */
export interface Heard {
  /** `note`, or what became of a turn: `started`, `parked`, … */
  readonly what: string
  readonly op: number
  /** Of a note, the turn that ran although the command preempts it, and 0 if there was none. */
  readonly turn: number
  readonly attempt: number
  readonly epoch: number
  readonly mode?: string
  readonly outcome?: string
  readonly output?: unknown
}

/** What an actor has heard. */
export interface Memory {
  readonly heard: readonly Heard[]
  /** The turn that runs as far as the machine knows. */
  readonly running: { readonly turn: number; readonly rank: number; readonly epoch: number } | undefined
  /** Operations and ranks by turn. */
  readonly known: Readonly<Record<number, { readonly op: number; readonly rank: number }>>
}

interface TurnEvent {
  readonly type: string
  readonly turn: number
  readonly attempt: number
  readonly epoch: number
  readonly input?: { readonly op: number; readonly rank: number }
  readonly mode?: string
  readonly outcome?: string
  readonly output?: unknown
}

interface NoteEvent {
  readonly type: 'note' | 'urge' | 'remark' | 'whisper'
  readonly op: number
  readonly rank: number
  readonly preempt: Preempt
}

/** Whether a turn of this rank may be interrupted by those above it. */
type IsPreemptible = (rank: number) => boolean

function remember(isPreemptible: IsPreemptible): (memory: Memory, event: NoteEvent | TurnEvent) => Memory {
  return (memory, event) => {
    if ('preempt' in event) return noted(memory, event, isPreemptible)
    return turned(memory, event)
  }
}

function noted(memory: Memory, { op, rank, preempt }: NoteEvent, isPreemptible: IsPreemptible): Memory {
  const { running } = memory
  const isBadlyTimed = preempt !== 'none' && running !== undefined && running.rank > rank && isPreemptible(running.rank)
  const { turn: id, epoch } = isBadlyTimed ? running : NOBODY
  return { ...memory, heard: [...memory.heard, { what: 'note', op, turn: id, attempt: 0, epoch }] }
}

function turned(memory: Memory, event: TurnEvent): Memory {
  const { type, turn: id, attempt, epoch, input, mode, outcome, output } = event
  const what = type.slice(type.indexOf('.') + 1)
  const known = input === undefined ? memory.known : { ...memory.known, [id]: input }
  const { op, rank } = known[id] ?? { op: -1, rank: -1 }
  const begins = what === 'started' || what === 'resumed'
  const { running } = memory
  const isOver = !begins && running?.turn === id
  return {
    heard: [
      ...memory.heard,
      {
        what,
        op,
        turn: id,
        attempt,
        epoch,
        ...(mode === undefined ? {} : { mode }),
        ...(outcome === undefined ? {} : { outcome }),
        ...(output === undefined ? {} : { output }),
      },
    ],
    known,
    running: begins ? { turn: id, rank, epoch } : isOver ? undefined : running,
  }
}

const NOBODY = { turn: 0, epoch: 0 }
const NOTHING: Memory = { heard: [], running: undefined, known: {} }

const work = z.object({ op: z.number(), rank: z.number() })
const remark = z.object({ op: z.number(), rank: z.number(), preempt: z.enum(['steal', 'abort-keep', 'abort-drop', 'none']) })
const frame = z.object({ step: z.number() })

const driven = {
  input: work,
  frame,
  run: (stretch: Driven) => stage.begin(stretch),
  drainMs: DRAIN_MS,
  timeoutMs: 86_400_000,
  endWithinMs: 10 * 86_400_000,
}

/** Its turns have ranks by their names; those of the last rank cannot be interrupted by others. */
export const ranked = defineActor({
  type: 'ranked',
  module: import.meta.url,
  logic: fromTransition(
    remember((rank) => rank !== 3),
    NOTHING,
  ),
  commands: {
    handler: turn({ ...driven, rank: 'handler', preempt: 'steal' }),
    worker: turn({ ...driven, rank: 'worker' }),
    chore: turn({ ...driven, rank: 'chore' }),
    background: turn({ ...driven, rank: 'background', preemptible: false }),
    urge: command({ input: remark, rank: 'handler' }),
    remark: command({ input: remark, rank: 'worker' }),
    whisper: command({ input: remark, rank: 'chore' }),
    memory: query({ reply: ({ context }) => context }),
  },
  turns: { ranks: [...RANKS], keep: 1_000 },
  idleMs: 3_000,
})

/** Its turns have the rank of the lane with which they were sent, and it is kept as a journal. */
export const laned = defineActor({
  type: 'laned',
  module: import.meta.url,
  logic: fromTransition(
    remember(() => true),
    NOTHING,
  ),
  commands: {
    work: turn(driven),
    note: command({ input: remark }),
    memory: query({ reply: ({ context }) => context }),
  },
  turns: { keep: 1_000 },
  persist: 'journal',
  journal: { snapshotEvery: 20 },
  idleMs: 3_000,
})
