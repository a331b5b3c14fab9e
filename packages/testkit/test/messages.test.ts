/** Messages between actors, on one shard and across three. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { TestWorld } from '@bailiwick/testkit'
import type { System } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { asker, ghostNode, inbox, mail, node, office, poster, sender, world as outside } from './network.ts'

interface Place {
  readonly world: TestWorld
  readonly open: () => Promise<System>
  /** Lets a promise settle while time stands still. */
  readonly now: <T>(promise: Promise<T>) => Promise<T>
}

function setUp(shards: number): Place {
  const world = new TestWorld({ shards })
  outside.length = 0
  Object.assign(office, { isOpen: true, hang: false })
  onTestFinished(() => world.close())
  return {
    world,
    open: () => world.open({ actors: [inbox, sender, node, poster, asker, ghostNode], effects: [mail] }),
    now: async (promise) => {
      promise.catch(() => undefined)
      await world.advance(0)
      return await promise
    },
  }
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('G3 G5 a tell from actor to actor arrives once and in order', async () => {
    const { open, now, world } = setUp(shards)
    const system = await open()
    for (const to of ['a', 'b', 'c']) await now(system.actor(sender, 's').ask.send({ to, n: 0, times: 50 }))
    await world.advance(0)
    for (const to of ['a', 'b', 'c']) {
      expect(await now(system.actor(inbox, to).ask.notes())).toEqual(Array.from({ length: 50 }, (_none, n) => ({ from: 's', n })))
    }
    expect(system.stats().outbox).toBe(0)
  })

  test('a tell whose input its receiver refuses fails the command of its sender, which changes nothing', async () => {
    const { open, now } = setUp(shards)
    const ref = (await open()).actor(sender, 's')
    expect(await now(codeOf(ref.ask.sendBadly({ to: 'a' })))).toBe('COMMAND_FAILED')
    expect(await now(ref.ask.sent())).toBe(0)
  })

  test('a request is answered as an event, and a deferred reply goes to whom it is owed', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    const ask = (through: string[]): Promise<unknown> => now(system.actor(node, 'n0').ask.ask({ through }))
    expect(await ask([])).toBe('here')
    expect(await ask(['n1'])).toEqual([])
    expect(await ask(['n1', 'n2'])).toEqual([])
    expect(await ask(['n2', 'n3', 'n4'])).toEqual([])
  })

  test('the error of a request comes with its code', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    expect(await now(system.actor(node, 'n0').ask.ask({ through: ['n1'], last: 'missing' }))).toMatchObject({ code: 'COMMAND_FAILED' })
  })

  test.each([
    [1, ['n0']],
    [2, ['n1', 'n0']],
    [3, ['n1', 'n2', 'n0']],
  ])('an ask cycle of length %i is reported at once, with its path', async (_length, through) => {
    const { open, now } = setUp(shards)
    const system = await open()
    const path = ['node/n0', ...through.map((key) => `node/${key}`)]
    expect(await now(system.actor(node, 'n0').ask.ask({ through, last: 'ask' }))).toMatchObject({ code: 'ASK_CYCLE', path })
  })

  test('a command that asks its own actor for itself ends as a cycle instead of running for ever', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    await now(system.actor(node, 'loop').ask.again())
    expect(await now(system.actor(node, 'loop').ask.seen())).toContain('ASK_CYCLE node/loop>node/loop')
  })

  test('an actor without a store asks and answers like any other, and its overdue replies end too', async () => {
    const { open, now, world } = setUp(shards)
    const system = await open()
    const ref = system.actor(ghostNode, 'g')
    expect(await now(ref.ask.ask({ through: [] }))).toBe('here')
    expect(await now(ref.ask.ask({ through: ['n1', 'n2'] }))).toEqual([])
    const held = codeOf(ref.ask.hold())
    const alsoHeld = codeOf(system.actor(node, 'n').ask.hold())
    await world.advance(5_000)
    expect(await now(held)).toBe('REPLY_OVERDUE')
    expect(await now(alsoHeld)).toBe('REPLY_OVERDUE')
    expect(system.stats().awaitingReply).toBe(0)
  })

  test('a child asks another actor and is settled by its answer', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    expect(await now(system.actor(asker, 'a').ask.go({ through: [] }))).toBe(1)
    expect(await now(system.actor(inbox, 'box').ask.notes())).toEqual([{ from: 'asker', n: 1 }])
  })

  test('a child hears of an error with its code', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    await now(system.actor(inbox, 'box').ask.note({ from: 'other', n: 2 }, { idempotencyKey: 'once' }))
    expect(await now(system.actor(asker, 'a').ask.go({ through: [] }))).toBe('IDEMPOTENCY_CONFLICT')
  })

  test('G3 a child that is started again after a crash asks again, and its key makes that once', async () => {
    const { open, now, world } = setUp(shards)
    const before = await open()
    await now(before.actor(inbox, 'box').ask.shut())
    const lost = before.actor(asker, 'a').ask.go({ through: [] }, { idempotencyKey: 'k' })
    lost.catch(() => undefined)
    await world.advance(0)
    world.crash()
    const after = await open()
    const again = after.actor(asker, 'a').ask.go({ through: [] }, { idempotencyKey: 'k' })
    await now(after.actor(inbox, 'box').ask.open())
    expect(await now(again)).toBe(1)
    expect(await now(after.actor(inbox, 'box').ask.notes())).toHaveLength(1)
  })

  test.each([
    [1, ['a']],
    [2, ['b', 'a']],
    [3, ['b', 'c', 'a']],
  ])('an ask cycle of length %i among children is reported at once, with its path', async (_length, through) => {
    const { open, now } = setUp(shards)
    const system = await open()
    const path = ['asker/a', ...through.map((key) => `asker/${key}`)]
    expect(await now(system.actor(asker, 'a').ask.go({ through }))).toBe(`cycle ${path.join('>')}`)
  })

  test('G1 a child is not settled before the commit of its answer', async () => {
    const { open, now, world } = setUp(shards)
    const system = await open()
    const asked = codeOf(system.actor(asker, 'a').ask.go({ through: [] }, { timeoutMs: 60_000 }))
    world.disk.failCommits('full')
    await world.advance(50)
    expect(await now(asked)).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(2_000)
    expect(await now(system.actor(inbox, 'box').ask.notes())).toEqual([])
  })

  test('G10 an effect runs after the commit, and its result is an event', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    await now(system.actor(poster, 'p').ask.post({ text: 'hello' }))
    await now(Promise.resolve())
    expect(outside).toMatchObject([{ attempt: 1, text: 'hello' }])
    expect(await now(system.actor(poster, 'p').ask.tally())).toEqual({ done: 1, failed: [] })
    expect(system.stats()).toMatchObject({ outbox: 0, effects: { running: 0, done: 1, failed: 0 } })
  })

  test('G11 an effect whose thread dies in every attempt is given up after the last, and kept as a dead letter', async () => {
    const { open, now, world } = setUp(shards)
    const system = await open()
    office.hang = true
    await now(system.actor(poster, 'p').ask.post({ text: 'deadly' }))
    for (let death = 0; death < 3; death += 1) {
      world.crashThreads()
      await world.advance(1_000)
    }
    expect(outside).toHaveLength(3)
    expect(await now(system.actor(poster, 'p').ask.tally())).toEqual({ done: 0, failed: ['SHARD_CRASHED'] })
    expect(await now(system.deadLetters.list())).toMatchObject([{ kind: 'effect', command: 'mail', reason: 'failed' }])
  })

  test('a reply to a command that is none, and a missing definition, fail the command and say so', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    await expect(now(system.actor(node, 'n').ask.misspell())).rejects.toThrow(/"aks" is no command with a deferred reply/)
    await expect(now(system.actor(node, 'n').ask.undefine())).rejects.toThrow(
      /is undefined: between modules that import each other, give a function/,
    )
  })

  test('a deferred reply may wait for an effect', async () => {
    const { open, now } = setUp(shards)
    const system = await open()
    expect(await now(system.actor(poster, 'p').ask.order({ text: 'hello' }))).toBe(5)
  })
})
