import { exploreModel, simulateModel } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { reduceWallet, wallet } from './wallets.ts'

describe('simulateModel', () => {
  test('an actor that does what its model says passes under every kind of fault', async () => {
    const report = await simulateModel({
      actor: wallet,
      model: { initial: { balance: 0 }, reduce: reduceWallet },
      keys: ['a', 'b'],
      shards: 2,
      schedules: 1_000,
    })
    expect(report.schedules).toBe(1_000)
  })

  test('an actor that differs from its model is found, with few commands left', async () => {
    const { failure } = await exploreModel({
      actor: wallet,
      model: {
        initial: { balance: 0 },
        // The model has an overdraft, the actor has none.
        reduce: (state, step) => {
          if (step.command !== 'withdraw') return reduceWallet(state, step)
          const balance = state.balance - step.input.amount
          return { state: { balance }, reply: balance }
        },
      },
      schedules: 1_000,
    })
    expect(failure?.error.message).toContain('withdraw')
    expect(failure?.after.parts).toBe(1)
    expect(failure?.after.faults).toBe(0)
  })
})
