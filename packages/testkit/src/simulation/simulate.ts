/**
 * `simulate` and `explore`: run a scenario over many schedules; when one fails, make it smaller and say how to see it again.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Campaign } from './campaign.ts'
import type { Run } from './campaign.ts'
import { InvalidSimulation, NotDeterministic, StrayCall } from './errors.ts'
import type { RunSize, SimulationFailure, SimulationReport, Strike } from './failure.ts'
import { FAULT_KINDS } from './faults.ts'
import type { FaultKind } from './faults.ts'
import { auditAsync } from './async-audit.ts'
import { installGuards } from './guards.ts'
import { checkSimulation } from './options.ts'
import type { SimulationOptions } from './options.ts'
import { PropertyUnmet } from './properties.ts'
import { describeFailure } from './report.ts'
import { shrink } from './shrink.ts'
import { adviceOn } from './stray-advice.ts'
import type { Stray } from './stray.ts'
import type { FailedRun } from './shrink.ts'
import { decodeTape, encodeTape } from './tape.ts'
import type { TapeText } from './tape.ts'

/** A simulation has found a run that fails. Its message says what failed, how large the run is, and how to see it again. */
export class SimulationFailed extends Error {
  readonly code = 'SIMULATION_FAILED'
  declare readonly report: SimulationReport
  declare readonly failure: SimulationFailure

  constructor(report: SimulationReport, failure: SimulationFailure) {
    super(describeFailure(failure), { cause: failure.error })
    this.name = 'SimulationFailed'
    // The message says it all: whoever prints the error need not print these as well.
    Object.defineProperties(this, { report: { value: report }, failure: { value: failure } })
  }
}

const SCHEDULES = 1_000
const SHRINK_RUNS = 2_000
const AUDIT_EVERY = 1_000

/** Whether whoever asks is part of a simulation already. */
const isSearching = new AsyncLocalStorage<boolean>()

/** Runs of a process come one after the other: they share what a process has only once, such as its clock. */
let turn: Promise<unknown> = Promise.resolve()

/**
 * Runs a scenario over many schedules. Rejects with `SimulationFailed` at the first run that fails, `PropertyUnmet` if a
 * `sometimes` or `reachable` never came true, `InvalidSimulation` for bad options, `InvalidSchedule` for a bad `replay`.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const report = await explore(options)
  if (report.failure !== undefined) throw new SimulationFailed(report, report.failure)
  if (report.steps === 0) throw new InvalidSimulation('scenario', 'has done nothing that is simulated: no run has made a step')
  const unmet = report.properties.filter(({ kind, held }) => (kind === 'sometimes' || kind === 'reachable') && held === 0)
  if (unmet.length > 0 && options.replay === undefined) throw new PropertyUnmet(unmet)
  return report
}

/** The same, with a failing run as part of the answer instead of an error. */
export async function explore(options: SimulationOptions): Promise<SimulationReport> {
  checkSimulation(options)
  if (isSearching.getStore() === true) throw new InvalidSimulation('scenario', 'must not simulate')
  const replay = options.replay === undefined ? undefined : decodeTape(options.replay)
  const mine = turn.then(() => isSearching.run(true, () => search(options, replay)))
  turn = mine.catch(() => undefined)
  return await mine
}

async function search(options: SimulationOptions, replay: TapeText | undefined): Promise<SimulationReport> {
  let campaign: Campaign | undefined
  const stray = ({ api, message, where }: Stray): void => {
    campaign?.stray(new StrayCall(`${message}: ${adviceOn(api, !where.startsWith('code outside'))}.`))
  }
  // Their first use is I/O of its own, and no business of whoever happens to be first.
  void [process.stdout, process.stderr]
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
    const { error, isUnopened } = run.result
    // No schedule is to blame for it.
    if (error !== undefined && isUnopened) throw error
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
  let last = { run, error }
  const play = async (text: TapeText): Promise<FailedRun | undefined> => {
    const again = await campaign.play(text)
    const found = again.result.error
    if (found === undefined || nameOf(found) !== nameOf(error)) return undefined
    last = { run: again, error: found }
    return failedRunOf(again)
  }
  const first = failedRunOf(run)
  const isReproducible = !(error instanceof NotDeterministic) && (await play(first.text)) !== undefined
  // What differs from run to run cannot be made smaller by running it.
  const { run: smallest } = await shrink(first, play, isReproducible ? (options.shrinkRuns ?? SHRINK_RUNS) : 0)
  return failureOf(options, last.error, last.run, {
    run: index,
    strategy: run.strategy,
    schedule: encodeTape(smallest.text),
    firstSchedule: encodeTape(first.text),
    before: sizeOf(first, run),
    isReproducible,
  })
}

async function replayed(options: SimulationOptions, campaign: Campaign, text: TapeText): Promise<SimulationReport> {
  const run = await campaign.play(text)
  const { error, isUnopened } = run.result
  if (error === undefined) return reportOf(campaign, undefined, run)
  if (isUnopened) throw error
  const failed = failedRunOf(run)
  const schedule = encodeTape(failed.text)
  const found = { run: 0, strategy: run.strategy, schedule, firstSchedule: schedule, before: sizeOf(failed, run), isReproducible: true }
  return reportOf(campaign, failureOf(options, error, run, found), run)
}

type Found = Pick<SimulationFailure, 'run' | 'strategy' | 'schedule' | 'firstSchedule' | 'before' | 'isReproducible'>

function failureOf(options: SimulationOptions, error: Error, run: Run, found: Found): SimulationFailure {
  const { history, strikes } = run.world
  const seed = options.seed ?? 1
  return { ...found, error, seed, after: sizeOf(failedRunOf(run), run), faults: kindsIn(strikes), strikes, history }
}

function kindsIn(strikes: readonly Strike[]): readonly FaultKind[] {
  return strikes.flatMap(({ kind }) => (kind === 'note' ? [] : [kind]))
}

function failedRunOf({ tape }: Run): FailedRun {
  return { text: tape.text(), values: tape.values(), commands: [...tape.commands] }
}

function sizeOf({ text, values, commands }: FailedRun, { world }: Run): RunSize {
  return {
    faults: text.faults.length,
    calls: world.history.filter(({ type }) => type === 'invoke').length,
    parts: commands.length - text.removed.length,
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
