/** The components whose consistency is measured, small enough to be counted by hand. */
import { readFileSync } from 'node:fs'
import {
  defineAdmission,
  defineAgentTokens,
  defineBudget,
  defineHandles,
  defineIdempotentEndpoint,
  defineRateLimiter,
  defineTokens,
  defineTrace,
  defineTraceSegments,
} from '@bailiwick/actors'

/** The variable that names the file with the secret. The secret itself stands in no variable. */
export const SECRET_FILE = 'CONSISTENCY_SECRET_FILE'

/** The secret that all workers share, and that is all they share unless they share a system. */
export function readSecret(): string {
  return readFileSync(process.env[SECRET_FILE] ?? '', 'utf8')
}

const module = import.meta.url

/** Five in an hour: no window ends while this is measured. */
export const limiter = defineRateLimiter({ type: 'limiter', module, algorithm: 'sliding-window', rule: { limit: 5, windowMs: 3_600_000 } })
export const tokens = defineTokens({ type: 'tokens', module })
export const agentTokens = defineAgentTokens({ type: 'agent-tokens', module })
export const handles = defineHandles({ type: 'handles', module })
export const budget = defineBudget({ type: 'budget', module, total: 10_000 })
export const traceSegments = defineTraceSegments({ type: 'trace-segments', module })
export const trace = defineTrace({ type: 'trace', module, segments: traceSegments, secret: readSecret })
export const endpoint = defineIdempotentEndpoint({ type: 'endpoint', module })
export const admission = defineAdmission({ type: 'admission', module, limit: 2 })
export const [admissionQueue, admissionBell, admissionDirectory, admissionMeter] = admission.actors

/** Everything that `openSystem` has to know. */
export const actors = [limiter, tokens, agentTokens, handles, budget, traceSegments, trace, endpoint, ...admission.actors]
