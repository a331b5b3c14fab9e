/** Rate limiters on virtual time, and their definitions. */
import { InvalidInput } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineRateLimiter } from '../../src/rate-limiter/define-rate-limiter.ts'
import type { RateLimiterDefinition, RateLimiterOptions } from '../../src/rate-limiter/define-rate-limiter.ts'
import { RateLimiter } from '../../src/rate-limiter/rate-limiter.ts'
import { byClass, fiveAtOnce, fivePerMinute } from '../fixtures/limits.actor.ts'

const START = 1_900_000_000_000

async function setUp(...actors: readonly RateLimiterDefinition[]): Promise<{ world: TestWorld; open: () => Promise<System> }> {
  const world = new TestWorld({ startAt: START })
  onTestFinished(async () => await world.close())
  return { world, open: async () => await world.open({ actors }) }
}

const subject = { principal: 'ada', capability: 'files.read' }

describe('a rate limiter', () => {
  test.each([fivePerMinute, fiveAtOnce])('W11 a hundred dry runs and looks count nothing: $type', async (definition) => {
    const { open } = await setUp(definition)
    const limiter = new RateLimiter(await open(), definition)
    for (let run = 0; run < 100; run += 1) {
      expect(await limiter.dryRun(subject)).toMatchObject({ outcome: 'allowed', count: 1, remaining: 4 })
      expect(await limiter.peek(subject)).toMatchObject({ count: 0, remaining: 5, retryAfterMs: 0 })
    }
    expect(await limiter.check(subject)).toMatchObject({ outcome: 'allowed', count: 1, remaining: 4, limit: 5 })
    expect(await limiter.peek(subject)).toMatchObject({ count: 1 })
  })

  test('W09 an entry that is exactly one window old no longer counts, and one a millisecond younger does', async () => {
    const { world, open } = await setUp(fivePerMinute)
    const limiter = new RateLimiter(await open(), fivePerMinute)
    for (let n = 0; n < 5; n += 1) expect((await limiter.check(subject)).outcome).toBe('allowed')
    await world.advance(59_999)
    expect(await limiter.check(subject)).toMatchObject({ outcome: 'denied', count: 5, retryAfterMs: 1, retryAt: START + 60_000 })
    await world.advance(1)
    expect(await limiter.check(subject)).toMatchObject({ outcome: 'allowed', at: START + 60_000, count: 1 })
  })

  test('A15 three in ten seconds, at 0, 1, 2, 3, 10, 10.001 and 11 s', async () => {
    const definition = defineRateLimiter({
      type: 'three',
      module: import.meta.url,
      algorithm: 'sliding-window',
      rule: { limit: 3, windowMs: 10_000 },
    })
    const { world, open } = await setUp(definition)
    const limiter = new RateLimiter(await open(), definition)
    const seen: string[] = []
    let now = 0
    for (const at of [0, 1_000, 2_000, 3_000, 10_000, 10_001, 11_000]) {
      await world.advance(at - now)
      now = at
      seen.push((await limiter.check(subject)).outcome)
    }
    // At 10 s the first has left; at 10.001 those of 1, 2 and 10 s count; at 11 s the second has left.
    expect(seen).toEqual(['allowed', 'allowed', 'allowed', 'denied', 'allowed', 'denied', 'allowed'])
  })

  test('A15 three in ten seconds as GCRA: three at once, then one every third of the window, rounded up to a microsecond', async () => {
    const definition = defineRateLimiter({
      type: 'three',
      module: import.meta.url,
      algorithm: 'gcra',
      rule: { limit: 3, windowMs: 10_000 },
    })
    const { world, open } = await setUp(definition)
    const limiter = new RateLimiter(await open(), definition)
    const seen: string[] = []
    let now = 0
    for (const at of [0, 0, 0, 3_333, 3_334, 6_666, 6_667]) {
      await world.advance(at - now)
      now = at
      seen.push((await limiter.check(subject)).outcome)
    }
    expect(seen).toEqual(['allowed', 'allowed', 'allowed', 'denied', 'allowed', 'denied', 'allowed'])
  })

  test.each([fivePerMinute, fiveAtOnce])(
    'denials leave nothing behind that counts, and are not written again: $type',
    async (definition) => {
      const { world, open } = await setUp(definition)
      const system = await open()
      const limiter = new RateLimiter(system, definition)
      for (let n = 0; n < 6; n += 1) await limiter.check(subject)
      const written = system.stats().batches.count
      const before = await system.actor(definition, ['ada', 'files.read']).snapshot()
      for (let n = 0; n < 50; n += 1) expect(await limiter.check(subject)).toMatchObject({ outcome: 'denied', count: 5, remaining: 0 })
      expect(await system.actor(definition, ['ada', 'files.read']).snapshot()).toEqual(before)
      expect(system.stats().batches.count).toBe(written)
      await world.advance(60_000)
      expect(await limiter.check(subject)).toMatchObject({ outcome: 'allowed', count: 1 })
    },
  )

  test('what was allowed still counts after a crash, and also when the clock was set back meanwhile', async () => {
    const { world, open } = await setUp(fivePerMinute)
    const before = new RateLimiter(await open(), fivePerMinute)
    for (let n = 0; n < 5; n += 1) await before.check(subject)
    world.crash()
    world.clock.jump(-3_600_000)
    const after = new RateLimiter(await open(), fivePerMinute)
    expect(await after.check(subject)).toMatchObject({ outcome: 'denied', count: 5 })
    // The guarded time goes on by itself, a thousandth slower.
    await world.advance(60_100)
    expect(await after.check(subject)).toMatchObject({ outcome: 'allowed' })
  })

  test('a check that is repeated under its key counts once and gets the same answer, a denial too', async () => {
    const { world, open } = await setUp(fivePerMinute)
    const first = new RateLimiter(await open(), fivePerMinute)
    const decision = await first.check(subject, { idempotencyKey: ['request', '1'] })
    expect(await first.check(subject, { idempotencyKey: ['request', '1'] })).toEqual(decision)
    world.crash()
    const second = new RateLimiter(await open(), fivePerMinute)
    expect(await second.check(subject, { idempotencyKey: ['request', '1'] })).toEqual(decision)
    expect(await second.peek(subject)).toMatchObject({ count: 1 })
    const denial = await second.check({ ...subject, weight: 5 }, { idempotencyKey: 'large' })
    expect(denial.outcome).toBe('denied')
    await world.advance(60_000)
    expect(await second.check({ ...subject, weight: 5 }, { idempotencyKey: 'large' })).toEqual(denial)
    expect(await second.check({ ...subject, weight: 5 }, { idempotencyKey: 'large, again' })).toMatchObject({ outcome: 'allowed' })
  })

  test.each([fivePerMinute, fiveAtOnce])(
    'a weight counts as a whole, and one above the limit is never allowed: $type',
    async (definition) => {
      const { open } = await setUp(definition)
      const limiter = new RateLimiter(await open(), definition)
      expect(await limiter.check({ ...subject, weight: 4 })).toMatchObject({ outcome: 'allowed', count: 4, remaining: 1 })
      expect(await limiter.check({ ...subject, weight: 2 })).toMatchObject({ outcome: 'denied', count: 4 })
      expect(await limiter.check({ ...subject, weight: 1 })).toMatchObject({ outcome: 'allowed', count: 5 })
      expect(await limiter.check({ ...subject, weight: 6 })).toMatchObject({ outcome: 'denied', retryAt: null, retryAfterMs: null })
      await expect(limiter.check({ ...subject, weight: 0 })).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'weight' })
    },
  )

  test('principals and capabilities have a count each, whatever their names contain', async () => {
    const { open } = await setUp(fivePerMinute)
    const limiter = new RateLimiter(await open(), fivePerMinute)
    await limiter.check({ principal: 'a:b', capability: 'c' })
    await limiter.check({ principal: 'a', capability: 'b:c' })
    expect(await limiter.peek({ principal: 'a:b', capability: 'c' })).toMatchObject({ count: 1 })
    expect(await limiter.peek({ principal: 'a', capability: 'c' })).toMatchObject({ count: 0 })
    await expect(limiter.check({ principal: '', capability: 'c' })).rejects.toThrow(InvalidInput)
  })

  test('an actor that is not keyed by principal and capability refuses to begin', async () => {
    const { open } = await setUp(fivePerMinute)
    const system = await open()
    await expect(system.actor(fivePerMinute, 'ada').ask.check()).rejects.toMatchObject({ code: 'ACTIVATION_FAILED' })
  })
})

describe('rules', () => {
  test('limits by class, with partial overrides and roles', async () => {
    const { open } = await setUp(byClass)
    const limiter = new RateLimiter(await open(), byClass)
    const limit = async (capability: string, role?: string): Promise<number> =>
      (await limiter.peek({ principal: 'p', capability, role })).limit
    expect(await limit('files.read')).toBe(60)
    expect(await limit('files.write')).toBe(10)
    expect(await limit('files.destructive')).toBe(2)
    expect(await limit('files.search')).toBe(4)
    expect(await limit('files.once')).toBe(2)
    expect(await limit('files.read', 'service')).toBe(600)
    expect(await limit('files.destructive', 'service')).toBe(20)
    expect(await limit('files.destructive', 'guest')).toBe(1)
    await expect(limit('files.read', 'king')).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'role' })
  })

  test('only what is overridden is another than the default', async () => {
    const { world, open } = await setUp(byClass)
    const limiter = new RateLimiter(await open(), byClass)
    await limiter.check({ principal: 'p', capability: 'files.write' })
    await limiter.check({ principal: 'p', capability: 'files.read' })
    await world.advance(30_000)
    expect(await limiter.peek({ principal: 'p', capability: 'files.write' })).toMatchObject({ count: 0 })
    expect(await limiter.peek({ principal: 'p', capability: 'files.read' })).toMatchObject({ count: 1 })
  })

  test('a rule that names no class, or throws, allows nothing', async () => {
    const { open } = await setUp(byClass)
    const limiter = new RateLimiter(await open(), byClass)
    await expect(limiter.check({ principal: 'p', capability: 'files.unheard-of' })).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
  })

  const base = { type: 'wrong', module: import.meta.url, algorithm: 'gcra', rule: 'read' } as const
  const wrong: readonly (readonly [string, string, Partial<RateLimiterOptions<'wrong'>>])[] = [
    ['W10 a limit of 0', 'limits.read.limit', { limits: { read: { limit: 0 } } }],
    ['W10 a window of 0', 'windowMs', { windowMs: 0 }],
    ['W10 a window of 0 of one class', 'limits.write.windowMs', { limits: { write: { windowMs: 0 } } }],
    ['W10 a limit of 0 in the rule', 'rule.limit', { rule: { limit: 0 } }],
    ['half a call', 'limits.read.limit', { limits: { read: { limit: 1.5 } } }],
    ['a class without a limit', 'limits.search.limit', { limits: { search: {} } }],
    ['a class that does not exist', 'rule', { rule: 'serach' }],
    ['a misspelt option', 'limits.read.window', { limits: { read: { window: 5 } as object } }],
    ['a role that leaves nothing', 'limits.destructive.limit', { roles: { guest: 0.4 } }],
    ['a multiplier of 0', 'roles.guest', { roles: { guest: 0 } }],
    ['a burst of the exact window', 'rule.burst', { algorithm: 'sliding-window', rule: { limit: 5, burst: 9 } }],
    ['a burst of 0', 'rule.burst', { rule: { limit: 5, burst: 0 } }],
    ['more entries than a state should have', 'rule.limit', { algorithm: 'sliding-window', rule: { limit: 10_001 } }],
    ['more than a microsecond can tell', 'rule.limit', { rule: { limit: 1_001, windowMs: 1 } }],
    ['a burst that takes a lifetime', 'rule.burst', { rule: { limit: 1, windowMs: 86_400_000, burst: 100_000 } }],
    ['an unknown algorithm', 'algorithm', { algorithm: 'tokens' as 'gcra' }],
    ['an unknown option', 'limit', { limit: 5 } as object],
  ]
  test.each(wrong)('are refused when they are defined: %s', (_what, field, options) => {
    const wanted = { code: 'INVALID_DEFINITION', definition: 'wrong', field }
    expect(() => defineRateLimiter({ ...base, ...options })).toThrow(expect.objectContaining(wanted))
  })
})
