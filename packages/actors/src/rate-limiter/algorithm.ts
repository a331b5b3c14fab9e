/** What the algorithms of rate limiting have in common: plain arithmetic on numbers, apart from actors and clocks. */

/** How much is allowed, after roles and defaults. All are whole numbers from 1. */
export interface Limit {
  /** How much is allowed in a window. */
  readonly limit: number
  /** Length of the window, in milliseconds. */
  readonly windowMs: number
  /** How much is allowed at once by `gcra`; the limit itself for `sliding-window`. */
  readonly burst: number
}

/** What has been used, as its algorithm keeps it. Empty for nothing. What another algorithm has kept counts as nothing: it is known by its length. */
export type Use = readonly number[]

/** What use means at a moment. Moments are in milliseconds since 1970. */
export interface UseView {
  /** How much counts now. */
  readonly count: number
  /** How much more would be allowed now. */
  readonly remaining: number
  /** When nothing of it counts any more, if nothing is added; the present moment if nothing counts. */
  readonly resetAt: number
  /** The first moment at which the weight that was asked about is allowed, if nothing is added; `null` for never. */
  readonly retryAt: number | null
}

/** An algorithm. Both functions are pure; `at` must not run backwards. */
export interface Algorithm {
  /** The use after `weight` more; `undefined` if that is not allowed, in which case nothing is to be kept. */
  readonly take: (use: Use, limit: Limit, at: number, weight: number) => Use | undefined
  /** What the use means; `weight` is only for `retryAt`. */
  readonly view: (use: Use, limit: Limit, at: number, weight: number) => UseView
}

/** Names of the algorithms. */
export type RateAlgorithm = 'sliding-window' | 'gcra'
