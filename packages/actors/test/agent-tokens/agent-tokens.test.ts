/** Tokens of agents by the virtual clock: what is kept, what is answered, what a repeated call comes to. */
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AgentTokens } from '../../src/agent-tokens/agent-tokens.ts'
import { defineAgentTokens } from '../../src/agent-tokens/define-agent-tokens.ts'
import { agentTokens } from '../fixtures/agent-tokens.actor.ts'
import { notedTokens } from '../fixtures/small-tokens.actor.ts'
import { codeOf } from '../tokens/place.ts'

const agent = 'printer'

async function setUp(definition = agentTokens) {
  const world = new TestWorld()
  onTestFinished(() => world.close())
  const system = await world.open({ actors: [agentTokens, notedTokens] })
  const make = (): AgentTokens => new AgentTokens(system, definition)
  return { world, system, make, tokens: make() }
}

describe('a token', () => {
  test('is good for its agent until it is revoked, and for nobody else', async () => {
    const { tokens } = await setUp()
    const issued = await tokens.issue({ agent, mode: 'exclusive', metadata: { by: 'ada' } })
    expect(await tokens.verify(agent, issued.token)).toMatchObject({
      outcome: 'valid',
      token: { prefix: issued.token.slice(0, 10), generation: 1, metadata: { by: 'ada' } },
    })
    expect(await tokens.verify('scanner', issued.token)).toEqual({ outcome: 'invalid' })
    expect(await tokens.verify(agent, `${issued.token.slice(0, -1)}${issued.token.endsWith('A') ? 'E' : 'A'}`)).toEqual({
      outcome: 'invalid',
    })
    expect(await tokens.revoke(agent)).toEqual({ prefix: issued.prefix, generation: 1 })
    expect(await tokens.verify(agent, issued.token)).toEqual({ outcome: 'invalid' })
  })

  test('is not what its hash is, nor anything else', async () => {
    const { system, tokens } = await setUp()
    await tokens.issue({ agent, mode: 'exclusive' })
    const { context } = await system.actor(agentTokens, agent).snapshot()
    const before = system.stats().handled
    for (const text of ['', context.active?.hash ?? '', 'bwa_', 'x'.repeat(10_000)]) {
      expect(await tokens.verify(agent, text)).toEqual({ outcome: 'invalid' })
    }
    expect(system.stats().handled).toBe(before)
  })

  test('is shown to nobody by what is known of it', async () => {
    const { tokens } = await setUp()
    const { token } = await tokens.issue({ agent, mode: 'rotate' })
    expect(JSON.stringify(await tokens.active(agent))).not.toContain(token.slice(10))
    expect(await tokens.active(agent)).not.toHaveProperty('hash')
    expect(await tokens.active('scanner')).toBeNull()
  })
})

describe('the use of a token', () => {
  test('is noted when it was last noted a minute ago, and costs no commit in between', async () => {
    const { world, system, tokens } = await setUp()
    const { token, issuedAt } = await tokens.issue({ agent, mode: 'exclusive' })
    expect((await tokens.active(agent))?.lastUsedAt).toBeNull()
    await world.advance(10)
    await tokens.verify(agent, token)
    const before = system.stats().batches
    await world.advance(59_999)
    await tokens.verify(agent, token)
    expect((await tokens.active(agent))?.lastUsedAt).toBe(issuedAt + 10)
    expect(system.stats().batches).toEqual(before)
    await world.advance(1)
    await tokens.verify(agent, token)
    expect((await tokens.active(agent))?.lastUsedAt).toBe(issuedAt + 60_010)
  })

  test('is no use of the token that has replaced it', async () => {
    const { system, tokens } = await setUp(notedTokens)
    await tokens.issue({ agent, mode: 'exclusive' })
    await tokens.issue({ agent, mode: 'rotate' })
    await system.actor(notedTokens, agent).ask.touch({ generation: 1 })
    expect((await tokens.active(agent))?.lastUsedAt).toBeNull()
  })

  test('is good also if it cannot be noted', async () => {
    const { world, tokens } = await setUp()
    const { token } = await tokens.issue({ agent, mode: 'exclusive' })
    world.disk.failCommits('full')
    const check = tokens.verify(agent, token)
    await world.advance(5_000)
    expect((await check).outcome).toBe('valid')
    world.disk.failCommits(undefined)
  })
})

describe('generations', () => {
  test('tokens of one millisecond are told apart, and a revocation may name the one it means', async () => {
    const { tokens } = await setUp()
    const first = await tokens.issue({ agent, mode: 'exclusive' })
    const second = await tokens.issue({ agent, mode: 'rotate' })
    expect([first.issuedAt, first.generation, second.generation, second.replaced]).toEqual([second.issuedAt, 1, 2, 1])
    expect(await tokens.verify(agent, first.token)).toEqual({ outcome: 'invalid' })
    expect(await tokens.revoke(agent, { generation: 1 })).toBeNull()
    expect((await tokens.verify(agent, second.token)).outcome).toBe('valid')
    expect(await tokens.revoke(agent, { generation: 2 })).toMatchObject({ generation: 2 })
  })

  test('revoking is idempotent, and what is issued afterwards has a generation of its own', async () => {
    const { tokens } = await setUp()
    expect(await tokens.revoke(agent)).toBeNull()
    await tokens.issue({ agent, mode: 'exclusive' })
    expect(await tokens.revoke(agent)).toMatchObject({ generation: 1 })
    expect(await tokens.revoke(agent)).toBeNull()
    expect((await tokens.issue({ agent, mode: 'exclusive' })).generation).toBe(2)
  })
})

describe('asking again under a key', () => {
  test('through the same object answers the same token; a later one is not undone by it', async () => {
    const { tokens } = await setUp()
    const request = { agent, mode: 'rotate', idempotencyKey: 'r1' } as const
    const first = await tokens.issue(request)
    expect(await tokens.issue(request)).toEqual(first)
    const second = await tokens.issue({ agent, mode: 'rotate' })
    expect((await tokens.issue(request)).token).toBe(first.token)
    expect((await tokens.verify(agent, second.token)).outcome).toBe('valid')
  })

  test('through another one says that nobody knows it any more, and changes nothing', async () => {
    const { make, tokens } = await setUp()
    const request = { agent, mode: 'rotate', idempotencyKey: 'r1' } as const
    const { token } = await tokens.issue(request)
    await expect(make().issue(request)).rejects.toMatchObject({ code: 'AGENT_TOKEN_UNKNOWN', agent })
    expect((await tokens.verify(agent, token)).outcome).toBe('valid')
  })

  test('for something else is refused in the same words', async () => {
    const { tokens } = await setUp()
    await tokens.issue({ agent, mode: 'rotate', idempotencyKey: 'r1' })
    expect(await codeOf(tokens.issue({ agent, mode: 'exclusive', idempotencyKey: 'r1' }))).toBe('AGENT_TOKEN_UNKNOWN')
  })

  test('a hundred keys are remembered, not more', async () => {
    const { tokens } = await setUp()
    for (let number = 0; number <= 100; number += 1) await tokens.issue({ agent, mode: 'rotate', idempotencyKey: `r${number}` })
    await tokens.issue({ agent, mode: 'rotate', idempotencyKey: 'r1' })
    expect(await codeOf(tokens.issue({ agent, mode: 'rotate', idempotencyKey: 'r0' }))).toBe('AGENT_TOKEN_UNKNOWN')
  })
})

test('rules and metadata that make no sense are named', async () => {
  const { tokens } = await setUp()
  expect(() => defineAgentTokens({ type: 'wrong', module: import.meta.url, touchMs: -1 })).toThrow(
    expect.objectContaining({ code: 'INVALID_DEFINITION', field: 'touchMs' }),
  )
  const large = { note: 'x'.repeat(5_000) }
  await expect(tokens.issue({ agent, mode: 'rotate', metadata: large })).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'metadata' })
})
