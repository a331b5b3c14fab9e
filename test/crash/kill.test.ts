/** kill −9 at random moments, again and again, on one directory. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'

const KILLS = process.env['BAILIWICK_SLOW'] === '1' ? 500 : 20
const PROGRAM = join(import.meta.dirname, 'program.ts')

interface LedgerState {
  readonly last: Readonly<Record<string, number>>
  readonly violations: readonly string[]
}

/** Numbers that look random and are the same for the same seed (Park and Miller). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** One life of the program: kills it so long after its start, or lets it end; checks what it found, notes what it was told. */
async function live(
  directory: string,
  acknowledged: Map<string, number>,
  killAfterMs: number | undefined,
): Promise<readonly LedgerState[]> {
  const file = `${directory}.acknowledged`
  writeFileSync(file, '')
  const mode = killAfterMs === undefined ? 'check' : 'work'
  const args = [PROGRAM, directory, file, JSON.stringify(Object.fromEntries(acknowledged)), mode]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const found = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), exited])
  const state = JSON.parse(String(found[0])) as readonly LedgerState[]
  check(state, acknowledged)
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  const [code]: readonly unknown[] = await exited
  clearTimeout(timer)
  expect(code).toBe(killAfterMs === undefined ? 0 : null)
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const [sender = '', n = ''] = line.split(' ')
    acknowledged.set(sender, Math.max(acknowledged.get(sender) ?? 0, Number(n)))
  }
  return state
}

/** What was acknowledged is there; nothing is there twice, is missing in between, or came out of order. */
function check(state: readonly LedgerState[], acknowledged: ReadonlyMap<string, number>): void {
  const last = Object.assign({}, ...state.map((ledger) => ledger.last)) as Record<string, number>
  expect(state.flatMap(({ violations }) => violations)).toEqual([])
  const lost = [...acknowledged].filter(([sender, n]) => (last[sender] ?? 0) < n)
  expect(lost).toEqual([])
}

test(
  `G2 G3 G5 ${KILLS} kills at random moments lose nothing that was acknowledged, double nothing, and keep every sender's order`,
  { timeout: KILLS * 4_000 },
  async () => {
    const seed = Number(process.env['BAILIWICK_SEED'] ?? (Date.now() % 1_000_000) + 1)
    console.log(`seed ${seed} (set BAILIWICK_SEED to repeat)`)
    const random = randomFrom(seed)
    const directory = join(mkdtempSync(join(tmpdir(), 'bailiwick-kill-')), 'data')
    const acknowledged = new Map<string, number>()
    for (let kill = 0; kill < KILLS; kill += 1) await live(directory, acknowledged, Math.floor(random() * 200))
    const state = await live(directory, acknowledged, undefined)
    expect([...acknowledged.keys()]).toHaveLength(16)
    for (const file of readdirSync(directory).filter((name) => name.endsWith('.db'))) {
      const db = new Sqlite(join(directory, file), { readonly: true })
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
      db.close()
    }
    const entered = state.reduce((total, { last }) => total + Object.values(last).reduce((sum, n) => sum + n, 0), 0)
    console.log(`${KILLS} kills, ${entered} commands entered, ${[...acknowledged.values()].reduce((sum, n) => sum + n, 0)} acknowledged`)
    rmSync(join(directory, '..'), { recursive: true, force: true })
  },
)
