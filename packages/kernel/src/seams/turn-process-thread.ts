/** Entry of the thread that runs a turn in a forked process. */
import { workerData } from 'node:worker_threads'
import { runTurn } from './turn-pool-worker.ts'
import type { TurnTask } from './turn-pool-worker.ts'

await runTurn(workerData as TurnTask) // Given by `turn-process-entry.ts` of the same version.
