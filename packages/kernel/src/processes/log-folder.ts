/**
 * Where the output of processes is kept: `<log folder>/<address>/<sequence>/`. A small file in it says how long, and
 * when the process has ended. What is over is removed.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile, readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Timer } from '../seams/seams.ts'

const META = 'process.json'
const ADDRESS_LENGTH_MAX = 120
const TRIES_MAX = 1_000
const SWEEP_MS = 3_600_000
const FOLDER = /^\d+(?:\.\d+)?$/

interface Meta {
  readonly keepMs: number
  /** Null as long as it runs, or if nobody saw it end. */
  readonly endedAt: number | null
}

/** A name for a folder, whatever the address. */
export function safeName(address: string): string {
  const name = address.replaceAll(/[^\w.-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).replace(/^\./, '%002e')
  if (name.length > 0 && name.length <= ADDRESS_LENGTH_MAX) return name
  return `${name.slice(0, ADDRESS_LENGTH_MAX)}%${createHash('sha256').update(address).digest('hex').slice(0, 16)}`
}

/** The folders of a shard's processes. */
export class LogFolders {
  readonly #root: string
  readonly #clock: Clock
  readonly #report: (error: unknown) => void
  readonly #open = new Set<string>()
  #timer: Timer | undefined
  #sweep: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(root: string, clock: Clock, report: (error: unknown) => void) {
    this.#root = root
    this.#clock = clock
    this.#report = report
    this.#sweepOn()
  }

  /** Makes the folder of a process. */
  create(address: string, sequence: number, keepMs: number): string {
    const parent = join(this.#root, safeName(address))
    for (let count = 0; ; count += 1) {
      const folder = join(parent, count === 0 ? String(sequence) : `${sequence}.${count}`)
      try {
        mkdirSync(parent, { recursive: true, mode: 0o700 })
        mkdirSync(folder, { mode: 0o700 })
        this.#open.add(folder)
        writeMeta(folder, { keepMs, endedAt: null })
        return folder
      } catch (error) {
        // Either an earlier process had this number, or the sweep has just removed the parent.
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if ((code !== 'EEXIST' && code !== 'ENOENT') || count >= TRIES_MAX) throw error
      }
    }
  }

  /** The process is gone: from now on it is counted how long its folder is kept. */
  ended(folder: string, keepMs: number): void {
    try {
      writeMeta(folder, { keepMs, endedAt: this.#clock.wall() })
    } catch (error) {
      this.#report(error)
    } finally {
      this.#open.delete(folder)
    }
  }

  /** Removes what is over. */
  async #removeOld(): Promise<void> {
    for (const address of await foldersIn(this.#root)) {
      const parent = join(this.#root, address)
      for (const name of await foldersIn(parent)) {
        const folder = join(parent, name)
        if (this.#isClosed || !FOLDER.test(name)) continue
        const meta = await readMeta(folder)
        if (meta === undefined) continue
        const now = this.#clock.wall()
        if (meta.endedAt === null) {
          // It runs, or its owner did not see it end.
          if (!this.#open.has(folder)) writeMeta(folder, { ...meta, endedAt: now })
        } else if (now - meta.endedAt > meta.keepMs) {
          await rm(folder, { recursive: true, force: true })
        }
      }
      await rmdir(parent).catch(() => undefined) // Only if nothing is left in it.
    }
  }

  /** Sweeps no more. Resolves when nothing is being removed. */
  async close(): Promise<void> {
    this.stop()
    await this.#sweep
  }

  stop(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #sweepOn(): void {
    this.#sweep = this.#sweep.then(() => this.#removeOld()).catch((error: unknown) => this.#report(error))
    this.#timer = this.#clock.setTimer(() => this.#sweepOn(), SWEEP_MS)
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}

function writeMeta(folder: string, meta: Meta): void {
  writeFileSync(join(folder, META), JSON.stringify(meta), { mode: 0o600 })
}

/** Undefined for a folder that is none of ours. */
async function readMeta(folder: string): Promise<Meta | undefined> {
  try {
    const meta: unknown = JSON.parse(await readFile(join(folder, META), 'utf8'))
    if (typeof meta !== 'object' || meta === null || !('keepMs' in meta) || !('endedAt' in meta)) return undefined
    const { keepMs, endedAt } = meta
    if (typeof keepMs !== 'number' || (typeof endedAt !== 'number' && endedAt !== null)) return undefined
    return { keepMs, endedAt }
  } catch {
    return undefined
  }
}
