/** Checking a directory in a thread of its own. */
import { Worker } from 'node:worker_threads'
import type { Finding, VerifyOptions } from '@bailiwick/store'
import { asError, decodeError, ShardCrashed } from '../errors.ts'
import type { Verified, VerifyStart } from './verify-thread.ts'

/** The entry is TypeScript in the repository and JavaScript in a package, like this file. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './verify-thread.ts' : './verify-thread.js', import.meta.url)

/** Checks a directory, beside its owner. Rejects as `verifyDirectory` throws, or with `ShardCrashed` if the thread dies. */
export async function verifyInThread(directory: string, options: VerifyOptions): Promise<readonly Finding[]> {
  const start: VerifyStart = { directory, options }
  const worker = new Worker(ENTRY, { workerData: start, name: 'bailiwick-verify' })
  try {
    const verified = await new Promise<Verified>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', (error: unknown) => reject(asError(error)))
      worker.once('exit', (code) => reject(new ShardCrashed(`the thread that checks the directory exited with code ${code}`)))
    })
    if ('error' in verified) throw decodeError(verified.error)
    return verified.findings
  } finally {
    await worker.terminate()
  }
}
