/** The real seams, together. */
import { nodeClock, nodeRandom, nodeScheduler } from './node-clock.ts'
import { nodeDiagnostics, nodeWarn } from './node-diagnostics.ts'
import { nodeSignals } from './node-signals.ts'
import { nodeStores } from './node-stores.ts'
import { startNodeThread } from './node-thread.ts'
import type { Seams } from './seams.ts'

/** What a program runs on: the machine's clock, the event loop, worker threads, SQLite, and what the process is told and says. */
export const nodeSeams: Seams = {
  clock: nodeClock,
  scheduler: nodeScheduler,
  random: nodeRandom,
  stores: nodeStores,
  startThread: startNodeThread,
  diagnostics: nodeDiagnostics,
  signals: nodeSignals,
  warn: nodeWarn,
}
