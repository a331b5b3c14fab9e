/** A copy of a directory that is being written shows one instant of all shards, and can be opened as a system. */
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { BackupOptions } from '../src/maintenance.ts'
import { backupDirectory } from '../src/sqlite/backup.ts'
import { openReader } from '../src/sqlite/reader.ts'
import { verifyDirectory } from '../src/sqlite/verify.ts'
import { closedStore, contentOf, furnish, killedStore, overwrite, startProgram } from './furnished.ts'
import { open, temporaryDirectory } from './place.ts'
import { account, batch } from './rows.ts'

const options: BackupOptions = { now: 5_000, elapsed: () => performance.now() }

/** What a promise is rejected with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => 'nothing',
    (error: unknown) => error,
  )
}

/** Nothing of a copy that was given up lies beside its place. */
function expectNothingAt(target: string): void {
  expect(readdirSync(dirname(target)).filter((name) => name.startsWith(basename(target)))).toEqual([])
}

describe('a backup', () => {
  test('of a running owner is everything that was committed, checked, under its name only when whole', async () => {
    const root = temporaryDirectory()
    furnish(join(root, 'store'))
    const target = join(root, 'copy')
    const report = await backupDirectory(join(root, 'store'), target, options)
    expect(report).toMatchObject({ directory: target, shards: 2, findings: [] })
    expect(report.heldMs).toBeLessThan(1_000)
    expect(readdirSync(root).toSorted()).toEqual(['copy', 'store'])
    expect(readdirSync(target).toSorted()).toEqual(['owner.db', 'shard-0.db', 'shard-1.db'])
    expect(report.bytes).toBe(readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0))
    expect(verifyDirectory(target)).toEqual([])
    expect(openReader(target).owner()).toMatchObject({ epoch: 1, pid: process.pid, since: 5_000, shards: 2, isOwned: false })
  })

  test.each([
    ['that its owner has closed', closedStore],
    ['that a killed owner has left', killedStore],
  ])('of a directory %s is the same, and changes no byte of it', async (_, make) => {
    const directory = make()
    const before = contentOf(directory)
    const target = join(temporaryDirectory(), 'copy')
    mkdirSync(target)
    await backupDirectory(directory, target, options)
    expect(contentOf(directory)).toEqual(before)
    const [original, copy] = [directory, target].map((place) =>
      openReader(place)
        .shards()
        .map(({ actors, inbox, timers, outbox, effects, epoch }) => ({ actors, inbox, timers, outbox, effects, epoch })),
    )
    expect(copy).toEqual(original)
  })

  test('does not take the processes of the original along', async () => {
    const directory = killedStore()
    const target = join(temporaryDirectory(), 'copy')
    await backupDirectory(directory, target, options)
    expect(open(directory).open(0).recover(6_000).processes).toHaveLength(1)
    expect(open(target).open(0).recover(6_000).processes).toEqual([])
  })

  test('is opened with its marks and later epochs: nothing is given twice, and the original goes on', async () => {
    const root = temporaryDirectory()
    const { owned, shards } = furnish(join(root, 'store'))
    await backupDirectory(join(root, 'store'), join(root, 'copy'), options)
    const restored = open(join(root, 'copy'))
    expect(restored.epoch).toBeGreaterThan(owned.epoch)
    const shard = restored.open(0)
    expect(shard.epoch).toBeGreaterThan(shards[0]?.epoch ?? 0)
    expect(shard.recover(6_000)).toMatchObject({ nextActorNumber: 4, nextInboxSequence: 11, nextTimerGeneration: 4, committedAt: 1_000 })
    shard.commit(batch({ at: 6_000, created: [account(4)] }))
    shards[0]?.commit(batch({ at: 6_000, created: [{ ...account(4), key: 'elsewhere' }] }))
    expect(shards[0]?.load('account', '4')).toBeUndefined()
    shard.close()
  })

  test('shows the moment at which it began, whatever is committed while it is copied', async () => {
    const root = temporaryDirectory()
    const { shards } = furnish(join(root, 'store'))
    const numbers = Array.from({ length: 200 }, (_, index) => index + 100)
    const text = `"${'x'.repeat(50_000)}"`
    shards[0]?.commit(batch({ at: 1_001, created: numbers.map((number) => account(number, text)) }))
    let commits = 0
    const onProgress = (): void => {
      commits += 1
      const changed = numbers.map((number) => ({ number, revision: commits + 1, version: 1, snapshot: `"${'y'.repeat(50_000)}"` }))
      shards[0]?.commit(batch({ at: 2_000 + commits, changed, created: [account(1_000 + commits)] }))
      shards[1]?.commit(batch({ at: 2_000 + commits, created: [account(1_000 + commits)] }))
    }
    await backupDirectory(join(root, 'store'), join(root, 'copy'), { ...options, onProgress })
    expect(commits).toBeGreaterThan(4)
    const reader = openReader(join(root, 'copy'))
    expect(reader.shards()).toMatchObject([
      { actors: 203, committedAt: 1_001 },
      { actors: 1, committedAt: 1_000 },
    ])
    for (const number of [100, 199, 299]) expect(reader.actor('account', String(number))).toMatchObject({ revision: 1, snapshot: text })
  })

  test('tells how far it has come', async () => {
    const steps: number[] = []
    const target = join(temporaryDirectory(), 'copy')
    await backupDirectory(closedStore(), target, { ...options, onProgress: ({ bytes, bytesTotal }) => void steps.push(bytes / bytesTotal) })
    expect(steps).toEqual(steps.toSorted((left, right) => left - right))
    expect(steps.at(-1)).toBe(1)
  })
})

describe('a backup of shards that commit and send without a pause', () => {
  // Many shards lie between the two that talk, so that what is not one instant shows.
  const shards = 16
  const last = shards - 1

  test('G3 is one instant of all: what was sent and not received is in the outbox, and nothing twice', { timeout: 60_000 }, async () => {
    const root = temporaryDirectory()
    const directory = join(root, 'store')
    const owner = startProgram('exchange', [directory, String(shards), '0', String(last)])
    await owner.line()
    const seen: number[] = []
    for (let count = 0; count < 5; count += 1) {
      const report = await backupDirectory(directory, join(root, `copy-${count}`), options)
      expect(report.findings).toEqual([])
      expect(report.heldMs).toBeLessThan(1_000)
      seen.push(receivedIn(join(root, `copy-${count}`)))
    }
    // The owner has gone on between any two of them.
    expect(seen).toEqual([...new Set(seen)].toSorted((left, right) => left - right))
    await owner.kill()
    restore(join(root, 'copy-4'))
  })

  /** Compares what each side says of itself and of the other; answers how many messages were taken. */
  function receivedIn(target: string): number {
    const reader = openReader(target)
    const sides = ['sender', 'receiver'].map((key) => JSON.parse(reader.actor('side', key)?.snapshot ?? '{}') as { readonly count: number })
    const [sent, received] = [sides[0]?.count ?? -1, sides[1]?.count ?? -1]
    expect(received).toBeLessThanOrEqual(sent)
    expect(marksIn(target)).toEqual({ sent, received })
    const outbox = reader.promises({ kind: 'message', limit: 1_000_000 }).map((message) => message.sequence)
    expect(outbox.filter((sequence) => sequence > received)).toEqual(sequences(received, sent))
    expect(verifyDirectory(target)).toEqual([])
    return received
  }

  function marksIn(target: string): object {
    const [sent, received] = [`shard-0.db`, `shard-${last}.db`].map((name) => {
      const raw = new Sqlite(join(target, name))
      const link = raw.prepare('SELECT sent, received FROM link').get() as { readonly sent: number; readonly received: number }
      raw.close()
      return link
    })
    return { sent: sent?.sent, received: received?.received }
  }

  /** Opens a copy; both shards go on where the instant was. */
  function restore(target: string): void {
    const owned = open(target)
    const [sender, receiver] = [owned.open(0), owned.open(last)]
    const received = receiver.recover(9_000_000).links.find((link) => link.peer === 0)?.received ?? -1
    const sent = sender.recover(9_000_000).links.find((link) => link.peer === last)?.sent ?? -1
    const messages = sender.outboxTo(last, received, 1_000_000)
    expect(messages.map((message) => message.sequence)).toEqual(sequences(received, sent))
    const through = sent + 1
    sender.commit(batch({ at: 9_000_000, outbox: [{ peer: last, sequence: through, message: '{}' }] }))
    receiver.commit(batch({ at: 9_000_000, received: [{ peer: 0, through }] }))
    sender.commit(batch({ at: 9_000_000, delivered: [{ peer: last, through }] }))
    sender.close()
    receiver.close()
    owned.release()
    expect(verifyDirectory(target)).toEqual([])
  }

  function sequences(after: number, through: number): number[] {
    return Array.from({ length: through - after }, (_, index) => after + index + 1)
  }
})

describe('a backup that cannot be', () => {
  test('is refused where something is already, and leaves it alone', async () => {
    const directory = closedStore()
    const target = join(temporaryDirectory(), 'copy')
    expect(await rejection(backupDirectory(directory, join(target, 'deeper'), options))).toMatchObject({ code: 'DIRECTORY_MISSING' })
    mkdirSync(target)
    writeFileSync(join(target, 'thesis.txt'), 'precious')
    expect(await rejection(backupDirectory(directory, target, options))).toMatchObject({
      code: 'DIRECTORY_NOT_EMPTY',
      directory: target,
      retryable: false,
      message: `The directory ${target} is not empty: it holds thesis.txt. Use a directory that is empty, or a path where nothing is.`,
    })
    const file = join(target, 'thesis.txt')
    expect(await rejection(backupDirectory(directory, file, options))).toMatchObject({
      code: 'DIRECTORY_NOT_EMPTY',
      directory: file,
      message: `${file} is a file. Use a directory that is empty, or a path where nothing is.`,
    })
    expect(readdirSync(dirname(target))).toEqual(['copy'])
    expect(readdirSync(target)).toEqual(['thesis.txt'])
    expect(readFileSync(file, 'utf8')).toBe('precious')
    expect(await rejection(backupDirectory(join(target, 'none'), join(target, 'copy'), options))).toMatchObject({
      code: 'DIRECTORY_MISSING',
    })
  })

  test('is refused within the directory that is copied, and in its place, also by another name', async () => {
    const directory = closedStore()
    const before = contentOf(directory)
    const other = join(temporaryDirectory(), 'other')
    symlinkSync(directory, other)
    for (const target of [join(directory, 'copy'), join(other, 'copy')]) {
      const refused = await rejection(backupDirectory(directory, target, options))
      expect(refused).toMatchObject({ code: 'DIRECTORY_NOT_WRITABLE', directory: target })
      expect(refused).toMatchObject({ message: expect.stringContaining('it lies within the directory that is to be copied') as string })
    }
    for (const target of [directory, other]) {
      const refused = await rejection(backupDirectory(directory, target, options))
      expect(refused).toMatchObject({ message: expect.stringContaining('it is the directory that is to be copied') as string })
    }
    expect(contentOf(directory)).toEqual(before)
    await backupDirectory(directory, `${directory}-copy`, options)
    rmSync(`${directory}-copy`, { recursive: true })
  })

  test('to the place of another that is made at the same time is refused as soon as that is there, and leaves it alone', async () => {
    const directory = closedStore()
    const target = join(temporaryDirectory(), 'copy')
    const both = await Promise.allSettled([1, 2].map(async () => await backupDirectory(directory, target, options)))
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const refused = both.find((one) => one.status === 'rejected')
    expect(refused?.reason).toMatchObject({ code: 'DIRECTORY_NOT_EMPTY', directory: target })
    expect(readdirSync(dirname(target))).toEqual(['copy'])
    expect(verifyDirectory(target)).toEqual([])
  })

  test('does not keep a processor busy while an owner that was stopped in the middle of a commit holds a lock', async () => {
    const root = temporaryDirectory()
    const { owned } = furnish(join(root, 'store'))
    const stopped = new Sqlite(owned.shard(1).file)
    stopped.exec('BEGIN IMMEDIATE')
    const began = process.cpuUsage()
    const busy = await rejection(backupDirectory(join(root, 'store'), join(root, 'copy'), { ...options, busyTimeoutMs: 4_000 }))
    const { user, system } = process.cpuUsage(began)
    expect(busy).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy' })
    expect((user + system) / 1_000).toBeLessThan(3_000)
    stopped.close()
  })

  test('is busy while a shard is written without an end, and gives the locks back', async () => {
    const root = temporaryDirectory()
    const { owned, shards } = furnish(join(root, 'store'))
    const writing = new Sqlite(owned.shard(1).file)
    writing.exec('BEGIN IMMEDIATE')
    const target = join(root, 'copy')
    const busy = await rejection(backupDirectory(join(root, 'store'), target, { ...options, busyTimeoutMs: 100 }))
    expect(busy).toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy', retryable: true })
    expectNothingAt(target)
    shards[0]?.commit(batch({ at: 2_000, created: [account(4)] }))
    writing.exec('ROLLBACK')
    writing.close()
    await backupDirectory(join(root, 'store'), target, options)
    expect(openReader(target).actor('account', '4')).toMatchObject({ shard: 0 })
  })

  test('is given up when it is aborted, before and while it copies', async () => {
    const directory = closedStore()
    const target = join(temporaryDirectory(), 'copy')
    const early = AbortSignal.abort(new Error('never mind'))
    expect(await rejection(backupDirectory(directory, target, { ...options, signal: early }))).toMatchObject({ message: 'never mind' })
    expectNothingAt(target)
    const late = new AbortController()
    const onProgress = (): void => late.abort(new Error('enough'))
    expect(await rejection(backupDirectory(directory, target, { ...options, signal: late.signal, onProgress }))).toMatchObject({
      message: 'enough',
    })
    expectNothingAt(target)
    const thrown = await rejection(
      backupDirectory(directory, target, {
        ...options,
        onProgress: () => {
          throw new TypeError('of the caller')
        },
      }),
    )
    expect(thrown).toMatchObject({ name: 'TypeError', message: 'of the caller' })
    expectNothingAt(target)
  })

  test('is refused for a damaged original, which is named; what a single row says is told instead', async () => {
    const directory = closedStore()
    const target = join(temporaryDirectory(), 'copy')
    const file = join(directory, 'shard-0.db')
    const raw = new Sqlite(file)
    raw.exec(`UPDATE inbox SET input = 'broken' WHERE sequence = 1`)
    const page = Number(raw.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'timer'`).pluck().get())
    raw.close()
    const report = await backupDirectory(directory, target, options)
    expect(report.findings).toMatchObject([{ code: 'row-unreadable', place: `${join(target, 'shard-0.db')}: inbox, sequence 1` }])
    rmSync(target, { recursive: true })
    overwrite(file, (page - 1) * 4_096, Buffer.alloc(4_096, 0xff))
    expect(await rejection(backupDirectory(directory, target, options))).toMatchObject({ code: 'STORE_DAMAGED', file })
    expectNothingAt(target)
    rmSync(join(directory, 'shard-1.db'))
    expect(await rejection(backupDirectory(directory, target, options))).toMatchObject({
      code: 'STORE_DAMAGED',
      file: join(directory, 'shard-1.db'),
    })
    expectNothingAt(target)
  })
})
