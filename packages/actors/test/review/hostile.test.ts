/** What callers give who mean no good, or do not know better. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AgentTokens } from '../../src/agent-tokens/agent-tokens.ts'
import { defineAgentTokens } from '../../src/agent-tokens/define-agent-tokens.ts'
import { Admission } from '../../src/admission/admission.ts'
import { defineAdmission } from '../../src/admission/define-admission.ts'
import { defineHandles } from '../../src/handles/define-handles.ts'
import { Handles } from '../../src/handles/handles.ts'
import { defineIdempotentEndpoint } from '../../src/idempotency/define-idempotent-endpoint.ts'
import { fingerprintOf } from '../../src/idempotency/fingerprint.ts'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { idempotent } from '../../src/idempotency/node-http.ts'
import { defineTokens } from '../../src/tokens/define-tokens.ts'
import { Tokens } from '../../src/tokens/tokens.ts'

const module = import.meta.url

function worldOf(): TestWorld {
  const world = new TestWorld()
  onTestFinished(() => world.close())
  return world
}

describe('payloads of an endpoint', () => {
  test('T04: bytes are told apart in whichever form they come, and equal ones are equal', () => {
    const bytes = new Uint8Array([0, 1, 2, 3])
    const digest = fingerprintOf('o', bytes)
    expect(fingerprintOf('o', bytes.buffer)).toBe(digest)
    expect(fingerprintOf('o', new DataView(bytes.buffer))).toBe(digest)
    expect(fingerprintOf('o', new DataView(bytes.buffer, 1))).toBe(fingerprintOf('o', bytes.subarray(1)))
    expect(fingerprintOf('o', new Uint8Array([0, 1, 2, 4]).buffer)).not.toBe(digest)
  })

  test('T04: what JSON would make nothing of is refused, at any depth, and plain JSON is not', () => {
    const form = new FormData()
    form.set('article', 'a lamp')
    for (const payload of [form, new Map([['a', 1]]), new Set([1]), new URLSearchParams('a=1'), { part: new Map() }, [/x/], 1n, () => 1]) {
      expect(() => fingerprintOf('o', payload)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field: 'payload' }))
    }
    const plain = [null, undefined, 1, true, [1], { a: { b: [] } }, Object.assign(Object.create(null), { a: 1 }), { at: new Date(0) }]
    expect(new Set(plain.map((payload) => fingerprintOf('o', payload))).size).toBe(plain.length)
  })
})

describe('tokens', () => {
  const use = { principal: 'ada', capability: 'c' }
  async function setUp() {
    const definition = defineTokens({ type: 'tokens', module })
    const system = await worldOf().open({ actors: [definition] })
    return new Tokens(system, definition, { keys: [{ id: 'k', secret: 's'.repeat(40) }] })
  }

  test('a stranger who nests his claims as deep as a token is long hears TokenInvalid or TokenExpired, and nothing breaks', async () => {
    const tokens = await setUp()
    const claims = `"id":"${'a'.repeat(22)}","capability":"c","principal":"ada","issued":1,"expires":2,"auditId":"x","generation":0`
    for (const [open, close, depth] of [
      ['[', ']', 2_900],
      ['{"":', '}', 1_100],
    ] as const) {
      const text = `{${claims},"constraints":{"x":${open.repeat(depth)}1${close.repeat(depth)}}}`
      const token = `k.${Buffer.from(text).toString('base64url')}.${Buffer.alloc(32).toString('base64url')}`
      expect(token.length).toBeLessThanOrEqual(8_192)
      await expect(tokens.verify(token, use)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' })
    }
    await expect(tokens.verify(undefined as unknown as string, use)).rejects.toMatchObject({ code: 'TOKEN_INVALID', reason: 'malformed' })
  })

  test('a constraint comes back whatever its name is', async () => {
    const tokens = await setUp()
    const constraints = JSON.parse('{"__proto__":{"rows":1},"constructor":2}') as { constructor: never }
    const { token } = await tokens.issue({ ...use, constraints })
    const seen = await tokens.verify(token, use)
    expect(JSON.stringify(seen.constraints)).toBe('{"__proto__":{"rows":1},"constructor":2}')
  })

  test('a life that ends beyond all numbers is refused when it is defined', () => {
    expect(() => defineTokens({ type: 'tokens', module, lifeMs: Number.MAX_SAFE_INTEGER })).toThrow(
      expect.objectContaining({ code: 'INVALID_DEFINITION', field: 'lifeMsMax' }),
    )
  })
})

test('a token of an agent that was revoked is not brought back by asking for it again, however late', async () => {
  const world = worldOf()
  const definition = defineAgentTokens({ type: 'agent-tokens', module })
  const tokens = new AgentTokens(await world.open({ actors: [definition] }), definition)
  const request = { agent: 'printer', mode: 'rotate', idempotencyKey: 'k' } as const
  const { token } = await tokens.issue(request)
  await tokens.revoke('printer')
  await world.advance(25 * 3_600_000)
  expect((await tokens.issue(request)).token).toBe(token)
  expect(await tokens.verify('printer', token)).toEqual({ outcome: 'invalid' })
  expect(await tokens.active('printer')).toBeNull()
})

describe('handles', () => {
  async function setUp() {
    const definition = defineHandles({ type: 'handles', module })
    return new Handles(await worldOf().open({ actors: [definition] }), definition)
  }

  test('a scope loses no part of itself, whatever its name is', async () => {
    const handles = await setUp()
    const scope = JSON.parse('{"__proto__":1}') as Record<string, number>
    const { handle } = await handles.store({ rows: [{ y: 2 }], grant: { scope } })
    expect(await handles.expand(handle)).toMatchObject({ outcome: 'expanded', rows: [] })
    await expect(handles.expand(handle, { filter: { y: Number.NaN } })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  test('what is no list of rows is an InvalidInput that names it', async () => {
    const handles = await setUp()
    const refused = { code: 'INVALID_INPUT' }
    for (const rows of [{}, null, [new Date(0)], [[1]], [{ a: 1n }], ['x']]) {
      await expect(handles.store({ rows: rows as never })).rejects.toMatchObject(refused)
    }
  })
})

describe('an admission', () => {
  test('A15: what can never be asked for uses up no rate', async () => {
    const definition = defineAdmission({
      type: 'builds',
      module,
      limit: 5,
      policies: { global: { rates: [{ max: 1, windowMs: 1_000 }] } },
    })
    const admission = new Admission(await worldOf().open({ actors: definition.actors }), definition)
    for (const waitMs of [Number.NaN, 0, -1, 0.5]) {
      const refused = { code: 'INVALID_INPUT', field: 'waitMs' }
      await expect(admission.enqueue({ action: 'a', executionId: `e${waitMs}`, waitMs })).rejects.toMatchObject(refused)
    }
    for (const executionId of ['', 'x'.repeat(201)]) {
      await expect(admission.enqueue({ action: 'a', executionId })).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'executionId' })
    }
    expect(await admission.enqueue({ action: 'a', executionId: 'e', waitMs: Number.POSITIVE_INFINITY })).toMatchObject({
      outcome: 'granted',
    })
  })

  test('A17: a function that answers a rate above what a meter keeps allows nothing', async () => {
    const definition = defineAdmission({
      type: 'builds',
      module,
      limit: 5,
      policies: { global: { rates: [{ max: () => 1_000_000, windowMs: 1_000 }] } },
    })
    const admission = new Admission(await worldOf().open({ actors: definition.actors }), definition)
    expect(await admission.enqueue({ action: 'a', executionId: 'e' })).toMatchObject({ outcome: 'refused', violation: { rule: 'policy' } })
  })
})

test('times that no timer takes are refused when they are defined', () => {
  const forEver = Number.MAX_SAFE_INTEGER
  const wrong = (field: string): unknown => expect.objectContaining({ code: 'INVALID_DEFINITION', field })
  expect(() => defineAdmission({ type: 't', module, limit: 1, waitMs: forEver })).toThrow(wrong('waitMs'))
  expect(() => defineAdmission({ type: 't', module, limit: 1, ttlMs: forEver })).toThrow(wrong('ttlMs'))
  expect(() => defineHandles({ type: 't', module, ttlMs: forEver })).toThrow(wrong('ttlMs'))
  expect(() => defineIdempotentEndpoint({ type: 't', module, leaseMs: forEver })).toThrow(wrong('leaseMs'))
})

test('a name that is no option is refused wherever there are options, those of policies included', () => {
  const wrong = (field: string): unknown => expect.objectContaining({ code: 'INVALID_DEFINITION', field })
  const typo = (rest: object): never => ({ type: 't', module, ...rest }) as never
  expect(() => defineTokens(typo({ ttlMs: 1 }))).toThrow(wrong('ttlMs'))
  expect(() => defineAgentTokens(typo({ mode: 'rotate' }))).toThrow(wrong('mode'))
  expect(() => defineHandles(typo({ lifeMs: 1 }))).toThrow(wrong('lifeMs'))
  expect(() => defineAdmission(typo({ limit: 1, concurrency: 1 }))).toThrow(wrong('concurrency'))
  for (const [policies, field] of [
    [{ action: {} }, 'action'],
    [{ actions: { a: { rate: [] } } }, 'actions.a.rate'],
    [{ global: { concurrency: { limit: 1, mode: 'cancel' } } }, 'global.concurrency.mode'],
    [{ packs: { p: { rates: [{ max: 1, windowMs: 1, burst: 1 }] } } }, 'packs.p.rates.0.burst'],
    [{ global: { quotas: [{ max: 1, periodMs: 1, unit: 1 }] } }, 'global.quotas.0.unit'],
  ] as const) {
    expect(() => defineAdmission(typo({ limit: 1, policies })), field).toThrow(wrong(field))
  }
})

test('an admission does no work for a signal that has fired before', async () => {
  const definition = defineAdmission({ type: 'builds', module, limit: 1 })
  const admission = new Admission(await worldOf().open({ actors: definition.actors }), definition)
  const signal = AbortSignal.abort(new Error('too late'))
  await expect(admission.run({ action: 'a', signal }, () => expect.unreachable())).rejects.toThrow('too late')
  expect(await admission.stats({ action: 'a' })).toBeUndefined()
})

test('a key that is too long is the fault of the client, also where the key is not in the header of that name', async () => {
  const definition = defineIdempotentEndpoint({ type: 'endpoint', module })
  const endpoint = new IdempotentEndpoint(await worldOf().open({ actors: [definition] }), definition)
  const keyOf = ({ headers }: { readonly headers: NodeJS.Dict<string | string[]> }): string => String(headers['x-request'])
  const listener = idempotent(endpoint, { operation: 'o', principalOf: () => 'ada', keyOf }, () => ({ status: 200 }))
  const server = createServer((message, response) => void listener(message, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo // It listens on a port.
  for (const key of ['', 'x'.repeat(256)]) {
    const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'x-request': key, connection: 'close' } })
    expect(status).toBe(400)
  }
})
