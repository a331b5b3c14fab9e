/**
 * The only place in this package with a real clock and real chance. What is decided by time belongs into an actor, whose shard
 * stamps its commands; these are for what happens in the caller's thread alone, such as verifying a token.
 */
import { randomFillSync } from 'node:crypto'

/** What facades take from the world; tests give their own. */
export interface Surroundings {
  /** Wall time in milliseconds since 1970. */
  readonly now: () => number
  /** So many random bytes, fit for secrets. */
  readonly randomBytes: (count: number) => Uint8Array
}

/** The real clock and the real chance. */
export const realSurroundings: Surroundings = {
  now: () => Date.now(),
  randomBytes: (count) => randomFillSync(new Uint8Array(count)),
}
