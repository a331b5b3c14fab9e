/** The endpoint on real threads and files. What depends on time is in `time.test.ts`. */
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { defineIdempotentEndpoint } from '../../src/idempotency/define-idempotent-endpoint.ts'
import { ordersEndpoint, smallEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { place, temporaryDirectory } from './place.ts'

/** One system for all: each test has a principal of its own, and so an actor of its own. */
let system: System
let endpoint: IdempotentEndpoint
let small: IdempotentEndpoint
let request = { principal: '', operation: 'POST /orders', key: 'k1', payload: { article: 'lamp', pieces: 2 } }
let tests = 0
const shared = temporaryDirectory()

async function open(directory: string): Promise<System> {
  return await openSystem({ directory, actors: [ordersEndpoint, smallEndpoint], shards: 2 })
}

beforeAll(async () => {
  system = await open(shared.path)
  endpoint = new IdempotentEndpoint(system, ordersEndpoint)
  small = new IdempotentEndpoint(system, smallEndpoint)
})

afterAll(async () => {
  await system.close()
  shared.remove()
})

beforeEach(() => {
  tests += 1
  request = { ...request, principal: `principal ${tests}` }
})

describe('an idempotent endpoint', () => {
  test('T01: of fifty calls with one key over four workers one does the work, and all get its answer with its status', async () => {
    const workers = Array.from({ length: 4 }, () => new IdempotentEndpoint(system, ordersEndpoint))
    let done = 0
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_none, index) =>
        workers[index % 4]!.handle(request, async () => {
          done += 1
          await new Promise((resolve) => setTimeout(resolve, 60))
          return { status: 201, headers: { Location: '/orders/1' }, body: `order ${done}` }
        }),
      ),
    )
    expect(done).toBe(1)
    expect(answers.filter(({ outcome }) => outcome === 'executed')).toHaveLength(1)
    for (const { status, headers, body, epoch } of answers) {
      expect({ status, headers, body, epoch }).toEqual({ status: 201, headers: { location: '/orders/1' }, body: 'order 1', epoch: 1 })
    }
  })

  test('T02: an owner that throws is told so, one of those who wait does the work, and the key is not poisoned', async () => {
    let begun = 0
    const work = async () => {
      begun += 1
      const mine = begun
      await new Promise((resolve) => setTimeout(resolve, 30))
      if (mine === 1) throw new Error('the printer is out of paper')
      return { status: 200, body: `attempt ${mine}` }
    }
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => endpoint.handle(request, work)))
    expect(begun).toBe(2)
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ message: 'the printer is out of paper' }) },
    ])
    const bodies = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.body] : []))
    expect(bodies).toEqual(Array.from({ length: 5 }, () => 'attempt 2'))
    expect(await endpoint.handle(request, work)).toMatchObject({ outcome: 'replayed', body: 'attempt 2' })
  })

  test('T04: another payload under the same key is refused, in progress and completed, and nothing is executed', async () => {
    const other = { ...request, payload: { article: 'lamp', pieces: 3 } }
    const never = () => {
      throw new Error('executed')
    }
    const finish = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<undefined>()
    const first = endpoint.handle(request, async () => {
      begun.resolve(undefined)
      await finish.promise
      return { status: 200 }
    })
    await begun.promise
    await expect(endpoint.handle(other, never)).rejects.toMatchObject({ code: 'KEY_CONFLICT', status: 422, retryable: false })
    finish.resolve(undefined)
    await first
    await expect(endpoint.handle(other, never)).rejects.toMatchObject({ code: 'KEY_CONFLICT' })
    // The same payload, written in another order, is the same payload.
    expect(await endpoint.handle({ ...request, payload: { pieces: 2, article: 'lamp' } }, never)).toMatchObject({ outcome: 'replayed' })
  })

  test('T05: the same key of another operation or another principal is another key', async () => {
    const bodies: unknown[] = []
    for (const change of [{}, { operation: 'POST /refunds' }, { principal: 'bob' }, { key: 'k2' }]) {
      const answer = await endpoint.handle({ ...request, ...change }, () => ({ status: 200, body: JSON.stringify(change) }))
      expect(answer.outcome).toBe('executed')
      bodies.push(answer.body)
    }
    expect(new Set(bodies).size).toBe(4)
  })

  test('T06: a deterministic 400 is answered again without executing; a 500 and a 429 are executed again', async () => {
    let executed = 0
    const answering = (status: number) => () => {
      executed += 1
      return { status, body: `answer ${executed}` }
    }
    expect(await endpoint.handle(request, answering(400))).toMatchObject({ outcome: 'executed', status: 400 })
    expect(await endpoint.handle(request, answering(200))).toMatchObject({ outcome: 'replayed', status: 400, body: 'answer 1' })
    for (const [index, status] of [500, 429, 201].entries()) {
      const answer = await endpoint.handle({ ...request, key: 'k2' }, answering(status))
      expect(answer).toMatchObject({ outcome: 'executed', status, body: `answer ${index + 2}` })
    }
    expect(await endpoint.handle({ ...request, key: 'k2' }, answering(200))).toMatchObject({ outcome: 'replayed', status: 201 })
  })

  test('headers and bytes come back as they were, but cookies and what belongs to a connection do not', async () => {
    const bytes = new Uint8Array([0, 255, 10, 128])
    const headers = {
      'Content-Type': 'application/octet-stream',
      'X-Order': ['1', '2'],
      'Set-Cookie': 'a=b',
      Date: 'today',
      'X-Else': 'no',
    }
    const first = await small.handle(request, () => ({ status: 200, headers, body: bytes }))
    expect(first.headers['set-cookie']).toBe('a=b')
    const again = await small.handle(request, () => ({ status: 500 }))
    expect(again.headers).toEqual({ 'content-type': 'application/octet-stream', 'x-order': ['1', '2'] })
    expect(again.body).toEqual(bytes)
    expect(await small.handle({ ...request, key: 'empty' }, () => ({ status: 204 }))).toMatchObject({ status: 204, body: undefined })
    expect(await small.handle({ ...request, key: 'empty' }, () => ({ status: 500 }))).toMatchObject({ status: 204, body: undefined })
  })

  test('an answer that is too large is an error for everybody, and the work is not done twice', async () => {
    let executed = 0
    const work = () => {
      executed += 1
      return { status: 200, body: 'x'.repeat(101) }
    }
    for (let times = 0; times < 2; times += 1) {
      const error = { code: 'RESPONSE_TOO_LARGE', answered: 200, bytes: 101, bytesMax: 100 }
      await expect(small.handle(request, work)).rejects.toMatchObject(error)
    }
    expect(executed).toBe(1)
  })

  test('T10: an answer survives a restart between completion and retry', async () => {
    const directory = place()
    const before = await open(directory)
    await new IdempotentEndpoint(before, ordersEndpoint).handle(request, () => ({ status: 201, body: 'kept' }))
    await before.close()
    await using after = await open(directory)
    const again = await new IdempotentEndpoint(after, ordersEndpoint).handle(request, () => ({ status: 500 }))
    expect(again).toMatchObject({ outcome: 'replayed', status: 201, body: 'kept' })
  })

  test('whoever waits may stop waiting, and wrong requests are refused before anything is sent', async () => {
    const finish = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<undefined>()
    const owner = endpoint.handle(request, async () => {
      begun.resolve(undefined)
      await finish.promise
      return { status: 200 }
    })
    await begun.promise
    const stop = new AbortController()
    const waiter = endpoint.handle({ ...request, signal: stop.signal }, () => ({ status: 200 }))
    stop.abort(new Error('gone'))
    await expect(waiter).rejects.toThrow('gone')
    finish.resolve(undefined)
    await owner
    for (const wrong of [
      { key: '' },
      { key: 'k'.repeat(256) },
      { principal: 'p'.repeat(1_100) },
      { fingerprint: 'both' },
      { waitMs: -1 },
    ]) {
      const refused = endpoint.handle({ ...request, ...wrong }, () => ({ status: 200 }))
      await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    }
    const nonsense = endpoint.handle({ ...request, key: 'k9' }, () => ({ status: 99 }))
    await expect(nonsense).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'status' })
  })

  test('a definition of another kind, and a misspelt rule, are refused by name', () => {
    const options = { type: 'x', module: import.meta.url, ttl: 5 }
    expect(() => defineIdempotentEndpoint(options)).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION', field: 'ttl' }))
  })
})
