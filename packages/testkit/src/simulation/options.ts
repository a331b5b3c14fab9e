/** What a simulation is told. */
import { InvalidSimulation } from './errors.ts'
import type { ActorDefinition, OpenSystemOptions } from '@bailiwick/kernel'
import { FAULT_KINDS, isFaultKind } from './faults.ts'
import type { FaultChoice } from './faults.ts'
import type { PropertyDeclaration } from './properties.ts'
import type { StrategyName } from './strategies/portfolio.ts'
import { strategiesOf } from './strategies/portfolio.ts'
import type { Check, Scenario } from './world.ts'

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
  readonly scenario: Scenario
  /** What must be true after each run, when nothing strikes any more: throws, or answers false, if it is not. */
  readonly check?: Check | undefined
  /** The same seed gives the same runs. Default 1. */
  readonly seed?: number | undefined
  /** How many runs. Default 1,000. */
  readonly schedules?: number | undefined
  /** How to search. Default `portfolio`. */
  readonly strategy?: StrategyName
  /** Which faults may strike. Default none. */
  readonly faults?: FaultChoice
  /** How many faults strike a run at most. Default 3. */
  readonly maxFaults?: number | undefined
  /** How many commands a batch has at most. Default: drawn for each run, mostly 1. */
  readonly batchCommands?: number | undefined
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
  readonly replay?: string | undefined
  /** How many runs may be spent on making a failing one smaller. Default 2,000; 0 for not at all. */
  readonly shrinkRuns?: number | undefined
  /** Whether calls of the real clock, of real chance and of real I/O count as failures. Default true. */
  readonly strict?: boolean
  /** Every so-manyth run is played twice more and compared. Default 1,000; the first one always is. 0 for never. */
  readonly auditEvery?: number | undefined
  /**
   * Ends the search early, without a failure. Give it the signal of the test: after a timeout the search would go on, and the
   * next one waits for it.
   */
  readonly signal?: AbortSignal | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  'actors',
  'effects',
  'shards',
  'open',
  'scenario',
  'check',
  'seed',
  'schedules',
  'strategy',
  'faults',
  'maxFaults',
  'batchCommands',
  'disk',
  'synchronous',
  'answers',
  'limits',
  'properties',
  'replay',
  'shrinkRuns',
  'strict',
  'auditEvery',
  'signal',
])
const COUNTS = ['seed', 'maxFaults', 'shrinkRuns', 'auditEvery'] as const
const POSITIVE = ['schedules', 'shards', 'batchCommands'] as const
const CHOICES = {
  disk: ['memory', 'sqlite'],
  synchronous: ['full', 'normal'],
  answers: ['at once', 'later'],
  strict: [true, false],
} as const

/** Checks options. Throws `InvalidSimulation`, which names the field. */
export function checkSimulation(options: SimulationOptions): void {
  const given: unknown = options
  if (typeof given !== 'object' || given === null) throw new InvalidSimulation('options', 'are missing')
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw new InvalidSimulation(name, 'is no option')
  }
  checkActors(options.actors)
  if (typeof options.scenario !== 'function') throw new InvalidSimulation('scenario', 'must be a function')
  if (options.check !== undefined && typeof options.check !== 'function') throw new InvalidSimulation('check', 'must be a function')
  for (const field of COUNTS) requireWhole(field, options[field], 0)
  for (const field of POSITIVE) requireWhole(field, options[field], 1)
  requireWhole('limits.steps', options.limits?.steps, 1)
  requireWhole('limits.ms', options.limits?.ms, 1)
  for (const field of ['disk', 'synchronous', 'answers', 'strict'] as const) {
    const given: unknown = options[field]
    const choices: readonly unknown[] = CHOICES[field]
    if (given !== undefined && !choices.includes(given))
      throw new InvalidSimulation(field, `must be one of ${choices.join(', ')}, not ${JSON.stringify(given)}`)
  }
  checkFaults(options.faults ?? 'none')
  strategiesOf(options.strategy ?? 'portfolio')
}

function checkActors(actors: unknown): void {
  if (!Array.isArray(actors) || actors.length === 0) throw new InvalidSimulation('actors', 'must be a list of definitions')
  const types = new Set<unknown>()
  for (const [index, actor] of (actors as readonly unknown[]).entries()) {
    const type = typeof actor === 'object' && actor !== null && 'logic' in actor && 'type' in actor ? actor.type : undefined
    if (type === undefined) throw new InvalidSimulation(`actors[${index}]`, 'must be a definition made by defineActor')
    if (types.has(type)) throw new InvalidSimulation('actors', `has the type ${JSON.stringify(type)} twice`)
    types.add(type)
  }
}

function checkFaults(faults: unknown): void {
  if (faults === 'all' || faults === 'crashes' || faults === 'none') return
  const wrong: unknown = Array.isArray(faults) ? (faults as readonly unknown[]).find((kind) => !isFaultKind(kind)) : faults
  if (wrong === undefined) return
  throw new InvalidSimulation(
    'faults',
    `must be "all", "crashes", "none" or a list of kinds, not ${JSON.stringify(wrong)}; kinds are ${FAULT_KINDS.join(', ')}`,
  )
}

function requireWhole(field: string, value: number | undefined, from: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= from)) return
  throw new InvalidSimulation(field, `must be a whole number from ${from}, not ${String(value)}`)
}
