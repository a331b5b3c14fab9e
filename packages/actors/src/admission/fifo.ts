/**
 * Who waits, in order: a first-in-first-out list that is plain JSON and never changed in place.
 *
 * It is kept in chunks, so that a change copies one chunk and the list of chunks, not ten thousand entries: at the end, at
 * the head, or in the middle. Looking for one by its id goes over all of them.
 */

/** One execution that waits for a slot. */
export interface Waiter {
  readonly id: string
  /** When it was enqueued, in milliseconds since 1970. */
  readonly at: number
  /** When it has waited long enough: from this moment on it waits no more. */
  readonly deadline: number
  /** How long its slot is leased once it gets one, in milliseconds. */
  readonly ttlMs: number
  /** Its number, larger than that of everybody before it. */
  readonly serial: number
}

/** All that wait. No chunk is empty. */
export interface Fifo {
  readonly size: number
  /** Before this moment nobody has waited long enough; it may be earlier than the first deadline, if that one has left. */
  readonly quietUntil: number
  readonly chunks: readonly (readonly Waiter[])[]
}

const CHUNK_SIZE = 64

/** Nobody waits. */
export const EMPTY_FIFO: Fifo = { size: 0, quietUntil: Number.MAX_SAFE_INTEGER, chunks: [] }

/** The list with one more at its end. */
export function append(fifo: Fifo, waiter: Waiter): Fifo {
  const { chunks } = fifo
  const last = chunks.at(-1)
  const isFull = last === undefined || last.length >= CHUNK_SIZE
  return {
    size: fifo.size + 1,
    quietUntil: Math.min(fifo.quietUntil, waiter.deadline),
    chunks: isFull ? [...chunks, [waiter]] : chunks.with(chunks.length - 1, [...last, waiter]),
  }
}

/** The one that has waited longest. */
export function headOf({ chunks }: Fifo): Waiter | undefined {
  return chunks[0]?.[0]
}

/** The list without its head. */
export function withoutHead(fifo: Fifo): Fifo {
  const head = headOf(fifo)
  return head === undefined ? fifo : without(fifo, head.id)
}

/** The list without one, the others in their order. */
export function without(fifo: Fifo, id: string): Fifo {
  const { size, chunks } = fifo
  const index = chunks.findIndex((chunk) => chunk.some((waiter) => waiter.id === id))
  const left = chunks[index]?.filter((waiter) => waiter.id !== id)
  if (left === undefined) return fifo
  return { ...fifo, size: size - 1, chunks: left.length === 0 ? chunks.toSpliced(index, 1) : chunks.with(index, left) }
}

/** The list without those that have waited long enough at a moment, and those. Costs nothing while there are none. */
export function withoutOverdue(fifo: Fifo, now: number): { readonly kept: Fifo; readonly overdue: readonly Waiter[] } {
  if (now < fifo.quietUntil) return { kept: fifo, overdue: [] }
  const overdue: Waiter[] = []
  const chunks: (readonly Waiter[])[] = []
  for (const chunk of fifo.chunks) {
    const left = chunk.filter(({ deadline }) => deadline > now)
    if (left.length < chunk.length) overdue.push(...chunk.filter(({ deadline }) => deadline <= now))
    if (left.length > 0) chunks.push(left)
  }
  return { kept: { size: fifo.size - overdue.length, quietUntil: earliestDeadline(chunks), chunks }, overdue }
}

/** One that waits, and its position: 1 is the head. */
export function find({ chunks }: Fifo, id: string): { readonly waiter: Waiter; readonly position: number } | undefined {
  let before = 0
  for (const chunk of chunks) {
    const index = chunk.findIndex((waiter) => waiter.id === id)
    const waiter = chunk[index]
    if (waiter !== undefined) return { waiter, position: before + index + 1 }
    before += chunk.length
  }
  return undefined
}

function earliestDeadline(chunks: Fifo['chunks']): number {
  let earliest = EMPTY_FIFO.quietUntil
  for (const chunk of chunks) for (const { deadline } of chunk) earliest = Math.min(earliest, deadline)
  return earliest
}
