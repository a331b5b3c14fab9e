/** What calls of a budget come to: read from the ledger after the call, so that a repeated call is told the same. */
import { balanceOf, endedOf, openOf } from './ledger.ts'
import type { BudgetBalance, Ledger, ReservationEnd } from './ledger.ts'

/** A balance at the moment of the answer. */
interface WithBalance {
  readonly balance: BudgetBalance
}

/**
 * What `reserve` has come to. `granted`: as much as was asked for, or as remained; it counts until `expiresAt`. `exhausted`:
 * nothing remains. `full`: too many reservations are open. `ended`: the id was used for a reservation that is over.
 */
export type BudgetReserveOutcome =
  | ({ readonly outcome: 'granted'; readonly id: string; readonly granted: number; readonly expiresAt: number } & WithBalance)
  | ({ readonly outcome: 'exhausted' } & WithBalance)
  | ({ readonly outcome: 'full'; readonly open: number } & WithBalance)
  | ({ readonly outcome: 'ended'; readonly end: ReservationEnd } & WithBalance)

/** Why a reservation is not open: its lease is over, it was ended before, or the budget does not know it (any more). */
export type BudgetLostReason = 'lapsed' | 'released' | 'recorded' | 'unknown'

/**
 * What `record` has come to. `recorded`: `charged` was taken from the budget, and `overshoot` is what was beyond its total.
 * `lost`: the reservation was not open. Where it had `lapsed`, the cost is charged all the same, because it was incurred; in the
 * other cases nothing is, and `charged` is 0.
 */
export type BudgetRecordOutcome =
  | ({ readonly outcome: 'recorded'; readonly charged: number; readonly overshoot: number } & WithBalance)
  | ({
      readonly outcome: 'lost'
      readonly reason: Exclude<BudgetLostReason, 'recorded'>
      readonly charged: number
      readonly overshoot: number
    } & WithBalance)

/** What `release` has come to. `released`: so much is free again. `lost`: the reservation was not open, and nothing was done. */
export type BudgetReleaseOutcome =
  | ({ readonly outcome: 'released'; readonly returned: number } & WithBalance)
  | ({ readonly outcome: 'lost'; readonly reason: Exclude<BudgetLostReason, 'released'> } & WithBalance)

/** What `renew` has come to. `renewed`: it counts until `expiresAt`. `lost`: the reservation was not open, and nothing was done. */
export type BudgetRenewOutcome =
  | ({ readonly outcome: 'renewed'; readonly expiresAt: number } & WithBalance)
  | ({ readonly outcome: 'lost'; readonly reason: BudgetLostReason } & WithBalance)

/** What the last `reserve` of an id has come to. */
export function reserveOutcomeOf(ledger: Ledger, id: string): BudgetReserveOutcome {
  const balance = balanceOf(ledger)
  const open = openOf(ledger, id)
  if (open !== undefined) return { outcome: 'granted', id, granted: open.amount, expiresAt: open.expiresAt, balance }
  const ended = endedOf(ledger, id)
  if (ended !== undefined) return { outcome: 'ended', end: ended.end, balance }
  return balance.remaining === 0 ? { outcome: 'exhausted', balance } : { outcome: 'full', open: ledger.open.length, balance }
}

/** What the last `record` of an id has come to. */
export function recordOutcomeOf(ledger: Ledger, id: string): BudgetRecordOutcome {
  const balance = balanceOf(ledger)
  const ended = endedOf(ledger, id)
  if (ended === undefined) return { outcome: 'lost', reason: 'unknown', charged: 0, overshoot: 0, balance }
  const { end, charged, overshoot } = ended
  if (end === 'recorded') return { outcome: 'recorded', charged, overshoot, balance }
  return { outcome: 'lost', reason: end === 'released' ? 'released' : 'lapsed', charged, overshoot, balance }
}

/** What the last `release` of an id has come to. */
export function releaseOutcomeOf(ledger: Ledger, id: string): BudgetReleaseOutcome {
  const balance = balanceOf(ledger)
  const ended = endedOf(ledger, id)
  if (ended?.end === 'released') return { outcome: 'released', returned: ended.amount, balance }
  const reason = ended === undefined ? 'unknown' : ended.end === 'recorded' ? 'recorded' : 'lapsed'
  return { outcome: 'lost', reason, balance }
}

/** What the last `renew` of an id has come to. */
export function renewOutcomeOf(ledger: Ledger, id: string): BudgetRenewOutcome {
  const balance = balanceOf(ledger)
  const open = openOf(ledger, id)
  if (open !== undefined) return { outcome: 'renewed', expiresAt: open.expiresAt, balance }
  const ended = endedOf(ledger, id)
  if (ended === undefined) return { outcome: 'lost', reason: 'unknown', balance }
  return { outcome: 'lost', reason: ended.end === 'late' ? 'lapsed' : ended.end, balance }
}
