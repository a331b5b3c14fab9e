/** What is checked of the rows of a shard by themselves. What they say about other shards is in `verify-links.ts`. */
import type { Database } from 'better-sqlite3'
import type { Findings } from './verify-findings.ts'

/** Every column with an encoded text, and what names its row. */
const encoded: readonly (readonly [table: string, row: string, columns: readonly string[], since: number])[] = [
  ['actor', `'number ' || number`, ['snapshot'], 1],
  ['journal', `'actor ' || actor || ', sequence ' || sequence`, ['event'], 1],
  ['inbox', `'sequence ' || sequence`, ['input', 'detail'], 1],
  ['idempotency', `'scope ' || scope || ', key ' || key`, ['outcome'], 1],
  ['timer', `'actor ' || actor || ', name ' || name`, ['event'], 1],
  ['open_call', `'sequence ' || sequence`, ['detail'], 1],
  ['turn', `'sequence ' || sequence`, ['detail'], 1],
  ['frame', `'turn ' || turn`, ['frame'], 1],
  ['lease', `'actor ' || actor || ', name ' || name`, ['detail'], 1],
  ['late_result', `'sequence ' || sequence`, ['detail'], 1],
  ['process', `'sequence ' || sequence`, ['detail'], 1],
  ['outbox', `'peer ' || peer || ', sequence ' || sequence`, ['message'], 1],
  ['effect', `'sequence ' || sequence`, ['input', 'detail'], 1],
  ['dead_letter', `'sequence ' || sequence`, ['error', 'input', 'detail'], 1],
  ['fault', `'type ' || type || ', key ' || key`, ['detail'], 2],
]

/** Every encoded text has to be JSON. */
export function verifyTexts(db: Database, version: number, findings: Findings): void {
  for (const [table, row, columns, since] of encoded) {
    if (version < since) continue
    for (const column of columns) findings.attempt(() => verifyColumn(db, table, row, column, findings))
  }
}

function verifyColumn(db: Database, table: string, row: string, column: string, findings: Findings): void {
  const suspects = db.prepare<[], { readonly row: string; readonly text: string }>(
    `SELECT ${row} AS row, ${column} AS text FROM ${table} NOT INDEXED WHERE NOT json_valid(${column})`,
  )
  for (const suspect of suspects.iterate()) {
    // SQLite also refuses what is only nested deeply.
    if (isJson(suspect.text)) continue
    findings.error('row-unreadable', `Its ${column} is not JSON, so it cannot be read.`, `${table}, ${suspect.row}`)
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Whatever belongs to an actor or to a turn has to belong to one that is there. */
export function verifyParents(db: Database, findings: Findings): void {
  interface Orphan {
    readonly table: string
    readonly rowid: number | null
    readonly parent: string
  }
  for (const { table, rowid, parent } of db.prepare<[], Orphan>('PRAGMA foreign_key_check').iterate()) {
    const place = rowid === null ? table : `${table}, row ${rowid}`
    findings.error('row-orphaned', `It belongs to a row of ${parent} that is not there.`, place)
  }
}

/** Events after a snapshot have to follow on it without a gap. */
export function verifyJournals(db: Database, findings: Findings): void {
  interface Gap {
    readonly type: string
    readonly key: string
    readonly revision: number
    readonly events: number
    readonly last: number
  }
  const gaps = db.prepare<[], Gap>(
    `SELECT actor.type, actor.key, actor.revision, count(*) AS events, max(journal.sequence) AS last
      FROM journal CROSS JOIN actor ON actor.number = journal.actor WHERE journal.sequence > actor.revision
      GROUP BY journal.actor HAVING last - actor.revision <> events`,
  )
  for (const { type, key, revision, events, last } of gaps.iterate()) {
    const message = `Of its events ${revision + 1} to ${last}, which follow its snapshot, only ${events} are there.`
    findings.error('journal-gap', message, `journal of ${type} ${key}`)
  }
}

/** A mark in `meta`, and the statement that says what it must not be behind. */
export interface Mark {
  readonly column: 'sequence' | 'actor_number' | 'timer_generation'
  readonly largest: string
}

const counted = ['inbox', 'open_call', 'turn', 'late_result', 'process', 'effect', 'dead_letter']

/** The marks of a shard. The statements read no index, so that a damaged one does not matter. */
export const marks: readonly Mark[] = [
  {
    column: 'sequence',
    largest: `SELECT max(${counted.map((table) => `coalesce((SELECT max(sequence) FROM ${table} NOT INDEXED), 0)`).join(', ')}) AS largest`,
  },
  { column: 'actor_number', largest: 'SELECT coalesce(max(number), 0) AS largest FROM actor NOT INDEXED' },
  { column: 'timer_generation', largest: 'SELECT coalesce(max(generation), 0) AS largest FROM timer NOT INDEXED' },
]

/** The last message in the outbox for each peer whose link says less. */
export const linksBehind = `SELECT outbox.peer, max(outbox.sequence) AS last, coalesce(link.sent, 0) AS sent
  FROM outbox LEFT JOIN link ON link.peer = outbox.peer GROUP BY outbox.peer HAVING last > sent`

/** A row of `linksBehind`. */
export interface LinkBehind {
  readonly peer: number
  readonly last: number
  readonly sent: number
}

/** Marks must not be behind the rows: a number could be given twice. */
export function verifyMarks(db: Database, findings: Findings): void {
  for (const { column, largest } of marks) {
    const row = db
      .prepare<[], { readonly largest: number; readonly mark: number }>(`SELECT (${largest}) AS largest, ${column} AS mark FROM meta`)
      .get()
    if (row === undefined || row.largest <= row.mark) continue
    const message = `The mark ${column} is ${row.mark}, but a row has ${row.largest}: the next number would be given twice.`
    findings.repairable('mark-behind', message, 'meta')
  }
  for (const { peer, last, sent } of db.prepare<[], LinkBehind>(linksBehind).iterate()) {
    findings.repairable(
      'mark-behind',
      `${sent} messages have been counted for shard ${peer}, but the outbox has number ${last}.`,
      `link ${peer}`,
    )
  }
}
