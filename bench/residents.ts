/** Goals: what an idle actor costs in memory, how fast actors come from disk, how soon a killed system answers again. */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import Sqlite from 'better-sqlite3'
import { account } from './actors.ts'
import { compare, median } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'

/** Heap bytes of one actor in memory with nothing to do, its snapshot included. */
export function memoryPerActor(plan: Plan): Finding {
  const count = plan.scale(100_000)
  const output = execFileSync(process.execPath, ['--expose-gc', join(import.meta.dirname, 'memory-worker.ts'), String(count)], {
    encoding: 'utf8',
  })
  const { bytesEach } = JSON.parse(output) as { readonly bytesEach: number }
  return {
    name: `heap per idle actor, ${count.toLocaleString('en')} resident`,
    value: bytesEach,
    unit: 'bytes',
    floor: undefined,
    ratio: undefined,
    spread: [bytesEach, bytesEach],
    runs: 1,
    sync: 'none',
  }
}

/** Actors read from the store and asked once; the floor reads and parses the same rows. */
export async function activations(plan: Plan): Promise<Finding> {
  const count = plan.scale(100_000)
  const directory = join(plan.place(), 'data')
  const fill = await openSystem({ directory, actors: [account] })
  await Promise.all(Array.from({ length: count }, (_none, index) => fill.actor(account, `a${index}`).ask.deposit({ amount: 1 })))
  await fill.close()
  return await compare(
    {
      name: `activations from disk, ${count.toLocaleString('en')} actors`,
      unit: '/s',
      sync: 'full',
      runs: plan.runs,
      note: 'floor: one select and JSON.parse per actor',
    },
    async () => {
      const system = await openSystem({ directory, actors: [account] })
      const startedAt = performance.now()
      await Promise.all(Array.from({ length: count }, (_none, index) => system.actor(account, `a${index}`).ask.balance()))
      const perSecond = (count / (performance.now() - startedAt)) * 1_000
      await system.close()
      return perSecond
    },
    () => {
      const db = new Sqlite(join(directory, 'shard-0.db'), { readonly: true })
      const select = db.prepare('SELECT snapshot FROM actor WHERE type = ? AND key = ?').pluck()
      const startedAt = performance.now()
      for (let index = 0; index < count; index += 1) JSON.parse(String(select.get('account', `a${index}`)))
      const perSecond = (count / (performance.now() - startedAt)) * 1_000
      db.close()
      return Promise.resolve(perSecond)
    },
  )
}

/** From opening to the first reply after kill −9; the floor opens the file and reads the waiting rows. */
export function recovery(plan: Plan, actors: number): Finding {
  const count = plan.scale(actors)
  const waiting = plan.scale(100_000)
  const values: number[] = []
  const floors: number[] = []
  for (let run = 0; run < plan.runs; run += 1) {
    const directory = join(plan.place(), 'data')
    const program = join(import.meta.dirname, 'recovery-program.ts')
    const killed = spawnSync(process.execPath, [program, directory, 'fill', String(count), String(waiting)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (killed.signal !== 'SIGKILL') throw new Error(`The program ended with ${killed.status} instead of being killed.`)
    const startedAt = performance.now()
    const db = new Sqlite(join(directory, 'shard-0.db'))
    const rows = db.prepare('SELECT * FROM inbox ORDER BY sequence').all()
    floors.push(performance.now() - startedAt)
    db.close()
    const output = execFileSync(process.execPath, [program, directory, 'first'], { encoding: 'utf8' })
    const { ms, recovered } = JSON.parse(output) as { readonly ms: number; readonly recovered: number }
    if (recovered !== rows.length) throw new Error(`${rows.length} commands waited, but ${recovered} were recovered.`)
    values.push(ms)
  }
  return {
    name: `first reply after kill −9, ${count.toLocaleString('en')} actors, ${waiting.toLocaleString('en')} waiting`,
    value: median(values),
    unit: 'ms',
    floor: median(floors),
    ratio: median(values) / median(floors),
    spread: [Math.min(...values), Math.max(...values)],
    runs: plan.runs,
    sync: 'full',
    note: 'floor: open the file, read the waiting rows; ours starts a thread too; spread in ms',
  }
}
