/** The programs of docs/actors/rate-limiter.md and docs/actors/budget.md run, and print what the pages say. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const examples = join(import.meta.dirname, '..', 'fixtures', 'examples')
const docs = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'actors')

test.each([
  ['rate-limiter.md', 'calls'],
  ['budget.md', 'session'],
])('%s shows the program as it is, and what it prints', { timeout: 30_000 }, (page, name) => {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-docs-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const text = readFileSync(join(docs, page), 'utf8')
  const shown = [...text.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, file, code]) => [file, code])
  const files = [`${name}.actor.ts`, `${name}.ts`]
  // Programs import the package; inside of it, its files are nearer.
  const asShown = (file: string): string =>
    readFileSync(join(examples, file), 'utf8').replaceAll(/'(\.\.\/){3}src\/[^']*'/g, "'@bailiwick/actors'")
  expect(shown).toEqual(files.map((file) => [file, asShown(file)]))
  const printed = execFileSync(process.execPath, [join(examples, `${name}.ts`), join(directory, 'data')], { encoding: 'utf8' })
  expect(text).toContain(`\`\`\`text\n${printed}\`\`\``)
})
