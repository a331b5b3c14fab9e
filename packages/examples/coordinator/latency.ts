/** How long commands took from the call to the answer, by lane. Bounded in memory however long the replay is. */

import { createHistogram } from 'node:perf_hooks'
import type { RecordableHistogram } from 'node:perf_hooks'
import type { Priority } from './command.ts'

/** Milliseconds that half of the commands, and 99 of a hundred, stayed below. */
export interface LatencyOfLane {
  readonly count: number
  readonly p50: number
  readonly p99: number
}

/** Latencies of the lanes in which commands are asked; what is told has no answer to wait for. */
export class Latency {
  readonly #lanes: Readonly<Record<Exclude<Priority, 'low'>, RecordableHistogram>> = {
    urgent: createHistogram(),
    normal: createHistogram(),
  }

  /** Measures one command from now until it is answered. */
  async measure<T>(lane: Priority, answer: Promise<T>): Promise<T> {
    const startedAt = performance.now()
    try {
      return await answer
    } finally {
      if (lane !== 'low') this.#lanes[lane].record(Math.max(1, Math.round((performance.now() - startedAt) * 1000)))
    }
  }

  of(lane: Exclude<Priority, 'low'>): LatencyOfLane {
    const histogram = this.#lanes[lane]
    return { count: histogram.count, p50: histogram.percentile(50) / 1000, p99: histogram.percentile(99) / 1000 }
  }
}
