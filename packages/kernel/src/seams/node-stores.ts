/** The real stores: SQLite files in a directory. */
import { backupDirectory, openDirectory, openShard } from '@bailiwick/store'
import { nodeClock } from './node-clock.ts'
import { verifyInThread } from './node-verify.ts'
import type { Stores } from './seams.ts'

/** Opens directories and shards on SQLite. */
export const nodeStores: Stores = {
  openDirectory: (options) => openDirectory({ ...options, now: () => nodeClock.wall() }),
  openShard: (location) => openShard(location),
  verify: verifyInThread,
  backup: (from, to) => backupDirectory(from, to, { now: nodeClock.wall(), elapsed: () => nodeClock.elapsed() }),
}
