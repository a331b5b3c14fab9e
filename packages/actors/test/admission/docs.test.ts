/** The programs of docs/actors/admission.md run, and print what the page says. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const examples = join(import.meta.dirname, '..', 'fixtures', 'examples')
const page = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'actors', 'admission.md')

test('the page on admission shows its program as it is, and what it prints', { timeout: 30_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-docs-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const text = readFileSync(page, 'utf8')
  const shown = [...text.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, file, code]) => [file, code])
  // Programs import the package; inside of it, its files are nearer.
  const asShown = (file: string): string =>
    readFileSync(join(examples, file), 'utf8').replaceAll(/'(\.\.\/){3}src\/[^']*'/g, "'@bailiwick/actors'")
  expect(shown).toEqual(['builds.actor.ts', 'builds.ts'].map((file) => [file, asShown(file)]))
  const printed = execFileSync(process.execPath, [join(examples, 'builds.ts'), join(directory, 'data')], { encoding: 'utf8' })
  expect(text).toContain(`\`\`\`text\n${printed}\`\`\``)
})
