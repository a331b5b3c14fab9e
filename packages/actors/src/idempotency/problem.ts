/** Errors as HTTP answers: problem details after RFC 9457, with a code for programs and `Retry-After` where it helps. */
import { EndpointError } from './errors.ts'
import type { EndpointResponse } from './response.ts'

/** The answer that an error stands for. What is not an endpoint's own error says nothing of its inside. */
export function problemOf(error: unknown): EndpointResponse {
  if (error instanceof EndpointError) {
    const { status, code, message } = error
    const retryAfterMs = 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : undefined
    return problem(status, code, message, retryAfterMs)
  }
  const isPassing = typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true
  return isPassing
    ? problem(503, 'UNAVAILABLE', 'The outcome is not known. Ask again with the same key.', 1_000)
    : problem(500, 'FAILED', 'The work failed.')
}

/** An answer with problem details. */
export function problem(status: number, code: string, detail: string, retryAfterMs?: number): EndpointResponse {
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) }),
    },
    body: JSON.stringify({ status, code, detail }),
  }
}
