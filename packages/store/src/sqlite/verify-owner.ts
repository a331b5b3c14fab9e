/**
 * What is lost with an `owner.db` that is missing or cannot be read, and whether the shards say enough to make it anew.
 *
 * It has little that is nowhere else: the number of shards, and an epoch that must not be behind theirs. Their number is that of
 * their files, if nothing speaks against it.
 */
import { basename } from 'node:path'
import { StoreDamaged } from '../errors.ts'
import type { Finding } from '../maintenance.ts'
import { ownerFile } from './layout.ts'
import { sizeOf } from './reader-connection.ts'
import { readOwner, requireStore } from './reader-directory.ts'
import type { Findings } from './verify-findings.ts'

/** Why there is no `owner.db` that can be read. */
export interface OwnerLoss {
  readonly code: 'owner-gone' | 'owner-damaged'
  readonly message: string
}

/** What the check of a shard says that matters here. */
export interface ShardVerdict {
  readonly findings: Findings
}

/** What single rows say. It is no reason to leave the file alone. */
const rowCodes: ReadonlySet<string> = new Set(['row-unreadable', 'row-orphaned', 'journal-gap', 'link-gap', 'link-ahead'])

/** The name under which a copy lies until it is whole. Its shards need not be all. */
const unfinishedCopy = /\.partial-\w{6}$/

/** How many replaced files may lie in a directory; then somebody has to look at them before another one is made. */
export const REPLACED_MAX = 8

/** The number of a shard whose file has this name. */
export function indexOf(name: string): number | undefined {
  const index = /^shard-(\d+)\.db$/.exec(name)?.[1]
  return index === undefined ? undefined : Number(index)
}

/**
 * Answers what is wrong with `owner.db` if damage keeps everything of it from being read; nothing if it is something else that does.
 * Throws `DirectoryMissing`, `DirectoryNotOurs` or `StoreUnavailable` where there is no store at all, or none that may be read.
 */
export function lossOfOwner(directory: string): OwnerLoss | undefined {
  const isGone = sizeOf(ownerFile(directory)) === 0
  let isStore = false
  try {
    requireStore(directory)
    isStore = true
    readOwner(directory)
    return undefined
  } catch (error) {
    if (error instanceof StoreDamaged) return { code: isGone ? 'owner-gone' : 'owner-damaged', message: error.message }
    if (!isStore) throw error
    return undefined
  }
}

/** Whether what is beyond repair is only what single rows say. */
export function areRowsOnly(findings: readonly Finding[]): boolean {
  return findings.every((finding) => finding.level !== 'error' || finding.isRepairable || rowCodes.has(finding.code))
}

/**
 * Why the shards do not say enough for another `owner.db`; `undefined` if they do. `names` is what lies in the directory, `checks`
 * the checks of the shards from 0 to the largest index.
 */
export function whyNotRebuilt(directory: string, names: readonly string[], checks: readonly ShardVerdict[]): string | undefined {
  const indexes = new Set(names.map(indexOf))
  const gap = checks.findIndex((_, index) => !indexes.has(index))
  if (unfinishedCopy.test(basename(directory))) return 'this is a copy that has not been finished'
  if (gap !== -1) return `shard-${gap}.db is missing, so nobody knows how many shards there were`
  const unsound = checks.findIndex(({ findings }) => !areRowsOnly(findings.all))
  if (unsound !== -1) return `shard-${unsound}.db is not sound`
  const linked = checks.findIndex(({ findings }) => findings.all.some(({ code }) => code === 'link-unknown'))
  if (linked !== -1) return `shard-${linked}.db has to do with a shard that is not there, so there were more`
  if (names.filter((name) => name.includes('.damaged-')).length >= REPLACED_MAX) return `${REPLACED_MAX} replaced files lie here already`
  return undefined
}
