/** Guarantees G9 and G10 on real threads and SQLite files. */
import { existsSync, readFileSync } from 'node:fs'
import type { System, SystemStats } from '@bailiwick/kernel'
import { describe, expect, test } from 'vitest'
import { errand, ghostRunner, knownErrand, runner } from '../fixtures/errand.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'

function setUp(shards = 2): { readonly file: (name: string) => string; readonly open: () => Promise<System> } {
  const { file, open } = makePlace()
  return { file, open: () => open({ actors: [runner, ghostRunner], effects: [errand, knownErrand], shards }) }
}

/** What an actor has rung, once it is so many times. */
async function rings(system: System, count: number, key = 'a'): Promise<readonly string[]> {
  return await until(
    () => system.actor(runner, key).ask.rings(),
    (seen) => seen.length >= count,
  )
}

/** The counters once nothing is promised any more. Shards publish them a moment after they have answered. */
async function settled(system: System): Promise<SystemStats> {
  return await until(
    () => system.stats(),
    ({ outbox }) => outbox === 0,
  )
}

/** Lines of a file, each `key attempt`. */
function linesOf(file: string): readonly (readonly [key: string, attempt: number])[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [key = '', attempt = ''] = line.split(' ')
    return [key, Number(attempt)]
  })
}

describe('G9 timers', () => {
  test('G9 a named timer rings once and not early, also for an actor that has left memory', async () => {
    const { open } = setUp()
    const system = await open()
    const setAt = Date.now()
    await system.actor(runner, 'a').ask.set({ name: 'x', delayMs: 150 })
    await until(
      () => system.stats().residentActors,
      (resident) => resident === 0,
    )
    expect(await rings(system, 1)).toEqual(['x'])
    expect(Date.now() - setAt).toBeGreaterThanOrEqual(150)
    expect(await system.actor(runner, 'a').timers()).toEqual([])
  })

  test('G9 a periodic timer rings again and again until it is cancelled', async () => {
    const { open } = setUp()
    const system = await open()
    const ref = system.actor(runner, 'a')
    const setAt = Date.now()
    await ref.ask.set({ name: 'x', everyMs: 20 })
    await rings(system, 5)
    expect(Date.now() - setAt).toBeGreaterThanOrEqual(100)
    await ref.ask.clear({ name: 'x' })
    const count = (await ref.ask.rings()).length
    expect(await ref.timers()).toEqual([])
    // Another timer shows that time goes on.
    await ref.ask.set({ name: 'y', delayMs: 80 })
    expect((await rings(system, count + 1)).slice(count)).toEqual(['y'])
  })

  test('G9 timers outlive a restart: the overdue one rings once, the periodic one goes on, without doubles', async () => {
    const { open } = setUp()
    const first = await open()
    await first.actor(runner, 'a').ask.set({ name: 'once', delayMs: 50 })
    await first.actor(runner, 'b').ask.set({ name: 'often', everyMs: 25 })
    await first.actor(runner, 'c').ask.set({ name: 'later', delayMs: 3_600_000 })
    await first.close()
    const closedAt = Date.now()
    await until(
      () => Date.now() - closedAt,
      (ms) => ms > 200,
    )
    const second = await open()
    expect(await rings(second, 1, 'a')).toEqual(['once'])
    await rings(second, 4, 'b')
    expect(await second.actor(runner, 'a').ask.rings()).toEqual(['once'])
    expect(await second.actor(runner, 'b').timers()).toHaveLength(1)
    expect(await second.actor(runner, 'c').timers()).toMatchObject([{ name: 'later' }])
    expect(await second.actor(runner, 'c').ask.rings()).toEqual([])
  })

  test('G9 a cancel beats a tick that is already queued', async () => {
    const { open } = setUp()
    const system = await open()
    const keys = Array.from({ length: 20 }, (_none, index) => `k${index}`)
    await Promise.all(keys.map((key) => system.actor(runner, key).ask.race({ delayMs: 40 })))
    for (const key of keys) {
      await rings(system, 1, key)
      await system.actor(runner, key).ask.set({ name: 'after', delayMs: 30 })
    }
    for (const key of keys) expect(await rings(system, 2, key)).toEqual(['left', 'after'])
  })

  test('G9 a cancel beats a tick that is already queued for volatile actors, too', async () => {
    const { open } = setUp()
    const system = await open()
    const keys = Array.from({ length: 20 }, (_none, index) => `k${index}`)
    await Promise.all(keys.map((key) => system.actor(ghostRunner, key).ask.race({ delayMs: 40 })))
    for (const key of keys) {
      await until(
        () => system.actor(ghostRunner, key).ask.rings(),
        (seen) => seen.length > 0,
      )
    }
    // Which of two timers in memory rings first is not promised; that the other does not ring at all, is.
    for (const key of keys) expect(await system.actor(ghostRunner, key).ask.rings()).toHaveLength(1)
  })

  test.each([
    ['onRestart', { event: 'ring', delayMs: 1, onRestart: 'forget' }],
    ['delayMs', { event: 'ring', delayMs: Number.MAX_VALUE }],
    ['everyMs', { event: 'ring', everyMs: Number.MAX_VALUE }],
    ['at', { event: 'ring', at: Number.MAX_VALUE }],
  ])('G9 a timer with a bad %s fails its own command only, and the store is not bothered with it', async (_field, timer) => {
    const { open } = setUp(1)
    const system = await open()
    const outcomes = await Promise.all([
      codeOf(system.actor(runner, 'good').ask.touch()),
      codeOf(system.actor(runner, 'bad').ask.setRaw({ timer })),
      codeOf(system.actor(runner, 'better').ask.touch()),
    ])
    expect(outcomes).toEqual([undefined, 'COMMAND_FAILED', undefined])
    expect(await codeOf(system.actor(runner, 'bad').ask.touched())).toBe(0)
  })
})

describe('G10 effects', () => {
  test('G10 an effect is done once, and its actor hears of it', async () => {
    const { file, open } = setUp()
    const system = await open()
    await system.actor(runner, 'a').ask.run({ file: file('world'), how: 'done' })
    const heard = await until(
      () => system.actor(runner, 'a').ask.heard(),
      (seen) => seen.length > 0,
    )
    expect(heard).toEqual([{ attempt: 1 }])
    expect(linesOf(file('world'))).toHaveLength(1)
    const stats = await settled(system)
    expect(stats).toMatchObject({ outbox: 0, effects: { running: 0, done: 1, failed: 0 } })
  })

  test('G10 one that fails for good is kept as a dead letter after its last attempt', async () => {
    const { file, open } = setUp()
    const system = await open()
    await system.actor(runner, 'a').ask.run({ file: file('world'), how: 'fail' })
    const heard = await until(
      () => system.actor(runner, 'a').ask.heard(),
      (seen) => seen.length > 0,
    )
    expect(heard).toEqual([expect.stringContaining('nobody at home')])
    expect(await system.deadLetters.list()).toMatchObject([{ kind: 'effect', command: 'errand', actor: 'runner/a', reason: 'failed' }])
    const lines = linesOf(file('world'))
    expect(lines.map(([, attempt]) => attempt)).toEqual([1, 2, 3])
    expect(new Set(lines.map(([key]) => key)).size).toBe(1)
  })

  test('G10 one whose attempt dies with its thread is tried again, with the same key', async () => {
    const { file, open } = setUp()
    const system = await open()
    await codeOf(system.actor(runner, 'a').ask.run({ file: file('world'), how: 'die' }))
    const heard = await until(
      () => codeOf(system.actor(runner, 'a').ask.heard()),
      (seen) => Array.isArray(seen) && seen.length > 0,
    )
    expect(heard).toEqual([{ attempt: 2 }])
    const lines = linesOf(file('world'))
    expect(lines.map(([, attempt]) => attempt)).toEqual([1, 2])
    expect(lines[1]?.[0]).toBe(lines[0]?.[0])
    expect(await settled(system)).toMatchObject({ outbox: 0, deadLetters: 0 })
  })

  test.each([
    ['delayMs', { delayMs: Number.MAX_VALUE }],
    ['label', { label: { no: 'text' } }],
    ['idempotencyKey', { idempotencyKey: { no: 'text' } }],
  ])('G10 a bad %s fails its own command only, and the store is not bothered with it', async (field, options) => {
    const { open } = setUp(1)
    const system = await open()
    const bad = system.actor(runner, 'bad').ask.runRaw({ options })
    const outcomes = await Promise.all([codeOf(system.actor(runner, 'good').ask.touch()), codeOf(bad)])
    expect(outcomes).toEqual([undefined, 'COMMAND_FAILED'])
    await expect(bad).rejects.toThrow(field)
    expect(await codeOf(system.actor(runner, 'bad').ask.touched())).toBe(0)
  })

  test('K25 G10 one whose thread dies between doing and recording is found out about, and done once', async () => {
    const { file, open } = setUp()
    const system = await open()
    await codeOf(system.actor(runner, 'a').ask.runKnown({ file: file('world') }))
    const heard = await until(
      () => codeOf(system.actor(runner, 'a').ask.heard()),
      (seen) => Array.isArray(seen) && seen.length > 0,
    )
    expect(heard).toEqual(['found'])
    expect(linesOf(file('world'))).toHaveLength(1)
  })
})
