/**
 * Deadlines of pending calls: one list per duration, in which the earliest is always first, and one timer for all.
 * Adding and removing are constant time, because calls are many and hardly any of them ever times out.
 */
import type { Clock, Timer } from './seams/seams.ts'

/** Something with a deadline. The fields belong to `Deadlines`. */
export interface Deadline {
  dueAt: number
  durationMs: number
  earlier: Deadline | undefined
  later: Deadline | undefined
}

/** Empty lists are kept up to so many durations, because a program uses few. */
const LISTS_KEPT = 16

class DeadlineList {
  first: Deadline | undefined = undefined
  last: Deadline | undefined = undefined
}

/** The deadlines of one caller. */
export class Deadlines<T extends Deadline> {
  readonly #clock: Clock
  readonly #expire: (item: T) => void
  readonly #lists = new Map<number, DeadlineList>()
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY

  /** `expire` is called for each item whose time has come; it must delete the item. */
  constructor(clock: Clock, expire: (item: T) => void) {
    this.#clock = clock
    this.#expire = expire
  }

  /** Gives an item a deadline. */
  add(item: T, durationMs: number): void {
    item.durationMs = durationMs
    item.dueAt = this.#clock.elapsed() + durationMs
    let list = this.#lists.get(durationMs)
    if (list === undefined) {
      list = new DeadlineList()
      this.#lists.set(durationMs, list)
    }
    item.earlier = list.last
    item.later = undefined
    if (list.last === undefined) list.first = item
    else list.last.later = item
    list.last = item
    if (item.dueAt < this.#timerAt) this.#arm(item.dueAt)
  }

  /** Takes an item's deadline away; does nothing if it has none. */
  delete(item: T): void {
    const list = this.#lists.get(item.durationMs)
    if (list === undefined) return
    const { durationMs } = item
    item.durationMs = 0
    if (item.earlier === undefined) list.first = item.later
    else item.earlier.later = item.later
    if (item.later === undefined) list.last = item.earlier
    else item.later.earlier = item.earlier
    if (list.first === undefined && this.#lists.size > LISTS_KEPT) this.#lists.delete(durationMs)
  }

  /** Stops the timer. */
  close(): void {
    this.#timer?.cancel()
    this.#lists.clear()
  }

  #arm(dueAt: number): void {
    this.#timer?.cancel()
    this.#timerAt = dueAt
    this.#timer = this.#clock.setTimer(() => this.#ring(), Math.max(0, dueAt - this.#clock.elapsed()))
  }

  #ring(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = this.#clock.elapsed()
    let next = Number.POSITIVE_INFINITY
    for (const list of this.#lists.values()) {
      while (list.first !== undefined && list.first.dueAt <= now) {
        this.#expire(list.first as T) // Only items of type T are ever added.
      }
      if (list.first !== undefined) next = Math.min(next, list.first.dueAt)
    }
    if (next < this.#timerAt) this.#arm(next)
  }
}
