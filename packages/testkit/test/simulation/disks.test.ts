/** Disks of a simulated machine: what a power failure leaves of them is what was synced, and a batch is there as a whole or not at all. */
import type { SystemDirectory } from '@bailiwick/kernel/seams'
import type { Batch, ImmediateShardStore, ShardLocation, StoreFault } from '@bailiwick/store'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { storeConformance } from '../../src/index.ts'
import type { SimulatedDisk, SimulatedDiskOptions } from '../../src/simulation/disks/disk.ts'
import { memoryDisk } from '../../src/simulation/disks/memory.ts'
import { sqliteDisk } from '../../src/simulation/disks/sqlite.ts'
import { readLog, tornLog } from '../../src/simulation/disks/wal.ts'
import { START, account, batch, lease, letter, mail, outcome, timer, turn } from '../../src/store-conformance/scenario.ts'
import { codeOf } from '../code-of.ts'

const now = () => START

interface Life {
  readonly disk: SimulatedDisk
  readonly directory: SystemDirectory
  readonly locations: readonly ShardLocation[]
  readonly stores: readonly ImmediateShardStore[]
}

/** Opens a disk with all its shards. */
function live(disk: SimulatedDisk): Life {
  const directory = disk.openDirectory(now)
  const locations = Array.from({ length: directory.shardCount }, (_, index) => directory.shard(index))
  // Both drivers answer at once.
  return { disk, directory, locations, stores: locations.map((location) => disk.openShard(location) as ImmediateShardStore) }
}

const makers: readonly (readonly [kind: string, make: (options?: Partial<SimulatedDiskOptions>) => SimulatedDisk])[] = [
  ['memory', (options) => disposed(memoryDisk({ shards: 2, ...options }))],
  ['sqlite', (options) => disposed(sqliteDisk({ shards: 2, parent: parentFolder(), ...options }))],
]

function disposed(disk: SimulatedDisk): SimulatedDisk {
  onTestFinished(() => disk.dispose())
  return disk
}

function parentFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), 'bailiwick-disks-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  return parent
}

/** A batch that makes one actor and touches enough pages to need several frames. */
function create(number: number): Batch {
  return batch({
    created: [account(number, { snapshot: `"${number}${'x'.repeat(9_000)}"` })],
    accepted: [],
    outcomes: [outcome(`o${number}`, START + 9)],
  })
}

/** A change that fills more than half of what a log holds until it is moved into the file. SQLite writes only pages that differ. */
function huge(number: number, revision: number): Batch {
  return batch({ changed: [{ number, revision, version: 1, snapshot: hugeText(revision) }] })
}

function hugeText(revision: number): string {
  return `"${String(revision).repeat(9 * 1_024 * 1_024)}"`
}

/** Which of the first actors are there; throws if a batch is there in part. */
function found(store: ImmediateShardStore): number[] {
  const numbers: number[] = []
  for (let number = 1; number <= 40; number += 1) {
    const isThere = store.load('account', String(number)) !== undefined
    expect(store.outcome('account/1/deposit', `o${number}`, START) !== undefined).toBe(isThere)
    if (isThere) numbers.push(number)
  }
  return numbers
}

async function refusal(action: () => unknown): Promise<unknown> {
  return await codeOf((async () => action())())
}

describe.for(makers)('the %s disk', ([kind, make]) => {
  test('is what it says', () => {
    expect(make().kind).toBe(kind)
  })

  test('G1 what was committed is there after a power failure, on every shard', () => {
    const life = live(make())
    life.stores[0]?.commit(create(1))
    life.stores[1]?.commit(create(2))
    life.stores[0]?.commit(create(3))
    life.disk.crash()
    const next = live(life.disk)
    expect(next.stores.map(found)).toEqual([[1, 3], [2]])
    next.stores[1]?.commit(create(4))
    life.disk.crash(0.5)
    expect(live(life.disk).stores.map(found)).toEqual([
      [1, 3],
      [2, 4],
    ])
  })

  test.for([0, 0.1, 0.5, 0.99, 0.999999, 1])('a commit under way is whole at 1 and has not happened below: %d', (torn) => {
    const life = live(make())
    life.stores[0]?.commit(create(1))
    life.disk.tearing(0, create(2))
    life.disk.crash(torn)
    const next = live(life.disk)
    expect(found(next.stores[0]!)).toEqual(torn === 1 ? [1, 2] : [1])
    // Whatever it has left behind, the next commits are safe.
    next.stores[0]?.commit(torn === 1 ? create(3) : create(2))
    next.disk.tearing(0, create(4))
    next.disk.crash(torn)
    const last = live(life.disk).stores[0]!
    expect(found(last)).toEqual(torn === 1 ? [1, 2, 3, 4] : [1, 2])
  })

  test('a commit under way on one shard takes nothing from the others', () => {
    const life = live(make())
    life.stores[1]?.commit(create(1))
    life.disk.tearing(0, create(2))
    life.disk.crash(0.5)
    expect(live(life.disk).stores.map(found)).toEqual([[], [1]])
  })

  test('what the store refuses is not under way: a batch that contradicts it, and one of an older owner', () => {
    const life = live(make())
    const older = life.stores[0]!
    older.commit(create(1))
    life.disk.tearing(0, create(1))
    life.disk.crash(1)
    const next = live(life.disk)
    expect(found(next.stores[0]!)).toEqual([1])
    const newer = life.disk.openShard(next.locations[0]!)
    life.disk.tearing(0, create(2), next.stores[0]?.epoch)
    life.disk.crash(1)
    const last = live(life.disk)
    expect(found(last.stores[0]!)).toEqual([1])
    expect(last.stores[0]?.epoch).toBeGreaterThan(newer.epoch)
  })

  test('G8 epochs grow over every life, of the directory and of each shard', () => {
    const disk = make()
    const epochs: number[][] = []
    for (let count = 0; count < 4; count += 1) {
      const { directory, stores } = live(disk)
      epochs.push([directory.epoch, ...stores.map((store) => store.epoch)])
      disk.crash(count / 4)
    }
    for (const [index, [directory = 0, left = 0, right = 0]] of epochs.slice(1).entries()) {
      const [before = 0, leftBefore = 0, rightBefore = 0] = epochs[index] ?? []
      expect([directory > before, left > leftBefore, right > rightBefore]).toEqual([true, true, true])
    }
  })

  test('G8 has one owner at a time', async () => {
    const life = live(make())
    expect(await refusal(() => life.disk.openDirectory(now))).toBe('DIRECTORY_IN_USE')
    for (const store of life.stores) store.close()
    life.directory.release()
    expect(life.disk.openDirectory(now).epoch).toBeGreaterThan(life.directory.epoch)
  })

  test('what was open in a dead life answers StoreUnavailable, and its locations open nothing', async () => {
    const life = live(make())
    life.stores[0]?.commit(create(1))
    life.disk.crash()
    const dead = life.stores[0]!
    const attempts = [
      () => dead.commit(create(2)),
      () => dead.load('account', '1'),
      () => dead.recover(START),
      () => dead.expireOutcomes(START, 1),
    ]
    for (const attempt of attempts) expect(await refusal(attempt)).toBe('STORE_UNAVAILABLE')
    expect(await refusal(() => life.disk.openShard(life.locations[0]!))).toBe('STORE_UNAVAILABLE')
    const next = live(life.disk)
    expect(await refusal(() => life.disk.openShard(life.locations[0]!))).toBe('STORE_UNAVAILABLE')
    life.directory.release()
    expect(await refusal(() => life.disk.openDirectory(now))).toBe('DIRECTORY_IN_USE')
    expect(found(next.stores[0]!)).toEqual([1])
  })

  test.for(['full', 'busy', 'io', 'read-only'] satisfies StoreFault[])(
    'a shard that is told to fail writes nothing, and reads on: %s',
    async (fault) => {
      const { disk, stores } = live(make())
      const [left, right] = [stores[0]!, stores[1]!]
      left.commit(create(1))
      disk.fail(0, fault)
      for (const attempt of [
        () => left.commit(create(2)),
        () => left.expireOutcomes(START + 99, 1),
        () => left.compact(),
        () => left.recover(START),
      ]) {
        const refused: unknown = await (async () => attempt())().catch((error: unknown) => error)
        expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE', fault })
      }
      expect(found(left)).toEqual([1])
      right.commit(create(5))
      disk.fail(undefined, 'io')
      expect(await refusal(() => right.commit(create(6)))).toBe('STORE_UNAVAILABLE')
      disk.fail(undefined, undefined)
      right.commit(create(6))
      expect(await refusal(() => left.commit(create(2)))).toBe('STORE_UNAVAILABLE')
      disk.fail(0, undefined)
      left.commit(create(2))
      expect([found(left), found(right)]).toEqual([
        [1, 2],
        [5, 6],
      ])
    },
  )

  test('a commit that is told to fail is not under way', () => {
    const life = live(make())
    life.disk.fail(0, 'full')
    life.disk.tearing(0, create(1))
    life.disk.crash(1)
    expect(found(live(life.disk).stores[0]!)).toEqual([])
  })

  test('shards that are not there, and shares that are none, are refused', async () => {
    const disk = make()
    expect(() => disk.fail(2, 'full')).toThrow(RangeError)
    expect(() => disk.tearing(2, create(1))).toThrow(RangeError)
    for (const torn of [-0.1, 1.1, Number.NaN]) expect(() => disk.crash(torn)).toThrow(RangeError)
    expect(() => make({ shards: 0 })).toThrow(RangeError)
    disk.dispose()
    expect(await refusal(() => disk.openShard({ file: 'gone', index: 0, ownerEpoch: 1, synchronous: 'full' }))).toBe('STORE_UNAVAILABLE')
  })

  test('a crash before anybody has opened it, and one right after another, leave an empty disk', () => {
    const disk = make()
    disk.crash()
    disk.crash(0.5)
    expect(live(disk).stores.map(found)).toEqual([[], []])
  })

  test('synchronous normal loses the last commits in a power failure, the more the less has reached the disk, and never one from the middle', () => {
    const kept: number[] = []
    for (const torn of [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]) {
      const life = live(make({ synchronous: 'normal' }))
      for (let number = 1; number <= 20; number += 1) life.stores[0]?.commit(create(number))
      life.disk.tearing(0, create(21))
      life.disk.crash(torn)
      const numbers = found(live(life.disk).stores[0]!)
      expect(numbers).toEqual(numbers.map((_, index) => index + 1))
      kept.push(numbers.length)
    }
    expect(kept).toEqual(kept.toSorted((left, right) => left - right))
    expect([kept[0], kept.at(-1)]).toEqual([0, 21])
    expect(new Set(kept).size).toBeGreaterThan(4)
  })

  test('synchronous normal loses nothing that had survived an earlier power failure, and each shard loses its own share', () => {
    const life = live(make({ synchronous: 'normal' }))
    for (let number = 1; number <= 5; number += 1) life.stores[0]?.commit(create(number))
    life.disk.crash(1)
    const next = live(life.disk)
    for (let number = 6; number <= 15; number += 1) for (const store of next.stores) store.commit(create(number))
    life.disk.crash(0.5)
    const [left = [], right = []] = live(life.disk).stores.map(found)
    expect(left.length).toBeGreaterThan(5)
    expect(left.length - 5).not.toBe(right.length)
    life.disk.crash(0)
    expect(live(life.disk).stores.map(found)).toEqual([left, right])
  })
})

describe('the memory disk', () => {
  test('takes back lost writes wholly: every table is as it was, and the next owner numbers on from there', () => {
    const disk = memoryDisk({ shards: 1, synchronous: 'normal' })
    const store = live(disk).stores[0]!
    const due = START + 50
    store.commit(
      batch({
        created: [account(1)],
        timersSet: [timer('stay', 1, due, { onRestart: 'restart' }), timer('rest', 2, due, { onRestart: 'remaining' })],
        effects: [mail(1), mail(2)],
        effectsClaimed: [1],
        outcomes: [outcome('old', START + 1)],
        turns: [turn(3)],
        frames: [{ turn: 3, frame: '"first"' }],
        leases: [lease('one', 1)],
        deadLetters: [letter(4)],
      }),
    )
    store.recover(START)
    disk.crash(1)
    const before = lookAt(live(disk).stores[0]!)
    disk.crash(1)
    const again = live(disk).stores[0]!
    again.recover(START + 1_000)
    again.expireOutcomes(START + 1_000, 10)
    again.commit(
      batch({
        at: START + 1_000,
        created: [account(2)],
        changed: [{ number: 1, revision: 2, version: 2, snapshot: '"changed"' }],
        timersCleared: [{ actor: 1, name: 'stay', generation: undefined }],
        timersSet: [timer('rest', 9, due + 1)],
        effectsSettled: [2],
        effects: [mail(10)],
        outcomes: [outcome('new', START + 5_000)],
        turns: [turn(3, { isEnded: true, detail: '"ended"' })],
        framesDiscarded: [3],
        turnsKept: [{ actor: 1, keep: 0 }],
        leases: [lease('one', 2), lease('two', 1)],
        deadLettersRemoved: [4],
        deadLetters: [letter(11)],
      }),
    )
    disk.crash(0)
    expect(lookAt(live(disk).stores[0]!)).toEqual(before)
  })

  test('is made, opened and thrown away in far less than 50 microseconds', () => {
    const rounds = 2_000
    let best = Infinity
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const begun = performance.now()
      for (let count = 0; count < rounds; count += 1) live(memoryDisk({ shards: 2 }))
      best = Math.min(best, (performance.now() - begun) / rounds)
    }
    expect(best).toBeLessThan(0.05)
  })
})

/** Everything of actor 1 and its shard that can be read without changing anything, and then what a recovery says. */
function lookAt(store: ImmediateShardStore): unknown {
  const far = START + 1_000_000
  const read = {
    actors: [store.load('account', '1'), store.load('account', '2')],
    outcomes: [store.outcome('account/1/deposit', 'old', START), store.outcome('account/1/deposit', 'new', START)],
    timers: store.timersOf('account', '1'),
    due: store.dueTimers(far, 10),
    next: store.nextDueAt(),
    effects: store.dueEffects('mail', far, 10),
    turns: store.turnsOf('account', '1', 10),
    letters: store.deadLetters({}, 10),
  }
  return { ...read, recovery: store.recover(START) }
}

describe('the SQLite disk', () => {
  test('a torn commit is told from a whole one at every border of its frames', () => {
    const disk = disposed(sqliteDisk({ shards: 1, parent: parentFolder() }))
    const expected: number[] = []
    for (let number = 1; number <= 24; number += 1) {
      const [store] = live(disk).stores
      store?.commit(create(number))
      expected.push(number)
      disk.tearing(0, create(40))
      disk.crash(number / 24 - 1e-9)
    }
    expect(found(live(disk).stores[0]!)).toEqual(expected)
  })

  test('what a torn commit has left in the log counts for nothing, in this life and in later ones', () => {
    const disk = disposed(sqliteDisk({ shards: 1, parent: parentFolder() }))
    for (let count = 1; count <= 8; count += 1) {
      expect(found(live(disk).stores[0]!)).toEqual([])
      disk.tearing(0, create(1))
      disk.crash(1 - count * 1e-6)
    }
  })

  test.for([0, 0.3, 0.999, 1])('a commit under way that begins the log anew is torn like any other: %d', (torn) => {
    const disk = disposed(sqliteDisk({ shards: 1, parent: parentFolder() }))
    // With the last of these the log is full, and is moved into the file.
    const store = live(disk).stores[0]!
    for (const write of [create(1), huge(1, 2), huge(1, 3)]) store.commit(write)
    disk.tearing(0, create(2))
    disk.crash(torn)
    expect(found(live(disk).stores[0]!)).toEqual(torn === 1 ? [1, 2] : [1])
  })

  test.for([0, 0.3, 0.999, 1])('a commit under way after which the log is moved into the file is torn like any other: %d', (torn) => {
    const disk = disposed(sqliteDisk({ shards: 1, parent: parentFolder() }))
    const store = live(disk).stores[0]!
    for (const write of [create(1), create(2), huge(1, 2), huge(2, 2), huge(1, 3)]) store.commit(write)
    disk.tearing(0, huge(2, 3))
    disk.crash(torn)
    const again = live(disk).stores[0]!
    for (const [number, revision] of [[1, 3] as const, [2, torn === 1 ? 3 : 2] as const]) {
      const actor = again.load('account', String(number))
      expect([actor?.revision, actor?.snapshot === hugeText(revision)]).toEqual([revision, true])
    }
  })

  test('synchronous normal keeps what a checkpoint has synced', () => {
    const disk = disposed(sqliteDisk({ shards: 1, synchronous: 'normal', parent: parentFolder() }))
    const store = live(disk).stores[0]!
    for (const write of [create(1), huge(1, 2), huge(1, 3)]) store.commit(write)
    disk.crash(0.6)
    const again = live(disk).stores[0]!
    expect(again.load('account', '1')?.snapshot === hugeText(3)).toBe(true)
    again.commit(create(2))
    disk.crash(0)
    expect(found(live(disk).stores[0]!)).toEqual([1])
  })

  test('the end of a torn frame is missing or garbage, and neither is taken for a commit', () => {
    const parent = parentFolder()
    const disk = disposed(sqliteDisk({ shards: 1, parent }))
    const store = live(disk).stores[0]!
    const bytesNow = (): Buffer => readFileSync(join(parent, readdirSync(parent)[0] ?? '', '1', 'shard-0.db-wal'))
    const before = readLog(bytesNow())
    store.commit(create(1))
    const bytes = bytesNow()
    const log = readLog(bytes)
    expect(before.end).toBe(before.frameBytes * Math.round(before.end / before.frameBytes) + 32)
    expect(log.end).toBeGreaterThan(before.end + 3 * log.frameBytes)
    const [missing, garbage] = [tornLog(bytes, log.end - 2, log), tornLog(bytes, log.end - 1, log)]
    expect([missing.length, garbage.length]).toEqual([log.end - 2, log.end])
    expect([readLog(missing).end, readLog(garbage).end, readLog(tornLog(bytes, log.end, log)).end]).toEqual([
      before.end,
      before.end,
      log.end,
    ])
  })

  test('keeps one folder at a time, without an index of a log from an earlier life, and takes it away when it is disposed of', () => {
    const parent = parentFolder()
    const disk = disposed(sqliteDisk({ shards: 2, parent }))
    const [name = ''] = readdirSync(parent)
    expect(name).toMatch(/^bailiwick-simulated-/)
    live(disk).stores[0]?.commit(create(1))
    disk.crash()
    const [life = '', ...rest] = readdirSync(join(parent, name))
    expect(rest).toEqual([])
    expect(readdirSync(join(parent, name, life)).toSorted()).toEqual([
      'owner.db',
      'owner.db-wal',
      'shard-0.db',
      'shard-0.db-wal',
      'shard-1.db',
      'shard-1.db-wal',
    ])
    expect(statSync(join(parent, name, life, 'shard-0.db-wal')).size).toBeGreaterThan(0)
    live(disk)
    disk.dispose()
    disk.dispose()
    expect(existsSync(join(parent, name))).toBe(false)
  })
})

// The driver on files has the suite to itself elsewhere; what the disk adds to it is looked at above.
for (const [kind, make] of makers.filter(([name]) => name === 'memory' || process.env['BAILIWICK_SLOW'] === '1')) {
  storeConformance(
    `the ${kind} disk of a simulated machine`,
    () => {
      const disk = make()
      return {
        open() {
          const directory = disk.openDirectory(now)
          return {
            epoch: directory.epoch,
            shardCount: directory.shardCount,
            open: (index) => disk.openShard(directory.shard(index)),
            release: () => directory.release(),
          }
        },
        crash: () => disk.crash(),
        dispose: () => disk.dispose(),
      }
    },
    { describe, test },
  )
}
