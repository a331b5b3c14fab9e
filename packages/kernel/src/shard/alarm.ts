/**
 * One alarm for the earliest of many moments that the store knows. Moments are wall time, which may jump: the alarm looks
 * again now and then. A store that cannot be read is asked again a little later.
 */
import type { Answer } from '@bailiwick/store'
import type { Timer } from '../seams/seams.ts'
import type { ShardClock } from './shard-clock.ts'

const ALARM_MS_MAX = 10_000
const RETRY_MS = 1_000

/** What an alarm is for. */
export interface AlarmPurpose {
  /** The earliest moment; `undefined` for none. */
  readonly nextAt: () => Answer<number | undefined>
  /** Does what is due. The alarm is set anew afterwards only by `arm`, or if nothing was due yet. */
  readonly ring: () => Answer<void>
}

/** An alarm. */
export class Alarm {
  readonly #clock: ShardClock
  readonly #purpose: AlarmPurpose
  #timer: Timer | undefined
  #isClosed = false
  #asked = 0

  constructor(clock: ShardClock, purpose: AlarmPurpose) {
    this.#clock = clock
    this.#purpose = purpose
  }

  /** Sets the alarm for the earliest moment. */
  arm(): void {
    this.#asked += 1
    const asked = this.#asked
    this.#attempt(async () => {
      const at = await this.#purpose.nextAt()
      // An answer to an older question must not silence what a newer one has set.
      if (asked === this.#asked) this.#set(at)
    })
  }

  /** Stops it for good. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #set(at: number | undefined): void {
    if (at === undefined) this.#timer?.cancel()
    else this.#ringIn(Math.min(ALARM_MS_MAX, Math.max(0, at - this.#clock.wall())))
  }

  #ringIn(delayMs: number): void {
    this.#timer?.cancel()
    if (this.#isClosed) return
    this.#timer = this.#clock.setTimer(() => this.#attempt(() => this.#ring()), delayMs)
  }

  async #ring(): Promise<void> {
    const at = await this.#purpose.nextAt()
    if (at === undefined || this.#isClosed) return
    if (at <= this.#clock.wall()) await this.#purpose.ring()
    else this.arm()
  }

  #attempt(action: () => Promise<void>): void {
    action().catch(() => this.#ringIn(RETRY_MS))
  }
}
