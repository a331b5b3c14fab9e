/**
 * The table `turn`: long work that is done for actors, and the latest of what has ended. Frames are in `frame.ts`.
 */
import type { Database, Statement } from 'better-sqlite3'
import { BatchInvalid } from '../../errors.ts'
import type { StoredTurn, TurnChanged, TurnsKept } from '../../store.ts'

const columns = `turn.sequence, turn.command, turn.ended, turn.detail, frame.frame, frame.discarded
    FROM turn LEFT JOIN frame ON frame.turn = turn.sequence`

export const turnSql: Readonly<Record<'set' | 'keep' | 'open' | 'busy' | 'of', string>> = {
  // A turn never goes to another actor or command, and one that has ended never goes on: zero rows changed is the answer.
  set: `INSERT INTO turn (sequence, actor, command, ended, detail) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (sequence) DO UPDATE SET ended = excluded.ended, detail = excluded.detail
    WHERE actor = excluded.actor AND command = excluded.command AND ended <= excluded.ended`,
  // The inner query finds the first one that is too many, counted from the latest.
  keep: `DELETE FROM turn WHERE actor = ? AND ended = 1 AND sequence <=
    (SELECT sequence FROM turn WHERE actor = ? AND ended = 1 ORDER BY sequence DESC LIMIT 1 OFFSET ?)`,
  open: `SELECT ${columns} WHERE turn.actor = ? AND turn.ended = 0 ORDER BY turn.sequence`,
  // CROSS JOIN fixes the order: through the index of open turns, then one actor each.
  busy: `SELECT actor.type, actor.key, min(turn.sequence) AS oldest
    FROM turn CROSS JOIN actor ON actor.number = turn.actor
    WHERE turn.ended = 0 GROUP BY turn.actor`,
  of: `SELECT ${columns} WHERE turn.actor = (SELECT number FROM actor WHERE type = ? AND key = ?) ORDER BY turn.ended, turn.sequence DESC LIMIT ?`,
}

interface TurnRow extends Pick<StoredTurn, 'sequence' | 'command' | 'detail'> {
  readonly ended: number
  readonly frame: string | null
  readonly discarded: number | null
}

interface BusyRow {
  readonly type: string
  readonly key: string
  readonly oldest: number
}

/** The prepared statements of `turn`. */
export class TurnTable {
  readonly #set: Statement<[number, number, string, number, string]>
  readonly #keep: Statement<[number, number, number]>
  readonly #open: Statement<[number], TurnRow>
  readonly #busy: Statement<[], BusyRow>
  readonly #of: Statement<[string, string, number], TurnRow>

  constructor(db: Database) {
    this.#set = db.prepare(turnSql.set)
    this.#keep = db.prepare(turnSql.keep)
    this.#open = db.prepare(turnSql.open)
    this.#busy = db.prepare(turnSql.busy)
    this.#of = db.prepare(turnSql.of)
  }

  set(rows: readonly TurnChanged[]): void {
    for (const row of rows) {
      const result = this.#set.run(row.sequence, row.actor, row.command, row.isEnded ? 1 : 0, row.detail)
      if (result.changes === 0) {
        throw new BatchInvalid(`it changes turn ${row.sequence}, which has ended or belongs to another actor or command`)
      }
    }
  }

  /** Deletes the turns that have ended and are too many; their frames go with them. */
  keep(rows: readonly TurnsKept[]): void {
    for (const row of rows) this.#keep.run(row.actor, row.actor, row.keep)
  }

  /** The turns of an actor that have not ended, by sequence. */
  open(actor: number): StoredTurn[] {
    return this.#open.all(actor).map(toTurn)
  }

  /** The actors with such turns, in the order of their oldest one. */
  busy(): { readonly type: string; readonly key: string }[] {
    const rows = this.#busy.all().sort((left, right) => left.oldest - right.oldest)
    return rows.map(({ type, key }) => ({ type, key }))
  }

  /** All turns of an actor, the latest first. */
  of(type: string, key: string, limit: number): StoredTurn[] {
    return this.#of.all(type, key, limit).map(toTurn)
  }
}

function toTurn(row: TurnRow): StoredTurn {
  const { sequence, command, ended, detail, frame, discarded } = row
  return { sequence, command, isEnded: ended === 1, detail, frame: frame ?? undefined, isFrameDiscarded: discarded === 1 }
}
