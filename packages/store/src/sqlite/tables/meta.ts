/**
 * The table `meta`: one row with the shard's epoch, its last commit and its high-water marks.
 *
 * Fencing lives here. Both guarded statements name the epoch they believe in; zero rows changed is the answer "no".
 */
import type { Database, Statement } from 'better-sqlite3'

export const metaSql = {
  insert: `INSERT INTO meta (id, shard, epoch, owner_epoch, committed_at, actor_number, inbox_sequence, timer_generation)
    VALUES (1, ?, 0, 0, 0, 0, 0, 0)`,
  read: `SELECT shard, epoch, owner_epoch AS ownerEpoch, committed_at AS committedAt, actor_number AS actorNumber,
    inbox_sequence AS inboxSequence, timer_generation AS timerGeneration FROM meta WHERE id = 1`,
  take: 'UPDATE meta SET epoch = epoch + 1, owner_epoch = ? WHERE id = 1 AND owner_epoch <= ?',
  advance: `UPDATE meta SET committed_at = max(committed_at, ?), actor_number = max(actor_number, ?),
    inbox_sequence = max(inbox_sequence, ?), timer_generation = max(timer_generation, ?) WHERE id = 1 AND epoch = ?`,
} as const

export interface MetaRow {
  readonly shard: number
  readonly epoch: number
  readonly ownerEpoch: number
  readonly committedAt: number
  readonly actorNumber: number
  readonly inboxSequence: number
  readonly timerGeneration: number
}

/** The prepared statements of `meta`. */
export class MetaTable {
  readonly #read: Statement<[], MetaRow>
  readonly #take: Statement<[number, number]>
  readonly #advance: Statement<[number, number, number, number, number]>

  constructor(db: Database) {
    this.#read = db.prepare(metaSql.read)
    this.#take = db.prepare(metaSql.take)
    this.#advance = db.prepare(metaSql.advance)
  }

  read(): MetaRow | undefined {
    return this.#read.get()
  }

  /** Raises the epoch on behalf of an owner of the directory. False if a newer owner has been here. */
  tryTake(ownerEpoch: number): boolean {
    return this.#take.run(ownerEpoch, ownerEpoch).changes === 1
  }

  /** Moves the marks forward, never back. False if the shard has another epoch by now. */
  tryAdvance(epoch: number, at: number, actorNumber: number, inboxSequence: number, timerGeneration: number): boolean {
    return this.#advance.run(at, actorNumber, inboxSequence, timerGeneration, epoch).changes === 1
  }
}
