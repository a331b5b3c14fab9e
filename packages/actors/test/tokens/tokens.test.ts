/** Tokens by the virtual clock: time, order of errors, bounds, secrets. */
import { TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { defineTokens } from '../../src/tokens/define-tokens.ts'
import { Tokens } from '../../src/tokens/tokens.ts'
import type { TokensOptions } from '../../src/tokens/tokens.ts'
import { sessionTokens } from '../fixtures/session-tokens.actor.ts'
import { fewTokens } from '../fixtures/small-tokens.actor.ts'
import { codeOf, surroundingsAt } from './place.ts'

const SECRET = 'a secret of thirty-two bytes, or more'
const NEWER = 'another secret, which is as long as that'
const keys = [{ id: 'k1', secret: SECRET }]
const use = { principal: 'ada', capability: 'read' }
const everything: TestSystemOptions = { actors: [sessionTokens, fewTokens] }

async function setUp(definition = sessionTokens) {
  const world = new TestWorld()
  onTestFinished(() => world.close())
  const system = await world.open(everything)
  const make = (given: TokensOptions): Tokens =>
    new Tokens(
      system,
      definition,
      given,
      surroundingsAt(() => world.clock.wall()),
    )
  return { world, system, make, tokens: make({ keys }) }
}

/** The same claims with another capability, under the old signature. */
function tampered(token: string): string {
  const [key = '', claims = '', signature = ''] = token.split('.')
  const text = Buffer.from(claims, 'base64url').toString('utf8').replace('"capability":"read"', '"capability":"rule"')
  return [key, Buffer.from(text).toString('base64url'), signature].join('.')
}

describe('the order of errors', () => {
  test('W06 revoked, expired and tampered is revoked; then expired; then invalid, as each cause is removed', async () => {
    const { world, tokens } = await setUp()
    const [revoked, expired] = [await tokens.issue(use), await tokens.issue(use)]
    await tokens.revoke(revoked.claims)
    await world.advance(3_600_000)
    const fresh = await tokens.issue({ principal: 'bob', capability: 'read' })
    expect(await codeOf(tokens.verify(tampered(revoked.token), use))).toBe('TOKEN_REVOKED')
    expect(await codeOf(tokens.verify(tampered(expired.token), use))).toBe('TOKEN_EXPIRED')
    expect(await codeOf(tokens.verify(tampered(fresh.token), use))).toBe('TOKEN_INVALID')
    expect(await codeOf(tokens.verify(fresh.token, { ...use, capability: 'write' }))).toBe('TOKEN_PRINCIPAL_MISMATCH')
    expect(await codeOf(tokens.verify(fresh.token, { principal: 'bob', capability: 'write' }))).toBe('TOKEN_CAPABILITY_MISMATCH')
    expect(await tokens.verify(fresh.token, { principal: 'bob', capability: 'read' })).toEqual(fresh.claims)
  })

  test('an error names the token only if its signature was right', async () => {
    const { tokens } = await setUp()
    const { token, claims } = await tokens.issue(use)
    await tokens.revoke(claims)
    await expect(tokens.verify(token, use)).rejects.toMatchObject({ code: 'TOKEN_REVOKED', id: claims.id })
    await expect(tokens.verify(tampered(token), use)).rejects.toMatchObject({ code: 'TOKEN_REVOKED', id: null })
  })

  test('with signatureFirst a forged token is invalid whatever else is wrong with it, and no actor is asked', async () => {
    const { system, tokens, make } = await setUp()
    const { token, claims } = await tokens.issue(use)
    await tokens.revoke(claims)
    const before = system.stats().handled
    const strict = make({ keys, signatureFirst: true })
    expect(await codeOf(strict.verify(tampered(token), use))).toBe('TOKEN_INVALID')
    expect(system.stats().handled).toBe(before)
    expect(await codeOf(strict.verify(token, use))).toBe('TOKEN_REVOKED')
  })

  test.each([
    ['nothing', ''],
    ['words', 'Bearer of good news'],
    ['two parts', 'k1.e30'],
    ['claims that are none', `k1.${Buffer.from('{"id":1}').toString('base64url')}.AA`],
    ['one that is too long', `k1.${'A'.repeat(9_000)}.AA`],
  ])('%s is invalid before anything else', async (_what, text) => {
    const { system, tokens } = await setUp()
    const before = system.stats().handled
    await expect(tokens.verify(text, use)).rejects.toMatchObject({ code: 'TOKEN_INVALID', reason: 'malformed' })
    expect(system.stats().handled).toBe(before)
  })

  test('a token has one text: another encoding of the same bytes is none', async () => {
    const { tokens } = await setUp()
    const { token } = await tokens.issue(use)
    await expect(tokens.verify(`${token}=`, use)).rejects.toMatchObject({ reason: 'malformed' })
  })
})

describe('time', () => {
  test('a token lives for an hour where nobody says, and is expired at the very millisecond', async () => {
    const { world, tokens } = await setUp()
    const { token, claims } = await tokens.issue(use)
    expect(claims.expires - claims.issued).toBe(3_600_000)
    await world.advance(3_599_999)
    await tokens.verify(token, use)
    expect(tokens.verifyLocally(token, use)).toEqual(claims)
    await world.advance(1)
    expect(await codeOf(tokens.verify(token, use))).toBe('TOKEN_EXPIRED')
    expect(() => tokens.verifyLocally(token, use)).toThrow('expired')
  })

  test('a life beyond what the definition allows is refused', async () => {
    const { tokens } = await setUp(fewTokens)
    expect(await codeOf(tokens.issue({ ...use, lifeMs: 20_001 }))).toBe('INVALID_INPUT')
    const { claims } = await tokens.issue({ ...use, lifeMs: 20_000 })
    expect(claims.expires - claims.issued).toBe(20_000)
  })

  test('W17 what is swept has expired: a revoked token stays revoked until then, and by its generation for ever', async () => {
    const { world, tokens } = await setUp(fewTokens)
    const long = await tokens.issue({ ...use, lifeMs: 20_000 })
    const short = await tokens.issue({ ...use, lifeMs: 5_000 })
    await tokens.revoke(long.claims)
    await tokens.revoke(short.claims)
    // Each of these sweeps.
    for (let seconds = 1; seconds < 20; seconds += 1) {
      await world.advance(1_000)
      await tokens.issue({ ...use, lifeMs: 1 })
      expect(await codeOf(tokens.verify(long.token, use))).toBe('TOKEN_REVOKED')
    }
    await world.advance(1_000)
    await tokens.issue({ ...use, lifeMs: 1 })
    expect(await codeOf(tokens.verify(long.token, use))).toBe('TOKEN_EXPIRED')
  })

  test('what has expired frees its place, and is forgotten', async () => {
    const { world, system, tokens } = await setUp(fewTokens)
    for (let round = 0; round < 10; round += 1) {
      for (let number = 0; number < 4; number += 1) await tokens.issue(use)
      await world.advance(10_000)
    }
    await tokens.issue(use)
    const { context } = await system.actor(fewTokens, 'ada').snapshot()
    expect(Object.keys(context.live)).toHaveLength(1)
  })
})

describe('bounds', () => {
  test('more unexpired tokens than a principal may have are refused, and none of the others suffers', async () => {
    const { tokens } = await setUp(fewTokens)
    const issued = await Promise.all([1, 2, 3, 4].map(() => tokens.issue(use)))
    await expect(tokens.issue(use)).rejects.toMatchObject({ code: 'TOKEN_LIMIT_REACHED', principal: 'ada', limit: 4 })
    for (const { token } of issued) await tokens.verify(token, use)
    await tokens.issue({ principal: 'bob', capability: 'read' })
  })

  test('more revocations than are remembered revoke nothing less: what was not issued here counts no more, what was still does', async () => {
    const { world, tokens } = await setUp(fewTokens)
    const elsewhere = await setUp(fewTokens)
    const foreign = await elsewhere.tokens.issue({ ...use, lifeMs: 20_000 })
    const [kept, ...revoked] = await Promise.all([1, 2, 3, 4].map(() => tokens.issue(use)))
    await tokens.verify(foreign.token, use)
    for (const { claims } of revoked) expect(await tokens.revoke(claims)).toBe(1)
    for (const { token } of revoked) expect(await codeOf(tokens.verify(token, use))).toBe('TOKEN_REVOKED')
    expect(await codeOf(tokens.verify(foreign.token, use))).toBe('TOKEN_REVOKED')
    await tokens.verify(kept?.token ?? '', use)
    // When everything that existed then has expired, tokens from elsewhere count again.
    await world.advance(20_000)
    await elsewhere.world.advance(20_000)
    const later = await elsewhere.tokens.issue(use)
    await tokens.verify(later.token, use)
  })

  test('ids without end that were never issued are bounded too', async () => {
    const { system, tokens } = await setUp(fewTokens)
    for (let number = 0; number < 50; number += 1) {
      expect(await tokens.revoke({ principal: 'ada', id: String(number).padStart(22, 'x') })).toBe(0)
    }
    const { context } = await system.actor(fewTokens, 'ada').snapshot()
    expect(Object.keys(context.revoked).length).toBeLessThanOrEqual(2)
  })

  test.each([
    ['lifeMs', { lifeMs: 0 }],
    ['lifeMsMax', { lifeMs: 10, lifeMsMax: 9 }],
    ['liveMax', { liveMax: 0.5 }],
    ['revokedMax', { revokedMax: -1 }],
  ])('a rule that makes no sense is named: %s', (field, rules) => {
    expect(() => defineTokens({ type: 'wrong', module: import.meta.url, ...rules })).toThrow(
      expect.objectContaining({ code: 'INVALID_DEFINITION', field }),
    )
  })

  test('a principal without a name, and constraints that make the token too long, are refused', async () => {
    const { tokens } = await setUp()
    expect(await codeOf(tokens.issue({ principal: '', capability: 'read' }))).toBe('INVALID_INPUT')
    expect(await codeOf(tokens.issue({ ...use, constraints: { text: 'x'.repeat(5_000) } }))).toBe('INVALID_INPUT')
  })
})

describe('secrets', () => {
  test('none is loud', async () => {
    const { make } = await setUp()
    expect(() => make({})).toThrow(expect.objectContaining({ code: 'TOKEN_SECRET_MISSING' }))
    expect(() => make({ keys: [] })).toThrow(expect.objectContaining({ code: 'TOKEN_SECRET_MISSING' }))
  })

  test('one for development warns, and verifies nowhere else', async () => {
    const { make } = await setUp()
    const warn = vi.fn<(message: string) => void>()
    const tokens = make({ developmentSecret: true, warn })
    expect(warn).toHaveBeenCalledOnce()
    const { token } = await tokens.issue(use)
    await tokens.verify(token, use)
    const other = make({ developmentSecret: true, warn })
    await expect(other.verify(token, use)).rejects.toMatchObject({ code: 'TOKEN_INVALID', reason: 'signature' })
  })

  test.each([
    ['too short', [{ id: 'k1', secret: 'short' }], 'keys.0.secret'],
    ['without a name', [{ id: 'k.1', secret: SECRET }], 'keys.0.id'],
    ['two of one name', [...keys, { id: 'k1', secret: NEWER }], 'keys.1.id'],
  ])('one that is %s is refused, and not shown', async (_what, given, field) => {
    const { make } = await setUp()
    expect(() => make({ keys: given })).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field }))
  })

  test('the newest signs, older ones still verify, and one that was taken away does not', async () => {
    const { make, tokens } = await setUp()
    const { token } = await tokens.issue(use)
    const both = make({ keys: [{ id: 'k2', secret: NEWER }, ...keys] })
    await both.verify(token, use)
    const newer = await both.issue(use)
    expect(newer.token).toMatch(/^k2\./)
    await expect(tokens.verify(newer.token, use)).rejects.toMatchObject({ code: 'TOKEN_INVALID', reason: 'unknown-key' })
    const after = make({ keys: [{ id: 'k2', secret: NEWER }] })
    await after.verify(newer.token, use)
    expect(await codeOf(after.verify(token, use))).toBe('TOKEN_INVALID')
  })

  test('a printed facade shows none', async () => {
    const { inspect } = await import('node:util')
    const { tokens } = await setUp()
    expect(inspect(tokens, { depth: 9, showHidden: true })).not.toContain(SECRET)
  })
})

describe('asking again under a key', () => {
  test('answers the same token, through any facade, and it counts once', async () => {
    const { make, tokens } = await setUp()
    const request = { ...use, constraints: { rows: 5 }, idempotencyKey: 'r1' }
    const first = await tokens.issue(request)
    expect(await make({ keys }).issue(request)).toEqual(first)
    expect(await tokens.revokeAll('ada', { idempotencyKey: 'all' })).toBe(1)
    expect(await tokens.revokeAll('ada', { idempotencyKey: 'all' })).toBe(1)
    expect(await tokens.revokeAll('ada')).toBe(0)
  })

  test('for something else is a conflict', async () => {
    const { tokens } = await setUp()
    await tokens.issue({ ...use, idempotencyKey: 'r1' })
    expect(await codeOf(tokens.issue({ ...use, capability: 'write', idempotencyKey: 'r1' }))).toBe('IDEMPOTENCY_CONFLICT')
  })
})

test('the state of a principal survives a crash, journal and snapshots alike', async () => {
  const { world, tokens } = await setUp()
  const issued = []
  for (let number = 0; number < 250; number += 1) issued.push(await tokens.issue({ ...use, lifeMs: 86_400_000 }))
  for (const { claims } of issued.slice(0, 100)) await tokens.revoke(claims)
  world.crash()
  const again = new Tokens(await world.open(everything), sessionTokens, { keys })
  expect(await codeOf(again.verify(issued[99]?.token ?? '', use))).toBe('TOKEN_REVOKED')
  await again.verify(issued[100]?.token ?? '', use)
  expect(await again.revokeAll('ada')).toBe(150)
})
