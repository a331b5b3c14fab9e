/**
 * The table `frame`: the last checkpoint of each turn that has one. It is read together with its turn and goes with it.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { FrameSaved } from '../../store.ts'

export const frameSql = {
  save: `INSERT INTO frame (turn, frame, discarded) VALUES (?, ?, 0)
    ON CONFLICT (turn) DO UPDATE SET frame = excluded.frame, discarded = 0`,
  discard: 'UPDATE frame SET discarded = 1 WHERE turn = ?',
} as const

/** The prepared statements of `frame`. */
export class FrameTable {
  readonly #save: Statement<[number, string]>
  readonly #discard: Statement<[number]>

  constructor(db: Database) {
    this.#save = db.prepare(frameSql.save)
    this.#discard = db.prepare(frameSql.discard)
  }

  save(rows: readonly FrameSaved[]): void {
    for (const row of rows) this.#save.run(row.turn, row.frame)
  }

  /** Marks frames as kept for diagnosis only. */
  discard(turns: readonly number[]): void {
    for (const turn of turns) this.#discard.run(turn)
  }
}
