/**
 * Floors of the delivery benchmarks: the rows that the work needs at the least, in one thread, with one commit per batch,
 * one XState transition and one round of JSON per message, and nothing around it.
 */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Database } from 'better-sqlite3'
import { assign, createActor, setup } from 'xstate'

const BATCH = 2_048

const machine = setup({
  types: { context: {} as { readonly sum: number }, events: {} as { readonly type: 'take'; readonly n: number } },
}).createMachine({
  context: { sum: 0 },
  on: { take: { actions: assign({ sum: ({ context, event }) => context.sum + event.n }) } },
})

function open(directory: string): Database {
  const db = new Sqlite(join(directory, 'floor.db'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec(`CREATE TABLE IF NOT EXISTS actor (number INTEGER PRIMARY KEY, snapshot TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS queue (sequence INTEGER PRIMARY KEY, due INTEGER NOT NULL, message TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS queue_due ON queue (due, sequence);
    DELETE FROM queue;`)
  return db
}

/** Messages per second, each written to a queue and taken from it `hops` times; with 0 hops they never leave memory. */
export function messages(directory: string, count: number, hops: 0 | 1): number {
  const db = open(directory)
  const actor = createActor(machine).start()
  const save = db.prepare('INSERT INTO actor VALUES (1, ?) ON CONFLICT (number) DO UPDATE SET snapshot = excluded.snapshot')
  const push = db.prepare('INSERT INTO queue VALUES (?, 0, ?)')
  const remove = db.prepare('DELETE FROM queue WHERE sequence <= ?')
  const startedAt = performance.now()
  for (let done = 0; done < count; done += BATCH) {
    const texts = Array.from({ length: Math.min(BATCH, count - done) }, () => JSON.stringify({ type: 'take', n: 1 }))
    if (hops > 0) {
      db.transaction(() => {
        for (const [index, text] of texts.entries()) push.run(done + index + 1, text)
      })()
    }
    db.transaction(() => {
      for (const text of texts) actor.send(JSON.parse(text) as { readonly type: 'take'; readonly n: number })
      save.run(JSON.stringify(actor.getPersistedSnapshot()))
      if (hops > 0) remove.run(done + texts.length)
    })()
  }
  const perSecond = (count / (performance.now() - startedAt)) * 1_000
  db.close()
  return perSecond
}

/** Rows per second that are written, found when due, changed `changes` times and removed, each with one transition. */
export function queued(directory: string, count: number, changes: 0 | 1): number {
  const db = open(directory)
  const actor = createActor(machine).start()
  const save = db.prepare('INSERT INTO actor VALUES (1, ?) ON CONFLICT (number) DO UPDATE SET snapshot = excluded.snapshot')
  const push = db.prepare('INSERT INTO queue VALUES (?, 0, ?)')
  const due = db.prepare('SELECT sequence, message FROM queue WHERE due <= 0 ORDER BY due, sequence LIMIT 1000')
  const change = db.prepare('UPDATE queue SET due = 1 WHERE sequence = ?')
  const remove = db.prepare('DELETE FROM queue WHERE sequence = ?')
  const startedAt = performance.now()
  for (let done = 0; done < count; done += BATCH) {
    db.transaction(() => {
      for (let index = done; index < Math.min(count, done + BATCH); index += 1) push.run(index, JSON.stringify({ type: 'take', n: 1 }))
    })()
  }
  for (let left = count; left > 0;) {
    const rows = due.all() as readonly { readonly sequence: number; readonly message: string }[]
    if (changes > 0) {
      db.transaction(() => {
        for (const row of rows) change.run(row.sequence)
      })()
    }
    db.transaction(() => {
      for (const { sequence, message } of rows) {
        actor.send(JSON.parse(message) as { readonly type: 'take'; readonly n: number })
        remove.run(sequence)
      }
      save.run(JSON.stringify(actor.getPersistedSnapshot()))
    })()
    left -= rows.length
  }
  const perSecond = (count / (performance.now() - startedAt)) * 1_000
  db.close()
  return perSecond
}
