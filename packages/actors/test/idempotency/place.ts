import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory for a file of tests, which removes it in the end. */
export function temporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-actors-'))
  return { path: join(directory, 'data'), remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** A directory for one test, which goes with it. */
export function place(): string {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  return path
}
