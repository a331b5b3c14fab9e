/**
 * The rules on fixtures, by both linters. In a bad fixture a line that must be reported ends with `// instead: …`, once for
 * each report, and the report names that replacement; every other line of every fixture must be left alone.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import plugin from '@bailiwick/lint'
import { fixturesOf, reportsOfEslint, reportsOfOxlint } from './reports.ts'
import type { Report, Reports } from './reports.ts'

const repository = join(import.meta.dirname, '../../..')

/** Bans that a fixture must show, by something that each report on it says. */
const bans = {
  'threads.js': /turn\({ on: 'pool' }\).*more shards|`tell`.*`ask`/,
  'shared-memory.js': /an actor that owns the state/,
  'locks.js': /an actor that owns the state.*`ref\.lease\(name\)`/,
  'processes.js': /`process\.run`, `process\.spawn` or `process\.session` inside a turn or an effect/,
  'databases.js': /an actor's state, which the system persists/,
  'timers.js': /`setTimer` or `after` of a machine, or `delayMs` of a tell/,
  'signals.js': /`system\.close\(\)` in the program that opens the system.*`ref\.cancelTurn`/,
  'inside.js': /`@bailiwick\/kernel` and `@bailiwick\/actors`/,
}

const linters: readonly { name: string; extensions: readonly string[]; run: (files: readonly string[]) => Reports | Promise<Reports> }[] = [
  { name: 'ESLint', extensions: ['.js', '.cjs'], run: reportsOfEslint },
  { name: 'oxlint', extensions: ['.js', '.cjs', '.ts'], run: reportsOfOxlint },
]

describe.each(linters)('$name', ({ extensions, run }) => {
  test('K31: every banned line is reported with what to use instead, and no other line, nor one with a comment that excepts it', async () => {
    const reports = await run(fixturesOf('bad', extensions))
    for (const [file, found] of reports) expect(asComments(file, found), file).toEqual(commentsOf(file))
    for (const [name, replacement] of Object.entries(bans)) {
      const found = [...reports].find(([file]) => basename(file) === name)?.[1] ?? []
      expect(found.length, name).toBeGreaterThan(3)
      for (const { message } of found) expect(message).toMatch(replacement)
    }
  })

  test("K31: names of the file's own, public modules and types are left alone", async () => {
    const reports = await run(fixturesOf('good', extensions))
    expect([...reports].filter(([, found]) => found.length > 0)).toEqual([])
    expect(reports.size).toBe(fixturesOf('good', extensions).length)
  })
})

test('K31: the recommended settings make an error of every rule', () => {
  const { rules } = plugin.configs.recommended
  expect(rules).toEqual(Object.fromEntries(Object.keys(plugin.rules ?? {}).map((name) => [`bailiwick/${name}`, 'error'])))
})

test("K31: this repository's settings hold the actors and the examples to the rules, and not their tests", () => {
  const directory = scratch()
  cpSync(join(repository, '.oxlintrc.json'), join(directory, '.oxlintrc.json'))
  symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'))
  mkdirSync(join(directory, 'packages'))
  symlinkSync(join(repository, 'packages/lint'), join(directory, 'packages/lint'))
  const product = ['packages/actors/src/limiter/limiter.ts', 'packages/examples/shop/shop.actor.ts', 'packages/examples/shop/main.ts']
  const others = ['packages/actors/test/limiter.test.ts', 'packages/examples/test/shop.test.ts', 'bench/shop.ts']
  const files = [...product, ...others].map((file) => join(directory, file))
  const text = [`import { fork } from 'node:child_process'`, `process.on('SIGINT', () => fork('x'))`, 'setTimeout(() => {}, 1)']
  for (const file of files) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${text.join('\n')}\n`)
  }
  const all = ['bailiwick/no-process-signals', 'bailiwick/no-raw-globals', 'bailiwick/no-raw-imports']
  const reports = reportsOfOxlint(files, directory, '.oxlintrc.json')
  const ours = [...reports].map(([file, found]) => [
    file.slice(directory.length + 1),
    all.filter((rule) => found.some((report) => report.rule === rule)),
  ])
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries([...product.map((file) => [file, all]), ...others.map((file) => [file, []])]))
})

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-lint-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** What the comments of a fixture expect: a replacement for each line, as often as the line is reported. */
function commentsOf(file: string): readonly string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => [...line.matchAll(/\/\/ instead: (.*?)(?= \/\/|$)/g)].map((match) => `${index + 1}: ${match[1]}`))
}

/** Reports as the comments that would expect them; one without its comment shows its whole message. */
function asComments(file: string, reports: readonly Report[]): readonly string[] {
  const left = [...commentsOf(file)]
  const comments = reports.map(({ line, message }) => {
    const index = left.findIndex((comment) => comment.startsWith(`${line}: `) && message.includes(comment.slice(`${line}: `.length)))
    return left.splice(index, index === -1 ? 0 : 1)[0] ?? `${line}: ${message}`
  })
  return comments.toSorted((one, other) => lineOf(one) - lineOf(other))
}

function lineOf(comment: string): number {
  return Number(comment.slice(0, comment.indexOf(':')))
}
