/**
 * Whether the pages of a file are sound, and if not, whether only what can be made anew from the tables is damaged.
 *
 * SQLite says what it finds in lines of English. Lines that speak of an index by name, or of a tree whose root is an index, are
 * damage of that index; pages that nobody uses lose nothing; everything else is damage of the data.
 *
 * It looks at every tree first and at the rows of each table then, and it ends where it comes upon a page that it cannot
 * read. So after such an end the tables are looked at one by one: the end is explained where an index of the table is damaged.
 */
import type { Database } from 'better-sqlite3'
import { codeOf } from './fault.ts'
import type { Findings } from './verify-findings.ts'

/** After so many lines SQLite is told to stop. What is damaged that much is not judged any more. */
const LINES_MAX = 1_000

const ofIndex = /^(?:row \d+ missing from|wrong # of entries in) index (\S+)$/
const ofTree = /^Tree (\d+)\b/
const ofNobody = /^Page \d+: never used$/

/** A table or an index, as the schema has it. */
interface Tree {
  readonly type: string
  readonly name: string
  readonly table: string
  readonly sql: string | null
  readonly root: number
}

/** What SQLite says of a file or of a table, and whether it came to the end. */
interface Said {
  readonly lines: readonly string[]
  readonly isWhole: boolean
}

/** Looks at every page. At `isQuick` not at whether indexes have what their tables have. */
export function verifyPages(db: Database, findings: Findings, isQuick: boolean): void {
  const check = isQuick ? 'quick_check' : 'integrity_check'
  const said = ask(db, `PRAGMA ${check}(${LINES_MAX})`)
  if (said.isWhole && said.lines.length === 0) return
  const trees = db
    .prepare<[], Tree>('SELECT type, name, tbl_name AS "table", sql, rootpage AS root FROM sqlite_schema WHERE rootpage > 0')
    .all()
  const verdict = judge(said, trees)
  // What is said of a table was said of the file already, as far as that came.
  if (!said.isWhole) for (const { name } of trees.filter((tree) => tree.type === 'table')) judgeTable(db, check, name, trees, verdict)
  const isOnlyIndexes = verdict.rest.size === 0 && said.lines.length < LINES_MAX
  for (const line of verdict.rest) findings.error('damaged-page', `SQLite finds: ${line}.`)
  for (const [name, lines] of verdict.indexes) {
    const about = [...lines].slice(0, 3).join('; ')
    if (isOnlyIndexes && !hasSurplus(db, name, lines, trees)) {
      findings.repairable('damaged-index', `The index ${name} is damaged; its table is not. SQLite finds: ${about}.`, name)
    } else findings.error('damaged-index', `The index ${name} is damaged, and not it alone. SQLite finds: ${about}.`, name)
  }
  if (verdict.unused > 0 && isOnlyIndexes) {
    findings.repairable('unused-pages', `Pages that belong to nothing take up room, ${verdict.unused} of them; nothing else is lost.`)
  }
}

function ask(db: Database, pragma: string): Said {
  const lines: string[] = []
  try {
    for (const row of db.prepare<[], Readonly<Record<string, string>>>(pragma).iterate()) {
      for (const line of (Object.values(row)[0] ?? '').split('\n')) if (line !== 'ok' && !line.startsWith('***')) lines.push(line)
    }
    return { lines, isWhole: true }
  } catch (error) {
    if (!codeOf(error).startsWith('SQLITE_CORRUPT')) throw error
    return { lines, isWhole: false }
  }
}

/** What is damaged. */
interface Verdict {
  readonly indexes: Map<string, Set<string>>
  readonly rest: Set<string>
  unused: number
}

function judge({ lines }: Said, trees: readonly Tree[]): Verdict {
  const verdict: Verdict = { indexes: new Map(), rest: new Set(), unused: 0 }
  for (const line of lines) add(verdict, line, trees)
  return verdict
}

function add(verdict: Verdict, line: string, trees: readonly Tree[]): void {
  const tree = trees.find(({ root }) => root === Number(ofTree.exec(line)?.[1]))
  const index = ofIndex.exec(line)?.[1] ?? (tree?.type === 'index' ? tree.name : undefined)
  if (index !== undefined) verdict.indexes.set(index, (verdict.indexes.get(index) ?? new Set()).add(line))
  else if (ofNobody.test(line)) verdict.unused += 1
  else verdict.rest.add(line)
}

function judgeTable(db: Database, check: string, table: string, trees: readonly Tree[], verdict: Verdict): void {
  const said = ask(db, `PRAGMA ${check}('${table}')`)
  for (const line of said.lines) if (!ofNobody.test(line)) add(verdict, line, trees)
  if (said.isWhole) return
  const indexes = trees.filter((tree) => tree.type === 'index' && tree.table === table)
  const isExplained = indexes.some(({ name }) => isBroken(verdict.indexes.get(name)))
  if (!isExplained) verdict.rest.add(`the table ${table} cannot be read`)
  // The others were not compared with the table.
  for (const { name } of indexes) {
    const lines = verdict.indexes.get(name) ?? new Set()
    if (isExplained && hasSurplus(db, name, lines, trees)) verdict.rest.add(`the index ${name} has rows that the table ${table} has not`)
  }
}

/** Whether an index is not sound as a tree. */
function isBroken(lines: ReadonlySet<string> | undefined): boolean {
  return [...(lines ?? [])].some((line) => ofTree.test(line))
}

/**
 * Whether an index that is sound as a tree has entries whose rows are gone: then the table has lost them, and an index made anew
 * would only hide it. An index that is not sound as a tree says nothing about its table.
 */
function hasSurplus(db: Database, name: string, lines: ReadonlySet<string>, trees: readonly Tree[]): boolean {
  if (isBroken(lines)) return false
  const tree = trees.find((other) => other.name === name)
  if (tree === undefined) return true
  const condition = /\bWHERE\b[^]*$/.exec(tree.sql ?? '')?.[0] ?? ''
  const rows = countOf(db, `SELECT count(*) AS count FROM ${tree.table} NOT INDEXED ${condition}`)
  const entries = countOf(db, `SELECT sum(ncell) AS count FROM dbstat WHERE name = '${name}'`)
  const missing = [...lines].filter((line) => line.startsWith('row ')).length
  return entries > rows - missing
}

function countOf(db: Database, sql: string): number {
  return db.prepare<[], { readonly count: number | null }>(sql).get()?.count ?? 0
}
