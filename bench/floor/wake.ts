/** A thread that says when it was woken: the floor of everything that has to reach another thread. */
import { once } from 'node:events'
import { parentPort, Worker } from 'node:worker_threads'
import { now } from './now.ts'

/** Milliseconds from a `postMessage` until the other thread has it, so many times. */
export async function wakeUps(times: number): Promise<readonly number[]> {
  const worker = new Worker(new URL(import.meta.url))
  const found: number[] = []
  try {
    for (let each = 0; each < times + 50; each += 1) {
      const sentAt = now()
      worker.postMessage(sentAt)
      const [wokenAt] = (await once(worker, 'message')) as [number]
      if (each >= 50) found.push(wokenAt - sentAt)
    }
  } finally {
    await worker.terminate()
  }
  return found
}

parentPort?.on('message', () => parentPort?.postMessage(now()))
