/** How schedules are shared out among campaigns, and what a round of campaigns has come to. */
import { explore, FAULT_KINDS } from '@bailiwick/testkit'
import type { FaultKind } from '@bailiwick/testkit'
import type { Campaign } from './properties/campaign.ts'

/** What one campaign has come to. */
export interface CampaignResult {
  readonly campaign: string
  readonly schedules: number
  readonly distinct: number
  readonly steps: number
  readonly ms: number
  readonly faults: Readonly<Record<FaultKind, number>>
  /** What should have come true at least once, and has not; empty where there were too few runs to say. */
  readonly unmet: readonly string[]
  /** What is wrong, with the schedule that shows it. */
  readonly error: string | undefined
}

/** What is run. */
export interface RoundOptions {
  readonly seed: number
  /** How many runs may be spent on making a failure smaller. Default 500. */
  readonly shrinkRuns?: number
}

/** With fewer runs, a rare thing that has not happened says nothing. */
const RUNS_FOR_RARE_THINGS = 500

/** How many schedules each campaign has of a total, by its share; at least one. */
export function shareOut(campaigns: readonly Campaign[], schedules: number): readonly (readonly [Campaign, number])[] {
  const shares = campaigns.reduce((sum, { share }) => sum + share, 0)
  return campaigns.map((campaign) => [campaign, Math.max(1, Math.ceil((schedules * campaign.share) / shares))])
}

/** Runs one campaign. Never rejects. */
export async function runCampaign(
  { name, options }: Campaign,
  schedules: number,
  { seed, shrinkRuns = 500 }: RoundOptions,
): Promise<CampaignResult> {
  const begun = performance.now()
  const report = await explore({ ...options, schedules, seed, shrinkRuns })
  const { failure, properties } = report
  const isTold = schedules >= RUNS_FOR_RARE_THINGS && failure === undefined
  const unmet = isTold
    ? properties.filter(({ kind, held }) => (kind === 'sometimes' || kind === 'reachable') && held === 0).map((entry) => entry.name)
    : []
  return {
    campaign: name,
    schedules: report.schedules,
    distinct: report.distinct,
    steps: report.steps,
    ms: performance.now() - begun,
    faults: report.faults,
    unmet,
    error:
      failure === undefined
        ? undefined
        : `${failure.error.name}: ${failure.error.message} (seed ${failure.seed}, run ${failure.run}; replay: ${failure.schedule})`,
  }
}

/** Everything added up. */
export interface Totals {
  readonly schedules: number
  readonly distinct: number
  readonly steps: number
  readonly faults: Readonly<Record<FaultKind, number>>
}

/** Adds results up. Schedules of different campaigns are different. */
export function totalsOf(results: readonly Omit<Totals, never>[]): Totals {
  const sum = (of: (result: Totals) => number): number => results.reduce((total, result) => total + of(result), 0)
  return {
    schedules: sum(({ schedules }) => schedules),
    distinct: sum(({ distinct }) => distinct),
    steps: sum(({ steps }) => steps),
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, sum(({ faults }) => faults[kind])])) as Record<FaultKind, number>, // One entry for each kind.
  }
}

/** Kinds of faults that have struck nobody. */
export function idleFaults({ faults }: Pick<Totals, 'faults'>): readonly FaultKind[] {
  return FAULT_KINDS.filter((kind) => faults[kind] === 0)
}

/** Totals for people. */
export function describeTotals({ schedules, distinct, steps, faults }: Totals, ms: number): string {
  const struck = FAULT_KINDS.map((kind) => `${kind} ${faults[kind]}`).join(', ')
  return `${schedules} schedules (${distinct} distinct), ${steps} steps, ${Math.round((steps / ms) * 1_000)} steps/s in ${Math.round(ms / 1_000)} s\nfaults that struck: ${struck}`
}
