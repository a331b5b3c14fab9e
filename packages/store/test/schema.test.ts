/** Schemas go forward only: files from the future are refused, older ones are brought up to date in one transaction. */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { latestVersion, migrate, ownerSchema, shardSchema } from '../src/sqlite/schema.ts'
import type { Schema } from '../src/sqlite/schema.ts'
import { bytesOf, open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

/** A directory closed in peace, one file of which says that it has another version of its schema. */
function storeWithVersion(name: string, version: number): { readonly directory: string; readonly file: string } {
  const directory = temporaryDirectory()
  open(directory).release()
  const file = join(directory, name)
  const raw = new Sqlite(file)
  raw.pragma(`user_version = ${version}`)
  raw.close()
  return { directory, file }
}

const first: Schema = { applicationId: 7, migrations: [{ version: 1, sql: 'CREATE TABLE one (x INTEGER) STRICT' }] }

const second: Schema = {
  applicationId: 7,
  migrations: [
    ...first.migrations,
    { version: 2, sql: 'ALTER TABLE one ADD COLUMN y INTEGER NOT NULL DEFAULT 5; CREATE TABLE two (x INTEGER) STRICT' },
  ],
}

function migrated(db: Sqlite.Database, schema: Schema): boolean {
  return db.transaction(() => migrate(db, 'memory', schema)).immediate()
}

describe('a file from the future', () => {
  test.each([
    ['owner.db', ownerSchema],
    ['shard-1.db', shardSchema],
  ])('%s of a newer version is refused, named with both versions, and left as it was', (name, schema) => {
    const { directory, file } = storeWithVersion(name, 99)
    const before = bytesOf(directory)
    expect(refusal(() => open(directory))).toMatchObject({ code: 'SCHEMA_TOO_NEW', file, found: 99, supported: latestVersion(schema) })
    expect(bytesOf(directory)).toEqual(before)
  })

  test('a newer version that is still in the WAL is refused when the shard is opened', () => {
    const directory = temporaryDirectory()
    const owned = open(directory)
    const { file } = owned.shard(0)
    const raw = new Sqlite(file)
    raw.pragma('user_version = 99')
    expect(refusal(() => owned.open(0))).toMatchObject({ code: 'SCHEMA_TOO_NEW', file, found: 99 })
    raw.close()
  })
})

describe('migrations', () => {
  test.each([
    ['owner', ownerSchema],
    ['shard', shardSchema],
  ])('the versions of the %s schema count up from 1 without a gap', (_, schema) => {
    expect(schema.migrations.map((migration) => migration.version)).toEqual(schema.migrations.map((_migration, index) => index + 1))
  })

  test('an older file gets the steps it has not seen, and keeps its rows', () => {
    const db = new Sqlite(':memory:')
    migrated(db, first)
    db.exec('INSERT INTO one VALUES (1)')
    expect(migrated(db, second)).toBe(true)
    expect(db.prepare('SELECT * FROM one').all()).toEqual([{ x: 1, y: 5 }])
    expect(db.pragma('user_version', { simple: true })).toBe(2)
    expect(migrated(db, second)).toBe(false)
  })

  test('a step that fails leaves the file at its old version, without the steps before', () => {
    const db = new Sqlite(':memory:')
    migrated(db, first)
    const broken: Schema = { applicationId: 7, migrations: [...second.migrations, { version: 3, sql: 'CREATE TABLE three (x); nonsense' }] }
    expect(() => migrated(db, broken)).toThrow('nonsense')
    expect(db.pragma('user_version', { simple: true })).toBe(1)
    expect(db.prepare(`SELECT name FROM sqlite_schema`).pluck().all()).toEqual(['one'])
  })

  test('a database of somebody else is never migrated', () => {
    const db = new Sqlite(':memory:')
    db.exec('CREATE TABLE precious (x)')
    expect(refusal(() => migrated(db, first))).toMatchObject({ code: 'STORE_DAMAGED' })
    expect(db.pragma('application_id', { simple: true })).toBe(0)
  })

  test('files say what they are and which version they have', () => {
    const directory = temporaryDirectory()
    const owned = open(directory)
    owned.open(0).commit(batch({ created: [account(1)] }))
    for (const [name, schema] of [
      ['owner.db', ownerSchema],
      ['shard-0.db', shardSchema],
    ] as const) {
      const raw = new Sqlite(join(directory, name), { readonly: true })
      expect(raw.pragma('application_id', { simple: true })).toBe(schema.applicationId)
      expect(raw.pragma('user_version', { simple: true })).toBe(latestVersion(schema))
      expect(raw.pragma('journal_mode', { simple: true })).toBe('wal')
      raw.close()
    }
  })
})
