/** Tells: durable exactly when they are accepted, handled once and in order, later if they are to be, and editable under a name. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { laterStore, TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions, TestWorldOptions } from '@bailiwick/testkit'
import type { System } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { courier, everything, follow, narrow, outside, resetOutside, worker } from './delivery.ts'

const HOUR_MS = 3_600_000
const NEW = { outcome: 'accepted' }
const REPLACED = { outcome: 'replaced' }
const DUPLICATE = { outcome: 'duplicate' }

interface Place {
  readonly world: TestWorld
  readonly open: () => Promise<System>
}

function setUp(options: TestWorldOptions = {}, limits: TestSystemOptions['limits'] = {}): Place {
  const world = new TestWorld(options)
  resetOutside()
  onTestFinished(() => world.close())
  return { world, open: () => world.open({ ...everything, limits }) }
}

/** The name and the delivery of an edit. */
function edit(naturalKey: string, deliveryId: string): { readonly naturalKey: string; readonly deliveryId: string } {
  return { naturalKey, deliveryId }
}

describe('K24 a tell', () => {
  test('K24 resolves when it is durable, and not before', async () => {
    let isSlow = false
    let written = (): void => undefined
    const { open, world } = setUp({
      wrapStore: (store) => ({
        ...laterStore(store, () => 0),
        commit: async (batch) => {
          if (isSlow) await new Promise<void>((resolve) => (written = resolve))
          return await store.commit(batch)
        },
      }),
    })
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.shut()
    isSlow = true
    const told = follow(ref.tell.note({ text: 'x' }))
    await world.advance(10_000)
    expect(told()).toBe('pending')
    isSlow = false
    written()
    await world.advance(0)
    expect(told()).toEqual(NEW)
  })

  test.each([
    ['without a key', {}],
    ['with a key', { idempotencyKey: 'k' }],
    ['with a name', { naturalKey: 'n', deliveryId: 'd' }],
  ])('K24 %s that is postponed is durable, also where the store answers later', async (_how, options) => {
    const { open, world } = setUp({ wrapStore: (store) => laterStore(store, () => 2) })
    const before = (await open()).actor(worker, 'a')
    await before.ask.shut()
    const told = follow(before.tell.note({ text: 'x' }, options))
    await world.advance(1_000)
    expect(told()).toEqual(NEW)
    world.crash()
    const after = (await open()).actor(worker, 'a')
    await after.ask.open()
    expect(await after.ask.done()).toEqual(['x'])
  })

  test('K24 that could not be stored is an error for its sender, and leaves nothing, also not in memory', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.shut()
    world.disk.failCommits('full')
    const outcomes = await Promise.all([
      codeOf(ref.tell.work({ text: 'plain' })),
      codeOf(ref.tell.note({ text: 'postponed' })),
      codeOf(ref.tell.work({ text: 'keyed' }, { idempotencyKey: 'k' })),
      codeOf(ref.tell.work({ text: 'named' }, edit('n', 'd'))),
      codeOf(ref.tell.work({ text: 'later' }, { delayMs: 1 })),
    ])
    expect(new Set(outcomes)).toEqual(new Set(['STORE_UNAVAILABLE']))
    world.disk.failCommits(undefined)
    await world.advance(60_000)
    await ref.ask.open()
    await world.advance(60_000)
    expect(await ref.ask.done()).toEqual([])
    expect(outside.did).toEqual([])
    expect(await ref.tell.work({ text: 'keyed' }, { idempotencyKey: 'k' })).toEqual(NEW)
    expect(await ref.tell.work({ text: 'named' }, edit('n', 'd'))).toEqual(NEW)
    expect(await ref.ask.done()).toEqual(['keyed', 'named'])
  })

  test('K24 that could not be stored leaves its place in the mailbox free', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(narrow, 'a')
    await ref.ask.shut()
    world.disk.failCommits('full')
    const outcomes = await Promise.all(['1', '2', '3'].map((text) => codeOf(ref.tell.note({ text }))))
    expect(outcomes).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'])
    world.disk.failCommits(undefined)
    await world.advance(10_000)
    expect(await codeOf(ref.ask.work({ text: '4' }))).toBe(1)
    await ref.ask.open()
    expect(await ref.ask.done()).toEqual(['4'])
  })

  test('K24 for later that comes while the store is away is not accepted before it is durable', async () => {
    const { open, world } = setUp()
    const before = (await open()).actor(worker, 'a')
    world.disk.failCommits('full')
    expect(await codeOf(before.ask.work({ text: 'refused' }))).toBe('STORE_UNAVAILABLE')
    const told = follow(before.tell.work({ text: 'later' }, { delayMs: 5_000 }))
    await world.advance(0)
    expect(told()).not.toEqual(NEW)
    await world.advance(1_000)
    expect(told()).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(60_000)
    expect(await before.ask.done()).toEqual([])
  })

  test('K24 edit that comes while the store is away is not acknowledged before it is durable', async () => {
    const { open, world } = setUp()
    const before = (await open()).actor(worker, 'a')
    await before.ask.shut()
    await before.tell.note({ text: 'old' }, edit('n', 'd1'))
    world.disk.failCommits('full')
    expect(await codeOf(before.ask.work({ text: 'refused' }))).toBe('STORE_UNAVAILABLE')
    const edited = follow(before.tell.note({ text: 'new' }, edit('n', 'd2')))
    await world.advance(0)
    const wasAcknowledged = edited() !== 'pending' && edited() !== 'STORE_UNAVAILABLE'
    world.crash()
    world.disk.failCommits(undefined)
    const after = (await open()).actor(worker, 'a')
    await after.ask.open()
    expect(await after.ask.done()).toEqual([wasAcknowledged ? 'new' : 'old'])
  })

  test('K24 edit that could not be stored leaves what was there', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.shut()
    await ref.tell.note({ text: 'old' }, edit('n', 'd1'))
    world.disk.failCommits('full')
    expect(await codeOf(ref.tell.note({ text: 'new' }, edit('n', 'd2')))).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(10_000)
    await ref.ask.open()
    expect(await ref.ask.done()).toEqual(['old'])
  })
})

describe.each([1, 3])('on %i shards', (shards) => {
  test('G3 G5 G6 tells that are accepted survive a crash with their lanes and their order', async () => {
    const { open, world } = setUp({ shards }, { batchCommands: 1 })
    const before = await open()
    for (const key of ['a', 'b', 'c']) {
      const ref = before.actor(worker, key)
      await ref.ask.shut()
      for (const n of [1, 2, 3]) {
        await ref.tell.note({ text: `low ${n}` }, { priority: 'low' })
        await ref.tell.note({ text: `normal ${n}` })
        await ref.tell.note({ text: `high ${n}` }, { priority: 'high' })
      }
    }
    world.crash()
    const after = await open()
    expect(after.stats().lanes).toMatchObject({ high: { depth: 9 }, normal: { depth: 9 }, low: { depth: 9 } })
    for (const key of ['a', 'b', 'c']) {
      await after.actor(worker, key).ask.open()
      await world.advance(0)
      expect(await after.actor(worker, key).ask.done()).toEqual([
        'high 1',
        'high 2',
        'high 3',
        'normal 1',
        'normal 2',
        'normal 3',
        'low 1',
        'low 2',
        'low 3',
      ])
    }
  })

  test('G3 whenever the process dies, a tell is handled once if it was accepted, and never twice', async () => {
    for (let rounds = 0; rounds < 30; rounds += 1) {
      const { open, world } = setUp({ shards, wrapStore: (store) => laterStore(store, () => 2) })
      const told = follow((await open()).actor(worker, 'a').tell.work({ text: 'x' }, { idempotencyKey: 'k' }))
      for (let round = 0; round < rounds; round += 1) await new Promise((resolve) => setImmediate(resolve))
      const wasAccepted = told() !== 'pending'
      world.crash()
      const ref = (await open()).actor(worker, 'a')
      await world.advance(0)
      const done = await ref.ask.done()
      expect(done.length).toBeLessThanOrEqual(1)
      if (wasAccepted) expect(done).toEqual(['x'])
    }
  })

  test('G9 a tell for later is not handled before its moment, and is handled at it', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await system.actor(worker, 'a').tell.work({ text: 'delay' }, { delayMs: 5_000 })
    await system.actor(worker, 'b').tell.work({ text: 'number' }, { deliverAt: world.clock.wall() + 6_000 })
    await system.actor(worker, 'c').tell.work({ text: 'date' }, { deliverAt: new Date(world.clock.wall() + 7_000) })
    await world.advance(4_999)
    expect(outside.did).toEqual([])
    await world.advance(1)
    expect(outside.did).toEqual(['delay'])
    await world.advance(999)
    expect(outside.did).toEqual(['delay'])
    await world.advance(1)
    expect(outside.did).toEqual(['delay', 'number'])
    await world.advance(1_000)
    expect(outside.did).toEqual(['delay', 'number', 'date'])
  })

  test('G9 a tell for later survives a restart, before its moment and after it', async () => {
    const { open, world } = setUp({ shards })
    const before = await open()
    await before.actor(worker, 'a').tell.work({ text: 'soon' }, { delayMs: 5_000 })
    await before.actor(worker, 'a').tell.work({ text: 'later' }, { delayMs: 60_000 })
    await world.advance(1_000)
    world.crash()
    world.clock.jump(10_000)
    const after = await open()
    await world.advance(0)
    expect(outside.did).toEqual(['soon'])
    await world.advance(48_999)
    expect(outside.did).toEqual(['soon'])
    await world.advance(1)
    expect(await after.actor(worker, 'a').ask.done()).toEqual(['soon', 'later'])
    await world.advance(HOUR_MS)
    expect(outside.did).toEqual(['soon', 'later'])
  })
})

test('G9 while the process is dead nothing is handled', async () => {
  const { open, world } = setUp()
  await (await open()).actor(worker, 'a').tell.work({ text: 'x' }, { delayMs: 5_000 })
  world.crash()
  await world.advance(10_000)
  expect(outside.did).toEqual([])
  await open()
  await world.advance(0)
  expect(outside.did).toEqual(['x'])
})

test('G9 a hundred tells for later are handled in the order of their moments', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  const delays = Array.from({ length: 100 }, (_none, index) => 1 + ((index * 37) % 100))
  await Promise.all(delays.map((delayMs) => ref.tell.work({ text: `${delayMs}` }, { delayMs })))
  await world.advance(50)
  expect(outside.did).toEqual(Array.from({ length: 50 }, (_none, index) => `${index + 1}`))
  world.crash()
  world.clock.jump(100)
  await open()
  await world.advance(0)
  expect(outside.did).toEqual(Array.from({ length: 100 }, (_none, index) => `${index + 1}`))
})

test('G9 tells for the same moment are handled in the order in which they came', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  const at = world.clock.wall() + 1_000
  for (let n = 1; n <= 20; n += 1) await ref.tell.work({ text: `${n}` }, { deliverAt: at })
  await world.advance(1_000)
  expect(outside.did).toEqual(Array.from({ length: 20 }, (_none, index) => `${index + 1}`))
})

test('G3 two tells for later with one key execute once', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.tell.work({ text: 'x' }, { delayMs: 1_000, idempotencyKey: 'k' })
  await ref.tell.work({ text: 'x' }, { delayMs: 2_000, idempotencyKey: 'k' })
  await world.advance(5_000)
  expect(outside.did).toEqual(['x'])
})

test('G9 a moment that has passed is now', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.tell.work({ text: 'x' }, { deliverAt: world.clock.wall() - 1_000 })
  await ref.tell.work({ text: 'y' }, { delayMs: 0 })
  expect(await ref.ask.done()).toEqual(['x', 'y'])
})

describe('options', () => {
  test.each([
    ['delayMs', { delayMs: -1 }],
    ['delayMs', { delayMs: Number.NaN }],
    ['delayMs', { delayMs: Number.POSITIVE_INFINITY }],
    ['deliverAt', { deliverAt: -1 }],
    ['deliverAt', { deliverAt: new Date(Number.NaN) }],
    ['deliverAt', { deliverAt: 'tomorrow' as unknown as number }],
    ['deliverAt', { deliverAt: 1, delayMs: 1 }],
    ['naturalKey', { naturalKey: '' }],
    ['naturalKey', { naturalKey: 'x'.repeat(1_025) }],
    ['naturalKey', { naturalKey: 5 as unknown as string }],
    ['deliveryId', { deliveryId: '' }],
    ['naturalKey', { naturalKey: 'n', delayMs: 1 }],
    ['deliveryId', { deliveryId: 'd', deliverAt: 1 }],
    ['waitForRoomMs', { waitForRoomMs: -1 }],
    ['waitForRoomMs', { waitForRoomMs: Number.NaN }],
    ['idempotencyKey', { idempotencyKey: '' }],
    ['idempotencyKey', { idempotencyKey: [] }],
    ['idempotencyKey', { idempotencyKey: [1] as unknown as string[] }],
    ['idempotencyKey', { idempotencyKey: 'x'.repeat(1_025) }],
    ['priority', { priority: 'soon' as unknown as 'low' }],
    ['timeoutMs', { timeoutMs: 0 }],
  ])('a bad value is INVALID_INPUT and names %s: %j', async (field, options) => {
    const { open } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await expect(ref.tell.work({ text: 'x' }, options)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    expect(await ref.ask.done()).toEqual([])
  })

  test.each([
    ['delayMs', { delayMs: 1 }],
    ['deliverAt', { deliverAt: 1 }],
    ['naturalKey', { naturalKey: 'n' }],
    ['deliveryId', { deliveryId: 'd' }],
  ])('an option of tell that is given to ask is INVALID_INPUT and names %s', async (field, options) => {
    const { open } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await expect(ref.ask.work({ text: 'x' }, options as object)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    expect(await ref.ask.done()).toEqual([])
  })
})

/** Every state of an edit is tried in one life of the process and with a restart in the middle. */
describe.each(['in one life', 'across a restart', 'across a crash of its thread', 'after it left memory'] as const)('K23 %s', (life) => {
  /** A system, and what happens between the first delivery and the next. */
  async function start(
    shards = 1,
  ): Promise<{ readonly system: System; readonly between: (waiting?: number) => Promise<System>; readonly world: TestWorld }> {
    const { open, world } = setUp({ shards })
    const system = await open()
    const between = async (waiting = 0): Promise<System> => {
      if (life === 'in one life') return system
      if (life === 'across a restart') {
        world.crash()
        const next = await open()
        await world.advance(1)
        return next
      }
      if (life === 'across a crash of its thread') {
        world.crashThreads()
        await world.advance(1_000)
      } else {
        await world.advance(60_000)
        // An actor for which something waits stays.
        expect(system.stats().residentActors).toBe(waiting)
      }
      return system
    }
    return { system, between, world }
  }

  test('K23 the same delivery twice is one command', async () => {
    const { between, system, world } = await start()
    expect(await system.actor(worker, 'a').tell.work({ text: 'x' }, edit('n', 'd1'))).toEqual(NEW)
    await world.advance(0)
    const ref = (await between()).actor(worker, 'a')
    expect(await ref.tell.work({ text: 'x' }, edit('n', 'd1'))).toEqual(DUPLICATE)
    expect(await ref.ask.done()).toEqual(['x'])
  })

  test('K23 a delivery with no name beside it is handled once', async () => {
    const { between, system, world } = await start()
    expect(await system.actor(worker, 'a').tell.work({ text: 'x' }, { deliveryId: 'd1' })).toEqual(NEW)
    expect(await system.actor(worker, 'a').tell.work({ text: 'y' }, { deliveryId: 'd2' })).toEqual(NEW)
    await world.advance(0)
    const ref = (await between()).actor(worker, 'a')
    expect(await ref.tell.work({ text: 'z' }, { deliveryId: 'd1' })).toEqual(DUPLICATE)
    expect(await ref.ask.done()).toEqual(['x', 'y'])
  })

  test('K23 an edit of one that waits replaces its content and keeps its place', async () => {
    const { between, system } = await start(3)
    const before = system.actor(worker, 'a')
    await before.ask.shut()
    expect(await before.tell.note({ text: 'first' }, edit('n', 'd1'))).toEqual(NEW)
    expect(await before.tell.note({ text: 'second' })).toEqual(NEW)
    const ref = (await between(1)).actor(worker, 'a')
    expect(await ref.tell.note({ text: 'edited' }, edit('n', 'd2'))).toEqual(REPLACED)
    expect(await ref.tell.note({ text: 'other' }, edit('m', 'd3'))).toEqual(NEW)
    expect(await ref.tell.note({ text: 'first' }, edit('n', 'd1'))).toEqual(DUPLICATE)
    expect(await ref.tell.note({ text: 'edited' }, edit('n', 'd2'))).toEqual(DUPLICATE)
    const last = (await between(1)).actor(worker, 'a')
    await last.ask.open()
    expect(await last.ask.done()).toEqual(['edited', 'second', 'other'])
  })

  test('K23 an edit of one that is being worked on leaves it in progress, and is what is tried again', async () => {
    const { between, system, world } = await start()
    await system.actor(worker, 'a').tell.hold({ text: 'first' }, edit('n', 'd1'))
    await world.advance(0)
    const middle = await between()
    const ref = middle.actor(worker, 'a')
    expect(await ref.tell.hold({ text: 'edited' }, edit('n', 'd2'))).toEqual(REPLACED)
    expect(await ref.tell.hold({ text: 'first' }, edit('n', 'd1'))).toEqual(DUPLICATE)
    expect(await ref.ask.done()).toEqual(['first'])
    const last = await between()
    await last.actor(worker, 'a').ask.spoil({ retryable: true })
    await world.advance(0)
    const letters = await last.deadLetters.list()
    expect(letters).toMatchObject([{ actor: 'worker/a', command: 'hold', input: { text: 'edited' } }])
    expect(await last.deadLetters.replay(letters.map(({ id }) => id))).toBe(1)
    expect(await last.actor(worker, 'a').ask.done()).toEqual(['first', 'edited'])
    expect(await last.deadLetters.list()).toEqual([])
  })

  test('K23 the same delivery of one that is being worked on is a duplicate', async () => {
    const { between, system, world } = await start()
    await system.actor(worker, 'a').tell.hold({ text: 'x' }, edit('n', 'd1'))
    await world.advance(0)
    const ref = (await between()).actor(worker, 'a')
    expect(await ref.tell.hold({ text: 'x' }, edit('n', 'd1'))).toEqual(DUPLICATE)
    expect(await ref.ask.done()).toEqual(['x'])
  })

  test('K23 an edit of one that has failed takes the place of its dead letter and is executed', async () => {
    const { between, system, world } = await start()
    outside.faults = 1
    await system.actor(worker, 'a').tell.risky({ text: 'first' }, edit('n', 'd1'))
    await world.advance(0)
    expect(await system.deadLetters.list()).toHaveLength(1)
    const last = await between()
    const ref = last.actor(worker, 'a')
    expect(await ref.tell.risky({ text: 'first' }, edit('n', 'd1'))).toEqual(DUPLICATE)
    expect(await last.deadLetters.list()).toHaveLength(1)
    expect(await ref.tell.risky({ text: 'edited' }, edit('n', 'd2'))).toEqual(NEW)
    expect(await ref.ask.done()).toEqual(['edited'])
    expect(await last.deadLetters.list()).toEqual([])
    expect(last.stats().deadLetters).toBe(0)
  })

  test('K23 an edit of one that is done is ignored', async () => {
    const { between, system, world } = await start()
    await system.actor(worker, 'a').tell.work({ text: 'first' }, edit('n', 'd1'))
    const held = follow(system.actor(worker, 'a').tell.hold({ text: 'held' }, edit('m', 'd3')))
    await world.advance(0)
    await system.actor(worker, 'a').ask.release({ value: 'x' })
    expect(held()).toEqual(NEW)
    const ref = (await between()).actor(worker, 'a')
    expect(await ref.tell.work({ text: 'edited' }, edit('n', 'd2'))).toEqual(DUPLICATE)
    expect(await ref.tell.hold({ text: 'edited' }, edit('m', 'd4'))).toEqual(DUPLICATE)
    expect(await ref.ask.done()).toEqual(['first', 'held'])
  })

  test('K23 an old delivery never overwrites a newer edit that failed as well', async () => {
    const { between, system, world } = await start()
    outside.faults = 2
    await system.actor(worker, 'a').tell.risky({ text: 'first' }, edit('n', 'd1'))
    await system.actor(worker, 'a').tell.risky({ text: 'edited' }, edit('n', 'd2'))
    await world.advance(0)
    const last = await between()
    expect(await last.actor(worker, 'a').tell.risky({ text: 'first' }, edit('n', 'd1'))).toEqual(DUPLICATE)
    expect(await last.actor(worker, 'a').ask.done()).toEqual([])
    expect(await last.deadLetters.list()).toMatchObject([{ input: { text: 'edited' } }])
  })
})

describe('K23 an old delivery never overwrites a newer edit', () => {
  test('K23 that came after the failure of the old one and still waits', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(worker, 'a')
    outside.faults = 1
    await ref.tell.risky({ text: 'first' }, edit('n', 'd1'))
    expect(await ref.ask.done()).toEqual([])
    const receipts = await Promise.all([
      ref.tell.risky({ text: 'edited' }, edit('n', 'd2')),
      ref.tell.risky({ text: 'first' }, edit('n', 'd1')),
    ])
    expect(receipts).toEqual([NEW, DUPLICATE])
    expect(await ref.ask.done()).toEqual(['edited'])
  })

  test('K23 of the same moment', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(worker, 'a')
    const receipts = await Promise.all([
      ref.tell.work({ text: 'first' }, edit('n', 'd1')),
      ref.tell.work({ text: 'edited' }, edit('n', 'd2')),
      ref.tell.work({ text: 'first' }, edit('n', 'd1')),
    ])
    expect(receipts).toEqual([NEW, REPLACED, DUPLICATE])
    expect(await ref.ask.done()).toEqual(['edited'])
  })

  test('K23 however many edits there have been', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.shut()
    for (let n = 0; n <= 150; n += 1) await ref.tell.note({ text: `${n}` }, edit('n', `d${n}`))
    expect(await ref.tell.note({ text: '0' }, edit('n', 'd0'))).toEqual(DUPLICATE)
    await ref.ask.open()
    expect(await ref.ask.done()).toEqual(['150'])
  })

  test('K23 by the replay of a dead letter of the old one', async () => {
    const { open } = setUp()
    const system = await open()
    const ref = system.actor(worker, 'a')
    outside.faults = 1
    await ref.tell.risky({ text: 'first' }, edit('n', 'd1'))
    await ref.ask.done()
    const [letter] = await system.deadLetters.list()
    const [receipt, replayed] = await Promise.all([
      ref.tell.risky({ text: 'edited' }, edit('n', 'd2')),
      system.deadLetters.replay(letter?.id ?? ''),
    ])
    expect(receipt).toEqual(NEW)
    expect(replayed).toBeLessThanOrEqual(1)
    expect(await ref.ask.done()).toEqual(['edited'])
    expect(await system.deadLetters.list()).toEqual([])
  })
})

test('K23 the name is that of one actor', async () => {
  const { open } = setUp()
  const system = await open()
  for (const key of ['a', 'b']) expect(await system.actor(worker, key).tell.work({ text: key }, edit('n', 'd1'))).toEqual(NEW)
  expect(await system.actor(narrow, 'a').tell.work({ text: 'c' }, edit('n', 'd1'))).toEqual(NEW)
  expect(outside.did).toEqual(['a', 'b', 'c'])
})

test('K23 an edit of one that waits for room in a full mailbox is what is executed', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(narrow, 'a')
  await ref.ask.rest()
  for (const text of ['1', '2', '3']) await ref.tell.note({ text })
  const first = follow(ref.tell.work({ text: 'first' }, { ...edit('n', 'd1'), waitForRoomMs: 60_000 }))
  const edited = follow(ref.tell.work({ text: 'edited' }, { ...edit('n', 'd2'), waitForRoomMs: 60_000 }))
  await world.advance(10_000)
  expect(first()).toEqual(NEW)
  expect(edited()).toEqual(REPLACED)
  expect(await ref.ask.done()).toEqual(['1', '2', '3', 'edited'])
})

test('G3 a tell from actor to actor for later, keyed, executes once across a restart', async () => {
  const { open, world } = setUp({ shards: 3 })
  const before = await open()
  await before.actor(worker, 'w').ask.shut()
  await before.actor(courier, 'c').ask.send({ to: 'w', command: 'note', texts: ['1', '2', '3'] })
  await world.advance(0)
  world.crash()
  const after = await open()
  await world.advance(0)
  await after.actor(worker, 'w').ask.open()
  expect(await after.actor(worker, 'w').ask.done()).toEqual(['1', '2', '3'])
})

test('K23 an edit needs no room of its own', async () => {
  const { open } = setUp()
  const ref = (await open()).actor(narrow, 'a')
  await ref.ask.shut()
  await ref.tell.note({ text: '1' }, edit('n', 'd1'))
  for (const text of ['2', '3']) await ref.tell.note({ text })
  expect(await codeOf(ref.tell.note({ text: '4' }))).toBe('MAILBOX_FULL')
  expect(await ref.tell.note({ text: 'edited' }, edit('n', 'd2'))).toEqual(REPLACED)
})

test('K23 an edit by another command never hands its input to the one that waits', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.rest()
  await ref.tell.note({ text: '1' }, edit('n', 'd1'))
  await ref.tell.release({ value: 'no text' }, edit('n', 'd2'))
  await world.advance(10_000)
  expect(await ref.ask.done()).toEqual(['1'])
})

test('K23 the same delivery of one that has failed is a duplicate, also without a name beside it', async () => {
  const { open, world } = setUp()
  const system = await open()
  outside.faults = 1
  await system.actor(worker, 'a').tell.risky({ text: 'x' }, { deliveryId: 'd1' })
  await world.advance(1)
  expect(await system.actor(worker, 'a').tell.risky({ text: 'x' }, { deliveryId: 'd1' })).toEqual(DUPLICATE)
  expect(await system.actor(worker, 'a').ask.done()).toEqual([])
  expect(await system.deadLetters.list()).toHaveLength(1)
})

test('K23 K24 whenever the process dies, an edit that was acknowledged is what is executed', async () => {
  for (let rounds = 0; rounds < 30; rounds += 1) {
    const { open, world } = setUp({ wrapStore: (store) => laterStore(store, () => 2) })
    const before = (await open()).actor(worker, 'a')
    await before.ask.shut()
    const told = follow(before.tell.note({ text: 'old' }, edit('n', 'd1')))
    await world.advance(0)
    expect(told()).toEqual(NEW)
    const edited = follow(before.tell.note({ text: 'new' }, edit('n', 'd2')))
    for (let round = 0; round < rounds; round += 1) await new Promise((resolve) => setImmediate(resolve))
    const wasAccepted = edited() !== 'pending'
    world.crash()
    const after = (await open()).actor(worker, 'a')
    await after.ask.open()
    const done = await after.ask.done()
    expect(wasAccepted ? [['new']] : [['old'], ['new']]).toContainEqual(done)
  }
})

test('K24 an edit that is acknowledged is not lost with the commit of what it edits', async () => {
  let gate: Promise<unknown> | undefined
  const { open, world } = setUp({
    wrapStore: (store) => ({
      ...laterStore(store, () => 0),
      // Only commits take their time.
      load: (type, key) => store.load(type, key),
      outcome: (scope, key, now) => store.outcome(scope, key, now),
      deadLetters: (filter, limit) => store.deadLetters(filter, limit),
      commit: async (batch) => {
        await gate
        return await store.commit(batch)
      },
    }),
  })
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.shut()
  const opened = Promise.withResolvers<undefined>()
  gate = opened.promise
  const first = follow(ref.tell.note({ text: 'old' }, edit('n', 'd1')))
  await world.advance(0)
  const edited = follow(ref.tell.note({ text: 'new' }, edit('n', 'd2')))
  await world.advance(0)
  expect([first(), edited()]).toEqual(['pending', 'pending'])
  world.disk.failCommits('full')
  gate = undefined
  opened.resolve(undefined)
  await new Promise((resolve) => setImmediate(resolve))
  world.disk.failCommits(undefined)
  await world.advance(5_000)
  await ref.ask.open()
  expect(first()).toBe('STORE_UNAVAILABLE')
  expect(await ref.ask.done()).toEqual(edited() === 'STORE_UNAVAILABLE' ? [] : ['new'])
})

test('K24 a tell that comes during a commit that ends the shard is refused, and not stored', async () => {
  let gate: Promise<unknown> | undefined
  const { open, world } = setUp({
    wrapStore: (store) => ({
      ...laterStore(store, () => 0),
      commit: async (batch) => {
        await gate
        return await store.commit(batch)
      },
    }),
  })
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.touch()
  const opened = Promise.withResolvers<undefined>()
  gate = opened.promise
  const first = follow(ref.ask.work({ text: 'first' }))
  await world.advance(0)
  const told = follow(ref.tell.work({ text: 'told' }, { delayMs: 5_000 }))
  await world.advance(0)
  world.disk.failCommits('io')
  gate = undefined
  opened.resolve(undefined)
  await new Promise((resolve) => setImmediate(resolve))
  world.disk.failCommits(undefined)
  await world.advance(1_000)
  expect([first(), told()]).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'])
  world.crash()
  const after = (await open()).actor(worker, 'a')
  await world.advance(10_000)
  expect(await after.ask.done()).toEqual([])
})
