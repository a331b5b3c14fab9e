/**
 * Checking a directory as a whole: files, pages, rows, and what shards say of each other.
 *
 * A check changes nothing and works beside an owner, whose WAL cannot be cut back while a shard is read. It goes on, whatever it
 * finds: the code of a finding is stable, its message is for people.
 */
import type { Database } from 'better-sqlite3'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Finding, VerifyOptions } from '../maintenance.ts'
import { ownerFile, shardFile } from './layout.ts'
import type { OwnerRow } from './ownership.ts'
import { isHeld } from './reader-connection.ts'
import { readOwner } from './reader-directory.ts'
import { ownerSchema, shardSchema } from './schema.ts'
import { verifyFile } from './verify-file.ts'
import { Findings } from './verify-findings.ts'
import { indexOf, lossOfOwner, whyNotRebuilt } from './verify-owner.ts'
import type { OwnerLoss } from './verify-owner.ts'
import { readReceived, readSent, verifyLinks, verifyUnsent } from './verify-links.ts'
import type { Received, Sent } from './verify-links.ts'
import { verifyJournals, verifyMarks, verifyParents, verifyTexts } from './verify-rows.ts'

/** What the check of one shard has found out, for the checks that need several. */
export interface ShardCheck {
  readonly findings: Findings
  readonly sent: readonly Sent[] | undefined
  /** Epoch of the directory's owner on whose behalf the shard was last opened, 0 if that cannot be read. */
  readonly ownerEpoch: number
}

const ours = /^(owner|shard-\d+)\.db(-wal|-shm|-journal)?$/
const replaced = /^(owner|shard-\d+)\.db\.damaged-\d+(-wal|-journal)?$/

/**
 * Checks everything that can be checked in a directory. Throws only `DirectoryMissing`, `DirectoryNotOurs`, or `StoreUnavailable`
 * if the directory itself may not be read; everything else is a finding.
 */
export function verifyDirectory(directory: string, options: VerifyOptions = {}): readonly Finding[] {
  const absolute = resolve(directory)
  const file = ownerFile(absolute)
  const isQuick = options.isQuick ?? false
  const loss = lossOfOwner(absolute)
  const owning = new Findings(file)
  // Nobody can hold the lock of a file that is not there; but somebody may have had it open when it was deleted.
  const isOwned = loss === undefined ? owning.attempt(() => isHeld(file)) : undefined
  const about = loss === undefined ? verifyFile({ file, schema: ownerSchema, isQuick, isOwned }, () => {}) : new Findings(file)
  const owner = loss !== undefined || about.isBeyondRepair ? undefined : about.attempt(() => readOwner(absolute))
  // What is left beside an owner.db that is lost is part of that loss.
  const names = readdirSync(absolute).filter((name) => loss === undefined || !/^owner\.db(-|$)/.test(name))
  const shards = owner?.shards ?? Math.max(0, ...indexesOf(names).map((index) => index + 1))
  if (owner?.created === 0 && isOwned !== true) {
    about.note('creation-unfinished', 'Its making was interrupted; the next opening finishes it.', undefined, true)
  }
  const isUnfinished = owner?.created === 0
  const found = isUnfinished ? [] : verifyShards(absolute, shards, { isQuick, isOwned })
  if (loss !== undefined) noteLoss(loss, whyNotRebuilt(absolute, names, found), about)
  return [
    ...owning.all,
    ...about.all,
    ...found.flatMap((check) => check.findings.all),
    ...epochFindings(absolute, found),
    ...strayFindings(absolute, names, owner, shards),
  ]
}

/** One finding for all that is wrong with an `owner.db` that cannot be read. */
function noteLoss({ code, message }: OwnerLoss, why: string | undefined, findings: Findings): void {
  if (why === undefined) findings.repairable(code, `${message} The shards say enough to make it anew.`)
  else findings.error(code, `${message} It cannot be made anew from the shards: ${why}.`)
}

/** Checks shards and what they say of each other. Their number is taken as given. */
export function verifyShards(
  directory: string,
  shards: number,
  options: { readonly isQuick: boolean; readonly isOwned: boolean | undefined },
): readonly ShardCheck[] {
  const files = Array.from({ length: shards }, (_, index) => shardFile(directory, index))
  const readAll = (): Received[] => files.map((file) => readReceived(file, shardSchema.applicationId))
  const before = readAll()
  const checks = files.map((file, index) => verifyShard(file, index, options))
  const after = readAll()
  for (const [index, { sent, findings }] of checks.entries()) {
    if (sent === undefined) continue
    verifyLinks(index, sent, before, after, findings)
    verifyUnsent(index, sent, before, findings)
  }
  return checks
}

/** Checks one shard by itself. */
export function verifyShard(
  file: string,
  index: number,
  { isQuick, isOwned }: { readonly isQuick: boolean; readonly isOwned: boolean | undefined },
): ShardCheck {
  let sent: readonly Sent[] | undefined
  let ownerEpoch = 0
  const findings = verifyFile({ file, schema: shardSchema, isQuick, isOwned }, (db, version, about) => {
    ownerEpoch = about.attempt(() => verifyMeta(db, index, about)) ?? 0
    about.attempt(() => verifyMarks(db, about))
    about.attempt(() => verifyJournals(db, about))
    about.attempt(() => verifyParents(db, about))
    if (!isQuick) verifyTexts(db, version, about)
    if (isOwned === false) about.attempt(() => noteProcesses(db, about))
    sent = about.attempt(() => readSent(db))
  })
  return { findings, sent, ownerEpoch }
}

function verifyMeta(db: Database, index: number, findings: Findings): number {
  const meta = db
    .prepare<[], { readonly shard: number; readonly ownerEpoch: number }>('SELECT shard, owner_epoch AS ownerEpoch FROM meta')
    .get()
  if (meta === undefined) {
    findings.error('meta-missing', 'Its row in meta is missing.')
    return 0
  }
  if (meta.shard !== index)
    findings.error('file-misplaced', `It is the file of shard ${meta.shard}.`, '', 'Put each file back into its place.')
  return meta.ownerEpoch
}

function noteProcesses(db: Database, findings: Findings): void {
  const { count } = db.prepare<[], { readonly count: number }>('SELECT count(*) AS count FROM process').get() ?? { count: 0 }
  if (count > 0)
    findings.note('process-left', `${count} processes of a dead owner were not seen to end; the next opening ends what is left of them.`)
}

/** An owner's epoch that is behind that of a shard would have the shard refuse the next owner. Read last, because it only grows. */
function epochFindings(directory: string, checks: readonly ShardCheck[]): readonly Finding[] {
  const findings = new Findings(ownerFile(directory))
  const newest = Math.max(0, ...checks.map((check) => check.ownerEpoch))
  let epoch: number
  try {
    ;({ epoch } = readOwner(directory))
  } catch {
    return []
  }
  if (newest > epoch) {
    findings.repairable(
      'epoch-behind',
      `Its epoch is ${epoch}, but a shard was opened on behalf of epoch ${newest}: the shard would refuse the next owners.`,
    )
  }
  return findings.all
}

/** Files that nobody uses. */
function strayFindings(directory: string, names: readonly string[], owner: OwnerRow | undefined, shards: number): readonly Finding[] {
  const findings = new Findings(directory)
  if (owner !== undefined) {
    for (const index of indexesOf(names).filter((other) => other >= shards)) {
      findings.warning(
        'file-surplus',
        `The directory has ${shards} shards, so this file is not used.`,
        'See where it came from.',
        `shard-${index}.db`,
      )
    }
  }
  for (const name of names) {
    if (name === 'lost+found' || name.startsWith('.')) continue
    if (replaced.test(name))
      findings.note('file-replaced', `${name} is what a repair has replaced.`, 'Delete it once nobody wants it any more.')
    else if (!ours.test(name)) findings.warning('file-leftover', 'Nobody uses this file.', 'See where it came from.', name)
    else if (name.endsWith('-journal'))
      findings.warning('file-leftover', 'A transaction under the rollback journal was interrupted.', 'Open the directory.', name)
    else if (/-(?:wal|shm)$/.test(name) && !names.includes(name.slice(0, -4)))
      findings.warning('file-leftover', 'The database to which it belongs is not there.', 'See where that is.', name)
  }
  return findings.all
}

function indexesOf(names: readonly string[]): number[] {
  return names.map(indexOf).filter((index) => index !== undefined)
}
