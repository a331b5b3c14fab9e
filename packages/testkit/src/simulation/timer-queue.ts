/** Timers of virtual time, the earliest first; those of the same moment in the order in which they were set. A binary heap. */
import type { Timer } from '@bailiwick/kernel/seams'

interface Entry {
  readonly dueAt: number
  readonly order: number
  task: (() => void) | undefined
}

/** What is due when. */
export class TimerQueue {
  readonly #heap: Entry[] = []
  #order = 0

  add(dueAt: number, task: () => void): Timer {
    const entry: Entry = { dueAt, order: (this.#order += 1), task }
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
    return {
      cancel: () => {
        entry.task = undefined
      },
    }
  }

  /** When the next one is due that was not cancelled. */
  nextDueAt(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0]?.task === undefined) this.#shift()
    return this.#heap[0]?.dueAt
  }

  /** Calls back whatever is due by now. */
  ring(now: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.dueAt <= now; first = this.#heap[0]) {
      this.#shift()
      const { task } = first
      first.task = undefined
      task?.()
    }
  }

  #shift(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const above = (at - 1) >> 1
      if (!this.#swapIfBefore(at, above)) return
      at = above
    }
  }

  #sink(from: number): void {
    for (let at = from; ;) {
      let least = at * 2 + 1
      if (least >= this.#heap.length) return
      if (least + 1 < this.#heap.length && this.#isBefore(least + 1, least)) least += 1
      if (!this.#swapIfBefore(least, at)) return
      at = least
    }
  }

  #swapIfBefore(left: number, right: number): boolean {
    if (!this.#isBefore(left, right)) return false
    const [one, other] = [this.#heap[left], this.#heap[right]]
    if (one !== undefined && other !== undefined) {
      this.#heap[left] = other
      this.#heap[right] = one
    }
    return true
  }

  #isBefore(left: number, right: number): boolean {
    const [one, other] = [this.#heap[left], this.#heap[right]]
    if (one === undefined || other === undefined) return false
    return one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.order < other.order)
  }
}
