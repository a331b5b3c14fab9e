/** A temporary directory for each test, with everything that the test opened in it, and looks at its files. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { openDirectory } from '../src/index.ts'
import type { DirectoryOptions, OwnedDirectory } from '../src/index.ts'

const ownerProgram = fileURLToPath(new URL('fixtures/owner.ts', import.meta.url))

/** A fresh directory that goes away after the test. The store belongs into `join(root, …)`, or into it. */
export function temporaryDirectory(): string {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-store-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  return root
}

/** Opens a directory with two shards and releases it after the test. */
export function open(directory: string, options: Partial<DirectoryOptions> = {}): OwnedDirectory {
  const owned = openDirectory({ directory, shards: 2, now: () => 1_000, ...options })
  onTestFinished(() => owned.release())
  return owned
}

/** The bytes of every file below a directory, by name. Compare two to see that nothing was written. */
export function bytesOf(directory: string): Readonly<Record<string, string>> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(names.map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name)).toString('base64')]))
}

/** A process that runs `fixtures/owner.ts`, and what it says. */
export interface OwnerProcess {
  readonly child: ChildProcess
  /** The next line it says. Throws if it ends without saying one more. */
  readonly line: () => Promise<Record<string, unknown>>
  /** Kills it with SIGKILL and waits until it is gone. */
  readonly kill: () => Promise<void>
}

/** Starts an owner; it is killed after the test at the latest. */
export function startOwner(args: readonly string[], options: Pick<SpawnOptions, 'uid' | 'gid'> = {}): OwnerProcess {
  const child = spawn(process.execPath, [ownerProgram, ...args], { stdio: ['pipe', 'pipe', 'inherit'], ...options })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const gone = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    child,
    line: async () => {
      const next = await lines.next()
      if (next.done === true) throw new Error('the owner has ended and says no more')
      return JSON.parse(next.value) as Record<string, unknown>
    },
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
  }
}
