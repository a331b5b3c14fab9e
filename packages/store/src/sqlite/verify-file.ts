/** What is checked of any file of the store before its rows are: that it is there, is the one it should be, and is whole. */
import type { Database } from 'better-sqlite3'
import { atOneMoment, openToLook, sizeOf } from './reader-connection.ts'
import { lookAtWal } from './reader-wal.ts'
import { latestVersion, pragmaNumber } from './schema.ts'
import type { Schema } from './schema.ts'
import { Findings } from './verify-findings.ts'
import { verifyPages } from './verify-pages.ts'

/** How a file is checked. */
export interface FileCheck {
  readonly file: string
  readonly schema: Schema
  readonly isQuick: boolean
  /** Whether somebody has the directory open; `undefined` if that cannot be seen. */
  readonly isOwned: boolean | undefined
}

/** Checks a file, and its rows by `rows`, which sees one moment of it. Throws nothing: whatever happens is a finding. */
export function verifyFile(check: FileCheck, rows: (db: Database, version: number, findings: Findings) => void): Findings {
  const { file, schema, isQuick } = check
  const findings = new Findings(file)
  if (sizeOf(file) === 0) {
    findings.error('file-missing', 'The file is missing or empty.')
    return findings
  }
  if (!verifyWal(check, findings)) return findings
  const db = findings.attempt(() => openToLook(file))
  if (db === undefined) return findings
  try {
    findings.attempt(() =>
      atOneMoment(db, () => {
        const version = verifyHeader(db, schema, findings)
        if (version === undefined) return
        findings.attempt(() => verifySize(db, file, findings))
        findings.attempt(() => verifyPages(db, findings, isQuick))
        rows(db, version, findings)
      }),
    )
  } finally {
    db.close()
  }
  return findings
}

/** Answers the schema version of a file that is ours and that this code knows. */
function verifyHeader(db: Database, schema: Schema, findings: Findings): number | undefined {
  if (pragmaNumber(db, 'application_id') !== schema.applicationId) {
    findings.error('file-foreign', 'It is not the file that Bailiwick put there.')
    return undefined
  }
  const version = pragmaNumber(db, 'user_version')
  const latest = latestVersion(schema)
  if (version > latest) {
    findings.error(
      'file-too-new',
      `It has schema version ${version}, but this code knows versions up to ${latest}.`,
      '',
      'Upgrade the package.',
    )
    return undefined
  }
  if (version < latest) {
    findings.note('schema-older', `It has schema version ${version}; the next opening brings it to ${latest}.`, undefined, true)
  }
  return version
}

/** With a WAL the size says nothing: pages may be missing in the file that are in the WAL. */
function verifySize(db: Database, file: string, findings: Findings): void {
  if (sizeOf(`${file}-wal`) > 0) return
  const size = sizeOf(file)
  const expected = pragmaNumber(db, 'page_count') * pragmaNumber(db, 'page_size')
  if (size !== expected) findings.error('file-size', `It has ${size} bytes, but its first page counts ${expected}.`)
}

/** Answers whether the file can be read together with its WAL. */
function verifyWal({ file, isOwned }: FileCheck, findings: Findings): boolean {
  const wal = findings.attempt(() => lookAtWal(file))
  if (wal === undefined) return false
  if (!wal.isWal) {
    findings.error('wal-damaged', 'Its write-ahead log does not begin like one: the commits in there are lost.', '-wal')
    return false
  }
  if (isOwned !== false || wal.bytes === 0) return true
  const pending = 'Its last commits are in its write-ahead log, and nobody owns the directory; the next opening reads them.'
  findings.note('wal-pending', pending, undefined, true)
  const torn = 'Its write-ahead log ends in the middle of a page: what was being written there was not committed, or was cut off since.'
  if (wal.isTorn) findings.note('wal-torn', torn)
  return true
}
