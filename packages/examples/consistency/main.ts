/**
 * Shows what each component keeps to when several workers use it: `node main.ts [--write] [--page FILE]`.
 *
 * Prints the table of docs/consistency.md as it is measured now. Exit codes: 0 the page says the same (with `--write`: it does
 * now), 1 it does not.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SECRET_FILE } from './components.actor.ts'
import { CREW, isolatedCrew, sharedCrew } from './crew.ts'
import { facts } from './facts.ts'
import { differences, documentedIn, tableOf, written } from './page.ts'

const { values } = parseArgs({ options: { write: { type: 'boolean' }, page: { type: 'string' } } })
const page = values.page ?? join(import.meta.dirname, '../../../docs/consistency.md')

const table = await measure()
console.log(table)
if (values.write === true) writeFileSync(page, written(readFileSync(page, 'utf8'), table))
const differing = differences(documentedIn(readFileSync(page, 'utf8')), table)
console.log(differing.length === 0 ? '\nThe page says the same.' : `\nThe page says something else:\n${differing.join('\n')}`)
process.exitCode = differing.length === 0 ? 0 : 1

async function measure(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'consistency-'))
  try {
    const secretFile = join(root, 'secret')
    writeFileSync(secretFile, randomBytes(32).toString('base64url'), { mode: 0o600 })
    process.env[SECRET_FILE] = secretFile
    const sharedDirectory = join(root, 'shared')
    await using one = await sharedCrew(join(root, 'one'), 1, 1)
    await using isolated = await isolatedCrew(join(root, 'isolated'))
    await using shared = await sharedCrew(sharedDirectory, CREW, CREW)
    const rows = []
    for (const { component, residual, measure: measureWith } of facts) {
      rows.push({
        component,
        one: await measureWith(one.workers),
        isolated: await measureWith(isolated.workers),
        shared: await measureWith(shared.workers),
        residual,
      })
    }
    const joining = await isolated.workers[0]?.join({ directory: sharedDirectory })
    return tableOf(rows, joining ?? '')
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
