/**
 * The book of one queue: who holds a slot, who waits, and what every event changes in it. Plain arithmetic: it knows no
 * actor, no clock and no chance.
 *
 * 1. A slot is granted at once only if one is free and nobody waits; everybody else waits in order.
 * 2. Whatever frees a slot, or makes room for one, promotes the head in the same step.
 * 3. A slot is leased, from its grant up to and without its end; whoever waits, waits up to and without its deadline. What is over
 *    at the time of an event is over before that event is looked at. Deadlines of waiters count before ends of slots, so
 *    nobody is promoted who has been told that it waited too long.
 * 4. One counter numbers everything that happens to an execution, so that of two things that are heard of it the later is known.
 */
import { append, EMPTY_FIFO, find, headOf, without, withoutHead, withoutOverdue } from './fifo.ts'
import type { Fifo } from './fifo.ts'

/** One execution that may work. */
export interface ActiveSlot {
  readonly id: string
  /** Fencing token of this grant: larger than that of every grant of this queue before it. */
  readonly epoch: number
  readonly since: number
  readonly until: number
  readonly ttlMs: number
}

/** How the waiting or the work of an execution has ended without its doing. */
export type EndReason = 'cancelled' | 'timed-out' | 'expired'

/** An execution that is over. */
export interface End {
  readonly id: string
  readonly serial: number
  readonly outcome: EndReason | 'released'
}

/** What has happened to an execution, for whoever waits for it or works on its behalf. */
export interface Ring {
  readonly id: string
  readonly serial: number
  readonly outcome: 'granted' | EndReason
}

/** What has been counted since the queue was first used. */
export interface Totals {
  /** Slots that were granted, at once or after waiting. */
  readonly granted: number
  /** Slots that were given back. */
  readonly released: number
  /** Slots that were taken back because nobody renewed them. */
  readonly expired: number
  /** Executions that were cancelled while they waited or worked. */
  readonly cancelled: number
  /** Executions that waited too long. */
  readonly timedOut: number
  /** Requests that found the queue full, or the limit reached where nobody waits. */
  readonly refused: number
}

/** All that is known of one queue. */
export interface Book {
  /** The time of the last event; it never runs backwards. */
  readonly now: number
  readonly serial: number
  /** The limit that the rules gave with the last request. */
  readonly ruled: number
  /** The limit that was set at run time, if one was. */
  readonly set: number | null
  readonly waiting: Fifo
  readonly active: readonly ActiveSlot[]
  readonly totals: Totals
  /** How long the last ones waited that were granted a slot, in milliseconds. */
  readonly waits: readonly number[]
  /** How long the last slots were held that were given back. */
  readonly holds: readonly number[]
  /** The last executions that are over, so that whoever has not heard of it can still find out, and a request that comes late takes no slot. */
  readonly ends: readonly End[]
}

/** A request for a slot, with the rules that count for it. */
export interface Acquire {
  readonly id: string
  readonly limit: number
  readonly method: 'enqueue' | 'cancel'
  readonly maxLength: number
  readonly waitMs: number
  readonly ttlMs: number
}

/** What becomes of a request. */
export type AcquireAnswer =
  | { readonly outcome: 'granted'; readonly epoch: number; readonly until: number }
  | { readonly outcome: 'queued'; readonly serial: number; readonly position: number; readonly deadline: number }
  | { readonly outcome: 'full'; readonly waiting: number; readonly maxLength: number }
  | { readonly outcome: 'refused'; readonly active: number; readonly limit: number }
  | { readonly outcome: 'ended'; readonly how: End['outcome'] }

/** What an event has led to. */
export interface Step<Answer> {
  readonly book: Book
  readonly answer: Answer
  /** Who is to hear what. */
  readonly rings: readonly Ring[]
  /** The earliest moment that this step has added at which something is over; `Infinity` if it has added none. */
  readonly dueAt: number
}

const SAMPLES_MAX = 32
const ENDS_MAX = 256

/** A queue that nobody has used. */
export const EMPTY_BOOK: Book = {
  now: 0,
  serial: 0,
  ruled: 0,
  set: null,
  waiting: EMPTY_FIFO,
  active: [],
  totals: { granted: 0, released: 0, expired: 0, cancelled: 0, timedOut: 0, refused: 0 },
  waits: [],
  holds: [],
  ends: [],
}

/** How many may work at a time. */
export function limitOf({ ruled, set }: Book): number {
  return set ?? ruled
}

/** The slot that an execution holds. */
export function slotOf({ active }: Book, id: string): ActiveSlot | undefined {
  return active.find((slot) => slot.id === id)
}

/** The earliest moment at which something may be over; `Infinity` if nothing is under way. */
export function nextDueAt({ waiting, active }: Book): number {
  const first = waiting.size === 0 ? Infinity : waiting.quietUntil
  return active.reduce((earliest, { until }) => Math.min(earliest, until), first)
}

/** How an execution has ended, as far back as ends are remembered. */
export function endOf({ ends }: Book, id: string): End | undefined {
  return ends.findLast((end) => end.id === id)
}

/**
 * A request: a slot, a place, or neither. A known execution keeps what it has; one that works is renewed. One that is over gets
 * nothing: its request has come late, or is a repetition. Only one whose lease has ended may come again: its worker is dead.
 */
export function acquire(before: Book, request: Acquire, at: number): Step<AcquireAnswer> {
  const draft = new Draft(before, at)
  draft.change({ ruled: request.limit })
  draft.promote()
  return draft.done(draft.admit(request))
}

/** Makes a lease longer, from now on. */
export function renew(
  before: Book,
  { id, epoch }: { readonly id: string; readonly epoch: number },
  at: number,
): Step<{ readonly outcome: 'renewed'; readonly until: number } | { readonly outcome: 'stale' }> {
  const draft = new Draft(before, at)
  const slot = slotOf(draft.book, id)
  if (slot?.epoch !== epoch) return draft.done({ outcome: 'stale' })
  return draft.done({ outcome: 'renewed', until: draft.extend(slot) })
}

/** Gives a slot back, or leaves the queue. What names another epoch than that of the slot comes too late, and changes nothing. */
export function release(
  before: Book,
  { id, epoch }: { readonly id: string; readonly epoch?: number | undefined },
  at: number,
): Step<{ readonly outcome: 'released' | 'removed' | 'stale' | 'unknown' }> {
  const draft = new Draft(before, at)
  const slot = slotOf(draft.book, id)
  if (slot !== undefined) {
    if (epoch !== undefined && epoch !== slot.epoch) return draft.done({ outcome: 'stale' })
    draft.complete(slot)
    draft.promote()
    return draft.done({ outcome: 'released' })
  }
  if (epoch !== undefined) return draft.done({ outcome: 'stale' })
  return draft.done({ outcome: draft.leave(id) ? 'removed' : 'unknown' })
}

/** Takes an execution out, wherever it is, and lets it know. One that has not come yet, or is over, is remembered: it gets nothing when it comes. */
export function cancel(
  before: Book,
  { id }: { readonly id: string },
  at: number,
): Step<{ readonly outcome: 'cancelled'; readonly was: 'waiting' | 'active' } | { readonly outcome: 'unknown' }> {
  const draft = new Draft(before, at)
  const slot = slotOf(draft.book, id)
  if (slot === undefined) {
    if (draft.leave(id)) return draft.done({ outcome: 'cancelled', was: 'waiting' })
    draft.forbid(id)
    return draft.done({ outcome: 'unknown' })
  }
  draft.free(slot, 'cancelled')
  draft.ring(id, 'cancelled')
  draft.promote()
  return draft.done({ outcome: 'cancelled', was: 'active' })
}

/** Sets the limit at run time; `null` gives it back to the rules. */
export function setLimit(
  before: Book,
  { limit }: { readonly limit: number | null },
  at: number,
): Step<{ readonly outcome: 'set'; readonly limit: number; readonly promoted: number }> {
  const draft = new Draft(before, at)
  draft.change({ set: limit })
  const promoted = draft.promote()
  return draft.done({ outcome: 'set', limit: limitOf(draft.book), promoted })
}

/** Time has passed: what is over ends. */
export function pass(before: Book, at: number): Step<null> {
  return new Draft(before, at).done(null)
}

/** A book while a step is made. */
class Draft {
  book: Book
  readonly #rings: Ring[] = []
  #dueAt = Infinity

  /** Begins with what is over by then. */
  constructor(before: Book, at: number) {
    this.book = { ...before, now: Math.max(before.now, at) }
    this.#end()
  }

  done<Answer>(answer: Answer): Step<Answer> {
    return { book: this.book, answer, rings: this.#rings, dueAt: this.#dueAt }
  }

  change(changes: Partial<Book>): void {
    this.book = { ...this.book, ...changes }
  }

  count(total: keyof Totals, by = 1): void {
    this.change({ totals: { ...this.book.totals, [total]: this.book.totals[total] + by } })
  }

  ring(id: string, outcome: Ring['outcome']): void {
    const serial = this.#takeSerial()
    const ring = { id, serial, outcome }
    this.#rings.push(ring)
    if (outcome !== 'granted') this.#noteEnd({ id, serial, outcome })
  }

  admit({ id, method, maxLength, waitMs, ttlMs }: Acquire): AcquireAnswer {
    const { now, waiting, active } = this.book
    const slot = slotOf(this.book, id)
    if (slot !== undefined) return { outcome: 'granted', epoch: slot.epoch, until: this.extend(slot) }
    const end = endOf(this.book, id)
    if (end !== undefined && end.outcome !== 'expired') return { outcome: 'ended', how: end.outcome }
    const found = find(waiting, id)
    if (found !== undefined) {
      const { serial, deadline } = found.waiter
      return { outcome: 'queued', serial, position: found.position, deadline }
    }
    const limit = limitOf(this.book)
    if (active.length < limit && waiting.size === 0) {
      const { epoch, until } = this.#grant(id, now, ttlMs, this.#takeSerial())
      return { outcome: 'granted', epoch, until }
    }
    if (method === 'cancel') {
      this.count('refused')
      return { outcome: 'refused', active: active.length, limit }
    }
    if (waiting.size >= maxLength) {
      this.count('refused')
      return { outcome: 'full', waiting: waiting.size, maxLength }
    }
    const serial = this.#takeSerial()
    const deadline = now + waitMs
    this.change({ waiting: append(waiting, { id, at: now, deadline, ttlMs, serial }) })
    this.#dueAt = Math.min(this.#dueAt, deadline)
    return { outcome: 'queued', serial, position: waiting.size + 1, deadline }
  }

  /** Leases a slot anew, from now on; answers its end. */
  extend(slot: ActiveSlot): number {
    const until = this.book.now + slot.ttlMs
    this.change({ active: this.book.active.map((one) => (one === slot ? { ...slot, until } : one)) })
    return until
  }

  free(slot: ActiveSlot, how: 'released' | 'expired' | 'cancelled'): void {
    const { active, holds, now } = this.book
    const held = (how === 'expired' ? slot.until : now) - slot.since
    this.change({ active: active.filter((one) => one !== slot), holds: [...holds, held].slice(-SAMPLES_MAX) })
    this.count(how)
  }

  /** Takes a slot back that its worker gives. It knows of it: nobody is told. */
  complete(slot: ActiveSlot): void {
    this.free(slot, 'released')
    this.#noteEnd({ id: slot.id, serial: this.#takeSerial(), outcome: 'released' })
  }

  /** Takes one that waits out of the queue; false if it does not wait. */
  leave(id: string): boolean {
    const { waiting } = this.book
    if (find(waiting, id) === undefined) return false
    this.change({ waiting: without(waiting, id) })
    this.count('cancelled')
    this.ring(id, 'cancelled')
    return true
  }

  /** Remembers that an execution is not to begin, unless another end of it is known. */
  forbid(id: string): void {
    const end = endOf(this.book, id)
    if (end === undefined || end.outcome === 'expired') this.#noteEnd({ id, serial: this.#takeSerial(), outcome: 'cancelled' })
  }

  /** Gives the free slots to those who have waited longest; answers to how many. */
  promote(): number {
    let promoted = 0
    for (;;) {
      const { waiting, active, now } = this.book
      const head = headOf(waiting)
      if (head === undefined || active.length >= limitOf(this.book)) return promoted
      this.change({ waiting: withoutHead(waiting) })
      this.ring(head.id, 'granted')
      this.#grant(head.id, head.at, head.ttlMs, this.book.serial)
      this.#dueAt = Math.min(this.#dueAt, now + head.ttlMs)
      promoted += 1
    }
  }

  #noteEnd(end: End): void {
    this.change({ ends: [...this.book.ends, end].slice(-ENDS_MAX) })
  }

  #end(): void {
    const { now, waiting, active } = this.book
    const { kept, overdue } = withoutOverdue(waiting, now)
    if (kept !== waiting) this.change({ waiting: kept })
    if (overdue.length > 0) this.count('timedOut', overdue.length)
    for (const { id } of overdue) this.ring(id, 'timed-out')
    for (const slot of active) {
      if (slot.until > now) continue
      this.free(slot, 'expired')
      this.ring(slot.id, 'expired')
    }
    this.promote()
  }

  #grant(id: string, askedAt: number, ttlMs: number, epoch: number): ActiveSlot {
    const { now, active, waits } = this.book
    const slot: ActiveSlot = { id, epoch, since: now, until: now + ttlMs, ttlMs }
    this.change({ active: [...active, slot], waits: [...waits, now - askedAt].slice(-SAMPLES_MAX) })
    this.count('granted')
    this.#dueAt = Math.min(this.#dueAt, slot.until)
    return slot
  }

  #takeSerial(): number {
    this.change({ serial: this.book.serial + 1 })
    return this.book.serial
  }
}
