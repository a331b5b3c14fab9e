/** A budget as plain as it can be: one list of reservations, looked through for every question. */
import type { ReservationEnd } from '../../src/budget/ledger.ts'
import type { ResponseMode } from '../../src/budget/response-mode.ts'

interface Entry {
  readonly id: string
  readonly amount: number
  readonly expiresAt: number
  readonly end: ReservationEnd | 'open'
  readonly charged: number
  readonly overshoot: number
}

/** The state of the model: open reservations in the order in which they were made, ended ones in that in which they ended. */
export interface ModelState {
  readonly total: number
  readonly spent: number
  readonly entries: readonly Entry[]
}

/** What the model is asked. */
export type ModelStep =
  | {
      readonly command: 'reserve'
      readonly input: { readonly id: string; readonly amount?: number | undefined; readonly ttlMs?: number | undefined }
    }
  | { readonly command: 'record'; readonly input: { readonly id: string; readonly actual: number } }
  | { readonly command: 'release'; readonly input: { readonly id: string } }
  | { readonly command: 'renew'; readonly input: { readonly id: string; readonly ttlMs?: number | undefined } }
  | { readonly command: 'resize'; readonly input: { readonly total: number } }
  | { readonly command: 'balance'; readonly input: object | undefined }
  | { readonly command: 'responseMode'; readonly input: { readonly asked: ResponseMode } }

/** What a definition says. */
export interface ModelOptions {
  readonly reserveDefault: number
  readonly ttlMs: number
  readonly openMax: number
  readonly endedMax: number
}

/** The next state and the reply, without its moments. */
export function reduceBudget(
  before: ModelState,
  { command, input }: ModelStep,
  options: ModelOptions,
  at: number,
): { readonly state: ModelState; readonly reply: unknown } {
  const over = before.entries.filter(isOver(at)).sort((one, other) => one.expiresAt - other.expiresAt)
  const state = over.reduce((so, entry) => ended(so, { ...entry, end: 'lapsed' }, options), before)
  const balance = balanceOf(state)
  switch (command) {
    case 'reserve': {
      const { id, amount = options.reserveDefault, ttlMs = options.ttlMs } = input
      const known = find(state, id)
      if (known?.end === 'open') return { state, reply: { outcome: 'granted', id, granted: known.amount, balance } }
      if (known !== undefined) return { state, reply: { outcome: 'ended', end: known.end, balance } }
      if (balance.remaining === 0) return { state, reply: { outcome: 'exhausted', balance } }
      const open = state.entries.filter(({ end }) => end === 'open').length
      if (open === options.openMax) return { state, reply: { outcome: 'full', open, balance } }
      const granted = Math.min(amount, balance.remaining)
      const entry: Entry = { id, amount: granted, expiresAt: at + ttlMs, end: 'open', charged: 0, overshoot: 0 }
      const next = { ...state, entries: [...state.entries, entry] }
      return { state: next, reply: { outcome: 'granted', id, granted, balance: balanceOf(next) } }
    }
    case 'record': {
      const known = find(state, input.id)
      const lost = { outcome: 'lost', charged: 0, overshoot: 0, balance }
      if (known === undefined) return { state, reply: { ...lost, reason: 'unknown' } }
      const { charged, overshoot } = known
      if (known.end === 'released') return { state, reply: { ...lost, reason: 'released' } }
      if (known.end === 'recorded') return { state, reply: { outcome: 'recorded', charged, overshoot, balance } }
      if (known.end === 'late') return { state, reply: { outcome: 'lost', reason: 'lapsed', charged, overshoot, balance } }
      const taken = Math.min(input.actual, state.total > state.spent ? state.total - state.spent : 0)
      const cost = { charged: taken, overshoot: input.actual - taken }
      const next = ended(
        { ...state, spent: state.spent + input.actual },
        { ...known, ...cost, end: known.end === 'open' ? 'recorded' : 'late' },
        options,
      )
      const outcome = known.end === 'open' ? { outcome: 'recorded' } : { outcome: 'lost', reason: 'lapsed' }
      return { state: next, reply: { ...outcome, ...cost, balance: balanceOf(next) } }
    }
    case 'release': {
      const known = find(state, input.id)
      if (known === undefined) return { state, reply: { outcome: 'lost', reason: 'unknown', balance } }
      const next = known.end === 'open' ? ended(state, { ...known, end: 'released' }, options) : state
      if (known.end === 'open' || known.end === 'released') {
        return { state: next, reply: { outcome: 'released', returned: known.amount, balance: balanceOf(next) } }
      }
      return { state, reply: { outcome: 'lost', reason: known.end === 'recorded' ? 'recorded' : 'lapsed', balance } }
    }
    case 'renew': {
      const known = find(state, input.id)
      if (known?.end !== 'open') {
        const reason = known === undefined ? 'unknown' : known.end === 'late' ? 'lapsed' : known.end
        return { state, reply: { outcome: 'lost', reason, balance } }
      }
      const expiresAt = Math.max(known.expiresAt, at + (input.ttlMs ?? options.ttlMs))
      const entries = state.entries.map((entry) => (entry === known ? { ...entry, expiresAt } : entry))
      return { state: { ...state, entries }, reply: { outcome: 'renewed', balance } }
    }
    case 'resize': {
      const next = { ...state, total: input.total }
      return { state: next, reply: balanceOf(next) }
    }
    case 'balance':
      return { state, reply: balance }
    case 'responseMode':
      return { state, reply: { mode: modeOf(input.asked, balance.remaining / balance.total), balance } }
  }
}

/** The first moment at which a lease is over. */
export function nextLapse({ entries }: ModelState): number | undefined {
  const moments = entries.flatMap(({ end, expiresAt }) => (end === 'open' ? [expiresAt] : []))
  return moments.length === 0 ? undefined : Math.min(...moments)
}

function isOver(at: number): (entry: Entry) => boolean {
  return ({ end, expiresAt }) => end === 'open' && expiresAt <= at
}

function find({ entries }: ModelState, id: string): Entry | undefined {
  return entries.find((entry) => entry.id === id)
}

/** Moves an entry to the end of the list, and forgets the oldest of too many that have ended. */
function ended(state: ModelState, entry: Entry, { endedMax }: ModelOptions): ModelState {
  const entries = [...state.entries.filter(({ id }) => id !== entry.id), entry]
  const over = entries.filter(({ end }) => end !== 'open')
  const forgotten = new Set(over.slice(0, Math.max(0, over.length - endedMax)))
  return { ...state, entries: entries.filter((other) => !forgotten.has(other)) }
}

function balanceOf({ total, spent, entries }: ModelState): {
  total: number
  used: number
  reserved: number
  remaining: number
  overshoot: number
} {
  const reserved = entries.reduce((sum, { end, amount }) => sum + (end === 'open' ? amount : 0), 0)
  const used = spent > total ? total : spent
  return { total, used, reserved, remaining: Math.max(0, total - used - reserved), overshoot: spent - used }
}

function modeOf(asked: ResponseMode, fraction: number): ResponseMode {
  if (fraction < 0.05) return 'handle-only'
  if (fraction <= 0.2) return asked === 'handle-only' ? asked : 'summary'
  return fraction <= 0.5 && asked === 'raw' ? 'table' : asked
}
