/** Rate limiters under schedules and faults. */
import { simulate, simulateModel } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { defineRateLimiter } from '../../src/rate-limiter/define-rate-limiter.ts'
import type { RateDecision, RateLimiterDefinition } from '../../src/rate-limiter/define-rate-limiter.ts'
import { RateLimiter } from '../../src/rate-limiter/rate-limiter.ts'
import { timeless } from '../fixtures/timeless.ts'

const MONTH_MS = 30 * 24 * 3_600_000
const WINDOW_MS = 1_000
const LIMIT = 3

const exact = defineRateLimiter({
  type: 'exact',
  module: import.meta.url,
  algorithm: 'sliding-window',
  rule: { limit: LIMIT, windowMs: WINDOW_MS },
})
const bucket = defineRateLimiter({
  type: 'bucket',
  module: import.meta.url,
  algorithm: 'gcra',
  rule: { limit: LIMIT, windowMs: WINDOW_MS, burst: 2 },
})

/** A decision, and what it was made about. */
interface Decided {
  readonly name: string
  readonly weight: number
  readonly decision: RateDecision
}

/** Calls that were allowed, whatever else is known of them, and the shard's time at each. */
function sum(decided: readonly Decided[], holds: (at: number) => boolean): number {
  return decided.reduce((total, { weight, decision: { outcome, at } }) => total + (outcome === 'allowed' && holds(at) ? weight : 0), 0)
}

/** Several workers hammer at one key; every check is repeated until its decision is known. */
async function hammered(
  definition: RateLimiterDefinition,
  schedules: number,
  check: (decided: readonly Decided[], peeked: { readonly at: number; readonly count: number }) => void,
): Promise<void> {
  let decided: Decided[] = []
  await simulate({
    actors: [definition],
    shards: 2,
    schedules,
    faults: 'all',
    scenario: async (world) => {
      decided = []
      await world.together(3, async (client, index) => {
        const limiter = new RateLimiter(client, definition)
        for (const number of [0, 1, 2]) {
          const name = `${index}.${number}`
          if (!world.keeps(name)) continue
          const weight = 1 + world.draw(`weight ${name}`, 2)
          const request = { principal: 'p', capability: 'c', weight }
          const decision = await client.retry(async () => await limiter.check(request, { idempotencyKey: name }))
          // Known, and told again without being counted again.
          if (world.draw(`twice ${name}`, 2) === 1) {
            const again = await client.retry(async () => await limiter.check(request, { idempotencyKey: name }))
            world.always('a repeated check gets the same decision', JSON.stringify(again) === JSON.stringify(decision), { again, decision })
          }
          decided.push({ name, weight, decision })
          world.sometimes('a check is denied', decision.outcome === 'denied')
          await client.sleep([0, 1, WINDOW_MS / 2, WINDOW_MS][world.draw(`sleep ${name}`, 4)] ?? 0)
        }
      })
    },
    check: async (world) => {
      const peeked = await new RateLimiter(world.system, definition).peek({ principal: 'p', capability: 'c' })
      world.sometimes('something still counts at the end', peeked.count > 0)
      world.sometimes('something has left the window', sum(decided, (at) => at <= peeked.at - WINDOW_MS) > 0)
      check(decided, peeked)
    },
  })
}

describe('under faults of every kind', () => {
  test(
    'W08 a window of any beginning has the limit at most, whoever calls, and nothing is denied without need',
    { timeout: 60_000 },
    async () => {
      await hammered(exact, 250, (decided, peeked) => {
        for (const { name, weight, decision } of decided) {
          const inWindow = sum(decided, (at) => at > decision.at - WINDOW_MS && at <= decision.at)
          if (decision.outcome === 'allowed') expect(inWindow, name).toBeLessThanOrEqual(LIMIT)
          else expect(inWindow + weight, name).toBeGreaterThan(LIMIT)
        }
        // Every decision that allowed something is counted once, and no other.
        expect(peeked.count).toBe(sum(decided, (at) => at > peeked.at - WINDOW_MS && at <= peeked.at))
      })
    },
  )

  test('W08 of GCRA no stretch of time has more than the burst and the rate', { timeout: 60_000 }, async () => {
    await hammered(bucket, 250, (decided) => {
      const moments = decided.map(({ decision }) => decision.at)
      for (const from of moments) {
        for (const to of moments.filter((moment) => moment >= from)) {
          const allowed = sum(decided, (at) => at >= from && at <= to)
          expect(allowed).toBeLessThanOrEqual(2 + ((to - from) * LIMIT) / WINDOW_MS)
        }
      }
    })
  })

  test.each(['sliding-window', 'gcra'] as const)(
    'W08 within one window a limiter is a counter with a bound: %s',
    { timeout: 60_000 },
    async (algorithm) => {
      const month = defineRateLimiter({ type: 'month', module: import.meta.url, algorithm, rule: { limit: LIMIT, windowMs: MONTH_MS } })
      // Keys of a model are plain.
      const actor = timeless(month, () => ({ capability: 'c' }))
      await simulateModel({
        actor,
        schedules: 200,
        model: {
          initial: { used: 0 },
          // The exact window counts calls, whoever makes them; GCRA counts parts of the window, of which a service takes smaller ones.
          reduce: ({ used }, { command, input }) => {
            const isService = input.role === 'service'
            const limit = isService ? LIMIT * 10 : LIMIT
            const unit = algorithm === 'gcra' && !isService ? 10 : 1
            const full = algorithm === 'gcra' ? LIMIT * 10 : limit
            const status = (taken: number): object => {
              const remaining = Math.max(0, Math.floor((full - taken) / unit))
              return { limit, count: algorithm === 'gcra' ? limit - remaining : taken, remaining }
            }
            if (command === 'peek') return { state: { used }, reply: status(used) }
            const after = used + unit * (input.weight ?? 1)
            if (after > full) return { state: { used }, reply: { outcome: 'denied', ...status(used) } }
            return { state: { used: command === 'check' ? after : used }, reply: { outcome: 'allowed', ...status(after) } }
          },
        },
        generate: { weights: { check: 4 } },
      })
    },
  )
})
