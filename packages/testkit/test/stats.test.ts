/** Counters that add up, shard by shard, and over threads that were replaced. */
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { TestWorld } from '@bailiwick/testkit'
import type { System, SystemStats } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { courier, everything, narrow, outside, resetOutside, worker } from './delivery.ts'

function setUp(shards: number): { readonly world: TestWorld; readonly open: () => Promise<System> } {
  const world = new TestWorld({ shards })
  resetOutside()
  return { world, open: () => world.open(everything) }
}

/** What has become of the commands and queries that were sent. */
function settled({ handled, rejected, failed, full, replayed, duplicates }: SystemStats): number {
  return handled + rejected + failed + full + replayed + duplicates
}

function waiting({ lanes }: Pick<SystemStats, 'lanes'>): number {
  return Object.values(lanes).reduce((total, { depth }) => total + depth, 0)
}

type Step =
  | { readonly kind: 'ask' | 'tell' | 'risky' | 'fails' | 'only' | 'note' | 'query' | 'shut' | 'open' | 'read'; readonly key: string }
  | { readonly kind: 'keyed' | 'delivery' | 'natural'; readonly key: string; readonly name: string }
  | { readonly kind: 'narrow'; readonly key: string }
  | { readonly kind: 'messages'; readonly key: string; readonly count: number }
  | { readonly kind: 'wait'; readonly key: string; readonly ms: number }

const key = fc.constantFrom('a', 'b', 'c', 'd')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('ask', 'tell', 'risky', 'fails', 'only', 'note', 'query', 'shut', 'open', 'read'), key }),
  fc.record({ kind: fc.constantFrom('keyed', 'delivery', 'natural'), key, name: fc.constantFrom('1', '2', '3') }),
  fc.record({ kind: fc.constant('narrow'), key }),
  fc.record({ kind: fc.constant('messages'), key, count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('wait'), key, ms: fc.integer({ min: 0, max: 3_000 }) }),
)

/** Takes a step; answers how many commands and queries it sends. */
function take(system: System, world: TestWorld, taken: Step): { readonly sent: number; readonly over: Promise<unknown> } {
  const ref = system.actor(worker, taken.key)
  const text = 'x'
  const one = (call: Promise<unknown>): { readonly sent: number; readonly over: Promise<unknown> } => ({ sent: 1, over: codeOf(call) })
  switch (taken.kind) {
    case 'ask':
      return one(ref.ask.work({ text }))
    case 'tell':
      return one(ref.tell.work({ text }))
    case 'risky':
      return one(ref.ask.risky({ text }))
    case 'fails':
      outside.faults += 1
      return one(ref.tell.risky({ text }))
    case 'only':
      return one(ref.ask.only({ text }))
    case 'note':
      return one(ref.tell.note({ text }))
    case 'query':
      return one(ref.ask.done())
    case 'shut':
      return one(ref.ask.shut())
    case 'open':
      return one(ref.ask.open())
    case 'read':
      return { sent: 0, over: codeOf(ref.snapshot()) }
    case 'keyed':
      return one(ref.ask.work({ text }, { idempotencyKey: taken.name }))
    case 'delivery':
      return one(ref.tell.work({ text }, { deliveryId: taken.name }))
    case 'natural':
      return one(ref.tell.work({ text }, { naturalKey: taken.name, deliveryId: `of ${taken.name}` }))
    case 'narrow': {
      const few = system.actor(narrow, taken.key)
      const calls = [few.ask.rest(), ...['1', '2', '3', '4', '5'].map((each) => few.tell.note({ text: each }))]
      return { sent: calls.length, over: Promise.all(calls.map(codeOf)) }
    }
    case 'messages': {
      const texts = Array.from({ length: taken.count }, () => text)
      return { sent: 1 + taken.count, over: codeOf(system.actor(courier, 'c').ask.send({ to: taken.key, command: 'note', texts })) }
    }
    case 'wait':
      return { sent: 0, over: world.advance(taken.ms) }
  }
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('what was sent is what was handled, rejected, failed, full, replayed or a duplicate, and what waits', async () => {
    const run = async (steps: readonly Step[]): Promise<void> => {
      const { world, open } = setUp(shards)
      try {
        const system = await open()
        let sent = 0
        const calls: Promise<unknown>[] = []
        for (const each of steps) {
          const taken = take(system, world, each)
          sent += taken.sent
          calls.push(taken.over)
          if (each.kind === 'wait') await taken.over
        }
        await world.advance(1_000)
        const now = system.stats()
        expect({ ...now, sum: settled(now) + waiting(now) }).toMatchObject({ sum: sent })
        // In the end everything is open, and nothing waits.
        for (const name of ['a', 'b', 'c', 'd']) calls.push(codeOf(system.actor(worker, name).ask.open()))
        sent += 4
        await world.advance(60_000)
        await Promise.all(calls)
        const end = system.stats()
        expect({ ...end, sum: settled(end) }).toMatchObject({ sum: sent, pendingCalls: 0, held: 0, tapLost: 0 })
        expect(waiting(end)).toBe(0)
        expect(end.perShard.map(({ shard }) => shard)).toEqual(Array.from({ length: shards }, (_none, index) => index))
        for (const field of ['residentActors', 'held'] as const) {
          expect(end.perShard.reduce((total, values) => total + values[field], 0)).toBe(end[field])
        }
        expect(end.perShard.reduce((total, { batches }) => total + batches.count, 0)).toBe(end.batches.count)
      } finally {
        await world.close()
      }
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), run), { numRuns: 60 })
  }, 60_000)

  test('counts go on where a thread was replaced, and what is there now is counted anew', async () => {
    const { world, open } = setUp(shards)
    onTestFinished(() => world.close())
    const system = await open()
    for (const name of ['a', 'b', 'c']) await system.actor(worker, name).ask.work({ text: 'x' })
    const before = system.stats()
    expect(before).toMatchObject({ handled: 3, residentActors: 3, activations: 3, threads: shards })
    world.crashThreads()
    await world.clock.settle()
    expect(system.stats()).toMatchObject({ handled: 3, residentActors: 0 })
    expect(system.stats().perShard.map(({ thread }) => thread)).toEqual(Array.from({ length: shards }, () => 'waiting'))
    await world.advance(1_000)
    await system.actor(worker, 'a').ask.work({ text: 'y' })
    const after = system.stats()
    expect(after).toMatchObject({ handled: 4, residentActors: 1, activations: 4 })
    expect(after.batches.count).toBeGreaterThan(before.batches.count)
    expect(after.perShard.every(({ thread }) => thread === 'running')).toBe(true)
  })

  test('a thread that was given up is none', async () => {
    const { world } = setUp(shards)
    onTestFinished(() => world.close())
    const system = await world.open({ ...everything, supervision: { threads: { maxRestarts: 0 } } })
    world.crashThreadOf(0)
    await world.clock.settle()
    expect(system.stats()).toMatchObject({ threads: shards - 1, shards })
    expect(system.stats().perShard[0]?.thread).toBe('abandoned')
  })

  test('depth and oldest age are known for each shard and lane', async () => {
    const { world, open } = setUp(shards)
    onTestFinished(() => world.close())
    const system = await open()
    const ref = system.actor(worker, 'a')
    await ref.ask.shut()
    await ref.tell.note({ text: 'x' })
    await ref.tell.note({ text: 'y' }, { priority: 'low' })
    await world.advance(5_000)
    const { lanes, perShard } = system.stats()
    expect(lanes.normal).toEqual({ depth: 1, oldestAgeMs: 5_000 })
    expect(lanes.low.depth).toBe(1)
    expect(perShard.filter((shard) => waiting(shard) > 0)).toHaveLength(1)
  })
})
