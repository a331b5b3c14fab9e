import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { keyOfHeader } from '../../src/idempotency/key-header.ts'
import { idempotent } from '../../src/idempotency/node-http.ts'
import type { HttpHandler, HttpOptions } from '../../src/idempotency/node-http.ts'
import { ordersEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { temporaryDirectory } from './place.ts'

let system: System
const { path, remove } = temporaryDirectory()

beforeAll(async () => {
  system = await openSystem({ directory: path, actors: [ordersEndpoint] })
})

afterAll(async () => {
  await system.close()
  remove()
})

/** A server with this handler, and a client of it. */
async function serve(handler: HttpHandler, options: Partial<HttpOptions> = {}) {
  const listener = idempotent(
    new IdempotentEndpoint(system, ordersEndpoint),
    { operation: expect.getState().currentTestName ?? '', principalOf: ({ headers }) => headers.authorization, ...options },
    handler,
  )
  const server = createServer((message, response) => void listener(message, response))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return async (headers: Record<string, string> = {}, body = 'a lamp', to = '/orders') =>
    await fetch(`http://127.0.0.1:${port}${to}`, { method: 'POST', headers: { authorization: 'ada', ...headers }, body })
}

const key = { 'Idempotency-Key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' }

describe('an idempotent endpoint of node:http', () => {
  test('T01: concurrent requests with one key are served once and answered alike', async () => {
    let served = 0
    const post = await serve(async ({ body }) => {
      served += 1
      await new Promise((resolve) => setTimeout(resolve, 30))
      return { status: 201, headers: { location: `/orders/${served}`, 'set-cookie': 'a=b' }, body: `ordered ${String(body)}` }
    })
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(key)))
    expect(served).toBe(1)
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('location'), await answer.text()]).toEqual([201, '/orders/1', 'ordered a lamp'])
    }
    const replayed = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')
    expect(replayed).toHaveLength(9)
    expect(replayed.map(({ headers }) => headers.get('set-cookie'))).toEqual(Array.from({ length: 9 }, () => null))
  })

  test('T04: another body, or another address, under the same key is answered with 422', async () => {
    const post = await serve(() => ({ status: 200 }))
    await post(key)
    for (const answer of [await post(key, 'two lamps'), await post(key, 'a lamp', '/orders?fast')]) {
      expect(answer.status).toBe(422)
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(await answer.json()).toMatchObject({ code: 'KEY_CONFLICT', status: 422 })
    }
  })

  test('T09: while the first is in progress, a repeat that has waited is answered with 409 and Retry-After', async () => {
    const end = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<undefined>()
    const post = await serve(
      async () => {
        begun.resolve(undefined)
        await end.promise
        return { status: 200, body: 'done' }
      },
      { waitMs: 20 },
    )
    const first = post(key)
    await begun.promise
    const second = await post(key)
    expect([second.status, second.headers.get('retry-after')]).toEqual([409, '1'])
    end.resolve(undefined)
    expect(await (await first).text()).toBe('done')
    expect(await (await post(key)).text()).toBe('done')
  })

  test('T06: a handler that throws is answered with 500 that says nothing of its inside, and may be tried again', async () => {
    const errors: unknown[] = []
    let served = 0
    const post = await serve(
      () => {
        served += 1
        if (served === 1) throw new Error('password: 1234')
        return { status: 200 }
      },
      { onError: (error) => void errors.push(error) },
    )
    const first = await post(key)
    expect([first.status, (await first.text()).includes('1234')]).toEqual([500, false])
    expect(errors).toMatchObject([{ message: 'password: 1234' }])
    expect((await post(key)).status).toBe(200)
  })

  test('a request without a key, with a malformed one, or of nobody is refused; without a key it may pass', async () => {
    let served = 0
    const handler: HttpHandler = ({ epoch }) => {
      served += 1
      return { status: 200, body: String(epoch) }
    }
    const strict = await serve(handler)
    expect((await strict()).status).toBe(400)
    expect((await strict({ 'Idempotency-Key': '""' })).status).toBe(400)
    expect((await strict({ ...key, authorization: '' })).status).toBe(401)
    expect(served).toBe(0)
    const lax = await serve(handler, { onMissingKey: 'pass' })
    expect([await (await lax()).text(), await (await lax()).text(), served]).toEqual(['0', '0', 2])
    const nobody = await serve(handler, { principalOf: () => undefined })
    expect((await nobody(key)).status).toBe(401)
  })

  test('a body that is too large is answered with 413 and not read to its end', async () => {
    const post = await serve(() => ({ status: 200 }), { bodyBytesMax: 10 })
    expect((await post(key, 'x'.repeat(11))).status).toBe(413)
    expect((await post(key, 'x'.repeat(10))).status).toBe(200)
  })

  test('when a client leaves, its work goes on, and the answer is there when it comes back', async () => {
    const end = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<undefined>()
    let served = 0
    const post = await serve(async () => {
      served += 1
      begun.resolve(undefined)
      await end.promise
      return { status: 200, body: `${served}` }
    })
    const address = await post().then(({ url }) => url)
    const left = new AbortController()
    const first = fetch(address, { method: 'POST', headers: { authorization: 'ada', ...key }, body: 'a lamp', signal: left.signal })
    await begun.promise
    left.abort()
    await expect(first).rejects.toThrow()
    end.resolve(undefined)
    const second = await post(key)
    expect([await second.text(), second.headers.get('idempotent-replayed')]).toEqual(['1', 'true'])
  })
})

test('the header is a string of structured fields; one without quotes is taken as it is', () => {
  const read = (value: string) => keyOfHeader('op', value)
  expect([read('"a\\"b\\\\"'), read(' "k 1" '), read('k-1'), keyOfHeader('op', undefined)]).toEqual(['a"b\\', 'k 1', 'k-1', undefined])
  for (const wrong of ['', '""', '"a', 'a b', '"a", "b"', 'ä', '"ä"', `"${'k'.repeat(256)}"`]) {
    expect(() => read(wrong)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
  }
})
