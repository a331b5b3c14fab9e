/** A shard's time: the wall clock, guarded so that it never runs behind what the store has seen. */
import type { Clock } from '../seams/seams.ts'

/** Time on a shard. */
export interface ShardClock extends Clock {
  /** Raises the guard, for instance to the time of the last commit of an earlier life. */
  notBefore(at: number): void
}

/**
 * How fast the guarded time runs while it is ahead of the wall clock. A little slower than the machine's, so that it
 * falls back into step, whether a jump or the drift between two clocks has put it ahead.
 */
const CATCH_UP_RATE = 0.999

/**
 * Guards a clock: its wall time never runs backwards. When the machine's wall clock jumps back, time goes on from where it
 * was, so that no timer set before or after the jump falls silent; when it jumps forward, time follows at once.
 */
export function shardClock(clock: Clock): ShardClock {
  let latest = 0
  let elapsedAt = clock.elapsed()
  return {
    wall: () => {
      const elapsed = clock.elapsed()
      const wall = clock.wall()
      latest = Math.max(wall, latest + (elapsed - elapsedAt) * CATCH_UP_RATE)
      elapsedAt = elapsed
      return Math.floor(latest)
    },
    elapsed: () => clock.elapsed(),
    setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
    notBefore: (at) => {
      latest = Math.max(latest, at)
    },
  }
}
