/**
 * What is known of the tokens of one principal: plain arithmetic on plain data.
 *
 * - `generation` only rises. A token of an earlier generation is revoked: that is how all are revoked at once, also those that were
 *   never seen here.
 * - `live` has every unexpired token of the present generation that was issued here and not revoked: so it is known how many a
 *   revocation of all meets.
 * - `revoked` has those that were revoked one by one, until they have expired. Ids that were never issued here are kept for as long
 *   as any token may live.
 * - When `revoked` is full, nothing is forgotten: for as long as any token that exists now may live, only those in `live` count.
 *   Who is refused by that are tokens that were issued elsewhere with the same secret.
 */

/** Expiry by id of a token, in milliseconds since 1970. Ids have a form that no property of an object has. */
type Expiries = Readonly<Record<string, number>>

/** What the last command has come to. */
type LedgerAnswer =
  | { readonly outcome: 'issued'; readonly generation: number; readonly issued: number; readonly expires: number }
  | { readonly outcome: 'full'; readonly limit: number }
  | { readonly outcome: 'revoked'; readonly count: number }

/** The state of a principal's actor. */
export interface TokenLedger {
  readonly generation: number
  readonly live: Expiries
  readonly revoked: Expiries
  /** Before this moment a token counts only if it is in `live`. */
  readonly liveOnlyUntil: number
  readonly answer: LedgerAnswer | null
}

/** What bounds it. */
export interface LedgerRules {
  readonly lifeMs: number
  readonly lifeMsMax: number
  readonly liveMax: number
  readonly revokedMax: number
}

/** What can happen to it; `at` is the shard's time. */
export type LedgerEvent =
  | { readonly type: 'issue'; readonly id: string; readonly lifeMs?: number | undefined; readonly at: number }
  | { readonly type: 'revoke'; readonly id: string; readonly at: number }
  | { readonly type: 'revokeAll'; readonly at: number }

/** Nothing was issued yet. */
export const EMPTY_LEDGER: TokenLedger = { generation: 0, live: {}, revoked: {}, liveOnlyUntil: 0, answer: null }

/** The ledger after an event. What has expired by then is forgotten. */
export function nextLedger(rules: LedgerRules, before: TokenLedger, event: LedgerEvent): TokenLedger {
  const { at } = event
  const ledger = { ...before, live: unexpired(before.live, at), revoked: unexpired(before.revoked, at) }
  switch (event.type) {
    case 'issue':
      return issue(rules, ledger, event.id, at, event.lifeMs ?? rules.lifeMs)
    case 'revoke':
      return revoke(rules, ledger, event.id, at)
    case 'revokeAll': {
      const count = sizeOf(ledger.live)
      return { ...ledger, generation: ledger.generation + 1, live: {}, answer: { outcome: 'revoked', count } }
    }
  }
}

/** Whether a token is revoked. It says nothing of its signature and its time. */
export function isRevoked(ledger: TokenLedger, token: { readonly id: string; readonly generation: number }, at: number): boolean {
  if (token.generation < ledger.generation || Object.hasOwn(ledger.revoked, token.id)) return true
  return at < ledger.liveOnlyUntil && !Object.hasOwn(ledger.live, token.id)
}

function issue({ liveMax }: LedgerRules, ledger: TokenLedger, id: string, at: number, lifeMs: number): TokenLedger {
  const { live, revoked, generation } = ledger
  if (sizeOf(live) >= liveMax && !Object.hasOwn(live, id)) return { ...ledger, answer: { outcome: 'full', limit: liveMax } }
  const expires = at + lifeMs
  const answer = { outcome: 'issued', generation, issued: at, expires } as const
  // The id of a token that was revoked stays revoked, whoever uses it again.
  return Object.hasOwn(revoked, id) ? { ...ledger, answer } : { ...ledger, live: { ...live, [id]: expires }, answer }
}

function revoke({ lifeMsMax, revokedMax }: LedgerRules, ledger: TokenLedger, id: string, at: number): TokenLedger {
  const { live, revoked } = ledger
  if (Object.hasOwn(revoked, id)) return { ...ledger, answer: { outcome: 'revoked', count: 0 } }
  const { [id]: expires, ...rest } = live
  const answer = { outcome: 'revoked', count: expires === undefined ? 0 : 1 } as const
  const latest = at + lifeMsMax
  // Nothing that is in `revoked` is in `live`: where only the latter count, the former need no list.
  if (sizeOf(revoked) >= revokedMax) return { ...ledger, live: rest, revoked: {}, liveOnlyUntil: latest, answer }
  return { ...ledger, live: rest, revoked: { ...revoked, [id]: expires ?? latest }, answer }
}

function unexpired(expiries: Expiries, at: number): Expiries {
  const entries = Object.entries(expiries)
  const left = entries.filter(([, expires]) => expires > at)
  return left.length === entries.length ? expiries : Object.fromEntries(left)
}

function sizeOf(expiries: Expiries): number {
  return Object.keys(expiries).length
}
