/** A check finds what is wrong, says where and what to do, goes on, and finds nothing where nothing is wrong. */
import { cpSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { Finding } from '../src/maintenance.ts'
import { verifyDirectory } from '../src/sqlite/verify.ts'
import { closedStore, contentOf, furnish, killedStore, overwrite, startProgram } from './furnished.ts'
import { open, startOwner, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

/** What is found, without notes: level, code and the end of the place. */
function found(directory: string): string[] {
  return verifyDirectory(directory)
    .filter((finding) => finding.level !== 'note')
    .map(
      (finding) =>
        `${finding.level} ${finding.code} ${finding.place.replace(`${directory}/`, '')}${finding.isRepairable ? ' (repairable)' : ''}`,
    )
}

function notes(directory: string): string[] {
  return verifyDirectory(directory)
    .filter((finding) => finding.level === 'note')
    .map((finding) => finding.code)
}

/** A closed directory whose shard 0 was changed by somebody else. */
function meddled(sql: string): string {
  const directory = closedStore()
  const raw = new Sqlite(join(directory, 'shard-0.db'))
  raw.pragma('foreign_keys = OFF')
  raw.exec(sql)
  raw.close()
  return directory
}

/** A closed directory with so many actors that its tables and indexes have many pages. */
function large(): { readonly directory: string; readonly file: string; readonly pageOf: (name: string) => number } {
  const directory = temporaryDirectory()
  const owned = open(directory)
  const shard = owned.open(0)
  shard.commit(batch({ created: Array.from({ length: 2_000 }, (_, index) => account(index + 1, `"${'x'.repeat(100)}"`)) }))
  shard.close()
  owned.open(1).close()
  owned.release()
  const file = join(directory, 'shard-0.db')
  const pageOf = (name: string): number => {
    const raw = new Sqlite(file)
    const page = raw.prepare(`SELECT max(pageno) FROM dbstat WHERE name = ? AND pagetype = 'leaf'`).pluck().get(name)
    raw.close()
    return (Number(page) - 1) * 4_096
  }
  return { directory, file, pageOf }
}

describe('a sound directory', () => {
  test('has no findings beside its owner', () => {
    const directory = temporaryDirectory()
    furnish(directory)
    expect(verifyDirectory(directory)).toEqual([])
    expect(verifyDirectory(directory, { isQuick: true })).toEqual([])
  })

  // Many shards lie between the two that talk, so that much is committed between the looks at them, whoever is looked at first.
  test.each([
    ['first to the last', ['0', '15']],
    ['last to the first', ['15', '0']],
  ])('has none while shards commit and send without a pause, from the %s', { timeout: 60_000 }, async (_, sides) => {
    const directory = join(temporaryDirectory(), 'store')
    await startProgram('exchange', [directory, '16', ...sides]).line()
    for (let count = 0; count < 5; count += 1) expect(verifyDirectory(directory)).toEqual([])
  })

  test('that its owner has closed is only noted for the processes that were left', () => {
    expect(found(closedStore())).toEqual([])
    expect(notes(closedStore())).toEqual(['process-left'])
  })

  test('of a killed owner is noted for its logs, and stays as it is', () => {
    const directory = killedStore()
    const before = contentOf(directory)
    expect(found(directory)).toEqual([])
    expect(notes(directory)).toEqual(['wal-pending', 'wal-pending', 'process-left', 'wal-pending'])
    expect(contentOf(directory)).toEqual(before)
  })

  test('that is being made, or whose making was interrupted, is not damaged', async () => {
    const directory = join(temporaryDirectory(), 'store')
    const owner = startOwner([directory, 'hold'])
    await owner.line()
    await owner.kill()
    const raw = new Sqlite(join(directory, 'owner.db'))
    raw.exec('UPDATE owner SET created = 0')
    raw.close()
    rmSync(join(directory, 'shard-1.db'))
    expect(found(directory)).toEqual([])
    expect(notes(directory)).toContain('creation-unfinished')
  })
})

describe('damaged files', () => {
  test('a page of a table that was overwritten', () => {
    const { directory, file, pageOf } = large()
    overwrite(file, pageOf('actor'), Buffer.alloc(4_096, 0xff))
    const codes = found(directory)
    expect(codes).toContain('error damaged-page shard-0.db')
    expect(codes.filter((line) => line.includes('repairable'))).toEqual([])
    expect(codes.filter((line) => line.includes('shard-1'))).toEqual([])
  })

  test('a page of an index that was overwritten can be repaired', () => {
    const { directory, file, pageOf } = large()
    overwrite(file, pageOf('sqlite_autoindex_actor_1'), Buffer.alloc(4_096, 0xff))
    expect(found(directory)).toEqual(['error damaged-index shard-0.db: sqlite_autoindex_actor_1 (repairable)'])
  })

  test('an index that lacks rows can be repaired; one that has more than its table cannot', () => {
    const lacking = meddled('SELECT 1')
    damageIndex(
      lacking,
      `INSERT INTO timer SELECT actor, name || '2', generation, due_at, event, delay_ms, every_ms, on_restart FROM timer`,
    )
    expect(found(lacking)).toEqual(['error damaged-index shard-0.db: timer_due (repairable)'])
    const surplus = meddled('SELECT 1')
    damageIndex(surplus, 'DELETE FROM timer')
    expect(found(surplus)).toEqual(['error damaged-index shard-0.db: timer_due'])
  })

  test('a file that was cut short, one that is missing, one of something else', () => {
    const directory = closedStore()
    const file = join(directory, 'shard-0.db')
    const { size } = statSync(file)
    overwrite(file, size, Buffer.from('something else'))
    expect(found(directory)).toEqual(['error file-size shard-0.db'])
    truncateSync(file, size - 4_096)
    expect(found(directory)).toEqual(['error file-damaged shard-0.db'])
    truncateSync(join(directory, 'shard-0.db'), 0)
    rmSync(join(directory, 'shard-1.db'))
    expect(found(directory)).toEqual(['error file-missing shard-0.db', 'error file-missing shard-1.db'])
    writeFileSync(join(directory, 'shard-0.db'), 'not a database '.repeat(2_000))
    const raw = new Sqlite(join(directory, 'shard-1.db'))
    raw.exec('CREATE TABLE other (a)')
    raw.close()
    expect(found(directory)).toEqual(['error file-damaged shard-0.db', 'error file-foreign shard-1.db'])
  })

  test('an owner.db that is missing, empty or garbage is one finding, and the shards are checked all the same', () => {
    const directory = meddled(`UPDATE inbox SET input = 'broken' WHERE sequence = 1`)
    writeFileSync(join(directory, 'owner.db'), 'not a database '.repeat(2_000))
    const row = 'error row-unreadable shard-0.db: inbox, sequence 1'
    expect(found(directory)).toEqual(['error owner-damaged owner.db (repairable)', row])
    writeFileSync(join(directory, 'owner.db'), '')
    expect(found(directory)).toEqual(['error owner-gone owner.db (repairable)', row])
    rmSync(join(directory, 'owner.db'))
    expect(found(directory)).toEqual(['error owner-gone owner.db (repairable)', row])
    writeFileSync(join(directory, 'owner.db-wal'), 'what is left')
    expect(found(directory)).toEqual(['error owner-gone owner.db (repairable)', row])
  })

  test('shards that were swapped', () => {
    const directory = closedStore()
    renameSync(join(directory, 'shard-0.db'), join(directory, 'other'))
    renameSync(join(directory, 'shard-1.db'), join(directory, 'shard-0.db'))
    renameSync(join(directory, 'other'), join(directory, 'shard-1.db'))
    expect(found(directory)).toContain('error file-misplaced shard-0.db')
    expect(found(directory)).toContain('error file-misplaced shard-1.db')
  })

  test('a log that does not begin like one, and one that was cut', () => {
    const directory = killedStore()
    overwrite(join(directory, 'shard-0.db-wal'), 0, Buffer.from('garbage!'))
    expect(found(directory)).toContain('error wal-damaged shard-0.db: -wal')
    const cut = killedStore()
    const wal = join(cut, 'shard-0.db-wal')
    truncateSync(wal, statSync(wal).size - 100)
    expect(notes(cut)).toContain('wal-torn')
    expect(found(cut)).toEqual([])
  })

  test('a file from the future', () => {
    const directory = meddled('PRAGMA user_version = 99')
    expect(found(directory)).toEqual(['error file-too-new shard-0.db'])
  })
})

describe('rows that are wrong', () => {
  test.each([
    ['a text that is no JSON', `UPDATE actor SET snapshot = '{' WHERE number = 2`, 'error row-unreadable shard-0.db: actor, number 2'],
    ['one of a timer', `UPDATE timer SET event = 'x' WHERE name = 'soon'`, 'error row-unreadable shard-0.db: timer, actor 2, name soon'],
    ['one of an outcome', `UPDATE idempotency SET outcome = ''`, 'error row-unreadable shard-0.db: idempotency, scope account/1, key k'],
    ['one of a fault', `INSERT INTO fault VALUES ('account', '1', 'x')`, 'error row-unreadable shard-0.db: fault, type account, key 1'],
    ['a sequence mark behind the rows', 'UPDATE meta SET sequence = 9', 'error mark-behind shard-0.db: meta (repairable)'],
    ['an actor mark behind the rows', 'UPDATE meta SET actor_number = 2', 'error mark-behind shard-0.db: meta (repairable)'],
    ['a timer mark behind the rows', 'UPDATE meta SET timer_generation = 0', 'error mark-behind shard-0.db: meta (repairable)'],
    ['a gap in a journal', 'UPDATE journal SET sequence = 3', 'error journal-gap shard-0.db: journal of account 2'],
    ['an open call of nobody', 'UPDATE open_call SET actor = 99', 'error row-orphaned shard-0.db: open_call, row 4'],
    ['a timer of nobody', `UPDATE timer SET actor = 99 WHERE actor = 1`, 'error row-orphaned shard-0.db: timer'],
    ['no marks', 'DELETE FROM meta', 'error meta-missing shard-0.db'],
    ['a shard that has seen a later owner', 'UPDATE meta SET owner_epoch = 7', 'error epoch-behind owner.db (repairable)'],
    ['a link to a shard that is not there', 'INSERT INTO link VALUES (7, 0, 1)', 'warning link-unknown shard-0.db: link 7'],
    ['a message that was not counted', 'UPDATE link SET sent = 0', 'error mark-behind shard-0.db: link 1 (repairable)'],
    ['a message that is lost', 'DELETE FROM outbox', 'error link-gap shard-0.db: link 1'],
    [
      'a message that is lost in the middle',
      `UPDATE link SET sent = 3; INSERT INTO outbox VALUES (1, 3, '{}')`,
      'error link-gap shard-0.db: link 1',
    ],
  ])('%s', (_, sql, expected) => {
    expect(found(meddled(sql))).toEqual([expected])
  })

  test('a shard that is older than its peer, which has had messages that it does not know of', () => {
    const directory = closedStore()
    cpSync(join(directory, 'shard-0.db'), join(directory, 'old'))
    const owned = open(directory)
    owned.open(0).commit(batch({ outbox: [{ peer: 1, sequence: 2, message: '{}' }] }))
    owned.open(1).commit(batch({ received: [{ peer: 0, through: 2 }] }))
    owned.release()
    renameSync(join(directory, 'old'), join(directory, 'shard-0.db'))
    for (const suffix of ['-wal', '-shm']) rmSync(join(directory, `shard-0.db${suffix}`), { force: true })
    expect(found(directory)).toEqual(['error link-ahead shard-0.db: link 1'])
  })

  test('as many as anybody would read are listed, the others counted', () => {
    const { directory } = large()
    const raw = new Sqlite(join(directory, 'shard-0.db'))
    raw.exec(`UPDATE actor SET snapshot = 'x'`)
    raw.close()
    const findings = verifyDirectory(directory).filter((finding) => finding.code === 'row-unreadable')
    expect(findings).toHaveLength(21)
    expect(findings.at(-1)?.message).toContain('1980 more')
    expect(verifyDirectory(directory, { isQuick: true })).toEqual([])
  })

  test('text that is only nested deeply is not wrong', () => {
    const deep = `${'['.repeat(3_000)}${']'.repeat(3_000)}`
    expect(found(meddled(`UPDATE actor SET snapshot = '${deep}' WHERE number = 1`))).toEqual([])
  })
})

describe('what lies about', () => {
  test('files that nobody uses are named, hidden ones are not', () => {
    const directory = closedStore()
    cpSync(join(directory, 'shard-0.db'), join(directory, 'shard-7.db'))
    for (const name of ['thesis.txt', '.hidden', 'shard-9.db-wal']) writeFileSync(join(directory, name), 'x')
    expect(found(directory).toSorted()).toEqual([
      `warning file-leftover ${directory}: shard-9.db-wal`,
      `warning file-leftover ${directory}: thesis.txt`,
      `warning file-surplus ${directory}: shard-7.db`,
    ])
  })

  test('every finding says what to do, or that there is nothing to do', () => {
    const directory = meddled(`UPDATE inbox SET input = 'broken'; UPDATE meta SET sequence = 1`)
    truncateSync(join(directory, 'shard-1.db'), 5_000)
    const findings: readonly Finding[] = verifyDirectory(directory)
    for (const finding of findings.filter(({ level }) => level !== 'note')) {
      expect(finding.advice).toMatch(/^[A-Z].*\.$/)
      expect(finding.message).toMatch(/^[A-Z].*\.$/)
    }
  })

  test('a directory that is not there or not ours is no finding', () => {
    const root = temporaryDirectory()
    expect(refusal(() => verifyDirectory(join(root, 'none')))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    writeFileSync(join(root, 'thesis.txt'), 'x')
    expect(refusal(() => verifyDirectory(root))).toMatchObject({ code: 'DIRECTORY_NOT_OURS' })
  })
})

/** Changes rows of `timer` while SQLite does not know of one of its indexes. */
function damageIndex(directory: string, sql: string): void {
  const raw = new Sqlite(join(directory, 'shard-0.db'))
  raw.unsafeMode()
  raw.pragma('foreign_keys = OFF')
  raw.pragma('writable_schema = ON')
  const index = raw.prepare(`SELECT * FROM sqlite_schema WHERE name = 'timer_due'`).get() as { rootpage: number; sql: string }
  raw.exec(`DELETE FROM sqlite_schema WHERE name = 'timer_due'`)
  reread(raw)
  raw.exec(sql)
  raw
    .prepare(`INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('index', 'timer_due', 'timer', ?, ?)`)
    .run(index.rootpage, index.sql)
  reread(raw)
  raw.close()
}

function reread(raw: Sqlite.Database): void {
  raw.pragma(`schema_version = ${Number(raw.pragma('schema_version', { simple: true })) + 1}`)
}
