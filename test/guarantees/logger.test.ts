/** What people are told, through a logger of the program's. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSystem } from '@bailiwick/kernel'
import type { Logger, System } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { probe } from '../fixtures/probe.actor.ts'
import { saboteur } from '../fixtures/saboteur.actor.ts'

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

const noop = (): void => undefined

function noting(): { readonly lines: readonly Line[]; readonly logger: Logger } {
  const lines: Line[] = []
  const at =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>>): void =>
      void lines.push({ level, message, fields })
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

describe('a logger is told', () => {
  test('that a system was opened, and how it was closed', async () => {
    const { lines, logger } = noting()
    const { open } = makePlace()
    const system = await open({ shards: 2, logger })
    const { directory } = system
    await system.close()
    expect(lines).toEqual([
      { level: 'info', message: 'system opened', fields: { directory, epoch: 1, shards: 2, threads: 2 } },
      { level: 'info', message: 'system closed', fields: { directory, outcome: 'polite', abandonedCalls: 0 } },
    ])
  })

  test('which thread died of what, and that it was replaced', async () => {
    const { lines, logger } = noting()
    const { open } = makePlace()
    const system = await open({ actors: [saboteur], logger })
    await codeOf(system.actor(saboteur, 'a').ask.leave())
    await until(
      () => lines.map(({ message }) => message),
      (messages) => messages.includes('thread restarted'),
    )
    expect(lines.slice(1)).toMatchObject([
      { level: 'warn', message: 'thread died', fields: { shards: [0], serving: 'saboteur/a leave', error: { code: 'SHARD_CRASHED' } } },
      { level: 'info', message: 'thread restarted', fields: { shards: [0] } },
    ])
  })

  test('that a thread is not replaced any more', async () => {
    const { lines, logger } = noting()
    const world = new TestWorld()
    onTestFinished(() => world.close())
    await world.open({ actors: [ledger], logger, supervision: { threads: { maxRestarts: 0 } } })
    world.crashThreads()
    await world.clock.settle()
    expect(lines.at(-1)).toMatchObject({ level: 'error', message: 'thread abandoned', fields: { shards: [0] } })
  })

  test('that a shard cannot commit, and that it can again', async () => {
    const { lines, logger } = noting()
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [ledger], logger })
    world.disk.failCommits('full')
    await codeOf(system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 }))
    await world.clock.settle()
    world.disk.failCommits(undefined)
    await world.advance(5_000)
    await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })
    await world.clock.settle()
    expect(lines.slice(1)).toMatchObject([
      { level: 'warn', message: 'shard degraded', fields: { shard: 0, error: { code: 'STORE_UNAVAILABLE' } } },
      { level: 'info', message: 'shard recovered', fields: { shard: 0 } },
    ])
  })

  test('of an action that threw after its commit, with where it did', async () => {
    const { lines, logger } = noting()
    const { open, directory } = makePlace()
    const system = await open({ logger })
    await system.actor(probe, 'a').ask.trace({ file: `${directory}/no/such/folder`, text: 'private-4711' })
    await until(
      () => lines.length,
      (count) => count > 1,
    )
    expect(lines[1]).toMatchObject({ level: 'error', message: 'error without a caller', fields: { shard: 0, error: { code: 'ENOENT' } } })
    expect(JSON.stringify(lines[1]?.fields)).toContain('probe.actor.ts')
    expect(JSON.stringify(lines)).not.toContain('private-4711')
  })

  test('that an actor is quarantined', async () => {
    const { lines, logger } = noting()
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [probe], logger, supervision: { actors: { maxRestarts: 0 } } })
    await codeOf(system.actor(probe, 'a').ask.boom())
    await world.advance(1_000)
    const line = lines.find(({ message }) => message === 'actor quarantined')
    expect(line).toMatchObject({ level: 'error', fields: { shard: 0, error: { code: 'ACTOR_QUARANTINED' } } })
    expect(JSON.stringify(line?.fields)).toContain('probe/a')
  })

  test('why a system could not be opened', async () => {
    const { lines, logger } = noting()
    const { open } = makePlace()
    await open()
    // The directory is taken before there is anything to undo.
    expect(await codeOf(open({ logger }))).toBe('DIRECTORY_IN_USE')
    expect(lines).toEqual([])
  })
})

describe('a logger', () => {
  test('that throws, or rejects, harms nobody', async () => {
    const fail = (): never => {
      throw new Error('the logger threw')
    }
    const reject: () => unknown = async () => await Promise.reject(new Error('the logger rejected'))
    const logger: Logger = { info: fail, warn: reject, error: fail }
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [ledger], logger })
    world.crashThreads()
    await world.advance(1_000)
    expect(await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })).toBe(1)
  })

  test('may need its `this`', async () => {
    class Counting {
      readonly #lines: string[] = []
      info(message: string): void {
        this.#lines.push(message)
      }
      warn(message: string): void {
        this.#lines.push(message)
      }
      error(message: string): void {
        this.#lines.push(message)
      }
      get lines(): readonly string[] {
        return this.#lines
      }
    }
    const logger = new Counting()
    const { open } = makePlace()
    const system = await open({ logger })
    await system.close()
    expect(logger.lines).toEqual(['system opened', 'system closed'])
  })

  test.each([
    ['nothing', null, 'logger'],
    ['a string', 'stderr', 'logger'],
    ['one without info', { warn: noop, error: noop }, 'logger.info'],
    ['one whose warn is no function', { info: noop, warn: 1, error: noop }, 'logger.warn'],
    ['one whose debug is no function', { info: noop, warn: noop, error: noop, debug: 1 }, 'logger.debug'],
  ])('is refused by name if it is %s', async (_what, logger, field) => {
    const { directory } = makePlace()
    // What does not compile is what programs without types do.
    const opening: Promise<System> = openSystem({ directory, actors: [ledger], logger: logger as never })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field })
  })

  test('is not needed: an action that threw is a warning of the process then', () => {
    const { directory } = makePlace()
    const program = fileURLToPath(new URL('../fixtures/unlogged.ts', import.meta.url))
    const { stderr, status } = spawnSync(process.execPath, [program, directory], { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stderr.match(/BailiwickAction/g)).toHaveLength(1)
    expect(stderr).toContain('ENOENT')
  })

  test('is not needed: that an actor is held back is a warning of the process then, one that has no stack', () => {
    const { directory } = makePlace()
    const program = fileURLToPath(new URL('../fixtures/unlogged.ts', import.meta.url))
    const { stderr, status } = spawnSync(process.execPath, [program, directory, 'held'], { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stderr.match(/BailiwickAction/g)).toHaveLength(1)
    expect(stderr).toContain('BailiwickAction: probe/a is quarantined')
    expect(stderr).toContain('the guard threw')
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})
