/**
 * The table `timer`: the alarms of the shard's actors.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { DueTimer, TimerCleared, TimerRestart, TimerSet } from '../../store.ts'

const columns = `timer.actor, timer.name, timer.generation, timer.due_at AS dueAt, timer.event, timer.delay_ms AS delayMs,
    timer.every_ms AS everyMs, timer.on_restart AS onRestart`

export const timerSql: Readonly<Record<'set' | 'clear' | 'clearGeneration' | 'due' | 'next' | 'of' | 'move' | 'restart', string>> = {
  set: `INSERT INTO timer (actor, name, generation, due_at, event, delay_ms, every_ms, on_restart) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (actor, name) DO UPDATE
    SET generation = excluded.generation, due_at = excluded.due_at, event = excluded.event,
    delay_ms = excluded.delay_ms, every_ms = excluded.every_ms, on_restart = excluded.on_restart`,
  clear: 'DELETE FROM timer WHERE actor = ? AND name = ?',
  clearGeneration: 'DELETE FROM timer WHERE actor = ? AND name = ? AND generation = ?',
  // CROSS JOIN fixes the order: by the index on due_at, then one actor each.
  due: `SELECT ${columns}, actor.type, actor.key
    FROM timer CROSS JOIN actor ON actor.number = timer.actor
    WHERE timer.due_at <= ? ORDER BY timer.due_at, timer.generation LIMIT ?`,
  next: 'SELECT due_at AS dueAt FROM timer ORDER BY due_at LIMIT 1',
  of: `SELECT ${columns} FROM timer WHERE actor = (SELECT number FROM actor WHERE type = ? AND key = ?) ORDER BY name`,
  // The first term is what lets the partial index serve: SQLite does not see that the second one implies it.
  move: `UPDATE timer SET due_at = due_at + ? WHERE on_restart <> 'deadline' AND on_restart = 'remaining' AND due_at > ?`,
  restart: `UPDATE timer SET due_at = ? + delay_ms WHERE on_restart <> 'deadline' AND on_restart = 'restart'`,
}

/** The prepared statements of `timer`. */
export class TimerTable {
  readonly #set: Statement<[number, string, number, number, string, number, number, TimerRestart]>
  readonly #clear: Statement<[number, string]>
  readonly #clearGeneration: Statement<[number, string, number]>
  readonly #due: Statement<[number, number], DueTimer>
  readonly #next: Statement<[], { readonly dueAt: number }>
  readonly #of: Statement<[string, string], TimerSet>
  readonly #move: Statement<[number, number]>
  readonly #restart: Statement<[number]>

  constructor(db: Database) {
    this.#set = db.prepare(timerSql.set)
    this.#clear = db.prepare(timerSql.clear)
    this.#clearGeneration = db.prepare(timerSql.clearGeneration)
    this.#due = db.prepare(timerSql.due)
    this.#next = db.prepare(timerSql.next)
    this.#of = db.prepare(timerSql.of)
    this.#move = db.prepare(timerSql.move)
    this.#restart = db.prepare(timerSql.restart)
  }

  set(rows: readonly TimerSet[]): void {
    for (const row of rows) {
      this.#set.run(row.actor, row.name, row.generation, row.dueAt, row.event, row.delayMs, row.everyMs, row.onRestart)
    }
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

  of(type: string, key: string): TimerSet[] {
    return this.#of.all(type, key)
  }

  /** Moves timers that keep their remaining time by `to - from`, if they were not due at `from`. Answers whether any was. */
  move(from: number, to: number): boolean {
    return this.#move.run(to - from, from).changes > 0
  }

  /** Begins the delay of timers that restart anew. */
  restart(now: number): void {
    this.#restart.run(now)
  }
}
