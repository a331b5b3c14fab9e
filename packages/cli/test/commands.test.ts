import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Interrupted } from '../src/failure.ts'
import { bailiwick, called, contentOf, json, makeFolder, startOwner } from './program.ts'
import type { Folder } from './program.ts'

let folder: Folder
let stopped: string

beforeAll(async () => {
  folder = makeFolder()
  stopped = folder.path('stopped')
  const owner = await startOwner(stopped)
  await owner.close()
}, 60_000)

afterAll(() => folder[Symbol.dispose]())

test('ps lists every actor with what waits for it, and one that was never stored because it is held back', async () => {
  const { code, out, err } = await bailiwick(['ps', stopped])
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('4 shards, 6 actors, 2 waiting, 6 timers, 1 turn, 1 dead letter')
  expect(out).toContain('nobody has it open')
  const rows = (await json(['ps', stopped])) as { actor: string; held: string | null; waiting: number; timers: number; isStored: boolean }[]
  expect(rows.map(({ actor }) => actor)).toEqual([
    'brittle/cup',
    'brittle/vase',
    'desk/"[\\"not a list"',
    'desk/["eu","17"]',
    'desk/anna',
    'diary/mine',
    'oracle/delphi',
  ])
  expect(rows.find(({ actor }) => actor === 'brittle/cup')).toMatchObject({ isStored: false, held: 'quarantined', revision: null })
  expect(rows.find(({ actor }) => actor === 'brittle/vase')).toMatchObject({ isStored: true, held: 'quarantined', waiting: 1, failures: 1 })
  expect(rows.find(({ actor }) => actor === 'desk/anna')).toMatchObject({ held: null, waiting: 1, timers: 5, turns: 1 })
})

test('filters choose by type and by key, and a compound key is written as JSON', async () => {
  const actors = async (...args: readonly string[]): Promise<readonly string[]> =>
    ((await json(['ps', stopped, ...args])) as { actor: string }[]).map(({ actor }) => actor)
  expect(await actors('--type', 'brittle')).toEqual(['brittle/cup', 'brittle/vase'])
  expect(await actors('--key', '["eu", "17"]')).toEqual(['desk/["eu","17"]'])
  expect(await actors('--key', '["not a list')).toEqual(['desk/"[\\"not a list"'])
  expect(await actors('--type=desk', '--key=nobody')).toEqual([])
})

test('a list that is longer than its limit says so on standard error, and JSON stays JSON', async () => {
  const { code, out, err } = await bailiwick(['timers', stopped, '--limit', '2', '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(out)).toHaveLength(2)
  expect(err).toBe('bailiwick: There are more than 2 rows; --limit shows more.\n')
  const exact = await called(['timers', stopped, '--limit', '6', '--json'])
  expect(JSON.parse(exact.out)).toHaveLength(6)
  expect(exact.err).toBe('')
})

test('show prints state, what waits, timers, leases, open calls and turns', async () => {
  const { code, out } = await bailiwick(['show', stopped, 'desk/anna'])
  expect(code).toBe(0)
  for (const part of [
    'revision  3',
    'state     "open"',
    '"three"',
    'waiting (1)',
    'timers (5)',
    'leases (1)',
    'open calls (2)',
    'turns (2)',
  ]) {
    expect(out).toContain(part)
  }
  expect(out).toMatch(/request\s+consider\s+oracle\/delphi/)
  expect(out).toMatch(/lease\s+stamp\s+in 59 min/)
  expect(out).toMatch(/stamp\s+1\s+clerk/)
  expect(out).toMatch(/chat\s+ended: ok/)
})

test('show finds compound keys however their JSON is spaced, and says why an actor is held back', async () => {
  const compound = (await json(['show', stopped, 'desk/["eu",  "17"]'])) as object
  expect(compound).toMatchObject({ actor: 'desk/["eu","17"]', state: { context: { notes: ['compound'] } } })
  const { out } = await called(['show', stopped, 'brittle/vase'])
  expect(out).toMatch(/quarantined {2}for \d+ (s|min), at revision 1/)
  expect(out).toContain('it has broken')
  expect(out).toMatch(/error +COMMAND_FAILED\n/)
})

test('show has the tail of a journal, and all of it with --full', async () => {
  const short = (await json(['show', stopped, 'diary/mine'])) as { revision: number; snapshotRevision: number; journal: object[] }
  expect([short.revision, short.snapshotRevision, short.journal.length]).toEqual([12, 1, 10])
  const full = (await json(['show', stopped, 'diary/mine', '--full'])) as { journal: object[] }
  expect(full.journal).toHaveLength(11)
  expect(full.journal.at(-1)).toMatchObject({ revision: 12, event: { type: 'write', text: 'secret line 12' } })
})

test('show of an actor that is not there ends with 1 and says so', async () => {
  const { code, out, err } = await bailiwick(['show', stopped, 'desk/nobody'])
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain('NOT_FOUND: There is no desk/nobody in ')
  expect((await called(['show', stopped, 'desk/nobody', '--json'])).out).toBe('null\n')
})

test('show of a key whose JSON is broken says how a compound key is written', async () => {
  for (const key of ['[eu,17]', '["eu"', '["eu",17]', '"eu']) {
    const { code, err } = await called(['show', stopped, `desk/${key}`])
    expect([code, err]).toEqual([1, expect.stringMatching(/^bailiwick: NOT_FOUND: .*A compound key is a JSON array of strings: .*\n$/)])
  }
  for (const key of ['nobody', '["eu","18"]', 'eu[17]']) {
    expect((await called(['show', stopped, `desk/${key}`])).err).not.toContain('compound')
  }
})

test('timers names what a timer of kind call ends', async () => {
  expect((await called(['timers', stopped])).out).toMatch(/\n\S+ +call +end of call \d+ /)
  expect((await called(['show', stopped, 'desk/anna'])).out).toMatch(/call +end of call \d+ /)
})

test('what may be secret is printed with --full and never without', async () => {
  const commands = [
    ['ps', stopped],
    ['show', stopped, 'desk/anna'],
    ['show', stopped, 'diary/mine'],
    ['show', stopped, 'oracle/delphi'],
    ['dead-letters', stopped],
    ['timers', stopped],
    ['outbox', stopped],
  ]
  const isSecretSeen = async (command: readonly string[]): Promise<readonly boolean[]> => {
    const outputs = await Promise.all([[], ['--json'], ['--full'], ['--full', '--json']].map((more) => called([...command, ...more])))
    return outputs.map(({ out }) => out.includes('secret'))
  }
  const seen = new Map<string, readonly boolean[]>()
  for (const [command = '', directory = '', ...rest] of commands) {
    seen.set([command, ...rest].join(' '), await isSecretSeen([command, directory, ...rest]))
  }
  const both = [false, false, true, true]
  expect(Object.fromEntries(seen)).toEqual({
    ps: [false, false, false, false],
    'show desk/anna': both,
    'show diary/mine': both,
    'show oracle/delphi': both,
    'dead-letters': both,
    timers: both,
    outbox: both,
  })
})

test('dead letters name reason and code, and their ids are those of the system', async () => {
  const { out } = await bailiwick(['dead-letters', stopped])
  expect(out).toMatch(/\d-\d+ +\d+ (s|min) +desk\/anna +refuse +rejected +COMMAND_REJECTED\n$/)
  expect(await json(['dead-letters', stopped, '--type', 'diary'])).toEqual([])
  expect(await json(['dead-letters', stopped, '--full'])).toMatchObject([
    { input: { text: 'secret wish' }, error: { code: 'COMMAND_REJECTED' } },
  ])
})

test('outbox lists effects that wait, and --kind leaves them out', async () => {
  expect(await json(['outbox', stopped])).toMatchObject([{ kind: 'effect', name: 'letter', from: 'desk/anna', attempts: 0 }])
  expect(await json(['outbox', stopped, '--kind', 'message'])).toEqual([])
  expect((await called(['outbox', stopped, '--kind', 'message'])).out).toBe('Nothing is promised and not delivered.\n')
})

test('stats adds up what the shards have', async () => {
  const { owner, total, shards } = (await json(['stats', stopped])) as {
    owner: object
    total: Record<string, number>
    shards: Record<string, number>[]
  }
  expect(owner).toMatchObject({ epoch: 1, isOwned: false })
  expect(total).toMatchObject({ actors: 6, waiting: 2, timers: 6, effects: 1, turns: 1, deadLetters: 1, faults: 2, openCalls: 3 })
  for (const name of ['bytes', 'actors', 'waiting', 'timers', 'idempotencyRecords']) {
    expect(shards.reduce((sum, shard) => sum + (shard[name] ?? Number.NaN), 0)).toBe(total[name])
  }
})

test('tables fit into the width of the terminal, and are whole where there is none', async () => {
  const narrow = await bailiwick(['ps', stopped], { COLUMNS: '60' })
  const table = narrow.out.split('\n').slice(3)
  expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(60)
  expect((await called(['ps', stopped])).out).toContain('quarantined')
})

test('backup makes a copy that says the same, and refuses a target that is not empty', async () => {
  const target = folder.path('copy')
  const { code, out } = await bailiwick(['backup', stopped, target])
  expect(code).toBe(0)
  expect(out).toMatch(/; commits had to wait \d+(\.\d)? m?s\.\n$/)
  expect(out).toContain(`copied to ${target}; `)
  let elapsed = 0
  const third = { elapsed: () => (elapsed += 1 / 3) }
  const { heldMs } = JSON.parse((await called(['backup', stopped, folder.path('timed'), '--json'], third)).out) as { heldMs: number }
  expect(String(heldMs)).toMatch(/^\d+\.\d$/)
  expect(await json(['ps', target])).toEqual(await json(['ps', stopped]))
  const again = await called(['backup', stopped, target])
  expect(again).toMatchObject({ code: 3, out: '' })
  expect(again.err).toMatch(/^bailiwick: DIRECTORY_NOT_EMPTY: .* Use a directory that is empty, or a path where nothing is\.\n$/)
})

test('a backup that is interrupted says so, and leaves nothing behind', async () => {
  const target = folder.path('interrupted')
  const ending = await called(['backup', stopped, target], { interruption: () => AbortSignal.abort(new Interrupted('SIGINT')) })
  expect(ending).toEqual({ code: 3, out: '', err: 'bailiwick: INTERRUPTED: SIGINT has ended it, and nothing is left of it.\n' })
  expect(readdirSync(folder.path('.')).filter((name) => name.startsWith('interrupted'))).toEqual([])
})

test('nothing but a repair changes a directory', async () => {
  const before = contentOf(stopped)
  for (const args of [['doctor'], ['ps'], ['timers'], ['stats']]) expect(await called([...args, stopped])).toMatchObject({ code: 0 })
  expect(contentOf(stopped)).toEqual(before)
})
