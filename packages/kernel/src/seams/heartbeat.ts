/** The beat of a shard's thread: shows the caller's thread that the event loop comes round, and measures how late it is. */
import { Gauge } from '../shard/gauges.ts'
import type { Clock } from './seams.ts'

/** Raises the first Int32 of the buffer every `everyMs`, and writes the loop's lag into each of the gauges. Keeps nothing alive. */
export function startHeartbeat(beat: SharedArrayBuffer, everyMs: number, gauges: readonly Float64Array[], clock: Clock): void {
  const count = new Int32Array(beat)
  let dueAt = 0
  const wait = (): void => {
    dueAt = clock.elapsed() + everyMs
    clock.setTimer(strike, everyMs)
  }
  const strike = (): void => {
    Atomics.add(count, 0, 1)
    const lagMs = Math.max(0, clock.elapsed() - dueAt)
    for (const values of gauges) {
      values[Gauge.loopLagMs] = lagMs
      values[Gauge.loopLagMsMax] = Math.max(values[Gauge.loopLagMsMax] ?? 0, lagMs)
    }
    wait()
  }
  wait()
}
