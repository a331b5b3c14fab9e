/** Compares what customers have seen with what the gateway has kept. */
import { z } from 'zod'

/** What a customer has seen. */
export interface Report {
  readonly customer: string
  readonly requests: number
  /** Requests beyond the limit. */
  readonly denied: number
  /** Requests of which nobody knew what came of them, until they were repeated. */
  readonly unknown: number
  /** When requests were let through, by the gateway's clock. */
  readonly allowedAt: readonly number[]
  /** The last answer to each request; without a number it was refused for lack of budget. */
  readonly answers: readonly { readonly key: string; readonly number: number | null }[]
}

/** What the gateway keeps of a customer. */
export const account = z.object({
  count: z.number(),
  cost: z.number(),
  balance: z.object({ total: z.number(), used: z.number(), reserved: z.number() }),
})

/** A statement about a run, and whether it holds. */
export interface Statement {
  readonly text: string
  readonly holds: boolean
}

/** So many of the moments lie in the fullest window. A moment that is a whole window old lies outside of it. */
export function fullestWindow(moments: readonly number[], windowMs: number): number {
  const sorted = moments.toSorted((left, right) => left - right)
  let first = 0
  let most = 0
  for (const [index, moment] of sorted.entries()) {
    while (moment - (sorted[first] ?? moment) >= windowMs) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}

/** What must hold for a customer. */
export function statementsOn(report: Report, kept: z.infer<typeof account>, limit: number, windowMs: number): readonly Statement[] {
  const { customer, allowedAt, answers } = report
  const { count, cost, balance } = kept
  const fullest = fullestWindow(allowedAt, windowMs)
  const byKey = new Map<string, Set<number | null>>()
  for (const { key, number } of answers) byKey.set(key, (byKey.get(key) ?? new Set()).add(number))
  const numbers = [...byKey.values()].map(([number]) => number ?? null).filter((number) => number !== null)
  const isAgreed = [...byKey.values()].every((seen) => seen.size === 1)
  return [
    { text: `${customer}: at most ${fullest} of ${limit} requests let through in any ${windowMs} ms`, holds: fullest <= limit },
    {
      text: `${customer}: ${numbers.length} orders for ${numbers.length} keys in ${answers.length} answers, ${count} in the book`,
      holds: isAgreed && numbers.length === count && new Set(numbers).size === count,
    },
    {
      text: `${customer}: ${balance.used} of ${balance.total} spent, for orders of ${cost}`,
      holds: balance.used === cost && balance.used + balance.reserved <= balance.total && balance.reserved === 0,
    },
  ]
}
