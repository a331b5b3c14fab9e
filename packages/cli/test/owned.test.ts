import { copyFileSync, cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bailiwick, called, contentOf, json, makeFolder, startOwner } from './program.ts'
import type { Folder } from './program.ts'

interface Found {
  readonly errors: number
  readonly repaired: readonly string[] | null
  readonly findings: readonly { readonly level: string; readonly code: string; readonly place: string; readonly isRepairable: boolean }[]
}

let folder: Folder
/** A directory whose owner was killed. */
let killed: string
/** What was seen while the owner ran. */
const seen = new Map<string, { readonly code: number | null; readonly out: string; readonly err: string }>()
let pid = 0

beforeAll(async () => {
  folder = makeFolder()
  killed = folder.path('killed')
  const owner = await startOwner(killed)
  ;({ pid } = owner)
  for (const args of [
    ['doctor'],
    ['ps'],
    ['show', 'desk/anna'],
    ['dead-letters'],
    ['timers'],
    ['outbox'],
    ['stats'],
    ['doctor', '--repair'],
  ]) {
    const [command = '', ...rest] = args
    seen.set(args.join(' '), await bailiwick([command, killed, ...rest]))
  }
  seen.set('backup', await bailiwick(['backup', killed, folder.path('copy')]))
  await owner.kill()
}, 90_000)

afterAll(() => folder[Symbol.dispose]())

/** A copy of the directory of the killed owner, to be damaged. */
function copyOf(name: string): string {
  const directory = folder.path(name)
  cpSync(killed, directory, { recursive: true })
  return directory
}

/** The same with everything in the files themselves. */
async function settled(name: string): Promise<string> {
  const directory = copyOf(name)
  expect(await called(['doctor', directory, '--repair'])).toMatchObject({ code: 0 })
  return directory
}

/** The shard that `desk/anna` lives on. */
async function fileOfAnna(directory: string): Promise<string> {
  const { shard } = (await json(['show', directory, 'desk/anna'])) as { readonly shard: number }
  return join(directory, `shard-${shard}.db`)
}

test('every command that reads works beside a running owner, and names it', () => {
  for (const name of ['doctor', 'ps', 'show desk/anna', 'dead-letters', 'timers', 'outbox', 'stats', 'backup']) {
    expect(seen.get(name), name).toMatchObject({ code: 0, err: '' })
  }
  expect(seen.get('ps')?.out).toMatch(new RegExp(String.raw`owned by process ${pid} since \d+ m?s \(epoch 1\)`))
  expect(seen.get('show desk/anna')?.out).toContain('"three"')
  expect(seen.get('stats')?.out).toContain(`owned by process ${pid}`)
})

test('a repair is refused while somebody owns the directory, with a line that says who', () => {
  const refused = seen.get('doctor --repair')
  expect(refused).toMatchObject({ code: 3, out: '' })
  expect(refused?.err).toMatch(
    new RegExp(String.raw`^bailiwick: DIRECTORY_IN_USE: .* in use by process ${pid} .*\. Stop that process first; .*\n$`),
  )
})

test('a copy that was made beside its owner has everything that was there, and nobody owns it', async () => {
  const copy = folder.path('copy')
  expect(await json(['stats', copy])).toMatchObject({ owner: { isOwned: false }, total: { actors: 6, deadLetters: 1 } })
  expect(await called(['doctor', copy])).toMatchObject({ code: 0 })
})

test('after kill -9 everything can be read without changing a byte', async () => {
  const directory = copyOf('dead')
  const before = contentOf(directory)
  const { code, out } = await bailiwick(['ps', directory])
  expect(code).toBe(0)
  expect(out).toContain(`nobody has it open; last opened by process ${pid}`)
  expect(out).toContain('desk/anna')
  expect((await bailiwick(['doctor', directory])).code).toBe(0)
  expect(contentOf(directory)).toEqual(before)
})

test('a repair after kill -9 says what it has done, and leaves a directory in which all is well', async () => {
  const directory = copyOf('repaired')
  const { code, out } = await bailiwick(['doctor', directory, '--repair'])
  expect(code).toBe(0)
  expect(out).toMatch(/^repaired {2}The write-ahead log of .*shard-\d\.db was moved into it\.$/m)
  const again = (await json(['doctor', directory, '--repair'])) as Found
  expect(again).toMatchObject({ errors: 0, repaired: [] })
  expect((await json(['ps', directory])) as unknown[]).toHaveLength(7)
})

test('a damaged page is an error that names the file, and the exit code is 1', async () => {
  const directory = await settled('page')
  const file = await fileOfAnna(directory)
  const bytes = readFileSync(file)
  bytes.fill(0xa5, 8_192, 40_960)
  writeFileSync(file, bytes)
  const { code, out, err } = await bailiwick(['doctor', directory])
  expect([code, err]).toEqual([1, ''])
  expect(out).toMatch(new RegExp(`^error  [a-z-]+  ${file}`, 'm'))
  const { errors, findings } = (await json(['doctor', directory])) as Found
  expect(errors).toBeGreaterThan(0)
  expect(findings.filter(({ level }) => level === 'error').every(({ place }) => place.startsWith(file))).toBe(true)
})

test('a command that needs a damaged file says so in one line, with the advice to ask doctor', async () => {
  const directory = await settled('truncated')
  const file = await fileOfAnna(directory)
  truncateSync(file, 20_000)
  for (const args of [
    ['ps', directory],
    ['stats', directory],
    ['show', directory, 'desk/anna'],
  ]) {
    const { code, out, err } = await called(args)
    expect([code, out], args[0]).toEqual([3, ''])
    expect(err).toMatch(/^bailiwick: STORE_DAMAGED: [^\n]*shard-\d\.db[^\n]* `bailiwick doctor` says what is damaged[^\n]*\n$/)
  }
  expect((await called(['doctor', directory])).code).toBe(1)
})

test('a directory without its owner.db is looked at by doctor, and cannot be read by anybody else', async () => {
  const directory = await settled('headless')
  writeFileSync(join(directory, 'owner.db'), '')
  const { code, out } = await called(['doctor', directory])
  expect(code).toBe(1)
  expect(out).toContain('owner.db')
  expect(await called(['ps', directory])).toMatchObject({ code: 3 })
})

test('a text that is no JSON hides no other row, and doctor finds it', async () => {
  const directory = await settled('garbled')
  const db = new Sqlite(await fileOfAnna(directory))
  db.exec(
    `UPDATE turn SET detail = '{' WHERE ended = 0; UPDATE open_call SET detail = '{'; UPDATE inbox SET input = '{'; UPDATE dead_letter SET error = '{'`,
  )
  db.close()
  const shown = await called(['show', directory, 'desk/anna', '--full'])
  expect(shown.code).toBe(0)
  expect(shown.out).toContain('waiting (1)')
  expect(await json(['dead-letters', directory, '--full'])).toMatchObject([{ code: null, error: '{', reason: 'rejected' }])
  expect((await called(['timers', directory])).code).toBe(0)
  const { findings } = (await json(['doctor', directory])) as Found
  expect(findings.map(({ code }) => code)).toContain('row-unreadable')
  expect((await called(['doctor', directory, '--quick'])).code).toBe(0)
})

test('what is stored moves no cursor and changes no title of a terminal', async () => {
  const directory = await settled('hostile')
  const db = new Sqlite(await fileOfAnna(directory))
  db.prepare('UPDATE dead_letter SET key = ?, command = ?').run('\u001B]0;mine\u0007\n\u202Eboss', 'a\tb')
  db.close()
  const { out } = await called(['dead-letters', directory])
  // oxlint-disable-next-line eslint/no-control-regex -- they are what must not be there.
  expect(out.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u202E]/)
  expect(out.trimEnd().split('\n')).toHaveLength(2)
  expect(out).toContain(String.raw`desk/\u{1b}]0;mine\u{7}\n\u{202e}boss`)
})

test('a message for another shard is listed with its receiver', async () => {
  const directory = await settled('message')
  const db = new Sqlite(await fileOfAnna(directory))
  const parcel = { type: 'desk', key: '["eu","17"]', command: 'note', lane: 2, input: { text: 'secret' }, detail: { from: 'desk/anna' } }
  db.prepare('INSERT INTO outbox (peer, sequence, message) VALUES (1, 77, ?)').run(JSON.stringify(parcel))
  db.close()
  const { out } = await called(['outbox', directory])
  expect(out).toMatch(/message +note +desk\/anna +desk\/\["eu","17"\]/)
  expect(out).not.toContain('secret')
  expect(await json(['outbox', directory, '--kind', 'message', '--full'])).toMatchObject([
    { toShard: 1, to: 'desk/["eu","17"]', input: { text: 'secret' } },
  ])
})

test('a surplus file is a warning, which is no error', async () => {
  const directory = await settled('surplus')
  copyFileSync(join(directory, 'shard-0.db'), join(directory, 'shard-9.db'))
  const { code, out } = await called(['doctor', directory])
  expect(code).toBe(0)
  expect(out).toMatch(/^warning {2}file-surplus {2}.*shard-9\.db\n {2}.*\n {2}.*\n1 warning/m)
})

test('colors mark levels where they are wanted', async () => {
  const directory = await settled('colors')
  copyFileSync(join(directory, 'shard-0.db'), join(directory, 'shard-9.db'))
  const escape = String.fromCodePoint(27)
  expect((await called(['doctor', directory], { isColored: true })).out).toContain(`${escape}[33mwarning`)
  expect((await bailiwick(['doctor', directory], { FORCE_COLOR: '1' })).out).not.toContain(escape)
})
