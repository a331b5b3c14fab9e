/** The facade of rate limiters: typed calls, and no state. */
import { InvalidInput } from '@bailiwick/kernel'
import type { AskOptions, RefOf, System } from '@bailiwick/kernel'
import type { RateCheckInput, RatePeekInput, RateDecision, RateLimiterDefinition, RateView } from './define-rate-limiter.ts'

/** Who wants to do what. */
export interface RateSubject {
  /** Who: a user, a service, an address. Not empty. */
  readonly principal: string
  /** What: the capability that is limited. Not empty. */
  readonly capability: string
}

/** Options of a check. */
export type RateCheckOptions = Pick<AskOptions, 'idempotencyKey' | 'timeoutMs' | 'signal' | 'priority'>

/** Options of what only looks. */
export type RateLookOptions = Pick<AskOptions, 'timeoutMs' | 'signal' | 'priority'>

/**
 * Limits how often principals use capabilities. Any number of these may stand before the same system and definition: what is
 * counted is counted by the actors.
 */
export class RateLimiter {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: RateLimiterDefinition

  constructor(system: Pick<System, 'actor'>, definition: RateLimiterDefinition) {
    this.#system = system
    this.#definition = definition
  }

  /**
   * Decides whether something is allowed now, and counts it if so. A denial is an outcome; a rejection of the promise means that
   * nothing is known to be allowed. Give an `idempotencyKey`, one for each attempt, where the call may be repeated: it then counts
   * once, and the repeat gets the decision of the first call, a denial too.
   */
  async check(subject: RateSubject & RateCheckInput, options: RateCheckOptions = {}): Promise<RateDecision> {
    return await this.#actorOf('check', subject).ask.check(inputOf(subject), options)
  }

  /** What `check` would answer now, the status after it included. Counts nothing. */
  async dryRun(subject: RateSubject & RateCheckInput, options: RateLookOptions = {}): Promise<RateDecision> {
    return await this.#actorOf('dryRun', subject).ask.dryRun(inputOf(subject), options)
  }

  /** How much is used now. Counts nothing. */
  async peek(subject: RateSubject & RatePeekInput, options: RateLookOptions = {}): Promise<RateView> {
    const { role } = subject
    return await this.#actorOf('peek', subject).ask.peek(role === undefined ? {} : { role }, options)
  }

  #actorOf(method: string, { principal, capability }: RateSubject): RefOf<RateLimiterDefinition> {
    const operation = `${this.#definition.type}.${method}`
    requirePart(operation, 'principal', principal)
    requirePart(operation, 'capability', capability)
    return this.#system.actor(this.#definition, [principal, capability])
  }
}

function inputOf({ role, weight }: RateCheckInput): RateCheckInput {
  return { ...(role === undefined ? {} : { role }), ...(weight === undefined ? {} : { weight }) }
}

/** Somebody without a name would share the limit of everybody without one. */
function requirePart(operation: string, field: string, part: unknown): void {
  if (typeof part !== 'string' || part === '') throw new InvalidInput(operation, field, 'must be a string that is not empty')
}
