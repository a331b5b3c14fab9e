/**
 * What a reader asks of a shard: statements that list, each from an index or along the order in which the rows lie.
 *
 * A type alone and a type with a key are found by the index of the actors. A key alone is looked for under each type in turn,
 * and the types are found by leaping through the same index. Commands, promises and dead letters have no index by actor (it would
 * cost every commit): a filter walks them in their order until it has enough.
 */

/** Which of the two fields of a filter are given. */
export interface Given {
  readonly type: boolean
  readonly key: boolean
}

/** The first version of a shard's schema that has the table `fault` and the column `dead_letter.revision`. */
const FAULTS_VERSION = 2

/** Every type of actor, found without reading every actor. */
const kinds = `WITH RECURSIVE kind(type) AS (
    SELECT min(type) FROM actor UNION ALL SELECT (SELECT min(type) FROM actor WHERE type > kind.type) FROM kind WHERE kind.type IS NOT NULL
  )`

const actorByKey = 'kind CROSS JOIN actor ON actor.type = kind.type AND actor.key = ?'

/** Takes (type, key, limit) as far as they are given. */
export function actorList(given: Given, version: number): string {
  const fault = version < FAULTS_VERSION ? 'NULL' : '(SELECT detail FROM fault WHERE fault.type = actor.type AND fault.key = actor.key)'
  const columns = `actor.number, actor.type, actor.key, actor.revision, actor.version, octet_length(actor.snapshot) AS bytes,
    (SELECT count(*) FROM timer WHERE timer.actor = actor.number) AS timers,
    (SELECT count(*) FROM turn WHERE turn.actor = actor.number AND turn.ended = 0) AS turns, ${fault} AS fault`
  if (given.key && !given.type) return `${kinds} SELECT ${columns} FROM ${actorByKey} ORDER BY kind.type LIMIT ?`
  return `SELECT ${columns} FROM actor ${where(given, 'actor')} ORDER BY actor.type, actor.key LIMIT ?`
}

/** Counts what waits, by actor. Reads the whole inbox, as recovery does. */
export function waitingCounts(given: Given): string {
  return `SELECT type, key, count(*) AS count FROM inbox ${where(given, 'inbox')} GROUP BY type, key`
}

/** Takes (type, key, limit) as far as they are given. */
export function inboxList(given: Given): string {
  return `SELECT sequence, type, key, command, lane, at, due_at AS dueAt, input FROM inbox ${where(given, 'inbox')} ORDER BY sequence LIMIT ?`
}

/** Takes (type, key, limit) as far as they are given. */
export function timerList(given: Given): string {
  const columns = 'actor.type, actor.key, timer.name, timer.due_at AS dueAt, timer.every_ms AS everyMs, timer.event'
  const order = 'ORDER BY timer.due_at, timer.generation LIMIT ?'
  const timers = 'CROSS JOIN timer ON timer.actor = actor.number'
  if (given.key && !given.type) return `${kinds} SELECT ${columns} FROM ${actorByKey} ${timers} ${order}`
  if (given.key) return `SELECT ${columns} FROM actor ${timers} ${where(given, 'actor')} ${order}`
  return `SELECT ${columns} FROM timer CROSS JOIN actor ON actor.number = timer.actor ${where(given, 'actor')} ${order}`
}

/** Takes (type, key, limit) as far as they are given. */
export function effectList(given: Given): string {
  return `SELECT sequence, name, type, key, attempts, due_at AS dueAt, input FROM effect ${where(given, 'effect')} ORDER BY sequence LIMIT ?`
}

/** Takes (type, key, limit) as far as they are given. */
export function letterList(given: Given, version: number): string {
  const revision = version < FAULTS_VERSION ? 'NULL AS revision' : 'revision'
  return `SELECT sequence, type, key, command, reason, at, ${revision}, error, input FROM dead_letter
    ${where(given, 'dead_letter')} ORDER BY sequence DESC LIMIT ?`
}

/** Takes (type, key, limit) as far as they are given; `undefined` for a file that is older than faults. */
export function faultList(given: Given, version: number): string | undefined {
  if (version < FAULTS_VERSION) return undefined
  return `SELECT type, key, detail FROM fault ${where(given, 'fault')} ORDER BY type, key LIMIT ?`
}

/** Takes the limit. */
export const messageList = 'SELECT peer, sequence, message FROM outbox ORDER BY peer, sequence LIMIT ?'

/** What belongs to one actor; each takes its number. */
export const ofActor = {
  events: 'SELECT sequence, at, event FROM journal WHERE actor = ? AND sequence > ? ORDER BY sequence',
  openCalls: 'SELECT sequence, detail FROM open_call WHERE actor = ? ORDER BY sequence',
  turns: `SELECT turn.sequence, turn.command, turn.ended, turn.detail, frame.turn AS frame
    FROM turn LEFT JOIN frame ON frame.turn = turn.sequence WHERE turn.actor = ? ORDER BY turn.ended, turn.sequence DESC`,
  leases: 'SELECT name, epoch, detail FROM lease WHERE actor = ? ORDER BY name',
} as const

/** How much there is: one row. */
export function summary(version: number): string {
  const count = (table: string, rest = ''): string => `(SELECT count(*) FROM ${table} ${rest})`
  return `SELECT epoch, committed_at AS committedAt, ${count('actor')} AS actors, ${count('inbox')} AS inbox,
    (SELECT at FROM inbox ORDER BY sequence LIMIT 1) AS oldestInboxAt, ${count('timer')} AS timers,
    (SELECT due_at FROM timer ORDER BY due_at LIMIT 1) AS nextTimerAt, ${count('outbox')} AS outbox, ${count('effect')} AS effects,
    ${count('open_call')} AS openCalls, ${count('turn', 'WHERE ended = 0')} AS turns, ${count('dead_letter')} AS deadLetters,
    ${count('late_result')} AS lateResults, ${count('idempotency')} AS idempotencyRecords,
    ${version < FAULTS_VERSION ? '0' : count('fault')} AS faults FROM meta WHERE id = 1`
}

function where(given: Given, table: string): string {
  const terms = [given.type ? `${table}.type = ?` : '', given.key ? `${table}.key = ?` : ''].filter((term) => term !== '')
  return terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
}
