/** The ready-made actors that the benchmarks ask. */
import { defineAdmission, defineRateLimiter, defineTokens } from '@bailiwick/actors'

const module = import.meta.url

/** More than anybody asks for in the benchmark: every check is allowed, and counted on disk. */
export const wideLimiter = defineRateLimiter({
  type: 'wide-limiter',
  module,
  algorithm: 'sliding-window',
  rule: { limit: 1_000, windowMs: 1_000 },
})

/** Soon used up: what is denied writes nothing. */
export const narrowLimiter = defineRateLimiter({
  type: 'narrow-limiter',
  module,
  algorithm: 'sliding-window',
  rule: { limit: 5, windowMs: 3_600_000 },
})

export const tokens = defineTokens({ type: 'tokens', module })

export const admission = defineAdmission({ type: 'admission', module, limit: 16 })
export const [admissionQueue, admissionBell, admissionDirectory, admissionMeter] = admission.actors
