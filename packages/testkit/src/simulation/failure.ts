/** A run that failed, as it is told to people. */
import type { History } from '../histories/history.ts'
import type { FaultKind } from './faults.ts'
import type { PropertyEntry } from './properties.ts'

/** A fault that has struck, or a note of the scenario. */
export interface Strike {
  readonly kind: FaultKind | 'note'
  /** Whom, and when; the text of a note. */
  readonly whom: string
  /** Virtual milliseconds since the beginning. */
  readonly time: number
  /** How many lines the history had. */
  readonly at: number
}

/** How large a run is. */
export interface RunSize {
  readonly faults: number
  /** Calls of clients. */
  readonly calls: number
  /** Parts of the scenario, as named by `keeps`, that are still in it. */
  readonly parts: number
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
  /** Whether the run fails again when it is played again. If not, it depends on something that is not simulated. */
  readonly isReproducible: boolean
  /** Which faults strike in the smallest run, in their order. */
  readonly faults: readonly FaultKind[]
  /** … and whom, and when. */
  readonly strikes: readonly Strike[]
  /** What clients called and heard in the smallest run. */
  readonly history: History
}

/** What a search has come to. */
export interface SimulationReport {
  readonly failure: SimulationFailure | undefined
  /** Runs, and how many of them differed in who went when. */
  readonly schedules: number
  readonly distinct: number
  readonly steps: number
  /** How often each kind of fault has struck. */
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly properties: readonly PropertyEntry[]
  /** Whether a strategy with an end has come to it. */
  readonly isExhausted: boolean
}
