/** The page about consistency: what it says is what is measured. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { documentedIn } from '../consistency/page.ts'

const page = join(import.meta.dirname, '../../../docs/consistency.md')

function run(...args: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [join(import.meta.dirname, '../consistency/main.ts'), ...args], { encoding: 'utf8' })
}

/** The cells of a row: one process, isolated processes, one shared system. */
function cellsOf(text: string, component: string): readonly string[] {
  const line = text.split('\n').find((each) => each.startsWith(`| ${component}`))
  return line?.split(' | ').slice(1, 4) ?? []
}

test('W18 what is measured is what the page says, and a page that says something else is refused by name', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-consistency-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const other = join(directory, 'page.md')
  writeFileSync(other, readFileSync(page, 'utf8').replace('20 allowed', '19 allowed'))
  // One run tells both: all that differs from the other page is the line that was changed.
  const { status, stdout, stderr } = run('--page', other)
  expect(status, stderr).toBe(1)
  expect(stdout.startsWith(documentedIn(readFileSync(page, 'utf8')))).toBe(true)
  expect(stdout.match(/^[-+] .*/gm)).toEqual([expect.stringMatching(/^- .*19 allowed/), expect.stringMatching(/^\+ .*20 allowed/)])
})

test('W02, W07, W12 the page tells the weakness of workers that share only a secret, and W03, W08, W12 what a shared system makes of it', () => {
  const text = documentedIn(readFileSync(page, 'utf8'))
  expect(cellsOf(text, 'Token signature')).toEqual(['4 accepted', '4 accepted', '4 accepted'])
  expect(cellsOf(text, 'Revocation of one')).toEqual(['4 revoked', '1 revoked, 3 accepted', '4 revoked'])
  expect(cellsOf(text, 'Rate limit')).toEqual(['5 allowed, 15 denied', '20 allowed', '5 allowed, 15 denied'])
  expect(cellsOf(text, 'Handle')).toEqual(['3 expanded; for Bob mismatch', '3 not-found; for Bob mismatch', '3 expanded; for Bob mismatch'])
})
