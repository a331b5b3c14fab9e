/** The rules of an idempotent endpoint: what is kept, for how long, and how much of it. Checked once, when it is defined. */
import { InvalidDefinition } from '@bailiwick/kernel'

/** What a definition may say about its endpoint. */
export interface EndpointRules {
  /**
   * How long a reservation lasts without being renewed, in milliseconds: so long after the death of whoever does the work
   * somebody else may do it. Renewed three times in this time while the work runs. Default 10,000.
   */
  readonly leaseMs?: number
  /** How long an answer is kept after the work was completed, in milliseconds. Default 86,400,000: a day. */
  readonly ttlMs?: number
  /** How long a call waits for the work of another under the same key, in milliseconds, unless the call says otherwise. Default 10,000. */
  readonly waitMs?: number
  /** What `Retry-After` says to whom nothing better is known, in milliseconds. Default 1,000. */
  readonly retryAfterMs?: number
  /** How many keys are remembered for a principal and an operation; beyond it the oldest completed ones go. Default 1,000. */
  readonly keysMax?: number
  /** How many keys of a principal and an operation may be in progress; these never go. Default 1,000. */
  readonly inProgressMax?: number
  /** How many bytes the kept headers and the body of an answer may have. Default 65,536. */
  readonly responseBytesMax?: number
  /** How many bytes all kept answers of a principal and an operation may have together; the oldest go. Default 4,194,304. */
  readonly keptBytesMax?: number
  /** Names of the headers that are kept and replayed. Default: `DEFAULT_HEADERS`. */
  readonly headers?: readonly string[]
  /** Whether an answer with this status is kept; what is not, is done again. Default `isDeterministic`. */
  readonly keeps?: (status: number) => boolean
}

/** Rules with every default filled in. */
export type CheckedRules = Required<EndpointRules>

/** Headers that are replayed unless the rules say otherwise. */
export const DEFAULT_HEADERS: readonly string[] = [
  'content-type',
  'content-language',
  'content-disposition',
  'content-encoding',
  'content-location',
  'etag',
  'last-modified',
  'link',
  'location',
]

/**
 * Headers that are never kept: they belong to one connection, to one moment, or to one client. The server makes those of the
 * connection anew for every answer.
 */
const NEVER_KEPT: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'connection',
  'content-length',
  'cookie',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'set-cookie2',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
])

const PASSING: ReadonlySet<number> = new Set([408, 409, 425, 429])

/** Whether the same request would be answered the same way again: 2xx, 3xx, and 4xx but 408, 409, 425 and 429. */
export function isDeterministic(status: number): boolean {
  return status >= 200 && status < 500 && !PASSING.has(status)
}

const OPTIONS: ReadonlySet<string> = new Set([
  'type',
  'module',
  'leaseMs',
  'ttlMs',
  'waitMs',
  'retryAfterMs',
  'keysMax',
  'inProgressMax',
  'responseBytesMax',
  'keptBytesMax',
  'headers',
  'keeps',
])

const WHOLE = ['leaseMs', 'ttlMs', 'retryAfterMs', 'keysMax', 'inProgressMax', 'responseBytesMax', 'keptBytesMax'] as const

/** The shortest lease: a third of it has to be enough for a renewal. */
const LEASE_MS_MIN = 30
/** The longest: thirty days, a third of which is what a timer can wait. */
const LEASE_MS_MAX = 30 * 86_400_000

/** Checks rules as a whole and fills in the defaults. Throws `InvalidDefinition`, naming the field. */
export function checkRules(type: string, options: EndpointRules): CheckedRules {
  const refuse = (field: string, detail: string): never => {
    throw new InvalidDefinition(type, field, detail)
  }
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) refuse(name, 'is no option')
  const rules: CheckedRules = {
    leaseMs: options.leaseMs ?? 10_000,
    ttlMs: options.ttlMs ?? 86_400_000,
    waitMs: options.waitMs ?? 10_000,
    retryAfterMs: options.retryAfterMs ?? 1_000,
    keysMax: options.keysMax ?? 1_000,
    inProgressMax: options.inProgressMax ?? 1_000,
    responseBytesMax: options.responseBytesMax ?? 65_536,
    keptBytesMax: options.keptBytesMax ?? 4_194_304,
    headers: options.headers ?? DEFAULT_HEADERS,
    keeps: options.keeps ?? isDeterministic,
  }
  for (const field of WHOLE) {
    const value = rules[field]
    if (!Number.isSafeInteger(value) || value < 1) refuse(field, `must be a whole number from 1, is ${value}`)
  }
  if (!Number.isSafeInteger(rules.waitMs) || rules.waitMs < 0) refuse('waitMs', 'must be a whole number from 0')
  if (rules.leaseMs < LEASE_MS_MIN) refuse('leaseMs', `must be at least ${LEASE_MS_MIN}`)
  if (rules.leaseMs > LEASE_MS_MAX) refuse('leaseMs', `must be at most ${LEASE_MS_MAX}`)
  if (rules.keptBytesMax < rules.responseBytesMax) refuse('keptBytesMax', 'must be at least responseBytesMax')
  if (typeof rules.keeps !== 'function') refuse('keeps', 'must be a function')
  if (!Array.isArray(rules.headers)) refuse('headers', 'must be a list of names')
  const headers = rules.headers.map((name) => name.toLowerCase())
  for (const name of headers) {
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) refuse('headers', `has a name that is no header: ${name}`)
    if (NEVER_KEPT.has(name)) refuse('headers', `must not have ${name}, which belongs to one connection, moment or client`)
  }
  return { ...rules, headers }
}
