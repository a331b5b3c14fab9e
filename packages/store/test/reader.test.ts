/** Looking at a directory from outside shows what is there and changes nothing, whoever has it open. */
import { chmodSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { actorList, effectList, faultList, inboxList, letterList, messageList, timerList } from '../src/sqlite/reader-sql.ts'
import { openReader } from '../src/sqlite/reader.ts'
import { migrate, shardSchema } from '../src/sqlite/schema.ts'
import { closedStore, contentOf, furnish, killedStore, overwrite, startProgram } from './furnished.ts'
import { bytesOf, open, startOwner, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

/** Every answer that a reader can give. */
function everything(directory: string): Record<string, unknown> {
  const reader = openReader(directory)
  const { isOwned: _isOwned, ...owner } = reader.owner()
  const shards = reader.shards().map(({ file: _file, bytes: _bytes, walBytes: _walBytes, freeBytes: _freeBytes, ...shard }) => shard)
  const answers = {
    owner,
    shards,
    actors: reader.actors(),
    actor: reader.actor('account', '1'),
    inbox: reader.inbox(),
    timers: reader.timers(),
    promises: reader.promises(),
    deadLetters: reader.deadLetters(),
    faults: reader.faults(),
    verify: reader.verify().filter((finding) => finding.level !== 'note'),
  }
  reader.close()
  return answers
}

describe('a reader', () => {
  test('sees the same beside a running owner, after its death and after its peaceful end', () => {
    const directory = temporaryDirectory()
    furnish(directory)
    const expected = everything(directory)
    expect(expected).toMatchObject({ owner: { epoch: 1, shards: 2 }, verify: [] })
    expect(everything(killedStore())).toEqual(expected)
    expect(everything(closedStore())).toEqual(expected)
  })

  test.each([
    ['that its owner has closed', closedStore],
    ['with a WAL that a killed owner has left', killedStore],
  ])('changes no byte of a directory %s, and moves no WAL', (_, make) => {
    const directory = make()
    const before = contentOf(directory)
    everything(directory)
    expect(contentOf(directory)).toEqual(before)
    expect(open(directory).open(0).load('account', '1')).toMatchObject({ snapshot: '{"balance":1}' })
  })

  test('leaves no file behind in a closed directory', () => {
    const directory = closedStore()
    const before = bytesOf(directory)
    everything(directory)
    expect(bytesOf(directory)).toEqual(before)
  })

  test('changes nothing beside an owner, who goes on committing, and sees each commit at once', () => {
    const directory = temporaryDirectory()
    const { shards } = furnish(directory)
    const before = contentOf(directory)
    const reader = openReader(directory)
    everything(directory)
    expect(contentOf(directory)).toEqual(before)
    shards[0]?.commit(batch({ at: 2_000, created: [account(4)] }))
    expect(reader.actor('account', '4')).toMatchObject({ shard: 0, revision: 1 })
    expect(reader.shards()[0]).toMatchObject({ actors: 4, committedAt: 2_000 })
  })

  test('G8 says whether the directory is owned, and takes it from nobody', async () => {
    const directory = join(temporaryDirectory(), 'store')
    const owner = startOwner([directory, 'hold'])
    await owner.line()
    const reader = openReader(directory)
    expect(reader.owner()).toMatchObject({ isOwned: true, epoch: 1, pid: owner.child.pid })
    expect(refusal(() => open(directory))).toMatchObject({ code: 'DIRECTORY_IN_USE' })
    await owner.kill()
    const left = contentOf(directory)
    expect(reader.owner()).toMatchObject({ isOwned: false, epoch: 1 })
    expect(contentOf(directory)).toEqual(left)
    const next = open(directory)
    expect(reader.owner()).toMatchObject({ isOwned: true, epoch: 2, pid: process.pid })
    next.release()
    expect(reader.owner()).toMatchObject({ isOwned: false, epoch: 2 })
  })

  test('reads files of schema version 1 and leaves them so', () => {
    const directory = closedStore()
    for (const name of ['shard-0.db', 'shard-1.db']) {
      const raw = new Sqlite(join(directory, name))
      raw.exec('DROP TABLE fault; ALTER TABLE dead_letter DROP COLUMN revision; PRAGMA user_version = 1')
      raw.close()
    }
    const before = bytesOf(directory)
    expect(everything(directory)).toMatchObject({ faults: [], verify: [], shards: [{ faults: 0 }, { faults: 0 }] })
    const findings = openReader(directory).verify()
    expect(findings.map((finding) => [finding.level, finding.code])).toContainEqual(['note', 'schema-older'])
    expect(bytesOf(directory)).toEqual(before)
    expect(open(directory).open(0).load('account', '2')).toMatchObject({ number: 2 })
  })

  test('answers nothing any more once it is closed', () => {
    const reader = openReader(closedStore())
    reader.close()
    expect(refusal(() => reader.owner())).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(refusal(() => reader.actors())).toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe('lists over several shards', () => {
  const lists = () => openReader(closedStore())

  test('actors come by type and key, with what waits for them', () => {
    const actors = lists().actors()
    expect(actors.map((actor) => [actor.shard, actor.type, actor.key])).toEqual([
      [0, 'account', '1'],
      [0, 'account', '2'],
      [1, 'account', '7'],
      [0, 'order', '1'],
    ])
    const name = { shard: 0, type: 'account', key: '1' }
    expect(actors[0]).toEqual({ ...name, revision: 1, version: 1, bytes: 13, waiting: 2, timers: 1, turns: 1, fault: undefined })
  })

  test('one actor comes with everything that is stored of it', () => {
    const reader = lists()
    expect(reader.actor('account', '1')).toMatchObject({
      snapshot: '{"balance":1}',
      inbox: [{ sequence: 1 }, { sequence: 3, dueAt: 9_000 }],
      timersSet: [{ name: 'late', dueAt: 7_000 }],
      openCalls: [{ sequence: 4, detail: '{"call":1}' }],
      turnRows: [{ sequence: 5, command: 'think', isEnded: false, detail: '{"rank":1}', hasFrame: true }],
      leases: [{ name: 'printer', epoch: 4, detail: '{"holder":"me"}' }],
    })
    expect(reader.actor('account', '2')).toMatchObject({ events: [{ sequence: 2, at: 1_000, event: '{"type":"paid"}' }] })
    expect(reader.actor('account', '7')).toMatchObject({ shard: 1 })
    expect(reader.actor('account', '99')).toBeUndefined()
  })

  test('the others come in the order that they promise', () => {
    const reader = lists()
    expect(reader.inbox().map((row) => [row.shard, row.at])).toEqual([
      [0, 500],
      [1, 600],
      [0, 700],
      [0, 800],
    ])
    expect(reader.timers().map((row) => row.name)).toEqual(['soon', 'mid', 'late', 'never'])
    expect(reader.deadLetters().map((row) => [row.shard, row.at, row.revision])).toEqual([
      [1, 700, undefined],
      [0, 600, undefined],
    ])
    expect(reader.promises().map((row) => [row.kind, row.shard, row.sequence])).toEqual([
      ['effect', 0, 8],
      ['effect', 0, 9],
      ['effect', 1, 2],
      ['message', 0, 1],
    ])
  })

  test.each([
    [{ type: 'order' }, { actors: ['1'], inbox: [2], timers: ['never'], promises: [9], deadLetters: [] }],
    [{ key: '7' }, { actors: ['7'], inbox: [1], timers: ['mid'], promises: [2], deadLetters: [3] }],
    [
      { type: 'account', key: '1' },
      { actors: ['1'], inbox: [1, 3], timers: ['late'], promises: [8], deadLetters: [10] },
    ],
    [
      { type: 'order', key: '7' },
      { actors: [], inbox: [], timers: [], promises: [], deadLetters: [] },
    ],
    [{ limit: 2 }, { actors: ['1', '2'], inbox: [1, 1], timers: ['soon', 'mid'], promises: [8, 9], deadLetters: [3, 10] }],
    [
      { type: 'account', limit: 1 },
      { actors: ['1'], inbox: [1], timers: ['soon'], promises: [8], deadLetters: [3] },
    ],
  ])('%o lets through what matches all of it', (filter, expected) => {
    const reader = lists()
    expect({
      actors: reader.actors(filter).map((row) => row.key),
      inbox: reader.inbox(filter).map((row) => row.sequence),
      timers: reader.timers(filter).map((row) => row.name),
      promises: reader.promises(filter).map((row) => row.sequence),
      deadLetters: reader.deadLetters(filter).map((row) => row.sequence),
    }).toEqual(expected)
  })

  test('promises can be asked for by their kind', () => {
    expect(lists().promises({ kind: 'message' })).toEqual([
      { shard: 0, kind: 'message', sequence: 1, name: '1', actor: undefined, attempts: 0, dueAt: undefined, content: '{"m":1}' },
    ])
    expect(lists().promises({ kind: 'effect', limit: 1 })).toMatchObject([{ kind: 'effect', name: 'mail', dueAt: 2_000 }])
  })

  test('a limit that is no number of rows is refused', () => {
    expect(() => lists().actors({ limit: 0 })).toThrow(RangeError)
  })

  test('faults come by type and key', () => {
    const directory = closedStore()
    const owned = open(directory)
    owned.open(1).commit(batch({ faults: [{ type: 'account', key: '1', detail: '{"failures":[1]}' }] }))
    owned.open(0).commit(batch({ faults: [{ type: 'account', key: '2', detail: '{}' }] }))
    owned.release()
    const reader = openReader(directory)
    expect(reader.faults()).toEqual([
      { shard: 1, type: 'account', key: '1', detail: '{"failures":[1]}' },
      { shard: 0, type: 'account', key: '2', detail: '{}' },
    ])
    expect(reader.faults({ key: '2' })).toHaveLength(1)
    expect(reader.actors({ key: '2' })).toMatchObject([{ fault: '{}' }])
  })
})

describe('the plan of each list', () => {
  const db = new Sqlite(':memory:')
  db.transaction(() => migrate(db, 'memory', shardSchema)).immediate()

  function planOf(sql: string): string[] {
    const values = (sql.match(/\?/g) ?? []).map(() => 0)
    const rows = db.prepare<unknown[], { readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
    return rows.map((row) => row.detail)
  }

  const [none, type, key, both] = [
    { type: false, key: false },
    { type: true, key: false },
    { type: false, key: true },
    { type: true, key: true },
  ]

  test.each([
    ['all actors', actorList(none, 2), 'SCAN actor USING INDEX sqlite_autoindex_actor_1'],
    ['the actors of a type', actorList(type, 2), 'SEARCH actor USING INDEX sqlite_autoindex_actor_1 (type=?)'],
    ['actors by their key', actorList(key, 2), 'SEARCH actor USING INDEX sqlite_autoindex_actor_1 (type=? AND key=?)'],
    ['the types of actors', actorList(key, 2), 'SEARCH actor USING COVERING INDEX sqlite_autoindex_actor_1 (type>?)'],
    ['an actor', actorList(both, 2), 'SEARCH actor USING INDEX sqlite_autoindex_actor_1 (type=? AND key=?)'],
    ['its fault', actorList(both, 2), 'SEARCH fault USING PRIMARY KEY (type=? AND key=?)'],
    ['its timers', actorList(both, 2), 'SEARCH timer USING PRIMARY KEY (actor=?)'],
    ['the earliest timers', timerList(none), 'SCAN timer USING INDEX timer_due'],
    ['the timers of an actor', timerList(both), 'SEARCH timer USING PRIMARY KEY (actor=?)'],
    ['commands, the oldest first', inboxList(none), 'SCAN inbox'],
    ['effects, the oldest first', effectList(type), 'SCAN effect'],
    ['dead letters, the latest first', letterList(type, 2), 'SCAN dead_letter'],
    ['messages by peer', messageList, 'SCAN outbox'],
    ['the faults of a type', faultList(type, 2) ?? '', 'SEARCH fault USING PRIMARY KEY (type=?)'],
  ])('%s: from the index, or along the rows as far as the limit', (name, sql, step) => {
    expect(planOf(sql)).toContain(step)
    // What belongs to one actor, or to the actors with one key, is little enough to be sorted.
    const isFew = name === 'the timers of an actor' || sql.includes('kind')
    if (!isFew) expect(planOf(sql).filter((other) => other.includes('TEMP B-TREE'))).toEqual([])
  })
})

describe('what cannot be looked at', () => {
  test('is named: a directory that is not there, not ours, or from the future', () => {
    const root = temporaryDirectory()
    expect(refusal(() => openReader(join(root, 'none')))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    mkdirSync(join(root, 'empty'))
    expect(refusal(() => openReader(join(root, 'empty')))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    writeFileSync(join(root, 'empty', 'thesis.txt'), 'precious')
    expect(refusal(() => openReader(join(root, 'empty')))).toMatchObject({ code: 'DIRECTORY_NOT_OURS', found: 'thesis.txt' })
    const directory = closedStore()
    const raw = new Sqlite(join(directory, 'owner.db'))
    raw.pragma('user_version = 99')
    raw.close()
    expect(refusal(() => openReader(directory))).toMatchObject({ code: 'SCHEMA_TOO_NEW', found: 99 })
  })

  test('a damaged shard refuses the answers that need it, and no other', () => {
    const directory = closedStore()
    truncateSync(join(directory, 'shard-1.db'), 5_000)
    const reader = openReader(directory)
    expect(reader.owner().shards).toBe(2)
    expect(reader.actor('account', '1')).toMatchObject({ shard: 0 })
    expect(refusal(() => reader.actors())).toMatchObject({ code: 'STORE_DAMAGED', file: join(directory, 'shard-1.db') })
    rmSync(join(directory, 'shard-1.db'))
    expect(refusal(() => reader.shards())).toMatchObject({ code: 'STORE_DAMAGED', file: join(directory, 'shard-1.db') })
  })

  test('a WAL whose beginning is overwritten is damage, not an older state', () => {
    const directory = killedStore()
    const file = join(directory, 'shard-0.db-wal')
    overwrite(file, 0, Buffer.from('garbage!'))
    expect(refusal(() => openReader(directory).actors())).toMatchObject({ code: 'STORE_DAMAGED', file })
  })

  test('an owner.db that is damaged is damage', () => {
    const directory = closedStore()
    writeFileSync(join(directory, 'owner.db'), 'not a database '.repeat(2_000))
    expect(refusal(() => openReader(directory))).toMatchObject({ code: 'STORE_DAMAGED', file: join(directory, 'owner.db') })
  })
})

// Root may write everywhere: these tests put on the user "nobody" where they can, and are a nobody anyway where they cannot.
describe('without the right to write', () => {
  const nobody = 65_534
  const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

  function protect(directory: string): void {
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o444)
    chmodSync(directory, 0o555)
  }

  test('a closed directory is read, and nobody can own it', async () => {
    const directory = closedStore()
    const before = bytesOf(directory)
    protect(directory)
    const seen = await startProgram('look', [directory], asNobody).line()
    expect(seen).toMatchObject({ epoch: 1, isOwned: false, actors: ['1', '2', '7', '1'], findings: [] })
    chmodSync(directory, 0o755)
    expect(bytesOf(directory)).toEqual(before)
  })

  test('a killed owner’s WAL is read where its shared memory is still there', async () => {
    const directory = killedStore()
    chmodSync(dirname(directory), 0o755)
    protect(directory)
    const seen = await startProgram('look', [directory], asNobody).line()
    expect(seen).toMatchObject({ epoch: 1, actors: ['1', '2', '7', '1'], findings: [] })
    expect(seen).not.toHaveProperty('isOwned')
    chmodSync(directory, 0o755)
  })

  test('a WAL without its shared memory is refused by name, not passed over', async () => {
    const directory = killedStore()
    for (const name of readdirSync(directory)) if (name.endsWith('-shm')) rmSync(join(directory, name))
    chmodSync(dirname(directory), 0o755)
    protect(directory)
    const seen = await startProgram('look', [directory], asNobody).line()
    expect(seen).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'read-only' })
    chmodSync(directory, 0o755)
  })

  test('the directory of a running owner is read', async () => {
    const root = temporaryDirectory()
    const directory = join(root, 'store')
    furnish(directory)
    chmodSync(root, 0o755)
    chmodSync(directory, 0o555)
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644)
    const seen = await startProgram('look', [directory], asNobody).line()
    expect(seen).toMatchObject({ epoch: 1, actors: ['1', '2', '7', '1'], findings: [] })
    chmodSync(directory, 0o755)
  })

  test('a directory that may not even be read is refused by name', async () => {
    const directory = killedStore()
    chmodSync(dirname(directory), 0o700)
    const seen = await startProgram('look', [directory], asNobody).line()
    if (asNobody.uid === undefined) expect(seen).toMatchObject({ epoch: 1 })
    else expect(seen).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'other' })
  })
})
