/**
 * Writes docs/mutants.md: what each mutant breaks, what caught it, and how soon; and caught-by.json, so that CI tries the right
 * campaign first. `node test/concurrency/mutants/table.ts [names…]` prints some rows of the table.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { mutants } from './all.ts'
import { hunt } from './hunt.ts'
import type { Hunted } from './hunt.ts'
import type { Mutant } from './mutant.ts'

const SEEDS = [1, 2, 3, 4, 5] as const
const SCHEDULES = 6_000
/** As many at a time as the smallest machine has cores. */
const AT_A_TIME = 2
const FILE = new URL('../../../docs/mutants.md', import.meta.url)
const CAUGHT_BY = new URL('caught-by.json', import.meta.url)

// Processes that start again and again need not compile again.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('../../../node_modules/.cache/node-compile', import.meta.url))

const HEAD = `# Mutants

A mutant is a slip of one or two lines that somebody could make in the kernel or in the memory store. Each is planted alone, while its
file is loaded, in a process that runs the campaigns of \`test/concurrency\`; the sources know nothing of it. CI runs those that are
caught within a few hundred schedules, \`npx --yes pnpm@12 test test/concurrency/mutants.test.ts\`, and the slow suite all. How many schedules over all campaigns it took until the first failed was
measured with ${SEEDS.length} seeds; the campaign is the one that caught it most often. Campaigns take turns, in rounds that grow, those of the
mutant's guarantee first, with half of each round; CI tries the campaign of this table before all others.
\`node test/concurrency/mutants/table.ts\` writes this file.

| Mutant | What is broken | Guarantee | Caught by | Schedules: median | Most |
|---|---|---|---|---|---|
`

/** One mutant, hunted with every seed. */
interface Row {
  readonly mutant: Mutant
  readonly hunted: readonly Hunted[]
}

async function rowOf(mutant: Mutant): Promise<Row> {
  const hunted: Hunted[] = []
  for (const seed of SEEDS) hunted.push(await hunt(mutant, { schedules: SCHEDULES, seed }))
  return { mutant, hunted }
}

function lineOf({ mutant, hunted }: Row): string {
  const counts = hunted.map(({ schedules }) => schedules).toSorted((one, other) => one - other)
  const survived = hunted.filter(({ caught }) => caught === undefined).length
  const most = survived === 0 ? String(counts.at(-1)) : `${survived} of ${SEEDS.length} not caught in ${SCHEDULES}`
  const cells = [
    `\`${mutant.name}\``,
    mutant.claim,
    mutant.guarantee,
    catcherOf(hunted),
    String(counts[Math.floor(counts.length / 2)]),
    most,
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |\n`
}

function catcherOf(hunted: readonly Hunted[]): string {
  const times = new Map<string, number>()
  for (const { caught } of hunted) if (caught !== undefined) times.set(caught.campaign, (times.get(caught.campaign) ?? 0) + 1)
  return [...times].toSorted(([, one], [, other]) => other - one)[0]?.[0] ?? 'nothing'
}

/** What no campaign catches for now, and why. */
function restOf(): string {
  const rest = mutants.flatMap(({ name, claim, guarantee, skip }) =>
    skip === undefined ? [] : [`| \`${name}\` | ${claim} | ${guarantee} | ${skip} |\n`],
  )
  return rest.length === 0
    ? ''
    : `\n## Not caught yet\n\n| Mutant | What is broken | Guarantee | Why |\n|---|---|---|---|\n${rest.join('')}`
}

const names = process.argv.slice(2)
const wanted = mutants.filter(({ name, skip }) => (names.length === 0 ? skip === undefined : names.includes(name)))
const rows = new Map<Mutant, Row>()
const waiting = [...wanted]
await Promise.all(
  Array.from({ length: AT_A_TIME }, async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const row = await rowOf(mutant)
      rows.set(mutant, row)
      process.stdout.write(lineOf(row))
    }
  }),
)
if (names.length === 0) {
  const inOrder = wanted.flatMap((mutant) => rows.get(mutant) ?? [])
  writeFileSync(FILE, HEAD + inOrder.map(lineOf).join('') + restOf())
  const catchers = Object.fromEntries(inOrder.map(({ mutant, hunted }) => [mutant.name, catcherOf(hunted)]))
  writeFileSync(CAUGHT_BY, `${JSON.stringify(catchers, undefined, 2)}\n`)
}
