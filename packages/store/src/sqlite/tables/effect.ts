/**
 * The table `effect`: what is promised to the outside world and not done.
 *
 * An effect waits (`claimed` 0, with a `due_at`), is being tried (`claimed` 1, without one), or was being tried when the
 * shard's owner died (`claimed` 1, with a `due_at` again).
 */
import type { Database, Statement } from 'better-sqlite3'
import type { DueEffect, Effect, EffectCancelled, EffectDelayed } from '../../store.ts'

export const effectSql = {
  insert: `INSERT INTO effect (sequence, name, idempotency_key, type, key, label, input, detail, turn, due_at, attempts, claimed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
  cancel: 'DELETE FROM effect WHERE type = ? AND key = ? AND label = ? AND claimed = 0',
  cancelTurn: 'DELETE FROM effect WHERE turn = ? AND claimed = 0',
  claim: 'UPDATE effect SET claimed = 1, attempts = attempts + 1, due_at = NULL WHERE sequence = ?',
  delay: 'UPDATE effect SET claimed = 0, due_at = ?, detail = ? WHERE sequence = ?',
  settle: 'DELETE FROM effect WHERE sequence = ?',
  // At 0: they are due whatever the clock says, and before all others.
  requeue: 'UPDATE effect SET due_at = 0 WHERE due_at IS NULL',
  due: `SELECT sequence, name, idempotency_key AS idempotencyKey, type, key, label, input, detail, turn, due_at AS dueAt, attempts, claimed
    FROM effect WHERE name = ? AND due_at <= ? ORDER BY due_at, sequence LIMIT ?`,
  next: 'SELECT due_at AS dueAt FROM effect WHERE name = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT 1',
  count: 'SELECT count(*) AS count FROM effect',
} as const

interface EffectRow extends Omit<Effect, 'label' | 'detail' | 'turn'> {
  readonly label: string | null
  readonly detail: string | null
  readonly turn: number | null
  readonly claimed: number
}

type EffectValues = [number, string, string, string, string, string | null, string, string | null, number | null, number, number]

/** The prepared statements of `effect`. */
export class EffectTable {
  readonly #insert: Statement<EffectValues>
  readonly #cancel: Statement<[string, string, string]>
  readonly #cancelTurn: Statement<[number]>
  readonly #claim: Statement<[number]>
  readonly #delay: Statement<[number, string | null, number]>
  readonly #settle: Statement<[number]>
  readonly #requeue: Statement<[]>
  readonly #due: Statement<[string, number, number], EffectRow>
  readonly #next: Statement<[string], { readonly dueAt: number }>
  readonly #count: Statement<[], { readonly count: number }>

  constructor(db: Database) {
    this.#insert = db.prepare(effectSql.insert)
    this.#cancel = db.prepare(effectSql.cancel)
    this.#cancelTurn = db.prepare(effectSql.cancelTurn)
    this.#claim = db.prepare(effectSql.claim)
    this.#delay = db.prepare(effectSql.delay)
    this.#settle = db.prepare(effectSql.settle)
    this.#requeue = db.prepare(effectSql.requeue)
    this.#due = db.prepare(effectSql.due)
    this.#next = db.prepare(effectSql.next)
    this.#count = db.prepare(effectSql.count)
  }

  /** Answers how many there were to cancel. */
  cancel(rows: readonly EffectCancelled[]): number {
    let count = 0
    for (const row of rows) {
      const result = 'turn' in row ? this.#cancelTurn.run(row.turn) : this.#cancel.run(row.type, row.key, row.label)
      count += result.changes
    }
    return count
  }

  insert(rows: readonly Effect[]): void {
    for (const row of rows) {
      this.#insert.run(
        row.sequence,
        row.name,
        row.idempotencyKey,
        row.type,
        row.key,
        row.label ?? null,
        row.input,
        row.detail ?? null,
        row.turn ?? null,
        row.dueAt,
        row.attempts,
      )
    }
  }

  claim(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#claim.run(sequence)
  }

  delay(rows: readonly EffectDelayed[]): void {
    for (const row of rows) this.#delay.run(row.dueAt, row.detail ?? null, row.sequence)
  }

  settle(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#settle.run(sequence)
  }

  /** Makes every effect that was being tried due at once. */
  requeue(): void {
    this.#requeue.run()
  }

  due(name: string, now: number, limit: number): DueEffect[] {
    return this.#due.all(name, now, limit).map(toEffect)
  }

  next(name: string): number | undefined {
    return this.#next.get(name)?.dueAt
  }

  count(): number {
    return this.#count.get()?.count ?? 0
  }
}

function toEffect(row: EffectRow): DueEffect {
  const { label, detail, turn, claimed, ...effect } = row
  return { ...effect, label: label ?? undefined, detail: detail ?? undefined, turn: turn ?? undefined, isClaimed: claimed === 1 }
}
