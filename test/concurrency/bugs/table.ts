/**
 * Measures how many schedules it takes to find each known bug, and writes the table of docs/known-bugs.md:
 *
 *     node test/concurrency/bugs/table.ts
 *
 * Takes some minutes. The same code gives the same table.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { SimulationOptions } from '@bailiwick/testkit'
import type { KnownBug } from './known-bug.ts'
import { KNOWN_BUGS } from './known-bugs.ts'
import { findings, SEEDS } from './search.ts'
import type { Finding } from './search.ts'

const STRATEGIES = ['portfolio', 'random', 'pos', 'walk', 'pct'] as const satisfies readonly SimulationOptions['strategy'][]
const PAGE = new URL('../../../docs/known-bugs.md', import.meta.url)
const [BEGIN, END] = ['<!-- table: node test/concurrency/bugs/table.ts -->', '<!-- end of the table -->']

/** Median and maximum; how many seeds have found it, if not all have. */
function cellOf(found: readonly Finding[]): string {
  const counts = found.map(({ schedules = Infinity }) => schedules).toSorted((left, right) => left - right)
  const all = counts.filter(Number.isFinite)
  if (all.length < SEEDS.length) return all.length === 0 ? '—' : `${all.length} of ${SEEDS.length}`
  return `${counts[Math.floor((counts.length - 1) / 2)] ?? 0} / ${counts.at(-1) ?? 0}`
}

async function rowOf(bug: KnownBug): Promise<string> {
  const cells: string[] = []
  for (const strategy of STRATEGIES) cells.push(cellOf(await findings(bug, strategy)))
  return row([bug.name, bug.what, bug.withActors, ...cells])
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const lines = [
  row(['Bug', 'What goes wrong', 'How it appears with actors', ...STRATEGIES]),
  row(['---', '---', '---', ...STRATEGIES.map(() => '--:')]),
]
for (const bug of KNOWN_BUGS) {
  const line = await rowOf(bug)
  console.log(line)
  lines.push(line)
}
const page = readFileSync(PAGE, 'utf8')
const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
if (before === -1 || after < before) throw new Error(`${PAGE.pathname} has no place for the table`)
writeFileSync(PAGE, `${page.slice(0, before + BEGIN.length)}\n\n${lines.join('\n')}\n\n${page.slice(after)}`)
