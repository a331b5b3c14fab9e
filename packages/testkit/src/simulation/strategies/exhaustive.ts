import type { Lane } from '../agenda.ts'
import type { Strategy } from './strategy.ts'

interface Taken {
  readonly options: number
  choice: number
}

/**
 * Every schedule with at most so many delays, those with fewer first. The plainest choice costs nothing; passing over so many
 * lanes costs as many delays. Ends when there are no more.
 * Source: Emmi, Qadeer and Rakamarić, "Delay-Bounded Scheduling", POPL 2011.
 */
export class ExhaustiveStrategy implements Strategy {
  readonly name: string
  readonly #max: number
  #bound = 0
  readonly #path: Taken[] = []
  #depth = 0

  constructor(delays: number) {
    this.#max = delays
    this.name = `exhaustive ${delays}`
  }

  begin(): void {
    this.#depth = 0
  }

  choose(lanes: readonly Lane[], first: number): number {
    let taken = this.#path[this.#depth]
    if (taken === undefined) {
      taken = { options: lanes.length, choice: 0 }
      this.#path.push(taken)
    }
    this.#depth += 1
    return (first + taken.choice) % lanes.length
  }

  end(): boolean {
    let spent = 0
    for (const { choice } of this.#path) spent += choice
    for (let last = this.#path.pop(); last !== undefined; last = this.#path.pop()) {
      spent -= last.choice
      if (last.choice + 1 >= last.options || spent + last.choice + 1 > this.#bound) continue
      this.#path.push({ options: last.options, choice: last.choice + 1 })
      return true
    }
    // Nothing with so many delays is left. What has fewer comes again on the way to what has one more.
    this.#bound += 1
    return this.#bound <= this.#max
  }
}
