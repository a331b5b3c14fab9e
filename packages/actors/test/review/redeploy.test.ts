/** The same directory, opened again by code whose rules are others. */
import { TestWorld } from '@bailiwick/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { defineIdempotentEndpoint } from '../../src/idempotency/define-idempotent-endpoint.ts'
import type { EndpointRules } from '../../src/idempotency/rules.ts'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { defineRateLimiter } from '../../src/rate-limiter/define-rate-limiter.ts'
import { defineTokens } from '../../src/tokens/define-tokens.ts'
import type { TokensRules } from '../../src/tokens/define-tokens.ts'
import { Tokens } from '../../src/tokens/tokens.ts'
import { RateLimiter } from '../../src/rate-limiter/rate-limiter.ts'
import { virtualSurroundings } from '../idempotency/surroundings.ts'

const module = import.meta.url

function worldOf(): TestWorld {
  const world = new TestWorld()
  onTestFinished(() => world.close())
  return world
}

async function endpointOf(world: TestWorld, prefix: number, rules: EndpointRules) {
  const definition = defineIdempotentEndpoint({ type: 'endpoint', module, ...rules })
  const system = await world.open({ actors: [definition] })
  const endpoint = new IdempotentEndpoint(system, definition, virtualSurroundings(world, prefix))
  return async (key: string, body: string, until?: Promise<unknown>) =>
    await endpoint.handle({ principal: 'ada', operation: 'o', key }, async () => {
      await until
      return { status: 200, body }
    })
}

test('T10: an answer is replayed after a restart with a smaller bound of what may be in progress', async () => {
  const world = worldOf()
  const before = await endpointOf(world, 1, { inProgressMax: 4 })
  await before('first', 'first')
  const gate = Promise.withResolvers<unknown>()
  const answers = ['a', 'b', 'c'].map(async (key) => await before(key, key, gate.promise))
  await world.advance(0)
  gate.resolve(undefined)
  expect((await Promise.all(answers)).map(({ epoch }) => epoch)).toEqual([2, 3, 4])
  world.crash()

  const after = await endpointOf(world, 2, { inProgressMax: 1 })
  for (const key of ['a', 'b', 'c']) expect(await after(key, 'again')).toMatchObject({ outcome: 'replayed', body: key })
  expect(await after('d', 'd')).toMatchObject({ outcome: 'executed', epoch: 5 })
})

test('T08: what was done again because its answer was over stays the answer after a restart with a longer time to live', async () => {
  const world = worldOf()
  const before = await endpointOf(world, 1, { ttlMs: 1_000 })
  await before('a', 'old')
  await world.advance(1_000)
  expect(await before('a', 'new')).toMatchObject({ outcome: 'executed', epoch: 2 })
  world.crash()

  const after = await endpointOf(world, 2, { ttlMs: 60_000 })
  expect(await after('a', 'again')).toMatchObject({ outcome: 'replayed', body: 'new', epoch: 2 })
  expect(await after('b', 'b')).toMatchObject({ epoch: 3 })
})

test('a rate limiter whose algorithm is another one after a restart begins anew', async () => {
  const who = { principal: 'ada', capability: 'c' }
  for (const [one, other] of [
    ['gcra', 'sliding-window'],
    ['sliding-window', 'gcra'],
  ] as const) {
    const world = worldOf()
    const [before, after] = [one, other].map((algorithm) =>
      defineRateLimiter({ type: 'l', module, algorithm, rule: { limit: 2, windowMs: 1_000 } }),
    )
    if (before === undefined || after === undefined) throw new Error('There are two of them.')
    const limiter = new RateLimiter(await world.open({ actors: [before] }), before)
    expect(await limiter.check(who)).toMatchObject({ outcome: 'allowed', count: 1 })
    world.crash()
    const next = new RateLimiter(await world.open({ actors: [after] }), after)
    expect(await next.peek(who), other).toMatchObject({ count: 0, remaining: 2, retryAfterMs: 0 })
    const outcomes: string[] = []
    for (let call = 0; call < 3; call += 1) outcomes.push((await next.check(who)).outcome)
    expect(outcomes, other).toEqual(['allowed', 'allowed', 'denied'])
    await world.advance(1_000)
    expect(await next.check(who), other).toMatchObject({ outcome: 'allowed', count: 1 })
  }
})

test('W04 W17: after a restart with smaller bounds good tokens are good, revoked ones are revoked, and a revocation of all counts each', async () => {
  const world = worldOf()
  const open = async (rules: Partial<TokensRules>): Promise<Tokens> => {
    const definition = defineTokens({ type: 'tokens', module, ...rules })
    return new Tokens(await world.open({ actors: [definition] }), definition, { keys: [{ id: 'k', secret: 's'.repeat(40) }] })
  }
  const use = { principal: 'ada', capability: 'c' }
  const before = await open({ liveMax: 10, revokedMax: 3, lifeMs: 60_000 })
  const issued = []
  for (let count = 0; count < 5; count += 1) issued.push(await before.issue(use))
  for (const { claims } of issued.slice(0, 2)) expect(await before.revoke(claims)).toBe(1)
  world.crash()

  const after = await open({ liveMax: 1, revokedMax: 1, lifeMs: 1_000, lifeMsMax: 60_000 })
  await world.advance(2_000)
  const outcomes = await Promise.allSettled(issued.map(async ({ token }) => await after.verify(token, use)))
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
  expect(await after.revokeAll('ada')).toBe(3)
})
