/** A worker of a service: it answers requests with the components, through facades of its own before some system. */
import { Admission, AgentTokens, Budget, Handles, IdempotentEndpoint, RateLimiter, Tokens, Trace } from '@bailiwick/actors'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { actors, admission, agentTokens, budget, endpoint, handles, limiter, readSecret, tokens, trace } from './components.actor.ts'

/** A token, as one worker hands it to another. */
export interface Issued {
  readonly token: string
  readonly id: string
}

/** What a worker can be asked. Inputs and answers are JSON, so that the worker may be another process. */
export interface Worker {
  issue: (input: { principal: string }) => Promise<Issued>
  /** `accepted`, or the code of the error. */
  verify: (input: { principal: string; token: string }) => Promise<string>
  /** How many were newly revoked. */
  revoke: (input: { principal: string; id: string }) => Promise<number>
  revokeAll: (input: { principal: string }) => Promise<number>
  /** The token of an agent that has none, or the code of the error. */
  issueForAgent: (input: { agent: string }) => Promise<string>
  verifyForAgent: (input: { agent: string; token: string }) => Promise<string>
  check: (input: { principal: string }) => Promise<string>
  store: (input: { principal: string }) => Promise<string>
  expand: (input: { principal: string; handle: string }) => Promise<string>
  /** How much was granted. */
  reserve: (input: { amount: number }) => Promise<number>
  /** The number of the record in its chain. */
  append: (input: { chain: string; by: number }) => Promise<number>
  /** Whether the chain is intact, and the hash of its last record. */
  verifyChain: (input: { chain: string }) => Promise<{ outcome: string; head: string }>
  handle: (input: { key: string }) => Promise<string>
  enqueue: (input: { executionId: string }) => Promise<string>
  /** Opens the directory of another worker: `opened`, or the code of the error. */
  join: (input: { directory: string }) => Promise<string>
}

/** A worker before a system. Any number of them may stand before the same one. */
export function workerOf(system: System): Worker {
  const secret = readSecret()
  const facades = {
    limiter: new RateLimiter(system, limiter),
    tokens: new Tokens(system, tokens, { keys: [{ id: 'shared', secret }] }),
    agentTokens: new AgentTokens(system, agentTokens),
    handles: new Handles(system, handles),
    budget: new Budget(system, budget),
    trace: new Trace(system, trace),
    endpoint: new IdempotentEndpoint(system, endpoint),
    admission: new Admission(system, admission),
  }
  return {
    issue: async ({ principal }) => {
      const { token, claims } = await facades.tokens.issue({ principal, capability: 'reports.read' })
      return { token, id: claims.id }
    },
    verify: ({ principal, token }) =>
      orCode(async () => {
        await facades.tokens.verify(token, { principal, capability: 'reports.read' })
        return 'accepted'
      }),
    revoke: ({ principal, id }) => facades.tokens.revoke({ principal, id }),
    revokeAll: ({ principal }) => facades.tokens.revokeAll(principal),
    issueForAgent: ({ agent }) => orCode(async () => (await facades.agentTokens.issue({ agent, mode: 'exclusive' })).token),
    verifyForAgent: async ({ agent, token }) => (await facades.agentTokens.verify(agent, token)).outcome,
    check: async ({ principal }) => (await facades.limiter.check({ principal, capability: 'reports.read' })).outcome,
    store: async ({ principal }) => (await facades.handles.store({ principal, rows: [{ name: 'a row' }] })).handle,
    expand: async ({ principal, handle }) => (await facades.handles.expand(handle, { principal })).outcome,
    reserve: async ({ amount }) => {
      const reserved = await facades.budget.reserve('team', { amount })
      return reserved.outcome === 'granted' ? reserved.granted : 0
    },
    append: async ({ chain, by }) => (await facades.trace.append(chain, { action: 'signed in', by })).seq,
    verifyChain: async ({ chain }) => {
      const { outcome } = await facades.trace.verify(chain)
      return { outcome, head: (await facades.trace.summary(chain)).head.hash }
    },
    handle: async ({ key }) => {
      const request = { principal: 'ada', operation: 'order', key, payload: 'a lamp' }
      return (await facades.endpoint.handle(request, () => ({ status: 201, body: 'ordered' }))).outcome
    },
    enqueue: async ({ executionId }) => (await facades.admission.enqueue({ action: 'build', executionId })).outcome,
    join: ({ directory }) =>
      orCode(async () => {
        await using _joined = await openSystem({ directory, actors })
        return 'opened'
      }),
  }
}

/** What comes of it, or the code of its error. What has no code is a bug, and thrown. */
async function orCode(attempt: () => Promise<string>): Promise<string> {
  try {
    return await attempt()
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
    throw error
  }
}
