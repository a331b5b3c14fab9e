/**
 * Watches one thread from the caller's: whether it starts in time, and then whether its event loop comes round.
 *
 * What counts are looks, not hours. If the caller's own thread is blocked, or the whole process is stopped, or the machine
 * sleeps, nobody looks meanwhile, and nobody is accused.
 */
import { Gauge } from '../shard/gauges.ts'
import type { ThreadSupervision } from '../definition/supervision.ts'
import type { Clock, ShardThread, Timer } from '../seams/seams.ts'

const LOOK_MS_MAX = 250
const LOOKS_PER_HANG = 10

/** How often the beat is counted, and looked at, in milliseconds. */
export function beatMsOf({ hangMs }: Pick<ThreadSupervision, 'hangMs'>): number {
  return Math.min(LOOK_MS_MAX, hangMs / LOOKS_PER_HANG)
}

/** What is watched, and who hears of it. */
export interface WatchParts {
  readonly clock: Clock
  readonly thread: ShardThread
  readonly supervision: Pick<ThreadSupervision, 'hangMs' | 'startMs'>
  /** It has not started within `startMs`. */
  readonly onOverdue: () => void
  /** It has stood still for `hangMs`. */
  readonly onHung: () => void
}

/** Looks at a thread until it is told to stop, or has accused it. A thread without a beat is not watched. */
export class ThreadWatch {
  readonly #parts: WatchParts
  readonly #lookMs: number
  #timer: Timer | undefined
  #hasStarted = false
  #lastBeat = 0
  /** For how long the thread has been seen not to start, or to stand still, in milliseconds. */
  #stillMs = 0

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#lookMs = beatMsOf(parts.supervision)
    if (parts.thread.beat() !== undefined) this.#wait()
  }

  /** The thread serves: from now on its beat counts. */
  started(): void {
    this.#hasStarted = true
    this.#stillMs = 0
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #wait(): void {
    this.#timer = this.#parts.clock.setTimer(() => this.#look(), this.#lookMs)
  }

  #look(): void {
    const { supervision, onHung, onOverdue, thread } = this.#parts
    const beat = thread.beat() ?? 0
    // While the store is made smaller nothing else is done.
    const isBusy = thread.gauges.some((values) => values[Gauge.isCompacting] === 1)
    if (this.#hasStarted && (beat !== this.#lastBeat || isBusy)) this.#stillMs = 0
    else this.#stillMs += this.#lookMs
    this.#lastBeat = beat
    if (this.#stillMs < (this.#hasStarted ? supervision.hangMs : supervision.startMs)) this.#wait()
    else if (this.#hasStarted) onHung()
    else onOverdue()
  }
}
