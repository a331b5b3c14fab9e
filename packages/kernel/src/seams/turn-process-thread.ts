/**
 * Entry of the thread that runs a turn in a forked process. It ends once the turn has, and everything that was printed has
 * left: a thread hands its output over in pieces, and those that are still here when it is ended are lost.
 */
import type { Writable } from 'node:stream'
import { workerData } from 'node:worker_threads'
import { runTurn } from './turn-pool-worker.ts'
import type { TurnTask } from './turn-pool-worker.ts'

/** Resolves once everything that was written before has left. */
async function flush(stream: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve())
  })
}

await runTurn(workerData as TurnTask) // Given by `turn-process-entry.ts` of the same version.
await Promise.all([flush(process.stdout), flush(process.stderr)])
// Whatever the turn has left behind must not keep it.
process.exit()
