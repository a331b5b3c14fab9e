/**
 * The table `inbox`: commands accepted but not finished. Those with a `due_at` are read when they are due, the others at once.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { InboxChange, InboxCommand } from '../../store.ts'

const columns = `sequence, id, type, key, command, lane, input, idempotency_key AS idempotencyKey, fingerprint, at,
    due_at AS dueAt, detail`

export const inboxSql: Readonly<Record<'insert' | 'change' | 'delete' | 'all' | 'due' | 'next', string>> = {
  insert: `INSERT INTO inbox (sequence, id, type, key, command, lane, input, idempotency_key, fingerprint, at, due_at, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  change: 'UPDATE inbox SET input = ?, detail = ? WHERE sequence = ?',
  delete: 'DELETE FROM inbox WHERE sequence = ?',
  all: `SELECT ${columns} FROM inbox WHERE due_at IS NULL ORDER BY sequence`,
  due: `SELECT ${columns} FROM inbox WHERE due_at <= ? ORDER BY due_at, sequence LIMIT ?`,
  next: 'SELECT due_at AS dueAt FROM inbox WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1',
}

interface InboxRow extends Omit<InboxCommand, 'idempotency' | 'dueAt' | 'detail'> {
  readonly idempotencyKey: string | null
  readonly fingerprint: string | null
  readonly dueAt: number | null
  readonly detail: string | null
}

type InboxValues = [
  number,
  string,
  string,
  string,
  string,
  number,
  string,
  string | null,
  string | null,
  number,
  number | null,
  string | null,
]

/** The prepared statements of `inbox`. */
export class InboxTable {
  readonly #insert: Statement<InboxValues>
  readonly #change: Statement<[string, string | null, number]>
  readonly #delete: Statement<[number]>
  readonly #all: Statement<[], InboxRow>
  readonly #due: Statement<[number, number], InboxRow>
  readonly #next: Statement<[], { readonly dueAt: number }>

  constructor(db: Database) {
    this.#insert = db.prepare(inboxSql.insert)
    this.#change = db.prepare(inboxSql.change)
    this.#delete = db.prepare(inboxSql.delete)
    this.#all = db.prepare(inboxSql.all)
    this.#due = db.prepare(inboxSql.due)
    this.#next = db.prepare(inboxSql.next)
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
        row.dueAt ?? null,
        row.detail ?? null,
      )
    }
  }

  change(rows: readonly InboxChange[]): void {
    for (const row of rows) this.#change.run(row.input, row.detail ?? null, row.sequence)
  }

  delete(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#delete.run(sequence)
  }

  /** Those without a `due_at`. */
  all(): InboxCommand[] {
    return this.#all.all().map(toCommand)
  }

  due(now: number, limit: number): InboxCommand[] {
    return this.#due.all(now, limit).map(toCommand)
  }

  next(): number | undefined {
    return this.#next.get()?.dueAt
  }
}

function toCommand(row: InboxRow): InboxCommand {
  const { idempotencyKey, fingerprint, dueAt, detail, ...command } = row
  const idempotency = idempotencyKey === null || fingerprint === null ? undefined : { key: idempotencyKey, fingerprint }
  return { ...command, idempotency, dueAt: dueAt ?? undefined, detail: detail ?? undefined }
}
