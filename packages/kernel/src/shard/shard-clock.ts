/** A shard's time: the wall clock, guarded so that it never runs behind what the store has seen. */
import type { Clock } from '../seams/seams.ts'

/** Time on a shard. */
export interface ShardClock extends Clock {
  /** Raises the guard, for instance to the time of the last commit of an earlier life. */
  notBefore(at: number): void
}

/** Guards a clock. */
export function shardClock(clock: Clock): ShardClock {
  let latest = 0
  return {
    wall: () => (latest = Math.max(latest, clock.wall())),
    elapsed: () => clock.elapsed(),
    setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
    notBefore: (at) => {
      latest = Math.max(latest, at)
    },
  }
}
