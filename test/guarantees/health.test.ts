/** Health: whether every shard can serve now, and what is wrong with those that cannot. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { TestWorld } from '@bailiwick/testkit'
import { StoreUnavailable } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { probe } from '../fixtures/probe.actor.ts'
import { saboteur } from '../fixtures/saboteur.actor.ts'

const READY = { status: 'ready', reasons: [] }

async function openIn(world: TestWorld, options: Partial<Parameters<TestWorld['open']>[0]> = {}): Promise<System> {
  onTestFinished(() => world.close())
  return await world.open({ actors: [ledger], ...options })
}

describe('G11 one shard that cannot serve is named, and no other', () => {
  test('a full disk degrades the shard that meets it, since that moment, until it has room again', async () => {
    const world = new TestWorld({ shards: 3 })
    const system = await openIn(world)
    expect(system.health()).toEqual(READY)
    await world.advance(500)
    world.disk.failCommits('full')
    const since = world.clock.wall()
    expect(await codeOf(system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 }))).toBe('STORE_UNAVAILABLE')
    await world.advance(300)
    const { status, reasons } = system.health()
    expect(status).toBe('degraded')
    expect(reasons).toEqual([
      { shard: expect.any(Number) as number, code: 'STORE_UNAVAILABLE', message: expect.any(String) as string, since },
    ])
    world.disk.failCommits(undefined)
    await world.advance(5_000)
    await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })
    await world.clock.settle()
    expect(system.health()).toEqual(READY)
  })

  test('a thread that died degrades its shards until another one serves', async () => {
    const world = new TestWorld({ shards: 2 })
    const system = await openIn(world)
    world.crashThreadOf(1)
    await world.clock.settle()
    expect(system.health()).toMatchObject({ status: 'degraded', reasons: [{ shard: 1, code: 'SHARD_CRASHED', since: world.clock.wall() }] })
    await world.advance(1_000)
    expect(system.health()).toEqual(READY)
  })

  test('a thread that was given up degrades its shards for good, since its first death', async () => {
    const world = new TestWorld({ shards: 2 })
    const system = await openIn(world, { actors: [ledger], supervision: { threads: { maxRestarts: 0 } } })
    const since = world.clock.wall()
    world.crashThreadOf(0)
    await world.advance(60_000)
    expect(system.health()).toMatchObject({ status: 'degraded', reasons: [{ shard: 0, code: 'SHARD_CRASHED', since }] })
    expect(system.health().reasons[0]?.message).toMatch(/not replaced any more/)
  })

  test('G12 what goes on failing is one reason, since it began', async () => {
    let isBroken = false
    const world = new TestWorld({
      shards: 2,
      wrapStore: (store, shard) => {
        if (isBroken) throw new StoreUnavailable('missing', `shard ${shard} is gone`)
        return store
      },
    })
    const system = await openIn(world, { supervision: { threads: { maxRestarts: Infinity } } })
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    await Promise.all(names.map((name) => system.actor(ledger, name).ask.enter({ sender: 's', n: 1 })))
    isBroken = true
    const crashedAt = world.clock.wall()
    world.crashThreadOf(1)
    await world.advance(1_000)
    const failedAt = world.clock.wall()
    world.disk.failCommits('io')
    for (const name of names) void codeOf(system.actor(ledger, name).ask.enter({ sender: 's', n: 2 }))
    await world.advance(20_000)
    expect(system.health().reasons).toMatchObject([
      { shard: 0, code: 'STORE_UNAVAILABLE', since: failedAt },
      { shard: 1, since: crashedAt },
    ])
    isBroken = false
    world.disk.failCommits(undefined)
    await world.advance(120_000)
    expect(system.health()).toEqual(READY)
  })

  test('a shard that had to begin anew is ready again', async () => {
    const world = new TestWorld()
    const system = await openIn(world)
    await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })
    world.disk.failCommits('io')
    await codeOf(system.actor(ledger, 'a').ask.enter({ sender: 's', n: 2 }))
    await world.clock.settle()
    expect(system.health()).toMatchObject({ status: 'degraded', reasons: [{ code: 'STORE_UNAVAILABLE' }] })
    world.disk.failCommits(undefined)
    await world.advance(60_000)
    expect(system.health()).toEqual(READY)
    expect(await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 2 })).toBe(2)
  })
})

describe('what is nobody else’s business degrades nothing', () => {
  test('neither dead letters nor an actor that is held back', async () => {
    const world = new TestWorld()
    const system = await openIn(world, { actors: [probe], supervision: { actors: { maxRestarts: 0 } } })
    await system.actor(probe, 'a').tell.boom()
    await world.advance(1_000)
    expect(system.stats()).toMatchObject({ held: 1, deadLetters: 1 })
    expect(system.health()).toEqual(READY)
  })
})

describe('the end', () => {
  test('is closing, then closed; also with a shard that was degraded', async () => {
    const world = new TestWorld()
    const system = await openIn(world)
    world.disk.failCommits('full')
    void codeOf(system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 }))
    await world.clock.settle()
    const closing = system.close({ timeoutMs: 100 })
    expect(system.health()).toMatchObject({ status: 'closing', reasons: [{ shard: 0 }] })
    await world.advance(1_000)
    await closing
    expect(system.health()).toEqual({ status: 'closed', reasons: [] })
  })
})

describe('on real threads', () => {
  test('a thread that exits is a reason until it is replaced, and the tap tells both', async () => {
    const { open } = makePlace()
    const system = await open({ actors: [saboteur], supervision: { threads: { backoff: { minMs: 50 } } } })
    const kinds: string[] = []
    system.tap(({ kind, ...event }) => kinds.push('serving' in event ? `${kind} ${event.serving}` : kind), { kinds: ['thread.*'] })
    void codeOf(system.actor(saboteur, 'a').ask.leave())
    const seen = await until(
      () => system.health(),
      ({ status }) => status === 'degraded',
    )
    expect(seen.reasons).toMatchObject([{ shard: 0, code: 'SHARD_CRASHED' }])
    await until(
      () => system.health(),
      ({ status }) => status === 'ready',
    )
    expect(kinds).toEqual(['thread.died saboteur/a leave', 'thread.restarted'])
  })
})
