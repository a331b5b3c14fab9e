/**
 * The table `fault`: what is known of actors' failures, also of actors that are not stored.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { FaultChanged, StoredFault } from '../../store.ts'

export const faultSql = {
  set: `INSERT INTO fault (type, key, detail) VALUES (?, ?, ?)
    ON CONFLICT (type, key) DO UPDATE SET detail = excluded.detail`,
  delete: 'DELETE FROM fault WHERE type = ? AND key = ?',
  all: 'SELECT type, key, detail FROM fault ORDER BY type, key',
} as const

/** The prepared statements of `fault`. */
export class FaultTable {
  readonly #set: Statement<[string, string, string]>
  readonly #delete: Statement<[string, string]>
  readonly #all: Statement<[], StoredFault>

  constructor(db: Database) {
    this.#set = db.prepare(faultSql.set)
    this.#delete = db.prepare(faultSql.delete)
    this.#all = db.prepare(faultSql.all)
  }

  /** Sets each, or deletes it where it has no detail. */
  change(rows: readonly FaultChanged[]): void {
    for (const row of rows) {
      if (row.detail === undefined) this.#delete.run(row.type, row.key)
      else this.#set.run(row.type, row.key, row.detail)
    }
  }

  /** By type and key. */
  all(): StoredFault[] {
    return this.#all.all()
  }
}
