/**
 * The generic cell rate algorithm (ATM Forum, Traffic Management Specification 4.0, section 4.4; told for HTTP by Brandur Leach,
 * "Rate Limiting, Cells, and GCRA", 2015). Its state is one number: the theoretical arrival time, the moment up to which what
 * was allowed has used the rate. It is a bucket of `burst` tokens that gets a new one every `windowMs / limit`, without the bucket.
 *
 * The time between two tokens is rounded up to whole microseconds, and all is reckoned in those: no sum ever loses a bit, and
 * what is allowed is never more than the rate that was asked for.
 */
import type { Algorithm, Limit, Use, UseView } from './algorithm.ts'

/** The algorithm `gcra`. Use is empty, or the theoretical arrival time in microseconds since 1970. */
export const gcra: Algorithm = { take, view }

const MICROSECONDS = 1_000

/** Longest time in which a full burst comes back, in milliseconds: thirty years, so that all moments are whole numbers to JavaScript. */
export const GCRA_REFILL_MS_MAX = 1e12

/** Time from one token to the next, in microseconds. */
export function emissionIntervalOf({ limit, windowMs }: Pick<Limit, 'limit' | 'windowMs'>): number {
  return Math.ceil((windowMs * MICROSECONDS) / limit)
}

function take(use: Use, limit: Limit, at: number, weight: number): Use | undefined {
  const now = at * MICROSECONDS
  const next = arrivalOf(use, now) + emissionIntervalOf(limit) * weight
  return next - toleranceOf(limit) > now ? undefined : [next]
}

function view(use: Use, limit: Limit, at: number, weight: number): UseView {
  const now = at * MICROSECONDS
  const interval = emissionIntervalOf(limit)
  const tolerance = toleranceOf(limit)
  const arrival = arrivalOf(use, now)
  const remaining = Math.max(0, Math.floor((tolerance - (arrival - now)) / interval))
  const allowedAt = Math.max(now, arrival + interval * weight - tolerance)
  return {
    count: limit.burst - remaining,
    remaining,
    resetAt: Math.ceil(arrival / MICROSECONDS),
    retryAt: weight > limit.burst ? null : Math.ceil(allowedAt / MICROSECONDS),
  }
}

/** The theoretical arrival time, never in the past: what was not used does not add up beyond the burst. */
function arrivalOf(use: Use, now: number): number {
  const [arrival = 0, ...others] = use
  // A list of another length was kept by another algorithm, before the definition was changed: it says nothing here.
  return Math.max(others.length === 0 ? arrival : 0, now)
}

/** How far ahead of the clock the arrival time may be: the time in which a full burst comes back. */
function toleranceOf(limit: Limit): number {
  return emissionIntervalOf(limit) * limit.burst
}
