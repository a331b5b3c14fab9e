/**
 * The table `outbox`: messages to other shards that they do not have yet.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { LinkMark, OutboxMessage } from '../../store.ts'

export const outboxSql = {
  insert: 'INSERT INTO outbox (peer, sequence, message) VALUES (?, ?, ?)',
  delivered: 'DELETE FROM outbox WHERE peer = ? AND sequence <= ?',
  to: 'SELECT peer, sequence, message FROM outbox WHERE peer = ? AND sequence > ? ORDER BY sequence LIMIT ?',
  count: 'SELECT count(*) AS count FROM outbox',
} as const

/** The prepared statements of `outbox`. */
export class OutboxTable {
  readonly #insert: Statement<[number, number, string]>
  readonly #delivered: Statement<[number, number]>
  readonly #to: Statement<[number, number, number], OutboxMessage>
  readonly #count: Statement<[], { readonly count: number }>

  constructor(db: Database) {
    this.#insert = db.prepare(outboxSql.insert)
    this.#delivered = db.prepare(outboxSql.delivered)
    this.#to = db.prepare(outboxSql.to)
    this.#count = db.prepare(outboxSql.count)
  }

  insert(rows: readonly OutboxMessage[]): void {
    for (const row of rows) this.#insert.run(row.peer, row.sequence, row.message)
  }

  delivered(marks: readonly LinkMark[]): void {
    for (const mark of marks) this.#delivered.run(mark.peer, mark.through)
  }

  to(peer: number, after: number, limit: number): OutboxMessage[] {
    return this.#to.all(peer, after, limit)
  }

  count(): number {
    return this.#count.get()?.count ?? 0
  }
}
