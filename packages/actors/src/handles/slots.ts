/**
 * Where handles lie: as many slots as there may be handles, each an actor of its own, given out in turn by one more actor that only
 * counts. As all handles of a definition live equally long, the slot whose turn it is has the oldest handle of all, and if any has
 * expired, that one has. So "the expired first, then the oldest" is the next slot.
 *
 * One form of state serves both, told apart by the key: `['ring']` counts, `['slot', '17']` holds.
 */
import { timingSafeEqual } from 'node:crypto'
import type { HandleGrant } from './grant.ts'

/** A handle as its slot holds it. */
export interface HeldHandle {
  /** The secret part of its id. */
  readonly nonce: string
  readonly principal: string | null
  readonly grant: HandleGrant
  /** The rows as JSON; null once they have expired and were wiped. */
  readonly rows: string | null
  readonly expires: number
}

/** The state of either kind. */
export interface HandleState {
  /** How many numbers were given out. */
  readonly next: number
  /** Number of the latest handle that was put here; 0 for none. It only rises. */
  readonly number: number
  readonly held: HeldHandle | null
  readonly answer: HandleAnswer
}

/** What the last command has come to. */
type HandleAnswer =
  | { readonly outcome: 'allocated'; readonly number: number; readonly slot: number }
  | { readonly outcome: 'too-large'; readonly bytesMax: number }
  | { readonly outcome: 'stored'; readonly nonce: string; readonly expires: number }
  | { readonly outcome: 'evicted' | 'conflict' | 'expired' | 'not-found' | 'released' | 'mismatch' | 'none' }

/** What bounds them. */
export interface SlotRules {
  readonly ttlMs: number
  readonly capacity: number
  readonly bytesMax: number
}

/** A handle on its way into its slot. */
export interface Put {
  readonly number: number
  readonly nonce: string
  readonly principal?: string | undefined
  readonly grant: HandleGrant
  readonly rows: string
  readonly at: number
}

/** Nothing was stored yet. */
export const EMPTY_SLOTS: HandleState = { next: 0, number: 0, held: null, answer: { outcome: 'none' } }

/** Gives out the next slot. */
export function allocate({ capacity, bytesMax }: SlotRules, state: HandleState, bytes: number): HandleState {
  if (bytes > bytesMax) return { ...state, answer: { outcome: 'too-large', bytesMax } }
  const number = state.next + 1
  return { ...state, next: number, answer: { outcome: 'allocated', number, slot: number % capacity } }
}

/** Puts a handle into its slot. What comes again is answered as the first time; what comes too late is not put. */
export function put({ ttlMs }: SlotRules, state: HandleState, { number, nonce, grant, rows, at, ...whose }: Put): HandleState {
  const { held } = state
  const principal = whose.principal ?? null
  if (number > state.number) {
    const expires = at + ttlMs
    return { ...state, number, held: { nonce, principal, grant, rows, expires }, answer: { outcome: 'stored', nonce, expires } }
  }
  const before = held?.rows ?? null
  if (number < state.number || held === null || before === null) return { ...state, answer: { outcome: 'evicted' } }
  const isRepeated = before === rows && held.principal === principal && JSON.stringify(held.grant) === JSON.stringify(grant)
  return { ...state, answer: isRepeated ? { outcome: 'stored', nonce: held.nonce, expires: held.expires } : { outcome: 'conflict' } }
}

/** What a handle is to somebody who shows it. */
export function lookUp(
  state: HandleState,
  nonce: string,
  principal: string | undefined,
  at: number,
): HeldHandle | 'expired' | 'not-found' | 'mismatch' {
  const { held } = state
  if (held === null || !isSame(held.nonce, nonce)) return 'not-found'
  // Whoever it is not for learns nothing of its age, and cannot remove it.
  if (held.principal !== null && held.principal !== principal) return 'mismatch'
  // Without its rows it has expired, whatever the clock says: it must not pass for a handle of nothing.
  return held.expires <= at || held.rows === null ? 'expired' : held
}

/** Removes a handle, because it has expired or because its owner wants it. */
export function remove(
  state: HandleState,
  how: 'expired' | 'released',
  show: { nonce: string; principal?: string | undefined; at: number },
): HandleState {
  const found = lookUp(state, show.nonce, show.principal, show.at)
  if (found === 'not-found' || found === 'mismatch') return { ...state, answer: { outcome: found } }
  if (found === 'expired') return { ...state, held: null, answer: { outcome: 'expired' } }
  return how === 'released' ? { ...state, held: null, answer: { outcome: 'released' } } : { ...state, answer: { outcome: 'none' } }
}

/** Takes the rows of a handle off the disk once they have expired. That it was there is remembered until somebody asks. */
export function wipe(state: HandleState): HandleState {
  return { ...state, held: state.held === null ? null : { ...state.held, rows: null }, answer: { outcome: 'none' } }
}

function isSame(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)]
  return first.length === second.length && timingSafeEqual(first, second)
}
