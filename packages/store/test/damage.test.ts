/** Damage is found and said, and a damaged file stays as it is. */
import { closeSync, copyFileSync, cpSync, openSync, renameSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bytesOf, open, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

/** A directory closed in peace, with some hundred actors in shard 0. */
function closedStore(): { readonly directory: string; readonly file: string } {
  const directory = temporaryDirectory()
  const owned = open(directory)
  const shard = owned.open(0)
  shard.commit(batch({ created: Array.from({ length: 500 }, (_, index) => account(index + 1, `"${'x'.repeat(200)}"`)) }))
  shard.close()
  owned.release()
  return { directory, file: join(directory, 'shard-0.db') }
}

/** A directory as a killed owner leaves it: the last commits are only in the WAL. */
function killedStore(): { readonly directory: string; readonly file: string } {
  const root = temporaryDirectory()
  const owned = open(join(root, 'living'))
  const shard = owned.open(0)
  shard.commit(batch({ created: [account(1), account(2)] }))
  cpSync(join(root, 'living'), join(root, 'killed'), { recursive: true })
  shard.close()
  return { directory: join(root, 'killed'), file: join(root, 'killed', 'shard-0.db') }
}

function overwrite(file: string, position: number, bytes: Buffer): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, position)
  closeSync(descriptor)
}

/** Opens the directory and shard 0: refused as damage of this file, and no file has changed but those of the owner. */
function expectDamaged(directory: string, file: string): void {
  const before = bytesOf(directory)
  expect(refusal(() => open(directory).open(0))).toMatchObject({ code: 'STORE_DAMAGED', file })
  expect(shardsOf(bytesOf(directory))).toEqual(shardsOf(before))
}

/** SQLite's shared memory is scratch space: it is made anew by whoever opens a file first. */
function shardsOf(bytes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(bytes).filter(([name]) => name.startsWith('shard') && !name.endsWith('-shm')))
}

describe('a damaged file', () => {
  test('a shard that is no database is damage', () => {
    const { directory, file } = closedStore()
    writeFileSync(file, 'not a database '.repeat(2_000))
    expectDamaged(directory, file)
  })

  test('a shard whose first page is gone is damage', () => {
    const { directory, file } = closedStore()
    overwrite(file, 0, Buffer.alloc(4_096))
    expectDamaged(directory, file)
  })

  test.each([
    ['by some pages', -3 * 4_096],
    ['by half a page', -2_048],
  ])('a shard that was cut short %s is damage', (_, bytes) => {
    const { directory, file } = closedStore()
    truncateSync(file, statSync(file).size + bytes)
    expectDamaged(directory, file)
  })

  test('a shard that has grown by something else is damage', () => {
    const { directory, file } = closedStore()
    overwrite(file, statSync(file).size, Buffer.from('something else'))
    expectDamaged(directory, file)
  })

  test('a page in the middle that was overwritten is damage', () => {
    const { directory, file } = closedStore()
    overwrite(file, 40 * 4_096, Buffer.alloc(4_096, 0xff))
    expectDamaged(directory, file)
  })

  test('the file of another shard is damage, not that shard', () => {
    const { directory, file } = closedStore()
    copyFileSync(join(directory, 'shard-1.db'), file)
    expectDamaged(directory, file)
  })

  test('an owner.db that is no database beside shards is damage', () => {
    const { directory } = closedStore()
    const file = join(directory, 'owner.db')
    writeFileSync(file, 'not a database '.repeat(2_000))
    const before = bytesOf(directory)
    expect(refusal(() => open(directory))).toMatchObject({ code: 'STORE_DAMAGED', file })
    expect(bytesOf(directory)).toEqual(before)
  })

  test('what SQLite says in several lines is told in one, without its headings', () => {
    const { directory, file } = closedStore()
    overwrite(file, 40 * 4_096, Buffer.alloc(4_096, 0xff))
    const { message } = refusal(() => open(directory).open(0))
    expect(message).toMatch(/^The file \S+shard-0\.db is damaged: Tree \d+ page \d+: [^\n*]+\.$/)
  })

  test('a shard’s database in the place of owner.db is not taken for one', () => {
    const { directory, file } = closedStore()
    renameSync(file, join(directory, 'owner.db'))
    expect(refusal(() => open(directory))).toMatchObject({ code: 'DIRECTORY_NOT_OURS' })
  })

  test('damage in a shard leaves the other shards usable', () => {
    const { directory, file } = closedStore()
    overwrite(file, 40 * 4_096, Buffer.alloc(4_096, 0xff))
    const owned = open(directory)
    expect(refusal(() => owned.open(0))).toMatchObject({ code: 'STORE_DAMAGED' })
    owned.open(1).commit(batch({ created: [account(1)] }))
  })

  test('damage that shows only while reading is said then, and names the file', () => {
    const directory = temporaryDirectory()
    const owned = open(directory)
    const shard = owned.open(0)
    // More than the size up to which a file is checked as a whole.
    for (let number = 1; number <= 40; number += 1) shard.commit(batch({ created: [account(number, `"${'x'.repeat(1_000_000)}"`)] }))
    shard.close()
    const { file } = owned.shard(0)
    overwrite(file, 40 * 4_096, Buffer.alloc(statSync(file).size - 40 * 4_096, 0xff))
    const damaged = owned.open(0)
    expect(refusal(() => damaged.load('account', '40'))).toMatchObject({ code: 'STORE_DAMAGED', file })
  })
})

describe('the WAL of a killed owner', () => {
  test('commits that are only in the WAL are there', () => {
    const { directory } = killedStore()
    expect(open(directory).open(0).load('account', '2')).toMatchObject({ number: 2 })
  })

  test('a WAL whose beginning is overwritten is damage, not the loss of its commits', () => {
    const { directory, file } = killedStore()
    overwrite(`${file}-wal`, 0, Buffer.from('garbage!'))
    const before = bytesOf(directory)
    expect(refusal(() => open(directory).open(0))).toMatchObject({ code: 'STORE_DAMAGED', file: `${file}-wal` })
    expect(shardsOf(bytesOf(directory))).toEqual(shardsOf(before))
  })

  test('a WAL that ends in the middle of a commit loses that commit and no other', () => {
    const { directory, file } = killedStore()
    const owned = open(directory)
    const shard = owned.open(0)
    shard.commit(batch({ created: [account(3)] }))
    const { size } = statSync(`${file}-wal`)
    const torn = `${directory}-torn`
    cpSync(directory, torn, { recursive: true })
    truncateSync(join(torn, 'shard-0.db-wal'), size - 100)
    const later = open(torn).open(0)
    expect(later.load('account', '2')).toMatchObject({ number: 2 })
    expect(later.load('account', '3')).toBeUndefined()
    shard.close()
  })

  test('a damaged page under a WAL is damage, and the WAL is kept', () => {
    const { directory, file } = killedStore()
    overwrite(file, 4_096, Buffer.alloc(statSync(file).size - 4_096, 0xff))
    expectDamaged(directory, file)
  })
})
