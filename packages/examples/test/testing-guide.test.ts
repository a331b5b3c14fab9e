/** docs/testing.md: its programs run as they are shown, and its output is what they print. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'

// The tests of the guide run as a part of this file.
for (const name of ['account-commands', 'account-model', 'sign-up', 'sign-up-deadline', 'top-up', 'top-up-faults', 'top-ups']) {
  await import(`../testing/${name}.test.ts`)
}

const examples = join(import.meta.dirname, '..', 'testing')
const guide = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'testing.md'), 'utf8')
const modules = join(import.meta.dirname, '..', 'node_modules')

/** What a program has printed, and how it ended. */
interface Ended {
  readonly code: number
  readonly printed: string
}

/** Runs Node.js as a reader would, outside of the test runner that is running this. */
async function node(cwd: string, ...args: readonly string[]): Promise<Ended> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_TEST|TEST$|NODE_ENV$)/.test(name)))
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env })
    return { code: 0, printed: stdout }
  } catch (error) {
    // An error of `execFile` has what was printed until then.
    const { code, stdout } = error as { readonly code: number; readonly stdout: string }
    return { code, printed: stdout }
  }
}

/** A reader's folder with some files of the guide, by the names that they are saved under. */
function project(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-guide-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  symlinkSync(modules, join(directory, 'node_modules'))
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  for (const [name, source] of Object.entries(files)) copyFileSync(join(examples, source), join(directory, name))
  return directory
}

/** Runs vitest in a folder, and answers the messages of the tests that failed. */
async function failuresOf(directory: string): Promise<readonly string[]> {
  const report = join(directory, 'report.json')
  await node(directory, join(modules, 'vitest', 'vitest.mjs'), 'run', '--root', '.', '--reporter=json', `--outputFile=${report}`)
  // The form of vitest's JSON reporter, which is that of Jest.
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    readonly testResults: readonly { readonly assertionResults: readonly { readonly failureMessages: readonly string[] }[] }[]
  }
  expect(testResults.length).toBeGreaterThan(0)
  return testResults.flatMap(({ assertionResults }) => assertionResults.flatMap(({ failureMessages }) => failureMessages))
}

/** Without the stack. */
function messageOf(failure: string): string {
  return failure.replace(/\n {4}at [\s\S]*/, '')
}

/** The blocks of the guide that show output. */
const outputs = [...guide.matchAll(/```text\n([\s\S]*?)\n```/g)].map(([, text = '']) => text)

describe('the five minutes of the guide', { timeout: 60_000 }, () => {
  test('with the bug both tests fail with what the guide shows', async () => {
    const tests = { 'account.actor.ts': 'account.actor.ts', 'top-up.test.ts': 'top-up.test.ts', 'top-ups.test.ts': 'top-ups.test.ts' }
    const directory = project({ ...tests, 'top-up.ts': 'top-up-with-bug.ts' })
    const failures = (await failuresOf(directory)).map(messageOf)
    expect(failures.toSorted()).toEqual(outputs.slice(0, 2).toSorted())
  })

  test('the schedule that was printed shows the bug again, and no other run', async () => {
    const directory = project({ 'account.actor.ts': 'account.actor.ts', 'top-up.ts': 'top-up-with-bug.ts' })
    const [, word = ''] = /replay: '(\S+)'/.exec(outputs[0] ?? '') ?? []
    expect(guide).toContain(`await simulate({ replay: '${word}', actors: [account], … })`)
    const source = readFileSync(join(examples, 'top-up.test.ts'), 'utf8')
    writeFileSync(join(directory, 'top-up.test.ts'), source.replace('actors: [account],', `actors: [account], replay: '${word}',`))
    const [failure = ''] = await failuresOf(directory)
    expect(failure).toContain('expected 10 to be 20')
    expect(failure).toContain(word)
  })

  test('a retry without a key is found to count twice, as the guide shows', async () => {
    const directory = project({ 'account.actor.ts': 'account.actor.ts', 'top-up.ts': 'top-up.ts' })
    const source = readFileSync(join(examples, 'top-up-faults.test.ts'), 'utf8')
    // eslint-disable-next-line no-template-curly-in-string -- the text of the program
    const careless = source.replace('topUp(ref, 10, `request ${index}`)', 'topUp(ref, 10)').replace('(client, index)', '(client)')
    expect(careless).not.toBe(source)
    writeFileSync(join(directory, 'top-up-faults.test.ts'), careless)
    expect((await failuresOf(directory)).map(messageOf)).toEqual([outputs[2]])
  })

  test('under node:test, by `node --test` alone, it fails with the bug and passes without', async () => {
    const files = { 'account.actor.ts': 'account.actor.ts', 'top-up.test.ts': 'top-up.node-test.ts' }
    const broken = await node(project({ ...files, 'top-up.ts': 'top-up-with-bug.ts' }), '--test', '--test-reporter=tap')
    expect(broken.code).toBe(1)
    expect(broken.printed).toMatch(/^# fail 1$/m)
    expect(broken.printed).toContain("replay: '")
    const mended = await node(project({ ...files, 'top-up.ts': 'top-up.ts' }), '--test', '--test-reporter=tap')
    expect(mended.printed).toMatch(/^# pass 1$/m)
    expect(mended.code).toBe(0)
  })
})

test('a history from a file is judged as the guide shows', { timeout: 30_000 }, async () => {
  const directory = project({ 'check-history.ts': 'check-history.ts' })
  const log = [
    '{:process 0, :type :invoke, :f :put, :key "x", :value "1"}',
    '{:process 0, :type :ok, :f :put, :key "x", :value "1"}',
    '{:process 1, :type :invoke, :f :put, :key "x", :value "2"}',
    '{:process 2, :type :invoke, :f :get, :key "x", :value nil}',
    '{:process 2, :type :ok, :f :get, :key "x", :value "2"}',
    '{:process 2, :type :invoke, :f :get, :key "x", :value nil}',
    '{:process 2, :type :ok, :f :get, :key "x", :value "1"}',
    '{:process 1, :type :ok, :f :put, :key "x", :value "2"}',
  ]
  writeFileSync(join(directory, 'stale.log'), log.join('\n'))
  expect(await node(directory, 'check-history.ts', 'stale.log')).toEqual({ code: 1, printed: `${outputs[3]}\n` })
  writeFileSync(join(directory, 'good.log'), log.slice(0, 5).join('\n'))
  expect(await node(directory, 'check-history.ts', 'good.log')).toEqual({ code: 0, printed: 'The history is linearizable.\n' })
})

test('the guide shows the examples as they are, and links to what is there', () => {
  const shown = [...guide.matchAll(/```ts\n\/\/ (packages\/examples\/\S+)\n([\s\S]*?)```/g)]
  expect(shown.length).toBe(14)
  for (const [, path = '', code = ''] of shown) {
    expect(code, path).toBe(readFileSync(join(import.meta.dirname, '..', '..', '..', path), 'utf8'))
  }
  const headings = new Set(
    [...guide.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
  for (const [, anchor = ''] of guide.matchAll(/\]\(#([^)]+)\)/g)) expect(headings, anchor).toContain(anchor)
  expect(outputs).toHaveLength(4)
})
