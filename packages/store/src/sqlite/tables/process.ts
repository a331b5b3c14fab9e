/**
 * The table `process`: child processes that belong to the shard and were not seen to end.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { OwnedProcess } from '../../store.ts'

export const processSql = {
  set: `INSERT INTO process (sequence, detail) VALUES (?, ?)
    ON CONFLICT (sequence) DO UPDATE SET detail = excluded.detail`,
  delete: 'DELETE FROM process WHERE sequence = ?',
  all: 'SELECT sequence, detail FROM process ORDER BY sequence',
} as const

/** The prepared statements of `process`. */
export class ProcessTable {
  readonly #set: Statement<[number, string]>
  readonly #delete: Statement<[number]>
  readonly #all: Statement<[], OwnedProcess>

  constructor(db: Database) {
    this.#set = db.prepare(processSql.set)
    this.#delete = db.prepare(processSql.delete)
    this.#all = db.prepare(processSql.all)
  }

  set(rows: readonly OwnedProcess[]): void {
    for (const row of rows) this.#set.run(row.sequence, row.detail)
  }

  delete(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#delete.run(sequence)
  }

  all(): OwnedProcess[] {
    return this.#all.all()
  }
}
