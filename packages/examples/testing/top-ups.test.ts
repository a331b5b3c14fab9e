import { simulate } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { account } from './account.actor.ts'
import { topUp } from './top-up.ts'

test('six top-ups of three clients all count', { timeout: 60_000 }, async () => {
  let expected = 0
  await simulate({
    actors: [account],
    scenario: async (world) => {
      expected = 0
      await world.together(3, async (client, index) => {
        for (const number of [1, 2]) {
          const name = `top-up ${index}.${number}`
          if (!world.keeps(name)) continue
          const amount = 1 + world.draw(name, 100)
          await topUp(client.actor(account, 'alice'), amount)
          expected += amount
        }
      })
    },
    check: async (world) => {
      expect(await world.system.actor(account, 'alice').ask.balance()).toBe(expected)
    },
  })
})
