/**
 * The shard threads of a system: started together, replaced when one dies, ended together.
 *
 * A replacement waits a little longer after each death. A thread that dies too often is given up: the calls of its
 * shards then get `ShardCrashed`, while other threads go on.
 */
import { asError, ShardCrashed } from '../errors.ts'
import type { Seams, ShardThread, ThreadPlan, Timer } from '../seams/seams.ts'
import type { ShardClient } from './shard-client.ts'

const DEATHS_MAX = 5
const DEATHS_WITHIN_MS = 60_000
const RESTART_MS_MIN = 50
const RESTART_MS_MAX = 5_000

/** One thread with the clients of its shards, and whoever serves them next. */
export class ThreadSlot {
  readonly #seams: Pick<Seams, 'clock' | 'startThread'>
  readonly #plan: ThreadPlan
  readonly #clients: readonly ShardClient[]
  #thread: ShardThread
  #deaths: number[] = []
  #restart: Timer | undefined
  #isClosing = false

  constructor(seams: Pick<Seams, 'clock' | 'startThread'>, plan: ThreadPlan, clients: readonly ShardClient[]) {
    this.#seams = seams
    this.#plan = plan
    this.#clients = clients
    this.#thread = seams.startThread(plan)
  }

  /** Live counters of the thread's shards. */
  get gauges(): readonly Float64Array[] {
    return this.#thread.gauges
  }

  /** Resolves once the first thread serves; rejects with the reason why it could not start. */
  async started(): Promise<void> {
    await this.#thread.ready
    this.#serve(this.#thread)
  }

  /** Replaces no thread any more. */
  beginClosing(): void {
    this.#isClosing = true
    this.#restart?.cancel()
  }

  /** Ends the thread at once. */
  async terminate(): Promise<void> {
    this.beginClosing()
    await this.#thread.terminate()
  }

  #serve(thread: ShardThread): void {
    for (const [index, client] of this.#clients.entries()) {
      const transport = thread.transports[index]
      if (transport !== undefined) client.attach(transport)
    }
    void thread.ended.then((reason) => this.#replace(reason ?? new Error('it was ended')))
  }

  #replace(reason: Error): void {
    if (this.#isClosing) return
    const error = new ShardCrashed(reason.message, { cause: reason })
    for (const client of this.#clients) client.detach(error)
    const now = this.#seams.clock.elapsed()
    this.#deaths = [...this.#deaths.filter((at) => now - at <= DEATHS_WITHIN_MS), now]
    if (this.#deaths.length > DEATHS_MAX) {
      for (const client of this.#clients) client.fail(error)
      return
    }
    const delayMs = Math.min(RESTART_MS_MAX, RESTART_MS_MIN * 2 ** (this.#deaths.length - 1))
    // Somebody may wait for nothing but the next thread.
    this.#restart = this.#seams.clock.setTimer(() => this.#startAgain(), delayMs, true)
  }

  #startAgain(): void {
    if (this.#isClosing) return
    const thread = this.#seams.startThread(this.#plan)
    this.#thread = thread
    thread.ready.then(
      () => this.#serve(thread),
      (error: unknown) => {
        void thread.terminate()
        this.#replace(asError(error))
      },
    )
  }
}
