import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMMANDS } from '../src/commands.ts'
import { called, json, makeFolder, startOwner } from './program.ts'
import type { Folder } from './program.ts'

const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8')

/** What the page says of a field. */
interface Documented {
  /** Only with --full. */
  readonly isFull: boolean
  /** Its shape is the program's business. */
  readonly isOpaque: boolean
}

/** The table of fields below the heading of a command, by path. */
function fieldsOf(command: string): ReadonlyMap<string, Documented> {
  const [, section = ''] = page.split(`### Fields of ${command}\n`)
  const found = new Map<string, Documented>()
  for (const line of section.split(/\n#/)[0]?.split('\n') ?? []) {
    const [, names = '', about = ''] = line.split(' | ').length > 1 ? (/^\| (.*?) \| (.*) \|$/.exec(line) ?? []) : []
    for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) {
      found.set(name, { isFull: about.includes('with `--full`'), isOpaque: about.startsWith('JSON') })
    }
  }
  return found
}

/** The paths of all fields of a value; what is opaque is not entered. */
function pathsOf(value: unknown, documented: ReadonlyMap<string, Documented>, prefix = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => pathsOf(item, documented, prefix === '' ? '' : `${prefix}[]`))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    return [path, ...(documented.get(path)?.isOpaque === true ? [] : pathsOf(inner, documented, path))]
  })
}

let folder: Folder
let directory: string
let copies = 0

beforeAll(async () => {
  folder = makeFolder()
  directory = folder.path('data')
  const owner = await startOwner(directory)
  await owner.close()
  // So that a message waits, and a check has something to say.
  const db = new Sqlite(join(directory, 'shard-3.db'))
  db.exec(`INSERT INTO outbox (peer, sequence, message) VALUES (1, 1, '{"type":"desk","key":"x","command":"note","input":{}}');
    UPDATE dead_letter SET error = '{'`)
  db.close()
}, 60_000)

afterAll(() => folder[Symbol.dispose]())

const lines: Readonly<Record<string, (full: readonly string[]) => readonly (readonly string[])[]>> = {
  doctor: () => [['doctor', directory]],
  ps: (full) => [['ps', directory, ...full]],
  show: (full) => ['desk/anna', 'diary/mine', 'brittle/vase', 'oracle/delphi'].map((actor) => ['show', directory, actor, ...full]),
  'dead-letters': (full) => [['dead-letters', directory, ...full]],
  timers: (full) => [['timers', directory, ...full]],
  outbox: (full) => [['outbox', directory, ...full]],
  stats: () => [['stats', directory]],
  backup: () => {
    copies += 1
    return [['backup', directory, folder.path(`copy-${copies}`)]]
  },
}

test.for(Object.keys(COMMANDS))('the JSON of %s has the fields that the page names, and no others', async (command) => {
  const documented = fieldsOf(command)
  expect(documented.size).toBeGreaterThan(0)
  const seen = async (full: readonly string[]): Promise<readonly string[]> => {
    const outputs = await Promise.all((lines[command]?.(full) ?? []).map((args) => json(args)))
    return [...new Set(outputs.flatMap((output) => pathsOf(output, documented)))].sort()
  }
  expect(await seen([])).toEqual(
    [...documented]
      .filter(([, { isFull }]) => !isFull)
      .map(([name]) => name)
      .sort(),
  )
  if (COMMANDS[command as keyof typeof COMMANDS].options.includes('full'))
    expect(await seen(['--full'])).toEqual([...documented.keys()].sort())
})

test('every command and option stands on the page', () => {
  for (const [name, { positionals, options }] of Object.entries(COMMANDS)) {
    expect(page).toContain(`\`${name} ${positionals.join(' ')}`)
    for (const option of options) expect(page).toContain(`\`--${option}`)
  }
})

test('a copy that its check finds fault with is made, and ends with 1', async () => {
  const target = folder.path('faulty')
  const { code, out } = await called(['backup', directory, target, '--json'])
  expect(code).toBe(1)
  expect(JSON.parse(out)).toMatchObject({ directory: target, findings: [{ code: 'row-unreadable' }] })
  expect(await json(['dead-letters', target])).toMatchObject([{ command: 'refuse' }])
})
