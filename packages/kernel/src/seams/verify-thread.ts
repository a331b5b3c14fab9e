/** Entry of a thread that checks a directory: it reads every page, which must hold up nobody. */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses an old Node.js before anything else is loaded.
import '../node-version.ts'
import { parentPort, workerData } from 'node:worker_threads'
import { verifyDirectory } from '@bailiwick/store'
import type { Finding, VerifyOptions } from '@bailiwick/store'
import { encodeError } from '../errors.ts'
import type { EncodedError } from '../errors.ts'

/** What the thread is given. */
export interface VerifyStart {
  readonly directory: string
  readonly options: VerifyOptions
}

/** What it answers. */
export type Verified = { readonly findings: readonly Finding[] } | { readonly error: EncodedError }

function verify(): Verified {
  try {
    const { directory, options } = workerData as VerifyStart // Given by `verifyInThread` of the same version.
    return { findings: verifyDirectory(directory, options) }
  } catch (error) {
    return { error: encodeError(error) }
  }
}

parentPort?.postMessage(verify())
