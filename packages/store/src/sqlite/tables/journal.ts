/**
 * The table `journal`: the events of journaled actors. Those after the snapshot are needed to recover; older ones are history.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { JournalEntry, JournalTrim } from '../../store.ts'

export const journalSql = {
  insert: 'INSERT INTO journal (actor, sequence, at, event) VALUES (?, ?, ?, ?)',
  // The snapshot's revision bounds the trim: rows after it are what recovery folds.
  trim: 'DELETE FROM journal WHERE actor = ? AND sequence <= min(?, (SELECT revision FROM actor WHERE number = ?))',
  after: 'SELECT sequence, event FROM journal WHERE actor = ? AND sequence > ? ORDER BY sequence',
} as const

export interface JournalRow {
  readonly sequence: number
  readonly event: string
}

/** The prepared statements of `journal`. */
export class JournalTable {
  readonly #insert: Statement<[number, number, number, string]>
  readonly #trim: Statement<[number, number, number]>
  readonly #after: Statement<[number, number], JournalRow>

  constructor(db: Database) {
    this.#insert = db.prepare(journalSql.insert)
    this.#trim = db.prepare(journalSql.trim)
    this.#after = db.prepare(journalSql.after)
  }

  insert(rows: readonly JournalEntry[]): void {
    for (const row of rows) this.#insert.run(row.actor, row.sequence, row.at, row.event)
  }

  trim(trims: readonly JournalTrim[]): void {
    for (const trim of trims) this.#trim.run(trim.actor, trim.through, trim.actor)
  }

  after(actor: number, sequence: number): JournalRow[] {
    return this.#after.all(actor, sequence)
  }
}
