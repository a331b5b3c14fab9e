/** Tokens of agents under schedules, crashes and what a network does to calls. */
import { FAULT_KINDS, simulate } from '@bailiwick/testkit'
import type { Client } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { AgentTokens } from '../../src/agent-tokens/agent-tokens.ts'
import type { IssuedAgentToken } from '../../src/agent-tokens/agent-tokens.ts'
import { agentTokens } from '../fixtures/agent-tokens.actor.ts'
import { endOf, simulatedSurroundings } from '../tokens/place.ts'

const agent = 'printer'

/** The clock may not be set forward here: records of keys are not to be forgotten. */
const timeless = FAULT_KINDS.filter((kind) => kind !== 'clock-jump')

test('T11 T14 whatever strikes, exclusive tokens never overlap: each ends before the next begins, and none returns', async () => {
  let issued: IssuedAgentToken[] = []
  await simulate({
    actors: [agentTokens],
    schedules: 200,
    faults: timeless,
    scenario: async (world) => {
      issued = []
      await world.together(3, async (client, index) => {
        const tokens = new AgentTokens(client, agentTokens, simulatedSurroundings(world, String(index)))
        for (let number = 0; number < 2; number += 1) {
          const name = `${index}.${number}`
          if (!world.keeps(name)) continue
          const mine = await exclusive(client, tokens, name)
          world.sometimes('somebody else has one', mine === undefined)
          if (mine === undefined) continue
          issued.push(mine)
          // Nobody but its holder revokes it.
          const { outcome } = await client.retry(() => tokens.verify(agent, mine.token))
          world.always('it is good while it is held', outcome === 'valid', mine)
          const revoked = await client.retry(() => tokens.revoke(agent, { idempotencyKey: `end ${name}` }))
          world.always('its own token is what it revokes', revoked?.generation === mine.generation, { revoked, mine })
          const after = await client.retry(() => tokens.verify(agent, mine.token))
          world.always('it does not return', after.outcome === 'invalid', mine)
        }
      })
    },
    check: async (world) => {
      const generations = issued.map(({ generation }) => generation)
      expect(generations.toSorted((one, other) => one - other)).toEqual(generations.map((_none, index) => index + 1))
      expect(await world.system.actor(agentTokens, agent).ask.active()).toBeNull()
    },
  })
})

test('T12 whatever strikes, of tokens that are rotated exactly one is good at the end, the latest', async () => {
  let issued: IssuedAgentToken[] = []
  await simulate({
    actors: [agentTokens],
    schedules: 200,
    faults: timeless,
    scenario: async (world) => {
      issued = []
      await world.together(4, async (client, index) => {
        const tokens = new AgentTokens(client, agentTokens, simulatedSurroundings(world, String(index)))
        issued.push(await client.retry(() => tokens.issue({ agent, mode: 'rotate', idempotencyKey: String(index) })))
      })
    },
    check: async (world) => {
      const tokens = new AgentTokens(world.system, agentTokens)
      const good: number[] = []
      for (const { token, generation } of issued) if ((await tokens.verify(agent, token)).outcome === 'valid') good.push(generation)
      expect(good).toEqual([4])
      expect(issued.map(({ generation }) => generation).toSorted((one, other) => one - other)).toEqual([1, 2, 3, 4])
      world.sometimes('the first caller is the last', issued[0]?.generation === 4 || issued[3]?.generation === 1)
    },
  })
})

test('T12 a call that arrives twice, or late, brings no token back and revokes none that was issued meanwhile', async () => {
  await simulate({
    actors: [agentTokens],
    schedules: 150,
    faults: ['duplicate-request', 'delayed-request'],
    scenario: async (world) => {
      await world.together(3, async (client, index) => {
        const tokens = new AgentTokens(client, agentTokens, simulatedSurroundings(world, String(index)))
        if (index === 0) await tokens.revoke(agent)
        await tokens.issue({ agent, mode: 'rotate' })
        await client.sleep(world.draw(`pause ${index}`, 2_000))
        await tokens.issue({ agent, mode: 'rotate' })
      })
    },
    check: async (world) => {
      const { context } = await world.system.actor(agentTokens, agent).snapshot()
      expect(context).toMatchObject({ generation: 6, active: { generation: 6 } })
    },
  })
})

/** A token, or nothing if somebody has one. */
async function exclusive(client: Client, tokens: AgentTokens, idempotencyKey: string): Promise<IssuedAgentToken | undefined> {
  const end = await endOf(client, ['ALREADY_EXISTS'], () => tokens.issue({ agent, mode: 'exclusive', idempotencyKey }))
  return typeof end === 'string' ? undefined : end
}
