/** Back-off as data: how long to wait before something is tried again. The same for actors, threads and effects. */
import { InvalidDefinition } from '../errors.ts'
import { DELAY_MAX } from './input.ts'
import { requireOptions } from './option-names.ts'

/** How long to wait before going on after a failure. The wait doubles with each further one. */
export interface BackoffOptions {
  /** Wait after the first failure, in milliseconds. The default is said where it is used. */
  readonly minMs?: number
  /** The longest wait, in milliseconds. Never less than `minMs`; the default is said where it is used. */
  readonly maxMs?: number
  /** Each wait is shortened or lengthened at random by up to this part of it, from 0 to 1. */
  readonly jitter?: number
}

/** A back-off with every default filled in. */
export interface Backoff {
  readonly minMs: number
  readonly maxMs: number
  readonly jitter: number
}

const OPTIONS: ReadonlySet<string> = new Set(['minMs', 'maxMs', 'jitter'])

/** Checks a back-off and fills in the defaults. Throws `InvalidDefinition`, naming the field. */
export function backoffOf(where: string, path: string, options: BackoffOptions, defaults: Backoff): Backoff {
  requireOptions(where, path, options, OPTIONS)
  const { minMs = defaults.minMs, jitter = defaults.jitter } = options
  requireMs(where, `${path}.minMs`, minMs, 0)
  const maxMs = options.maxMs ?? Math.max(defaults.maxMs, minMs)
  requireMs(where, `${path}.maxMs`, maxMs, minMs)
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter <= 1)) {
    throw new InvalidDefinition(where, `${path}.jitter`, 'must be a number from 0 to 1')
  }
  return { minMs, maxMs, jitter }
}

/** The wait after the nth failure, in milliseconds. `chance` is a number from 0 to 1. */
export function waitAfter({ minMs, maxMs, jitter }: Backoff, failures: number, chance: number): number {
  // Beyond 2^30 the doubling is over long since.
  const wait = Math.min(maxMs, minMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return Math.max(0, wait * (1 + jitter * (2 * chance - 1)))
}

/** Checks a duration in milliseconds. Throws `InvalidDefinition`, naming the field. */
export function requireMs(where: string, field: string, value: number, min: number): void {
  if (typeof value === 'number' && value >= min && value <= DELAY_MAX) return
  throw new InvalidDefinition(where, field, `must be a number of milliseconds from ${min}, is ${String(value)}`)
}
