/**
 * The table `late_result`: the latest of what came from owners of older epochs.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { LateResult } from '../../store.ts'

const columns = 'sequence, type, key, epoch, detail, at'

export const lateResultSql: Readonly<Record<'insert' | 'trim' | 'all' | 'of', string>> = {
  insert: `INSERT INTO late_result (${columns}) VALUES (?, ?, ?, ?, ?, ?)`,
  // The inner query finds the first one that is too many, counted from the latest.
  trim: 'DELETE FROM late_result WHERE sequence <= (SELECT sequence FROM late_result ORDER BY sequence DESC LIMIT 1 OFFSET ?)',
  all: `SELECT ${columns} FROM late_result ORDER BY sequence DESC LIMIT ?`,
  of: `SELECT ${columns} FROM late_result WHERE type = ? AND key = ? ORDER BY sequence DESC LIMIT ?`,
}

/** The prepared statements of `late_result`. */
export class LateResultTable {
  readonly #insert: Statement<[number, string, string, number, string, number]>
  readonly #trim: Statement<[number]>
  readonly #all: Statement<[number], LateResult>
  readonly #of: Statement<[string, string, number], LateResult>

  constructor(db: Database) {
    this.#insert = db.prepare(lateResultSql.insert)
    this.#trim = db.prepare(lateResultSql.trim)
    this.#all = db.prepare(lateResultSql.all)
    this.#of = db.prepare(lateResultSql.of)
  }

  /** Adds late results, then deletes what is more than `max`, the oldest. */
  add(rows: readonly LateResult[], max: number): void {
    if (rows.length === 0) return
    for (const row of rows) this.#insert.run(row.sequence, row.type, row.key, row.epoch, row.detail, row.at)
    this.#trim.run(max)
  }

  /** The latest first. */
  all(limit: number): LateResult[] {
    return this.#all.all(limit)
  }

  /** Those of one actor, the latest first. */
  of(type: string, key: string, limit: number): LateResult[] {
    return this.#of.all(type, key, limit)
  }
}
