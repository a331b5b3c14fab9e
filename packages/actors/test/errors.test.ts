import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const sources = join(import.meta.dirname, '../src')
const pages = join(import.meta.dirname, '../../../docs/actors')

/** Every error class of the ready-made actors: its code, its name, and what its docstring says. */
function errorsOfSources(): readonly string[] {
  const rows: string[] = []
  for (const folder of readdirSync(sources, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue
    const file = join(sources, folder.name, 'errors.ts')
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const classes = text.matchAll(/\/\*\*([^/]*?)\*\/\nexport class (\w+) extends \w+ \{\n {2}readonly code = '(\w+)'/g)
    for (const [, doc = '', name = '', code = ''] of classes) {
      const says = doc.replaceAll(/\n \* ?/g, ' ').trim()
      rows.push(`| \`${code}\` | \`${name}\` | ${says} |`)
    }
  }
  return rows.toSorted()
}

describe('docs/actors', () => {
  test('the page has every error of the ready-made actors, in the words of its class', () => {
    const page = readFileSync(join(pages, 'README.md'), 'utf8')
    const rows = page.split('\n').filter((line) => /^\| `[A-Z_]+` \|/.test(line))
    expect(rows).toEqual(errorsOfSources())
    expect(rows.length).toBeGreaterThan(20)
  })

  test('the page links every component, and every component has a page', () => {
    const page = readFileSync(join(pages, 'README.md'), 'utf8')
    for (const file of readdirSync(pages)) if (file !== 'README.md') expect(page).toContain(`(${file})`)
    expect(readdirSync(pages).length).toBe(9)
  })
})
