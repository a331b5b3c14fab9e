/** What comes too late: an owner who cannot renew, and a call that arrives once more. */
import type { System } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { acquire, EMPTY_BOOK, pass, renew, slotOf } from '../../src/admission/book.ts'
import { Budget } from '../../src/budget/budget.ts'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { tokens } from '../fixtures/limits.actor.ts'
import { smallEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { virtualSurroundings } from '../idempotency/surroundings.ts'

function worldOf(): TestWorld {
  const world = new TestWorld()
  onTestFinished(() => world.close())
  return world
}

test('T03: an owner whose renewals are not answered is told while its lease still lasts', async () => {
  const world = worldOf()
  const system = await world.open({ actors: [smallEndpoint] })
  let isReached = true
  const actor = ((...args: Parameters<System['actor']>) => {
    const { ask } = system.actor(...args)
    const renew = async (input: object, options: { readonly timeoutMs: number }): Promise<unknown> => {
      if (isReached) return await (ask as Record<string, (...given: unknown[]) => Promise<unknown>>)['renew']?.(input, options)
      await new Promise<void>((resolve) => void world.clock.setTimer(() => resolve(), options.timeoutMs))
      throw Object.assign(new Error('Nobody has answered.'), { code: 'ASK_TIMEOUT' })
    }
    return { ask: new Proxy(ask, { get: (target, name) => (name === 'renew' ? renew : (Reflect.get(target, name) as unknown)) }) }
  }) as unknown as System['actor'] // As much of it as the facade needs.
  const endpoint = new IdempotentEndpoint({ actor }, smallEndpoint, virtualSurroundings(world))

  let owned: AbortSignal | undefined
  const never = new Promise<never>(() => undefined)
  void endpoint.handle({ principal: 'ada', operation: 'o', key: 'k' }, async ({ signal }) => {
    owned = signal
    return await never
  })
  await world.advance(1_000)
  expect(owned?.aborted).toBe(false)
  isReached = false
  // The last renewal was at most a third of the lease ago.
  await world.advance(299)
  expect(owned?.aborted).toBe(true)
})

test('W14: a change of a budget that arrives once more, and late, does not undo a later one', async () => {
  const world = worldOf()
  const system = await world.open({ actors: [tokens] })
  const repeats: (() => Promise<unknown>)[] = []
  const actor = ((...args: Parameters<System['actor']>) => {
    const { ask } = system.actor(...args)
    const resize = async (...given: unknown[]): Promise<unknown> => {
      const send = async (): Promise<unknown> =>
        await (ask as Record<string, (...all: unknown[]) => Promise<unknown>>)['resize']?.(...given)
      repeats.push(send)
      return await send()
    }
    return { ask: new Proxy(ask, { get: (target, name) => (name === 'resize' ? resize : (Reflect.get(target, name) as unknown)) }) }
  }) as unknown as System['actor'] // As much of it as the facade needs.
  const budget = new Budget({ actor }, tokens)
  await budget.resize('b', 100)
  await budget.resize('b', 50)
  await repeats[0]?.()
  expect((await budget.balance('b')).total).toBe(50)
})

test('A12: who has lost a slot does not renew that of its successor with the same id', () => {
  const request = { id: 'e', limit: 1, method: 'enqueue', maxLength: 1, waitMs: 1_000, ttlMs: 100 } as const
  const first = acquire(EMPTY_BOOK, request, 1_000)
  const second = acquire(pass(first.book, 1_100).book, request, 1_150)
  const epochs = [first, second].map(({ answer }) => (answer.outcome === 'granted' ? answer.epoch : 0))
  expect(epochs[1]).toBeGreaterThan(epochs[0] ?? 0)
  const late = renew(second.book, { id: 'e', epoch: epochs[0] ?? 0 }, 1_200)
  expect(late.answer).toEqual({ outcome: 'stale' })
  expect(slotOf(late.book, 'e')?.until).toBe(1_250)
})
