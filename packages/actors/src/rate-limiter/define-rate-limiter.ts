/**
 * A rate limiter as an actor: one for each pair of principal and capability.
 *
 * `check` decides and counts in one command, and an actor handles one command at a time: between the two there is nothing in
 * which somebody else could be. What is denied is not counted. Time is the shard's, which never runs backwards.
 */
import { command, defineActor, InvalidDefinition, query, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, ActorKey, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import type { TransitionSnapshot } from 'xstate'
import { z } from 'zod'
import type { Algorithm, Use, UseView } from './algorithm.ts'
import { gcra } from './gcra.ts'
import { rulesOf } from './rules.ts'
import type { RateRuleOptions, Rules } from './rules.ts'
import { slidingWindow } from './sliding-window.ts'

/** What a rate limiter is made of. */
export interface RateLimiterOptions<Type extends string> extends RateRuleOptions {
  /** Name of the kind of actor, as in `defineActor`. */
  readonly type: Type
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
  /** After so many milliseconds without a call a key leaves memory; its row stays. Default 60,000. */
  readonly idleMs?: number
}

/** Whom a check is about, beside the key. */
export interface RatePeekInput {
  /** One of the roles of the definition, whose multiplier counts. Default: none, and the limit as it stands. */
  readonly role?: string | undefined
}

/** What a check asks for. */
export interface RateCheckInput extends RatePeekInput {
  /** How much it counts; a whole number from 1. Default 1. */
  readonly weight?: number | undefined
}

/** How much is used. Moments are in milliseconds since 1970, by the shard's clock. */
export interface RateStatus {
  /** The moment that this is about. */
  readonly at: number
  /** The limit after the role; with `gcra` the burst. */
  readonly limit: number
  /** How much counts at this moment. */
  readonly count: number
  /** How much more would be allowed at this moment. */
  readonly remaining: number
  /** When nothing counts any more, if nothing is added. */
  readonly resetAt: number
}

/** What `peek` answers. */
export interface RateView extends RateStatus {
  /** How long to wait until something of weight 1 is allowed; 0 if it is now. */
  readonly retryAfterMs: number
}

/**
 * What a check has come to. `allowed`: it is counted, and the status is that after it. `denied`: nothing was counted;
 * `retryAfterMs` and `retryAt` say when the same would be allowed if nothing is added, and are `null` if it weighs more than is
 * ever allowed.
 */
export type RateDecision =
  | ({ readonly outcome: 'allowed' } & RateStatus)
  | ({ readonly outcome: 'denied'; readonly retryAfterMs: number | null; readonly retryAt: number | null } & RateStatus)

/** The state of a key. */
export interface RateLimiterState {
  /** The second part of the key, which the rules want. */
  readonly capability: string
  readonly use: Use
  /** Whether the last check was denied: all that a denied check leaves, and what tells its answer from that of the one before. */
  readonly isDenied: boolean
}

/** What a rate limiter looks like to the kernel. */
export type RateLimiterSnapshot = TransitionSnapshot<RateLimiterState>

/** The commands of a rate limiter, for those who reach it without the facade, such as the machine of another actor. */
export interface RateLimiterCommands {
  /** Decides and counts. */
  readonly check: CommandBuilder<'command', RateCheckInput, RateCheckInput & Stamp, RateDecision, RateLimiterSnapshot>
  /** What `check` would answer now. */
  readonly dryRun: CommandBuilder<'query', RateCheckInput, RateCheckInput & Stamp, RateDecision, RateLimiterSnapshot>
  /** How much is used now. */
  readonly peek: CommandBuilder<'query', RatePeekInput, RatePeekInput & Stamp, RateView, RateLimiterSnapshot>
}

/** A rate limiter, as `defineRateLimiter` answers it. */
export type RateLimiterDefinition<Type extends string = string> = ActorDefinition<Type, RateLimiterSnapshot, RateLimiterCommands>

type CheckEvent = { readonly type: 'check' } & RateCheckInput & Stamp

const WEIGHT_MAX = 1_000_000_000
const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'idleMs', 'algorithm', 'rule', 'limits', 'windowMs', 'roles'])

/**
 * Defines a rate limiter. Its actors have keys of two parts, `[principal, capability]`. Throws `InvalidDefinition`, naming the
 * field.
 */
export function defineRateLimiter<const Type extends string>(options: RateLimiterOptions<Type>): RateLimiterDefinition<Type> {
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new InvalidDefinition(options.type, name, 'is no option')
  const { type, module, idleMs } = options
  const rules = rulesOf(type, options)
  const algorithm = options.algorithm === 'gcra' ? gcra : slidingWindow
  const role = z.enum(rules.roles as [string, ...string[]]).optional() // Never empty: `service` is always among them.
  const weight = z.number().int().min(1).max(WEIGHT_MAX).optional()
  return defineActor({
    type,
    module,
    ...(idleMs === undefined ? {} : { idleMs }),
    logic: logicOf(rules, algorithm),
    input: ({ key }) => ({ capability: capabilityOf(type, key) }),
    commands: {
      check: command({
        input: stamped(z.object({ role, weight })),
        reply: ({ context, input }): RateDecision => decisionOf(rules, algorithm, context, input),
      }),
      dryRun: query({
        input: stamped(z.object({ role, weight })),
        reply: ({ context, input }): RateDecision => decisionOf(rules, algorithm, checked(rules, algorithm, context, input), input),
      }),
      peek: query({
        input: stamped(z.object({ role })),
        reply: ({ context, input }): RateView => {
          const { view, status } = looked(rules, algorithm, context, input)
          return { ...status, retryAfterMs: (view.retryAt ?? input.at) - input.at }
        },
      }),
    },
  })
}

function logicOf(
  rules: Rules,
  algorithm: Algorithm,
): ReturnType<typeof fromTransition<RateLimiterState, CheckEvent, never, { readonly capability: string }>> {
  const logic = fromTransition<RateLimiterState, CheckEvent, never, { readonly capability: string }>(
    (state, event) => checked(rules, algorithm, state, event),
    ({ input }) => ({ capability: input.capability, use: [], isDenied: false }),
  )
  return {
    ...logic,
    // A snapshot that is the old one is not written: whoever hammers at a closed door costs no disk.
    transition: (snapshot, event, scope) => {
      const next = logic.transition(snapshot, event, scope)
      return next.context === snapshot.context ? snapshot : next
    },
  }
}

/** The state after a check; the same one where nothing changes. */
function checked(
  rules: Rules,
  algorithm: Algorithm,
  state: RateLimiterState,
  { role, weight = 1, at }: RateCheckInput & Stamp,
): RateLimiterState {
  const { capability, isDenied } = state
  const use = algorithm.take(state.use, rules.limitOf(capability, role), at, weight)
  if (use !== undefined) return { capability, use, isDenied: false }
  return isDenied ? state : { ...state, isDenied: true }
}

function looked(
  rules: Rules,
  algorithm: Algorithm,
  { capability, use }: RateLimiterState,
  { role, weight = 1, at }: RateCheckInput & Stamp,
): { readonly view: UseView; readonly status: RateStatus } {
  const limit = rules.limitOf(capability, role)
  const view = algorithm.view(use, limit, at, weight)
  const { count, remaining, resetAt } = view
  return { view, status: { at, limit: limit.burst, count, remaining, resetAt } }
}

/** What the check that led to this state is told. */
function decisionOf(rules: Rules, algorithm: Algorithm, state: RateLimiterState, input: RateCheckInput & Stamp): RateDecision {
  const { view, status } = looked(rules, algorithm, state, input)
  if (!state.isDenied) return { outcome: 'allowed', ...status }
  const { retryAt } = view
  return { outcome: 'denied', ...status, retryAt, retryAfterMs: retryAt === null ? null : retryAt - input.at }
}

function capabilityOf(type: string, key: ActorKey): string {
  const [principal, capability, ...rest] = typeof key === 'string' ? [] : key
  if (principal !== undefined && capability !== undefined && rest.length === 0) return capability
  throw new TypeError(`A key of ${type} is [principal, capability], not ${JSON.stringify(key)}.`)
}
