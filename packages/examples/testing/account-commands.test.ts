import { fc, test } from '@fast-check/vitest'
import { commandsOf, TestWorld } from '@bailiwick/testkit'
import { expect } from 'vitest'
import { account } from './account.actor.ts'

const deposits = fc.array(commandsOf(account, { only: ['deposit'] }), { maxLength: 20 })

test.prop([deposits])('a balance is the sum of what was paid in', async (steps) => {
  const world = new TestWorld()
  const system = await world.open({ actors: [account] })
  const alice = system.actor(account, 'alice')
  for (const { input } of steps) await alice.ask.deposit(input)
  expect(await alice.ask.balance()).toBe(steps.reduce((sum, { input }) => sum + input.amount, 0))
  await world.close()
})
