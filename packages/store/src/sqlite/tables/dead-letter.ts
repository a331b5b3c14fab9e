/**
 * The table `dead_letter`: commands and effects that could not be handled.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { DeadLetter, DeadLetterFilter } from '../../store.ts'

export const deadLetterSql = {
  insert: `INSERT INTO dead_letter (sequence, type, key, command, reason, error, input, natural_key, revision, detail, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  delete: 'DELETE FROM dead_letter WHERE sequence = ?',
  trim: 'DELETE FROM dead_letter WHERE sequence IN (SELECT sequence FROM dead_letter ORDER BY sequence LIMIT ?)',
  count: 'SELECT count(*) AS count FROM dead_letter',
} as const

/** The term of each field of a filter. */
const terms: Readonly<Record<keyof DeadLetterFilter, string>> = {
  sequence: 'sequence = ?',
  type: 'type = ?',
  key: 'key = ?',
  command: 'command = ?',
  reason: 'reason = ?',
  naturalKey: 'natural_key = ?',
  before: 'sequence < ?',
}

const fields = Object.keys(terms) as readonly (keyof DeadLetterFilter)[]

/** The statement that finds what a filter with these fields lets through, the latest first. */
export function deadLetterList(given: readonly (keyof DeadLetterFilter)[]): string {
  const where = given.length === 0 ? '' : `WHERE ${given.map((field) => terms[field]).join(' AND ')}`
  return `SELECT sequence, type, key, command, reason, error, input, natural_key AS naturalKey, revision, detail, at
    FROM dead_letter ${where} ORDER BY sequence DESC LIMIT ?`
}

interface DeadLetterRow extends Omit<DeadLetter, 'naturalKey' | 'revision'> {
  readonly naturalKey: string | null
  readonly revision: number | null
}

type DeadLetterValues = [number, string, string, string, string, string, string, string | null, number | null, string, number]

/** The prepared statements of `dead_letter`; those that list are prepared when a filter first needs them. */
export class DeadLetterTable {
  readonly #db: Database
  readonly #insert: Statement<DeadLetterValues>
  readonly #delete: Statement<[number]>
  readonly #trim: Statement<[number]>
  readonly #count: Statement<[], { readonly count: number }>
  readonly #lists = new Map<string, Statement<(string | number)[], DeadLetterRow>>()

  constructor(db: Database) {
    this.#db = db
    this.#insert = db.prepare(deadLetterSql.insert)
    this.#delete = db.prepare(deadLetterSql.delete)
    this.#trim = db.prepare(deadLetterSql.trim)
    this.#count = db.prepare(deadLetterSql.count)
  }

  insert(rows: readonly DeadLetter[]): void {
    for (const row of rows) {
      this.#insert.run(
        row.sequence,
        row.type,
        row.key,
        row.command,
        row.reason,
        row.error,
        row.input,
        row.naturalKey ?? null,
        row.revision ?? null,
        row.detail,
        row.at,
      )
    }
  }

  delete(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#delete.run(sequence)
  }

  /** Deletes so many of the oldest. */
  trim(count: number): void {
    if (count > 0) this.#trim.run(count)
  }

  list(filter: DeadLetterFilter, limit: number): DeadLetter[] {
    const given = fields.filter((field) => filter[field] !== undefined)
    const values = given.flatMap((field) => filter[field] ?? [])
    return this.#listing(deadLetterList(given))
      .all(...values, limit)
      .map(toLetter)
  }

  count(): number {
    return this.#count.get()?.count ?? 0
  }

  #listing(sql: string): Statement<(string | number)[], DeadLetterRow> {
    const prepared = this.#lists.get(sql)
    if (prepared !== undefined) return prepared
    const statement = this.#db.prepare<(string | number)[], DeadLetterRow>(sql)
    this.#lists.set(sql, statement)
    return statement
  }
}

function toLetter(row: DeadLetterRow): DeadLetter {
  return { ...row, naturalKey: row.naturalKey ?? undefined, revision: row.revision ?? undefined }
}
