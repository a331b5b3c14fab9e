/** What a queue says of itself: counts, ages, and how long waiting may take. */
import { endOf, limitOf, slotOf } from './book.ts'
import type { Book, End, Totals } from './book.ts'
import { find, headOf } from './fifo.ts'

/** Figures of one queue. */
export interface QueueFigures {
  readonly waiting: number
  readonly active: number
  readonly limit: number
  /** When the head was enqueued, in milliseconds since 1970; `null` if nobody waits. */
  readonly oldestEnqueuedAt: number | null
  /** Mean of the last 32 waits that ended with a slot, those without any wait included; `null` before the first. */
  readonly averageWaitMs: number | null
  /** How long one that comes now would wait: 0 if it would not, `null` if nothing is known. */
  readonly estimatedWaitMs: number | null
  readonly totals: Totals
}

/** Where an execution is. */
export type Whereabouts =
  | {
      readonly outcome: 'waiting'
      /** 1 is the head. */
      readonly position: number
      readonly enqueuedAt: number
      readonly deadline: number
      readonly estimatedWaitMs: number | null
    }
  | { readonly outcome: 'active'; readonly epoch: number; readonly since: number; readonly until: number }
  /** It was over not long ago. */
  | { readonly outcome: 'ended'; readonly how: End['outcome']; readonly serial: number }
  | { readonly outcome: 'unknown' }

/** The figures of a book. */
export function figuresOf(book: Book): QueueFigures {
  const { waiting, active, waits, totals } = book
  const isFree = waiting.size === 0 && active.length < limitOf(book)
  return {
    waiting: waiting.size,
    active: active.length,
    limit: limitOf(book),
    oldestEnqueuedAt: headOf(waiting)?.at ?? null,
    averageWaitMs: meanOf(waits),
    estimatedWaitMs: isFree ? 0 : estimateOf(book, waiting.size + 1),
    totals,
  }
}

/** Where an execution is in a book. */
export function whereaboutsOf(book: Book, id: string): Whereabouts {
  const slot = slotOf(book, id)
  if (slot !== undefined) return { outcome: 'active', epoch: slot.epoch, since: slot.since, until: slot.until }
  const found = find(book.waiting, id)
  if (found !== undefined) {
    const { at, deadline } = found.waiter
    const { position } = found
    return { outcome: 'waiting', position, enqueuedAt: at, deadline, estimatedWaitMs: estimateOf(book, position) }
  }
  const end = endOf(book, id)
  return end === undefined ? { outcome: 'unknown' } : { outcome: 'ended', how: end.outcome, serial: end.serial }
}

/** Figures of several queues together. The estimate is the longest of all, the average is weighted by grants. */
export function sumOf(all: readonly QueueFigures[]): QueueFigures {
  const oldest = all.flatMap(({ oldestEnqueuedAt }) => (oldestEnqueuedAt === null ? [] : [oldestEnqueuedAt]))
  const estimates = all.flatMap(({ estimatedWaitMs }) => (estimatedWaitMs === null ? [] : [estimatedWaitMs]))
  const grants = all.reduce((sum, { totals }) => sum + totals.granted, 0)
  const waited = all.reduce((sum, { averageWaitMs, totals }) => sum + (averageWaitMs ?? 0) * totals.granted, 0)
  return {
    waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
    active: all.reduce((sum, { active }) => sum + active, 0),
    limit: all.reduce((sum, { limit }) => sum + limit, 0),
    oldestEnqueuedAt: oldest.length === 0 ? null : Math.min(...oldest),
    averageWaitMs: grants === 0 ? null : Math.round(waited / grants),
    estimatedWaitMs: estimates.length === 0 ? null : Math.max(...estimates),
    totals: {
      granted: grants,
      released: all.reduce((sum, { totals }) => sum + totals.released, 0),
      expired: all.reduce((sum, { totals }) => sum + totals.expired, 0),
      cancelled: all.reduce((sum, { totals }) => sum + totals.cancelled, 0),
      timedOut: all.reduce((sum, { totals }) => sum + totals.timedOut, 0),
      refused: all.reduce((sum, { totals }) => sum + totals.refused, 0),
    },
  }
}

/** How long the one at a position may have to wait: slots come free one after the other, as many per holding time as there are. */
function estimateOf(book: Book, position: number): number | null {
  const limit = limitOf(book)
  const hold = meanOf(book.holds)
  return hold === null || limit === 0 ? null : Math.round((hold * position) / limit)
}

function meanOf(samples: readonly number[]): number | null {
  return samples.length === 0 ? null : Math.round(samples.reduce((sum, sample) => sum + sample, 0) / samples.length)
}
