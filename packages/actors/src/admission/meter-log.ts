/**
 * What has been admitted in one scope, for rates and quotas. Plain arithmetic on the times of its events.
 *
 * - A rate counts what was admitted within the last `windowMs`: the window is half-open, so an admission that is exactly one window old
 *   counts no more.
 * - A quota counts units within a period of `periodMs`. Periods are laid end to end from 1970 on, so that a period of 86,400,000 is a
 *   day in UTC; each begins with its first moment and ends before the first moment of the next.
 */

/** At most `max` admissions within any stretch of `windowMs`. */
export interface RateRule {
  readonly max: number
  readonly windowMs: number
}

/** At most `max` units in each period; this request takes `units` of them. */
export interface QuotaRule {
  readonly max: number
  readonly periodMs: number
  readonly units: number
}

/** What an admission has used of a quota. */
interface Spent {
  readonly periodMs: number
  readonly period: number
  readonly units: number
}

/** One admission. */
interface Admitted {
  readonly id: string
  readonly at: number
  readonly spent: readonly Spent[]
}

/** What is known of a scope. */
export interface MeterLog {
  /** The oldest first. */
  readonly admitted: readonly Admitted[]
  /** What is used of the present period of each quota. */
  readonly used: readonly Spent[]
}

/** A request to count an execution, with the rules that count for it. */
export interface Take {
  readonly id: string
  readonly rates: readonly RateRule[]
  readonly quotas: readonly QuotaRule[]
}

/** Which rule does not allow one more, and how much it has counted. */
export interface RuleViolation {
  readonly rule: 'rate' | 'quota'
  readonly count: number
  readonly max: number
  /** The window, or the period, in milliseconds. */
  readonly withinMs: number
  /** When one more may be allowed, in milliseconds since 1970; `null` if never. */
  readonly retryAt: number | null
}

/** What becomes of a request. `isNew` is false for an execution that had been counted before. */
export type TakeAnswer = { readonly outcome: 'ok'; readonly isNew: boolean } | ({ readonly outcome: 'refused' } & RuleViolation)

/** Nothing has been admitted. */
export const EMPTY_LOG: MeterLog = { admitted: [], used: [] }

/** So many are remembered in any case, so that an execution that is asked for again is not counted again. */
const REMEMBERED_MIN = 1_000

/** Counts an execution, if every rule allows it. */
export function take(log: MeterLog, { id, rates, quotas }: Take, at: number): { readonly log: MeterLog; readonly answer: TakeAnswer } {
  if (log.admitted.some((one) => one.id === id)) return { log, answer: { outcome: 'ok', isNew: false } }
  const violation = violationOf(log, rates, quotas, at)
  if (violation !== undefined) return { log, answer: { outcome: 'refused', ...violation } }
  const spent = quotas.map(({ periodMs, units }) => ({ periodMs, period: Math.floor(at / periodMs), units }))
  const longestMs = Math.max(0, ...rates.map(({ windowMs }) => windowMs))
  const kept = log.admitted.filter((one, index) => at - one.at < longestMs || index >= log.admitted.length - REMEMBERED_MIN)
  return {
    log: { admitted: [...kept, { id, at, spent }], used: spent.map((one) => withUnits(log, one, one.units)) },
    answer: { outcome: 'ok', isNew: true },
  }
}

/** Takes an execution back that was not admitted after all. */
export function giveBack(log: MeterLog, { id }: { readonly id: string }): MeterLog {
  const found = log.admitted.find((one) => one.id === id)
  if (found === undefined) return log
  const used = log.used.map((one) => {
    const spent = found.spent.find(({ periodMs, period }) => periodMs === one.periodMs && period === one.period)
    return spent === undefined ? one : { ...one, units: one.units - spent.units }
  })
  return { admitted: log.admitted.filter((one) => one !== found), used }
}

function violationOf(log: MeterLog, rates: readonly RateRule[], quotas: readonly QuotaRule[], at: number): RuleViolation | undefined {
  for (const { max, windowMs } of rates) {
    const within = log.admitted.filter((one) => at - one.at < windowMs)
    if (within.length < max) continue
    // One more is allowed once so many of the oldest have left that fewer than `max` are left.
    const last = within[within.length - max]
    return { rule: 'rate', count: within.length, max, withinMs: windowMs, retryAt: last === undefined ? null : last.at + windowMs }
  }
  for (const { max, periodMs, units } of quotas) {
    const period = Math.floor(at / periodMs)
    const { units: count } = withUnits(log, { periodMs, period, units: 0 }, 0)
    if (count + units <= max) continue
    return { rule: 'quota', count, max, withinMs: periodMs, retryAt: units > max ? null : (period + 1) * periodMs }
  }
  return undefined
}

function withUnits({ used }: MeterLog, { periodMs, period }: Spent, units: number): Spent {
  const before = used.find((one) => one.periodMs === periodMs && one.period === period)
  return { periodMs, period, units: (before?.units ?? 0) + units }
}
