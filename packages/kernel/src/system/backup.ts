/** Looking after the files of an open system: copying them, and giving free space back. */
import type { BackupReport, Finding, VerifyOptions } from '@bailiwick/store'
import { checkOptionNames } from '../definition/input.ts'
import { InvalidInput } from '../errors.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { Stores } from '../seams/seams.ts'
import { checkTimeout } from './call.ts'
import type { ShardClient } from './shard-client.ts'

/** How to give space back. */
export interface CompactOptions {
  /** How long one shard may take, in milliseconds; then the call ends with `AskTimeout`, and the shard goes on. Default 600,000. */
  readonly timeoutMs?: number
  /** Ends the call with `AskAborted`; the shard that is at work finishes. */
  readonly signal?: AbortSignal
}

const COMPACT_MS_DEFAULT = 600_000

/** Copies a directory. Rejects with `InvalidInput` for a bad path, or where the system has no files. */
export async function backup(stores: Stores, directory: string, to: unknown): Promise<BackupReport> {
  if (typeof to !== 'string' || to === '') throw new InvalidInput('system.backup', 'path', 'must be a path')
  if (stores.backup === undefined)
    throw new InvalidInput('system.backup', 'path', 'has no meaning: a system in memory, as the test kit opens it, has nothing to copy')
  return await stores.backup(directory, to)
}

/** Checks a directory. Rejects with `InvalidInput` for bad options, or where the system has no files. */
export async function verify(stores: Stores, directory: string, options: VerifyOptions = {}): Promise<readonly Finding[]> {
  checkOptionNames('system.verify', options, new Set(['isQuick']))
  const { isQuick = false } = options
  if (typeof isQuick !== 'boolean') throw new InvalidInput('system.verify', 'isQuick', 'must be true or false')
  if (stores.verify === undefined)
    throw new InvalidInput('system.verify', '', 'has no meaning: a system in memory, as the test kit opens it, has no files to check')
  return await stores.verify(directory, { isQuick })
}

/** Has one shard after the other give space back, so that at any time only one of them serves nothing. */
export async function compact(clients: readonly ShardClient[], options: CompactOptions = {}): Promise<void> {
  checkOptionNames('system.compact', options, new Set(['timeoutMs', 'signal']))
  const limits = { timeoutMs: checkTimeout('system.compact', options.timeoutMs ?? COMPACT_MS_DEFAULT), signal: options.signal }
  for (const [shard, client] of clients.entries()) {
    await client.call({ address: `shard ${shard}`, command: 'compact' }, limits, (call) => [ToShard.compact, call])
  }
}
