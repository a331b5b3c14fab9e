import { simulateModel } from '@bailiwick/testkit'
import { test } from 'vitest'
import { account } from './account.actor.ts'

test('an account does what its model says, for three clients and under every fault', { timeout: 60_000 }, async () => {
  await simulateModel({
    actor: account,
    keys: ['alice', 'bob'],
    model: {
      initial: 0,
      reduce: (balance, step) => {
        switch (step.command) {
          case 'set':
            return { state: step.input.to }
          case 'deposit':
            return { state: balance + step.input.amount, reply: balance + step.input.amount }
          case 'balance':
            return { state: balance, reply: balance }
        }
      },
    },
  })
})
