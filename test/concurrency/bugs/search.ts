/** Searching known bugs, seed by seed. */
import { explore } from '@bailiwick/testkit'
import type { SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'

/** With each of which a bug is searched anew. */
export const SEEDS: readonly number[] = Array.from({ length: 20 }, (_, index) => index + 1)

/** Within how many schedules a bug must be found. */
const SCHEDULES_MAX = 2_000

/** How one seed has gone. */
export interface Finding {
  readonly seed: number
  /** How many schedules it took; `undefined` if none of 2,000 has failed. */
  readonly schedules: number | undefined
  /** Name of the error by which it showed. */
  readonly shows: string | undefined
  readonly ms: number
}

/** Searches a bug with each seed. */
export async function findings(bug: KnownBug, strategy: NonNullable<SimulationOptions['strategy']> = 'portfolio'): Promise<Finding[]> {
  const all: Finding[] = []
  for (const seed of SEEDS) {
    const begun = performance.now()
    const { failure, schedules } = await explore({ ...bug.broken, seed, strategy, schedules: SCHEDULES_MAX, shrinkRuns: 0 })
    const ms = performance.now() - begun
    all.push({ seed, schedules: failure === undefined ? undefined : schedules, shows: failure?.error.name, ms })
  }
  return all
}
