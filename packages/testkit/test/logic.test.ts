/** Hosting: logic of every kind, children, migration, and what comes back after a crash. */
import { afterEach, describe, expect, test } from 'vitest'
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, fromCallback, fromPromise, fromTransition, setup } from 'xstate'
import { z } from 'zod'
import { TestWorld } from '../src/index.ts'
import { codeOf } from './code-of.ts'

const worlds: TestWorld[] = []
const started: string[] = []
let finish: (value: string) => void = () => undefined

function makeWorld(): TestWorld {
  const world = new TestWorld()
  worlds.push(world)
  started.length = 0
  return world
}

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const jobs = defineActor({
  type: 'job',
  module: import.meta.url,
  logic: setup({
    types: {
      context: {} as { readonly result: string; readonly ticks: number },
      events: {} as { readonly type: 'run' | 'listen' | 'tick' },
    },
    actors: {
      work: fromPromise<string>(
        () =>
          new Promise((resolve) => {
            started.push('work')
            finish = resolve
          }),
      ),
      ticker: fromCallback(({ sendBack }) => {
        started.push('ticker')
        sendBack({ type: 'tick' })
        return () => started.push('ticker stopped')
      }),
    },
  }).createMachine({
    context: { result: '', ticks: 0 },
    initial: 'idle',
    on: { tick: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
    states: {
      idle: { on: { run: 'running', listen: 'listening' } },
      running: { invoke: { src: 'work', onDone: { target: 'idle', actions: assign({ result: ({ event }) => event.output }) } } },
      listening: { invoke: { src: 'ticker' }, on: { run: 'idle' } },
    },
  }),
  commands: { run: command(), listen: command(), state: query({ reply: ({ context, value }) => [value, context.result, context.ticks] }) },
  idleMs: 1_000,
})

const input = z.object({ by: z.number() })
const add = fromTransition(
  (state: { readonly n: number }, event: { readonly type: 'add'; readonly by: number }) => ({ n: state.n + event.by }),
  { n: 0 },
)
const first = defineActor({
  type: 'sum',
  module: import.meta.url,
  logic: add,
  commands: { add: command({ input, reply: ({ context }) => context.n }), total: query({ reply: ({ context }) => context.n }) },
})

/** The third version of the same actor keeps cents. */
const third = defineActor({
  type: 'sum',
  module: import.meta.url,
  logic: fromTransition(
    (state: { readonly cents: number }, event: { readonly type: 'add'; readonly by: number }) => ({ cents: state.cents + event.by }),
    { cents: 0 },
  ),
  commands: { add: command({ input }), total: query({ reply: ({ context }) => context.cents }) },
  version: 3,
  migrate: {
    1: (snapshot) => ({ ...stored.parse(snapshot), version: 2 }),
    2: (snapshot) => ({ ...stored.parse(snapshot), context: { cents: (stored.parse(snapshot).context.n ?? 0) * 100 } }),
  },
})
const stored = z.looseObject({ context: z.object({ n: z.number().optional() }) })

describe('children', () => {
  test('a promise starts after the commit, its result comes back as an event, and it starts again after a crash', async () => {
    const world = makeWorld()
    await (await world.open({ actors: [jobs] })).actor(jobs, 'a').ask.run()
    expect(started).toEqual(['work'])
    world.crash()
    const system = await world.open({ actors: [jobs] })
    expect(await system.actor(jobs, 'a').ask.state()).toEqual(['running', '', 0])
    expect(started).toEqual(['work', 'work'])
    finish('done')
    await world.clock.settle()
    expect(await system.actor(jobs, 'a').ask.state()).toEqual(['idle', 'done', 0])
  })

  test('an actor whose child runs stays in memory, and leaves once it has ended', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [jobs] })
    await system.actor(jobs, 'a').ask.run()
    await world.advance(10_000)
    expect(system.stats().residentActors).toBe(1)
    finish('done')
    await world.advance(10_000)
    expect(system.stats().residentActors).toBe(0)
  })

  test('a callback may send events, and is stopped when its state is left', async () => {
    const world = makeWorld()
    const ref = (await world.open({ actors: [jobs] })).actor(jobs, 'a')
    await ref.ask.listen()
    await world.clock.settle()
    expect(await ref.ask.state()).toEqual(['listening', '', 1])
    await ref.ask.run()
    expect(started).toEqual(['ticker', 'ticker stopped'])
  })
})

describe('versions', () => {
  test('a snapshot of version 1 is brought to version 3 step by step, and written so with the next change', async () => {
    const world = makeWorld()
    await (await world.open({ actors: [first] })).actor(first, 'a').ask.add({ by: 7 })
    world.crash()
    const newer = await world.open({ actors: [third] })
    expect(await newer.actor(third, 'a').ask.total()).toBe(700)
    await newer.actor(third, 'a').ask.add({ by: 5 })
    world.crash()
    expect(await (await world.open({ actors: [third] })).actor(third, 'a').ask.total()).toBe(705)
    world.crash()
    const older = await world.open({ actors: [first] })
    await expect(older.actor(first, 'a').ask.total()).rejects.toMatchObject({ code: 'NO_MIGRATION', found: 3, wanted: 1 })
  })
})

describe('a journal', () => {
  const journaled = defineActor({
    type: 'kept',
    module: import.meta.url,
    logic: add,
    commands: { add: command({ input, reply: ({ context }) => context.n }), total: query({ reply: ({ context }) => context.n }) },
    persist: 'journal',
    journal: { snapshotEvery: 10 },
  })

  test('brings back every event after the last snapshot, wherever the crash comes', async () => {
    const world = makeWorld()
    let total = 0
    for (let by = 1; by <= 35; by += 1) {
      const ref = (await world.open({ actors: [journaled] })).actor(journaled, 'a')
      expect(await ref.ask.total()).toBe(total)
      total += by
      expect(await ref.ask.add({ by })).toBe(total)
      world.crash()
    }
  })
})

describe('reading', () => {
  test('an actor that was only read does not exist afterwards', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [first] })
    expect(await system.actor(first, 'ghost').ask.total()).toBe(0)
    expect(await system.actor(first, 'ghost').snapshot()).toMatchObject({ status: 'active', context: { n: 0 } })
    expect(system.stats().batches.count).toBe(0)
  })

  test('a command after the end of the logic is rejected with its status', async () => {
    const world = makeWorld()
    const ending = defineActor({
      type: 'ending',
      module: import.meta.url,
      logic: setup({ types: { events: {} as { readonly type: 'end' } } }).createMachine({
        initial: 'on',
        states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
        output: { code: 7 },
      }),
      commands: { end: command() },
    })
    const ref = (await world.open({ actors: [ending] })).actor(ending, 'a')
    await ref.ask.end()
    expect(await ref.snapshot()).toMatchObject({ status: 'done', output: { code: 7 } })
    expect(await codeOf(ref.ask.end())).toBe('COMMAND_REJECTED')
  })
})
