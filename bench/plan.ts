/** How much a run of the benchmarks does, and where. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The size of a run. */
export interface Plan {
  /** Counted runs of each benchmark. */
  readonly runs: number
  /** Makes an amount of work fit the run. */
  readonly scale: (amount: number) => number
  /** A new empty directory. */
  readonly place: () => string
  /** Removes all directories. */
  readonly clean: () => void
}

/** A plan; a tiny one only shows that every benchmark still runs. */
export function planOf(isTiny: boolean, runs: number): Plan {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-bench-'))
  return {
    runs: isTiny ? 1 : runs,
    scale: (amount) => (isTiny ? Math.max(100, Math.floor(amount / 100)) : amount),
    place: () => mkdtempSync(join(root, 'run-')),
    clean: () => rmSync(root, { recursive: true, force: true }),
  }
}
