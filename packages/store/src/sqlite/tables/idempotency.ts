/**
 * The table `idempotency`: recorded outcomes of commands that had a key.
 *
 * How many there are is kept in memory, because counting them takes the longer the more there are. The number is exact: it
 * is counted once, follows every change, and goes back when a transaction does.
 */
import type { Database, Statement } from 'better-sqlite3'
import { BatchInvalid } from '../../errors.ts'
import type { OutcomeRecorded, StoredOutcome } from '../../store.ts'

export const idempotencySql = {
  insert: `INSERT INTO idempotency (scope, key, fingerprint, outcome, expires_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (scope, key) DO NOTHING`,
  // A record that still counts is never replaced: zero rows changed is the answer.
  replace: `UPDATE idempotency SET fingerprint = ?, outcome = ?, expires_at = ?
    WHERE scope = ? AND key = ? AND expires_at <= ?`,
  find: `SELECT fingerprint, outcome, expires_at AS expiresAt FROM idempotency
    WHERE scope = ? AND key = ? AND expires_at > ?`,
  expire: `DELETE FROM idempotency WHERE (scope, key) IN
    (SELECT scope, key FROM idempotency WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
  evict: `DELETE FROM idempotency WHERE (scope, key) IN
    (SELECT scope, key FROM idempotency ORDER BY expires_at LIMIT ?)`,
  count: 'SELECT count(*) AS count FROM idempotency',
} as const

/** The prepared statements of `idempotency`, and the number of its rows. */
export class IdempotencyTable {
  readonly #insert: Statement<[string, string, string, string, number]>
  readonly #replace: Statement<[string, string, number, string, string, number]>
  readonly #find: Statement<[string, string, number], StoredOutcome>
  readonly #expire: Statement<[number, number]>
  readonly #evict: Statement<[number]>
  readonly #counting: Statement<[], { readonly count: number }>
  /** Rows as this transaction sees them; `undefined` until they are first needed. */
  #count: number | undefined
  /** Rows as they were before this transaction. */
  #committed: number | undefined

  constructor(db: Database) {
    this.#insert = db.prepare(idempotencySql.insert)
    this.#replace = db.prepare(idempotencySql.replace)
    this.#find = db.prepare(idempotencySql.find)
    this.#expire = db.prepare(idempotencySql.expire)
    this.#evict = db.prepare(idempotencySql.evict)
    this.#counting = db.prepare(idempotencySql.count)
  }

  /** Records outcomes, then deletes what is more than `max`, the rows that expire first. */
  record(rows: readonly OutcomeRecorded[], at: number, max: number): void {
    if (rows.length === 0) return
    let count = this.#count ?? this.#counted()
    for (const row of rows) {
      if (this.#insert.run(row.scope, row.key, row.fingerprint, row.outcome, row.expiresAt).changes === 1) count += 1
      else this.#replaceExpired(row, at)
    }
    this.#count = count > max ? count - this.#evict.run(count - max).changes : count
  }

  find(scope: string, key: string, now: number): StoredOutcome | undefined {
    return this.#find.get(scope, key, now)
  }

  expire(now: number, limit: number): number {
    const { changes } = this.#expire.run(now, limit)
    if (this.#count !== undefined) this.#count -= changes
    return changes
  }

  /** The transaction has been committed. */
  committed(): void {
    this.#committed = this.#count
  }

  /** The transaction has been rolled back. */
  rolledBack(): void {
    this.#count = this.#committed
  }

  #replaceExpired(row: OutcomeRecorded, at: number): void {
    const result = this.#replace.run(row.fingerprint, row.outcome, row.expiresAt, row.scope, row.key, at)
    if (result.changes === 0) throw new BatchInvalid(`it records an outcome for ${row.scope} ${row.key}, which has one that still counts`)
  }

  /** Counts the rows; before the first change of the transaction, so that the number also holds if it is rolled back. */
  #counted(): number {
    const count = this.#counting.get()?.count ?? 0
    this.#committed = count
    return count
  }
}
