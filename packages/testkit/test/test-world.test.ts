/** The kernel in one thread, on a clock and a disk that the test controls: faults at exact moments, and no waiting. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { System } from '@bailiwick/kernel'
import { laterStore, TestWorld } from '../src/index.ts'
import type { TestWorldOptions } from '../src/index.ts'
import { codeOf } from './code-of.ts'
import { counter, journal } from './fixtures.ts'

const worlds: TestWorld[] = []

function setUp(options: TestWorldOptions = {}): { readonly world: TestWorld; readonly open: () => Promise<System> } {
  const world = new TestWorld(options)
  worlds.push(world)
  return { world, open: () => world.open({ actors: [counter] }) }
}

beforeEach(() => {
  journal.length = 0
})

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

describe('a commit that fails', () => {
  test('G1 is answered with StoreUnavailable, and nobody has seen anything: no action ran, no state changed', async () => {
    const { world, open } = setUp()
    const system = await open()
    const ref = system.actor(counter, 'a')
    expect(await ref.ask.add({ n: 1 })).toBe(1)
    world.disk.failCommits('full')
    expect(await codeOf(ref.ask.add({ n: 10 }))).toBe('STORE_UNAVAILABLE')
    expect(journal).toEqual(['note 1'])
    world.disk.failCommits(undefined)
    await world.advance(1_000)
    expect(await ref.ask.seen()).toEqual([1])
  })

  test('goes on by itself once the fault is gone', async () => {
    const { world, open } = setUp()
    const system = await open()
    world.disk.failCommits('busy')
    expect(await codeOf(system.actor(counter, 'a').ask.add({ n: 1 }))).toBe('STORE_UNAVAILABLE')
    const waiting = system.actor(counter, 'a').ask.add({ n: 2 })
    await world.clock.settle()
    world.disk.failCommits(undefined)
    await world.advance(2_000)
    expect(await waiting).toBe(2)
  })

  test('G3 lets stored tells that it had served wait again, in their order, and handles each once', async () => {
    const { world } = setUp()
    const system = await world.open({ actors: [counter], limits: { batchCommands: 2 } })
    const ref = system.actor(counter, 'a')
    await Promise.all([1, 2, 3, 4, 5].map((n) => ref.tell.add({ n })))
    world.disk.failCommits('full')
    await world.advance(100)
    world.disk.failCommits(undefined)
    await world.advance(2_000)
    expect(await ref.ask.seen()).toEqual([1, 2, 3, 4, 5])
  })

  test('stops the shard after an I/O error, because nobody knows what a failed fsync has written, and opens it anew', async () => {
    const { world, open } = setUp()
    const system = await open()
    world.disk.failCommits('io')
    expect(await codeOf(system.actor(counter, 'a').ask.add({ n: 1 }))).toBe('STORE_UNAVAILABLE')
    expect(await codeOf(system.actor(counter, 'b').ask.add({ n: 1 }))).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(1_000)
    expect(await codeOf(system.actor(counter, 'b').ask.add({ n: 1 }))).toBe(1)
    expect(await system.actor(counter, 'a').ask.seen()).toEqual([])
    world.crash()
    expect(await (await open()).actor(counter, 'b').ask.seen()).toEqual([1])
  })

  test('refuses a tell that could not be accepted, and does not handle it later', async () => {
    const { world, open } = setUp()
    const system = await open()
    world.disk.failCommits('full')
    expect(await codeOf(system.actor(counter, 'a').tell.add({ n: 1 }))).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(2_000)
    expect(await system.actor(counter, 'a').ask.seen()).toEqual([])
  })
})

describe('a crash', () => {
  test('G2 loses nothing that was acknowledged', async () => {
    const { world, open } = setUp({ shards: 3 })
    const before = await open()
    const keys = Array.from({ length: 20 }, (_none, index) => `k${index}`)
    await Promise.all(keys.map((key, index) => before.actor(counter, key).ask.add({ n: index })))
    world.crash()
    const after = await open()
    const totals = await Promise.all(keys.map((key) => after.actor(counter, key).ask.seen()))
    expect(totals).toEqual(keys.map((_key, index) => [index]))
  })

  test('of the threads alone fails pending calls once, and the system serves again', async () => {
    const { world, open } = setUp()
    const system = await open()
    const ref = system.actor(counter, 'a')
    expect(await ref.ask.add({ n: 1 })).toBe(1)
    const pending = codeOf(ref.ask.add({ n: 2 }))
    await Promise.resolve()
    world.crashThreads()
    const next = ref.ask.add({ n: 3 })
    await world.advance(1_000)
    expect(['SHARD_CRASHED', 3]).toContain(await pending)
    expect([4, 6]).toContain(await next)
  })
})

describe('time', () => {
  test('G9 a delayed transition fires at its original deadline, also after a crash, and not early', async () => {
    const { world, open } = setUp()
    await (await open()).actor(counter, 'a').ask.arm()
    await world.advance(20_000)
    world.crash()
    const system = await open()
    await world.advance(39_000)
    expect(await system.actor(counter, 'a').ask.state()).toBe('armed')
    await world.advance(1_000)
    expect(await system.actor(counter, 'a').ask.state()).toBe('rung')
    expect(journal).toEqual(['rung'])
  })

  test('G9 a timer that came due while nothing ran fires once after the start', async () => {
    const { world, open } = setUp()
    await (await open()).actor(counter, 'a').ask.arm()
    world.crash()
    await world.advance(3_600_000)
    const system = await open()
    await world.advance(1)
    expect(await system.actor(counter, 'a').ask.state()).toBe('rung')
    expect(journal).toEqual(['rung'])
  })

  test('G9 leaving the state cancels its timer', async () => {
    const { world, open } = setUp()
    const ref = (await open()).actor(counter, 'a')
    await ref.ask.arm()
    await world.advance(59_000)
    await ref.ask.disarm()
    await world.advance(120_000)
    expect(await ref.ask.state()).toBe('idle')
    expect(journal).toEqual([])
  })

  test('G9 a cancel beats a tick that is already queued', async () => {
    const { world, open } = setUp()
    const ref = (await open()).actor(counter, 'a')
    await ref.ask.race()
    await world.advance(60_000)
    expect(journal).toEqual(['left'])
  })

  test('an actor leaves memory after idleMs, and comes back with its state', async () => {
    const { world, open } = setUp()
    const system = await open()
    await system.actor(counter, 'a').ask.add({ n: 5 })
    expect(system.stats().residentActors).toBe(1)
    await world.advance(20_000)
    expect(system.stats().residentActors).toBe(0)
    expect(await system.actor(counter, 'a').ask.seen()).toEqual([5])
  })

  test('T08 a recorded outcome is replayed until its lifetime ends, and is gone exactly then', async () => {
    const { world, open } = setUp()
    const ref = (await open()).actor(counter, 'a')
    await ref.ask.add({ n: 1 }, { idempotencyKey: 'k' })
    await world.advance(24 * 3_600_000 - 1)
    expect(await ref.ask.add({ n: 1 }, { idempotencyKey: 'k' })).toBe(1)
    await world.advance(1)
    expect(await ref.ask.add({ n: 1 }, { idempotencyKey: 'k' })).toBe(2)
  })

  test('an ask without an answer ends with AskTimeout after exactly its time', async () => {
    const { world, open } = setUp({
      wrapStore: (store) => ({
        ...laterStore(store, () => 1),
        recover: (now) => store.recover(now),
        commit: () => new Promise(() => undefined),
      }),
    })
    const system = await open()
    let outcome: unknown
    void codeOf(system.actor(counter, 'a').ask.add({ n: 1 }, { timeoutMs: 500 })).then((code) => {
      outcome = code
    })
    await world.advance(499)
    expect(outcome).toBeUndefined()
    await world.advance(1)
    expect(outcome).toBe('ASK_TIMEOUT')
  })
})

describe('a store that answers later', () => {
  test('G5 keeps the order of commands that arrive while it loads and commits', async () => {
    let seed = 7
    const rounds = (): number => (seed = (seed * 48_271) % 2_147_483_647) % 5
    const { world, open } = setUp({ wrapStore: (store) => laterStore(store, rounds) })
    const system = await open()
    const ref = system.actor(counter, 'a')
    const asks: Promise<number>[] = []
    for (let n = 1; n <= 50; n += 1) {
      asks.push(ref.ask.add({ n }, n % 3 === 0 ? { idempotencyKey: `k${n}` } : {}))
      if (n % 7 === 0) await world.clock.settle()
    }
    await Promise.all(asks)
    expect(await ref.ask.seen()).toEqual(Array.from({ length: 50 }, (_none, index) => index + 1))
  })

  test('G3 executes commands with one key once, whatever overtakes them while it looks', async () => {
    const { open } = setUp({ wrapStore: (store) => laterStore(store, () => 3) })
    const system = await open()
    const ref = system.actor(counter, 'a')
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_none, index) =>
        ref.ask.add({ n: 1 }, { idempotencyKey: 'same', priority: index % 2 === 0 ? 'low' : 'urgent' }),
      ),
    )
    expect(new Set(answers)).toEqual(new Set([1]))
    expect(await ref.ask.seen()).toEqual([1])
  })
})
