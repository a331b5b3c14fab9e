/** A system on real threads and real files, in a directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { ActorDefinition, System } from '@bailiwick/kernel'

/** A directory that may be opened again and again. */
export class Place {
  readonly #root = mkdtempSync(join(tmpdir(), 'bailiwick-admission-'))
  readonly #actors: readonly ActorDefinition[]

  constructor(actors: readonly ActorDefinition[]) {
    this.#actors = actors
  }

  async open(shards: number): Promise<System> {
    return await openSystem({ directory: join(this.#root, 'data'), actors: this.#actors, shards })
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}
