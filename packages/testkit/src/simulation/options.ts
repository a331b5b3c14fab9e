/** What a simulation is told. */
import { InvalidSimulation } from './errors.ts'
import type { ActorDefinition, OpenSystemOptions } from '@bailiwick/kernel'
import { isFaultKind, kindsOf } from './faults.ts'
import type { FaultChoice } from './faults.ts'
import type { PropertyDeclaration } from './properties.ts'
import type { StrategyName } from './strategies/portfolio.ts'
import { strategiesOf } from './strategies/portfolio.ts'
import type { World } from './world.ts'

/** What is simulated, and how often. */
export interface SimulationOptions {
  /** The actors of the system. */
  readonly actors: readonly ActorDefinition[]
  readonly effects?: NonNullable<OpenSystemOptions['effects']>
  /** Number of shards, each with a thread of its own. Default 1. */
  readonly shards?: number
  /** Other options of `openSystem`, such as `supervision` and `limits`. */
  readonly open?: Omit<OpenSystemOptions, 'directory' | 'actors' | 'effects' | 'shards' | 'threads' | 'create' | 'synchronous'>
  /** What happens in each run. It must depend on nothing but its world. */
  readonly scenario: (world: World) => Promise<void>
  /** What must be true after each run, when nothing strikes any more: throws if it is not. */
  readonly check?: (world: World) => Promise<void> | void
  /** The same seed gives the same runs. Default 1. */
  readonly seed?: number
  /** How many runs. Default 1,000. */
  readonly schedules?: number
  /** How to search. Default `portfolio`. */
  readonly strategy?: StrategyName
  /** Which faults may strike. Default none. */
  readonly faults?: FaultChoice
  /** How many faults strike a run at most. Default 3. */
  readonly maxFaults?: number
  /** How many commands a batch has at most. Default: drawn for each run, mostly 1. */
  readonly batchCommands?: number
  /** Where the data lie: `sqlite` is the real driver on files, much slower. Default `memory`. */
  readonly disk?: 'memory' | 'sqlite'
  /** `normal`: the latest commits are lost when the process is killed, as in a power failure. Default `full`. */
  readonly synchronous?: 'full' | 'normal'
  /** `later`: the store answers with promises, and when a commit lands is a choice. Default `at once`. */
  readonly answers?: 'at once' | 'later'
  /** How far a run may go: steps (default 20,000) and virtual milliseconds (default one hour). */
  readonly limits?: { readonly steps?: number; readonly ms?: number }
  /** Properties that are known beforehand, so that one that is never come to counts as unmet. */
  readonly properties?: readonly PropertyDeclaration[]
  /** A schedule from a report: that run is played, and no other. */
  readonly replay?: string
  /** How many runs may be spent on making a failing one smaller. Default 2,000; 0 for not at all. */
  readonly shrinkRuns?: number
  /** Whether calls of the real clock, of real chance and of real I/O count as failures. Default true. */
  readonly strict?: boolean
  /** Every so-manyth run is played twice more and compared. Default 1,000; the first one always is. 0 for never. */
  readonly auditEvery?: number
  /** Ends the search early, without a failure. */
  readonly signal?: AbortSignal
}

const COUNTS = ['seed', 'schedules', 'maxFaults', 'shrinkRuns', 'auditEvery'] as const
const POSITIVE = ['shards', 'batchCommands'] as const

/** Checks options. Throws `InvalidSimulation`, which names the field. */
export function checkSimulation(options: SimulationOptions): void {
  if (!Array.isArray(options.actors) || options.actors.length === 0) throw new InvalidSimulation('actors', 'must be a list of definitions')
  if (typeof options.scenario !== 'function') throw new InvalidSimulation('scenario', 'must be a function')
  if (options.check !== undefined && typeof options.check !== 'function') throw new InvalidSimulation('check', 'must be a function')
  for (const field of COUNTS) requireWhole(field, options[field], 0)
  for (const field of POSITIVE) requireWhole(field, options[field], 1)
  requireWhole('limits.steps', options.limits?.steps, 1)
  requireWhole('limits.ms', options.limits?.ms, 1)
  const { faults = 'none' } = options
  for (const kind of kindsOf(faults)) {
    if (!isFaultKind(kind)) throw new InvalidSimulation('faults', `has a kind that is not known: ${String(kind)}`)
  }
  strategiesOf(options.strategy ?? 'portfolio')
}

function requireWhole(field: string, value: number | undefined, from: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= from)) return
  throw new InvalidSimulation(field, `must be a whole number from ${from}, not ${String(value)}`)
}
