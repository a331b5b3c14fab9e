/** The real clock, scheduler and chance. The only place in the kernel that reads time, sets a timer or draws a number. */
import type { Clock, Random, Scheduler, Timer } from './seams.ts'

/** Node clamps longer delays to 1 ms, so a longer wait is made of several. */
const DELAY_MS_MAX = 2 ** 30

/** Time as the machine tells it. Its timers keep the process alive only if asked to. */
export const nodeClock: Clock = {
  wall: () => Date.now(),
  elapsed: () => performance.now(),
  setTimer: (callback, delayMs, keepsAlive = false) => new NodeTimer(callback, delayMs, keepsAlive),
}

/** The event loop. */
export const nodeScheduler: Scheduler = {
  soon: (callback) => {
    setImmediate(callback)
  },
  afterTurn: (callback) => process.nextTick(callback),
}

/** Chance, for jitter only: nothing secret comes from it. */
export const nodeRandom: Random = () => Math.random()

class NodeTimer implements Timer {
  readonly #callback: () => void
  readonly #dueAt: number
  readonly #keepsAlive: boolean
  #timeout: NodeJS.Timeout | undefined

  constructor(callback: () => void, delayMs: number, keepsAlive: boolean) {
    this.#callback = callback
    this.#keepsAlive = keepsAlive
    this.#dueAt = performance.now() + delayMs
    this.#wait(delayMs)
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }

  /** Node may fire a fraction of a millisecond early, and a long delay comes in parts: then the rest is waited for. */
  #wait(delayMs: number): void {
    this.#timeout = setTimeout(
      () => {
        const restMs = this.#dueAt - performance.now()
        if (restMs > 0) this.#wait(restMs)
        else this.#callback()
      },
      Math.min(DELAY_MS_MAX, Math.ceil(delayMs)),
    )
    if (!this.#keepsAlive) this.#timeout.unref()
  }
}
