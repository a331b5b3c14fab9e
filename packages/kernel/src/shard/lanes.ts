/**
 * The four lanes, and the rule that says which lane is served next.
 *
 * The most urgent lane that has work is served, unless a less urgent one has been overtaken `starvationBound` times
 * since it was last served (or since it got work): then that one is. Where several are due, the least urgent goes
 * first; serving it overtakes nobody more urgent, so the bound holds for every lane at the same time.
 */

/** Names of the lanes, the most urgent first. A command's priority is the name of its lane. */
export const PRIORITIES = ['urgent', 'high', 'normal', 'low'] as const

/** How urgent a command is. */
export type Priority = (typeof PRIORITIES)[number]

/** Index of a lane: 0 urgent, 1 high, 2 normal, 3 low. */
export type Lane = 0 | 1 | 2 | 3

/** Every lane, the most urgent first. */
export const LANES: readonly Lane[] = [0, 1, 2, 3]

/** Index of the lane of a priority. */
export function laneOf(priority: Priority): Lane {
  switch (priority) {
    case 'urgent':
      return 0
    case 'high':
      return 1
    case 'normal':
      return 2
    case 'low':
      return 3
  }
}

/** Counts how often each lane was overtaken, and says which lane is next. Holds no commands. */
export class LaneTurns {
  readonly #starvationBound: number
  // One field per lane instead of an array: there is one of these for every actor with waiting commands.
  #high = 0
  #normal = 0
  #low = 0

  constructor(starvationBound: number) {
    this.#starvationBound = starvationBound
  }

  /** The lane to serve, given which lanes have work; `undefined` if none has. Counts the choice as served. */
  next(urgent: boolean, high: boolean, normal: boolean, low: boolean): Lane | undefined {
    const lane = this.#choose(urgent, high, normal, low)
    if (lane === undefined) return undefined
    this.#high = overtaken(this.#high, 1, high, lane)
    this.#normal = overtaken(this.#normal, 2, normal, lane)
    this.#low = overtaken(this.#low, 3, low, lane)
    return lane
  }

  #choose(urgent: boolean, high: boolean, normal: boolean, low: boolean): Lane | undefined {
    if (low && this.#low >= this.#starvationBound) return 3
    if (normal && this.#normal >= this.#starvationBound) return 2
    if (high && this.#high >= this.#starvationBound) return 1
    if (urgent) return 0
    if (high) return 1
    if (normal) return 2
    return low ? 3 : undefined
  }
}

/** How often a lane has been overtaken once `served` is served: from zero again for itself and for a lane without work. */
function overtaken(count: number, lane: Lane, waiting: boolean, served: Lane): number {
  if (!waiting || lane === served) return 0
  return served < lane ? count + 1 : count
}
