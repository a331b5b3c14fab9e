import type { Lane } from '../agenda.ts'
import type { Strategy } from './strategy.ts'

/**
 * Partial order sampling: every step that waits has a priority by chance, the highest goes, and whatever touches the same as
 * that one draws anew. So orders that differ only in steps that have nothing to do with each other count as one.
 * Source: Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling", CAV 2018.
 */
export class PosStrategy implements Strategy {
  readonly name = 'pos'
  readonly #ranks = new Map<number, number>()
  #random: () => number = () => 0

  begin(random: () => number): void {
    this.#random = random
    this.#ranks.clear()
  }

  choose(lanes: readonly Lane[]): number {
    let best = 0
    let bestRank = -1
    for (const [index, { id }] of lanes.entries()) {
      let rank = this.#ranks.get(id)
      if (rank === undefined) {
        rank = this.#random()
        this.#ranks.set(id, rank)
      }
      if (rank > bestRank) {
        best = index
        bestRank = rank
      }
    }
    return best
  }

  ran(lane: Lane, lanes: readonly Lane[]): void {
    this.#ranks.delete(lane.id)
    for (const other of lanes) if (other.touches === lane.touches) this.#ranks.delete(other.id)
  }
}
