/** Idempotency keys: whatever is repeated, joined, interrupted or late, a command with a key takes effect once. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { laterStore, TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions } from '@bailiwick/testkit'
import type { System } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { everything, follow, narrow, outside, resetOutside, worker } from './delivery.ts'

const HOUR_MS = 3_600_000
const K = { idempotencyKey: 'k', timeoutMs: HOUR_MS }

interface Place {
  readonly world: TestWorld
  readonly open: () => Promise<System>
}

function setUp(shards = 1, limits: TestSystemOptions['limits'] = {}): Place {
  const world = new TestWorld({ shards })
  resetOutside()
  onTestFinished(() => world.close())
  return { world, open: () => world.open({ ...everything, limits }) }
}

function fifty<T>(make: (index: number) => T): readonly T[] {
  return Array.from({ length: 50 }, (_none, index) => make(index))
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('T01 fifty asks at once with one key and payload have one side effect and identical answers', async () => {
    const { open } = setUp(shards)
    const system = await open()
    const refs = [system.actor(worker, 'a'), system.actor(worker, 'a'), system.actor(worker, 'a')]
    const answers = await Promise.all(fifty((index) => refs[index % 3]?.ask.work({ text: 'x' }, K)))
    expect(new Set(answers)).toEqual(new Set([1]))
    expect(outside.did).toEqual(['x'])
  })

  test('T01 fifty asks at once for work that takes its time run one errand and get its one answer', async () => {
    const { open, world } = setUp(shards)
    const system = await open()
    outside.mood = 'waiting'
    const asks = fifty(() => follow(system.actor(worker, 'a').ask.order({ text: 'x' }, K)))
    await world.advance(1_000)
    expect(outside.errands).toHaveLength(1)
    outside.errands[0]?.end('once')
    await world.advance(0)
    expect(new Set(asks.map((seen) => seen()))).toEqual(new Set(['once']))
    expect(outside.did).toEqual(['x'])
  })

  test('T02 after an owner that throws, one of those who wait executes anew and the others get its answer', async () => {
    const { open } = setUp(shards)
    const system = await open()
    outside.faults = 1
    const answers = await Promise.all(Array.from({ length: 5 }, () => codeOf(system.actor(worker, 'a').ask.risky({ text: 'x' }, K))))
    expect(answers).toEqual(['COMMAND_FAILED', 1, 1, 1, 1])
    expect(outside.did).toEqual(['x'])
  })

  test('T02 after an owner that fails retryably, one of those who wait becomes the owner and the others wait for it', async () => {
    const { open, world } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    const asks = Array.from({ length: 5 }, () => follow(ref.ask.hold({ text: 'x' }, K)))
    await world.advance(0)
    await ref.ask.spoil({ retryable: true })
    await world.advance(0)
    expect(asks.map((seen) => seen())).toEqual(['COMMAND_FAILED', 'pending', 'pending', 'pending', 'pending'])
    expect(outside.did).toEqual(['x', 'x'])
    await ref.ask.release({ value: 'y' })
    await world.advance(0)
    expect(asks.map((seen) => seen())).toEqual(['COMMAND_FAILED', 'y', 'y', 'y', 'y'])
    expect(outside.did).toEqual(['x', 'x'])
  })

  test('T02 after a failure without anybody who waits, the next call succeeds', async () => {
    const { open, world } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    outside.faults = 1
    expect(await codeOf(ref.ask.risky({ text: 'x' }, K))).toBe('COMMAND_FAILED')
    expect(await ref.ask.risky({ text: 'x' }, K)).toBe(1)
    const held = follow(ref.ask.hold({ text: 'y' }, K))
    await world.advance(0)
    await ref.ask.spoil({ retryable: true })
    await world.advance(0)
    expect(held()).toBe('COMMAND_FAILED')
    const again = follow(ref.ask.hold({ text: 'y' }, K))
    await world.advance(0)
    await ref.ask.release({ value: 'z' })
    await world.advance(0)
    expect(again()).toBe('z')
  })

  test('T03 after the death of the owner the key is still reserved, the work goes on, and its result is the answer', async () => {
    const { open, world } = setUp(shards)
    outside.mood = 'waiting'
    const lost = follow((await open()).actor(worker, 'a').ask.order({ text: 'x' }, K))
    await world.advance(0)
    expect(outside.errands).toHaveLength(1)
    world.crash()
    const system = await open()
    const again = follow(system.actor(worker, 'a').ask.order({ text: 'x' }, K))
    await world.advance(5_000)
    expect(outside.errands.map(({ key }) => key)).toEqual([outside.errands[0]?.key, outside.errands[0]?.key])
    outside.errands[0]?.end('of the dead')
    await world.advance(1_000)
    expect(again()).toBe('pending')
    outside.errands[1]?.end('of the living')
    await world.advance(0)
    expect(again()).toBe('of the living')
    expect(['pending', 'SHARD_CRASHED']).toContain(lost())
    expect(await system.actor(worker, 'a').ask.done()).toEqual(['x'])
    expect(await system.actor(worker, 'a').ask.order({ text: 'x' }, K)).toBe('of the living')
    expect(system.stats().outbox).toBe(0)
  })

  test('T04 another payload under a key that is being worked on is a conflict, and executes nothing', async () => {
    const { open, world } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    const held = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    expect(await codeOf(ref.ask.hold({ text: 'y' }, K))).toBe('IDEMPOTENCY_CONFLICT')
    await ref.ask.release({ value: 'z' })
    await world.advance(0)
    expect(held()).toBe('z')
    expect(outside.did).toEqual(['x'])
  })

  test('T04 another payload under a key that is done is a conflict, also of an ask at the same time', async () => {
    const { open } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    const answers = await Promise.all([codeOf(ref.ask.work({ text: 'x' }, K)), codeOf(ref.ask.work({ text: 'y' }, K))])
    expect(answers).toEqual([1, 'IDEMPOTENCY_CONFLICT'])
    expect(await codeOf(ref.ask.work({ text: 'z' }, K))).toBe('IDEMPOTENCY_CONFLICT')
    expect(await ref.ask.done()).toEqual(['x'])
  })

  test('T05 the same key for another command, another actor or another user is independent', async () => {
    const { open } = setUp(shards)
    const system = await open()
    const [a, b] = [system.actor(worker, 'a'), system.actor(worker, 'b')]
    await a.ask.work({ text: '1' }, { idempotencyKey: 'k' })
    await a.ask.risky({ text: '2' }, { idempotencyKey: 'k' })
    await a.ask.work({ text: '3' }, { idempotencyKey: ['ann', 'k'] })
    await a.ask.work({ text: '4' }, { idempotencyKey: ['ben', 'k'] })
    await a.ask.work({ text: '5' }, { idempotencyKey: ['ben,k'] })
    await b.ask.work({ text: '6' }, { idempotencyKey: 'k' })
    await system.actor(narrow, 'a').ask.work({ text: '7' }, { idempotencyKey: 'k' })
    expect(outside.did).toEqual(['1', '2', '3', '4', '5', '6', '7'])
    expect(await a.ask.work({ text: '4' }, { idempotencyKey: ['ben', 'k'] })).toBe(4)
  })

  test('T06 a reply is replayed, whatever it says, and not computed anew', async () => {
    const { open } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    const first = await ref.ask.only({ text: 'x' }, K)
    await ref.ask.work({ text: 'y' })
    expect(first).toEqual({ status: 400, text: 'x', nth: 1 })
    expect(await ref.ask.only({ text: 'x' }, K)).toEqual(first)
    expect(outside.did).toEqual(['x', 'y'])
  })

  test('T06 a command that threw is executed again at every repetition until it succeeds', async () => {
    const { open } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    outside.faults = 2
    const outcomes = [
      await codeOf(ref.ask.risky({ text: 'x' }, K)),
      await codeOf(ref.ask.risky({ text: 'x' }, K)),
      await codeOf(ref.ask.risky({ text: 'x' }, K)),
      await codeOf(ref.ask.risky({ text: 'x' }, K)),
    ]
    expect(outcomes).toEqual(['COMMAND_FAILED', 'COMMAND_FAILED', 1, 1])
    expect(outside.did).toEqual(['x'])
  })

  test('T06 a failure that is final is replayed as the same error, to those who wait and to those who come later', async () => {
    const { open, world } = setUp(shards)
    const ref = (await open()).actor(worker, 'a')
    const errors: unknown[] = []
    const keep = (error: unknown): void => void errors.push(error)
    ref.ask.hold({ text: 'x' }, K).catch(keep)
    ref.ask.hold({ text: 'x' }, K).catch(keep)
    await world.advance(0)
    await ref.ask.spoil({ retryable: false })
    await world.advance(0)
    await ref.ask.hold({ text: 'x' }, K).catch(keep)
    const same = { code: 'COMMAND_FAILED', reason: 'it was spoiled', retryable: false, actor: 'worker/a', command: 'hold' }
    expect(errors).toMatchObject([same, same, same])
    expect(new Set(errors.map(String)).size).toBe(1)
    expect(outside.did).toEqual(['x'])
  })

  test('T10 after a restart between the end of the work and the repetition, the answer is replayed', async () => {
    const { open, world } = setUp(shards)
    const before = await open()
    await before.actor(worker, 'a').ask.work({ text: 'x' }, K)
    const ordered = follow(before.actor(worker, 'a').ask.order({ text: 'y' }, K))
    await world.advance(0)
    expect(ordered()).toBe('y is done')
    world.crash()
    const after = await open()
    expect(await after.actor(worker, 'a').ask.work({ text: 'x' }, K)).toBe(1)
    expect(await after.actor(worker, 'a').ask.order({ text: 'y' }, K)).toBe('y is done')
    expect(outside.did).toEqual(['x', 'y'])
    expect(outside.errands).toHaveLength(1)
  })
})

test('T05 a key that looks like the text of a compound key is not that key', async () => {
  const { open } = setUp()
  const ref = (await open()).actor(worker, 'a')
  await ref.ask.work({ text: 'x' }, { idempotencyKey: ['ann', 'k'] })
  expect(await codeOf(ref.ask.work({ text: 'y' }, { idempotencyKey: '["ann","k"]' }))).toBe(2)
})

describe('T07 the number of records', () => {
  const limits = { idempotencyRecords: 5 }

  test.each([0, 1])('T07 five that are done and a new one, %i ms apart: the oldest goes, and only it', async (ms) => {
    const { open, world } = setUp(1, limits)
    const ref = (await open()).actor(worker, 'a')
    const work = (n: number): Promise<number> => ref.ask.work({ text: `${n}` }, { idempotencyKey: `k${n}` })
    for (let n = 1; n <= 6; n += 1) {
      await work(n)
      await world.advance(ms)
    }
    expect([await work(6), await work(5), await work(4), await work(3), await work(2)]).toEqual([6, 5, 4, 3, 2])
    expect(await work(1)).toBe(7)
  })

  test('T07 five that are being worked on and new ones: none of the five goes', async () => {
    const { open, world } = setUp(1, limits)
    const ref = (await open()).actor(worker, 'a')
    const hold = (n: number): (() => unknown) => follow(ref.ask.hold({ text: `${n}` }, { idempotencyKey: `k${n}`, timeoutMs: HOUR_MS }))
    for (let n = 1; n <= 5; n += 1) hold(n)
    await world.advance(1)
    for (let n = 1; n <= 6; n += 1) await ref.ask.work({ text: 'new' }, { idempotencyKey: `new${n}` })
    const joined = [1, 2, 3, 4, 5].map(hold)
    await world.advance(1)
    expect(await ref.ask.done()).toEqual(['1', '2', '3', '4', '5', 'new', 'new', 'new', 'new', 'new', 'new'])
    for (let n = 1; n <= 5; n += 1) await ref.ask.release({ value: `v${n}` })
    await world.advance(1)
    expect(joined.map((seen) => seen())).toEqual(['v1', 'v2', 'v3', 'v4', 'v5'])
    const repeated = [1, 2, 3, 4, 5].map(hold)
    await world.advance(1)
    expect(repeated.map((seen) => seen())).toEqual(['v1', 'v2', 'v3', 'v4', 'v5'])
  })
})

describe('T08 the lifetime of a record', () => {
  const limits = { idempotencyTtlMs: 10_000 }

  test('T08 it is replayed just before its end, and executed anew exactly at it', async () => {
    const { open, world } = setUp(1, limits)
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.work({ text: 'x' }, K)
    await world.advance(9_999)
    expect(await ref.ask.work({ text: 'x' }, K)).toBe(1)
    await world.advance(1)
    expect(await ref.ask.work({ text: 'x' }, K)).toBe(2)
  })

  test('T08 a replay does not lengthen it, and a restart does not either', async () => {
    const { open, world } = setUp(1, limits)
    await (await open()).actor(worker, 'a').ask.work({ text: 'x' }, K)
    await world.advance(5_000)
    world.crash()
    const ref = (await open()).actor(worker, 'a')
    expect(await ref.ask.work({ text: 'x' }, K)).toBe(1)
    await world.advance(4_999)
    expect(await ref.ask.work({ text: 'x' }, K)).toBe(1)
    await world.advance(1)
    expect(await ref.ask.work({ text: 'x' }, K)).toBe(2)
  })

  test('T08 it counts from the end of the work, however long that took', async () => {
    const { open, world } = setUp(1, limits)
    const ref = (await open()).actor(worker, 'a')
    const held = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(60_000)
    await ref.ask.release({ value: 'y' })
    await world.advance(9_999)
    expect(held()).toBe('y')
    expect(await ref.ask.hold({ text: 'x' }, K)).toBe('y')
    await world.advance(1)
    const anew = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    expect(anew()).toBe('pending')
    expect(outside.did).toEqual(['x', 'x'])
  })
})

test('T09 who joins and cannot wait is told that the work goes on, and later gets its recorded result', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  outside.mood = 'waiting'
  const owner = follow(ref.ask.order({ text: 'x' }, K))
  await world.advance(0)
  const hasty = follow(ref.ask.order({ text: 'x' }, { idempotencyKey: 'k', timeoutMs: 100 }))
  await world.advance(99)
  expect(hasty()).toBe('pending')
  await world.advance(1)
  expect(hasty()).toBe('COMMAND_IN_PROGRESS')
  await world.advance(900)
  outside.errands[0]?.end('late')
  await world.advance(0)
  expect(owner()).toBe('late')
  expect(await ref.ask.order({ text: 'x' }, K)).toBe('late')
  expect(outside.did).toEqual(['x'])
})

describe('a reply that is overdue', () => {
  test('T02 ends everybody who waits for it with REPLY_OVERDUE at its moment, and frees the key', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    const asks = [0, 1, 2].map(() => follow(ref.ask.brief({ text: 'x' }, K)))
    await world.advance(9_999)
    expect(asks.map((seen) => seen())).toEqual(['pending', 'pending', 'pending'])
    await world.advance(1)
    expect(asks.map((seen) => seen())).toEqual(['REPLY_OVERDUE', 'REPLY_OVERDUE', 'REPLY_OVERDUE'])
    expect(outside.did).toEqual(['x'])
    const anew = follow(ref.ask.brief({ text: 'x' }, K))
    await world.advance(0)
    await ref.ask.release({ value: 'y' })
    await world.advance(0)
    expect(anew()).toBe('y')
  })

  test('T02 that comes all the same is counted as late, and reaches nobody', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ask = follow(system.actor(worker, 'a').ask.brief({ text: 'x' }, K))
    await world.advance(10_000)
    expect(ask()).toBe('REPLY_OVERDUE')
    await system.actor(worker, 'a').ask.release({ value: 'late' })
    expect(system.stats().lateResults).toBe(1)
  })

  test('T02 that comes on behalf of one command never answers another that is still open', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(worker, 'a')
    outside.mood = 'waiting'
    const slow = follow(ref.ask.order({ text: 'slow' }, { timeoutMs: HOUR_MS }))
    await world.advance(30_000)
    const other = follow(ref.ask.order({ text: 'other' }, { timeoutMs: HOUR_MS }))
    await world.advance(30_000)
    expect([slow(), other()]).toEqual(['REPLY_OVERDUE', 'pending'])
    outside.errands[0]?.end('result of slow')
    await world.advance(0)
    expect(other()).toBe('pending')
    expect(system.stats().lateResults).toBe(1)
    outside.errands[1]?.end('result of other')
    await world.advance(0)
    expect(other()).toBe('result of other')
  })

  test('T02 after a restart its key is free at the same moment', async () => {
    const { open, world } = setUp()
    follow((await open()).actor(worker, 'a').ask.brief({ text: 'x' }, K))
    await world.advance(5_000)
    world.crash()
    const ref = (await open()).actor(worker, 'a')
    const joined = follow(ref.ask.brief({ text: 'x' }, K))
    await world.advance(4_999)
    expect(joined()).toBe('pending')
    await world.advance(1)
    expect(joined()).toBe('REPLY_OVERDUE')
    expect(await ref.ask.done()).toEqual(['x'])
  })
})

describe('a result', () => {
  test('T06 of an errand that is run again for the dead never answers another command', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(worker, 'a')
    outside.mood = 'failed'
    const first = follow(ref.ask.order({ text: 'first' }))
    await world.advance(5_000)
    expect(first()).toBe('COMMAND_FAILED')
    outside.mood = 'waiting'
    const second = follow(ref.ask.order({ text: 'second' }))
    await world.advance(0)
    expect(await system.deadLetters.replay({ command: 'errand' })).toBe(1)
    await world.advance(1_000)
    outside.errands.at(-1)?.end(`result of ${outside.errands.at(-1)?.text}`)
    await world.advance(0)
    expect(outside.errands.at(-1)?.text).toBe('first')
    expect(second()).toBe('pending')
  })

  test('T02 of an owner that has failed never answers the next owner', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(worker, 'a')
    outside.mood = 'waiting'
    const asks = [0, 1].map(() => follow(ref.ask.order({ text: 'x' }, K)))
    await world.advance(0)
    await ref.ask.spoil({ retryable: true })
    await world.advance(0)
    expect(asks.map((seen) => seen())).toEqual(['COMMAND_FAILED', 'pending'])
    expect(outside.errands).toHaveLength(2)
    outside.errands[0]?.end('of the first')
    await world.advance(0)
    expect(asks[1]?.()).toBe('pending')
    outside.errands[1]?.end('of the second')
    await world.advance(0)
    expect(asks[1]?.()).toBe('of the second')
    expect(system.stats().lateResults).toBe(1)
  })
})

test('T09 who has joined and given up does not become the owner after a failure', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(worker, 'a')
  const owner = follow(ref.ask.hold({ text: 'x' }, K))
  const hasty = [0, 1, 2].map(() => follow(ref.ask.hold({ text: 'x' }, { idempotencyKey: 'k', timeoutMs: 100 })))
  await world.advance(100)
  expect(hasty.map((seen) => seen())).toEqual(['COMMAND_IN_PROGRESS', 'COMMAND_IN_PROGRESS', 'COMMAND_IN_PROGRESS'])
  await ref.ask.spoil({ retryable: true })
  await world.advance(0)
  expect(owner()).toBe('COMMAND_FAILED')
  expect(outside.did).toEqual(['x'])
})

describe('a commit that fails', () => {
  test('G1 T02 under the owner tells it and those who have joined, and frees the key', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await ref.ask.touch()
    world.disk.failCommits('full')
    const asks = [0, 1, 2].map(() => follow(ref.ask.hold({ text: 'x' }, K)))
    await world.advance(0)
    expect(asks.map((seen) => seen())).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'])
    world.disk.failCommits(undefined)
    await world.advance(5_000)
    expect(await ref.ask.done()).toEqual([])
    const again = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    await ref.ask.release({ value: 'y' })
    await world.advance(0)
    expect(again()).toBe('y')
    expect(await ref.ask.done()).toEqual(['x'])
  })

  test('G1 T02 under the reply leaves the work open, and the next result is the answer', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    const owner = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    world.disk.failCommits('full')
    expect(await codeOf(ref.ask.release({ value: 'lost' }))).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(5_000)
    expect(owner()).not.toBe('lost')
    const joined = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    expect(joined()).toBe('pending')
    await ref.ask.release({ value: 'kept' })
    await world.advance(0)
    expect(joined()).toBe('kept')
    expect(outside.did).toEqual(['x'])
  })
})

test('T01 T04 a store that answers later makes no difference', async () => {
  const world = new TestWorld({ wrapStore: (store) => laterStore(store, () => 3) })
  resetOutside()
  onTestFinished(() => world.close())
  const ref = (await world.open(everything)).actor(worker, 'a')
  const asks = fifty((index) =>
    follow(ref.ask.hold({ text: index === 30 ? 'other' : 'x' }, index % 2 === 0 ? K : { ...K, priority: 'high' })),
  )
  await world.advance(1_000)
  expect(asks.filter((seen) => seen() === 'IDEMPOTENCY_CONFLICT')).toHaveLength(1)
  await ref.ask.release({ value: 'y' })
  await world.advance(1_000)
  expect(asks.filter((seen) => seen() === 'y')).toHaveLength(49)
  expect(outside.did).toEqual(['x'])
})

describe('a reservation', () => {
  test('T03 survives that its actor leaves memory', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(worker, 'a')
    const owner = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(30_000)
    expect(system.stats().residentActors).toBe(0)
    const joined = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(30_000)
    expect(await codeOf(ref.ask.hold({ text: 'other' }, K))).toBe('IDEMPOTENCY_CONFLICT')
    await ref.ask.release({ value: 'y' })
    await world.advance(0)
    expect([owner(), joined()]).toEqual(['y', 'y'])
    expect(outside.did).toEqual(['x'])
  })

  test('T03 survives the crash of its thread', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    const owner = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    world.crashThreads()
    const joined = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(1_000)
    expect([owner(), joined()]).toEqual(['SHARD_CRASHED', 'pending'])
    await ref.ask.release({ value: 'y' })
    await world.advance(0)
    expect(joined()).toBe('y')
    expect(outside.did).toEqual(['x'])
  })

  test('T03 of a tell is joined by an ask', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(worker, 'a')
    await ref.tell.hold({ text: 'x' }, { idempotencyKey: 'k' })
    const joined = follow(ref.ask.hold({ text: 'x' }, K))
    await world.advance(0)
    await ref.ask.release({ value: 'y' })
    await world.advance(0)
    expect(joined()).toBe('y')
    expect(outside.did).toEqual(['x'])
  })
})

test('G12 replies that are owed are bounded by the capacity of the mailbox', async () => {
  const { open, world } = setUp()
  const ref = (await open()).actor(narrow, 'a')
  const asks = ['1', '2', '3'].map((text) => follow(ref.ask.hold({ text })))
  await world.advance(0)
  expect(await codeOf(ref.ask.hold({ text: '4' }))).toBe('MAILBOX_FULL')
  expect(await ref.ask.done()).toEqual(['1', '2', '3'])
  await ref.ask.release({ value: 'y' })
  asks.push(follow(ref.ask.hold({ text: '5' })))
  await world.advance(0)
  expect(asks.map((seen) => seen())).toEqual(['y', 'pending', 'pending', 'pending'])
})
