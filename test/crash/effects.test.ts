/** kill −9 at random moments while effects are under way, with the outside world in another process. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Sqlite from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'

const KILLS = process.env['BAILIWICK_SLOW'] === '1' ? 80 : 8

interface State {
  readonly couriers: Readonly<Record<string, { readonly last: number; readonly done: number; readonly violations: readonly string[] }>>
  readonly ledgers: readonly { readonly last: Readonly<Record<string, number>>; readonly violations: readonly string[] }[]
  readonly outbox: number
  readonly deadLetters: number
}

/** Numbers that look random and are the same for the same seed (Park and Miller). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** Starts a program of this folder; answers the process and the first line that it prints. */
async function start(program: string, args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly line: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line]: readonly unknown[] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, line: String(line) }
}

function linesOf(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

test(
  `G10 K25 G5 after ${KILLS} kills every acknowledged command has its effect, under one key, and no other has; every tell took effect once`,
  { timeout: 20_000 + KILLS * 5_000 },
  async () => {
    const seed = Number(process.env['BAILIWICK_SEED'] ?? (Date.now() % 1_000_000) + 1)
    console.log(`seed ${seed} (set BAILIWICK_SEED to repeat)`)
    const random = randomFrom(seed)
    const root = mkdtempSync(join(tmpdir(), 'bailiwick-effects-'))
    const [directory, acknowledged, received] = [join(root, 'data'), join(root, 'acknowledged'), join(root, 'received')]
    const { line: url } = await start('receiver.ts', [received])

    for (let kill = 0; kill < KILLS; kill += 1) {
      const { child } = await start('effects-program.ts', [directory, acknowledged, url])
      const exited = once(child, 'exit')
      setTimeout(() => child.kill('SIGKILL'), Math.floor(random() * 600))
      expect(await exited).toEqual([null, 'SIGKILL'])
    }
    const { child, line } = await start('effects-program.ts', [directory, acknowledged, url, 'check'])
    if (child.exitCode === null) await once(child, 'exit')
    const state = JSON.parse(line) as State

    // By command, the keys under which its effect was seen.
    const keys = new Map<string, Set<string>>()
    const commands = new Map<string, Set<string>>()
    for (const request of linesOf(received)) {
      const [key = '', sender = '', n = ''] = request.split(' ')
      const command = `${sender} ${n}`
      keys.set(command, (keys.get(command) ?? new Set()).add(key))
      commands.set(key, (commands.get(key) ?? new Set()).add(command))
    }
    const promised = Object.entries(state.couriers).flatMap(([key, { last }]) =>
      Array.from({ length: last }, (_none, index) => `${key} ${index + 1}`),
    )
    const committed = new Set(promised)
    const acknowledgedCommands = linesOf(acknowledged)
    expect(acknowledgedCommands.length).toBeGreaterThan(KILLS)
    expect(acknowledgedCommands.filter((command) => !committed.has(command))).toEqual([])
    expect(promised.filter((command) => !keys.has(command))).toEqual([])
    expect([...keys.keys()].filter((command) => !committed.has(command))).toEqual([])
    expect([...keys].filter(([, used]) => used.size !== 1)).toEqual([])
    expect([...commands].filter(([, used]) => used.size !== 1)).toEqual([])

    const last = Object.fromEntries(Object.entries(state.couriers).map(([key, courier]) => [key, courier.last]))
    expect(state.ledgers).toEqual(state.ledgers.map(() => ({ last, violations: [] })))
    for (const courier of Object.values(state.couriers)) expect(courier).toEqual({ last: courier.last, done: courier.last, violations: [] })
    expect(state).toMatchObject({ outbox: 0, deadLetters: 0 })

    // Ledgers and couriers live on both shards, so tells have crossed.
    const types = readdirSync(directory)
      .filter((name) => /^shard-\d+\.db$/.test(name))
      .map((name) => {
        const db = new Sqlite(join(directory, name), { readonly: true })
        const found = db.prepare('SELECT DISTINCT type FROM actor ORDER BY type').pluck().all()
        expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
        db.close()
        return found
      })
    expect(types).toHaveLength(2)
    expect(types.flat()).toEqual(expect.arrayContaining(['courier', 'ledger']))
    console.log(
      `${KILLS} kills, ${promised.length} effects promised, ${linesOf(received).length} attempts seen, types ${JSON.stringify(types)}`,
    )
    rmSync(root, { recursive: true, force: true })
  },
)
