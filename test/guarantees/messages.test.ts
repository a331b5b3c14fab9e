/** Messages between actors on real threads and SQLite files, on one shard and across three. */
import { describe, expect, test } from 'vitest'
import type { System } from '@bailiwick/kernel'
import { node, relay } from '../fixtures/network.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'

const KEYS = ['a', 'b', 'c', 'd'] as const

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_none, index) => index + 1)
}

/** What every relay has taken, once it is as much as was sent. */
async function taken(system: System, wanted: number): Promise<Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>> {
  const look = async (): Promise<Record<string, Readonly<Record<string, readonly number[]>>>> => {
    const states = await Promise.all(KEYS.map((key) => system.actor(relay, key).ask.taken()))
    return Object.fromEntries(KEYS.map((key, index) => [key, states[index] ?? {}]))
  }
  const count = (seen: Awaited<ReturnType<typeof look>>): number =>
    Object.values(seen)
      .flatMap((streams) => Object.values(streams))
      .reduce((sum, stream) => sum + stream.length, 0)
  return await until(look, (seen) => count(seen) >= wanted, 15_000)
}

describe.each([1, 3])('messages between actors on %i shards', (shards) => {
  test('G3 G5 arrive once and in order, each stream for itself', async () => {
    const { open } = makePlace()
    const system = await open({ actors: [relay], shards })
    await Promise.all(KEYS.flatMap((from) => KEYS.map((to) => system.actor(relay, from).ask.send({ to, count: 50 }))))
    const seen = await taken(system, KEYS.length * KEYS.length * 50)
    for (const to of KEYS) {
      for (const from of KEYS) {
        const stream = seen[to]?.[`${from} normal`] ?? []
        expect(stream).toHaveLength(50)
        expect(stream).toEqual(stream.toSorted((left, right) => left - right))
      }
    }
    await until(
      () => system.stats().outbox,
      (outbox) => outbox === 0,
    )
  })

  test('G3 G5 also while threads die', { timeout: 60_000 }, async () => {
    const { open } = makePlace()
    const system = await open({ actors: [relay], shards })
    const sends = KEYS.flatMap((from) => KEYS.map((to) => ({ from, to })))
    const send = async ({ from, to }: (typeof sends)[number]): Promise<void> => {
      // A careful caller: the same key until it is acknowledged.
      for (;;) {
        const outcome = await codeOf(system.actor(relay, from).ask.send({ to, count: 20 }, { idempotencyKey: `to ${to}` }))
        if (outcome === undefined) return
        expect(outcome).toBe('SHARD_CRASHED')
      }
    }
    const sending = Promise.all(sends.map(send))
    void codeOf(system.actor(relay, 'a').ask.die())
    await sending
    void codeOf(system.actor(relay, 'b').ask.die())
    const settled = async (): Promise<Awaited<ReturnType<typeof taken>> | undefined> => {
      try {
        return await taken(system, KEYS.length * KEYS.length * 20)
      } catch {
        return undefined
      }
    }
    const seen = await until(settled, (state) => state !== undefined, 30_000)
    for (const to of KEYS) {
      for (const from of KEYS) {
        const stream = seen?.[to]?.[`${from} normal`] ?? []
        expect(stream).toHaveLength(20)
        expect(stream).toEqual(stream.toSorted((left, right) => left - right))
      }
    }
  })

  test('G6 the more urgent of them overtake the less urgent that wait', async () => {
    const { open } = makePlace()
    const system = await open({ actors: [relay], shards })
    await Promise.all((['low', 'urgent'] as const).map((lane) => system.actor(relay, 'a').ask.send({ to: 'b', count: 100, lane })))
    const seen = await until(
      () => system.actor(relay, 'b').ask.taken(),
      (streams) => Object.values(streams).reduce((sum, stream) => sum + stream.length, 0) === 200,
    )
    expect(seen['a low']).toEqual(upTo(100))
    expect(seen['a urgent']).toEqual(upTo(100).map((n) => n + 100))
  })

  test('a request is answered through as many actors as it takes', async () => {
    const { open } = makePlace()
    const system = await open({ actors: [node], shards })
    expect(await system.actor(node, 'a').ask.ask({ through: [] })).toBe('a')
    expect(await system.actor(node, 'a').ask.ask({ through: ['b', 'c', 'd'] })).toBe('a b c d')
  })

  test.each([
    [1, ['a']],
    [2, ['b', 'a']],
    [3, ['b', 'c', 'a']],
  ])('an ask cycle of length %i is reported at once, with its path', async (_length, through) => {
    const { open } = makePlace()
    const system = await open({ actors: [node], shards })
    const startedAt = performance.now()
    const found = await system.actor(node, 'a').ask.ask({ through }, { timeoutMs: 20_000 })
    expect(found).toMatchObject({ code: 'ASK_CYCLE', path: ['node/a', ...through.map((key) => `node/${key}`)] })
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })
})
