import { simulate } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { account } from './account.actor.ts'
import { topUp } from './top-up.ts'

test('two top-ups at the same time both count', { timeout: 60_000 }, async () => {
  await simulate({
    actors: [account],
    scenario: async (world) => {
      await world.together(2, async (client) => {
        await topUp(client.actor(account, 'alice'), 10)
      })
    },
    check: async (world) => {
      expect(await world.system.actor(account, 'alice').ask.balance()).toBe(20)
    },
  })
})
