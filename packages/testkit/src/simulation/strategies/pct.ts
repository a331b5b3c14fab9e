import type { Lane } from '../agenda.ts'
import type { Estimate, Strategy } from './strategy.ts'

/**
 * Probabilistic concurrency testing: every lane has a priority by chance, the highest always goes on, and at `depth - 1` moments
 * by chance the highest becomes the lowest. Finds a fault that needs `depth` orderings with a probability that can be stated.
 * Source: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
 */
export class PctStrategy implements Strategy {
  readonly name: string
  readonly #depth: number
  readonly #ranks = new Map<number, number>()
  #random: () => number = () => 0
  #changes: number[] = []
  #choices = 0
  /** Choices in the longest of its runs. */
  #longest = 0

  constructor(depth: number) {
    this.#depth = depth
    this.name = `pct ${depth}`
  }

  begin(random: () => number, { choices }: Estimate): void {
    this.#random = random
    this.#ranks.clear()
    // Not the average: a run in which one lane is done early has few choices, and moments drawn from those would all be early.
    this.#longest = Math.max(this.#longest, this.#choices)
    const length = Math.max(1, this.#longest === 0 ? choices : this.#longest)
    this.#choices = 0
    this.#changes = Array.from({ length: this.#depth - 1 }, () => Math.floor(random() * length)).sort((a, b) => a - b)
  }

  choose(lanes: readonly Lane[]): number {
    let chosen = this.#highest(lanes)
    while (this.#changes.length > 0 && (this.#changes[0] ?? 0) <= this.#choices) {
      // Priorities by chance are at least 1: each that is lowered is lower than all before it.
      this.#ranks.set(lanes[chosen]?.id ?? 0, this.#changes.length / (this.#depth + 1))
      this.#changes.shift()
      chosen = this.#highest(lanes)
    }
    this.#choices += 1
    return chosen
  }

  #highest(lanes: readonly Lane[]): number {
    let best = 0
    let bestRank = -1
    for (const [index, { id }] of lanes.entries()) {
      let rank = this.#ranks.get(id)
      if (rank === undefined) {
        rank = 1 + this.#random()
        this.#ranks.set(id, rank)
      }
      if (rank > bestRank) {
        best = index
        bestRank = rank
      }
    }
    return best
  }
}
