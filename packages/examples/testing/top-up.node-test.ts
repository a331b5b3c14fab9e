import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulate } from '@bailiwick/testkit'
import { account } from './account.actor.ts'
import { topUp } from './top-up.ts'

test('two top-ups at the same time both count', async () => {
  await simulate({
    actors: [account],
    scenario: async (world) => {
      await world.together(2, async (client) => {
        await topUp(client.actor(account, 'alice'), 10)
      })
    },
    check: async (world) => {
      assert.equal(await world.system.actor(account, 'alice').ask.balance(), 20)
    },
  })
})
