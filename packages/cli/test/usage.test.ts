import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bailiwick, called, makeFolder } from './program.ts'
import type { Folder } from './program.ts'

let folder: Folder

beforeAll(() => {
  folder = makeFolder()
})

afterAll(() => folder[Symbol.dispose]())

const wrong: readonly (readonly [args: readonly string[], says: string])[] = [
  [['pss', 'd'], 'there is no command "pss"; did you mean ps?'],
  [['dead-leters', 'd'], 'there is no command "dead-leters"; did you mean dead-letters?'],
  [['frobnicate'], 'there is no command "frobnicate".'],
  [['--json'], 'a command is missing.'],
  [['ps'], 'ps needs DIR; DIR is missing.'],
  [['show', 'd'], 'show needs DIR and TYPE/KEY; TYPE/KEY is missing.'],
  [['ps', 'd', 'e'], 'ps takes DIR; "e" is too much.'],
  [['ps', ''], 'DIR is empty.'],
  [['ps', 'd', '--jsn'], 'ps has no option --jsn; did you mean --json?'],
  [['ps', 'd', '--tpye', 'x'], 'ps has no option --tpye; did you mean --type?'],
  [['ps', 'd', '--repair'], 'ps has no option --repair.'],
  [['doctor', 'd', '--limit', '3'], 'doctor has no option --limit.'],
  [['ps', 'd', '-x'], 'ps has no option -x.'],
  [['ps', 'd', '--json', '--json'], '--json is given twice.'],
  [['ps', 'd', '--json=yes'], '--json takes no value.'],
  [['ps', 'd', '--type'], '--type needs a type of actor.'],
  [['ps', 'd', '--type', '--json'], '--type needs a type of actor; if --json is the value, write --type=--json.'],
  [['ps', 'd', '--limit', 'many'], '--limit is a whole number from 1 to 1000000, not "many".'],
  [['ps', 'd', '--limit', '0'], '--limit is a whole number from 1 to 1000000, not "0".'],
  [['outbox', 'd', '--kind', 'letters'], '--kind is effect or message, not "letters".'],
  [['show', 'd', 'alice'], '"alice" is no address; it is written type/key.'],
  [['show', 'd', '/alice'], '"/alice" is no address; it is written type/key.'],
  [['show', 'd', 'account/'], '"" is no key: key: must not be empty.'],
  [['doctor', 'd', '--repair', '--quick'], '--quick has no meaning with --repair'],
]

test.for(wrong)('wrong usage ends with 2 and one line: %j', async ([args, says]) => {
  const { code, out, err } = await called(args)
  expect([code, out]).toEqual([2, ''])
  expect(err).toContain(`bailiwick: USAGE: ${says}`)
  expect(err.trimEnd().split('\n')).toHaveLength(1)
  expect(err).toMatch(/See `bailiwick help( [a-z-]+)?`\.\n$/)
})

test('a directory that is not there, or holds no store, ends with 3, a code and advice, and no stack', async () => {
  const { code, out, err } = await bailiwick(['ps', folder.path('nowhere')])
  expect([code, out]).toEqual([3, ''])
  expect(err).toMatch(/^bailiwick: DIRECTORY_MISSING: [^\n]* Name the directory that the program opens\.\n$/)
  for (const command of ['doctor', 'stats', 'timers']) expect(await called([command, folder.path('nowhere')])).toMatchObject({ code: 3 })
  expect((await called(['show', folder.path('nowhere'), 'a/b'])).code).toBe(3)
  expect((await called(['backup', folder.path('nowhere'), folder.path('target')])).code).toBe(3)
  expect((await called(['ps', folder.path('.')])).err).toContain('DIRECTORY_MISSING')
})

test('BAILIWICK_DEBUG=1 shows the stack of an error', async () => {
  const { err } = await bailiwick(['ps', folder.path('nowhere')], { BAILIWICK_DEBUG: '1' })
  expect(err).toMatch(/^bailiwick: DIRECTORY_MISSING.*\n.*\n\s+at /)
})

test('nothing at all is wrong usage too: it ends with 2, and help is on standard error', async () => {
  expect(await bailiwick([])).toEqual({ code: 2, out: '', err: (await called(['help'])).out })
})

test('help says what there is, and each command has its own', async () => {
  const { code, out, err } = await bailiwick(['help'])
  expect([code, err]).toEqual([0, ''])
  const names = ['doctor', 'ps', 'show', 'dead-letters', 'timers', 'outbox', 'stats', 'backup']
  for (const name of names) {
    expect(out).toContain(`\n  ${name} DIR`)
    const about = await called(['help', name])
    expect(about).toMatchObject({ code: 0, err: '' })
    expect(about.out).toContain(`bailiwick ${name} DIR`)
    expect((await called([name, '--help'])).out).toBe(about.out)
    expect((await called([name, 'd', '-h'])).out).toBe(about.out)
  }
  for (const args of [['--help'], ['-h'], ['help', 'help']]) expect((await called(args)).out).toBe(out)
  expect((await called(['help', 'pss'])).code).toBe(2)
})

test('--version is that of the package', async () => {
  const { default: manifest } = (await import('../package.json', { with: { type: 'json' } })) as { default: { version: string } }
  expect(await bailiwick(['--version'])).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
  expect((await called(['-V'])).out).toBe(`${manifest.version}\n`)
})

test('a reader of the output that leaves early is no error', async () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, 'help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: '' })
})
