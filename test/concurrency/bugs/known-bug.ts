/** What a known bug is: a program that has it, its repaired twin, and how it shows. */
import type { SimulationOptions } from '@bailiwick/testkit'

/** A concurrency bug that is known from elsewhere, rebuilt with actors. */
export interface KnownBug {
  readonly name: string
  /** What goes wrong, in one sentence. */
  readonly what: string
  /** How it appears with actors, in one sentence. */
  readonly withActors: string
  /** Name of the error by which it shows. A deadlock shows as an `AskTimeout`: whoever waits for ever stops waiting after 30 s. */
  readonly shows: 'AssertionError' | 'AskTimeout'
  /** Goes well in the plainest schedule, in which nobody is passed over and no fault strikes. */
  readonly broken: SimulationOptions
  /** The smallest change that repairs it. */
  readonly repaired: SimulationOptions
}
