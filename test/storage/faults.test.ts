/** G1, G2, G11 and G12 on real disks: what a fault of the storage is called, whom it stops, and that it leaves no trace once it is gone. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../fixtures/place.ts'
import { holdShard } from './fixtures/lock.ts'
import { immutability, limit, limits, mounting, permissions, run, skipUnless } from './fixtures/machine.ts'
import {
  advance,
  beginLoad,
  expectClean,
  expectNotGivenUp,
  expectOnDisk,
  expectStillFaulty,
  fillUp,
  reopenClean,
  startSubject,
  untilFaulty,
  untilReady,
} from './fixtures/subject.ts'

/** More than the shards need, so that it is the test that fills it. */
const DISK_MB = 16

/** Less than the write-ahead log of one shard takes before it is moved into the file. */
const SMALL_DISK_MB = 6

/** As many files as a process may have open here. */
const FILES_MAX = 256

const [FULL, BUSY, IO] = ['full', 'busy', 'io'].map((fault) => `STORE_UNAVAILABLE ${fault}`)

describe('a full disk', () => {
  test('G1 G2 G12 refuses what it has no room for as full, and serves again by itself when there is room', async (context) => {
    skipUnless(context, mounting)
    const subject = startSubject({ diskMb: DISK_MB })
    const { does } = subject
    await beginLoad(subject)
    const { errors } = await fillUp(does)
    expect(errors).toEqual([[FULL], [FULL]])
    await expectOnDisk(subject)
    await does.free()
    await untilReady(does)
    await expectClean(subject)
  })

  test('G12 is the state of a shard until a commit has succeeded, and then at once, whether anybody wants something or not', async (context) => {
    skipUnless(context, mounting)
    const subject = startSubject({ diskMb: DISK_MB })
    const { does } = subject
    await beginLoad(subject)
    await fillUp(does)
    await does.leave()
    await expectStillFaulty(does, [0, 1])
    const { told: before } = await does.look()
    await does.free()
    const { told } = await untilReady(does, [])
    expect(told.slice(before.length).toSorted()).toEqual(['shard.recovered 0', 'shard.recovered 1'])
    await does.start()
    await expectClean(subject)
  })

  test('G2 G12 is not made by the write-ahead logs of a system whose data would fit', async (context) => {
    skipUnless(context, mounting)
    const subject = startSubject({ diskMb: SMALL_DISK_MB })
    const { does } = subject
    await beginLoad(subject)
    // Some twenty kilobytes for each command: more in all than the disk holds.
    await until(
      () => does.look(),
      ({ slowest, errors }) => Math.min(...slowest) > 400 || errors.flat().length > 0,
      20_000,
    )
    const { errors, reasons } = await does.look()
    expect({ errors, reasons }).toEqual({ errors: [[], []], reasons: [] })
    await expectOnDisk(subject)
    await expectClean(subject)
  })

  test('G2 is what openSystem says of it, and the next one opens when there is room', async (context) => {
    skipUnless(context, mounting)
    const subject = startSubject({ diskMb: DISK_MB })
    const { does } = subject
    await beginLoad(subject)
    await does.rest()
    await does.close()
    await does.fill()
    await expect(does.open()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', fields: { fault: 'full' } })
    await does.free()
    await reopenClean(does)
  })
})

describe('another process that holds a shard', () => {
  test('G1 G2 G11 makes that shard busy and no other, until it lets go', async () => {
    const subject = startSubject()
    const { does } = subject
    await beginLoad(subject)
    const letGo = await holdShard(subject.file(0))
    await untilFaulty(does, [0], '(busy)')
    const { errors, reasons } = await advance(does, [1])
    expect(errors).toEqual([[BUSY], []])
    expect(reasons).toHaveLength(1)
    await expectOnDisk(subject)
    await letGo()
    const { told } = await untilReady(does)
    expect(told).toEqual(['shard.degraded 0 STORE_UNAVAILABLE', 'shard.recovered 0'])
    await expectClean(subject)
  })
})

describe('a disk that fails', () => {
  test('G1 G2 G12 stops the shards that meet it; each begins anew from its files when they can be written again', async (context) => {
    skipUnless(context, limits)
    const subject = startSubject()
    const { does, pid } = subject
    await beginLoad(subject)
    // No write into a file succeeds any more: to SQLite that is an I/O error.
    limit(pid, 'fsize', 0)
    const { errors } = await untilFaulty(does, [0, 1], '(io)')
    expect(errors).toEqual([[IO], [IO]])
    await expectOnDisk(subject)
    limit(pid, 'fsize', 'unlimited')
    const { told } = await untilReady(does)
    expect(told).toEqual(expect.arrayContaining(['shard.degraded 0 STORE_UNAVAILABLE', 'shard.started 0', 'shard.started 1']))
    await expectClean(subject)
  })

  test('G2 G11 is one shard’s business; that its files are read-only is said when it tries to begin anew', async (context) => {
    skipUnless(context, immutability)
    const subject = startSubject()
    const { does } = subject
    await beginLoad(subject)
    const files = ['', '-wal'].map((suffix) => subject.file(0, suffix))
    const mark = (sign: '+i' | '-i'): void => run('chattr', sign, ...files)
    mark('+i')
    onTestFinished(() => run('chattr', '-R', '-i', subject.root))
    await untilFaulty(does, [0], '(read-only)')
    const { errors, reasons } = await advance(does, [1])
    expect(errors).toEqual([[IO], []])
    expect(reasons).toHaveLength(1)
    await expectOnDisk(subject)
    mark('-i')
    await untilReady(does)
    await expectClean(subject)
  })
})

describe('files that this user may not write', () => {
  test('G2 G11 disturb nobody who has them open; a thread that has to be replaced meanwhile is not given up', async (context) => {
    skipUnless(context, permissions)
    const subject = startSubject({ isBound: true })
    const { does, directory } = subject
    await beginLoad(subject)
    const files = [directory, subject.file(0), subject.file(0, '-wal'), subject.file(0, '-shm')]
    run('chmod', 'a-w', ...files)
    expect((await advance(does, [0, 1])).errors).toEqual([[], []])
    await does.endThread(0)
    await untilFaulty(does, [0], '(read-only)')
    await advance(does, [1])
    await expectNotGivenUp(does)
    await expectOnDisk(subject)
    run('chmod', 'u+w', ...files)
    await untilReady(does)
    await expectClean(subject)
  })

  test('are refused by openSystem as such, with nothing changed', async (context) => {
    skipUnless(context, permissions)
    const subject = startSubject({ isBound: true })
    const { does, directory } = subject
    await beginLoad(subject)
    await does.rest()
    await does.close()
    run('chmod', 'a-w', directory)
    await expect(does.open()).rejects.toMatchObject({ code: 'DIRECTORY_NOT_WRITABLE' })
    run('chmod', 'u+w', directory)
    run('chmod', 'a-w', subject.file(1))
    await expect(does.open()).rejects.toMatchObject({ code: 'DIRECTORY_NOT_WRITABLE' })
    run('chmod', 'u+w', subject.file(1))
    await reopenClean(does)
  })
})

describe('a full table of files', () => {
  test('G2 G11 disturbs no shard that runs; a thread that has to be replaced meanwhile is not given up', async (context) => {
    skipUnless(context, limits)
    const subject = startSubject()
    const { does, pid } = subject
    await beginLoad(subject)
    limit(pid, 'nofile', FILES_MAX)
    await does.exhaust(0)
    expect((await advance(does, [0, 1])).errors).toEqual([[], []])
    await does.endThread(0, true)
    await untilFaulty(does, [0], 'EMFILE')
    await advance(does, [1])
    await expectNotGivenUp(does)
    await does.giveBack()
    await untilReady(does)
    await expectOnDisk(subject)
    await expectClean(subject)
  })

  test('G12 is refused by openSystem with a typed error, wherever it runs into it, and nothing stays open', async (context) => {
    skipUnless(context, limits)
    const subject = startSubject()
    const { does, pid } = subject
    await beginLoad(subject)
    await does.rest()
    await does.close()
    limit(pid, 'nofile', FILES_MAX)
    const before = await does.openFiles()
    const answers: string[] = []
    for (let spare = 0; answers.at(-1) !== 'opened'; spare += 4) {
      await does.exhaust(spare)
      const answer = await does.open().then(
        () => 'opened',
        (error: unknown) => (error instanceof Error ? `${spare}: ${error.name} ${error.message}` : String(error)),
      )
      answers.push(answer)
      await does.giveBack()
      if (answer !== 'opened')
        await until(
          () => does.openFiles(),
          (count) => count <= before,
          5_000,
        )
    }
    expect(answers.slice(0, -1).filter((answer) => !/^\d+: (STORE_UNAVAILABLE|SHARD_CRASHED|DEFINITION_NOT_LOADED)/.test(answer))).toEqual(
      [],
    )
    expect(answers.length).toBeGreaterThan(2)
    await does.start()
    await expectClean(subject)
  })
})
