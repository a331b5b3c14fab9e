/**
 * The stream behind `ref.changes()`: the present state first, then every state that a commit made, in order.
 *
 * States of one batch arrive as one. A consumer that falls behind by more than the bound is cut off with
 * `SlowConsumer`; the actor is never made to wait for it.
 */
import { SlowConsumer } from '../errors.ts'
import type { SnapshotView } from '../hosting/host.ts'
import type { Follower } from './shard-client.ts'

/** How many states may wait for a slow consumer. */
const CHANGES_BUFFERED_MAX = 1_000

/** An endless stream of states; leaving a `for await` loop ends it. */
export class Changes implements AsyncIterableIterator<SnapshotView>, Follower {
  readonly #address: string
  readonly #stop: () => void
  readonly #buffer: SnapshotView[] = []
  readonly #readers: { readonly resolve: (result: IteratorResult<SnapshotView>) => void; readonly reject: (error: Error) => void }[] = []
  #error: Error | undefined
  #isEnded = false

  /** `stop` is called once, when the consumer leaves or is cut off. */
  constructor(address: string, stop: () => void) {
    this.#address = address
    this.#stop = stop
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<SnapshotView>> {
    const view = this.#buffer.shift()
    if (view !== undefined) return Promise.resolve({ done: false, value: view })
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<SnapshotView>> {
    this.#end()
    this.#buffer.length = 0
    return Promise.resolve({ done: true, value: undefined })
  }

  onChange(view: SnapshotView): void {
    if (this.#isEnded) return
    const reader = this.#readers.shift()
    if (reader !== undefined) reader.resolve({ done: false, value: view })
    else if (this.#buffer.length < CHANGES_BUFFERED_MAX) this.#buffer.push(view)
    else this.onEnd(new SlowConsumer(this.#address, this.#buffer.length))
  }

  onEnd(error: Error): void {
    if (this.#isEnded) return
    const reader = this.#readers.shift()
    if (reader !== undefined) reader.reject(error)
    else this.#error = error
    this.#end()
  }

  #end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined })
    this.#stop()
  }
}
