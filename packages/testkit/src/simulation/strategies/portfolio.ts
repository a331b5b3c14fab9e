/** Strategies by name, and the mixture that is used when nobody says. */
import { InvalidSimulation } from '../errors.ts'
import { ExhaustiveStrategy } from './exhaustive.ts'
import { PctStrategy } from './pct.ts'
import { PosStrategy } from './pos.ts'
import { RandomStrategy } from './random.ts'
import type { Strategy } from './strategy.ts'
import { WalkStrategy } from './walk.ts'

/**
 * How to search. `portfolio` takes the others in turn: random, partial order sampling, uniform walk, and PCT of the depths 1
 * to 5. `pct` alone goes through the same depths. `exhaustive` tries every schedule up to a number of delays, then ends.
 */
export type StrategyName = 'portfolio' | 'random' | 'pos' | 'walk' | 'pct' | `pct ${number}` | `exhaustive ${number}`

const PCT_DEPTHS = [1, 2, 3, 4, 5]
const DEPTH_MAX = 100

/** The strategies that a name stands for: runs take them in turn. Throws `InvalidSimulation`. */
export function strategiesOf(name: StrategyName): readonly Strategy[] {
  const deepening = (): readonly Strategy[] => PCT_DEPTHS.map((depth) => new PctStrategy(depth))
  switch (name) {
    case 'portfolio':
      return interleaved(deepening(), [new RandomStrategy(), new PosStrategy(), new WalkStrategy()])
    case 'random':
      return [new RandomStrategy()]
    case 'pos':
      return [new PosStrategy()]
    case 'walk':
      return [new WalkStrategy()]
    case 'pct':
      return deepening()
    default: {
      const [kind, digits] = name.split(' ')
      const depth = Number(digits)
      if (Number.isInteger(depth) && depth >= 0 && depth <= DEPTH_MAX) {
        if (kind === 'pct' && depth >= 1) return [new PctStrategy(depth)]
        if (kind === 'exhaustive') return [new ExhaustiveStrategy(depth)]
      }
      throw new InvalidSimulation(
        'strategy',
        `is not known: ${name}; there are portfolio, random, pos, walk, pct, "pct 3" and "exhaustive 2"`,
      )
    }
  }
}

/** One of each of the others between any two of PCT. */
function interleaved(pct: readonly Strategy[], others: readonly Strategy[]): readonly Strategy[] {
  return pct.flatMap((strategy) => [...others, strategy])
}
