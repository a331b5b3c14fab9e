/** A directory for each system of a test, what their files hold, and what a simulated caller takes from its world. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { ActorDefinition, System } from '@bailiwick/kernel'
import type { Client, World } from '@bailiwick/testkit'
import { onTestFinished } from 'vitest'
import { realSurroundings } from '../../src/seams.ts'
import type { Surroundings } from '../../src/seams.ts'

/** Systems of a test, each in a directory of its own, closed and removed at its end. */
export interface Places {
  readonly open: (actors: readonly ActorDefinition[], name?: string) => Promise<System>
  readonly directory: (name?: string) => string
}

export function makePlaces(): Places {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-actors-'))
  const systems: System[] = []
  onTestFinished(async () => {
    await Promise.all(systems.map((system) => system.close({ timeoutMs: 100 })))
    rmSync(root, { recursive: true, force: true })
  })
  const directory = (name = 'a'): string => join(root, name)
  return {
    directory,
    open: async (actors, name) => {
      const system = await openSystem({ directory: directory(name), actors, shards: 2 })
      systems.push(system)
      return system
    },
  }
}

/** A system for all tests of a file that keep apart by their keys. */
export interface Common {
  readonly system: System
  readonly close: () => Promise<void>
}

/** Opens one, in a directory that goes with it. */
export async function openCommon(actors: readonly ActorDefinition[]): Promise<Common> {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-actors-'))
  const system = await openSystem({ directory: join(root, 'a'), actors, shards: 2 })
  return {
    system,
    close: async () => {
      await system.close({ timeoutMs: 100 })
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** What a promise ends with: the code of its error, or its value. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

/** Files of a directory in which any of the texts occurs. A process of its own looks: to open and close them here would drop SQLite's locks. */
export function filesWith(directory: string, ...texts: readonly string[]): string[] {
  const program = `
    const fs = require('node:fs'), [directory, ...texts] = process.argv.slice(1)
    for (const name of fs.readdirSync(directory)) {
      const bytes = fs.readFileSync(directory + '/' + name)
      if (texts.some((text) => bytes.includes(text))) console.log(name)
    }`
  return execFileSync(process.execPath, ['-e', program, directory, ...texts], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
}

/** Surroundings with the clock of a test. */
export function surroundingsAt(now: () => number): Surroundings {
  return { ...realSurroundings, now }
}

/** Surroundings of a caller in a simulated world. */
export function simulatedSurroundings(world: World, caller: string): Surroundings {
  const next = world.draws(`chance of ${caller}`)
  return { now: () => world.time, randomBytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff) }
}

/** The programs that a page of docs/actors shows. */
export function shownBy(page: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../../../docs/actors', page), 'utf8')
  return [...text.matchAll(/```ts\n\/\/ \S+\n([\s\S]*?)```/g)].map(([, code = '']) => code)
}

/** Fixtures as a page shows them: to its reader the package is one module. */
export function sourcesOf(...files: readonly string[]): string[] {
  const texts = files.map((file) => readFileSync(join(import.meta.dirname, '../fixtures', file), 'utf8'))
  return texts.map((text) => text.replaceAll(/'\.\.\/\.\.\/src\/[^']*'/g, "'@bailiwick/actors'"))
}

/** Repeats a call of a facade until its outcome is known, which may be one of its errors: then its code is the answer. */
export async function endOf<T>(client: Client, finals: readonly string[], call: () => Promise<T>): Promise<T | string> {
  // The test kit knows the kernel's errors alone: it would take ours for unknown outcomes.
  return await client.retry(() =>
    call().catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (typeof code === 'string' && finals.includes(code)) return code
      throw error
    }),
  )
}
