/**
 * Keeps a slot while its work runs: renews the lease, and lets the work know when the slot is lost.
 *
 * It has no clock of its own. It waits at the execution's bell, which says when the slot is taken away, and which says
 * after a third of the lease that it has nothing to say: then the lease is renewed. If that fails, it is tried once more after a
 * sixth of the lease. If that fails too, the slot counts as lost: at least a quarter of the lease is left then, even if nobody
 * has answered anything, and its work has so long to stop before the slot can be another's.
 */
import type { RefOf } from '@bailiwick/kernel'
import { SlotLost } from './errors.ts'
import { codeOf, Hearing } from './hearing.ts'
import type { BellDefinition } from './bell.actor.ts'
import type { QueueDefinition } from './queue.actor.ts'
import type { Slot } from './requests.ts'

/** So often a renewal is tried that fails at once, as it does when a thread dies. */
const TRIES_MAX = 3
/** A renewal that is not answered within this part of a look has failed. */
const ANSWER_PART = 1 / 4
/** So much of a look it waits after a renewal that has failed. */
const AGAIN_PART = 1 / 2

/** Keeps one slot. */
export class SlotKeeper {
  readonly #slot: Slot
  readonly #queue: RefOf<QueueDefinition>
  readonly #hearing: Hearing
  readonly #lookMs: number
  readonly #stop = new AbortController()
  readonly #lost = new AbortController()
  readonly #ended: Promise<void>

  constructor(slot: Slot, queue: RefOf<QueueDefinition>, bell: RefOf<BellDefinition>, lookMs: number) {
    this.#slot = slot
    this.#queue = queue
    this.#lookMs = lookMs
    this.#hearing = new Hearing(bell, lookMs, slot.epoch, this.#stop.signal)
    this.#ended = this.#keep()
  }

  /** Fires when the slot is lost. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** Keeps it no more. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  async #keep(): Promise<void> {
    const { executionId } = this.#slot
    try {
      const reason = await this.#whileHeld()
      if (reason !== undefined) this.#lost.abort(new SlotLost(executionId, reason))
    } catch {
      if (!this.#stop.signal.aborted) this.#lost.abort(new SlotLost(executionId, 'unreachable'))
    }
  }

  /** Answers why the slot is lost; `undefined` if it is kept no more. Rejects if it cannot be kept. */
  async #whileHeld(): Promise<SlotLost['reason'] | undefined> {
    for (let hasFailed = false; !this.#stop.signal.aborted;) {
      const news = await (hasFailed ? this.#hearing.next(this.#lookMs * AGAIN_PART) : this.#hearing.next())
      if (news !== undefined && news.outcome !== 'granted') return news.outcome
      const renewed = await this.#renew()
      if (renewed === 'stale') return 'unknown'
      if (renewed === 'failed' && hasFailed) return 'unreachable'
      hasFailed = renewed === 'failed'
    }
    return undefined
  }

  async #renew(): Promise<'renewed' | 'stale' | 'failed'> {
    const { executionId: id, epoch } = this.#slot
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      try {
        const { outcome } = await this.#queue.ask.renew({ id, epoch }, { signal: this.#stop.signal, timeoutMs: this.#lookMs * ANSWER_PART })
        return outcome
      } catch (error) {
        const code = codeOf(error)
        if (code === 'ASK_ABORTED') throw error
        if (code === 'ASK_TIMEOUT') return 'failed'
      }
    }
    return 'failed'
  }
}
