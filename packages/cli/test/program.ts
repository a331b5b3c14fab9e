/** The command line as a child process, and processes that own directories. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { runCli } from '../src/cli.ts'
import type { World } from '../src/command.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const scene = fileURLToPath(new URL('fixtures/scene.ts', import.meta.url))

/** How a command line ended. */
export interface Ending {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `bailiwick` with these arguments to its end. */
export async function bailiwick(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ending> {
  const { COLUMNS: _columns, BAILIWICK_DEBUG: _debug, ...rest } = process.env
  const child = spawn(process.execPath, [main, ...args], { env: { ...rest, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

/** The same inside of this process: for what does not depend on being one. */
export async function called(args: readonly string[], world: Partial<World> = {}): Promise<Ending> {
  let out = ''
  let err = ''
  const code = await runCli(args, {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    print: (text) => void (out += text),
    warn: (text) => void (err += text),
    columns: undefined,
    isColored: false,
    isDebugging: false,
    interruption: () => new AbortController().signal,
    ...world,
  })
  return { code, out, err }
}

/** What a command line prints with `--json`. */
export async function json(args: readonly string[]): Promise<unknown> {
  const { out, err } = await called([...args, '--json'])
  if (out === '') throw new Error(err)
  return JSON.parse(out)
}

/** A folder that is removed at the end. */
export interface Folder extends Disposable {
  readonly path: (name: string) => string
}

/** Makes a folder. */
export function makeFolder(): Folder {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-cli-'))
  return { path: (name) => join(root, name), [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) }
}

/** Every file of a directory with a digest of what is in it, apart from SQLite's index of a log, which readers make anew. */
export function contentOf(directory: string): Readonly<Record<string, string>> {
  const names = readdirSync(directory).filter((name) => !name.endsWith('-shm'))
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex'),
    ]),
  )
}

/** A process that has a directory open, in which there is something of every kind. */
export interface Owner {
  readonly pid: number
  /** Has it close the system and end. */
  readonly close: () => Promise<void>
  /** Kills it with SIGKILL. */
  readonly kill: () => Promise<void>
}

/** Starts an owner; answers once everything is there. */
export async function startOwner(directory: string): Promise<Owner> {
  const child: ChildProcess = spawn(process.execPath, [scene, directory], { stdio: ['pipe', 'pipe', 'ignore'] })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('The owner has no pipes.')
  const exit = once(child, 'exit')
  const first = await Promise.race([once(createInterface({ input: stdout }), 'line'), exit])
  const { pid } = JSON.parse(String(first[0])) as { readonly pid?: number }
  if (pid === undefined) throw new Error(`The owner ended with ${String(first[0])}.`)
  return {
    pid,
    close: async () => {
      stdin.write('close\n')
      await exit
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exit
    },
  }
}
