/** The progress of the replay: one live line on a terminal, a plain line every other second elsewhere. */

import type { Latency } from './latency.ts'
import type { Tally } from './tally.ts'
import { count, duration } from './words.ts'

const PLAIN_LINE_EVERY_MS = 2000
const BAR_WIDTH = 24

export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #rounds: number
  readonly #latency: Latency
  readonly #startedAt = performance.now()
  readonly #deliveriesBefore: number
  #printedAt: number | undefined

  constructor(stream: NodeJS.WriteStream, rounds: number, latency: Latency, before: Tally) {
    this.#stream = stream
    this.#rounds = rounds
    this.#latency = latency
    this.#deliveriesBefore = before.deliveries
  }

  /** Shows how far the replay has come. */
  show(done: number, tally: Tally): void {
    const now = performance.now()
    if (!this.#stream.isTTY && done < this.#rounds && now - (this.#printedAt ?? this.#startedAt) < PLAIN_LINE_EVERY_MS) return
    this.#printedAt = now
    this.#stream.write(this.#stream.isTTY ? `\r${this.#line(done, tally)}\u001B[K` : `${this.#line(done, tally)}\n`)
  }

  /** Leaves the live line as it stands. */
  end(): void {
    if (this.#stream.isTTY && this.#printedAt !== undefined) this.#stream.write('\n')
  }

  #line(done: number, tally: Tally): string {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const rate = (tally.deliveries - this.#deliveriesBefore) / seconds
    const filled = Math.round((done / this.#rounds) * BAR_WIDTH)
    const bar = this.#stream.isTTY ? `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}  ` : ''
    return (
      `${bar}round ${count(done)} of ${count(this.#rounds)}, ${count(tally.deliveries)} deliveries, ${count(Math.round(rate))}/s, ` +
      `answers: urgent ${duration(this.#latency.of('urgent').p50)}, normal ${duration(this.#latency.of('normal').p50)}`
    )
  }
}
