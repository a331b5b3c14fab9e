/**
 * Whether shards agree on what they have sent each other.
 *
 * Shards go on committing while they are read, and are read one after the other. A sender may forget a message once its receiver
 * has it, and counts one before the receiver can have it. So what a receiver has is read twice: as it was before its senders
 * are read, it must not be more than they have sent; as it is after, it must have everything that they no longer keep.
 */
import type { Database } from 'better-sqlite3'
import { pragmaNumber } from './schema.ts'
import { look } from './reader-connection.ts'
import type { Findings } from './verify-findings.ts'

/** What a shard has had from each peer; `undefined` if that cannot be read. */
export type Received = ReadonlyMap<number, number> | undefined

/** What a shard keeps for a peer. */
export interface Sent {
  readonly peer: number
  /** The last message that was promised. */
  readonly through: number
  /** From here on every message that was promised is in the outbox. */
  readonly completeFrom: number
}

/** Reads what a shard has had from its peers. */
export function readReceived(file: string, applicationId: number): Received {
  try {
    return look(file, (db) => {
      if (pragmaNumber(db, 'application_id') !== applicationId) return undefined
      const rows = db.prepare<[], { readonly peer: number; readonly received: number }>('SELECT peer, received FROM link').all()
      return new Map(rows.map((row) => [row.peer, row.received]))
    })
  } catch {
    // Whatever is wrong with the file is found where it is checked as a whole.
    return undefined
  }
}

/** Reads what a shard keeps for its peers. */
export function readSent(db: Database): Sent[] {
  const links = db.prepare<[], { readonly peer: number; readonly sent: number }>('SELECT peer, sent FROM link ORDER BY peer').all()
  // The first row of the last run without a gap.
  const start = db.prepare<[number], { readonly first: number | null; readonly last: number | null }>(
    `SELECT max(sequence) AS first, (SELECT max(sequence) FROM outbox AS latest WHERE latest.peer = outbox.peer) AS last FROM outbox
      WHERE peer = ? AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.peer = outbox.peer AND before.sequence = outbox.sequence - 1)`,
  )
  return links.map(({ peer, sent }) => {
    const { first, last } = start.get(peer) ?? { first: null, last: null }
    const through = Math.max(sent, last ?? 0)
    return { peer, through, completeFrom: first !== null && last === through ? first : through + 1 }
  })
}

/** Compares what `sender` has sent with what each peer had before and has after. */
export function verifyLinks(
  sender: number,
  sent: readonly Sent[],
  before: readonly Received[],
  after: readonly Received[],
  findings: Findings,
): void {
  for (const { peer, through, completeFrom } of sent) {
    if (peer >= before.length) {
      findings.warning(
        'link-unknown',
        `It has to do with shard ${peer}, which the directory does not have.`,
        'See whether a file is missing.',
        `link ${peer}`,
      )
      continue
    }
    const had = before[peer]?.get(sender) ?? 0
    if (had > through) {
      const message = `Shard ${peer} has had ${had} messages from here, but only ${through} were sent: this file is older than that of shard ${peer}.`
      findings.error('link-ahead', message, `link ${peer}`)
    }
    const has = after[peer]?.get(sender)
    if (after[peer] !== undefined && (has ?? 0) + 1 < completeFrom && through > (has ?? 0)) {
      const message = `Shard ${peer} has had ${has ?? 0} messages from here, and some of those up to ${completeFrom - 1} are not in the outbox any more.`
      findings.error('link-gap', message, `link ${peer}`)
    }
  }
}

/** Finds peers that have had messages from a shard that knows nothing of having sent any. */
export function verifyUnsent(sender: number, sent: readonly Sent[], before: readonly Received[], findings: Findings): void {
  for (const [peer, received] of before.entries()) {
    const had = received?.get(sender) ?? 0
    if (had === 0 || sent.some((link) => link.peer === peer)) continue
    findings.error(
      'link-ahead',
      `Shard ${peer} has had ${had} messages from here, but none was sent: this file is older than that of shard ${peer}.`,
      `link ${peer}`,
    )
  }
}
