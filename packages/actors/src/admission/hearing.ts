/**
 * Waiting at a bell. A bell may be gone, late or wrong, because it lives in memory only: whoever hears nothing looks at the
 * queue, which is the truth.
 */
import { BailiwickError } from '@bailiwick/kernel'
import type { RefOf } from '@bailiwick/kernel'
import type { BellDefinition, RingNews } from './bell.actor.ts'

/** So many times in a row a bell may fail at once; then it is not reached, and trying on would only burn time. */
const FAILURES_MAX = 20
/** A bell says when it has nothing to say; after so many times as long it is not there. */
const PATIENCE = 1.25

/** One that listens to a bell. */
export class Hearing {
  readonly #bell: RefOf<BellDefinition>
  readonly #lookMs: number
  readonly #signal: AbortSignal | undefined
  readonly #after: number
  #failures = 0

  /** `after` is the number of what is known already. The signal ends the waiting, with `AskAborted`. */
  constructor(bell: RefOf<BellDefinition>, lookMs: number, after: number, signal: AbortSignal | undefined) {
    this.#bell = bell
    this.#lookMs = lookMs
    this.#after = after
    this.#signal = signal
  }

  /**
   * The next that has happened; `undefined` if nothing was heard for a while: then look at the queue. Rejects with `AskAborted`, and
   * with what the bell's shard says once it has failed too often.
   */
  async next(withinMs: number = this.#lookMs * PATIENCE): Promise<RingNews | undefined> {
    try {
      const { ask } = this.#bell
      const options = { timeoutMs: withinMs, ...(this.#signal === undefined ? {} : { signal: this.#signal }) }
      const news = await ask.wait({ after: this.#after }, options)
      this.#failures = 0
      return news.serial > this.#after ? news : undefined
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ASK_ABORTED') throw error
      if (code === 'REPLY_OVERDUE' || code === 'ASK_TIMEOUT') {
        this.#failures = 0
        return undefined
      }
      this.#failures += 1
      if (this.#failures >= FAILURES_MAX) throw error
      return undefined
    }
  }
}

/** The stable code of an error, if it has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof BailiwickError ? error.code : undefined
}
