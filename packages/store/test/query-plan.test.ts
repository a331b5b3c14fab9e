/** No statement of the store reads a table from end to end or sorts it: each is served by an index, whatever the number of rows. */
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { migrate, shardSchema } from '../src/sqlite/schema.ts'
import { actorSql } from '../src/sqlite/tables/actor.ts'
import { idempotencySql } from '../src/sqlite/tables/idempotency.ts'
import { inboxSql } from '../src/sqlite/tables/inbox.ts'
import { journalSql } from '../src/sqlite/tables/journal.ts'
import { metaSql } from '../src/sqlite/tables/meta.ts'
import { timerSql } from '../src/sqlite/tables/timer.ts'

const db = new Sqlite(':memory:')
db.transaction(() => migrate(db, 'memory', shardSchema)).immediate()

function planOf(sql: string): string[] {
  const values = sql.match(/\?/g) ?? []
  return db
    .prepare<unknown[], { readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...values.map(() => 0))
    .map((row) => row.detail)
}

const statements = { actor: actorSql, idempotency: idempotencySql, inbox: inboxSql, journal: journalSql, meta: metaSql, timer: timerSql }

const all = Object.entries(statements).flatMap(([table, sqls]) =>
  Object.entries(sqls).map(([name, sql]) => [`${table}.${name}`, sql] as const),
)

// Recovery reads the whole inbox: that is what it is for.
const scans: Readonly<Record<string, string>> = {
  'inbox.all': 'SCAN inbox',
  'timer.next': 'SCAN timer USING COVERING INDEX timer_due',
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
    ['waiting commands by sequence', inboxSql.all, 'SCAN inbox'],
  ])('%s: from the index, in its order', (_, sql, step) => {
    expect(planOf(sql)).toContain(step)
  })
})
