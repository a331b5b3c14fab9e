/** G11 in a test world: what a thread was serving when it was crashed is kept as a dead letter, as on real threads. */
import { command, defineActor, query, setTimer, tell } from '@bailiwick/kernel'
import type { ActorDefinition, System } from '@bailiwick/kernel'
import { describe, expect, onTestFinished, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { TestWorld } from '../src/index.ts'
import { codeOf } from './code-of.ts'

/** What `blast` does, in the running test. */
let blast: () => void = () => undefined

const bombers = (): ActorDefinition => bomber

const machine = setup({
  types: {
    context: {} as { readonly marks: number },
    events: {} as { readonly type: 'mark' | 'blast' | 'arm' } | { readonly type: 'pass'; readonly to: string },
  },
  guards: {
    blasts: () => {
      blast()
      return true
    },
  },
}).createMachine({
  context: { marks: 0 },
  on: {
    mark: { actions: assign({ marks: ({ context }) => context.marks + 1 }) },
    blast: { guard: 'blasts', actions: assign({ marks: 1_000 }) },
    arm: { actions: setTimer('fuse', { delayMs: 1_000, event: { type: 'blast' } }) },
    pass: {
      actions: [assign({ marks: ({ context }) => context.marks + 1 }), tell(bombers, { key: ({ event }) => event.to, command: 'blast' })],
    },
  },
})

const bomber = defineActor({
  type: 'bomber',
  module: import.meta.url,
  logic: machine,
  commands: {
    mark: command({ reply: ({ context }) => context.marks }),
    blast: command(),
    arm: command(),
    pass: command({ input: z.object({ to: z.string() }) }),
    marks: query({ reply: ({ context }) => context.marks }),
  },
})

/** The same, with a limit of its own: what it has failed of is kept. */
const patientBomber = defineActor({
  type: 'patient',
  module: import.meta.url,
  logic: machine,
  commands: { mark: command({ reply: ({ context }) => context.marks }), blast: command() },
  supervision: { maxRestarts: 10, withinMs: 600_000 },
})

interface Scene {
  readonly world: TestWorld
  readonly system: System
  /** How often `blast` was served. */
  readonly blasts: () => number
}

/** A world in which `blast` crashes the thread, and a batch is full after two commands. */
async function openScene(how?: Parameters<TestWorld['crashThreadOf']>[2]): Promise<Scene> {
  const world = new TestWorld()
  let count = 0
  blast = () => {
    count += 1
    world.crashThreadOf(0, 'it blew up', how)
  }
  onTestFinished(() => world.close())
  const system = await world.open({ actors: [bomber, patientBomber], limits: { batchCommands: 2 } })
  return { world, system, blasts: () => count }
}

/** Two marks fill the batch: the tell is stored by its commit, and served in the next. The crash overtakes the answers. */
async function store(system: System, send: () => Promise<unknown>): Promise<void> {
  await Promise.all([system.actor(bomber, 'a').ask.mark(), system.actor(bomber, 'a').ask.mark(), send()].map(codeOf))
}

const CASES = [
  ['hung', 1],
  ['exited', 1],
  ['failed', 2],
] as const

describe('G11 in a test world', () => {
  test.each(CASES)('G11 a stored tell whose thread %s is a dead letter after %i deaths, and what it did is undone', async (how, deaths) => {
    const { blasts, system, world } = await openScene(how)
    await store(system, () => system.actor(bomber, 'a').tell.blast())
    await world.advance(1_000)
    expect(blasts()).toBe(deaths)
    expect(await system.actor(bomber, 'a').ask.marks()).toBe(2)
    expect(await system.deadLetters.list()).toMatchObject([
      {
        actor: 'bomber/a',
        command: 'blast',
        error: { code: 'SHARD_CRASHED', message: expect.stringContaining('it blew up while it served') as string },
      },
    ])
  })

  test('G11 an actor whose stored commands end threads is held back after the second, and its shard goes on', async () => {
    const { blasts, system, world } = await openScene('exited')
    for (let n = 0; n < 8; n += 1) {
      await store(system, () => system.actor(bomber, 'a').tell.blast())
      await world.advance(1_000)
    }
    expect(blasts()).toBe(2)
    expect(await codeOf(system.actor(bomber, 'a').ask.marks())).toBe('ACTOR_QUARANTINED')
    expect(await system.quarantine.list()).toMatchObject([{ actor: 'bomber/a', error: { code: 'SHARD_CRASHED' }, command: 'blast' }])
    expect(await system.actor(bomber, 'b').ask.mark()).toBe(1)
    expect(system.health().status).toBe('ready')
  })

  test('G11 a failure that ends no thread does not count for that, and one death is no reason', async () => {
    const { system, world } = await openScene('exited')
    const ref = system.actor(patientBomber, 'a')
    blast = () => {
      throw new Error('a dud')
    }
    expect(await codeOf(ref.ask.blast())).toBe('COMMAND_FAILED')
    blast = () => world.crashThreadOf(0, 'it blew up', 'exited')
    expect(await codeOf(ref.ask.blast())).toBe('SHARD_CRASHED')
    await world.advance(1_000)
    expect(await ref.ask.mark()).toBe(1)
    expect(await codeOf(ref.ask.blast())).toBe('SHARD_CRASHED')
    await world.advance(1_000)
    expect(await codeOf(ref.ask.mark())).toBe('ACTOR_QUARANTINED')
  })

  test('G11 so is one whose asks do, and one whose timer does', async () => {
    const { blasts, system, world } = await openScene('exited')
    for (let n = 0; n < 5; n += 1) {
      expect(await codeOf(system.actor(bomber, 'a').ask.blast())).toBe(n < 2 ? 'SHARD_CRASHED' : 'ACTOR_QUARANTINED')
      await world.advance(1_000)
    }
    expect(blasts()).toBe(2)
    for (let n = 0; n < 4; n += 1) {
      await codeOf(system.actor(bomber, 't').ask.arm())
      await world.advance(5_000)
    }
    expect(blasts()).toBe(4)
    expect((await system.quarantine.list()).map(({ actor }) => actor)).toEqual(['bomber/t', 'bomber/a'])
    // It is kept: the next start knows it.
    world.crash()
    const again = await world.open({ actors: [bomber, patientBomber] })
    expect(await codeOf(again.actor(bomber, 'a').ask.mark())).toBe('ACTOR_QUARANTINED')
  })

  test('G11 replaying letters of such commands costs no more than two threads, and loses none', async () => {
    const { blasts, system, world } = await openScene('exited')
    await store(system, () => system.actor(bomber, 'a').tell.blast())
    await world.advance(1_000)
    for (let n = 0; n < 6; n += 1) {
      await codeOf(system.deadLetters.replay({}))
      await world.advance(2_000)
    }
    expect(blasts()).toBeLessThanOrEqual(3)
    await codeOf(system.quarantine.release({}))
    await world.advance(5_000)
    expect((await system.deadLetters.list()).length + (await system.quarantine.list()).reduce((sum, { waiting }) => sum + waiting, 0)).toBe(
      1,
    )
    expect(await system.actor(bomber, 'b').ask.mark()).toBe(1)
  })

  test.each(CASES)('G11 so is a timer whose thread %s', async (how, deaths) => {
    const { blasts, system, world } = await openScene(how)
    await system.actor(bomber, 'a').ask.arm()
    await world.advance(10_000)
    expect(blasts()).toBe(deaths)
    expect(await system.actor(bomber, 'a').ask.mark()).toBe(1)
    expect(await system.deadLetters.list()).toMatchObject([{ actor: 'bomber/a', command: 'blast', error: { code: 'SHARD_CRASHED' } }])
  })

  test.each([
    ['hung', 2],
    ['exited', 2],
    ['failed', 3],
  ] as const)('G11 a message of the same batch whose thread %s costs one death more, and its sender goes on', async (how, deaths) => {
    const { blasts, system, world } = await openScene(how)
    await store(system, () => system.actor(bomber, 'a').tell.pass({ to: 'b' }))
    await world.advance(10_000)
    expect(blasts()).toBe(deaths)
    expect(await system.actor(bomber, 'a').ask.marks()).toBe(3)
    expect(await system.actor(bomber, 'b').ask.marks()).toBe(0)
    expect(await system.deadLetters.list()).toMatchObject([{ actor: 'bomber/b', command: 'blast', source: 'bomber/a' }])
  })

  test('G11 an ask is told what it has done, and leaves nothing', async () => {
    const { blasts, system, world } = await openScene('hung')
    const asked = expect(system.actor(bomber, 'a').ask.blast()).rejects.toMatchObject({
      code: 'SHARD_CRASHED',
      reason: 'it blew up while it served bomber/a blast',
    })
    await world.advance(1_000)
    await asked
    expect(blasts()).toBe(1)
    expect(await system.deadLetters.list()).toEqual([])
  })

  test('G11 a thread that was crashed too often is given up', async () => {
    const { system, world } = await openScene()
    for (let death = 0; death < 6; death += 1) {
      world.crashThreads('again')
      await world.advance(6_000)
    }
    expect(await codeOf(system.actor(bomber, 'a').ask.mark())).toBe('SHARD_CRASHED')
    await expect(system.actor(bomber, 'a').tell.mark()).rejects.toMatchObject({ isFinal: true, retryable: false, reason: 'again' })
  })
})
