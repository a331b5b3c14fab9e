/** The rules of a rate limiter: from a capability and a role to a limit. Checked as a whole when the limiter is defined. */
import { InvalidDefinition } from '@bailiwick/kernel'
import type { RateAlgorithm, Limit } from './algorithm.ts'
import { emissionIntervalOf, GCRA_REFILL_MS_MAX } from './gcra.ts'
import { SLIDING_WINDOW_LIMIT_MAX } from './sliding-window.ts'

/** A limit as it is written down. */
export interface RateLimitOptions {
  /** How much is allowed in a window; a whole number from 1. Default: that of the class of the same name, if it is one of the three. */
  readonly limit?: number
  /** Length of the window, in whole milliseconds from 1. Default: that of the limiter. */
  readonly windowMs?: number
  /** With `gcra`: how much is allowed at once after a rest; a whole number from 1. Default: the limit. */
  readonly burst?: number
}

/** Which limit a capability has: the name of a class, or a limit of its own. */
export type RateRule = string | RateLimitOptions

/** The part of a limiter's options that its rules are made of. */
export interface RateRuleOptions {
  readonly algorithm: RateAlgorithm
  /**
   * Which limit counts: one for all capabilities, or a pure function of the capability. What such a function answers is checked
   * when it is called; if it throws, or answers what is no rule, the check fails and nothing is allowed.
   */
  readonly rule: RateRule | ((capability: string) => RateRule)
  /** Limits by class. Defaults, each of which can be overridden in part: `read` 60, `write` 10, `destructive` 2. */
  readonly limits?: Readonly<Record<string, RateLimitOptions>>
  /** The window of whatever names none, in milliseconds. Default 60,000. */
  readonly windowMs?: number
  /** By what the limit and the burst of a role are multiplied, rounded down. Default `{ service: 10 }`, to which others are added. */
  readonly roles?: Readonly<Record<string, number>>
}

/** Rules after their checks. */
export interface Rules {
  /** Names of the roles that have a multiplier. */
  readonly roles: readonly string[]
  /** The limit that counts. Throws `InvalidDefinition` where a function answers what is no rule. */
  readonly limitOf: (capability: string, role: string | undefined) => Limit
}

const ALGORITHMS: ReadonlySet<string> = new Set<RateAlgorithm>(['sliding-window', 'gcra'])
const WINDOW_MS = 60_000
const LIMITS: Readonly<Record<string, RateLimitOptions>> = { read: { limit: 60 }, write: { limit: 10 }, destructive: { limit: 2 } }
const ROLES: Readonly<Record<string, number>> = { service: 10 }
const NAMES: ReadonlySet<string> = new Set(['limit', 'windowMs', 'burst'])

/** Checks rules and fills in the defaults. Throws `InvalidDefinition`, naming the field. */
export function rulesOf(type: string, options: RateRuleOptions): Rules {
  const { algorithm, rule, windowMs = WINDOW_MS } = options
  if (!ALGORITHMS.has(algorithm)) {
    throw new InvalidDefinition(type, 'algorithm', 'must be "sliding-window" or "gcra"')
  }
  requireWhole(type, 'windowMs', windowMs)
  const roles = rolesOf(type, options.roles)
  const resolve = (field: string, given: RateLimitOptions): Limit => {
    const base = baseOf(type, field, algorithm, windowMs, given)
    for (const [role, multiplier] of roles) requireFits(type, field, algorithm, multiplied(base, multiplier), ` for the role ${role}`)
    return base
  }
  const classes = classesOf(type, resolve, options.limits)
  const chosen = (field: string, given: unknown): Limit => {
    if (typeof given !== 'string') return resolve(field, asLimit(type, field, given))
    const limit = classes.get(given)
    if (limit === undefined)
      throw new InvalidDefinition(
        type,
        field,
        `names the class ${JSON.stringify(given)}, which is none of ${[...classes.keys()].join(', ')}`,
      )
    return limit
  }
  const fixed = typeof rule === 'function' ? undefined : chosen('rule', rule)
  return {
    roles: [...roles.keys()],
    limitOf: (capability, role) => {
      const base = typeof rule === 'function' ? chosen('rule', rule(capability)) : fixed
      const multiplier = role === undefined ? 1 : roles.get(role)
      if (base === undefined || multiplier === undefined) throw new InvalidDefinition(type, 'roles', `has no ${JSON.stringify(role)}`)
      return multiplied(base, multiplier)
    },
  }
}

function multiplied({ limit, windowMs, burst }: Limit, multiplier: number): Limit {
  return { limit: Math.floor(limit * multiplier), windowMs, burst: Math.floor(burst * multiplier) }
}

function rolesOf(type: string, given: RateRuleOptions['roles'] = {}): ReadonlyMap<string, number> {
  requireObject(type, 'roles', given)
  const roles = new Map(Object.entries({ ...ROLES, ...given }))
  for (const [role, multiplier] of roles) {
    if (typeof multiplier === 'number' && multiplier > 0 && Number.isFinite(multiplier)) continue
    throw new InvalidDefinition(type, `roles.${role}`, `must be a number above 0, is ${String(multiplier)}`)
  }
  return roles
}

function classesOf(
  type: string,
  resolve: (field: string, given: RateLimitOptions) => Limit,
  given: RateRuleOptions['limits'] = {},
): ReadonlyMap<string, Limit> {
  requireObject(type, 'limits', given)
  const names = new Set([...Object.keys(LIMITS), ...Object.keys(given)])
  return new Map(
    [...names].map((name) => {
      const field = `limits.${name}`
      const own = Object.hasOwn(given, name) ? asLimit(type, field, given[name]) : {}
      const fallback = Object.hasOwn(LIMITS, name) ? LIMITS[name] : {}
      return [name, resolve(field, { ...fallback, ...own })]
    }),
  )
}

/** A limit with every default filled in, before roles. */
function baseOf(type: string, field: string, algorithm: RateAlgorithm, windowDefaultMs: number, given: RateLimitOptions): Limit {
  const { limit, windowMs = windowDefaultMs } = given
  if (limit === undefined) throw new InvalidDefinition(type, `${field}.limit`, 'is missing')
  if (given.burst !== undefined && algorithm !== 'gcra') throw new InvalidDefinition(type, `${field}.burst`, 'is an option of "gcra"')
  const { burst = limit } = given
  const checked = { limit, windowMs, burst }
  requireFits(type, field, algorithm, checked)
  return checked
}

/** Checks a limit; `of` says whose it is, for the text. */
function requireFits(type: string, field: string, algorithm: RateAlgorithm, { limit, windowMs, burst }: Limit, of = ''): void {
  requireWhole(type, `${field}.limit`, limit, of)
  requireWhole(type, `${field}.windowMs`, windowMs, of)
  requireWhole(type, `${field}.burst`, burst, of)
  if (algorithm === 'sliding-window') {
    if (limit <= SLIDING_WINDOW_LIMIT_MAX) return
    const detail = `is ${limit}${of}; "sliding-window" takes at most ${SLIDING_WINDOW_LIMIT_MAX}, "gcra" more`
    throw new InvalidDefinition(type, `${field}.limit`, detail)
  }
  // A token comes once a microsecond at most, and a full burst comes back while moments in microseconds are exact.
  if (limit > windowMs * 1_000) {
    throw new InvalidDefinition(type, `${field}.limit`, `is ${limit}${of}, more than one for each microsecond of its window`)
  }
  if (emissionIntervalOf({ limit, windowMs }) * burst > GCRA_REFILL_MS_MAX * 1_000) {
    throw new InvalidDefinition(type, `${field}.burst`, `is ${burst}${of}, which would take more than thirty years to come back`)
  }
}

function requireWhole(type: string, field: string, value: number, of = ''): void {
  if (Number.isSafeInteger(value) && value >= 1) return
  throw new InvalidDefinition(type, field, `must be a whole number from 1, is ${String(value)}${of}`)
}

function requireObject(type: string, field: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InvalidDefinition(type, field, 'must be an object')
}

function asLimit(type: string, field: string, given: unknown): RateLimitOptions {
  requireObject(type, field, given)
  const limit = given as RateLimitOptions // An object; its properties are checked below and where they are used.
  for (const name of Object.keys(limit)) if (!NAMES.has(name)) throw new InvalidDefinition(type, `${field}.${name}`, 'is no option')
  return limit
}
