/** What became of the work that was sent to a session: as the actor keeps it, and as its senders have heard. */

import type { RefOf, Stretch, TurnView } from '@bailiwick/kernel'
import type { Director, Sent } from './session-director.ts'
import type { session, Task } from './session.actor.ts'
import { addCounts } from './tally.ts'

/** One stretch: who held the session, from when to when, and why no longer. Times are ms from the beginning of the first. */
export interface Held {
  readonly epoch: number
  readonly from: number
  readonly to: number
  readonly turn: number
  readonly command: string
  readonly rank: string
  readonly attempt: number
  readonly ending: string
  /** The step with which it went on; undefined if nobody was listening. */
  readonly step: number | undefined
  /** The provider that it spoke to, if that is known. */
  readonly pid: number | undefined
}

/** One hand-over: milliseconds from the call of the one who interrupts. */
export interface HandOver {
  readonly by: string
  readonly mode: string
  /** Until the one who was interrupted saw the signal. */
  readonly seenMs: number
  /** Until the one who interrupts has begun. */
  readonly begunMs: number
}

export interface SessionReport {
  readonly held: readonly Held[]
  readonly handOvers: readonly HandOver[]
  /** How many messages ended how, as `command outcome`. */
  readonly endings: Readonly<Record<string, number>>
  /** Processes that the session was held with, in order. */
  readonly pids: readonly number[]
  /** What came from epochs that were over, and took no effect. */
  readonly lateResults: number
  readonly repliesPosted: number
  /** Whether nobody has held it together with somebody else, and every epoch is larger than those before it. */
  readonly isOneAtATime: boolean
}

/** Waits until all that a director has sent has come to its end and every reply is posted, and says what became of it. */
export async function reportOn({ ref, name, sent }: Director): Promise<SessionReport> {
  const answers = await Promise.all(sent.map(({ answer }) => answer))
  const endings = answers.map(({ outcome }, index) => `${sent[index]?.command ?? ''} ${outcome}`)
  const mine = await postedTasks(ref, name)
  const [turns, late] = await Promise.all([ref.turns({ limit: 200 }), ref.lateResults()])
  // Turns of earlier work of the same actor have smaller numbers.
  const first = Math.min(...mine.map(({ turn }) => turn))
  const held = heldIn(
    turns.filter(({ turn }) => turn >= first),
    sent,
    mine,
  )
  return {
    held,
    handOvers: handOversIn(held, turns, sent),
    endings: endings.reduce((counts, ending) => addCounts(counts, { [ending]: 1 }), {}),
    pids: [...new Set(held.flatMap(({ pid }) => (pid === undefined ? [] : [pid])))],
    lateResults: late.filter(({ turn }) => turn >= first).length,
    repliesPosted: mine.filter(({ isPosted }) => isPosted).length,
    isOneAtATime: held.every(({ epoch, from }, index) => {
      const before = held[index - 1]
      return before === undefined || (before.epoch < epoch && before.to <= from)
    }),
  }
}

/** The tasks of this work, once every reply among them has been posted. */
async function postedTasks(ref: RefOf<typeof session>, name: string) {
  for await (const { context } of ref.changes()) {
    const mine = context.tasks.filter(({ delivery }) => delivery.startsWith(`${name}/`))
    const isGivenUp = context.heard['post-reply.failed'] !== undefined
    if (isGivenUp || mine.every(({ command, state, isPosted }) => command !== 'respond' || state !== 'done' || isPosted)) return mine
  }
  return []
}

/** What was heard of one stretch. */
interface Heard {
  readonly calledAt: number
  /** When it began. */
  readonly at: number
  readonly step: number
  pid?: number
  signalAt?: number
}

/** What was heard of the stretches, by epoch. */
function heardOf(sent: readonly Sent[]): ReadonlyMap<number, Heard> {
  const heard = new Map<number, Heard>()
  for (const { seen, calledAt } of sent) {
    let stretch: Heard | undefined
    for (const one of seen) {
      if (one.kind === 'begun') {
        stretch = { calledAt, at: one.at, step: one.step }
        heard.set(one.epoch, stretch)
      } else if (stretch !== undefined) {
        if (one.kind === 'provider') stretch.pid = one.pid
        if (one.kind === 'signal') stretch.signalAt = one.at
      }
    }
  }
  return heard
}

function heldIn(turns: readonly TurnView[], sent: readonly Sent[], tasks: readonly Task[]): readonly Held[] {
  const heard = heardOf(sent)
  const stretches = turns.flatMap(({ turn, command, rank, history }) => history.map((stretch) => ({ turn, command, rank, ...stretch })))
  const startedAt = Math.min(...stretches.map(({ from }) => from))
  return stretches
    .toSorted((one, other) => one.epoch - other.epoch)
    .map((stretch) => ({
      epoch: stretch.epoch,
      from: stretch.from - startedAt,
      to: stretch.to - startedAt,
      turn: stretch.turn,
      command: stretch.command,
      rank: stretch.rank,
      attempt: stretch.attempt,
      ending: endingOf(stretch),
      step: heard.get(stretch.epoch)?.step,
      pid: heard.get(stretch.epoch)?.pid ?? tasks.find(({ turn, epoch }) => turn === stretch.turn && epoch === stretch.epoch)?.pids.at(-1),
    }))
}

function endingOf({ outcome, mode, by, isForced }: Stretch): string {
  const how = mode === undefined ? undefined : WORDS[mode]
  if (how === undefined) return outcome === 'ok' ? 'done' : outcome
  const cause = by?.command === undefined ? `: ${by?.reason ?? 'nobody knows why'}` : ` ${how.by} ${by.command}`
  return `${how.did}${cause}${isForced === true ? ', provider killed' : ''}`
}

const WORDS: Readonly<Partial<Record<NonNullable<Stretch['mode']>, { readonly did: string; readonly by: string }>>> = {
  steal: { did: 'parked', by: 'for' },
  'abort-keep': { did: 'aborted', by: 'by' },
  'abort-drop': { did: 'dropped', by: 'by' },
}

/** The interruptions of which both sides were heard. */
function handOversIn(held: readonly Held[], turns: readonly TurnView[], sent: readonly Sent[]): readonly HandOver[] {
  const heard = heardOf(sent)
  return turns.flatMap(({ history }) =>
    history.flatMap(({ epoch, mode, by }) => {
      const next = held.find(({ turn, attempt }) => turn === by?.turn && attempt === 1)
      const begun = next === undefined ? undefined : heard.get(next.epoch)
      const signalAt = heard.get(epoch)?.signalAt
      if (next === undefined || begun === undefined || signalAt === undefined || mode === undefined) return []
      return [{ by: next.command, mode, seenMs: signalAt - begun.calledAt, begunMs: begun.at - begun.calledAt }]
    }),
  )
}
