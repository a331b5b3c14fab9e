/** Keys, tells, dead letters and pressure on real threads and SQLite files. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { System } from '@bailiwick/kernel'
import { describe, expect, test } from 'vitest'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { dispatcher, runner, walk } from '../fixtures/runner.actor.ts'

const SHARDS = 4
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const K = { idempotencyKey: 'k' }

interface Site {
  readonly open: () => Promise<System>
  /** Where the runners write. */
  readonly log: string
}

function setUp(): Site {
  const { file, open } = makePlace()
  return { open: () => open({ actors: [runner, dispatcher], effects: [walk], shards: SHARDS }), log: file('log') }
}

function linesOf(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

/** What a runner has done, once it is as much as that. */
async function done(system: System, key: string, count: number): Promise<readonly string[]> {
  return await until(
    () => system.actor(runner, key).ask.done(),
    (texts) => texts.length >= count,
  )
}

describe('G3 a command with a key', () => {
  test('T01 that is asked fifty times at once, through several refs and for actors on all shards, has one side effect each', async () => {
    const { log, open } = setUp()
    const system = await open()
    const asks = KEYS.flatMap((key) => Array.from({ length: 50 }, () => system.actor(runner, key).ask.work({ file: log, text: key }, K)))
    expect(new Set(await Promise.all(asks))).toEqual(new Set([1]))
    await until(
      () => linesOf(log).toSorted(),
      (lines) => lines.length === KEYS.length,
    )
    for (const key of KEYS) expect(await system.actor(runner, key).ask.done()).toEqual([key])
    expect(linesOf(log).toSorted()).toEqual(KEYS)
  })

  test('T01 whose answer takes its time has one errand each, and fifty identical answers', async () => {
    const { log, open } = setUp()
    const system = await open()
    const asks = KEYS.flatMap((key) =>
      Array.from({ length: 50 }, async () => [key, await system.actor(runner, key).ask.order({ file: log, text: key }, K)]),
    )
    const answers = await Promise.all(asks)
    expect(answers.every(([key, answer]) => answer === `${key} is done`)).toBe(true)
    expect(new Set(linesOf(log)).size).toBe(KEYS.length)
    expect(linesOf(log)).toHaveLength(KEYS.length)
  })

  test('T02 whose first execution throws is executed anew for those who wait', async () => {
    const { log, open } = setUp()
    const ref = (await open()).actor(runner, 'a')
    writeFileSync(`${log}.broken`, '')
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => codeOf(ref.ask.work({ file: log, text: 'x' }, K))))
    expect(outcomes.map(String).toSorted()).toEqual(['1', '1', '1', '1', '1', '1', '1', '1', '1', 'COMMAND_FAILED'])
    expect(await ref.ask.done()).toEqual(['x'])
  })

  test('T03 whose owner is gone is joined after the restart, and gets the result of the work that goes on', async () => {
    const { log, open } = setUp()
    const before = await open()
    writeFileSync(`${log}.closed`, '')
    const lost = codeOf(before.actor(runner, 'a').ask.order({ file: log, text: 'x' }, K))
    await until(
      () => linesOf(log),
      (lines) => lines.length === 1,
    )
    await before.close({ timeoutMs: 0 })
    expect(await lost).toBe('SYSTEM_CLOSED')
    rmSync(`${log}.closed`)
    const after = await open()
    expect(await codeOf(after.actor(runner, 'a').ask.order({ file: log, text: 'y' }, K))).toBe('IDEMPOTENCY_CONFLICT')
    expect(await after.actor(runner, 'a').ask.order({ file: log, text: 'x' }, K)).toBe('x is done')
    expect(await after.actor(runner, 'a').ask.done()).toEqual(['x'])
    expect(new Set(linesOf(log)).size).toBe(1)
  })

  test('T09 that is being worked on tells a caller without time so, and replays its result later', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(runner, 'a')
    const owner = ref.ask.hold({ text: 'x' }, K)
    // Its actor is there, so that the next one is told in time that the work is under way.
    expect(await ref.ask.done()).toEqual(['x'])
    expect(await codeOf(ref.ask.hold({ text: 'x' }, { ...K, timeoutMs: 300 }))).toBe('COMMAND_IN_PROGRESS')
    await ref.ask.release({ value: 'y' })
    expect(await owner).toBe('y')
    expect(await ref.ask.hold({ text: 'x' }, K)).toBe('y')
    expect(await ref.ask.done()).toEqual(['x'])
  })

  test('T10 that was done before a restart is replayed after it', async () => {
    const { log, open } = setUp()
    const before = await open()
    for (const key of KEYS) expect(await before.actor(runner, key).ask.work({ file: log, text: key }, K)).toBe(1)
    await before.close()
    const after = await open()
    for (const key of KEYS) expect(await after.actor(runner, key).ask.work({ file: log, text: key }, K)).toBe(1)
    expect(linesOf(log)).toEqual(KEYS)
  })
})

describe('a tell', () => {
  test('G9 for later is not handled before its moment, and is handled after a restart in between', async () => {
    const { log, open } = setUp()
    const before = await open()
    for (const key of KEYS) await before.actor(runner, key).tell.work({ file: log, text: key }, { delayMs: 2_000 })
    await before.close()
    expect(linesOf(log)).toEqual([])
    const after = await open()
    for (const key of KEYS) expect(await done(after, key, 1)).toEqual([key])
    expect(linesOf(log).toSorted()).toEqual(KEYS)
  })

  test('K23 under a natural key is edited while it waits, before and after a restart, and ignored when it is done', async () => {
    const { log, open } = setUp()
    const before = await open()
    const first = before.actor(runner, 'a')
    await first.ask.shut()
    expect(await first.tell.note({ file: log, text: '1' }, { naturalKey: 'n', deliveryId: 'd1' })).toEqual({ outcome: 'accepted' })
    expect(await first.tell.note({ file: log, text: 'other' })).toEqual({ outcome: 'accepted' })
    expect(await first.tell.note({ file: log, text: '2' }, { naturalKey: 'n', deliveryId: 'd2' })).toEqual({ outcome: 'replaced' })
    await before.close()
    const second = (await open()).actor(runner, 'a')
    expect(await second.tell.note({ file: log, text: '1' }, { naturalKey: 'n', deliveryId: 'd1' })).toEqual({ outcome: 'duplicate' })
    expect(await second.tell.note({ file: log, text: '3' }, { naturalKey: 'n', deliveryId: 'd3' })).toEqual({ outcome: 'replaced' })
    await second.ask.open()
    expect(await second.ask.done()).toEqual(['3', 'other'])
    expect(await second.tell.note({ file: log, text: '4' }, { naturalKey: 'n', deliveryId: 'd4' })).toEqual({ outcome: 'duplicate' })
    expect(await second.ask.done()).toEqual(['3', 'other'])
  })

  test('K23 under a natural key that is being worked on stays one command after a restart', async () => {
    const { open } = setUp()
    const before = await open()
    await before.actor(runner, 'a').tell.hold({ text: '1' }, { naturalKey: 'n', deliveryId: 'd1' })
    expect(await done(before, 'a', 1)).toEqual(['1'])
    await before.close()
    const after = (await open()).actor(runner, 'a')
    expect(await after.tell.hold({ text: '1' }, { naturalKey: 'n', deliveryId: 'd1' })).toEqual({ outcome: 'duplicate' })
    expect(await after.tell.hold({ text: '2' }, { naturalKey: 'n', deliveryId: 'd2' })).toEqual({ outcome: 'replaced' })
    expect(await after.ask.done()).toEqual(['1'])
  })
})

describe('dead letters', () => {
  test('G3 of tells on all shards are listed and replayed once after a restart', async () => {
    const { log, open } = setUp()
    const before = await open()
    for (const key of KEYS) {
      writeFileSync(`${log}.broken`, '')
      await before.actor(runner, key).tell.work({ file: log, text: key })
      await until(
        () => existsSync(`${log}.broken`),
        (isThere) => !isThere,
      )
    }
    await until(
      () => before.deadLetters.list(),
      (letters) => letters.length === KEYS.length,
    )
    await before.close()
    const after = await open()
    const letters = await after.deadLetters.list({ type: 'runner', reason: 'failed' })
    expect(letters.map(({ actor }) => actor).toSorted()).toEqual(KEYS.map((key) => `runner/${key}`))
    expect(await after.deadLetters.replay(letters.map(({ id }) => id))).toBe(KEYS.length)
    expect(await after.deadLetters.replay({})).toBe(0)
    for (const key of KEYS) expect(await done(after, key, 1)).toEqual([key])
    expect(linesOf(log).toSorted()).toEqual(KEYS)
    expect(await after.deadLetters.list()).toEqual([])
  })

  test('G3 G12 between shards every tell is handled once or is a letter once, whichever finds no room', async () => {
    const { log, open } = setUp()
    const system = await open()
    for (const key of KEYS) await system.actor(runner, key).ask.rest()
    await system.actor(dispatcher, 'me').ask.send({ to: KEYS, times: 100, file: log })
    const seen = await until(
      async () => ({ handled: linesOf(log), letters: await system.deadLetters.list({ reason: 'full' }) }),
      ({ handled, letters }) => handled.length + letters.length >= 100 * KEYS.length,
    )
    const texts = [...seen.handled, ...seen.letters.map(({ input }) => (input as { readonly text: string }).text)]
    expect(texts).toHaveLength(100 * KEYS.length)
    expect(new Set(texts).size).toBe(100 * KEYS.length)
    expect(seen.letters.length).toBeGreaterThan(0)
    expect(seen.letters.every(({ source }) => source === 'dispatcher/me')).toBe(true)
  })
})

test('G12 who waits for room on a real thread is handled in turn, and who does not wait is refused', async () => {
  const { log, open } = setUp()
  const ref = (await open()).actor(runner, 'a')
  await ref.ask.rest()
  const numbers = Array.from({ length: 60 }, (_none, index) => `${index}`)
  await Promise.all(numbers.map((text) => ref.tell.note({ file: log, text })))
  const waiting = ['x', 'y', 'z'].map((text) => ref.ask.work({ file: log, text }, { waitForRoomMs: 5_000 }))
  expect(await codeOf(ref.ask.work({ file: log, text: 'refused' }))).toBe('MAILBOX_FULL')
  expect(await codeOf(ref.ask.work({ file: log, text: 'in vain' }, { waitForRoomMs: 1 }))).toBe('MAILBOX_FULL')
  expect(await Promise.all(waiting)).toEqual([61, 62, 63])
  expect(await ref.ask.done()).toEqual([...numbers, 'x', 'y', 'z'])
})
