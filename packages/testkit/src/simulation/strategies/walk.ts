import type { Lane } from '../agenda.ts'
import type { Estimate, Strategy } from './strategy.ts'

/**
 * Selectively uniform random walk: which client takes the next step is drawn among all of them, each as likely as it has steps
 * left, also if it still waits for an answer; until it can, everything but the other clients goes on. So every order of the
 * clients' calls is about as likely as any other. How many steps are left is guessed from earlier runs. Finds what hides where
 * one client is short and another long.
 * Source: Zhao et al., "Selectively Uniform Concurrency Testing", ASPLOS 2025.
 */
export class WalkStrategy implements Strategy {
  readonly name = 'walk'
  readonly #ran = new Map<string, number>()
  /** Lanes of clients, by name, of all runs so far. */
  readonly #clients = new Set<string>()
  #random: () => number = () => 0
  #steps: ReadonlyMap<string, number> = new Map()
  /** The client whose step is to come next. */
  #intended: string | undefined

  begin(random: () => number, { steps }: Estimate): void {
    this.#random = random
    this.#steps = steps
    this.#ran.clear()
    this.#intended = undefined
  }

  choose(lanes: readonly Lane[]): number {
    const others = lanes.filter((lane) => !isClient(lane))
    if (others.length === lanes.length) return this.#drawn(lanes)
    this.#intended ??= this.#intend()
    const intended = lanes.findIndex(({ name }) => name === this.#intended)
    if (intended !== -1) return intended
    // Nobody but clients can go on, and it waits for one of them, or its guess was too high.
    if (others.length === 0) return this.#drawn(lanes)
    const other = others[this.#drawn(others)]
    return other === undefined ? 0 : lanes.indexOf(other)
  }

  ran(lane: Lane): void {
    this.#ran.set(lane.name, (this.#ran.get(lane.name) ?? 0) + 1)
    if (!isClient(lane)) return
    this.#clients.add(lane.name)
    this.#intended = undefined
  }

  #intend(): string | undefined {
    const names = [...this.#clients]
    return names[this.#weighted(names.map((name) => Math.max(0, this.#left(name))))]
  }

  #drawn(lanes: readonly Lane[]): number {
    return this.#weighted(lanes.map(({ name }) => Math.max(1, this.#left(name))))
  }

  /** A position by chance, each as likely as its weight. */
  #weighted(weights: readonly number[]): number {
    let drawn = this.#random() * weights.reduce((sum, weight) => sum + weight, 0)
    for (const [index, weight] of weights.entries()) {
      drawn -= weight
      if (drawn < 0) return index
    }
    return weights.length - 1
  }

  #left(name: string): number {
    return (this.#steps.get(name) ?? 1) - (this.#ran.get(name) ?? 0)
  }
}

function isClient({ touches }: Lane): boolean {
  return touches === 'clients'
}
