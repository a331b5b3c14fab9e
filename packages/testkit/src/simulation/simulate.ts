/**
 * `simulate` and `explore`: run a scenario over many schedules; when one fails, make it smaller and say how to see it again.
 */
import { Campaign } from './campaign.ts'
import type { Run } from './campaign.ts'
import { StrayCall } from './errors.ts'
import type { RunSize, SimulationFailure } from './failure.ts'
import { FAULT_KINDS } from './faults.ts'
import type { FaultKind } from './faults.ts'
import { auditAsync } from './async-audit.ts'
import { installGuards } from './guards.ts'
import { checkSimulation } from './options.ts'
import type { SimulationOptions } from './options.ts'
import { PropertyUnmet } from './properties.ts'
import type { PropertyEntry } from './properties.ts'
import { describeFailure } from './report.ts'
import { shrink } from './shrink.ts'
import type { FailedRun } from './shrink.ts'
import { decodeTape, encodeTape } from './tape.ts'
import type { TapeText } from './tape.ts'

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

/** A simulation has found a run that fails. Its message says what failed, how large the run is, and how to see it again. */
export class SimulationFailed extends Error {
  readonly code = 'SIMULATION_FAILED'
  readonly report: SimulationReport
  readonly failure: SimulationFailure

  constructor(report: SimulationReport, failure: SimulationFailure) {
    super(describeFailure(failure), { cause: failure.error })
    this.name = 'SimulationFailed'
    this.report = report
    this.failure = failure
  }
}

const SCHEDULES = 1_000
const SHRINK_RUNS = 2_000
const AUDIT_EVERY = 1_000

/** Runs of a process come one after the other: they share what a process has only once, such as its clock. */
let turn: Promise<unknown> = Promise.resolve()

/**
 * Runs a scenario over many schedules. Rejects with `SimulationFailed` at the first run that fails, `PropertyUnmet` if a
 * `sometimes` or `reachable` never came true, `InvalidSimulation` for bad options, `InvalidSchedule` for a bad `replay`.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const report = await explore(options)
  if (report.failure !== undefined) throw new SimulationFailed(report, report.failure)
  const unmet = report.properties.filter(({ kind, held }) => (kind === 'sometimes' || kind === 'reachable') && held === 0)
  if (unmet.length > 0 && options.replay === undefined) throw new PropertyUnmet(unmet)
  return report
}

/** The same, with a failing run as part of the answer instead of an error. */
export async function explore(options: SimulationOptions): Promise<SimulationReport> {
  checkSimulation(options)
  const replay = options.replay === undefined ? undefined : decodeTape(options.replay)
  const mine = turn.then(() => search(options, replay))
  turn = mine.catch(() => undefined)
  return await mine
}

async function search(options: SimulationOptions, replay: TapeText | undefined): Promise<SimulationReport> {
  let campaign: Campaign | undefined
  const stray = ({ message }: { readonly message: string }): void => campaign?.stray(new StrayCall(message))
  const guards = options.strict === false ? undefined : installGuards(stray)
  try {
    campaign = new Campaign(options, guards)
    if (replay !== undefined) return await replayed(options, campaign, replay)
    const failed = await firstFailure(options, campaign, () => (guards === undefined ? undefined : auditAsync(guards, stray)))
    return reportOf(campaign, failed === undefined ? undefined : await explained(options, campaign, failed))
  } finally {
    guards?.uninstall()
  }
}

interface Failed {
  readonly run: Run
  readonly error: Error
  readonly index: number
}

/** Runs until one fails, or all have run. */
async function firstFailure(
  options: SimulationOptions,
  campaign: Campaign,
  watchAsync: () => { stop(): void } | undefined,
): Promise<Failed | undefined> {
  const { schedules = SCHEDULES, auditEvery = AUDIT_EVERY } = options
  while (campaign.runs < schedules && !campaign.isExhausted && options.signal?.aborted !== true) {
    const index = campaign.runs
    // The first run also shows what asks the real world for work: watching that is slow.
    const watch = index === 0 ? watchAsync() : undefined
    const run = await campaign.next()
    watch?.stop()
    const { error } = run.result
    if (error !== undefined) return { run, error, index }
    if (auditEvery === 0 || index % auditEvery !== 0) continue
    try {
      await campaign.audit(run)
    } catch (error_) {
      return { run, error: error_ instanceof Error ? error_ : new Error(String(error_)), index }
    }
  }
  return undefined
}

async function explained(options: SimulationOptions, campaign: Campaign, { run, error, index }: Failed): Promise<SimulationFailure> {
  const first = failedRunOf(run)
  const isSame = (other: Error | undefined): boolean => other !== undefined && nameOf(other) === nameOf(error)
  let last = { world: run.world, error }
  const play = async (text: TapeText): Promise<FailedRun | undefined> => {
    const again = await campaign.play(text)
    const found = again.result.error
    if (found === undefined || !isSame(found)) return undefined
    last = { world: again.world, error: found }
    return failedRunOf(again)
  }
  // What differs from run to run cannot be made smaller by running it.
  const max = error.name === 'NotDeterministic' ? 0 : (options.shrinkRuns ?? SHRINK_RUNS)
  const { run: smallest } = await shrink(first, play, max)
  return {
    error: last.error,
    seed: options.seed ?? 1,
    run: index,
    strategy: run.strategy,
    schedule: encodeTape(smallest.text),
    firstSchedule: encodeTape(first.text),
    before: sizeOf(first),
    after: sizeOf(smallest),
    faults: smallest.text.faults.map(({ kind }) => kind),
    history: last.world.history,
  }
}

async function replayed(options: SimulationOptions, campaign: Campaign, text: TapeText): Promise<SimulationReport> {
  const run = await campaign.play(text)
  const { error } = run.result
  if (error === undefined) return reportOf(campaign, undefined, run)
  const failed = failedRunOf(run)
  const schedule = encodeTape(failed.text)
  const size = sizeOf(failed)
  return reportOf(
    campaign,
    {
      error,
      seed: options.seed ?? 1,
      run: 0,
      strategy: run.strategy,
      schedule,
      firstSchedule: schedule,
      before: size,
      after: size,
      faults: failed.text.faults.map(({ kind }) => kind),
      history: run.world.history,
    },
    run,
  )
}

function failedRunOf({ tape }: Run): FailedRun {
  return { text: tape.text(), values: tape.values(), commands: [...tape.commands] }
}

function sizeOf({ text, values, commands }: FailedRun): RunSize {
  return {
    faults: text.faults.length,
    commands: commands.length - text.removed.length,
    values: Object.values(values)
      .flat()
      .filter((value) => value !== 0).length,
    switches: text.choices.filter((choice) => choice !== 0).length,
  }
}

/** Two failures are the same if their errors are of the same sort, and of the same property. */
function nameOf(error: Error): string {
  const { code, property } = error as { readonly code?: unknown; readonly property?: unknown } // Both are read with care: they may be absent.
  return `${error.name} ${typeof code === 'string' ? code : ''} ${typeof property === 'string' ? property : ''}`
}

function reportOf(campaign: Campaign, failure: SimulationFailure | undefined, run?: Run): SimulationReport {
  const struck = run === undefined ? campaign.faults : new Map(run.tape.struck.map(({ kind }) => [kind, 1]))
  return {
    failure,
    schedules: run === undefined ? campaign.runs : 1,
    distinct: run === undefined ? campaign.distinct : 1,
    steps: run === undefined ? campaign.steps : run.result.steps,
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, struck.get(kind) ?? 0])) as Record<FaultKind, number>, // One entry for each kind.
    properties: campaign.properties.catalogue(),
    isExhausted: campaign.isExhausted,
  }
}
