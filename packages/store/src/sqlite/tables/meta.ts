/**
 * The table `meta`: one row with the shard's epoch, its last commit and its high-water marks.
 *
 * Fencing lives here. Both guarded statements name the epoch they believe in; zero rows changed is the answer "no".
 */
import type { Database, Statement } from 'better-sqlite3'

export const metaSql = {
  insert: `INSERT INTO meta (id, shard, epoch, owner_epoch, committed_at, recovered_at, actor_number, sequence, timer_generation)
    VALUES (1, ?, 0, 0, 0, 0, 0, 0, 0)`,
  read: `SELECT shard, epoch, owner_epoch AS ownerEpoch, committed_at AS committedAt, recovered_at AS recoveredAt,
    actor_number AS actorNumber, sequence, timer_generation AS timerGeneration FROM meta WHERE id = 1`,
  take: 'UPDATE meta SET epoch = epoch + 1, owner_epoch = ? WHERE id = 1 AND owner_epoch <= ?',
  advance: `UPDATE meta SET committed_at = max(committed_at, ?), actor_number = max(actor_number, ?),
    sequence = max(sequence, ?), timer_generation = max(timer_generation, ?) WHERE id = 1 AND epoch = ?`,
  recovered: 'UPDATE meta SET recovered_at = ? WHERE id = 1',
} as const

export interface MetaRow {
  readonly shard: number
  readonly epoch: number
  readonly ownerEpoch: number
  readonly committedAt: number
  /** When a recovery last moved timers, 0 if none ever did. */
  readonly recoveredAt: number
  readonly actorNumber: number
  readonly sequence: number
  readonly timerGeneration: number
}

/** The prepared statements of `meta`. */
export class MetaTable {
  readonly #read: Statement<[], MetaRow>
  readonly #take: Statement<[number, number]>
  readonly #advance: Statement<[number, number, number, number, number]>
  readonly #recovered: Statement<[number]>

  constructor(db: Database) {
    this.#read = db.prepare(metaSql.read)
    this.#take = db.prepare(metaSql.take)
    this.#advance = db.prepare(metaSql.advance)
    this.#recovered = db.prepare(metaSql.recovered)
  }

  read(): MetaRow | undefined {
    return this.#read.get()
  }

  /** Raises the epoch on behalf of an owner of the directory. False if a newer owner has been here. */
  tryTake(ownerEpoch: number): boolean {
    return this.#take.run(ownerEpoch, ownerEpoch).changes === 1
  }

  /** Moves the marks forward, never back. False if the shard has another epoch by now. */
  tryAdvance(epoch: number, at: number, actorNumber: number, sequence: number, timerGeneration: number): boolean {
    return this.#advance.run(at, actorNumber, sequence, timerGeneration, epoch).changes === 1
  }

  /** Notes that a recovery has moved timers. */
  noteRecovery(now: number): void {
    this.#recovered.run(now)
  }
}
