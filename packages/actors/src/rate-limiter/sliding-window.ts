/**
 * The exact sliding window: every moment at which something was allowed is kept for one window.
 *
 * A window is half-open, `(at − windowMs, at]`: what is exactly one window old no longer counts. So there is no stretch of one
 * window, wherever it begins, in which more than the limit was allowed. Use is a flat list of moment, weight, moment, weight, …,
 * the oldest first; what falls on one millisecond is one entry, so there are never more entries than the limit.
 */
import type { Algorithm, Limit, Use, UseView } from './algorithm.ts'

/** The algorithm `sliding-window`. */
export const slidingWindow: Algorithm = { take, view }

/** The largest limit that this algorithm takes: each command reads, and each that is allowed writes, up to so many entries. */
export const SLIDING_WINDOW_LIMIT_MAX = 10_000

function take(use: Use, { limit, windowMs }: Limit, at: number, weight: number): Use | undefined {
  const live = liveOf(use, at - windowMs)
  if (sumOf(live) + weight > limit) return undefined
  const last = live.length - 2
  return live[last] === at ? [...live.slice(0, last), at, (live[last + 1] ?? 0) + weight] : [...live, at, weight]
}

function view(use: Use, { limit, windowMs }: Limit, at: number, weight: number): UseView {
  const live = liveOf(use, at - windowMs)
  const count = sumOf(live)
  return {
    count,
    remaining: Math.max(0, limit - count),
    resetAt: (live.at(-2) ?? at - windowMs) + windowMs,
    retryAt: weight > limit ? null : retryAt(live, count + weight - limit, windowMs, at),
  }
}

/** The entries that are younger than a moment. Linear; the limit bounds it. */
function liveOf(use: Use, after: number): Use {
  // No pairs: this was kept by another algorithm, before the definition was changed. It says nothing here.
  if (use.length % 2 === 1) return []
  let index = 0
  while (index < use.length && (use[index] ?? 0) <= after) index += 2
  return use.slice(index)
}

function sumOf(use: Use): number {
  let sum = 0
  for (let index = 1; index < use.length; index += 2) sum += use[index] ?? 0
  return sum
}

/** When so much of what counts has left the window. */
function retryAt(live: Use, excess: number, windowMs: number, at: number): number {
  let left = excess
  let when = at
  for (let index = 0; left > 0 && index < live.length; index += 2) {
    when = (live[index] ?? 0) + windowMs
    left -= live[index + 1] ?? 0
  }
  return when
}
