import type { Lane } from '../agenda.ts'
import type { Estimate, Strategy } from './strategy.ts'

/**
 * Uniform random walk: a lane is as likely as it has steps left, so that every interleaving is about as likely as any other.
 * How many steps are left is guessed from earlier runs. Finds what hides where one lane is short and another long.
 * Source: Zhao et al., "Selectively Uniform Concurrency Testing", ASPLOS 2025.
 */
export class WalkStrategy implements Strategy {
  readonly name = 'walk'
  readonly #ran = new Map<string, number>()
  #random: () => number = () => 0
  #steps: ReadonlyMap<string, number> = new Map()

  begin(random: () => number, { steps }: Estimate): void {
    this.#random = random
    this.#steps = steps
    this.#ran.clear()
  }

  choose(lanes: readonly Lane[]): number {
    let sum = 0
    for (const lane of lanes) sum += this.#left(lane)
    let drawn = this.#random() * sum
    for (const [index, lane] of lanes.entries()) {
      drawn -= this.#left(lane)
      if (drawn < 0) return index
    }
    return lanes.length - 1
  }

  ran({ name }: Lane): void {
    this.#ran.set(name, (this.#ran.get(name) ?? 0) + 1)
  }

  #left({ name }: Lane): number {
    return Math.max(1, (this.#steps.get(name) ?? 1) - (this.#ran.get(name) ?? 0))
  }
}
