/** Pressure: every queue has a bound, and whoever waits for a place gets it in turn or hears in time that there is none. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { laterStore, TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions, TestWorldOptions } from '@bailiwick/testkit'
import type { System } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { everything, follow, narrow, outside, resetOutside, worker } from './delivery.ts'

const NEW = { outcome: 'accepted' }

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

/** A worker with room for three, full of notes that wait until it opens after ten seconds. */
async function fill(system: System, key = 'a'): Promise<void> {
  const ref = system.actor(narrow, key)
  await ref.ask.rest()
  for (const text of ['1', '2', '3']) await ref.tell.note({ text })
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('G12 a full mailbox refuses an ask and a tell at once, and neither is executed', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const ref = system.actor(narrow, 'a')
    await fill(system)
    await expect(ref.ask.work({ text: 'x' })).rejects.toMatchObject({
      code: 'MAILBOX_FULL',
      scope: 'mailbox',
      capacity: 3,
      actor: 'narrow/a',
      retryable: true,
    })
    expect(await codeOf(ref.tell.work({ text: 'y' }))).toBe('MAILBOX_FULL')
    expect(await codeOf(ref.tell.work({ text: 'z' }, { waitForRoomMs: 0 }))).toBe('MAILBOX_FULL')
    expect(system.stats().full).toBe(3)
    expect(await system.actor(narrow, 'b').ask.work({ text: 'b' })).toBe(1)
    await world.advance(10_000)
    expect(await ref.ask.done()).toEqual(['1', '2', '3'])
    expect(await system.deadLetters.list()).toEqual([])
  })

  test('G12 who waits for room gets a place in the order of coming, before newcomers', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const ref = system.actor(narrow, 'a')
    await fill(system)
    const waiting = [4, 5, 6, 7, 8, 9].map((n) =>
      n % 2 === 0
        ? follow(ref.ask.work({ text: `${n}` }, { waitForRoomMs: 20_000 }))
        : follow(ref.tell.work({ text: `${n}` }, { waitForRoomMs: 20_000 })),
    )
    await world.advance(9_999)
    expect(waiting.map((seen) => seen())).toEqual(Array.from({ length: 6 }, () => 'pending'))
    const newcomer = follow(ref.ask.work({ text: 'newcomer' }, { waitForRoomMs: 20_000 }))
    await world.advance(1)
    expect(waiting.map((seen) => seen())).toEqual([4, NEW, 6, NEW, 8, NEW])
    expect(newcomer()).toBe(10)
    expect(await ref.ask.done()).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', 'newcomer'])
  })

  test('G12 at the end of its patience it gets MAILBOX_FULL, exactly then, and is never executed', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const ref = system.actor(narrow, 'a')
    await fill(system)
    const ask = follow(ref.ask.work({ text: 'ask' }, { waitForRoomMs: 2_000 }))
    const tell = follow(ref.tell.work({ text: 'tell' }, { waitForRoomMs: 3_000 }))
    const patient = follow(ref.ask.work({ text: 'patient' }, { waitForRoomMs: 20_000 }))
    await world.advance(1_999)
    expect([ask(), tell()]).toEqual(['pending', 'pending'])
    await world.advance(1)
    expect([ask(), tell()]).toEqual(['MAILBOX_FULL', 'pending'])
    await world.advance(1_000)
    expect([ask(), tell()]).toEqual(['MAILBOX_FULL', 'MAILBOX_FULL'])
    await world.advance(60_000)
    expect(patient()).toBe(4)
    expect(await ref.ask.done()).toEqual(['1', '2', '3', 'patient'])
  })

  test('G12 one bound holds for the pending calls of all shards', async () => {
    const { open, world } = setUp({ shards }, { pendingCalls: 4 })
    const system = await open()
    const asks = ['a', 'b', 'c', 'd'].map((key) => follow(system.actor(worker, key).ask.hold({ text: 'x' }, { timeoutMs: 5_000 })))
    await world.advance(0)
    await expect(system.actor(worker, 'e').ask.work({ text: 'x' })).rejects.toMatchObject({
      code: 'MAILBOX_FULL',
      scope: 'system',
      capacity: 4,
    })
    expect(await codeOf(system.actor(worker, 'f').tell.work({ text: 'x' }))).toBe('MAILBOX_FULL')
    expect(system.stats().pendingCalls).toBe(4)
    await world.advance(5_000)
    expect(asks.map((seen) => seen())).toEqual(['ASK_TIMEOUT', 'ASK_TIMEOUT', 'ASK_TIMEOUT', 'ASK_TIMEOUT'])
    expect(await system.actor(worker, 'e').ask.work({ text: 'y' })).toBe(1)
    expect(system.stats().pendingCalls).toBe(0)
  })

  test('a postponed command is tried again when the state has changed, in its old order and before newer ones', async () => {
    const { open, world } = setUp({ shards })
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.shut()
    const early = [1, 2, 3].map((n) => follow(ref.ask.note({ text: `${n}` })))
    await ref.tell.note({ text: '4' })
    await world.advance(0)
    expect(early.map((seen) => seen())).toEqual(['pending', 'pending', 'pending'])
    expect(outside.tried).toEqual(['1', '2', '3', '4'])
    const opened = ref.ask.open()
    const late = [5, 6].map((n) => follow(ref.ask.note({ text: `${n}` })))
    await opened
    await world.advance(0)
    expect([...early, ...late].map((seen) => seen())).toEqual([1, 2, 3, 5, 6])
    expect(outside.did).toEqual(['1', '2', '3', '4', '5', '6'])
  })

  test('a change of the context alone tries nothing again', async () => {
    const { open, world } = setUp({ shards })
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.shut()
    const note = follow(ref.ask.note({ text: '1' }))
    await world.advance(0)
    await ref.ask.touch()
    await ref.ask.work({ text: 'other' })
    await ref.ask.shut()
    await world.advance(0)
    expect(outside.tried).toEqual(['1'])
    expect(note()).toBe('pending')
    await ref.ask.rest()
    await world.advance(0)
    expect(outside.tried).toEqual(['1', '1'])
    await world.advance(10_000)
    expect(note()).toBe(2)
  })

  test('postponed tells survive a restart with their order', async () => {
    const { open, world } = setUp({ shards })
    const before = (await open()).actor(worker, 'a')
    await before.ask.rest()
    for (const text of ['1', '2', '3']) await before.tell.note({ text })
    world.crash()
    const after = (await open()).actor(worker, 'a')
    await after.tell.note({ text: '4' })
    await world.advance(9_999)
    expect(outside.did).toEqual([])
    await world.advance(1)
    expect(outside.did).toEqual(['1', '2', '3', '4'])
    expect(await after.ask.done()).toEqual(['1', '2', '3', '4'])
  })

  test('what is postponed counts for the capacity, also after a restart', async () => {
    const { open, world } = setUp({ shards })
    const before = await open()
    await fill(before)
    expect(await codeOf(before.actor(narrow, 'a').tell.note({ text: '4' }))).toBe('MAILBOX_FULL')
    world.crash()
    const after = await open()
    await world.advance(0)
    expect(await codeOf(after.actor(narrow, 'a').tell.note({ text: '4' }))).toBe('MAILBOX_FULL')
    await world.advance(10_000)
    expect(await after.actor(narrow, 'a').ask.note({ text: '5' })).toBe(4)
    expect(await after.actor(narrow, 'a').ask.done()).toEqual(['1', '2', '3', '5'])
  })
})

test('a command that is postponed twice keeps its place', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.shut()
  for (const text of ['1', '2']) await ref.tell.note({ text })
  await ref.ask.rest()
  await ref.tell.note({ text: '3' })
  await ref.ask.shut()
  await ref.tell.note({ text: '4' })
  await world.advance(0)
  await ref.ask.open()
  await world.advance(0)
  expect(outside.did).toEqual(['1', '2', '3', '4'])
})

test('postponed commands with one key execute once, and all get the answer', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.shut()
  const asks = [0, 1, 2].map(() => follow(ref.ask.note({ text: 'x' }, { idempotencyKey: 'k' })))
  const other = follow(ref.ask.note({ text: 'y' }, { idempotencyKey: 'k' }))
  await world.advance(0)
  await ref.ask.open()
  await world.advance(0)
  expect(asks.map((seen) => seen())).toEqual([1, 1, 1])
  expect(other()).toBe('IDEMPOTENCY_CONFLICT')
  expect(outside.did).toEqual(['x'])
})

test('postponed asks of an actor that would be idle keep their place and get their answers', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.shut()
  const asks = [1, 2].map((n) => follow(ref.ask.note({ text: `${n}` }, { timeoutMs: 3_600_000 })))
  await world.advance(120_000)
  const late = follow(ref.ask.note({ text: '3' }))
  await world.advance(0)
  await ref.ask.open()
  await world.advance(0)
  expect([...asks, late].map((seen) => seen())).toEqual([1, 2, 3])
})

test('a postponed ask whose caller has given up is answered to nobody, and holds up no one', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(narrow, 'a')
  await ref.ask.rest()
  const hasty = follow(ref.ask.note({ text: '1' }, { timeoutMs: 1_000 }))
  const patient = follow(ref.ask.note({ text: '2' }))
  await world.advance(1_000)
  expect(hasty()).toBe('ASK_TIMEOUT')
  await world.advance(9_000)
  expect(patient()).toBe((await ref.ask.done()).length)
})

describe('G12 the bound of a shard', () => {
  const limits = { waitingCommands: 3 }

  test('G12 refuses at once what would exceed it, on whichever actor', async () => {
    const { open, world } = setUp({}, limits)
    const system = await open()
    await system.actor(worker, 'a').ask.rest()
    for (const text of ['1', '2', '3']) await system.actor(worker, 'a').tell.note({ text })
    for (const key of ['a', 'b']) {
      await expect(system.actor(worker, key).ask.work({ text: 'x' })).rejects.toMatchObject({
        code: 'MAILBOX_FULL',
        scope: 'shard',
        capacity: 3,
      })
      expect(await codeOf(system.actor(worker, key).tell.work({ text: 'x' }))).toBe('MAILBOX_FULL')
    }
    await world.advance(10_000)
    expect(await system.actor(worker, 'b').ask.work({ text: 'y' })).toBe(1)
    expect(outside.did).toEqual(['1', '2', '3', 'y'])
  })

  test('G12 lets those who wait in, and names itself to those whose patience ends', async () => {
    const { open, world } = setUp({}, limits)
    const system = await open()
    await system.actor(worker, 'a').ask.rest()
    for (const text of ['1', '2', '3']) await system.actor(worker, 'a').tell.note({ text })
    const errors: unknown[] = []
    system
      .actor(worker, 'b')
      .ask.work({ text: 'hasty' }, { waitForRoomMs: 2_000 })
      .catch((error: unknown) => errors.push(error))
    const patient = follow(system.actor(worker, 'c').ask.work({ text: 'patient' }, { waitForRoomMs: 20_000 }))
    await world.advance(2_000)
    expect(errors).toMatchObject([{ code: 'MAILBOX_FULL', scope: 'shard', capacity: 3 }])
    await world.advance(8_000)
    expect(patient()).toBe(1)
    // Between actors there is no order; those of one actor kept theirs.
    expect(outside.did.filter((text) => text !== 'patient')).toEqual(['1', '2', '3'])
    expect(outside.did).toContain('patient')
  })

  test('G12 is forgotten by an actor where somebody waited in vain', async () => {
    const { open, world } = setUp({}, limits)
    const system = await open()
    await system.actor(worker, 'a').ask.rest()
    for (const text of ['1', '2']) await system.actor(worker, 'a').tell.note({ text })
    await world.advance(8_000)
    await system.actor(worker, 'b').ask.touch()
    await system.actor(worker, 'a').tell.note({ text: '3' })
    const vain = follow(system.actor(worker, 'b').ask.work({ text: 'vain' }, { waitForRoomMs: 1_000 }))
    await world.advance(2_000)
    expect(vain()).toBe('MAILBOX_FULL')
    expect(await codeOf(system.actor(worker, 'b').ask.work({ text: 'x' }))).toBe(1)
  })

  test('G12 gives places in the order of coming over all its actors', async () => {
    const { open, world } = setUp({}, { waitingCommands: 1 })
    const system = await open()
    const keys = ['a', 'b', 'c', 'b', 'a', 'c', 'd', 'b']
    for (const [index, key] of keys.entries()) {
      follow(system.actor(worker, key).ask.work({ text: `${index} ${key}` }, { waitForRoomMs: 10_000 }))
    }
    await world.advance(1_000)
    expect(outside.did).toEqual(keys.map((key, index) => `${index} ${key}`))
  })

  test('G12 gives a place to who waits before a newcomer, also while the store takes its time', async () => {
    const { open, world } = setUp({ wrapStore: (store) => laterStore(store, () => 5) }, { waitingCommands: 1 })
    const system = await open()
    for (const key of ['a', 'b', 'c']) follow(system.actor(worker, key).ask.work({ text: 'warm' }, { waitForRoomMs: 60_000 }))
    await world.advance(1_000)
    outside.did.length = 0
    follow(system.actor(worker, 'a').ask.work({ text: 'first' }, { waitForRoomMs: 60_000 }))
    follow(system.actor(worker, 'b').ask.work({ text: 'second' }, { waitForRoomMs: 60_000 }))
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    follow(system.actor(worker, 'c').ask.work({ text: 'newcomer' }, { waitForRoomMs: 60_000 }))
    await world.advance(1_000)
    expect(outside.did).toEqual(['first', 'second', 'newcomer'])
  })
})

test('G12 who waits for room when the thread dies hears of it, and is not executed', async () => {
  const { open, world } = setUp()
  const system = await open()
  await fill(system)
  const tell = follow(system.actor(narrow, 'a').tell.work({ text: 'x' }, { waitForRoomMs: 60_000 }))
  await world.advance(1_000)
  world.crashThreads()
  await world.advance(60_000)
  expect(tell()).toBe('SHARD_CRASHED')
  expect(await system.actor(narrow, 'a').ask.done()).toEqual(['1', '2', '3'])
})

test('G12 a tell that waits for room is accepted only once it has a place and is durable', async () => {
  const { open, world } = setUp()
  const system = await open()
  await fill(system)
  const tell = follow(system.actor(narrow, 'a').tell.work({ text: 'x' }, { waitForRoomMs: 60_000 }))
  await world.advance(5_000)
  expect(tell()).toBe('pending')
  world.crash()
  const after = await open()
  await world.advance(60_000)
  expect(await after.actor(narrow, 'a').ask.done()).toEqual(['1', '2', '3'])
})

test('G12 commands that fail hold no place', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(narrow, 'a')
  outside.faults = 30
  for (let n = 0; n < 10; n += 1) {
    await Promise.all([0, 1, 2].map(() => codeOf(ref.ask.risky({ text: 'x' }))))
  }
  await world.advance(0)
  expect(outside.faults).toBe(0)
  expect(await ref.ask.work({ text: 'y' })).toBe(1)
})
