/** The algorithms against naive ones that anybody can check by reading. */
import { describe, expect, test } from 'vitest'
import type { Limit, Use } from '../../src/rate-limiter/algorithm.ts'
import { emissionIntervalOf, gcra } from '../../src/rate-limiter/gcra.ts'
import { slidingWindow } from '../../src/rate-limiter/sliding-window.ts'
import { chance } from '../fixtures/chance.ts'

const CASES = 400
const START = Date.UTC(2030, 0, 1)

interface Step {
  readonly at: number
  readonly weight: number
}

/** Small numbers, so that many steps fall on a border. */
function stepsOf(draw: (below: number) => number, windowMs: number): readonly Step[] {
  let at = START
  return Array.from({ length: 40 }, () => {
    at += [0, 0, 1, draw(5), windowMs, draw(windowMs + 2), windowMs - 1][draw(7)] ?? 0
    return { at, weight: draw(5) === 0 ? 1 + draw(4) : 1 }
  })
}

function limitOf(draw: (below: number) => number): Limit {
  return { limit: 1 + draw(7), windowMs: 1 + draw(40), burst: 1 + draw(7) }
}

describe('sliding window', () => {
  test('it decides as a naive list of all moments does, and its views agree with what is decided', () => {
    for (let seed = 1; seed <= CASES; seed += 1) {
      const draw = chance(seed)
      const limit = { ...limitOf(draw), burst: 0 }
      const all: number[] = []
      const got: unknown[] = []
      const wanted: unknown[] = []
      let use: Use = []
      for (const { at, weight } of stepsOf(draw, limit.windowMs)) {
        const inWindow = all.filter((moment) => moment > at - limit.windowMs && moment <= at)
        const view = slidingWindow.view(use, limit, at, weight)
        const next = slidingWindow.take(use, limit, at, weight)
        got.push([at, view.count, view.remaining, view.resetAt, next !== undefined, view.retryAt === at])
        const isAllowed = inWindow.length + weight <= limit.limit
        const resetAt = (inWindow.at(-1) ?? at - limit.windowMs) + limit.windowMs
        wanted.push([at, inWindow.length, limit.limit - inWindow.length, resetAt, isAllowed, isAllowed])
        if (next === undefined) continue
        use = next
        all.push(...Array.from({ length: weight }, () => at))
      }
      expect(got, `seed ${seed}`).toEqual(wanted)
    }
  })

  test('a denied one is allowed at retryAt, and not a millisecond before', () => {
    for (let seed = 1; seed <= CASES; seed += 1) {
      const draw = chance(seed)
      const limit = { ...limitOf(draw), burst: 0 }
      let use: Use = []
      for (const { at, weight } of stepsOf(draw, limit.windowMs)) {
        const next = slidingWindow.take(use, limit, at, weight)
        const { retryAt } = slidingWindow.view(use, limit, at, weight)
        use = next ?? use
        if (next !== undefined) continue
        expect(retryAt === null, `seed ${seed}`).toBe(weight > limit.limit)
        if (retryAt === null) continue
        expect(slidingWindow.take(use, limit, retryAt - 1, weight), `seed ${seed}`).toBeUndefined()
        expect(slidingWindow.take(use, limit, retryAt, weight), `seed ${seed}`).toBeDefined()
      }
    }
  })

  test('it keeps at most as many entries as the limit, and one for all of a millisecond', () => {
    const limit = { limit: 3, windowMs: 10, burst: 3 }
    let use: Use = []
    for (let at = 0; at < 1_000; at += 1) use = slidingWindow.take(use, limit, at, 1) ?? use
    expect(use.length).toBeLessThanOrEqual(2 * limit.limit)
    const together = slidingWindow.take(slidingWindow.take([], limit, 5, 1) ?? [], limit, 5, 2)
    expect(together).toEqual([5, 3])
  })
})

describe('GCRA', () => {
  test('it decides as a naive bucket of tokens does that is filled microsecond by microsecond', () => {
    for (let seed = 1; seed <= CASES; seed += 1) {
      const draw = chance(seed)
      const limit = limitOf(draw)
      const interval = emissionIntervalOf(limit)
      // The bucket holds parts of tokens, `interval` of them to a token; one part comes in with each microsecond.
      const full = limit.burst * interval
      let parts = full
      let last = START
      const got: unknown[] = []
      const wanted: unknown[] = []
      let use: Use = []
      for (const { at, weight } of stepsOf(draw, limit.windowMs)) {
        parts = Math.min(full, parts + (at - last) * 1_000)
        last = at
        const view = gcra.view(use, limit, at, weight)
        const next = gcra.take(use, limit, at, weight)
        got.push([at, view.count, view.remaining, view.resetAt, next?.length, view.retryAt === at])
        const left = Math.floor(parts / interval)
        const isAllowed = parts >= weight * interval
        wanted.push([at, limit.burst - left, left, at + Math.ceil((full - parts) / 1_000), isAllowed ? 1 : undefined, isAllowed])
        if (next === undefined) continue
        parts -= weight * interval
        use = next
      }
      expect(got, `seed ${seed}`).toEqual(wanted)
    }
  })

  test('a denied one is allowed at retryAt, and not a millisecond before', () => {
    for (let seed = 1; seed <= CASES; seed += 1) {
      const draw = chance(seed)
      const limit = limitOf(draw)
      let use: Use = []
      for (const { at, weight } of stepsOf(draw, limit.windowMs)) {
        const next = gcra.take(use, limit, at, weight)
        const { retryAt } = gcra.view(use, limit, at, weight)
        use = next ?? use
        if (next !== undefined) continue
        expect(retryAt === null, `seed ${seed}`).toBe(weight > limit.burst)
        if (retryAt === null) continue
        expect(gcra.take(use, limit, retryAt - 1, weight), `seed ${seed}`).toBeUndefined()
        expect(gcra.take(use, limit, retryAt, weight), `seed ${seed}`).toBeDefined()
      }
    }
  })

  test('never more than the burst and the rate are allowed in any stretch of time, where the interval is no whole number too', () => {
    const limit = { limit: 7, windowMs: 1_000, burst: 3 }
    const allowed: number[] = []
    let use: Use = []
    for (let at = START; at < START + 20_000; at += 1) {
      const next = gcra.take(use, limit, at, 1)
      if (next === undefined) continue
      use = next
      allowed.push(at)
    }
    for (const [first, from] of allowed.entries()) {
      for (const [index, to] of allowed.slice(first).entries()) {
        expect(index + 1).toBeLessThanOrEqual(limit.burst + ((to - from) * limit.limit) / limit.windowMs)
      }
    }
    // And hardly less: one call every 1000/7 ms.
    expect(allowed.length).toBe(limit.burst + Math.floor((19_999 * limit.limit) / limit.windowMs))
  })

  test('the interval is rounded up, so that whoever takes all he can never gets more than the rate, and one part in a thousand less', () => {
    const limit = { limit: 3, windowMs: 2, burst: 4 }
    const endMs = 5_000
    let count = 0
    let use: Use = []
    for (let at = START; at <= START + endMs; at += 1) {
      for (let next = gcra.take(use, limit, at, 1); next !== undefined; next = gcra.take(use, limit, at, 1)) {
        use = next
        count += 1
      }
    }
    const rate = (endMs * limit.limit) / limit.windowMs
    expect(count).toBeLessThanOrEqual(limit.burst + rate)
    expect(count).toBeGreaterThan(rate * 0.999)
  })
})
