/**
 * The table `idempotency`: recorded outcomes of commands that had a key.
 */
import type { Database, Statement } from 'better-sqlite3'
import { BatchInvalid } from '../../errors.ts'
import type { OutcomeRecorded, StoredOutcome } from '../../store.ts'

export const idempotencySql = {
  // A record that still counts is never replaced: zero rows changed is the answer.
  record: `INSERT INTO idempotency (scope, key, fingerprint, outcome, expires_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, outcome = excluded.outcome, expires_at = excluded.expires_at
    WHERE idempotency.expires_at <= ?`,
  find: `SELECT fingerprint, outcome, expires_at AS expiresAt FROM idempotency
    WHERE scope = ? AND key = ? AND expires_at > ?`,
  expire: `DELETE FROM idempotency WHERE (scope, key) IN
    (SELECT scope, key FROM idempotency WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
} as const

/** The prepared statements of `idempotency`. */
export class IdempotencyTable {
  readonly #record: Statement<[string, string, string, string, number, number]>
  readonly #find: Statement<[string, string, number], StoredOutcome>
  readonly #expire: Statement<[number, number]>

  constructor(db: Database) {
    this.#record = db.prepare(idempotencySql.record)
    this.#find = db.prepare(idempotencySql.find)
    this.#expire = db.prepare(idempotencySql.expire)
  }

  record(rows: readonly OutcomeRecorded[], at: number): void {
    for (const row of rows) {
      const result = this.#record.run(row.scope, row.key, row.fingerprint, row.outcome, row.expiresAt, at)
      if (result.changes === 0) throw new BatchInvalid(`it records an outcome for ${row.scope} ${row.key}, which has one that still counts`)
    }
  }

  find(scope: string, key: string, now: number): StoredOutcome | undefined {
    return this.#find.get(scope, key, now)
  }

  expire(now: number, limit: number): number {
    return this.#expire.run(now, limit).changes
  }
}
