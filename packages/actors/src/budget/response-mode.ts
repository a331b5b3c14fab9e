/** How a response is to be kept small when a budget runs low. */
import type { BudgetBalance } from './ledger.ts'

/** The modes: how much of a result a response carries, the most generous first. */
export const RESPONSE_MODES: readonly ['raw', 'table', 'summary', 'handle-only'] = ['raw', 'table', 'summary', 'handle-only']

/** How much of a result a response carries. */
export type ResponseMode = (typeof RESPONSE_MODES)[number]

/**
 * The mode in which to answer, from the one that was asked for and what remains: above 50 % as asked; from there to above 20 % not
 * `raw`; from there down to 5 %, inclusive, `summary` at least; below that `handle-only`. Never more generous than what was asked.
 */
export function escalateResponseMode(asked: ResponseMode, { total, remaining }: Pick<BudgetBalance, 'total' | 'remaining'>): ResponseMode {
  const least = leastOf(total, remaining)
  return RESPONSE_MODES.indexOf(asked) > RESPONSE_MODES.indexOf(least) ? asked : least
}

/** Multiplied out, so that a border is met exactly: all are whole numbers. */
function leastOf(total: number, remaining: number): ResponseMode {
  if (remaining * 2 > total) return 'raw'
  if (remaining * 5 > total) return 'table'
  return remaining * 20 >= total ? 'summary' : 'handle-only'
}
