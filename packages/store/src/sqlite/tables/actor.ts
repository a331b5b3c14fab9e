/**
 * The table `actor`: the last snapshot of each actor of the shard.
 */
import type { Database, Statement } from 'better-sqlite3'
import { BatchInvalid } from '../../errors.ts'
import type { ActorChanged, ActorCreated } from '../../store.ts'

export const actorSql = {
  insert: 'INSERT INTO actor (number, type, key, revision, version, snapshot) VALUES (?, ?, ?, ?, ?, ?)',
  update: 'UPDATE actor SET revision = ?, version = ?, snapshot = ? WHERE number = ?',
  find: 'SELECT number, revision, version, snapshot FROM actor WHERE type = ? AND key = ?',
} as const

/** The prepared statements of `actor`. */
export class ActorTable {
  readonly #insert: Statement<[number, string, string, number, number, string]>
  readonly #update: Statement<[number, number, string, number]>
  readonly #find: Statement<[string, string], ActorChanged>

  constructor(db: Database) {
    this.#insert = db.prepare(actorSql.insert)
    this.#update = db.prepare(actorSql.update)
    this.#find = db.prepare(actorSql.find)
  }

  insert(rows: readonly ActorCreated[]): void {
    for (const row of rows) this.#insert.run(row.number, row.type, row.key, row.revision, row.version, row.snapshot)
  }

  update(rows: readonly ActorChanged[]): void {
    for (const row of rows) {
      const result = this.#update.run(row.revision, row.version, row.snapshot, row.number)
      if (result.changes === 0) throw new BatchInvalid(`it changes actor ${row.number}, which does not exist`)
    }
  }

  find(type: string, key: string): ActorChanged | undefined {
    return this.#find.get(type, key)
  }
}
