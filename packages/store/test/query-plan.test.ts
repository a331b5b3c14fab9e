/** No statement of the store reads a table from end to end or sorts it: each is served by an index, whatever the number of rows. */
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { migrate, shardSchema } from '../src/sqlite/schema.ts'
import { actorSql } from '../src/sqlite/tables/actor.ts'
import { deadLetterList, deadLetterSql } from '../src/sqlite/tables/dead-letter.ts'
import { effectSql } from '../src/sqlite/tables/effect.ts'
import { faultSql } from '../src/sqlite/tables/fault.ts'
import { frameSql } from '../src/sqlite/tables/frame.ts'
import { idempotencySql } from '../src/sqlite/tables/idempotency.ts'
import { inboxSql } from '../src/sqlite/tables/inbox.ts'
import { journalSql } from '../src/sqlite/tables/journal.ts'
import { lateResultSql } from '../src/sqlite/tables/late-result.ts'
import { leaseSql } from '../src/sqlite/tables/lease.ts'
import { linkSql } from '../src/sqlite/tables/link.ts'
import { metaSql } from '../src/sqlite/tables/meta.ts'
import { openCallSql } from '../src/sqlite/tables/open-call.ts'
import { outboxSql } from '../src/sqlite/tables/outbox.ts'
import { processSql } from '../src/sqlite/tables/process.ts'
import { timerSql } from '../src/sqlite/tables/timer.ts'
import { turnSql } from '../src/sqlite/tables/turn.ts'

const db = new Sqlite(':memory:')
db.transaction(() => migrate(db, 'memory', shardSchema)).immediate()

function planOf(sql: string): string[] {
  const values = sql.match(/\?/g) ?? []
  return db
    .prepare<unknown[], { readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...values.map(() => 0))
    .map((row) => row.detail)
}

const statements = {
  actor: actorSql,
  deadLetter: deadLetterSql,
  effect: effectSql,
  fault: faultSql,
  frame: frameSql,
  idempotency: idempotencySql,
  inbox: inboxSql,
  journal: journalSql,
  lateResult: lateResultSql,
  lease: leaseSql,
  link: linkSql,
  meta: metaSql,
  openCall: openCallSql,
  outbox: outboxSql,
  process: processSql,
  timer: timerSql,
  turn: turnSql,
}

const all = Object.entries(statements).flatMap(([table, sqls]) =>
  Object.entries(sqls).map(([name, sql]) => [`${table}.${name}`, sql] as const),
)

// Recovery reads the whole inbox, every link, every open turn, every fault and every process, and counts what waits: that is what it is for. Outcomes are counted once in
// the life of a shard. The others walk an order from its beginning, as far as their LIMIT.
const scans: Readonly<Record<string, string>> = {
  'inbox.all': 'SCAN inbox',
  'timer.next': 'SCAN timer USING COVERING INDEX timer_due',
  'link.all': 'SCAN link',
  'turn.busy': 'SCAN turn USING COVERING INDEX turn_open',
  'process.all': 'SCAN process',
  'fault.all': 'SCAN fault',
  'lateResult.all': 'SCAN late_result',
  'lateResult.trim': 'SCAN late_result',
  'deadLetter.count': 'SCAN dead_letter',
  'deadLetter.trim': 'SCAN dead_letter',
  'effect.count': 'SCAN effect',
  'outbox.count': 'SCAN outbox',
  'idempotency.count': 'SCAN idempotency USING COVERING INDEX idempotency_expiry',
  'idempotency.evict': 'SCAN idempotency USING COVERING INDEX idempotency_expiry',
}

describe('the plan of each statement', () => {
  test.each(all)('%s neither sorts nor scans', (name, sql) => {
    const plan = planOf(sql)
    expect(plan.filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
    expect(plan.filter((step) => step.startsWith('SCAN') && step !== scans[name])).toEqual([])
  })

  test.each([
    ['the earliest due timers', timerSql.due, 'SEARCH timer USING INDEX timer_due (due_at<?)'],
    ['the next moment', timerSql.next, 'SCAN timer USING COVERING INDEX timer_due'],
    ['expired outcomes', idempotencySql.expire, 'SEARCH idempotency USING COVERING INDEX idempotency_expiry (expires_at<?)'],
    ['the outcome for a key', idempotencySql.find, 'SEARCH idempotency USING PRIMARY KEY (key=? AND scope=?)'],
    ['an actor by its name', actorSql.find, 'SEARCH actor USING INDEX sqlite_autoindex_actor_1 (type=? AND key=?)'],
    ['events after a snapshot', journalSql.after, 'SEARCH journal USING PRIMARY KEY (actor=? AND sequence>?)'],
    ['timers that keep their remaining time', timerSql.move, 'SEARCH timer USING INDEX timer_restart (on_restart=? AND due_at>?)'],
    ['timers that restart', timerSql.restart, 'SEARCH timer USING INDEX timer_restart (on_restart=?)'],
    ['the timers of an actor', timerSql.of, 'SEARCH timer USING PRIMARY KEY (actor=?)'],
    ['the open calls of an actor', openCallSql.of, 'SEARCH open_call USING INDEX open_call_actor (actor=?)'],
    ['commands that are due', inboxSql.due, 'SEARCH inbox USING INDEX inbox_due (due_at<?)'],
    ['the next command', inboxSql.next, 'SEARCH inbox USING COVERING INDEX inbox_due (due_at>?)'],
    ['messages to a peer', outboxSql.to, 'SEARCH outbox USING PRIMARY KEY (peer=? AND sequence>?)'],
    ['messages that were delivered', outboxSql.delivered, 'SEARCH outbox USING PRIMARY KEY (peer=? AND sequence<?)'],
    ['effects of a name that are due', effectSql.due, 'SEARCH effect USING INDEX effect_due (name=? AND due_at<?)'],
    ['the next effect of a name', effectSql.next, 'SEARCH effect USING COVERING INDEX effect_due (name=? AND due_at>?)'],
    ['effects that were being tried', effectSql.requeue, 'SEARCH effect USING INDEX effect_tried (due_at=?)'],
    ['an effect by its label', effectSql.cancel, 'SEARCH effect USING INDEX effect_label (type=? AND key=? AND label=?)'],
    ['the effects of a turn', effectSql.cancelTurn, 'SEARCH effect USING INDEX effect_turn (turn=?)'],
    ['the open turns of an actor', turnSql.open, 'SEARCH turn USING INDEX turn_actor (actor=? AND ended=?)'],
    ['actors with open turns', turnSql.busy, 'SCAN turn USING COVERING INDEX turn_open'],
    ['the turns of an actor', turnSql.of, 'SEARCH turn USING INDEX turn_actor (actor=?)'],
    ['the frame of a turn', turnSql.of, 'SEARCH frame USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN'],
    ['turns that are too many', turnSql.keep, 'SEARCH turn USING COVERING INDEX turn_actor (actor=? AND ended=? AND sequence<?)'],
    ['the leases of an actor', leaseSql.of, 'SEARCH lease USING PRIMARY KEY (actor=?)'],
    ['the latest late results', lateResultSql.all, 'SCAN late_result'],
    ['the late results of an actor', lateResultSql.of, 'SEARCH late_result USING INDEX late_result_actor (type=? AND key=?)'],
    ['late results that are too many', lateResultSql.trim, 'SEARCH late_result USING INTEGER PRIMARY KEY (rowid<?)'],
    ['faults by type and key', faultSql.all, 'SCAN fault'],
    ['processes by sequence', processSql.all, 'SCAN process'],
    ['the latest dead letters', deadLetterList([]), 'SCAN dead_letter'],
    ['dead letters further back', deadLetterList(['before']), 'SEARCH dead_letter USING INTEGER PRIMARY KEY (rowid<?)'],
    ['a dead letter', deadLetterList(['sequence']), 'SEARCH dead_letter USING INTEGER PRIMARY KEY (rowid=?)'],
    [
      'dead letters by their natural key',
      deadLetterList(['type', 'key', 'naturalKey']),
      'SEARCH dead_letter USING INDEX dead_letter_natural_key (type=? AND key=? AND natural_key=?)',
    ],
    ['waiting commands by sequence', inboxSql.all, 'SCAN inbox'],
  ])('%s: from the index, in its order', (_, sql, step) => {
    expect(planOf(sql)).toContain(step)
    expect(planOf(sql).filter((other) => other.includes('TEMP B-TREE'))).toEqual([])
  })
})
