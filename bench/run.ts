/**
 * The benchmarks: every figure beside its floor, measured in turns in the same run.
 *
 * `pnpm bench [--json] [--tiny] [--large] [--runs N] [--only TEXT]`
 */
import { parseArgs } from 'node:util'
import { asks, tells } from './asks.ts'
import { backlog, effects, tellsBetween, timers } from './delivery.ts'
import { oneAsk, urgentBehindBacklog } from './latency.ts'
import type { Finding } from './measure.ts'
import { planOf } from './plan.ts'
import type { Plan } from './plan.ts'
import { preemption } from './preemption.ts'
import { admissions, rateLimits, tokenVerifications } from './ready-made.ts'
import { activations, memoryPerActor, recovery } from './residents.ts'
import { simulatedSteps } from './simulation.ts'
import { tapReader } from './tap.ts'

type Benchmark = readonly [name: string, measure: (plan: Plan) => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>]

function benchmarks(isLarge: boolean): readonly Benchmark[] {
  return [
    ...[1, 64, 1_024, 8_192].map((count): Benchmark => [`durable asks, ${count} callers`, (plan) => asks(plan, count, 'durable')]),
    ['keyed asks, 1024 callers', (plan) => asks(plan, 1_024, 'keyed')],
    ...[1, 64, 1_024, 8_192].map((count): Benchmark => [`volatile asks, ${count} callers`, (plan) => asks(plan, count, 'volatile')]),
    ['volatile tells', tells],
    ['tells between actors, one shard', (plan) => tellsBetween(plan, 1)],
    ['tells between actors, two shards', (plan) => tellsBetween(plan, 2)],
    ['effects drained', effects],
    ['timers set and fired', (plan) => timers(plan, isLarge ? 1_000_000 : 100_000)],
    ['backlog', (plan) => backlog(plan, isLarge ? 1_000_000 : 100_000)],
    ['one durable ask', oneAsk],
    ['urgent behind backlog', urgentBehindBacklog],
    ['preemption', preemption],
    ...[64, 1_024].map((count): Benchmark => [`tap read, ${count} callers`, (plan) => tapReader(plan, count)]),
    ['rate limit checks', rateLimits],
    ['tokens verified', tokenVerifications],
    ['slots', admissions],
    ['simulated', simulatedSteps],
    ['activations', activations],
    ['memory', memoryPerActor],
    ['recovery', (plan) => recovery(plan, isLarge ? 1_000_000 : 100_000)],
  ]
}

function options(): {
  readonly isJson: boolean
  readonly isTiny: boolean
  readonly isLarge: boolean
  readonly runs: number
  readonly only: string
} {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean' },
        tiny: { type: 'boolean' },
        large: { type: 'boolean' },
        runs: { type: 'string' },
        only: { type: 'string' },
      },
    })
    const runs = Number(values.runs ?? 5)
    if (!Number.isSafeInteger(runs) || runs < 1) throw new Error(`--runs must be a whole number from 1, not ${values.runs}`)
    return { isJson: values.json ?? false, isTiny: values.tiny ?? false, isLarge: values.large ?? false, runs, only: values.only ?? '' }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(2)
  }
}

const digits = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))

function line({ name, value, unit, floor, ratio, spread, note }: Finding): string {
  const columns = [
    name.padEnd(66),
    `${digits(value)} ${unit}`.padStart(16),
    (floor === undefined ? '–' : digits(floor)).padStart(11),
    (ratio === undefined ? '–' : ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2)).padStart(7),
    `${digits(spread[0])} – ${digits(spread[1])}`.padStart(22),
  ]
  return `${columns.join('')}${note === undefined ? '' : `   ${note}`}`
}

const { isJson, isTiny, isLarge, runs, only } = options()
const plan = planOf(isTiny, runs)
const versions = { node: process.versions.node, v8: process.versions.v8, platform: `${process.platform}-${process.arch}` }
const chosen = benchmarks(isLarge).filter(([name]) => name.includes(only))
if (chosen.length === 0) {
  console.error(`There is no benchmark whose name contains "${only}".`)
  process.exit(2)
}
if (!isJson)
  console.log(`${'benchmark'.padEnd(66)}${'value'.padStart(16)}${'floor'.padStart(11)}${'ratio'.padStart(7)}${'spread'.padStart(22)}`)
try {
  for (const [, measure] of chosen) {
    for (const finding of [await measure(plan)].flat()) console.log(isJson ? JSON.stringify({ ...finding, versions }) : line(finding))
  }
} finally {
  plan.clean()
}
