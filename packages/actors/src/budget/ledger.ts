/**
 * The ledger of one budget: plain arithmetic, apart from actors and clocks.
 *
 * A reservation is open until it is recorded, released, or lapses with its lease. Open ones are all kept; of those that have ended
 * the last few are remembered, so that whoever repeats a call gets the same answer.
 *
 *   reserve ──▶ open ── record ──▶ recorded
 *                │ ├── release ──▶ released
 *                │ └── lease over ─▶ lapsed ── record ──▶ late
 *                └ renew
 */

/** An open reservation. */
export interface Reservation {
  readonly id: string
  readonly amount: number
  /** When its lease is over, in milliseconds since 1970: at this moment it no longer counts. */
  readonly expiresAt: number
}

/** How a reservation has ended. `late`: it had lapsed, and its cost was recorded afterwards. */
export type ReservationEnd = 'recorded' | 'released' | 'lapsed' | 'late'

/** A reservation that has ended. */
export interface EndedReservation {
  readonly id: string
  readonly end: ReservationEnd
  /** What had been reserved. */
  readonly amount: number
  /** What recording it has taken from the budget. */
  readonly charged: number
  /** What it has cost beyond the whole budget. */
  readonly overshoot: number
}

/** The state of a budget. Amounts are whole numbers. */
export interface Ledger {
  readonly total: number
  /** The cost of all that was recorded, also where that is more than the total. */
  readonly spent: number
  /** Open reservations, the oldest first. */
  readonly open: readonly Reservation[]
  /** Ended reservations that are remembered, the latest last. */
  readonly ended: readonly EndedReservation[]
}

/** How large a ledger may grow. */
export interface LedgerBounds {
  /** How many reservations may be open. */
  readonly openMax: number
  /** How many that have ended are remembered. */
  readonly endedMax: number
}

/** What a budget has. */
export interface BudgetBalance {
  readonly total: number
  /** What was recorded, at most the total. */
  readonly used: number
  /** What open reservations hold. */
  readonly reserved: number
  /** What can be reserved: `total - used - reserved`, never below 0. */
  readonly remaining: number
  /** What was recorded beyond the total. */
  readonly overshoot: number
}

/** A ledger in which nothing has happened. */
export function ledgerOf(total: number): Ledger {
  return { total, spent: 0, open: [], ended: [] }
}

/** What a ledger comes to. */
export function balanceOf({ total, spent, open }: Ledger): BudgetBalance {
  const used = Math.min(total, spent)
  const reserved = open.reduce((sum, { amount }) => sum + amount, 0)
  return { total, used, reserved, remaining: Math.max(0, total - used - reserved), overshoot: spent - used }
}

/** The open reservation with this id. */
export function openOf({ open }: Ledger, id: string): Reservation | undefined {
  return open.find((reservation) => reservation.id === id)
}

/** The remembered reservation with this id that has ended. */
export function endedOf({ ended }: Ledger, id: string): EndedReservation | undefined {
  return ended.find((reservation) => reservation.id === id)
}

/** Returns what lapsed reservations hold: all whose lease is over at a moment. The same ledger if there is none. */
export function lapse(ledger: Ledger, bounds: LedgerBounds, at: number): Ledger {
  // In the order in which they lapse, so that it does not matter whether the timer or a command comes first.
  const over = ledger.open.filter(({ expiresAt }) => expiresAt <= at).sort((one, other) => one.expiresAt - other.expiresAt)
  if (over.length === 0) return ledger
  const lapsed = over.map(({ id, amount }): EndedReservation => ({ id, end: 'lapsed', amount, charged: 0, overshoot: 0 }))
  const open = ledger.open.filter(({ expiresAt }) => expiresAt > at)
  return { ...ledger, open, ended: remembered([...ledger.ended, ...lapsed], bounds) }
}

/** Reserves what is asked for, or what remains. The same ledger if nothing remains, too many are open, or the id is known. */
export function reserve(ledger: Ledger, bounds: LedgerBounds, { id, amount, expiresAt }: Reservation): Ledger {
  const granted = Math.min(amount, balanceOf(ledger).remaining)
  if (granted === 0 || ledger.open.length >= bounds.openMax) return ledger
  if (openOf(ledger, id) !== undefined || endedOf(ledger, id) !== undefined) return ledger
  return { ...ledger, open: [...ledger.open, { id, amount: granted, expiresAt }] }
}

/** Ends a reservation with what it has cost. One that has lapsed is charged too; one that is not known changes nothing. */
export function record(ledger: Ledger, bounds: LedgerBounds, id: string, actual: number): Ledger {
  const open = openOf(ledger, id)
  const ended = endedOf(ledger, id)
  if (open === undefined && ended?.end !== 'lapsed') return ledger
  const spent = ledger.spent + actual
  const charged = Math.min(ledger.total, spent) - Math.min(ledger.total, ledger.spent)
  const entry: EndedReservation = {
    id,
    end: open === undefined ? 'late' : 'recorded',
    amount: open?.amount ?? ended?.amount ?? 0,
    charged,
    overshoot: actual - charged,
  }
  return { ...without(ledger, id), spent, ended: remembered([...ledger.ended.filter((other) => other !== ended), entry], bounds) }
}

/** Ends a reservation that has cost nothing. The same ledger if it is not open. */
export function release(ledger: Ledger, bounds: LedgerBounds, id: string): Ledger {
  const open = openOf(ledger, id)
  if (open === undefined) return ledger
  const entry: EndedReservation = { id, end: 'released', amount: open.amount, charged: 0, overshoot: 0 }
  return { ...without(ledger, id), ended: remembered([...ledger.ended, entry], bounds) }
}

/** Lengthens a lease; it is never made shorter. The same ledger if it is not open. */
export function renew(ledger: Ledger, id: string, expiresAt: number): Ledger {
  const open = openOf(ledger, id)
  if (open === undefined || open.expiresAt >= expiresAt) return ledger
  return { ...ledger, open: ledger.open.map((other) => (other === open ? { ...other, expiresAt } : other)) }
}

/** The first moment at which a lease is over; `null` if none is open. */
export function nextLapseOf({ open }: Ledger): number | null {
  return open.length === 0 ? null : Math.min(...open.map(({ expiresAt }) => expiresAt))
}

function without(ledger: Ledger, id: string): Ledger {
  return { ...ledger, open: ledger.open.filter((reservation) => reservation.id !== id) }
}

function remembered(ended: readonly EndedReservation[], { endedMax }: LedgerBounds): readonly EndedReservation[] {
  return ended.slice(-endedMax)
}
