/** A Node.js that is too old is refused at import, before anything else is loaded. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'

const INDEX = new URL('../src/index.ts', import.meta.url).href

function importOn(version: string): { readonly status: number | null; readonly output: string } {
  const program = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); await import('${INDEX}')`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  return { status, output: stderr }
}

describe('an import', () => {
  test.each(['20.20.2', '22.17.9', '18.0.0'])('on Node.js %s fails with one line that says what is needed', (version) => {
    const { status, output } = importOn(version)
    expect(status).toBe(1)
    expect(output).toContain(`Bailiwick needs Node.js 22.18 or newer; this is ${version}.`)
    expect(output).not.toMatch(/^ +at /m)
  })

  test.each(['22.18.0', '24.0.0', '26.10.0'])('on Node.js %s works', (version) => {
    expect(importOn(version)).toEqual({ status: 0, output: '' })
  })
})
