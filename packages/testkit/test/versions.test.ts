/** Actors in time: logic that changes, types that are renamed or removed, actors that leave memory while commands arrive. */
import { command, defineActor, query, setTimer, tell, watch } from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { TestWorld } from '../src/index.ts'
import { codeOf } from './code-of.ts'
import { counter } from './fixtures.ts'

const text = z.object({ text: z.string() })
const HOUR_MS = 3_600_000

function makeWorld(shards = 1): TestWorld {
  const world = new TestWorld({ shards })
  onTestFinished(() => world.close())
  return world
}

const naming = setup({
  types: { context: {} as { readonly name: string }, events: {} as { readonly type: 'rename'; readonly text: string } },
}).createMachine({
  context: { name: 'nobody' },
  on: { rename: { actions: assign({ name: ({ event }) => event.text }) } },
})

/** A client of the first version: it knows a name. */
const first = defineActor({
  type: 'client',
  module: import.meta.url,
  logic: naming,
  commands: { rename: command({ input: text }), name: query({ reply: ({ context }) => context.name }) },
})

/** The third version: the name has become two, and a list. */
function third(migrate: Readonly<Record<number, (snapshot: unknown) => unknown>>) {
  return defineActor({
    type: 'client',
    module: import.meta.url,
    logic: setup({
      types: { context: {} as { readonly names: readonly string[] }, events: {} as { readonly type: 'rename'; readonly text: string } },
    }).createMachine({
      context: { names: [] },
      on: { rename: { actions: assign({ names: ({ context, event }) => [...context.names, event.text] }) } },
    }),
    commands: { rename: command({ input: text }), names: query({ reply: ({ context }) => context.names }) },
    version: 3,
    migrate,
  })
}

type Stored = { readonly context: Readonly<Record<string, unknown>> }
const toSecond = (snapshot: unknown): unknown => ({ ...(snapshot as Stored), context: { full: (snapshot as Stored).context['name'] } })
const toThird = (snapshot: unknown): unknown => ({ ...(snapshot as Stored), context: { names: [(snapshot as Stored).context['full']] } })

describe('a logic that has changed', () => {
  test('takes actors over several versions, one after the other, and writes them in the new form', async () => {
    const world = makeWorld()
    const old = await world.open({ actors: [first] })
    await old.actor(first, 'a').ask.rename({ text: 'Ada' })
    world.crash()
    const newest = third({ 1: toSecond, 2: toThird })
    const system = await world.open({ actors: [newest] })
    expect(await system.actor(newest, 'a').ask.names()).toEqual(['Ada'])
    await system.actor(newest, 'a').ask.rename({ text: 'Grace' })
    world.crash()
    // Written as version 3: no migration is needed any more.
    const bare = third({})
    expect(await (await world.open({ actors: [bare] })).actor(bare, 'a').ask.names()).toEqual(['Ada', 'Grace'])
  })

  test('G11 that fails to migrate leaves the actor as it is, says which one, and touches no other', async () => {
    const world = makeWorld()
    const old = await world.open({ actors: [first] })
    await old.actor(first, 'a').ask.rename({ text: 'Ada' })
    world.crash()
    const broken = third({
      1: toSecond,
      2: () => {
        throw new Error('no names today')
      },
    })
    const system = await world.open({ actors: [broken] })
    const error: unknown = await system
      .actor(broken, 'a')
      .ask.names()
      .catch((error_: unknown) => error_)
    expect(error).toMatchObject({
      code: 'ACTIVATION_FAILED',
      actor: 'client/a',
      message: expect.stringContaining('no names today') as unknown,
    })
    expect(await codeOf(system.actor(broken, 'a').tell.rename({ text: 'lost' }))).toBe('ACTIVATION_FAILED')
    expect(await system.actor(broken, 'fresh').ask.names()).toEqual([])
    world.crash()
    const whole = third({ 1: toSecond, 2: toThird })
    const mended = await world.open({ actors: [whole] })
    await world.advance(0)
    expect(await mended.actor(whole, 'a').ask.names()).toEqual(['Ada'])
  })

  test('without a path from the stored version is refused by name, with both versions', async () => {
    const world = makeWorld()
    const old = await world.open({ actors: [first] })
    await old.actor(first, 'a').ask.rename({ text: 'Ada' })
    world.crash()
    const gap = third({ 2: toThird })
    const error: unknown = await (
      await world.open({ actors: [gap] })
    )
      .actor(gap, 'a')
      .ask.names()
      .catch((error_: unknown) => error_)
    expect(error).toMatchObject({ code: 'NO_MIGRATION', actor: 'client/a', found: 1, wanted: 3 })
  })
})

/** A shop that sends notes to a client, of whatever name, and is watched by it. */
function shopOf(client: () => ReturnType<typeof clientOf>) {
  return defineActor({
    type: 'shop',
    module: import.meta.url,
    logic: setup({ types: { events: {} as { readonly type: 'write' | 'close'; readonly text?: string } } }).createMachine({
      initial: 'open',
      states: {
        open: {
          on: {
            write: { actions: tell(client, { key: 'a', command: 'note', input: ({ event }) => ({ text: event.text ?? '' }) }) },
            close: 'closed',
          },
        },
        closed: { type: 'final' },
      },
    }),
    commands: { write: command({ input: text }), close: command() },
  })
}

function clientOf(names: { readonly type: string; readonly storedAs?: string }, shop: () => ActorDefinition) {
  return defineActor({
    ...names,
    module: import.meta.url,
    logic: setup({
      types: {
        context: {} as { readonly notes: readonly string[] },
        events: {} as { readonly type: 'note'; readonly text: string } | { readonly type: 'arm' | 'rang' | 'gone' | 'spoil' },
      },
    }).createMachine({
      context: { notes: [] },
      on: {
        note: {
          actions: assign({
            notes: ({ context, event }) => {
              if (event.text === 'poison') throw new Error('spoilt')
              return [...context.notes, event.text]
            },
          }),
        },
        arm: { actions: [setTimer('alarm', { delayMs: HOUR_MS, event: 'rang' }), watch(shop, { key: 'one', event: 'gone' })] },
        rang: { actions: assign({ notes: ({ context }) => [...context.notes, 'rang'] }) },
        gone: { actions: assign({ notes: ({ context }) => [...context.notes, 'the shop is closed'] }) },
      },
    }),
    commands: { note: command({ input: text }), arm: command(), notes: query({ reply: ({ context }) => context.notes }) },
  })
}

describe('a type that is renamed', () => {
  test.each([1, 3])('keeps its actors with state, keys, timers, letters, watches and messages, on %i shards', async (shards) => {
    const world = makeWorld(shards)
    const oldClient: ReturnType<typeof clientOf> = clientOf({ type: 'client' }, () => oldShop)
    const oldShop: ReturnType<typeof shopOf> = shopOf(() => oldClient)
    const before = await world.open({ actors: [oldClient, oldShop] })
    const a = before.actor(oldClient, 'a')
    await a.ask.note({ text: 'one' }, { idempotencyKey: 'k1' })
    await a.ask.arm()
    await a.tell.note({ text: 'poison' })
    await a.tell.note({ text: 'later' }, { delayMs: HOUR_MS / 2 })
    await world.advance(0)
    world.crash()

    const newClient: ReturnType<typeof clientOf> = clientOf({ type: 'customer', storedAs: 'client' }, () => newShop)
    const newShop: ReturnType<typeof shopOf> = shopOf(() => newClient)
    const system = await world.open({ actors: [newClient, newShop] })
    const told = new Set<string>()
    system.tap((event) => void ('actor' in event && told.add(event.actor)))
    const renamed = system.actor(newClient, 'a')
    expect(await renamed.ask.notes()).toEqual(['one'])
    await renamed.ask.note({ text: 'one' }, { idempotencyKey: 'k1' })
    expect(await renamed.ask.notes()).toEqual(['one'])
    expect(await system.deadLetters.list({ type: 'customer' })).toMatchObject([{ actor: 'customer/a', command: 'note', revision: 1 }])
    await system.actor(newShop, 'one').ask.write({ text: 'from the shop' })
    await system.actor(newShop, 'one').ask.close()
    await world.advance(HOUR_MS + 10_000)
    expect(await renamed.ask.notes()).toEqual(['one', 'from the shop', 'the shop is closed', 'later', 'rang'])
    expect((await renamed.timers()).length).toBe(0)
    expect(await system.quarantine.hold(newClient, 'a', { reason: 'a look' })).toBe(true)
    expect(await system.quarantine.list({ definition: newClient })).toMatchObject([{ actor: 'customer/a', type: 'customer' }])
    expect(await codeOf(renamed.ask.notes())).toBe('ACTOR_QUARANTINED')
    expect(await system.quarantine.release({ definition: newClient, key: 'a' })).toBe(1)
    expect(await renamed.ask.notes()).toHaveLength(5)
    await renamed.tell.note({ text: 'poison' })
    await world.advance(0)
    expect([...told].toSorted()).toEqual(['customer/a', 'shop/one'])
  })

  test('cannot be stored under the name of another', async () => {
    const world = makeWorld()
    const shop = shopOf(() => client)
    const client: ReturnType<typeof clientOf> = clientOf({ type: 'customer', storedAs: 'shop' }, () => shop)
    expect(await codeOf(world.open({ actors: [shop, client] }))).toBe('INVALID_DEFINITION')
  })
})

describe('a type that is removed', () => {
  test('G2 G11 leaves what waits in the store, counted, and is as it was when it comes back', async () => {
    const world = makeWorld()
    const client: ReturnType<typeof clientOf> = clientOf({ type: 'client' }, () => shop)
    const shop: ReturnType<typeof shopOf> = shopOf(() => client)
    const before = await world.open({ actors: [client, shop] })
    await before.actor(client, 'a').ask.arm()
    await before.actor(client, 'a').tell.note({ text: 'later' }, { delayMs: 60_000 })
    world.crash()
    const without = await world.open({ actors: [counter] })
    expect(await codeOf(without.actor(counter, 'b').ask.add({ n: 1 }))).toBe(1)
    await world.advance(2 * HOUR_MS)
    expect(without.stats().stranded).toBeGreaterThan(0)
    world.crash()
    const again = await world.open({ actors: [client, shop] })
    await world.advance(10_000)
    expect(await again.actor(client, 'a').ask.notes()).toEqual(expect.arrayContaining(['later', 'rang']))
  })
})

describe('an actor that leaves memory', () => {
  const brief = defineActor({
    type: 'brief',
    module: import.meta.url,
    logic: naming,
    commands: { rename: command({ input: text }), name: query({ reply: ({ context }) => context.name }) },
    idleMs: 10,
  })

  test('G5 loses nothing that arrives meanwhile, whenever it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ pauseMs: fc.constantFrom(0, 1, 4, 5, 6, 9, 10, 11, 15, 30), isAsk: fc.boolean() }), { maxLength: 30 }),
        async (steps) => {
          const world = new TestWorld()
          try {
            const system = await world.open({ actors: [brief] })
            const ref = system.actor(brief, 'a')
            let sent = 0
            const pending: Promise<unknown>[] = []
            for (const { pauseMs, isAsk } of steps) {
              sent += 1
              pending.push(isAsk ? ref.ask.rename({ text: String(sent) }) : ref.tell.rename({ text: String(sent) }))
              if (pauseMs > 0) await world.advance(pauseMs)
            }
            await Promise.all(pending)
            const { context } = await ref.snapshot()
            expect(context.name).toBe(sent === 0 ? 'nobody' : String(sent))
            expect(system.stats().handled).toBe(sent)
          } finally {
            await world.close()
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
