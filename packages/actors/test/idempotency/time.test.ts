/** What depends on time, on a clock that the test moves. */
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import type { EndpointResponse } from '../../src/idempotency/response.ts'
import { smallEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { frozenSurroundings, virtualSurroundings } from './surroundings.ts'

async function open() {
  const world = new TestWorld()
  onTestFinished(() => world.close())
  const system = await world.open({ actors: [smallEndpoint] })
  return { world, system, endpoint: new IdempotentEndpoint(system, smallEndpoint, virtualSurroundings(world)) }
}

const request = { principal: 'ada', operation: 'POST /orders', key: 'k1', payload: 'a lamp' }

/** Work that ends when it is told, and how it went. */
function work() {
  const end = Promise.withResolvers<EndpointResponse>()
  const begun: { readonly epoch: number; readonly signal: AbortSignal }[] = []
  const run = (context: { readonly epoch: number; readonly signal: AbortSignal }): Promise<EndpointResponse> => {
    begun.push(context)
    return end.promise
  }
  return { end, begun, run }
}

describe('an idempotent endpoint in time', () => {
  test('T03: when the owner is dead its lease ends, the next caller owns with epoch + 1, and what the dead one completes late is refused', async () => {
    const { world, system, endpoint } = await open()
    const dead = work()
    const paused = new IdempotentEndpoint(system, smallEndpoint, frozenSurroundings(9))
    const late = paused.handle(request, dead.run)
    await world.advance(0)
    expect(dead.begun).toMatchObject([{ epoch: 1 }])

    const next = work()
    const second = endpoint.handle(request, next.run)
    await world.advance(299)
    expect(next.begun).toEqual([])
    await world.advance(250)
    expect(next.begun).toMatchObject([{ epoch: 2 }])

    dead.end.resolve({ status: 200, body: 'late' })
    await expect(late).rejects.toMatchObject({ code: 'RESERVATION_LOST', epoch: 1, retryable: true })
    next.end.resolve({ status: 200, body: 'in time' })
    expect(await second).toMatchObject({ outcome: 'executed', epoch: 2, body: 'in time' })
    expect(await endpoint.handle(request, next.run)).toMatchObject({ outcome: 'replayed', body: 'in time' })
  })

  test('T03: after a crash of the whole process the same holds in the next one', async () => {
    const { world, endpoint } = await open()
    const dead = work()
    void endpoint.handle(request, dead.run).catch(() => undefined)
    await world.advance(0)
    expect(dead.begun).toHaveLength(1)
    world.crash()

    const system = await world.open({ actors: [smallEndpoint] })
    const after = new IdempotentEndpoint(system, smallEndpoint, virtualSurroundings(world, 2))
    const next = work()
    const second = after.handle(request, next.run)
    await world.advance(600)
    expect(next.begun).toMatchObject([{ epoch: 2 }])
    next.end.resolve({ status: 200 })
    expect(await second).toMatchObject({ outcome: 'executed', epoch: 2 })
  })

  test('work that takes longer than a lease keeps it, because it is renewed', async () => {
    const { world, endpoint } = await open()
    const long = work()
    const first = endpoint.handle(request, long.run)
    await world.advance(0)
    const second = endpoint.handle({ ...request, waitMs: 10_000 }, () => ({ status: 500 }))
    await world.advance(5_000)
    expect(long.begun[0]?.signal.aborted).toBe(false)
    long.end.resolve({ status: 200, body: 'at last' })
    expect(await first).toMatchObject({ outcome: 'executed' })
    await world.advance(250)
    expect(await second).toMatchObject({ outcome: 'replayed', body: 'at last' })
  })

  test('an owner that has lost its reservation is told by its signal', async () => {
    const { world, system, endpoint } = await open()
    const long = work()
    const first = endpoint.handle(request, long.run)
    await world.advance(0)
    // As if somebody else had taken it while this one was not scheduled.
    await system.actor(smallEndpoint, ['ada', 'POST /orders']).ask.release({ name: nameOf(await names(system)), epoch: 1 })
    await world.advance(100)
    expect(long.begun[0]?.signal.aborted).toBe(true)
    expect(long.begun[0]?.signal.reason).toMatchObject({ code: 'RESERVATION_LOST' })
    long.end.resolve({ status: 200 })
    await expect(first).rejects.toMatchObject({ code: 'RESERVATION_LOST' })
  })

  test('T09: who has waited for its time gets an error that says when to come back, and the answer is replayed later', async () => {
    const { world, endpoint } = await open()
    const long = work()
    const first = endpoint.handle(request, long.run)
    await world.advance(0)
    let refused: unknown
    void endpoint.handle({ ...request, waitMs: 100 }, long.run).catch((error: unknown) => (refused = error))
    await world.advance(99)
    expect(refused).toBeUndefined()
    await world.advance(1)
    expect(refused).toMatchObject({ code: 'KEY_IN_PROGRESS', status: 409, retryable: true, retryAfterMs: 1_000 })
    await world.advance(900)
    long.end.resolve({ status: 201 })
    await first
    expect(await endpoint.handle(request, long.run)).toMatchObject({ outcome: 'replayed', status: 201 })
    expect(long.begun).toHaveLength(1)
  })

  test('T08: at one millisecond before its time an answer is replayed, at it the work is done anew', async () => {
    const { world, endpoint } = await open()
    const slow = work()
    const first = endpoint.handle(request, slow.run)
    await world.advance(30_000)
    slow.end.resolve({ status: 200, body: 'old' })
    await first
    await world.advance(59_999)
    expect(await endpoint.handle(request, () => ({ status: 200, body: 'new' }))).toMatchObject({ outcome: 'replayed', body: 'old' })
    await world.advance(1)
    expect(await endpoint.handle(request, () => ({ status: 200, body: 'new' }))).toMatchObject({ outcome: 'executed', body: 'new' })
  })

  test('T07: the cap is that of the principal and the operation, and what is in progress is never forgotten', async () => {
    const { world, system, endpoint } = await open()
    const answer = (body: string) => () => ({ status: 200, body })
    for (let number = 1; number <= 6; number += 1) await endpoint.handle({ ...request, key: `k${number}` }, answer(`${number}`))
    expect(await endpoint.handle({ ...request, key: 'k2' }, answer('again'))).toMatchObject({ outcome: 'replayed', body: '2' })
    expect(await endpoint.handle({ ...request, key: 'k1' }, answer('again'))).toMatchObject({ outcome: 'executed' })

    const busy = { ...request, principal: 'bob' }
    const works = Array.from({ length: 6 }, () => work())
    const calls = works.map((one, index) => endpoint.handle({ ...busy, key: `k${index}` }, one.run))
    await world.advance(0)
    expect(await system.actor(smallEndpoint, ['bob', 'POST /orders']).ask.size()).toMatchObject({ keys: 6, completed: 0 })
    await expect(endpoint.handle({ ...busy, key: 'k7' }, answer(''))).rejects.toMatchObject({ code: 'TOO_MANY_IN_PROGRESS', status: 503 })
    for (const { end } of works) end.resolve({ status: 200 })
    expect((await Promise.all(calls)).map(({ outcome }) => outcome)).toEqual(Array.from({ length: 6 }, () => 'executed'))
  })

  async function names(system: Awaited<ReturnType<typeof open>>['system']) {
    const { context } = await system.actor(smallEndpoint, ['ada', 'POST /orders']).snapshot()
    return Object.keys(context.inProgress)
  }

  function nameOf([name]: readonly string[]): string {
    return name ?? ''
  }
})
