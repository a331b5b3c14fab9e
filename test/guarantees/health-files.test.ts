/** Looking after the files of a running system: a copy of one moment, and giving free space back. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSystem } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace } from '../fixtures/place.ts'

describe('G2 a backup', () => {
  test('of a running system is a directory that can be opened, with everything that was acknowledged before', async () => {
    const { open, file } = makePlace()
    const system = await open({ shards: 3 })
    const refs = Array.from({ length: 20 }, (_none, index) => system.actor(ledger, `k${index}`))
    await Promise.all(refs.map((ref) => ref.ask.enter({ sender: 's', n: 1 })))
    const load = { isOver: false }
    const loading = Promise.all(
      refs.map(async (ref) => {
        for (let n = 2; !load.isOver; n += 1) await ref.ask.enter({ sender: 's', n })
      }),
    )
    const report = await system.backup(file('copy'))
    load.isOver = true
    await loading
    expect(report).toMatchObject({ directory: file('copy'), shards: 3 })
    expect(report.bytes).toBeGreaterThan(0)
    const copy = await openSystem({ directory: file('copy'), actors: [ledger], create: false })
    onTestFinished(() => void copy.close())
    expect(copy.stats().shards).toBe(3)
    for (let index = 0; index < 20; index += 1) {
      const { last, violations } = await copy.actor(ledger, `k${index}`).ask.read()
      expect(violations).toEqual([])
      expect(last['s']).toBeGreaterThanOrEqual(1)
    }
    await copy.close()
  })

  test('does not touch what is there already', async () => {
    const { open, file } = makePlace()
    const system = await open()
    mkdirSync(file('taken'))
    writeFileSync(join(file('taken'), 'letter.txt'), 'mine')
    expect(await codeOf(system.backup(file('taken')))).toMatch(/^DIRECTORY_/)
    expect(existsSync(join(file('taken'), 'letter.txt'))).toBe(true)
  })

  test.each([[''], [undefined], [7]])('needs a path: %j is refused', async (path) => {
    const { open } = makePlace()
    const system = await open()
    // What does not compile is what programs without types do.
    await expect(system.backup(path as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'path' })
  })

  test('has no meaning for a system in memory', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [ledger] })
    await expect(system.backup('/tmp/never')).rejects.toThrow(/a system in memory, as the test kit opens it, has nothing to copy/)
  })
})

describe('a compaction', () => {
  test('takes one shard after the other, while the system goes on', async () => {
    const { open } = makePlace()
    const system = await open({ shards: 2 })
    const refs = Array.from({ length: 20 }, (_none, index) => system.actor(ledger, `k${index}`))
    const load = Promise.all(
      refs.map(async (ref) => {
        for (let n = 1; n <= 50; n += 1) await ref.ask.enter({ sender: 's', n })
      }),
    )
    await system.compact()
    await load
    for (const ref of refs) expect(await ref.ask.read()).toEqual({ last: { s: 50 }, violations: [] })
  })

  test('of a shard that cannot be written fails with its error, and changes nothing', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [ledger] })
    await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })
    world.disk.failCommits('full')
    expect(await codeOf(system.compact())).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(2_000)
    expect(await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 2 })).toBe(2)
  })

  test.each([
    ['a misspelt option', { timeout: 1 }, 'timeout'],
    ['no time', { timeoutMs: 0 }, 'timeoutMs'],
  ])('with %s is refused', async (_what, options, field) => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [ledger] })
    await expect(system.compact(options as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
  })
})

describe('G2 a check', () => {
  test('of a running system finds nothing wrong under load, and holds up nobody', async () => {
    const { open } = makePlace()
    const system = await open({ shards: 2 })
    const load = { isOver: false }
    const loading = Promise.all(
      Array.from({ length: 8 }, async (_none, index) => {
        let n = 0
        while (!load.isOver) await system.actor(ledger, `k${index}`).ask.enter({ sender: 's', n: (n += 1) })
      }),
    )
    expect((await system.verify()).filter(({ level }) => level === 'error')).toEqual([])
    expect((await system.verify({ isQuick: true })).filter(({ level }) => level === 'error')).toEqual([])
    load.isOver = true
    await loading
  })

  test('refuses options that it does not know, and a system without files', async () => {
    const { open } = makePlace()
    const system = await open()
    expect(await codeOf(system.verify({ quick: true } as never))).toBe('INVALID_INPUT')
    expect(await codeOf(system.verify({ isQuick: 1 } as never))).toBe('INVALID_INPUT')
    const world = new TestWorld()
    onTestFinished(() => world.close())
    expect(await codeOf((await world.open({ actors: [ledger] })).verify())).toBe('INVALID_INPUT')
  })
})
