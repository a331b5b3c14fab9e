/** Who owns a directory on disk: real processes, killed without a word. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { once } from 'node:events'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openShard } from '../src/index.ts'
import { bytesOf, open, startOwner, temporaryDirectory } from './place.ts'
import { account, batch, refusal } from './rows.ts'

describe('ownership between processes', () => {
  test('G8 a second process is refused, told the owner by name, and changes nothing', async () => {
    const directory = temporaryDirectory()
    const owner = startOwner([directory, 'hold'])
    await owner.line()
    const before = bytesOf(directory)
    const refused = { code: 'DIRECTORY_IN_USE', pid: owner.child.pid, epoch: 1, since: '1970-01-01T00:00:01.000Z', directory }
    expect(refusal(() => open(directory))).toMatchObject(refused)
    const other = startOwner([directory, 'open'])
    expect(await other.line()).toEqual(refused)
    expect(bytesOf(directory)).toEqual(before)
  })

  test('G8 being refused often does not loosen the hold of the owner', async () => {
    const directory = temporaryDirectory()
    open(directory)
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(refusal(() => open(directory)).code).toBe('DIRECTORY_IN_USE')
      expect(await startOwner([directory, 'open']).line()).toMatchObject({ code: 'DIRECTORY_IN_USE', pid: process.pid, epoch: 1 })
    }
  })

  test('G8 after kill -9 of the owner the next one is in at once, with the next epoch', async () => {
    const directory = temporaryDirectory()
    for (let epoch = 1; epoch <= 3; epoch += 1) {
      const owner = startOwner([directory, 'hold'])
      expect(await owner.line()).toMatchObject({ epoch })
      await owner.kill()
    }
    expect(open(directory).epoch).toBe(4)
  })

  test('G8 of many processes that want a directory at once exactly one gets it', async () => {
    const directory = join(temporaryDirectory(), 'new')
    const owners = Array.from({ length: 6 }, () => startOwner([directory, 'hold']))
    const answers = await Promise.all(owners.map(async (owner) => await owner.line()))
    const winners = answers.filter((answer) => answer['code'] === undefined)
    expect(winners).toHaveLength(1)
    const losers = answers.filter((answer) => answer['code'] === 'DIRECTORY_IN_USE')
    expect(losers).toHaveLength(5)
  })

  test('a directory that is held shows no lock file of ours', () => {
    const directory = temporaryDirectory()
    open(directory)
    const strangers = readdirSync(directory).filter((name) => !/^(owner|shard-[01])\.db(-wal|-shm)?$/.test(name))
    expect(strangers).toEqual([])
  })

  test('the location of a shard is plain data with which another thread opens it', async () => {
    const directory = open(temporaryDirectory())
    const source = `
      const { parentPort, workerData } = await import('node:worker_threads')
      const { openShard } = await import(workerData.module)
      const shard = openShard(workerData.location)
      shard.commit(workerData.batch)
      shard.close()
      parentPort.postMessage(shard.epoch)`
    const module = new URL('../src/index.ts', import.meta.url).href
    const workerData = { module, location: directory.shard(1), batch: batch({ created: [account(1)] }) }
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData })
    const [epoch] = (await once(worker, 'message')) as [number]
    await worker.terminate()
    const shard = directory.open(1)
    expect(shard.epoch).toBe(epoch + 1)
    expect(shard.load('account', '1')).toMatchObject({ number: 1 })
  })
})

describe('what a killed owner leaves', () => {
  test('G2 every commit that was acknowledged survives kill -9, and at most one more is there', async () => {
    const directory = temporaryDirectory()
    const owner = startOwner([directory, 'write'])
    let acknowledged = 0
    while (acknowledged < 200) acknowledged = Number((await owner.line())['committed'])
    await owner.kill()
    const rest = await remainder(owner.line)
    acknowledged = rest ?? acknowledged
    const shard = open(directory, { shards: 1 }).open(0)
    const recovery = shard.recover(1_000)
    expect(recovery.nextActorNumber - 1).toBeGreaterThanOrEqual(acknowledged)
    expect(recovery.nextActorNumber - 1).toBeLessThanOrEqual(acknowledged + 1)
    expect(recovery.committedAt).toBe(recovery.nextActorNumber - 1)
    for (let number = 1; number <= acknowledged; number += 1) {
      expect(shard.load('account', String(number))).toMatchObject({ number, snapshot: `{"balance":${number}}` })
    }
  })

  /** What the dead process had still said: the last commit it acknowledged. */
  async function remainder(line: () => Promise<Record<string, unknown>>): Promise<number | undefined> {
    let last: number | undefined
    for (;;) {
      try {
        last = Number((await line())['committed'])
      } catch {
        return last
      }
    }
  }
})

describe('the fence in a shard', () => {
  test('G8 an epoch that moves on behind the back of an owner refuses its next commit and names both epochs', () => {
    const directory = open(temporaryDirectory())
    const shard = directory.open(0)
    shard.commit(batch({ created: [account(1)] }))
    const raw = new Sqlite(directory.shard(0).file)
    raw.exec('UPDATE meta SET epoch = epoch + 41')
    const rows = () => ['meta', 'actor', 'inbox'].map((table) => raw.prepare(`SELECT * FROM ${table}`).all())
    const before = rows()
    expect(refusal(() => shard.commit(batch({ at: 2_000, created: [account(2)] })))).toMatchObject({
      code: 'FENCED',
      epoch: 1,
      current: 42,
    })
    expect(rows()).toEqual(before)
    raw.close()
  })

  test('G8 a location that outlived its owner cannot take the shard from the next one', () => {
    const root = temporaryDirectory()
    const first = open(root)
    const stale = first.shard(0)
    first.release()
    const second = open(root)
    const shard = second.open(0)
    expect(refusal(() => openShard(stale))).toMatchObject({ code: 'FENCED', epoch: 1, current: 2 })
    shard.commit(batch({ created: [account(1)] }))
  })
})
