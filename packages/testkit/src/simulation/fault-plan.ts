/** The faults of one run, each waiting for its point. */
import { sortOf } from './faults.ts'
import type { PointSort } from './faults.ts'
import type { PlannedFault, Tape } from './tape.ts'

/** How long something lasts, in milliseconds: short and long are equally likely. */
const LENGTHS_MS = [1, 5, 20, 100, 500, 2_000, 10_000, 60_000]

/** How long a fault lasts, in milliseconds. */
export function lengthOf({ amount }: PlannedFault): number {
  return LENGTHS_MS[(amount >>> 8) % LENGTHS_MS.length] ?? 1
}

/** Counts points, and says what strikes at which. */
export class FaultPlan {
  readonly #tape: Tape
  readonly #waiting = new Map<PointSort, PlannedFault[]>()
  readonly #counts: Record<PointSort, number> = { step: 0, commit: 0, transition: 0, turn: 0, call: 0, message: 0 }

  constructor(tape: Tape) {
    this.#tape = tape
    for (const fault of tape.faults) {
      const sort = sortOf(fault.kind)
      const waiting = this.#waiting.get(sort)
      if (waiting === undefined) this.#waiting.set(sort, [fault])
      else waiting.push(fault)
    }
    for (const waiting of this.#waiting.values()) waiting.sort((one, other) => one.at - other.at)
  }

  /** How many have struck. */
  get struck(): number {
    return this.#tape.struck.length
  }

  /** The next point of a sort is reached: the fault that strikes there, if one does. */
  at(sort: PointSort): PlannedFault | undefined {
    this.#counts[sort] += 1
    return this.more(sort)
  }

  /** Another one that strikes at the same point. */
  more(sort: PointSort): PlannedFault | undefined {
    const waiting = this.#waiting.get(sort)
    const next = waiting?.[0]
    if (waiting === undefined || next === undefined || next.at >= this.#counts[sort]) return undefined
    waiting.shift()
    this.#tape.struck.push(next)
    return next
  }

  /** How many points of each sort there were, and how many choices. */
  counts(choices: number): ReadonlyMap<string, number> {
    return new Map([...Object.entries(this.#counts), ['choice', choices]])
  }
}
