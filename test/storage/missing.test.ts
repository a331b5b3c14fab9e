/** G1, G2, G11 and G12 with files that somebody deletes, moves, replaces or cuts while they are open. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repairDirectory } from '@bailiwick/store'
import { describe, expect, test } from 'vitest'
import { until } from '../fixtures/place.ts'
import {
  advance,
  beginLoad,
  expectClean,
  expectEntered,
  expectOnDisk,
  reopenClean,
  startSubject,
  untilFaulty,
  untilReady,
} from './fixtures/subject.ts'

const MISSING = 'STORE_UNAVAILABLE missing'

/** What senders of one shard have been told. */
function onShard(shard: number, acknowledged: Readonly<Record<string, number>>): readonly (readonly [sender: string, n: number])[] {
  return Object.entries(acknowledged).filter(([sender]) => sender.endsWith(`-${shard}`))
}

describe('a write-ahead log that is taken away', () => {
  test('G1 G2 G11 stops its shard and no other; what it held is on disk, and the shard begins anew by itself', async () => {
    const subject = startSubject()
    const { does } = subject
    await beginLoad(subject)
    rmSync(subject.file(0, '-wal'))
    const { told, errors } = await untilReady(does)
    expect(told).toEqual(['shard.degraded 0 STORE_UNAVAILABLE', 'shard.started 0'])
    expect(errors).toEqual([[MISSING], []])
    await expectOnDisk(subject)
    await expectClean(subject)
  })

  test('G2 loses nothing either if it comes back', async () => {
    const subject = startSubject()
    const { does } = subject
    await beginLoad(subject)
    const wal = subject.file(0, '-wal')
    renameSync(wal, `${wal}.away`)
    await untilFaulty(does, [0], '(missing)')
    await untilReady(does)
    expect(existsSync(wal)).toBe(true)
    rmSync(`${wal}.away`)
    await expectClean(subject)
  })
})

describe('a write-ahead log that is cut while it is open', () => {
  test.each([
    ['to nothing', 0],
    ['in the middle of what it holds', 40_000],
  ])(
    'G1 G2 G11 %s stops its shard as damaged before anything more is acknowledged, and no other; a backup takes its place',
    async (_how, size) => {
      const subject = startSubject()
      const { does, directory, root } = subject
      await beginLoad(subject)
      const { acknowledged: kept } = await does.backup(`${root}/backup`)
      await advance(does, [0, 1])
      // Between two commits: a cut in the middle of one can be hidden by what it writes.
      await does.rest()
      truncateSync(subject.file(0, '-wal'), size)
      const { acknowledged: then, slowest: before } = await does.look()
      await does.start()
      const { errors, reasons, acknowledged } = await until(
        () => does.look(),
        (seen) => seen.reasons.length > 0 || (seen.slowest[0] ?? 0) > (before[0] ?? 0) + 10,
      )
      expect(reasons).toMatchObject([expect.stringMatching(/^0 STORE_DAMAGED/)])
      expect(errors).toEqual([['STORE_DAMAGED'], []])
      expect(onShard(0, acknowledged)).toEqual(onShard(0, then))
      await advance(does, [1])
      await does.leave()
      await does.close()
      rmSync(directory, { recursive: true })
      renameSync(`${root}/backup`, directory)
      await does.open()
      await expectEntered(does, kept)
    },
  )
})

describe('a database file that is cut while it is open', () => {
  test('G1 G2 G11 stops its shard as damaged, and no other: nothing more is acknowledged there; a backup takes its place', async () => {
    const subject = startSubject()
    const { does, directory, root } = subject
    await beginLoad(subject)
    const { acknowledged: kept } = await does.backup(`${root}/backup`)
    await advance(does, [0, 1])
    await does.rest()
    const { acknowledged: then, slowest: before } = await does.look()
    writeFileSync(subject.file(0), '')
    await does.start()
    const { errors, reasons, acknowledged, told } = await until(
      () => does.look(),
      (seen) => seen.reasons.length > 0 || (seen.slowest[0] ?? 0) > (before[0] ?? 0) + 10,
    )
    expect(reasons).toMatchObject([expect.stringMatching(/^0 STORE_DAMAGED .*shard-0\.db is damaged: it was cut while it was open\.$/)])
    expect(errors).toEqual([['STORE_DAMAGED'], []])
    expect(told).toEqual(['shard.stopped 0 STORE_DAMAGED'])
    expect(onShard(0, acknowledged)).toEqual(onShard(0, then))
    await advance(does, [1])
    await does.leave()
    await does.close()
    rmSync(directory, { recursive: true })
    renameSync(`${root}/backup`, directory)
    await does.open()
    await expectEntered(does, kept)
  })
})

describe('an owner.db that is deleted', () => {
  test('G2 G8 keeps the next system out; a repair makes it anew from the shards, with all that they have', async () => {
    const subject = startSubject()
    const { does, directory } = subject
    await beginLoad(subject)
    rmSync(join(directory, 'owner.db'))
    expect(() => repairDirectory(directory, { now: Date.now })).toThrow(
      expect.objectContaining({ code: 'STORE_UNAVAILABLE', fault: 'busy' }),
    )
    await advance(does, [0, 1])
    await does.rest()
    expect(await does.close()).toBe('polite')
    await expect(does.open()).rejects.toMatchObject({ code: 'STORE_DAMAGED', fields: { file: join(directory, 'owner.db') } })
    const { done, left } = repairDirectory(directory, { now: Date.now })
    expect(done[0]).toContain('owner.db was made anew for 2 shards')
    expect(left.filter(({ level }) => level !== 'note')).toEqual([])
    await reopenClean(does)
  })
})

describe('a directory that is moved away', () => {
  test('G1 G2 G12 is missing, and everything goes on by itself when it is back', async () => {
    const subject = startSubject()
    const { does, directory } = subject
    await beginLoad(subject)
    renameSync(directory, `${directory}.away`)
    const { errors } = await untilFaulty(does, [0, 1], 'STORE_')
    expect(errors).toEqual([[MISSING], [MISSING]])
    renameSync(`${directory}.away`, directory)
    const { told } = await untilReady(does)
    expect(told).toEqual(expect.arrayContaining(['shard.started 0', 'shard.started 1']))
    await expectOnDisk(subject)
    await expectClean(subject)
  })
})

describe('a directory that is deleted', () => {
  test('G1 G2 G12 is missing; nothing is acknowledged any more and nothing is made in its place; a backup that is put there is opened', async () => {
    const subject = startSubject()
    const { does, directory, root } = subject
    await beginLoad(subject)
    const { acknowledged } = await does.backup(`${root}/backup`)
    await advance(does, [0, 1])
    rmSync(directory, { recursive: true })
    await untilFaulty(does, [0, 1], 'STORE_')
    const { acknowledged: then, errors } = await does.look()
    expect(errors).toEqual([[MISSING], [MISSING]])
    mkdirSync(directory)
    // Long enough for another try of each shard.
    const again = await untilFaulty(does, [0, 1], 'it is missing')
    expect(again.acknowledged).toEqual(then)
    expect(existsSync(subject.file(0))).toBe(false)
    await does.leave()
    await does.close()
    rmSync(directory, { recursive: true })
    renameSync(`${root}/backup`, directory)
    await does.open()
    await expectEntered(does, acknowledged)
  })
})

describe('a file that is replaced by a copy of itself', () => {
  test('G2 G11 is not written any more; its shard begins anew from the copy', async () => {
    const subject = startSubject()
    const { does } = subject
    await beginLoad(subject)
    await does.rest()
    await does.close()
    await does.open()
    // Nothing has been committed since, so the copy is whole.
    copyFileSync(subject.file(0), `${subject.file(0)}.copy`)
    renameSync(`${subject.file(0)}.copy`, subject.file(0))
    await does.start()
    const { told } = await untilReady(does)
    expect(told).toEqual(['shard.degraded 0 STORE_UNAVAILABLE', 'shard.started 0'])
    await does.rest()
    await does.close()
    await reopenClean(does)
  })
})
