/**
 * The counters of a thread's shards over all threads that have served them: what was counted goes on when a thread is
 * replaced, the greatest value stays, and what is there now is what the present thread has.
 */
import { Gauge, GAUGE_COUNT } from '../shard/gauges.ts'

/** Counters that say what is there now. They end with the thread. */
const PRESENT: ReadonlySet<number> = new Set([
  Gauge.residentActors,
  Gauge.depthUrgent,
  Gauge.depthHigh,
  Gauge.depthNormal,
  Gauge.depthLow,
  Gauge.oldestUrgent,
  Gauge.oldestHigh,
  Gauge.oldestNormal,
  Gauge.oldestLow,
  // The next thread finds the stranded again when it recovers.
  Gauge.stranded,
  Gauge.deadLetters,
  Gauge.outbox,
  Gauge.effectsRunning,
  Gauge.awaiting,
  Gauge.turnsRunning,
  Gauge.processes,
  Gauge.held,
  Gauge.isServing,
  Gauge.servingCall,
  Gauge.servingSequence,
  Gauge.servingGeneration,
  Gauge.loopLagMs,
])

/** Counters that keep the greatest value that there was. */
const GREATEST: ReadonlySet<number> = new Set([Gauge.commitMsMax, Gauge.loopLagMsMax])

/** What the shards of one slot have counted. */
export class ThreadGauges {
  readonly #earlier: readonly Float64Array[]

  constructor(shardCount: number) {
    this.#earlier = Array.from({ length: shardCount }, () => new Float64Array(GAUGE_COUNT))
  }

  /** The counters now, one array per shard; `live` are those of the present thread, if there is one. */
  read(live: readonly Float64Array[] | undefined): readonly Float64Array[] {
    return this.#earlier.map((earlier, shard) => {
      const values = live?.[shard]
      return earlier.map((before, gauge) => merge(gauge, before, values?.[gauge] ?? 0))
    })
  }

  /** Keeps what a thread that has ended has counted. */
  retire(values: readonly Float64Array[]): void {
    for (const [shard, earlier] of this.#earlier.entries()) {
      for (const [gauge, before] of earlier.entries()) {
        if (!PRESENT.has(gauge)) earlier[gauge] = merge(gauge, before, values[shard]?.[gauge] ?? 0)
      }
    }
  }
}

function merge(gauge: number, before: number, now: number): number {
  if (PRESENT.has(gauge)) return now
  return GREATEST.has(gauge) ? Math.max(before, now) : before + now
}
