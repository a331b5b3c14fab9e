/** Tokens under schedules, crashes and what a network does to calls. */
import { FAULT_KINDS, simulate } from '@bailiwick/testkit'
import type { Client, World } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { Tokens } from '../../src/tokens/tokens.ts'
import { sessionTokens } from '../fixtures/session-tokens.actor.ts'
import { endOf, simulatedSurroundings } from './place.ts'

const keys = [{ id: 'k1', secret: 'a secret of thirty-two bytes, or more' }]
const use = { principal: 'ada', capability: 'read' }

/** The clock may not be set forward here: nothing is to expire, and no record of a key to be forgotten. */
const timeless = FAULT_KINDS.filter((kind) => kind !== 'clock-jump')

async function outcomeOf(client: Client, tokens: Tokens, token: string): Promise<string> {
  const end = await endOf(client, ['TOKEN_REVOKED', 'TOKEN_EXPIRED'], () => tokens.verify(token, use))
  return typeof end === 'string' ? end : 'good'
}

function facadeOf(world: World, client: Client, name: string): Tokens {
  return new Tokens(client, sessionTokens, { keys }, simulatedSurroundings(world, name))
}

test('W03 W04 whatever strikes, what is revoked is revoked from the very next call on, and revocations count each token once', async () => {
  let issued: string[] = []
  let counted = 0
  await simulate({
    actors: [sessionTokens],
    schedules: 200,
    faults: timeless,
    scenario: async (world) => {
      issued = []
      counted = 0
      await world.together(
        ...[0, 1, 2].map((index) => async (client: Client) => {
          const tokens = facadeOf(world, client, String(index))
          for (let number = 0; number < 2; number += 1) {
            const name = `${index}.${number}`
            if (!world.keeps(name)) continue
            const { token, claims } = await client.retry(() => tokens.issue({ ...use, idempotencyKey: name }))
            issued.push(token)
            const choice = world.draw(`choice ${name}`, 3)
            if (choice === 2) continue
            const idempotencyKey = `end ${name}`
            const end = (): Promise<number> =>
              choice === 0 ? tokens.revoke(claims, { idempotencyKey }) : tokens.revokeAll('ada', { idempotencyKey })
            const count = await client.retry(end)
            counted += count
            world.always('what was revoked is', (await outcomeOf(client, tokens, token)) === 'TOKEN_REVOKED')
          }
        }),
      )
    },
    check: async (world) => {
      const client = world.client('observer')
      const tokens = facadeOf(world, client, 'observer')
      const outcomes = await Promise.all(issued.map((token) => outcomeOf(client, tokens, token)))
      const revoked = outcomes.filter((outcome) => outcome === 'TOKEN_REVOKED').length
      expect(counted).toBe(revoked)
      world.sometimes('some are good and some are not', revoked > 0 && revoked < outcomes.length)
      world.sometimes('one revocation has met several', revoked > 2)
    },
  })
})

test('W17 whatever strikes, a clock that jumps included, what was revoked is never good again', async () => {
  await simulate({
    actors: [sessionTokens],
    schedules: 200,
    faults: 'all',
    scenario: async (world) => {
      await world.together(2, async (client, index) => {
        const tokens = facadeOf(world, client, String(index))
        const { token, claims } = await client.retry(() => tokens.issue({ ...use, lifeMs: 60_000 }))
        await client.retry(() => (index === 0 ? tokens.revoke(claims) : tokens.revokeAll('ada')))
        for (let look = 0; look < 3; look += 1) {
          await client.sleep(world.draw(`pause ${index}.${look}`, 30_000))
          await client.retry(() => tokens.issue({ ...use, lifeMs: 1 }))
          const outcome = await outcomeOf(client, tokens, token)
          world.always('it is not good', outcome !== 'good', { outcome })
          world.sometimes('it has expired meanwhile', outcome === 'TOKEN_EXPIRED')
          world.sometimes('it has not expired yet', outcome === 'TOKEN_REVOKED' && look === 2)
        }
      })
    },
  })
})
