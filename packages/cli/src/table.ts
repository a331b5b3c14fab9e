/** Tables and lists of fields for a terminal. */
import { cutTo, visible, widthOf } from './text.ts'

/** One column of a table. */
export interface Column<Row> {
  readonly header: string
  readonly cell: (row: Row) => string | number
  /** Numbers stand at the right. */
  readonly align?: 'right'
  /** It may lose its end where the table is too wide. */
  readonly isElastic?: true
}

const GAP = '  '
/** An elastic column keeps so much. */
const ELASTIC_MIN = 12

/** A table with a line of headers; empty text for no rows. `columns` is the width it may take, `undefined` for any. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width: number | undefined): string {
  if (rows.length === 0) return ''
  const lines = [columns.map(({ header }) => header), ...rows.map((row) => columns.map(({ cell }) => visible(String(cell(row)))))]
  const widths = fit(
    columns.map((_, index) => Math.max(...lines.map((line) => widthOf(line[index] ?? '')))),
    columns.map(({ isElastic }) => isElastic === true),
    width,
  )
  return lines.map((line) => `${lineOf(line, columns, widths, width)}\n`).join('')
}

/** Takes from the widest elastic column, one by one, until the table fits or nothing more can be taken. */
function fit(wanted: readonly number[], isElastic: readonly boolean[], width: number | undefined): readonly number[] {
  const widths = [...wanted]
  const gaps = GAP.length * Math.max(0, widths.length - 1)
  for (;;) {
    const surplus = widths.reduce((sum, each) => sum + each, gaps) - (width ?? Number.POSITIVE_INFINITY)
    if (surplus <= 0) return widths
    const widest = widths.reduce(
      (best, each, index) => (isElastic[index] === true && each > (widths[best] ?? 0) ? index : best),
      isElastic.indexOf(true),
    )
    const most = widths[widest] ?? 0
    if (most <= ELASTIC_MIN) return widths
    const next = Math.max(ELASTIC_MIN, ...widths.filter((each, index) => isElastic[index] === true && each < most))
    widths[widest] = Math.max(most - surplus, Math.min(next, most - 1))
  }
}

function lineOf<Row>(
  cells: readonly string[],
  columns: readonly Column<Row>[],
  widths: readonly number[],
  width: number | undefined,
): string {
  const padded = cells.map((cell, index) => {
    const text = cutTo(cell, widths[index] ?? 0)
    const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - widthOf(text)))
    return columns[index]?.align === 'right' ? space + text : text + space
  })
  const line = padded.join(GAP).trimEnd()
  return width === undefined ? line : cutTo(line, width)
}

/** Names with their values below each other. What has no value is left out. */
export function fields(pairs: readonly (readonly [name: string, value: string | number | undefined])[], indent = '  '): string {
  const given = pairs.filter(([, value]) => value !== undefined)
  const width = Math.max(0, ...given.map(([name]) => name.length))
  return given.map(([name, value]) => `${indent}${name.padEnd(width)}${GAP}${visible(String(value))}\n`).join('')
}

/** JSON below a name, each line indented. */
export function block(value: unknown, indent = '    '): string {
  const text = value === undefined ? 'undefined' : JSON.stringify(value, undefined, 2)
  return text
    .split('\n')
    .map((line) => `${indent}${visible(line)}\n`)
    .join('')
}
