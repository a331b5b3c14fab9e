/** What a strategy is: whoever says, run after run, who goes next. */
import type { Lane } from '../agenda.ts'

/** What earlier runs were like, on average. */
export interface Estimate {
  /** Choices among several in a run. */
  readonly choices: number
  /** Steps in a run of each lane, by its name. */
  readonly steps: ReadonlyMap<string, number>
}

/** Says who goes next. One object serves many runs, one after the other. */
export interface Strategy {
  /** As it stands in reports. */
  readonly name: string
  /** A run begins. `random` is chance of its own, from the seed of the run. */
  begin(random: () => number, estimate: Estimate): void
  /** Chooses among at least two lanes that could go on. `first` is the position of the plainest choice. */
  choose(lanes: readonly Lane[], first: number): number
  /** Hears of each lane that has gone on, chosen or not. */
  ran?(lane: Lane, lanes: readonly Lane[]): void
  /** A run has ended. False if there is nothing left to try. */
  end?(): boolean
}
