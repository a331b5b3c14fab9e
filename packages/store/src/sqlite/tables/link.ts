/**
 * The table `link`: how far the messages from and to each other shard have come. Its rows stay when the messages are gone.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { Link, LinkMark, OutboxMessage } from '../../store.ts'

export const linkSql = {
  sent: `INSERT INTO link (peer, sent, received) VALUES (?, ?, 0)
    ON CONFLICT (peer) DO UPDATE SET sent = max(sent, excluded.sent)`,
  received: `INSERT INTO link (peer, sent, received) VALUES (?, 0, ?)
    ON CONFLICT (peer) DO UPDATE SET received = max(received, excluded.received)`,
  all: 'SELECT peer, sent, received FROM link ORDER BY peer',
} as const

/** The prepared statements of `link`. */
export class LinkTable {
  readonly #sent: Statement<[number, number]>
  readonly #received: Statement<[number, number]>
  readonly #all: Statement<[], Link>

  constructor(db: Database) {
    this.#sent = db.prepare(linkSql.sent)
    this.#received = db.prepare(linkSql.received)
    this.#all = db.prepare(linkSql.all)
  }

  /** Raises the mark of each peer once, however many messages it gets. */
  sent(messages: readonly OutboxMessage[]): void {
    if (messages.length === 0) return
    const marks = new Map<number, number>()
    for (const { peer, sequence } of messages) marks.set(peer, Math.max(sequence, marks.get(peer) ?? 0))
    for (const [peer, sequence] of marks) this.#sent.run(peer, sequence)
  }

  received(marks: readonly LinkMark[]): void {
    for (const mark of marks) this.#received.run(mark.peer, mark.through)
  }

  all(): Link[] {
    return this.#all.all()
  }
}
