/**
 * The floor's thread: a bare loop that does the same work with nothing around it. A text of many calls comes in; each
 * takes one XState transition and, where there is a store, writes one row; one commit per text; one text goes back.
 */
import { parentPort, workerData } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { createActor } from 'xstate'
import { machine, reduce } from '../actors.ts'

const { file, actors } = workerData as { readonly file: string | undefined; readonly actors: number } // Given by floor.ts.

const hosted = Array.from({ length: actors }, () => createActor(machine).start())
const db = file === undefined ? undefined : new Sqlite(file)
if (db !== undefined) {
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE IF NOT EXISTS actor (number INTEGER PRIMARY KEY, snapshot TEXT NOT NULL)')
}
const upsert = db?.prepare(
  'INSERT INTO actor (number, snapshot) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET snapshot = excluded.snapshot',
)
const begin = db?.prepare('BEGIN IMMEDIATE')
const commit = db?.prepare('COMMIT')

let total = { total: 0 }

parentPort?.on('message', (text: string) => {
  const calls = JSON.parse(text) as readonly (readonly [call: number, actor: number, amount: number])[]
  const answers: (readonly [number, number])[] = []
  begin?.run()
  for (const [call, actor, amount] of calls) {
    if (actor < 0) {
      total = reduce(total, { type: 'add', amount })
      continue
    }
    const one = hosted[actor]
    if (one === undefined) continue
    if (amount > 0) one.send({ type: 'deposit', amount })
    const { value, context, status } = one.getSnapshot()
    upsert?.run(actor, JSON.stringify({ status, value, context }))
    answers.push([call, context.balance])
  }
  commit?.run()
  // Tells are answered once per text.
  parentPort?.postMessage(JSON.stringify(answers.length > 0 ? answers : [[calls.at(-1)?.[0] ?? 0, total.total]]))
})
