/**
 * Live counters of a shard in a flat array of numbers, which may lie in shared memory: the shard writes, anybody reads
 * at any time, also while the shard is busy or hangs. A reader may see one counter a moment newer than another.
 */

/** Position of each counter. */
export const Gauge = {
  residentActors: 0,
  depthUrgent: 1,
  depthHigh: 2,
  depthNormal: 3,
  depthLow: 4,
  oldestUrgent: 5,
  oldestHigh: 6,
  oldestNormal: 7,
  oldestLow: 8,
  handled: 9,
  rejected: 10,
  failed: 11,
  full: 12,
  replayed: 13,
  lostTells: 14,
  batches: 15,
  commitMs: 16,
  commitMsMax: 17,
  activations: 18,
  passivations: 19,
  actionFailures: 20,
  lateResults: 21,
  recovered: 22,
  stranded: 23,
  batchedCommands: 24,
  deadLetters: 25,
  deadLettersLost: 26,
  outbox: 27,
  effectsRunning: 28,
  effectsDone: 29,
  effectsFailed: 30,
  duplicates: 31,
  awaiting: 32,
  turnsRunning: 33,
  preemptions: 34,
  turnsForced: 35,
  processes: 36,
  restarts: 37,
  /** Actors that are held back. */
  held: 38,
  /** What is being served, for whoever has to say it if the thread dies: 1 while something is. */
  isServing: 39,
  /** … the caller's number of the call; 0 if there is none. */
  servingCall: 40,
  /** … the sequence of the stored command, the effect or the turn; 0 if it is none. */
  servingSequence: 41,
  /** … the generation of the timer; 0 if it is none. */
  servingGeneration: 42,
  /** How late the thread's event loop was when it was looked at last, and at most, in milliseconds. */
  loopLagMs: 43,
  loopLagMsMax: 44,
  /** Events that were not told to the tap because there were too many. */
  tapLost: 45,
  /** 1 while the store is made smaller: the thread's event loop stands still, and does not hang. */
  isCompacting: 46,
  /** What the sequence of what is being served belongs to: 0 a stored command, 1 an effect, 2 a turn. */
  servingKind: 47,
} as const

/** How many numbers the array needs. */
export const GAUGE_COUNT: number = Object.keys(Gauge).length
