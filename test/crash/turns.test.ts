/**
 * kill −9 at five exact places of one preemption. The process kills itself there: the place is reached in every run.
 *
 * (a) is reached with a desk whose turns are left alone for ten minutes: the handler's command is acknowledged, so it and the
 * intent are on disk, and the signal is held back. (b) to (e) are statements of the turns themselves.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Sqlite from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { readLines, STEPS } from '../fixtures/desk.actor.ts'
import type { Memory, Point } from '../fixtures/desk.actor.ts'

const REPEATS = process.env['BAILIWICK_SLOW'] === '1' ? 20 : 1
const PROGRAM = join(import.meta.dirname, 'turns-program.ts')

/** What the program finds in the end. */
interface Found {
  readonly memory: Memory
  readonly turns: readonly {
    readonly command: string
    readonly state: string
    readonly attempt: number
    readonly epoch: number
    readonly outcome?: { readonly outcome: string }
    readonly history: readonly { readonly epoch: number }[]
  }[]
  readonly running: number
  readonly epoch: number
}

/** One life of the program; answers what it printed, if it lived so long. */
async function live(args: readonly string[], dies: Point | undefined): Promise<Found | undefined> {
  const { BAILIWICK_DIES: _, ...env } = process.env
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, ...(dies === undefined ? {} : { BAILIWICK_DIES: dies }) },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed: string | undefined
  createInterface({ input: child.stdout }).on('line', (line) => {
    printed = line
  })
  const [code, signal]: readonly unknown[] = await once(child, 'close')
  expect([code, signal]).toEqual(dies === undefined ? [0, null] : [null, 'SIGKILL'])
  return printed === undefined ? undefined : (JSON.parse(printed) as Found) // Printed by the program.
}

/** The turns that hold their actor's session, as the files have it. */
function holdersIn(directory: string): readonly unknown[] {
  const shards = readdirSync(directory).filter((file) => /^shard-\d+\.db$/.test(file))
  return shards.flatMap((file) => {
    const db = new Sqlite(join(directory, file), { readonly: true })
    const details = db.prepare<[], string>('SELECT detail FROM lease').pluck().all()
    db.close()
    return details.map((detail) => JSON.parse(detail) as unknown)
  })
}

/** The places, how many checkpoints the worker has written by then, and what is on disk when the process dies there. */
const CASES: readonly (readonly [letter: string, point: Point, checkpoints: number])[] = [
  ['a', 'before the signal', 0],
  ['a', 'before the signal', 2],
  ['b', 'during the drain', 0],
  ['b', 'during the drain', 2],
  ['c', 'before the hand-over', 0],
  ['c', 'before the hand-over', 2],
  ['d', 'during the handler', 1],
  ['e', 'during the resumption', 1],
]

test.for(CASES)(
  'K22 (%s) killed %s, after %i checkpoints: each command is processed once, and the worker resumes or restarts, never both',
  { timeout: REPEATS * 20_000 },
  async ([, point, checkpoints]) => {
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      const root = mkdtempSync(join(tmpdir(), 'bailiwick-turns-'))
      const [directory, log] = [join(root, 'data'), join(root, 'log')]
      const args = [directory, log, String(checkpoints), point === 'before the signal' ? 'yes' : 'no']

      expect(await live(args, point)).toBeUndefined()
      const before = readLines(log)
      const has = (who: string, what: string): boolean => before.some((line) => line.who === who && line.what === what)
      // It died where it was to die.
      expect({
        isAccepted: point === 'before the signal' ? has('caller', 'accepted') : true,
        isInterrupted: has('worker', 'is interrupted'),
        isHandlerBegun: has('handler', 'begins'),
        isHandled: has('handler', 'handles'),
        stretches: before.filter(({ who, what }) => who === 'worker' && what === 'begins').length,
      }).toEqual({
        isAccepted: true,
        isInterrupted: point !== 'before the signal',
        isHandlerBegun: point === 'during the handler' || point === 'during the resumption',
        isHandled: point === 'during the resumption',
        stretches: point === 'during the resumption' ? 2 : 1,
      })
      expect(holdersIn(directory)).toEqual([{ holder: expect.any(Number) }])
      const saved = before.findLast(({ what }) => what === 'saved')?.step

      const found = await live(args, undefined)
      const [own] = before
      const after = readLines(log).filter(({ pid }) => pid !== own?.pid)
      const all = [...before, ...after]
      const { memory, turns, running, epoch } = found ?? { memory: { heard: [], counted: 0 }, turns: [], running: -1, epoch: 0 }

      // Each command was processed once: one turn for each call, with one end, and one count.
      expect(memory.counted).toBe(1)
      expect(memory.heard.filter((heard) => heard.startsWith('handler.done'))).toHaveLength(1)
      expect(memory.heard.filter((heard) => heard.startsWith('worker.done'))).toHaveLength(1)
      expect(
        memory.heard.filter(
          (heard) =>
            /\.(?:failed|cancelled)/.test(heard) && !heard.startsWith('worker.cancelled 1') && !heard.startsWith('handler.cancelled 1'),
        ),
      ).toEqual([])
      expect(all.filter(({ who, what }) => who === 'handler' && what === 'handles')).toHaveLength(1)
      expect(
        turns
          .filter(({ command }) => command !== 'count')
          .map(({ command, state, outcome }) => `${command} ${state} ${outcome?.outcome}`)
          .toSorted(),
      ).toEqual(['handler ended ok', 'worker ended ok'])

      // Nothing is held by the owner that died: whoever runs now, runs in a later epoch, and in the end nobody does.
      const last = Math.max(...before.map((line) => line.epoch ?? 0))
      const begins = after.filter(({ what }) => what === 'begins')
      for (const line of begins) expect(line.epoch).toBeGreaterThan(last)
      expect(begins.map((line) => line.epoch)).toEqual(
        [...new Set(begins.map((line) => line.epoch ?? 0))].sort((one, other) => one - other),
      )
      expect([running, epoch]).toEqual([0, 2])
      expect(holdersIn(directory)).toEqual([{ holder: null }])

      // The handler comes first, unless it has been; then the worker, from its frame, or from its beginning.
      expect(begins.map(({ who }) => who)).toEqual(point === 'during the resumption' ? ['worker'] : ['handler', 'worker'])
      const resumed = begins.find(({ who }) => who === 'worker')
      expect({ step: resumed?.step, attempt: resumed?.attempt }).toEqual(
        saved === undefined ? { step: undefined, attempt: 2 } : { step: saved, attempt: 1 },
      )
      const steps = after.filter(({ what }) => what === 'step').map(({ step }) => step)
      expect(steps).toEqual(Array.from({ length: STEPS - (saved ?? 0) }, (_none, index) => (saved ?? 0) + index))

      for (const name of readdirSync(directory).filter((file) => file.endsWith('.db'))) {
        const db = new Sqlite(join(directory, name), { readonly: true })
        expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
        db.close()
      }
      rmSync(root, { recursive: true, force: true })
    }
  },
)
