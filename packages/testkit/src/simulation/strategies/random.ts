import type { Lane } from '../agenda.ts'
import type { Strategy } from './strategy.ts'

/** At every choice each lane is as likely as any other. Finds what goes wrong in many ways, and is blind to what is rare. */
export class RandomStrategy implements Strategy {
  readonly name = 'random'
  #random: () => number = () => 0

  begin(random: () => number): void {
    this.#random = random
  }

  choose(lanes: readonly Lane[]): number {
    return Math.floor(this.#random() * lanes.length)
  }
}
