/** Guarantees G12 and G13 on real threads and SQLite files. */
import { describe, expect, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { ghost, probe } from '../fixtures/probe.actor.ts'

describe('G12 everything that waits is bounded, and hitting a bound is a named outcome', () => {
  test('G12 a full mailbox refuses with its capacity, and what it had accepted is handled', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    const outcomes = await Promise.allSettled(Array.from({ length: 1_500 }, (_none, index) => ref.ask.mark({ text: `${index}` })))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(500)
    expect(refused[0]?.reason).toMatchObject({ code: 'MAILBOX_FULL', actor: 'probe/a', scope: 'mailbox', capacity: 1_000 })
    expect(await ref.ask.marks()).toHaveLength(1_000)
  })

  test('G12 a shard has a bound of its own', async () => {
    const { open } = makePlace()
    const system = await open({ limits: { waitingCommands: 10 } })
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_none, index) => codeOf(system.actor(probe, `k${index}`).ask.mark({ text: 'x' }))),
    )
    expect(outcomes.filter((outcome) => outcome === 'MAILBOX_FULL')).toHaveLength(20)
    expect(system.stats().full).toBe(20)
  })

  test('G12 so have the calls that wait for an answer', async () => {
    const { open } = makePlace()
    const system = await open({ limits: { pendingCalls: 5 } })
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => codeOf(system.actor(probe, 'a').ask.mark({ text: 'x' }))))
    expect(outcomes).toEqual([1, 2, 3, 4, 5, 'MAILBOX_FULL', 'MAILBOX_FULL', 'MAILBOX_FULL'])
  })

  test('G12 actors in memory stay within their limit, and come back with their state', async () => {
    const { open } = makePlace()
    const system = await open({ limits: { residentActors: 50 } })
    const refs = Array.from({ length: 300 }, (_none, index) => system.actor(ledger, `k${index}`))
    await Promise.all(refs.map((ref) => ref.ask.enter({ sender: 's', n: 1 })))
    // Actors leave memory after the answers of their batch.
    await until(
      () => system.stats().residentActors,
      (resident) => resident <= 50,
    )
    expect(new Set(await Promise.all(refs.map((ref) => ref.ask.enter({ sender: 's', n: 2 }))))).toEqual(new Set([2]))
  })

  test('G12 a consumer of changes that falls behind is cut off with SlowConsumer, and nobody waits for it', async () => {
    const { open } = makePlace()
    const ref = (await open({ limits: { batchCommands: 1 } })).actor(probe, 'a')
    const changes = ref.changes()
    expect((await changes.next()).value).toMatchObject({ status: 'active', value: 'idle' })
    for (let n = 0; n < 3; n += 1) await Promise.all(Array.from({ length: 500 }, () => ref.ask.mark({ text: 'x' })))
    const drain = async (): Promise<void> => {
      for await (const change of changes) void change
    }
    expect(await codeOf(drain())).toBe('SLOW_CONSUMER')
  })

  test('G12 depth and oldest age are visible while commands wait', async () => {
    const { open } = makePlace()
    const system = await open()
    void codeOf(system.actor(probe, 'a').ask.spin())
    for (let n = 0; n < 10; n += 1) void codeOf(system.actor(probe, 'b').ask.mark({ text: 'x' }))
    expect(system.stats().pendingCalls).toBe(11)
    expect((await system.close({ timeoutMs: 50 })).abandonedCalls).toBe(11)
  })
})

describe('G13 close always returns, and says how', () => {
  test('G13 politely, after every pending call has its answer', async () => {
    const { open } = makePlace()
    const system = await open()
    const asks = Array.from({ length: 500 }, () => system.actor(probe, 'a').ask.mark({ text: 'x' }))
    expect(await system.close()).toEqual({ outcome: 'polite', abandonedCalls: 0 })
    expect(await Promise.all(asks)).toHaveLength(500)
    expect(await codeOf(system.actor(probe, 'a').ask.marks())).toBe('SYSTEM_CLOSED')
  })

  test('G13 by force, where a transition never returns', async () => {
    const { open } = makePlace()
    const system = await open()
    const spinning = codeOf(system.actor(probe, 'a').ask.spin())
    const startedAt = performance.now()
    expect(await system.close({ timeoutMs: 200 })).toEqual({ outcome: 'forced', abandonedCalls: 1 })
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(await spinning).toBe('SYSTEM_CLOSED')
    const again = await open()
    expect(await again.actor(probe, 'a').ask.marks()).toEqual([])
  })

  test('G13 with children that never end', async () => {
    const { open } = makePlace()
    const system = await open()
    await system.actor(probe, 'a').ask.hang()
    expect(await system.close()).toEqual({ outcome: 'polite', abandonedCalls: 0 })
  })

  test('G13 twice, with one report; and the directory is free afterwards', async () => {
    const { open } = makePlace()
    const system = await open()
    expect(await Promise.all([system.close(), system.close()])).toEqual(
      Array.from({ length: 2 }, () => ({ outcome: 'polite', abandonedCalls: 0 })),
    )
    expect((await open()).stats().epoch).toBe(2)
  })

  test('G13 a system is opened and closed many times at once', async () => {
    const places = Array.from({ length: 6 }, () => makePlace())
    const reports = await Promise.all(
      places.map(async ({ open }) => {
        const system = await open({ shards: 2 })
        await system.actor(probe, 'a').ask.mark({ text: 'x' })
        return await system.close()
      }),
    )
    expect(reports).toEqual(places.map(() => ({ outcome: 'polite', abandonedCalls: 0 })))
  })
})

describe('shards and threads', () => {
  test('a directory made with three shards is served by one thread, and by three again', async () => {
    const { open } = makePlace()
    const keys = Array.from({ length: 30 }, (_none, index) => `k${index}`)
    const expectAll = async (shards: number, n: number): Promise<void> => {
      const system = await open({ shards })
      expect(system.stats()).toMatchObject({ shards: 3, threads: shards })
      expect(new Set(await Promise.all(keys.map((key) => system.actor(ledger, key).ask.enter({ sender: 's', n }))))).toEqual(new Set([n]))
      await system.close()
    }
    await expectAll(3, 1)
    await expectAll(1, 2)
    await expectAll(3, 3)
  })

  test('a thread that dies of a stray error is replaced, and its pending calls fail once', async () => {
    const { open } = makePlace()
    const system = await open()
    const ref = system.actor(probe, 'a')
    await ref.ask.mark({ text: 'kept' })
    await codeOf(ref.ask.stray())
    const marks = await until(
      () => codeOf(ref.ask.marks({}, { timeoutMs: 2_000 })),
      (seen) => Array.isArray(seen),
    )
    expect(marks).toEqual(['kept'])
  })

  test('volatile actors answer without a store, and refuse idempotency keys', async () => {
    const { open } = makePlace()
    const system = await open()
    expect(await system.actor(ghost, 'g').ask.mark({ text: 'x' })).toBe(1)
    expect(await codeOf(system.actor(ghost, 'g').ask.mark({ text: 'x' }, { idempotencyKey: 'k' }))).toBe('INVALID_INPUT')
    await system.close()
    expect(await (await open()).actor(ghost, 'g').ask.mark({ text: 'x' })).toBe(1)
  })
})
