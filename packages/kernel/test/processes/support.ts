/** What the tests of processes share: a journal in memory, a clock that is moved by hand, and ways to wait for what can be seen. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach } from 'vitest'
import type { ProcessSpec } from '../../src/definition/process.ts'
import { ProcessManager } from '../../src/processes/manager.ts'
import type { ProcessJournal, ProcessParts } from '../../src/processes/parts.ts'
import type { ProcessScope } from '../../src/processes/scope.ts'
import { nodeChildren } from '../../src/seams/node-children.ts'
import { nodeClock } from '../../src/seams/node-clock.ts'
import type { Clock, Timer } from '../../src/seams/seams.ts'

/** Rows as the store would have them, and every text that was ever written to one. */
export class TestJournal implements ProcessJournal {
  readonly rows = new Map<number, string>()
  readonly written: string[] = []
  #last = 0

  async begin(detail: string): Promise<number> {
    this.#last += 1
    this.rows.set(this.#last, detail)
    this.written.push(detail)
    return this.#last
  }

  update(sequence: number, detail: string): void {
    this.rows.set(sequence, detail)
    this.written.push(detail)
  }

  end(sequence: number): void {
    this.rows.delete(sequence)
  }
}

/** A clock that stands still until it is told to go on. */
export class HandClock implements Clock {
  #now = 1_000_000
  readonly #timers = new Set<{ dueAt: number; callback: () => void }>()

  wall(): number {
    return this.#now
  }

  elapsed(): number {
    return this.#now
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { dueAt: this.#now + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ dueAt }) => dueAt <= until).sort((left, right) => left.dueAt - right.dueAt)
      if (next === undefined) break
      this.#now = Math.max(this.#now, next.dueAt)
      this.#timers.delete(next)
      next.callback()
    }
    this.#now = until
  }
}

export interface World {
  readonly manager: ProcessManager
  readonly journal: TestJournal
  readonly reports: unknown[]
  readonly folder: string
  readonly logs: string
  /** A scope of its own, and what ends it. */
  readonly scope: (address?: string) => { scope: ProcessScope; end: () => void }
}

const cleanups: (() => Promise<void> | void)[] = []
let markers = 0

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Called after the test. */
export function afterwards(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup)
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-processes-'))
  afterwards(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function newMarker(): string {
  markers += 1
  return `test-${process.pid}-${nodeClock.wall()}-${markers}`
}

export function world(parts: Partial<ProcessParts> = {}): World {
  const folder = temporaryFolder()
  const logs = join(folder, 'logs')
  const journal = new TestJournal()
  const reports: unknown[] = []
  const manager = new ProcessManager({
    clock: nodeClock,
    children: nodeChildren,
    journal,
    logFolder: logs,
    newMarker,
    report: (error) => reports.push(error),
    ...parts,
  })
  afterwards(() => manager.kill())
  return {
    manager,
    journal,
    reports,
    folder,
    logs,
    scope: (address = 'actor/1') => {
      const over = new AbortController()
      let stale: Error | undefined
      return {
        scope: manager.scope({ address, name: 'work' }, () => stale, over.signal),
        end: () => {
          stale = new StaleForTest()
          over.abort()
        },
      }
    },
  }
}

/** Stands for `StaleEpoch`. */
export class StaleForTest extends Error {
  readonly code = 'STALE_EPOCH'
}

/** A program in JavaScript. */
export function node(code: string, rest: Omit<ProcessSpec, 'command' | 'args'> = {}): ProcessSpec {
  return { command: process.execPath, args: ['-e', code], ...rest }
}

/** A program in shell. */
export function shell(code: string, rest: Omit<ProcessSpec, 'command' | 'args'> = {}): ProcessSpec {
  return { command: '/bin/sh', args: ['-c', code], ...rest }
}

/** The next line of a process. */
export async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { done, value } = await lines.next()
  if (done === true) throw new Error('It has ended without another line.')
  return value
}

/** What is left of an iterator. */
export async function readAll(lines: AsyncIterable<string>): Promise<string[]> {
  const read: string[] = []
  for await (const line of lines) read.push(line)
  return read
}

/** Looks again and again until it is so; says what it saw if it never is. */
export async function eventually<T>(look: () => T | undefined | false, state: () => unknown = look, withinMs = 5_000): Promise<T> {
  const until = nodeClock.elapsed() + withinMs
  for (;;) {
    const seen = look()
    if (seen !== undefined && seen !== false) return seen
    if (nodeClock.elapsed() > until) throw new Error(`It was not so within ${withinMs} ms: ${JSON.stringify(state())}`)
    await new Promise<void>((resolve) => nodeClock.setTimer(resolve, 5))
  }
}

/** Whether a process runs: one that has ended and was not reaped does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

/** Every file below a folder, by path. */
export function filesBelow(folder: string): string[] {
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
  return names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile())
}

/** What a file of a log holds, compressed or not. */
export function contentOf(path: string): Buffer {
  const bytes = readFileSync(path)
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes
}
