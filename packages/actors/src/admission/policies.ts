/**
 * Policies: what is allowed for an action, for a pack of actions, and in all.
 *
 * - Rates and quotas count for everybody whom they concern: the action's are looked at first, then the pack's, then those of all.
 *   The first that does not allow one more refuses the execution; it does not wait.
 * - Of concurrency limits only the most specific one counts: that of the action, else of the pack, else of all. It queues, or
 *   refuses at once.
 * - Numbers may be functions of the request. They run in the caller's thread. If one throws, or answers what is no number, the execution is
 *   refused: a policy that cannot be evaluated allows nothing.
 */
import { InvalidDefinition } from '@bailiwick/kernel'
import type { QuotaRule, RateRule, RuleViolation } from './meter-log.ts'

/** What a policy is about. */
export type Scope = 'action' | 'pack' | 'global'

/** What somebody asks for. */
export interface PolicyRequest {
  readonly action: string
  readonly pack?: string
  readonly parameters: Readonly<Record<string, unknown>>
}

/** A number, or how it follows from the request: a whole number from 0. */
export type Count = number | ((request: PolicyRequest) => number)

/** What is allowed in one scope. */
export interface Policy {
  /** How many may work at a time in each group, and what becomes of one more. Default of `method`: `enqueue`. */
  readonly concurrency?: { readonly limit: Count; readonly method?: 'enqueue' | 'cancel' }
  /** At most `max` within any stretch of `windowMs`. */
  readonly rates?: readonly { readonly max: Count; readonly windowMs: number }[]
  /** At most `max` units in each period of `periodMs`; periods count from 1970. A request takes `units` of them, by default 1. */
  readonly quotas?: readonly { readonly max: Count; readonly periodMs: number; readonly units?: Count }[]
}

/** Policies by scope. */
export interface Policies {
  readonly actions?: Readonly<Record<string, Policy>>
  readonly packs?: Readonly<Record<string, Policy>>
  readonly global?: Policy
}

/** Why an execution is refused. `name` is that of the action or pack, empty for `global`. */
export type Violation = { readonly scope: Scope; readonly name: string } & (
  | RuleViolation
  | { readonly rule: 'concurrency'; readonly count: number; readonly max: number }
  | { readonly rule: 'policy'; readonly reason: string }
)

/** The queue in which a request waits, without its group. */
export interface QueuePlace {
  readonly scope: Scope
  readonly name: string
}

/** What counts for one request. */
export interface Ruling {
  readonly place: QueuePlace
  readonly limit: number
  readonly method: 'enqueue' | 'cancel'
  readonly meters: readonly (QueuePlace & { readonly rates: readonly RateRule[]; readonly quotas: readonly QuotaRule[] })[]
}

const RATE_MAX = 10_000
const METHODS: ReadonlySet<string> = new Set(['enqueue', 'cancel'])
/** Names of properties. What is not known is refused: a policy whose name is misspelt would allow everything. */
const NAMES = {
  policies: new Set(['actions', 'packs', 'global']),
  policy: new Set(['concurrency', 'rates', 'quotas']),
  concurrency: new Set(['limit', 'method']),
  rate: new Set(['max', 'windowMs']),
  quota: new Set(['max', 'periodMs', 'units']),
} satisfies Record<string, ReadonlySet<string>>

/** Checks policies as a whole. Throws `InvalidDefinition`, naming the field. */
export function definePolicies(policies: Policies): Policies {
  checkNames('', policies, NAMES.policies)
  const { actions = {}, packs = {}, global = {} } = policies
  for (const [name, policy] of Object.entries(actions)) checkPolicy(`actions.${name}`, policy)
  for (const [name, policy] of Object.entries(packs)) checkPolicy(`packs.${name}`, policy)
  checkPolicy('global', global)
  return policies
}

/** The queue for an action: that of the most specific policy that limits concurrency, else of the action. */
export function placeOf(policies: Policies, { action, pack }: Pick<PolicyRequest, 'action' | 'pack'>): QueuePlace {
  const found = scopesOf(policies, { action, pack }).find(({ policy }) => policy.concurrency !== undefined)
  return found === undefined ? { scope: 'action', name: action } : { scope: found.scope, name: found.name }
}

/** What counts for a request, or why it is refused before anything is asked. */
export function ruleOn(policies: Policies, request: PolicyRequest, limit: number): Ruling | Violation {
  const meters: Ruling['meters'][number][] = []
  const scopes = scopesOf(policies, request)
  for (const { scope, name, policy } of scopes) {
    const { rates = [], quotas = [] } = policy
    if (rates.length + quotas.length === 0) continue
    try {
      meters.push({
        scope,
        name,
        rates: rates.map(({ max, windowMs }) => ({ max: countOf(max, request, RATE_MAX), windowMs })),
        quotas: quotas.map(({ max, periodMs, units = 1 }) => ({ max: countOf(max, request), periodMs, units: countOf(units, request) })),
      })
    } catch (error) {
      return { scope, name, rule: 'policy', reason: messageOf(error) }
    }
  }
  const place = placeOf(policies, request)
  const { concurrency } = scopes.find(({ policy }) => policy.concurrency !== undefined)?.policy ?? {}
  if (concurrency === undefined) return { place, limit, method: 'enqueue', meters }
  try {
    return { place, limit: countOf(concurrency.limit, request), method: concurrency.method ?? 'enqueue', meters }
  } catch (error) {
    return { ...place, rule: 'policy', reason: messageOf(error) }
  }
}

interface ScopePolicy extends QueuePlace {
  readonly policy: Policy
}

function scopesOf(
  policies: Policies,
  { action, pack }: { readonly action: string; readonly pack?: string | undefined },
): readonly ScopePolicy[] {
  const { actions = {}, packs = {}, global = {} } = policies
  const found: ScopePolicy[] = []
  const ofAction = own(actions, action)
  if (ofAction !== undefined) found.push({ scope: 'action', name: action, policy: ofAction })
  const ofPack = pack === undefined ? undefined : own(packs, pack)
  if (pack !== undefined && ofPack !== undefined) found.push({ scope: 'pack', name: pack, policy: ofPack })
  return [...found, { scope: 'global', name: '', policy: global }]
}

/** Names come from outside: one of them might be `constructor`. */
function own(policies: Readonly<Record<string, Policy>>, name: string): Policy | undefined {
  return Object.hasOwn(policies, name) ? policies[name] : undefined
}

function countOf(count: Count, request: PolicyRequest, most = Number.MAX_SAFE_INTEGER): number {
  const value = typeof count === 'number' ? count : count(request)
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`must answer a whole number from 0, not ${String(value)}`)
  if (value > most) throw new TypeError(`must answer at most ${most}, not ${value}`)
  return value
}

function checkPolicy(path: string, policy: Policy): void {
  checkNames(`${path}.`, policy, NAMES.policy)
  const { concurrency, rates = [], quotas = [] } = policy
  if (concurrency !== undefined) {
    checkNames(`${path}.concurrency.`, concurrency, NAMES.concurrency)
    checkCount(`${path}.concurrency.limit`, concurrency.limit)
    const { method = 'enqueue' } = concurrency
    check(METHODS.has(method), `${path}.concurrency.method`, 'must be "enqueue" or "cancel"')
  }
  for (const [index, rate] of rates.entries()) {
    const field = `${path}.rates.${index}`
    checkNames(`${field}.`, rate, NAMES.rate)
    const { max, windowMs } = rate
    checkCount(`${field}.max`, max)
    check(typeof max !== 'number' || max <= RATE_MAX, `${field}.max`, `must be at most ${RATE_MAX}: each admission of the window is kept`)
    check(Number.isSafeInteger(windowMs) && windowMs >= 1, `${field}.windowMs`, 'must be a whole number of milliseconds from 1')
  }
  const periods = new Set<number>()
  for (const [index, quota] of quotas.entries()) {
    const field = `${path}.quotas.${index}`
    checkNames(`${field}.`, quota, NAMES.quota)
    const { max, periodMs, units = 1 } = quota
    checkCount(`${field}.max`, max)
    checkCount(`${field}.units`, units)
    check(Number.isSafeInteger(periodMs) && periodMs >= 1, `${field}.periodMs`, 'must be a whole number of milliseconds from 1')
    check(!periods.has(periodMs), `${field}.periodMs`, 'is that of another quota of this policy')
    periods.add(periodMs)
  }
}

function checkNames(path: string, given: object, names: ReadonlySet<string>): void {
  for (const name of Object.keys(given)) check(names.has(name), `${path}${name}`, 'is no option')
}

function checkCount(field: string, count: Count): void {
  const isCount = typeof count === 'function' || (Number.isSafeInteger(count) && count >= 0)
  check(isCount, field, 'must be a whole number from 0, or a function that answers one')
}

function check(holds: boolean, field: string, detail: string): void {
  if (!holds) throw new InvalidDefinition('policies', field, detail)
}

/** What a throw says; anything may be thrown. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
