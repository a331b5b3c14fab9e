/** A run that failed, as it is told to people. */
import type { History } from '../histories/history.ts'
import type { FaultKind } from './faults.ts'

/** How large a run is. */
export interface RunSize {
  readonly faults: number
  /** Parts of the scenario that can be left out. */
  readonly commands: number
  /** Drawn numbers that are not 0. */
  readonly values: number
  /** How often somebody else than the plainest candidate went on. */
  readonly switches: number
}

/** A run that failed. */
export interface SimulationFailure {
  readonly error: Error
  /** Seed of the search, number of the run, and the strategy that led it. */
  readonly seed: number
  readonly run: number
  readonly strategy: string
  /** The smallest run that fails in the same way: give it as `replay`. */
  readonly schedule: string
  /** The run as it was found. */
  readonly firstSchedule: string
  readonly before: RunSize
  readonly after: RunSize
  /** Which faults strike in the smallest run, in their order. */
  readonly faults: readonly FaultKind[]
  /** What clients called and heard in the smallest run. */
  readonly history: History
}
