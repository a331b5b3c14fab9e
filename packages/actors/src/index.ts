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
export type { BudgetCallOptions, BudgetResizeOptions } from './budget/budget.ts'
export type { BudgetBalance, EndedReservation, Ledger, Reservation, ReservationEnd } from './budget/ledger.ts'
export type {
  BudgetLostReason,
  BudgetRecordOutcome,
  BudgetReleaseOutcome,
  BudgetRenewOutcome,
  BudgetReserveOutcome,
} from './budget/outcomes.ts'

// Tokens
export { defineTokens } from './tokens/define-tokens.ts'
export type { TokensCommands, TokensDefinition, TokensRules } from './tokens/define-tokens.ts'
export { Tokens } from './tokens/tokens.ts'
export type { IssuedToken, TokenRequest, TokenRevokeOptions, TokensOptions, TokenUse } from './tokens/tokens.ts'
export type { TokenKey } from './tokens/token-keys.ts'
export type { TokenClaims } from './tokens/token-text.ts'
export {
  TokenCapabilityMismatch,
  TokenExpired,
  TokenInvalid,
  TokenLimitReached,
  TokenPrincipalMismatch,
  TokenRevoked,
  TokenSecretMissing,
} from './tokens/errors.ts'

// Tokens of agents
export { defineAgentTokens } from './agent-tokens/define-agent-tokens.ts'
export type { AgentTokensCommands, AgentTokensDefinition, AgentTokensRules, AgentTokenView } from './agent-tokens/define-agent-tokens.ts'
export { AgentTokens } from './agent-tokens/agent-tokens.ts'
export type { AgentTokenCheck, AgentTokenRequest, AgentTokenRevokeOptions, IssuedAgentToken } from './agent-tokens/agent-tokens.ts'
export { AgentTokenUnknown, AlreadyExists } from './agent-tokens/errors.ts'

// Handles
export { defineHandles } from './handles/define-handles.ts'
export type { HandlesCommands, HandlesDefinition, HandlesRules } from './handles/define-handles.ts'
export { Handles } from './handles/handles.ts'
export type { HandleExpandRequest, HandleExpansion, HandleRelease, HandleRequest, StoredHandle } from './handles/handles.ts'
export type { HandleDenied, HandleGrant, HandlePage, HandleRow, HandleScopeValue, HandleSelection } from './handles/grant.ts'
export { HandleEvicted, HandleTooLarge } from './handles/errors.ts'

export { realPause } from './pause.ts'
export type { Pause } from './pause.ts'

// Idempotent endpoint
export { defineIdempotentEndpoint } from './idempotency/define-idempotent-endpoint.ts'
export type { EndpointCommands, EndpointDefinition, EndpointOptions, EndpointSize } from './idempotency/define-idempotent-endpoint.ts'
export { IdempotentEndpoint } from './idempotency/idempotent-endpoint.ts'
export type { EndpointRequest, EndpointSurroundings, Work, WorkContext } from './idempotency/idempotent-endpoint.ts'
export type { EndpointResponse, HandledResponse } from './idempotency/response.ts'
export { DEFAULT_HEADERS, isDeterministic } from './idempotency/rules.ts'
export type { CheckedRules as CheckedEndpointRules, EndpointRules } from './idempotency/rules.ts'
export type {
  Asking,
  Completion,
  KeptOutcome,
  KeptResponse,
  Ledger as EndpointLedger,
  Reservation as EndpointReservation,
  Standing,
} from './idempotency/ledger.ts'
export { idempotent } from './idempotency/node-http.ts'
export type { HttpHandler, HttpOptions, HttpWork } from './idempotency/node-http.ts'
export { KEY_HEADER, keyOfHeader } from './idempotency/key-header.ts'
export { problem, problemOf } from './idempotency/problem.ts'
export {
  EndpointError,
  KeyConflict,
  KeyInProgress,
  KeyMissing,
  RequestTooLarge,
  ReservationLost,
  ResponseTooLarge,
  TooManyInProgress,
} from './idempotency/errors.ts'

// Traces
export { defineTrace, defineTraceSegments } from './traces/define-trace.ts'
export type {
  Appended,
  SegmentCommands,
  SegmentsDefinition,
  SegmentState,
  TraceCommands,
  TraceDefinition,
  TraceOptions,
} from './traces/define-trace.ts'
export { Trace } from './traces/trace.ts'
export type { AppendOptions, TraceSummary, TraceSurroundings, VerifyOptions } from './traces/trace.ts'
export type { TraceFault, TraceVerdict } from './traces/chain-verifier.ts'
export type { TraceCheckpoint, TraceHead, TraceRecord, TraceSecret } from './traces/chain.ts'
export type { ChainState } from './traces/head.ts'
export type { TraceRules } from './traces/rules.ts'
export { verifyTraceLines } from './traces/export-lines.ts'
export type { VerifyLinesOptions } from './traces/export-lines.ts'
export { TraceBroken, TracePruned, TraceRecordRefused, TraceSecretWrong } from './traces/errors.ts'

// Admission
export { Admission } from './admission/admission.ts'
export { defineAdmission } from './admission/define-admission.ts'
export { definePolicies } from './admission/policies.ts'
export { AdmissionCancelled, AdmissionRefused, ExecutionOver, QueueFull, QueueTimeout, SlotLost } from './admission/errors.ts'
export type { AdmissionDefinition, AdmissionOptions, AdmissionRules } from './admission/define-admission.ts'
export type { Count as PolicyCount, Policies, Policy, PolicyRequest, Scope as PolicyScope, Violation } from './admission/policies.ts'
export type { RuleViolation } from './admission/meter-log.ts'
export type { EndReason as QueueEndReason, Totals as QueueTotals } from './admission/book.ts'
export type { QueueFigures, Whereabouts } from './admission/figures.ts'
export type {
  Acquired,
  AcquireRequest,
  AdmissionFigures,
  Ended,
  Execution,
  Full,
  Granted,
  Place as QueuePlace,
  Queued,
  Refused,
  Slot as AdmissionSlot,
  WorkContext as AdmissionWorkContext,
} from './admission/requests.ts'
export type { QueueDefinition } from './admission/queue.actor.ts'
export type { BellDefinition } from './admission/bell.actor.ts'
export type { DirectoryDefinition } from './admission/directory.actor.ts'
export type { MeterDefinition } from './admission/meter.actor.ts'
