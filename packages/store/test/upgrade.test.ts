/**
 * Files of every earlier version of the schema are brought up to date with everything that is in them.
 *
 * The fixtures were written by the code of their time; `test/fixtures/store/make.ts` says how.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openShard } from '../src/index.ts'
import type { DeadLetter, ImmediateShardStore } from '../src/index.ts'
import { latestVersion, ownerSchema, shardSchema } from '../src/sqlite/schema.ts'
import { bytesOf, open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

const fixtures = fileURLToPath(new URL('../../../test/fixtures/store', import.meta.url))
const makeProgram = join(fixtures, 'make.ts')
const halfUpgradedProgram = fileURLToPath(new URL('fixtures/half-upgraded.ts', import.meta.url))
const latest = latestVersion(shardSchema)
const shardCount = 2

/** What `content.json` says of one shard: what has to be read, and by which names. What a version could not hold is not there. */
interface ShardContent {
  readonly committedAt: number
  readonly actors: readonly { readonly type: string; readonly key: string }[]
  readonly outcomes: readonly { readonly scope: string; readonly key: string }[]
  readonly outbox: readonly { readonly peer: number }[]
  readonly effects: readonly { readonly name: string }[]
  readonly faults?: readonly object[]
}

interface Fixture {
  readonly name: string
  readonly version: number
}

const found: readonly Fixture[] = readdirSync(fixtures).flatMap((name) => {
  const version = /^v(\d+)-/.exec(name)?.[1]
  return version === undefined ? [] : [{ name, version: Number(version) }]
})

/** What was put into a fixture, shard by shard. */
function contentOf(folder: string): readonly ShardContent[] {
  const { shards } = JSON.parse(readFileSync(join(folder, 'content.json'), 'utf8')) as { readonly shards: readonly ShardContent[] }
  return shards
}

/** A copy of a fixture's store that goes away after the test: fixtures are never opened themselves. */
function copyOf(folder: string): string {
  const directory = join(temporaryDirectory(), 'data')
  cpSync(join(folder, 'data'), directory, { recursive: true })
  return directory
}

/** Reads a shard in the form of its content. */
function readBack(shard: ImmediateShardStore, content: ShardContent): object {
  const { committedAt } = content
  const { nextActorNumber, nextInboxSequence, nextTimerGeneration, inbox, links, busy, processes, faults, ...rest } =
    shard.recover(committedAt)
  const all = 1_000
  return {
    nextActorNumber,
    nextInboxSequence,
    nextTimerGeneration,
    committedAt: rest.committedAt,
    inbox,
    links,
    busy,
    processes,
    faults,
    actors: content.actors.map(({ type, key }) => ({
      type,
      key,
      stored: shard.load(type, key),
      timers: shard.timersOf(type, key),
      turns: shard.turnsOf(type, key, all),
    })),
    delayed: shard.dueCommands(Number.MAX_SAFE_INTEGER, all),
    outcomes: content.outcomes.map(({ scope, key }) => ({ scope, key, stored: shard.outcome(scope, key, committedAt) })),
    lateResults: shard.lateResults(undefined, all),
    outbox: content.outbox.map(({ peer }) => ({ peer, messages: shard.outboxTo(peer, 0, all) })),
    effects: content.effects.map(({ name }) => ({ name, due: shard.dueEffects(name, Number.MAX_SAFE_INTEGER, all) })),
    deadLetters: shard.deadLetters({}, all),
  }
}

/** Opens a store and expects in it what was put in. */
function expectContent(directory: string, contents: readonly ShardContent[]): void {
  const owned = open(directory)
  expect(owned.shardCount).toBe(contents.length)
  for (const [index, content] of contents.entries()) {
    const shard = owned.open(index)
    expect(readBack(shard, content)).toEqual({ ...content, faults: content.faults ?? [] })
    shard.close()
  }
  owned.release()
}

/** Every row of every table of a file, with the schema and its version; read beside whoever has it open. */
function dump(file: string): { readonly version: unknown; readonly schema: unknown; readonly rows: Readonly<Record<string, object[]>> } {
  const raw = new Sqlite(file)
  const version = raw.pragma('user_version', { simple: true })
  const schema = raw.prepare(`SELECT type, name, sql FROM sqlite_schema ORDER BY type, name`).all()
  const tables = raw.prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all()
  const rows = Object.fromEntries(tables.map((table) => [table, raw.prepare<[], object>(`SELECT * FROM ${table}`).all()]))
  expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
  expect(raw.pragma('foreign_key_check')).toEqual([])
  raw.close()
  return { version, schema, rows }
}

/** A file's rows with the epochs left out, which every opening raises. */
function withoutEpochs(rows: Readonly<Record<string, object[]>>): object {
  return { ...rows, meta: rows['meta']?.map((row) => ({ ...row, epoch: 0, owner_epoch: 0 })) }
}

/** A dead letter with what version 2 has brought. */
const letter: DeadLetter = {
  sequence: 1_000,
  type: 'account',
  key: '1',
  command: 'deposit',
  reason: 'failed',
  error: '{}',
  input: '{}',
  naturalKey: undefined,
  revision: 7,
  detail: '{}',
  at: 1_000,
}

const shardFiles = Array.from({ length: shardCount }, (_none, index) => `shard-${index}.db`)

test('there are fixtures of every earlier version, closed in peace and killed', () => {
  const expected = Array.from({ length: latest - 1 }, (_none, index) => index + 1).flatMap((version) => [
    `v${version}-closed`,
    `v${version}-killed`,
  ])
  expect(found.filter(({ version }) => version < latest).map(({ name }) => name)).toEqual(expect.arrayContaining(expected))
})

test('owner.db has only ever had one version', () => {
  expect(latestVersion(ownerSchema)).toBe(1)
})

describe.each(found)('$name', ({ name, version }) => {
  const folder = join(fixtures, name)
  const untouched = bytesOf(folder)

  test('is what its name says: every file has the version, and a WAL only if its owner was killed', () => {
    const walled = name.endsWith('-killed')
    for (const file of shardFiles) {
      expect(statSync(join(folder, 'data', `${file}-wal`), { throwIfNoEntry: false }) !== undefined).toBe(walled)
      expect(dump(join(copyOf(folder), file)).version).toBe(version)
    }
  })

  test('opens with everything that was put in', () => {
    const directory = copyOf(folder)
    expectContent(directory, contentOf(folder))
    for (const file of shardFiles) expect(dump(join(directory, file)).version).toBe(latest)
    expect(dump(join(directory, 'owner.db')).version).toBe(1)
  })

  test('has after the upgrade every row that it had before, and the schema of a new file', () => {
    const directory = copyOf(folder)
    const before = shardFiles.map((file) => dump(join(directory, file)))
    const owned = open(directory)
    for (let index = 0; index < shardCount; index += 1) owned.open(index).close()
    const fresh = temporaryDirectory()
    open(fresh).release()
    for (const [index, file] of shardFiles.entries()) {
      const after = dump(join(directory, file))
      expect(withoutEpochs(after.rows)).toMatchObject(withoutEpochs(before[index]?.rows ?? {}))
      expect(after.schema).toEqual(dump(join(fresh, file)).schema)
    }
  })

  test('takes commits after the upgrade, also of what is new, and a second opening changes nothing', () => {
    const directory = copyOf(folder)
    const first = open(directory)
    const fault = { type: 'account', key: 'new', detail: '{"failures":[1]}' }
    for (let index = 0; index < shardCount; index += 1) {
      const shard = first.open(index)
      const { nextActorNumber } = shard.recover(1_000)
      shard.commit(batch({ created: [{ ...account(nextActorNumber), key: 'new' }], deadLetters: [letter], faults: [fault] }))
      shard.close()
    }
    first.release()
    const before = shardFiles.map((file) => dump(join(directory, file)))
    const second = open(directory)
    for (let index = 0; index < shardCount; index += 1) {
      const shard = second.open(index)
      expect(shard.load('account', 'new')).toMatchObject({ snapshot: expect.stringContaining('balance') })
      expect(shard.deadLetters({ sequence: 1_000 }, 1)).toEqual([letter])
      shard.close()
    }
    for (const [index, file] of shardFiles.entries()) {
      const after = dump(join(directory, file))
      expect([after.version, after.schema]).toEqual([latest, before[index]?.schema])
      expect(withoutEpochs(after.rows)).toEqual(withoutEpochs(before[index]?.rows ?? {}))
    }
  })

  test.runIf(version < latest)('kill -9 in the middle of the upgrade leaves the old version with everything in it', () => {
    const directory = copyOf(folder)
    const before = shardFiles.map((file) => dump(join(copyOf(folder), file)))
    for (const file of shardFiles) {
      const walBefore = statSync(join(directory, `${file}-wal`), { throwIfNoEntry: false })?.size ?? 0
      const child = spawnSync(process.execPath, [halfUpgradedProgram, join(directory, file)], { encoding: 'utf8' })
      expect([child.signal, child.stderr]).toEqual(['SIGKILL', ''])
      // Something of the upgrade has reached the disk.
      expect(statSync(join(directory, `${file}-wal`)).size).toBeGreaterThan(Math.max(walBefore, 40_000))
    }
    const killed = join(temporaryDirectory(), 'killed')
    cpSync(directory, killed, { recursive: true })
    expect(shardFiles.map((file) => dump(join(killed, file)))).toEqual(before)
    expectContent(directory, contentOf(folder))
    for (const file of shardFiles) expect(dump(join(directory, file)).version).toBe(latest)
  })

  test.runIf(version < latest)('an opening that is refused after the upgrade takes the upgrade back', () => {
    const directory = copyOf(folder)
    const before = shardFiles.map((file) => dump(join(copyOf(folder), file)))
    const owned = open(directory)
    expect(refusal(() => openShard({ ...owned.shard(0), ownerEpoch: 0 }))).toMatchObject({ code: 'FENCED' })
    expect(refusal(() => openShard({ ...owned.shard(1), index: 0 }))).toMatchObject({ code: 'STORE_DAMAGED' })
    expect(shardFiles.map((file) => dump(join(directory, file)))).toEqual(before)
    owned.release()
    expectContent(directory, contentOf(folder))
  })

  test('has not been changed by the tests above', () => {
    expect(bytesOf(folder)).toEqual(untouched)
  })
})

describe('the program that makes fixtures', () => {
  test.each([
    ['closed', null],
    ['killed', 'SIGKILL'],
  ])('makes with the present code a store that was %s, for the next version to be tried on', (end, signal) => {
    const folder = join(temporaryDirectory(), `v${latest}-${end}`)
    const child = spawnSync(process.execPath, [makeProgram, folder, end], { encoding: 'utf8' })
    expect([child.signal, child.stderr]).toEqual([signal, ''])
    const contents = contentOf(folder)
    expect(contents.flatMap(({ faults }) => faults).length).toBeGreaterThan(0)
    expectContent(copyOf(folder), contents)
    for (const file of shardFiles) expect(statSync(join(folder, 'data', file)).size).toBeLessThan(200_000)
  })
})
