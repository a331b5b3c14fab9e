/** The program of docs/supervision.md: it prints what the guide says, and the guide shows it as it is. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const examples = join(import.meta.dirname, '..')
const guide = readFileSync(join(examples, '..', '..', 'docs', 'supervision.md'), 'utf8')

test(
  'G11 a printer that jams too often is quarantined, heard of by its office, and goes on with what was kept',
  { timeout: 30_000 },
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'bailiwick-printers-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(examples, 'printers/main.ts'), join(directory, 'data')], {
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])
    // The tap speaks when it hears of something: between the lines, not always at the same place.
    const isTold = (line: string): boolean => line.startsWith('   ')
    const lines = stdout.trimEnd().split('\n')
    const shown = (/```text\n([\s\S]*?)```/.exec(guide)?.[1] ?? '').trimEnd().split('\n')
    expect(lines.filter((line) => !isTold(line))).toEqual(shown.filter((line) => !isTold(line)))
    expect(lines.filter((line) => isTold(line))).toEqual(shown.filter((line) => isTold(line)))
  },
)

test('the guide to supervision shows the example as it is', () => {
  const shown = [...guide.matchAll(/```ts\n\/\/ (packages\/examples\/\S+)\n([\s\S]*?)```/g)]
  expect(shown.map(([, path]) => path)).toEqual(['packages/examples/printers/printer.actor.ts', 'packages/examples/printers/main.ts'])
  for (const [, path = '', code] of shown) {
    const source = readFileSync(join(examples, '..', '..', path), 'utf8')
    expect(code).toBe(source.slice(source.indexOf('\n') + 1))
  }
})
