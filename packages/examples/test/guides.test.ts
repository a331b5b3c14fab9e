/** The programs of docs/turns.md: they print what the guide says, and the guide shows them as they are. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { expect, onTestFinished, test } from 'vitest'
import { assistant } from '../assistant/assistant.actor.ts'
import { workshop } from '../assistant/workshop.actor.ts'

const examples = join(import.meta.dirname, '..')

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-guides-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'data')
}

function run(program: string, directory: string): string {
  return execFileSync(process.execPath, [join(examples, program), directory], { encoding: 'utf8' })
}

test(
  'an assistant is interrupted for a question and goes on where it was; asked again, it has the recorded outcome',
  { timeout: 30_000 },
  () => {
    const directory = place()
    const first = run('assistant/main.ts', directory)
    // How many topics were studied before the question is a matter of speed; that none is studied twice is not.
    expect(first.match(/Studied .*/g)).toEqual(['Studied 1 of 3', 'Studied 2 of 3', 'Studied 3 of 3'])
    expect(first).toMatch(/Meanwhile: an answer to "Is the library open\?"/)
    expect(first).toMatch(/The report: .*rivers.*; .*bridges.*; .*boats/)
    expect(first).toMatch(/study \{ attempt: 1, epoch: 1, outcome: 'cancelled', mode: 'steal' \}/)
    expect(first).toMatch(/study \{ attempt: 1, epoch: 3, outcome: 'ok', mode: undefined \}/)
    const second = run('assistant/main.ts', directory)
    expect(second).not.toMatch(/Studied/)
    expect(second).toMatch(/The report: .*rivers/)
  },
)

test(
  'of three workers that find a credential out of date one refreshes it, and one that was paused comes too late',
  { timeout: 30_000 },
  () => {
    const directory = place()
    for (const version of [2, 3]) {
      const lines = run('credential/main.ts', directory)
      expect(lines.match(/refreshed it in epoch/g)).toHaveLength(1)
      expect(lines.match(/found it refreshed/g)).toHaveLength(2)
      expect(lines).toMatch(/Too late: /)
      expect(lines).toContain(`Version ${version}`)
    }
  },
)

test('a stop ends what is studied for good, and what was interrupted leaves no report', async () => {
  await using system = await openSystem({ directory: place(), actors: [assistant] })
  const ref = system.actor(assistant, 'ada')
  const begun = Promise.withResolvers<undefined>()
  const study = ref.ask.study({ topics: ['rivers', 'bridges', 'boats'] }, { onProgress: () => begun.resolve(undefined) })
  await begun.promise
  await ref.ask.stop()
  expect(await study).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { command: 'stop' } })
  expect(await ref.ask.reports()).toEqual([])
})

test('a workshop counts on a pool of threads and talks to a process that stays', async () => {
  await using system = await openSystem({ directory: place(), actors: [workshop] })
  const ref = system.actor(workshop, 'one')
  expect(await ref.ask.countPrimes({ below: 100 })).toEqual({ outcome: 'ok', value: 25 })
  expect(await ref.ask.talk({ text: 'hello' })).toEqual({ outcome: 'ok', value: { text: 'hello' } })
  expect(system.stats().processes.running).toBe(1)
})

test('the guide shows the examples as they are', () => {
  const guide = readFileSync(join(examples, '..', '..', 'docs', 'turns.md'), 'utf8')
  const shown = [...guide.matchAll(/```ts\n\/\/ (packages\/examples\/\S+)\n([\s\S]*?)```/g)]
  expect(shown.map(([, path]) => path)).toEqual([
    'packages/examples/assistant/assistant.actor.ts',
    'packages/examples/assistant/main.ts',
    'packages/examples/assistant/workshop.actor.ts',
    'packages/examples/credential/main.ts',
  ])
  for (const [, path = '', code = ''] of shown) {
    // Without its header, which the guide says in its text.
    const file = readFileSync(join(examples, '..', '..', path), 'utf8').replace(/^\/\*\*.*\*\/\n/, '')
    expect(code, path).toBe(file)
  }
})
