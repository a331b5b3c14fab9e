/**
 * A clock that stands still until a test moves it. Timers fire in the order of their moments, and between two of them
 * everything that became ready runs, so a test sees what a patient observer would.
 */
import type { Clock, Timer } from '@bailiwick/kernel/seams'

interface VirtualTimer {
  readonly dueAt: number
  readonly order: number
  readonly callback: () => void
}

/** Rounds of the event loop after which work that needs no time is taken to be done. */
const SETTLE_ROUNDS = 20

/** Time in the hands of a test. */
export class VirtualClock implements Clock {
  readonly #timers = new Set<VirtualTimer>()
  #wall: number
  #elapsed = 0
  #order = 0

  /** Begins at the given wall time, in milliseconds since 1970. */
  constructor(startAt: number = Date.UTC(2030, 0, 1)) {
    this.#wall = startAt
  }

  wall(): number {
    return this.#wall
  }

  elapsed(): number {
    return this.#elapsed
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: VirtualTimer = { dueAt: this.#elapsed + Math.max(0, delayMs), order: (this.#order += 1), callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size
  }

  /** Lets so much time pass, firing every timer at its moment. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms
    await this.settle()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#pass(Math.max(0, next.dueAt - this.#elapsed))
      this.#timers.delete(next)
      next.callback()
      await this.settle()
    }
    this.#pass(until - this.#elapsed)
    await this.settle()
  }

  /** Moves the wall clock alone, as an administrator would; timers do not notice. */
  jump(ms: number): void {
    this.#wall += ms
  }

  /** Lets everything run that needs no time. */
  async settle(): Promise<void> {
    for (let round = 0; round < SETTLE_ROUNDS; round += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  #pass(ms: number): void {
    this.#elapsed += ms
    this.#wall += ms
  }

  #next(until: number): VirtualTimer | undefined {
    let next: VirtualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueAt > until) continue
      if (next === undefined || timer.dueAt < next.dueAt || (timer.dueAt === next.dueAt && timer.order < next.order)) next = timer
    }
    return next
  }
}
