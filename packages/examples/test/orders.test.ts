/** The example of orders: on a virtual clock with crashes, and as the program that a reader runs. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestWorld } from '@bailiwick/testkit'
import type { System } from '@bailiwick/kernel'
import { expect, onTestFinished, test } from 'vitest'
import { order } from '../orders/order.actor.ts'
import { receipt } from '../orders/receipt.effect.ts'
import { stock } from '../orders/stock.actor.ts'

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-orders-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function setUp(): {
  readonly world: TestWorld
  readonly open: () => Promise<System>
  readonly now: <T>(promise: Promise<T>) => Promise<T>
} {
  const world = new TestWorld({ shards: 2 })
  onTestFinished(() => world.close())
  return {
    world,
    open: () => world.open({ actors: [order, stock], effects: [receipt] }),
    now: async (promise) => {
      promise.catch(() => undefined)
      await world.advance(0)
      return await promise
    },
  }
}

test('an order that is not paid in time gives its pieces back, also if nothing ran meanwhile', async () => {
  const { world, open, now } = setUp()
  const before = await open()
  await now(before.actor(stock, 'lamp').ask.stockUp({ pieces: 3 }))
  expect(await now(before.actor(order, '1').ask.place({ article: 'lamp', pieces: 2 }))).toBe('reserved')
  expect(await now(before.actor(stock, 'lamp').ask.left())).toBe(1)
  world.crash()
  await world.advance(16 * 60_000)
  const after = await open()
  await world.advance(1)
  expect(await now(after.actor(order, '1').ask.state())).toBe('expired')
  expect(await now(after.actor(stock, 'lamp').ask.left())).toBe(3)
})

test('an order for more than there is fails with the reason of the stock, and can be placed again', async () => {
  const { open, now } = setUp()
  const system = await open()
  await now(system.actor(stock, 'lamp').ask.stockUp({ pieces: 1 }))
  const ref = system.actor(order, '1')
  await expect(now(ref.ask.place({ article: 'lamp', pieces: 2 }))).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
  expect(await now(ref.ask.place({ article: 'lamp', pieces: 1 }))).toBe('reserved')
})

test('the program does what its comments say, twice in one directory', () => {
  const directory = place()
  const run = (): string =>
    execFileSync(process.execPath, [join(import.meta.dirname, '..', 'orders', 'main.ts'), join(directory, 'data')], { encoding: 'utf8' })
  expect(run()).toMatch(
    /The first order is reserved[\s\S]*does not take the command "reserve"[\s\S]*It is paid and waits for nothing: \[\]/,
  )
  expect(run()).toMatch(/Lamps left: 2 - dead letters: 0/)
  expect(
    readFileSync(join(directory, 'data', 'receipts.txt'), 'utf8')
      .trim()
      .split('\n'),
  ).toHaveLength(2)
})
