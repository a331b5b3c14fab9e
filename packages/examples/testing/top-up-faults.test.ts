import { simulate } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { account } from './account.actor.ts'
import { topUp } from './top-up.ts'

test('a top-up counts once, whatever dies meanwhile and however often it is sent', { timeout: 60_000 }, async () => {
  await simulate({
    actors: [account],
    faults: 'all',
    scenario: async (world) => {
      await world.together(2, async (client, index) => {
        const ref = client.actor(account, 'alice')
        await client.retry(() => topUp(ref, 10, `request ${index}`))
      })
      world.sometimes('the process died in between', world.lives > 1)
    },
    check: async (world) => {
      expect(await world.system.actor(account, 'alice').ask.balance()).toBe(20)
    },
  })
})
