/** Both drivers keep the same promises: the suite of the testkit, run against each. */
import { createMemoryDisk, openDirectory, openMemoryDirectory } from '@bailiwick/store'
import type { OwnedDirectory } from '@bailiwick/store'
import { storeConformance } from '@bailiwick/testkit'
import type { StorePlace } from '@bailiwick/testkit'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'

const now = () => 1_000_000

/** A crash goes on with a copy of the files as they lie there: that is what a process leaves that was killed. */
function createSqlitePlace(): StorePlace {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-conformance-'))
  const owned: OwnedDirectory[] = []
  let life = 0
  return {
    open() {
      const directory = openDirectory({ directory: join(root, String(life)), shards: 2, now })
      owned.push(directory)
      return directory
    },
    crash() {
      life += 1
      cpSync(join(root, String(life - 1)), join(root, String(life)), { recursive: true })
    },
    dispose() {
      for (const directory of owned) directory.release()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function createMemoryPlace(): StorePlace {
  const disk = createMemoryDisk({ shards: 2 })
  return {
    open: () => openMemoryDirectory(disk, { now }),
    crash: () => disk.crash(),
    dispose: () => {},
  }
}

storeConformance('SQLite', createSqlitePlace, { describe, test })
storeConformance('memory', createMemoryPlace, { describe, test })
