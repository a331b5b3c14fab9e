/** The table as it is printed, and as it stands in the page. */

const BEGIN = '<!-- begin: written by `pnpm consistency --write`, never by hand -->'
const END = '<!-- end -->'

/** What was measured of one fact. */
export interface Row {
  readonly component: string
  readonly one: string
  readonly isolated: string
  readonly shared: string
  readonly residual: string
}

/** The facts as Markdown. `joining` is what a second process hears that opens the directory of the shared system. */
export function tableOf(rows: readonly Row[], joining: string): string {
  const lines = [
    ['component', 'one process', '4 processes, shared secret only', 'one shared system (4 callers, 4 shard threads)', 'residual'],
    ['---', '---', '---', '---', '---'],
    ...rows.map(({ component, one, isolated, shared, residual }) => [component, one, isolated, shared, residual]),
  ]
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  return `${table}\n\nSeparate processes before one shared system: when shared mode exists. Today a process that opens the directory of another hears \`${joining}\`.`
}

/** What the page says: the lines between the marks. */
export function documentedIn(page: string): string {
  const { start, end } = marks(page)
  return page.slice(start, end).trim()
}

/** The page with another table. */
export function written(page: string, table: string): string {
  const { start, end } = marks(page)
  return `${page.slice(0, start)}\n${table}\n${page.slice(end)}`
}

/** The lines of two tables that are not the same, theirs first. */
export function differences(documented: string, measured: string): readonly string[] {
  const [old, now] = [documented.split('\n'), measured.split('\n')]
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ]
}

function marks(page: string): { readonly start: number; readonly end: number } {
  const start = page.indexOf(BEGIN) + BEGIN.length
  const end = page.indexOf(END, start)
  if (start < BEGIN.length || end === -1) throw new Error(`The page lacks the lines ${BEGIN} and ${END}.`)
  return { start, end }
}
