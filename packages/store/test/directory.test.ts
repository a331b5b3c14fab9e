/** What may become a directory of the store, and what is refused without a trace. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { bytesOf, open, startOwner, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

/** A directory with a store that was closed in peace. */
function closedStore(): string {
  const directory = temporaryDirectory()
  const owned = open(directory)
  const shard = owned.open(0)
  shard.commit(batch({ created: [account(1)] }))
  shard.close()
  owned.release()
  return directory
}

/** Expects that opening is refused with this error, and that no byte below the directory has changed. */
function expectRefused(directory: string, expected: Record<string, unknown>): void {
  const before = bytesOf(directory)
  expect(refusal(() => open(directory))).toMatchObject(expected)
  expect(bytesOf(directory)).toEqual(before)
}

describe('a directory that is made', () => {
  test('a missing directory is made when its parent exists', () => {
    const directory = join(temporaryDirectory(), 'new')
    expect(open(directory).directory).toBe(directory)
    expect(readdirSync(directory)).toEqual(expect.arrayContaining(['owner.db', 'shard-0.db', 'shard-1.db']))
  })

  test('a missing directory is refused when its parent does not exist, and nothing is made', () => {
    const root = temporaryDirectory()
    expect(refusal(() => open(join(root, 'missing', 'new')))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    expect(readdirSync(root)).toEqual([])
  })

  test('a missing directory and an empty one are refused when nothing is to be made', () => {
    const root = temporaryDirectory()
    expect(refusal(() => open(join(root, 'new'), { create: false }))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    expect(refusal(() => open(root, { create: false }))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    expect(readdirSync(root)).toEqual([])
  })

  test('a store that exists is opened also when nothing is to be made', () => {
    expect(open(closedStore(), { create: false }).shardCount).toBe(2)
  })

  test('a relative path is the same directory as its absolute one', () => {
    const directory = closedStore()
    const relative = join('..', '..', '..', '..', '..', '..', '..', '..', directory)
    expect(open(relative).directory).toBe(directory)
  })

  test('dotfiles and lost+found do not make a directory somebody else’s', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, '.gitignore'), '*')
    mkdirSync(join(directory, 'lost+found'))
    expect(open(directory).epoch).toBe(1)
  })

  test('the number of shards is what the directory was made with, whatever is asked for later', () => {
    expect(open(closedStore(), { shards: 7 }).shardCount).toBe(2)
  })

  test.each([0, -1, 1.5, Number.NaN, 1_025])('%d shards are refused before anything is made', (shards) => {
    const directory = join(temporaryDirectory(), 'new')
    expect(() => open(directory, { shards })).toThrow(RangeError)
    expect(existsSync(directory)).toBe(false)
  })

  test.each([-1, 2, 0.5])('shard %d of two is a mistake of the caller', (index) => {
    const directory = open(temporaryDirectory())
    expect(() => directory.shard(index)).toThrow(RangeError)
  })

  test.each([
    ['full', 2],
    ['normal', 1],
  ] as const)('a shard commits with the safety that was chosen: %s', (synchronous, _level) => {
    const directory = open(temporaryDirectory(), { synchronous })
    expect(directory.shard(0).synchronous).toBe(synchronous)
    directory.open(0).commit(batch({ created: [account(1)] }))
  })
})

describe('a directory that is not ours', () => {
  test('a file where the directory should be is refused and kept', () => {
    const root = temporaryDirectory()
    writeFileSync(join(root, 'file'), 'precious')
    const before = bytesOf(root)
    expect(refusal(() => open(join(root, 'file')))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    expect(refusal(() => open(join(root, 'file', 'below')))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    expect(bytesOf(root)).toEqual(before)
  })

  test('a directory with somebody else’s file is refused, and the file is named', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'thesis.txt'), 'precious')
    expectRefused(directory, { code: 'DIRECTORY_NOT_OURS', directory, found: 'thesis.txt' })
  })

  test('an owner.db that is no database is refused', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'owner.db'), 'precious '.repeat(1_000))
    expectRefused(directory, { code: 'DIRECTORY_NOT_OURS' })
  })

  test.each(['delete', 'wal'])('an owner.db of another program (journal mode %s) is refused', (mode) => {
    const directory = temporaryDirectory()
    const raw = new Sqlite(join(directory, 'owner.db'))
    raw.pragma(`journal_mode = ${mode}`)
    raw.exec('CREATE TABLE owner (epoch INTEGER); INSERT INTO owner VALUES (7)')
    raw.close()
    expectRefused(directory, { code: 'DIRECTORY_NOT_OURS' })
  })

  test('an owner.db that is a directory is refused', () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'owner.db'))
    expectRefused(directory, { code: 'DIRECTORY_NOT_OURS' })
  })

  test('an empty owner.db among somebody else’s files is refused', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'owner.db'), '')
    writeFileSync(join(directory, 'thesis.txt'), 'precious')
    expectRefused(directory, { code: 'DIRECTORY_NOT_OURS', found: 'thesis.txt' })
  })
})

// Root may write everywhere: these tests put on the user "nobody" where they can, and are a nobody anyway where they cannot.
describe('a directory that may not be written', () => {
  const nobody = 65_534
  const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

  test('a directory without the right to write is refused', async () => {
    const directory = closedStore()
    chmodSync(directory, 0o555)
    expect(await startOwner([directory, 'open'], asNobody).line()).toMatchObject({ code: 'DIRECTORY_NOT_WRITABLE', directory })
    chmodSync(directory, 0o755)
    expect(open(directory).epoch).toBe(2)
  })

  test('a directory that cannot be made for want of rights is refused', async () => {
    const root = temporaryDirectory()
    chmodSync(root, 0o555)
    const directory = join(root, 'new')
    expect(await startOwner([directory, 'open'], asNobody).line()).toMatchObject({ code: 'DIRECTORY_NOT_WRITABLE', directory })
    chmodSync(root, 0o755)
    expect(readdirSync(root)).toEqual([])
  })

  test.each(['owner.db', 'shard-1.db'])('a directory whose %s may not be written is refused and left alone', async (name) => {
    const directory = closedStore()
    if (asNobody.uid !== undefined) chownSync(directory, nobody, nobody)
    for (const file of readdirSync(directory)) chmodSync(join(directory, file), file === name ? 0o444 : 0o666)
    const before = bytesOf(directory)
    expect(await startOwner([directory, 'open'], asNobody).line()).toMatchObject({ code: 'DIRECTORY_NOT_WRITABLE', directory })
    expect(bytesOf(directory)).toEqual(before)
  })
})
