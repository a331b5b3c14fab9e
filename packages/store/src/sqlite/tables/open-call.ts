/**
 * The table `open_call`: calls that an actor has to answer, or awaits the answer of.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { OpenCall, StoredOpenCall } from '../../store.ts'

export const openCallSql = {
  open: `INSERT INTO open_call (sequence, actor, detail) VALUES (?, ?, ?)
    ON CONFLICT (sequence) DO UPDATE SET detail = excluded.detail`,
  close: 'DELETE FROM open_call WHERE sequence = ?',
  of: 'SELECT sequence, detail FROM open_call WHERE actor = ? ORDER BY sequence',
} as const

/** The prepared statements of `open_call`. */
export class OpenCallTable {
  readonly #open: Statement<[number, number, string]>
  readonly #close: Statement<[number]>
  readonly #of: Statement<[number], StoredOpenCall>

  constructor(db: Database) {
    this.#open = db.prepare(openCallSql.open)
    this.#close = db.prepare(openCallSql.close)
    this.#of = db.prepare(openCallSql.of)
  }

  open(rows: readonly OpenCall[]): void {
    for (const row of rows) this.#open.run(row.sequence, row.actor, row.detail)
  }

  close(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#close.run(sequence)
  }

  of(actor: number): StoredOpenCall[] {
    return this.#of.all(actor)
  }
}
