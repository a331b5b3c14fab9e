/**
 * Recorded outcomes of commands that had a key.
 */
import { BatchInvalid } from '../../errors.ts'
import type { OutcomeRecorded, StoredOutcome } from '../../store.ts'
import { Ordered, byText } from '../ordered.ts'
import { pair } from '../pair.ts'
import type { Undo } from '../undo.ts'

/** The table `idempotency`. */
export class MemoryOutcomes {
  readonly #rows = new Map<string, OutcomeRecorded>()
  readonly #expiries = new Ordered<OutcomeRecorded>(byExpiry)

  /** Records outcomes, then deletes what is more than `max`, the rows that expire first. */
  record(rows: readonly OutcomeRecorded[], at: number, max: number, undo: Undo[]): void {
    if (rows.length === 0) return
    for (const row of rows) this.#record(row, at, undo)
    for (let row = this.#expiries.at(0); row !== undefined && this.#rows.size > max; row = this.#expiries.at(0)) {
      const evicted = row
      this.#take(evicted)
      undo.push(() => this.#put(evicted))
    }
  }

  find(scope: string, key: string, now: number): StoredOutcome | undefined {
    const row = this.#rows.get(pair(scope, key))
    if (row === undefined || row.expiresAt <= now) return undefined
    return { fingerprint: row.fingerprint, outcome: row.outcome, expiresAt: row.expiresAt }
  }

  /** Deletes up to `limit` outcomes that have expired at `now`, the oldest first. */
  expire(now: number, limit: number, undo: Undo[]): number {
    let count = 0
    for (let row = this.#expiries.at(0); row !== undefined && row.expiresAt <= now && count < limit; row = this.#expiries.at(0)) {
      const expired = row
      this.#take(expired)
      undo.push(() => this.#put(expired))
      count += 1
    }
    return count
  }

  #record(row: OutcomeRecorded, at: number, undo: Undo[]): void {
    const before = this.#rows.get(pair(row.scope, row.key))
    if (before !== undefined && before.expiresAt > at) {
      throw new BatchInvalid(`it records an outcome for ${row.scope} ${row.key}, which has one that still counts`)
    }
    const { scope, key, fingerprint, outcome, expiresAt } = row
    const after = { scope, key, fingerprint, outcome, expiresAt }
    if (before !== undefined) this.#take(before)
    this.#put(after)
    undo.push(() => {
      this.#take(after)
      if (before !== undefined) this.#put(before)
    })
  }

  #put(row: OutcomeRecorded): void {
    this.#rows.set(pair(row.scope, row.key), row)
    this.#expiries.add(row)
  }

  #take(row: OutcomeRecorded): void {
    this.#rows.delete(pair(row.scope, row.key))
    this.#expiries.remove(row)
  }
}

function byExpiry(left: OutcomeRecorded, right: OutcomeRecorded): number {
  return left.expiresAt - right.expiresAt || byText(left.scope, right.scope) || byText(left.key, right.key)
}
