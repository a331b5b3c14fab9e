/** The public surface of `@bailiwick/actors`: ready-made actors, each with a definition of your own and a typed facade. */

export type { Surroundings } from './seams.ts'

// Rate limiter
export { defineRateLimiter } from './rate-limiter/define-rate-limiter.ts'
export { RateLimiter } from './rate-limiter/rate-limiter.ts'
export type { RateAlgorithm } from './rate-limiter/algorithm.ts'
export type { RateLimitOptions, RateRule, RateRuleOptions } from './rate-limiter/rules.ts'
export type {
  RateCheckInput,
  RateDecision,
  RateLimiterCommands,
  RateLimiterDefinition,
  RateLimiterOptions,
  RateLimiterSnapshot,
  RateLimiterState,
  RatePeekInput,
  RateStatus,
  RateView,
} from './rate-limiter/define-rate-limiter.ts'
export type { RateCheckOptions, RateLookOptions, RateSubject } from './rate-limiter/rate-limiter.ts'

// Budget
export { defineBudget } from './budget/define-budget.ts'
export { Budget } from './budget/budget.ts'
export { escalateResponseMode, RESPONSE_MODES } from './budget/response-mode.ts'
export type { ResponseMode } from './budget/response-mode.ts'
export type {
  BudgetCommands,
  BudgetDefinition,
  BudgetModeView,
  BudgetOptions,
  BudgetRenewInput,
  BudgetReserveInput,
  BudgetResizeInput,
  BudgetResponseModeInput,
  BudgetReservationInput,
  BudgetRecordInput,
  BudgetSnapshot,
  BudgetState,
} from './budget/define-budget.ts'
export type { BudgetCallOptions } from './budget/budget.ts'
export type { BudgetBalance, EndedReservation, Ledger, Reservation, ReservationEnd } from './budget/ledger.ts'
export type {
  BudgetLostReason,
  BudgetRecordOutcome,
  BudgetReleaseOutcome,
  BudgetRenewOutcome,
  BudgetReserveOutcome,
} from './budget/outcomes.ts'
