/**
 * What an endpoint remembers of one principal and one operation, as plain arithmetic.
 *
 * ```
 *            reserve, epoch + 1             complete
 *   (nothing) ─────────────▶ in progress ─────────────▶ completed ── ttl, bounds ──▶ (nothing)
 *       ▲                      │  │  ▲
 *       └────── release ───────┘  │  │ reserve by another, epoch + 1
 *                                 └──┘ once the lease is over
 * ```
 *
 * Epochs are counted for all keys together and never again given, so what comes from an owner whose reservation is over is
 * known even if its key was released, forgotten and reserved anew in between. Keys are digests: what the client has sent is
 * not stored.
 */
import type { CheckedRules } from './rules.ts'

/** What was kept of an answer. */
export interface KeptResponse {
  readonly status: number
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Null for none. */
  readonly body: string | null
  readonly encoding: 'text' | 'base64'
}

/** How work has ended: with an answer, or with one that was too large to be kept. */
export type KeptOutcome =
  | { readonly kind: 'response'; readonly response: KeptResponse }
  | { readonly kind: 'oversized'; readonly status: number; readonly bytes: number }

/** A key whose work is in progress, or was left by an owner that has died. */
export interface Reservation {
  readonly state: 'in-progress'
  readonly fingerprint: string
  /** Made by whoever has reserved it, so that the repeat of a reservation is known as such. */
  readonly owner: string
  readonly epoch: number
  readonly leaseUntil: number
}

/** A key whose work is done. */
export interface Completion {
  readonly state: 'completed'
  readonly fingerprint: string
  readonly epoch: number
  readonly completedAt: number
  /** Which completion it was, counted from 1. */
  readonly order: number
  readonly bytes: number
  readonly outcome: KeptOutcome
}

/** A part of the completed keys. */
type Page = Readonly<Record<string, Completion>>

/**
 * The state of the actor. Completed keys lie in pages, which are properties of the state itself: what a command does not touch is
 * then neither copied, nor checked again before the commit.
 */
export interface Ledger {
  /** The last epoch that was given. */
  readonly epoch: number
  /** How many completions there were. */
  readonly completions: number
  /** How many completed keys there are, and how many bytes their answers have. */
  readonly completed: number
  readonly bytes: number
  readonly inProgress: Readonly<Record<string, Reservation>>
  readonly [page: `page ${number}`]: Page
}

/**
 * The rules that decide what becomes of an event. They stand in the event: a journal that is replayed by code with other rules
 * has to lead to the state that was answered for, not to the one that the new rules would have led to.
 */
export type LedgerRules = Pick<CheckedRules, 'leaseMs' | 'ttlMs' | 'keysMax' | 'inProgressMax' | 'keptBytesMax'>

/** Nothing yet. */
export const EMPTY: Ledger = { epoch: 0, completions: 0, completed: 0, bytes: 0, inProgress: {} }

const PAGES = 64
/** After so many completions what is over is looked for in all pages. */
const SWEEP_EVERY = 64

/** What somebody who asks under a key gets to know. */
export type Standing =
  | { readonly outcome: 'free' | 'conflict' | 'full'; readonly at: number }
  | { readonly outcome: 'in-progress'; readonly at: number; readonly leaseUntil: number }
  | { readonly outcome: 'owner'; readonly at: number; readonly epoch: number }
  | { readonly outcome: 'completed'; readonly at: number; readonly epoch: number; readonly kept: KeptOutcome }

/** Who asks under which key, for what, when. */
export interface Asking {
  readonly name: string
  readonly fingerprint: string
  readonly at: number
}

/** How a key stands for somebody who asks. */
export function standingOf(ledger: Ledger, { name, fingerprint, at }: Asking, rules: LedgerRules): Standing {
  const entry = entryOf(ledger, name)
  if (entry === undefined || isOver(entry, at, rules)) return { outcome: 'free', at }
  if (entry.fingerprint !== fingerprint) return { outcome: 'conflict', at }
  if (entry.state === 'completed') return { outcome: 'completed', at, epoch: entry.epoch, kept: entry.outcome }
  return isHeld(entry, at) ? { outcome: 'in-progress', at, leaseUntil: entry.leaseUntil } : { outcome: 'free', at }
}

/** Reserves a key that is free. Changes nothing where it is not, or where too many are in progress. */
export function reserve(ledger: Ledger, asking: Asking & { readonly owner: string }, rules: LedgerRules): Ledger {
  if (standingOf(ledger, asking, rules).outcome !== 'free') return ledger
  const { name, fingerprint, owner, at } = asking
  if (inProgressOf(ledger, at) >= rules.inProgressMax) return ledger
  const epoch = ledger.epoch + 1
  const reservation: Reservation = { state: 'in-progress', fingerprint, owner, epoch, leaseUntil: at + rules.leaseMs }
  // An answer under this name is over: it was free.
  const rest = withoutCompleted(ledger, [name])
  return bounded({ ...rest, epoch, inProgress: { ...rest.inProgress, [name]: reservation } }, name, at, rules)
}

/** What a reservation has come to for whoever wanted it. */
export function standingOfOwner(ledger: Ledger, asking: Asking & { readonly owner: string }, rules: LedgerRules): Standing {
  const entry = ledger.inProgress[asking.name]
  if (entry?.owner === asking.owner && isHeld(entry, asking.at)) return { outcome: 'owner', at: asking.at, epoch: entry.epoch }
  const standing = standingOf(ledger, asking, rules)
  return standing.outcome === 'free' ? { outcome: 'full', at: asking.at } : standing
}

/** Lets a reservation last for its whole lease from now on, also where the lease was over and nobody has taken it. */
export function renew(ledger: Ledger, name: string, epoch: number, at: number, rules: LedgerRules): Ledger {
  const entry = ledger.inProgress[name]
  if (entry?.epoch !== epoch) return ledger
  return { ...ledger, inProgress: { ...ledger.inProgress, [name]: { ...entry, leaseUntil: at + rules.leaseMs } } }
}

/** Keeps how the work has ended, if it is still its owner who says so. */
export function complete(
  ledger: Ledger,
  done: { readonly name: string; readonly epoch: number; readonly outcome: KeptOutcome; readonly bytes: number; readonly at: number },
  rules: LedgerRules,
): Ledger {
  const { name, epoch, outcome, bytes, at } = done
  const entry = ledger.inProgress[name]
  if (entry?.epoch !== epoch) return ledger
  const order = ledger.completions + 1
  const { fingerprint } = entry
  const completion: Completion = { state: 'completed', fingerprint, epoch, completedAt: at, order, bytes, outcome }
  const page = pageOf(name)
  const next: Ledger = {
    ...ledger,
    completions: order,
    completed: ledger.completed + 1,
    bytes: ledger.bytes + bytes,
    inProgress: without(ledger.inProgress, [name]),
    [page]: { ...ledger[page], [name]: completion },
  }
  return bounded(order % SWEEP_EVERY === 0 ? swept(next, at, rules) : next, name, at, rules)
}

/** Forgets a key whose work came to nothing, so that the next one who asks does it. */
export function release(ledger: Ledger, name: string, epoch: number): Ledger {
  if (ledger.inProgress[name]?.epoch !== epoch) return ledger
  return { ...ledger, inProgress: without(ledger.inProgress, [name]) }
}

/** Whether this epoch is the one that counts for the key. */
export function holds(ledger: Ledger, name: string, epoch: number, state: 'in-progress' | 'completed'): boolean {
  const entry = entryOf(ledger, name)
  return entry?.state === state && entry.epoch === epoch
}

/** How many keys are in progress, without those whose lease is over. */
function inProgressOf(ledger: Ledger, at: number): number {
  return Object.values(ledger.inProgress).filter((entry) => isHeld(entry, at)).length
}

/** What is known of a key. */
function entryOf(ledger: Ledger, name: string): Reservation | Completion | undefined {
  return ledger.inProgress[name] ?? ledger[pageOf(name)]?.[name]
}

/** Every completed key. */
export function completionsOf(ledger: Ledger): (readonly [name: string, completion: Completion])[] {
  const found: (readonly [string, Completion])[] = []
  for (let page = 0; page < PAGES; page += 1) found.push(...Object.entries(ledger[`page ${page}`] ?? {}))
  return found
}

/** The page of a name: digests are spread evenly by any part of them. */
function pageOf(name: string): `page ${number}` {
  let hash = 0
  for (let index = 0; index < name.length; index += 1) hash = (hash * 31 + name.charCodeAt(index)) % PAGES
  return `page ${hash}`
}

/** A lease is over at the moment at which it ends. */
function isHeld(entry: Reservation, at: number): boolean {
  return at < entry.leaseUntil
}

/** An answer lives for its time from its completion on; at the end of it, it is gone. What an owner has left lives as long. */
function isOver(entry: Reservation | Completion, at: number, { ttlMs }: LedgerRules): boolean {
  return at >= (entry.state === 'completed' ? entry.completedAt : entry.leaseUntil) + ttlMs
}

/** The ledger without what is over. */
function swept(ledger: Ledger, at: number, rules: LedgerRules): Ledger {
  const over = completionsOf(ledger).filter(([, entry]) => isOver(entry, at, rules))
  const left = Object.entries(ledger.inProgress).filter(([, entry]) => isOver(entry, at, rules))
  const inProgress = without(
    ledger.inProgress,
    left.map(([name]) => name),
  )
  return withoutCompleted(
    { ...ledger, inProgress },
    over.map(([name]) => name),
  )
}

/**
 * The ledger within its bounds: first what is over goes, then what owners have left, then the oldest answers. What is in progress
 * stays, whatever the bound, and so does `name`, which has just changed. At the bound of keys it costs two looks at each key.
 */
function bounded(ledger: Ledger, name: string, at: number, rules: LedgerRules): Ledger {
  if (surplusOf(ledger, rules) <= 0 && ledger.bytes <= rules.keptBytesMax) return ledger
  const fresh = swept(ledger, at, rules)
  const left = Object.entries(fresh.inProgress).filter(([other, entry]) => other !== name && !isHeld(entry, at))
  left.sort(([, one], [, other]) => one.leaseUntil - other.leaseUntil)
  const forgotten = left.slice(0, Math.max(0, surplusOf(fresh, rules))).map(([other]) => other)
  let surplus = surplusOf(fresh, rules) - forgotten.length
  let { bytes } = fresh
  const gone: string[] = []
  if (surplus > 0 || bytes > rules.keptBytesMax) {
    const candidates = completionsOf(fresh).filter(([other]) => other !== name)
    for (const [other, entry] of surplus === 1 && bytes <= rules.keptBytesMax ? oldest(candidates) : byAge(candidates)) {
      if (surplus <= 0 && bytes <= rules.keptBytesMax) break
      gone.push(other)
      surplus -= 1
      bytes -= entry.bytes
    }
  }
  const inProgress = forgotten.length === 0 ? fresh.inProgress : without(fresh.inProgress, forgotten)
  return withoutCompleted({ ...fresh, inProgress }, gone)
}

function surplusOf(ledger: Ledger, { keysMax }: LedgerRules): number {
  return ledger.completed + Object.keys(ledger.inProgress).length - keysMax
}

type Completed = readonly [name: string, completion: Completion]

/** One goes for one that comes, nearly always: that needs no sorting. */
function oldest(entries: readonly Completed[]): readonly Completed[] {
  const [first, ...rest] = entries
  if (first === undefined) return []
  let found = first
  for (const entry of rest) if (entry[1].order < found[1].order) found = entry
  return [found]
}

function byAge(entries: readonly Completed[]): readonly Completed[] {
  return entries.toSorted(([, one], [, other]) => one.order - other.order)
}

function withoutCompleted(ledger: Ledger, names: readonly string[]): Ledger {
  const pages: Record<`page ${number}`, Page> = {}
  let { completed, bytes } = ledger
  for (const name of names) {
    const page = pageOf(name)
    const entries = pages[page] ?? ledger[page]
    const entry = entries?.[name]
    if (entries === undefined || entry === undefined) continue
    pages[page] = without(entries, [name])
    completed -= 1
    bytes -= entry.bytes
  }
  return completed === ledger.completed ? ledger : { ...ledger, ...pages, completed, bytes }
}

function without<Entry>(entries: Readonly<Record<string, Entry>>, names: readonly string[]): Readonly<Record<string, Entry>> {
  const gone = new Set(names)
  return Object.fromEntries(Object.entries(entries).filter(([name]) => !gone.has(name)))
}
