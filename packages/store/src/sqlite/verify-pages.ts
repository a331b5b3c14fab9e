/**
 * Whether the pages of a file are sound, and if not, whether only what can be made anew from the tables is damaged.
 *
 * SQLite says what it finds in lines of English. Lines that speak of an index by name, or of a tree whose root is an index, are
 * damage of that index; pages that nobody uses lose nothing; everything else is damage of the data.
 */
import type { Database } from 'better-sqlite3'
import type { Findings } from './verify-findings.ts'

/** After so many lines SQLite is told to stop. What is damaged that much is not judged any more. */
const LINES_MAX = 1_000

const ofIndex = /^(?:row \d+ missing from|wrong # of entries in) index (\S+)$/
const ofTree = /^Tree (\d+)\b/
const ofNobody = /^Page \d+: never used$/

interface Tree {
  readonly type: string
  readonly name: string
  readonly table: string
  readonly sql: string | null
}

/** Looks at every page. At `isQuick` not at whether indexes have what their tables have. */
export function verifyPages(db: Database, findings: Findings, isQuick: boolean): void {
  const check = isQuick ? 'quick_check' : 'integrity_check'
  const rows = db.prepare<[], Readonly<Record<string, string>>>(`PRAGMA ${check}(${LINES_MAX})`).all()
  const lines = rows.flatMap((row) => Object.values(row)[0]?.split('\n') ?? []).filter((line) => !line.startsWith('***') && line !== 'ok')
  if (lines.length === 0) return
  const trees = treesOf(db)
  const damaged = new Map<string, string[]>()
  const unused: string[] = []
  const rest: string[] = []
  for (const line of lines) {
    const index = indexOf(line, trees)
    if (index !== undefined) damaged.set(index, [...(damaged.get(index) ?? []), line])
    else if (ofNobody.test(line)) unused.push(line)
    else rest.push(line)
  }
  const isJudged = rest.length === 0 && lines.length < LINES_MAX
  for (const line of rest) findings.error('damaged-page', `SQLite finds: ${line}.`)
  for (const [name, about] of damaged) {
    const message = `The index ${name} is damaged; its table is not. SQLite finds: ${about.slice(0, 3).join('; ')}.`
    if (isJudged && !hasSurplus(db, name, about, trees)) findings.repairable('damaged-index', message, name)
    else findings.error('damaged-index', `The index ${name} and its table do not agree. SQLite finds: ${about.slice(0, 3).join('; ')}.`, name)
  }
  if (unused.length > 0 && rest.length === 0) {
    findings.repairable('unused-pages', `${unused.length} pages belong to nothing: their space is lost, nothing else.`)
  }
}

function treesOf(db: Database): ReadonlyMap<number, Tree> {
  const rows = db
    .prepare<[], Tree & { readonly rootpage: number }>('SELECT type, name, tbl_name AS "table", sql, rootpage FROM sqlite_schema WHERE rootpage > 0')
    .all()
  return new Map(rows.map((row) => [row.rootpage, row]))
}

/** The index that a line speaks of. */
function indexOf(line: string, trees: ReadonlyMap<number, Tree>): string | undefined {
  const named = ofIndex.exec(line)?.[1]
  if (named !== undefined) return named
  const tree = trees.get(Number(ofTree.exec(line)?.[1]))
  return tree?.type === 'index' ? tree.name : undefined
}

/**
 * Whether an index that is sound as a tree has entries whose rows are gone: then the table has lost them, and an index made anew
 * would only hide it. An index that is not sound as a tree says nothing about its table.
 */
function hasSurplus(db: Database, name: string, about: readonly string[], trees: ReadonlyMap<number, Tree>): boolean {
  if (about.some((line) => ofTree.test(line))) return false
  const tree = [...trees.values()].find((other) => other.name === name)
  if (tree === undefined) return true
  const condition = /\bWHERE\b[^]*$/.exec(tree.sql ?? '')?.[0] ?? ''
  const rows = countOf(db, `SELECT count(*) AS count FROM ${tree.table} NOT INDEXED ${condition}`)
  const entries = countOf(db, `SELECT sum(ncell) AS count FROM dbstat WHERE name = '${name}'`)
  const missing = about.filter((line) => line.startsWith('row ')).length
  return entries > rows - missing
}

function countOf(db: Database, sql: string): number {
  return db.prepare<[], { readonly count: number | null }>(sql).get()?.count ?? 0
}
