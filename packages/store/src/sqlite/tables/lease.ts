/**
 * The table `lease`: who may act for what, actor by actor.
 */
import type { Database, Statement } from 'better-sqlite3'
import { BatchInvalid } from '../../errors.ts'
import type { LeaseChanged, StoredLease } from '../../store.ts'

export const leaseSql = {
  // An epoch never goes back: zero rows changed is the answer.
  set: `INSERT INTO lease (actor, name, epoch, detail) VALUES (?, ?, ?, ?)
    ON CONFLICT (actor, name) DO UPDATE SET epoch = excluded.epoch, detail = excluded.detail
    WHERE epoch <= excluded.epoch`,
  of: 'SELECT name, epoch, detail FROM lease WHERE actor = ? ORDER BY name',
} as const

/** The prepared statements of `lease`. */
export class LeaseTable {
  readonly #set: Statement<[number, string, number, string]>
  readonly #of: Statement<[number], StoredLease>

  constructor(db: Database) {
    this.#set = db.prepare(leaseSql.set)
    this.#of = db.prepare(leaseSql.of)
  }

  set(rows: readonly LeaseChanged[]): void {
    for (const row of rows) {
      const result = this.#set.run(row.actor, row.name, row.epoch, row.detail)
      if (result.changes === 0) {
        throw new BatchInvalid(`it sets lease ${row.name} of actor ${row.actor} to epoch ${row.epoch}, which is smaller than before`)
      }
    }
  }

  of(actor: number): StoredLease[] {
    return this.#of.all(actor)
  }
}
