/**
 * The table `inbox`: commands accepted but not finished.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { InboxCommand } from '../../store.ts'

export const inboxSql = {
  insert: `INSERT INTO inbox (sequence, id, type, key, command, lane, input, idempotency_key, fingerprint, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  delete: 'DELETE FROM inbox WHERE sequence = ?',
  all: `SELECT sequence, id, type, key, command, lane, input, idempotency_key AS idempotencyKey, fingerprint, at
    FROM inbox ORDER BY sequence`,
} as const

interface InboxRow extends Omit<InboxCommand, 'idempotency'> {
  readonly idempotencyKey: string | null
  readonly fingerprint: string | null
}

type InboxValues = [number, string, string, string, string, number, string, string | null, string | null, number]

/** The prepared statements of `inbox`. */
export class InboxTable {
  readonly #insert: Statement<InboxValues>
  readonly #delete: Statement<[number]>
  readonly #all: Statement<[], InboxRow>

  constructor(db: Database) {
    this.#insert = db.prepare(inboxSql.insert)
    this.#delete = db.prepare(inboxSql.delete)
    this.#all = db.prepare(inboxSql.all)
  }

  insert(rows: readonly InboxCommand[]): void {
    for (const row of rows) {
      const idempotency = row.idempotency
      this.#insert.run(
        row.sequence,
        row.id,
        row.type,
        row.key,
        row.command,
        row.lane,
        row.input,
        idempotency === undefined ? null : idempotency.key,
        idempotency === undefined ? null : idempotency.fingerprint,
        row.at,
      )
    }
  }

  delete(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#delete.run(sequence)
  }

  all(): InboxCommand[] {
    return this.#all.all().map(toCommand)
  }
}

function toCommand(row: InboxRow): InboxCommand {
  const { idempotencyKey, fingerprint, ...command } = row
  const idempotency = idempotencyKey === null || fingerprint === null ? undefined : { key: idempotencyKey, fingerprint }
  return { ...command, idempotency }
}
