/**
 * The table `timer`: the alarms of the shard's actors.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { DueTimer, TimerCleared, TimerSet } from '../../store.ts'

export const timerSql = {
  set: `INSERT INTO timer (actor, name, generation, due_at, event) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (actor, name) DO UPDATE
    SET generation = excluded.generation, due_at = excluded.due_at, event = excluded.event`,
  clear: 'DELETE FROM timer WHERE actor = ? AND name = ?',
  clearGeneration: 'DELETE FROM timer WHERE actor = ? AND name = ? AND generation = ?',
  // CROSS JOIN fixes the order: by the index on due_at, then one actor each.
  due: `SELECT timer.actor, timer.name, timer.generation, timer.due_at AS dueAt, timer.event, actor.type, actor.key
    FROM timer CROSS JOIN actor ON actor.number = timer.actor
    WHERE timer.due_at <= ? ORDER BY timer.due_at, timer.generation LIMIT ?`,
  next: 'SELECT due_at AS dueAt FROM timer ORDER BY due_at LIMIT 1',
} as const

/** The prepared statements of `timer`. */
export class TimerTable {
  readonly #set: Statement<[number, string, number, number, string]>
  readonly #clear: Statement<[number, string]>
  readonly #clearGeneration: Statement<[number, string, number]>
  readonly #due: Statement<[number, number], DueTimer>
  readonly #next: Statement<[], { readonly dueAt: number }>

  constructor(db: Database) {
    this.#set = db.prepare(timerSql.set)
    this.#clear = db.prepare(timerSql.clear)
    this.#clearGeneration = db.prepare(timerSql.clearGeneration)
    this.#due = db.prepare(timerSql.due)
    this.#next = db.prepare(timerSql.next)
  }

  set(rows: readonly TimerSet[]): void {
    for (const row of rows) this.#set.run(row.actor, row.name, row.generation, row.dueAt, row.event)
  }

  clear(rows: readonly TimerCleared[]): void {
    for (const row of rows) {
      if (row.generation === undefined) this.#clear.run(row.actor, row.name)
      else this.#clearGeneration.run(row.actor, row.name, row.generation)
    }
  }

  due(now: number, limit: number): DueTimer[] {
    return this.#due.all(now, limit)
  }

  next(): number | undefined {
    return this.#next.get()?.dueAt
  }
}
