/** What a directory, the tap and errors tell to whoever reads them: no secret of any of the ready-made actors. */
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { AgentTokens } from '../../src/agent-tokens/agent-tokens.ts'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { Tokens } from '../../src/tokens/tokens.ts'
import { Trace } from '../../src/traces/trace.ts'
import { agentTokens } from '../fixtures/agent-tokens.actor.ts'
import { AUDIT_SECRET, auditSegments, shortAudit } from '../fixtures/audit.actor.ts'
import { ordersEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { sessionTokens } from '../fixtures/session-tokens.actor.ts'
import { filesWith, makePlaces } from '../tokens/place.ts'

test('T16: keys, payloads, passwords, tokens and what they are signed with are in no file, no tap and no error', async () => {
  const places = makePlaces()
  const system = await places.open([agentTokens, sessionTokens, ordersEndpoint, shortAudit, auditSegments])
  const told: unknown[] = []
  system.tap((event) => told.push(event))
  const failed = async (call: Promise<unknown>): Promise<void> => {
    told.push(
      await call.then(
        () => expect.unreachable(),
        (error: unknown) => error,
      ),
    )
  }

  const endpoint = new IdempotentEndpoint(system, ordersEndpoint)
  const request = { principal: 'ada', operation: 'o', key: 'key-of-a-client', payload: { card: 'payload-4111' } }
  await endpoint.handle(request, () => ({ status: 201, headers: { 'set-cookie': 'cookie-of-one', etag: 'kept' }, body: 'ok' }))
  await failed(endpoint.handle({ ...request, payload: { card: 'payload-4222' } }, () => ({ status: 201 })))

  const trace = new Trace(system, shortAudit)
  for (let count = 0; count < 9; count += 1) await trace.append('office', { password: 'password-of-eve' })
  await failed(trace.append('office', { note: 'too long a note '.repeat(10) }))

  const secret = 'secret-of-the-signer-secret-of-the-signer'
  const tokens = new Tokens(system, sessionTokens, { keys: [{ id: 'k', secret }] })
  const { token } = await tokens.issue({
    principal: 'ada',
    capability: 'c',
    idempotencyKey: 'i',
    constraints: { rows: 'constraint-of-ada' },
  })
  await tokens.revokeAll('ada')
  await failed(tokens.verify(token, { principal: 'ada', capability: 'c' }))

  const agents = new AgentTokens(system, agentTokens)
  const { token: plaintext } = await agents.issue({ agent: 'printer', mode: 'exclusive', idempotencyKey: 'i' })
  await failed(agents.issue({ agent: 'printer', mode: 'exclusive' }))
  await failed(new AgentTokens(system, agentTokens).issue({ agent: 'printer', mode: 'exclusive', idempotencyKey: 'i' }))

  await system.actor(ordersEndpoint, ['ada', 'o']).ask.size()
  const secrets = [
    request.key,
    'payload-4',
    'cookie-of-one',
    'password-of-eve',
    AUDIT_SECRET,
    secret,
    'constraint-of-ada',
    plaintext.slice(10),
    ...token.split('.').slice(1),
  ]
  const text = inspect([...told, tokens, agents, trace, endpoint], { depth: 12, showHidden: true })
  expect(told.length).toBeGreaterThan(10)
  for (const one of secrets) expect(text.includes(one), one).toBe(false)
  const directory = places.directory()
  expect(filesWith(directory, ...secrets)).toEqual([])
  await system.close()
  expect(filesWith(directory, ...secrets)).toEqual([])
  expect(filesWith(directory, '(redacted)')).not.toEqual([])
})
