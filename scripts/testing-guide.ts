/**
 * Writes into docs/testing.md what its programs are and what they print: the code blocks that begin with the path of a file, the
 * reports of failing runs, and the schedule to replay. To be run when the wording of reports, or what schedules mean, has
 * changed; the test of the guide compares all of it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const examples = join(root, 'packages/examples')
const guide = join(root, 'docs/testing.md')

/** Files of the reader's folder, by the name that they have there, and what is changed in them. */
interface Folder {
  readonly files: Readonly<Record<string, string>>
  readonly edits?: readonly (readonly [from: string | RegExp, to: string])[]
}

interface TestReport {
  readonly testResults: readonly { readonly assertionResults: readonly { readonly failureMessages: readonly string[] }[] }[]
}

/** Runs the tests of a folder such as a reader would have, and answers the message with which the first one fails. */
function failureIn({ files, edits = [] }: Folder): string {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-guide-'))
  try {
    symlinkSync(join(examples, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    for (const [name, source] of Object.entries(files)) {
      let text = readFileSync(join(examples, 'testing', source), 'utf8')
      for (const [from, to] of edits) text = text.replace(from, to)
      writeFileSync(join(folder, name), text)
    }
    const runner = join(examples, 'node_modules/vitest/vitest.mjs')
    try {
      execFileSync(process.execPath, [runner, 'run', '--root', '.', '--reporter=json', '--outputFile=report.json'], {
        cwd: folder,
        stdio: 'ignore',
      })
    } catch {
      // It is meant to fail: what is wanted is the report.
    }
    const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as TestReport // The form that vitest documents.
    const message = report.testResults[0]?.assertionResults[0]?.failureMessages[0] ?? ''
    return message.replace(/\n {4}at [\s\S]*/, '')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const account = 'account.actor.ts'
const withBug = { [account]: account, 'top-up.ts': 'top-up-with-bug.ts' }
const outputs = [
  failureIn({ files: { ...withBug, 'top-up.test.ts': 'top-up.test.ts' } }),
  failureIn({ files: { ...withBug, 'top-ups.test.ts': 'top-ups.test.ts' } }),
  failureIn({
    files: { [account]: account, 'top-up.ts': 'top-up.ts', 'x.test.ts': 'top-up-faults.test.ts' },
    edits: [
      [/topUp\(ref, 10, `[^`]*`\)/, 'topUp(ref, 10)'],
      ['(client, index)', '(client)'],
    ],
  }),
]
const schedule = /replay: '(\S+)'/.exec(outputs[0] ?? '')?.[1]
if (schedule === undefined || outputs.includes(''))
  throw new Error(`The programs of the guide did not fail as they should: ${outputs.join('\n\n')}`)
let next = 0
const text = readFileSync(guide, 'utf8')
  .replaceAll(/```text\n[\s\S]*?\n```/g, (block) => (next < outputs.length ? `\`\`\`text\n${outputs[next++]}\n\`\`\`` : block))
  .replace(/await simulate\(\{ replay: '\S+'/, `await simulate({ replay: '${schedule}'`)
  .replaceAll(/```ts\n\/\/ (packages\/examples\/\S+)\n[\s\S]*?```/g, (_block, path: string) => {
    return `\`\`\`ts\n// ${path}\n${readFileSync(join(root, path), 'utf8')}\`\`\``
  })
writeFileSync(guide, text)
console.log(outputs.join('\n\n'))
