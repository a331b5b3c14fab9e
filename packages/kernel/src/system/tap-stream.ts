/** The stream behind `system.events()`: events wait in a bounded buffer; what finds no place is dropped and counted. */
import { TAP_VERSION } from '../protocol/tap.ts'
import type { TapEvent } from '../protocol/tap.ts'

/** A stream of events; leaving a `for await` loop ends it. */
export class TapStream implements AsyncIterableIterator<TapEvent> {
  readonly #bound: number
  readonly #onEnd: () => void
  #waiting: TapEvent[] = []
  #taken = 0
  readonly #readers: ((result: IteratorResult<TapEvent>) => void)[] = []
  /** The last event that found no place, and how many did not. */
  #lost: { readonly event: TapEvent; readonly count: number } | undefined
  #isEnded = false

  /** `onEnd` is called once, when the stream has ended. */
  constructor(bound: number, onEnd: () => void) {
    this.#bound = bound
    this.#onEnd = onEnd
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next event. After the end, what has waited comes first. */
  next(): Promise<IteratorResult<TapEvent>> {
    const event = this.#take()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  /** Ends the stream and forgets what waits. */
  return(): Promise<IteratorResult<TapEvent>> {
    this.#waiting = []
    this.#taken = 0
    this.#lost = undefined
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Adds an event. */
  push(event: TapEvent): void {
    if (this.#isEnded) return
    const reader = this.#readers.shift()
    if (reader !== undefined) reader({ done: false, value: event })
    // Once one is dropped, all are until the reader has come to the gap: what it gets then has one gap, at a known place.
    else if (this.#lost === undefined && this.#waiting.length - this.#taken < this.#bound) this.#waiting.push(event)
    else this.#lost = { event, count: (this.#lost?.count ?? 0) + 1 }
  }

  /** Lets the reader come to the end. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined })
    this.#onEnd()
  }

  #take(): TapEvent | undefined {
    const event = this.#waiting[this.#taken]
    if (event !== undefined) {
      this.#taken += 1
      return event
    }
    this.#waiting = []
    this.#taken = 0
    if (this.#lost === undefined) return undefined
    const { event: last, count } = this.#lost
    this.#lost = undefined
    // It stands in the place of the last event that is missing.
    return { version: TAP_VERSION, sequence: last.sequence, shard: last.shard, at: last.at, kind: 'tap.lost', count }
  }
}
