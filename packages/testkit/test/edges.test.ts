/** The edges of delivery: what one actor, one name, one lost text or one full disk must not do to the rest of a shard. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { cancelEffect, command, defineActor, defineEffect, effect, postpone, query, request, setTimer, tell } from '@bailiwick/kernel'
import type { ActorDefinition, ReplyArguments } from '@bailiwick/kernel'
import { nodeChildren, nodeSeams, nodeTurnPlaces, openSystemOn, startInlineThread } from '@bailiwick/kernel/seams'
import type { Seams } from '@bailiwick/kernel/seams'
import { assign, enqueueActions, fromCallback, setup } from 'xstate'
import type { SnapshotFrom } from 'xstate'
import { z } from 'zod'
import { laterStore, TestWorld } from '@bailiwick/testkit'
import type { TestWorldOptions } from '@bailiwick/testkit'
import { StoreUnavailable } from '@bailiwick/store'
import type { ShardStore } from '@bailiwick/store'
import { codeOf } from './code-of.ts'

const module = import.meta.url

const byText = (left: string, right: string): number => left.localeCompare(right)

function makeWorld(options: TestWorldOptions = {}): { readonly world: TestWorld; readonly now: <T>(promise: Promise<T>) => Promise<T> } {
  const world = new TestWorld(options)
  onTestFinished(() => world.close())
  return {
    world,
    now: async (promise) => {
      promise.catch(() => undefined)
      await world.advance(0)
      return await promise
    },
  }
}

/** What a promise has become without time passing. */
async function stateOf(world: TestWorld, promise: Promise<unknown>): Promise<unknown> {
  let found: unknown = 'pending'
  codeOf(promise).then(
    (value) => {
      found = value
    },
    () => undefined,
  )
  await world.advance(0)
  return found
}

/** The shard of an actor, as the kernel reckons. */
function shardOf(type: string, key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (const character of `${type}/${key}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return (hash >>> 0) % shards
}

function keyOn(type: string, shard: number, shards = 2): string {
  for (let n = 0; ; n += 1) if (shardOf(type, `k${n}`, shards) === shard) return `k${n}`
}

/** Fails commits of single shards. */
class Disks {
  readonly failing = new Set<number>()
  readonly wrap = (store: ShardStore, shard: number): ShardStore =>
    new Proxy(store, {
      get: (target, name: keyof ShardStore) => {
        if (name === 'commit') {
          return (batch: Parameters<ShardStore['commit']>[0]) => {
            if (this.failing.has(shard)) throw new StoreUnavailable('full', 'this disk is full')
            return target.commit(batch)
          }
        }
        const value = target[name]
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
}

// A box that counts, and can be shut: while it is shut, what comes is postponed.
type BoxEvent = { readonly type: 'put'; readonly n: number } | { readonly type: 'open' | 'shut' | 'add' }
/** What it has seen is one text, which is not copied with each of thousands. */
interface BoxContext {
  readonly seen: string
  readonly count: number
}
const boxLogic = setup({
  types: { context: {} as BoxContext, events: {} as BoxEvent },
  actions: {
    put: assign(({ context: { seen, count }, event }) => (event.type === 'put' ? { seen: `${seen} ${event.n}`, count: count + 1 } : {})),
  },
}).createMachine({
  context: { seen: '', count: 0 },
  initial: 'opened',
  states: {
    opened: { on: { put: { actions: 'put' }, shut: 'shutted' } },
    shutted: { on: { put: { actions: postpone() }, open: 'opened' } },
  },
})
const boxCommands = {
  put: command({
    input: z.object({ n: z.number() }),
    reply: ({ context }: ReplyArguments<SnapshotFrom<typeof boxLogic>, { readonly n: number }>) => context.count,
  }),
  open: command({ priority: 'urgent' }),
  shut: command({ priority: 'urgent' }),
  seen: query({
    reply: ({ context }: ReplyArguments<SnapshotFrom<typeof boxLogic>, object>) => context.seen.split(' ').slice(1).map(Number),
  }),
}
const box = defineActor({ type: 'box', module, logic: boxLogic, commands: boxCommands, idleMs: 50, mailbox: { capacity: 100_000 } })
const volatileBox = defineActor({ type: 'vbox', module, logic: boxLogic, commands: boxCommands, volatile: true, idleMs: 3_600_000 })

// Sends `times` puts to one box.
type FanEvent = { readonly type: 'fan'; readonly to: string; readonly times: number; readonly from?: number | undefined }
const fanOf = (type: string, to: typeof box | typeof volatileBox): typeof fan =>
  defineActor({
    type,
    module,
    logic: setup({ types: { context: {} as { readonly count: number }, events: {} as FanEvent } }).createMachine({
      context: { count: 0 },
      on: {
        fan: {
          actions: [
            assign({ count: ({ context }) => context.count + 1 }),
            enqueueActions(({ enqueue, event }) => {
              for (let n = 0; n < event.times; n += 1) {
                enqueue(tell(to as typeof box, { key: event.to, command: 'put', input: { n: n + (event.from ?? 0) } }))
              }
            }),
          ],
        },
      },
    }),
    commands: { fan: command({ input: z.object({ to: z.string(), times: z.number(), from: z.number().optional() }) }) },
  }) as never
const fan = defineActor({
  type: 'fan',
  module,
  logic: setup({ types: { context: {} as { readonly count: number }, events: {} as FanEvent } }).createMachine({
    context: { count: 0 },
    on: {
      fan: {
        actions: [
          assign({ count: ({ context }) => context.count + 1 }),
          enqueueActions(({ enqueue, event }) => {
            for (let n = 0; n < event.times; n += 1) {
              enqueue(tell(box, { key: event.to, command: 'put', input: { n: n + (event.from ?? 0) } }))
            }
          }),
        ],
      },
    },
  }),
  commands: { fan: command({ input: z.object({ to: z.string(), times: z.number(), from: z.number().optional() }) }) },
})
const volatileFan = fanOf('vfan', volatileBox)

describe('dead letters', () => {
  test('G3 a message to another shard that found the outbox full reaches its actor when it is replayed', async () => {
    const { world, now } = makeWorld({ shards: 2 })
    const system = await world.open({ actors: [box, fan], limits: { outbox: 1 } })
    const from = keyOn('fan', 0)
    const to = keyOn('box', 1)
    await now(system.actor(fan, from).ask.fan({ to, times: 2 }))
    await world.advance(5_000)
    expect(await now(system.actor(box, to).ask.seen())).toEqual([0])
    expect(system.stats().deadLetters).toBe(1)
    expect(await now(system.deadLetters.replay({ type: 'box' }))).toMatchObject(expect.anything())
    await world.advance(5_000)
    expect(await now(system.actor(box, to).ask.seen())).toEqual([0, 1])
  })
})

describe('a volatile actor', () => {
  const logic = setup({
    types: {
      context: {} as { readonly ends: readonly string[] },
      events: {} as { readonly type: 'wait' | 'ask' | 'done' } | { readonly type: 'failed'; readonly error: { readonly code: string } },
    },
  }).createMachine({
    context: { ends: [] },
    on: {
      wait: { actions: assign({ ends: ({ context }) => [...context.ends, 'wait'] }) },
      ask: {
        actions: request((): ActorDefinition => silent, { key: 's', command: 'wait', onDone: 'done', onError: 'failed', timeoutMs: 1_000 }),
      },
      done: { actions: assign({ ends: ({ context }) => [...context.ends, 'done'] }) },
      failed: { actions: assign({ ends: ({ context, event }) => [...context.ends, event.error.code] }) },
    },
  })
  const commands = {
    wait: command({ reply: 'deferred', replyWithinMs: 5_000 }),
    ask: command(),
    ends: query({ reply: ({ context }: ReplyArguments<SnapshotFrom<typeof logic>, object>) => context.ends }),
  }
  // Never answers.
  const silent = defineActor({
    type: 'silent',
    module,
    logic,
    commands: { ...commands, wait: command({ reply: 'deferred', replyWithinMs: 3_600_000 }) },
  })
  const quick = defineActor({ type: 'quick', module, logic, commands, volatile: true, idleMs: 600_000 })

  test('that does not answer in time is overdue', async () => {
    const { world } = makeWorld()
    const system = await world.open({ actors: [quick, silent] })
    const asked = codeOf(system.actor(quick, 'q').ask.wait({}, { timeoutMs: 60_000 }))
    await world.advance(6_000)
    expect(await stateOf(world, asked)).toBe('REPLY_OVERDUE')
  })

  test('hears of a request that is not answered in time', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [quick, silent] })
    await now(system.actor(quick, 'q').ask.ask())
    await world.advance(6_000)
    expect(await now(system.actor(quick, 'q').ask.ends())).toEqual(['ASK_TIMEOUT'])
  })

  test('G3 gets a tell of an actor once, although the first commit failed', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [volatileBox, volatileFan, box] })
    await now(system.actor(volatileFan, 'f').tell.fan({ to: 'keep', times: 0 }))
    await now(system.actor(volatileBox, 'v').ask.put({ n: -1 }))
    world.disk.failCommits('full')
    const refused = codeOf(system.actor(volatileFan, 'f').ask.fan({ to: 'v', times: 1 }, { timeoutMs: 60_000 }))
    await world.advance(5)
    expect(await stateOf(world, refused)).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(3_000)
    // The sender's transition has not happened, and neither has what it sends.
    expect(await now(system.actor(volatileBox, 'v').ask.seen())).toEqual([-1])
  })

  test('G3 gets a tell from another shard once, although the first commit failed', async () => {
    const disks = new Disks()
    const { world, now } = makeWorld({ shards: 2, wrapStore: disks.wrap })
    const system = await world.open({ actors: [volatileBox, volatileFan, box] })
    const to = keyOn('vbox', 1)
    disks.failing.add(1)
    await now(system.actor(volatileFan, keyOn('vfan', 0)).ask.fan({ to, times: 1 }))
    disks.failing.clear()
    await world.advance(5_000)
    expect(system.stats().outbox).toBe(0)
    expect(await now(system.actor(volatileBox, to).ask.seen())).toEqual([0])
  })

  test('G1 a follower that joined with a batch that failed hears of later changes', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [volatileBox, box] })
    const seen: unknown[] = []
    world.disk.failCommits('full')
    const changes = system.actor(volatileBox, 'v').changes()
    void (async () => {
      for await (const { context } of changes) seen.push(context)
    })().catch((error: unknown) => seen.push(error))
    const refused = codeOf(system.actor(box, 'b').ask.put({ n: 1 }))
    expect(await stateOf(world, refused)).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(3_000)
    await now(system.actor(volatileBox, 'v').ask.put({ n: 2 }))
    expect(seen.at(-1)).toEqual({ seen: ' 2', count: 1 })
  })

  test('G12 a caller that waits for a deferred reply is not told that a disk is full', async () => {
    const { world } = makeWorld()
    const system = await world.open({ actors: [quick, silent, box] })
    world.disk.failCommits('full')
    const asked = codeOf(system.actor(quick, 'q').ask.wait({}, { timeoutMs: 60_000 }))
    const refused = codeOf(system.actor(box, 'b').ask.put({ n: 1 }))
    expect(await stateOf(world, refused)).toBe('STORE_UNAVAILABLE')
    expect(await stateOf(world, asked)).toBe('pending')
  })
})

describe('commands for later', () => {
  test('go on although one of them is postponed', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [box] })
    await now(system.actor(box, 'a').ask.shut())
    await now(system.actor(box, 'a').tell.put({ n: 1 }, { delayMs: 1_000 }))
    await now(system.actor(box, 'b').tell.put({ n: 2 }, { delayMs: 5_000 }))
    await world.advance(60_000)
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([2])
  })

  test('go on although one of them is for an actor that is no longer known', async () => {
    const { world, now } = makeWorld()
    const other = defineActor({ type: 'other', module, logic: boxLogic, commands: boxCommands })
    const before = await world.open({ actors: [box, other] })
    await now(before.actor(other, 'a').tell.put({ n: 1 }, { delayMs: 1_000 }))
    await now(before.actor(box, 'b').tell.put({ n: 2 }, { delayMs: 5_000 }))
    world.crash()
    const system = await world.open({ actors: [box] })
    await world.advance(60_000)
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([2])
  })

  test('go on although one of them is for an actor that cannot be activated', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [box, broken] })
    await now(system.actor(broken, 'a').tell.go({}, { delayMs: 1_000 }))
    await now(system.actor(box, 'b').tell.put({ n: 2 }, { delayMs: 5_000 }))
    await world.advance(60_000)
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([2])
  })
})

/** Cannot be made. */
const broken = defineActor({
  type: 'broken',
  module,
  logic: setup({ types: { events: {} as { readonly type: 'go' } } }).createMachine({
    context: () => {
      throw new Error('it cannot be made')
    },
    on: { go: {} },
  }),
  commands: { go: command() },
  mailbox: { capacity: 1 },
})

describe('effects', () => {
  const performed: string[] = []
  const mail = defineEffect({
    name: 'mail',
    module,
    input: z.object({ to: z.string() }),
    run: ({ input }) => {
      performed.push(input.to)
      return Promise.resolve(1)
    },
  })
  const mailer = defineActor({
    type: 'mailer',
    module,
    logic: setup({ types: { events: {} as { readonly type: 'go' | 'stop' | 'both' } } }).createMachine({
      on: {
        go: {
          actions: [
            effect(mail, { to: 'cancelled' }, { label: 'x', delayMs: 1_000 }),
            effect(mail, { to: 'later' }, { label: 'y', delayMs: 5_000 }),
          ],
        },
        both: { actions: [effect(mail, { to: 'never' }, { label: 'x' }), cancelEffect('x')] },
        stop: { actions: cancelEffect('x') },
      },
    }),
    commands: { go: command(), both: command(), stop: command() },
  })

  test.each([undefined, 0, 3])('G10 go on after one was taken back just when it was claimed (%s rounds)', async (rounds) => {
    performed.length = 0
    let onDue: (() => void) | undefined
    const { world, now } = makeWorld({
      wrapStore: (store) =>
        new Proxy(store, {
          get: (target, name: keyof ShardStore) => {
            const value = target[name]
            if (name !== 'dueEffects') return typeof value === 'function' ? value.bind(target) : value
            if (rounds === undefined) {
              return (...given: Parameters<ShardStore['dueEffects']>) => {
                onDue?.()
                return target.dueEffects(...given)
              }
            }
            return async (...given: Parameters<ShardStore['dueEffects']>) => {
              onDue?.()
              for (let left = rounds; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve))
              return await target.dueEffects(...given)
            }
          },
        }),
    })
    const system = await world.open({ actors: [mailer], effects: [mail] })
    await now(system.actor(mailer, 'm').ask.go())
    await world.advance(900)
    onDue = () => {
      onDue = undefined
      system
        .actor(mailer, 'm')
        .ask.stop()
        .catch(() => undefined)
    }
    await world.advance(60_000)
    expect(performed.filter((to) => to === 'later')).toEqual(['later'])
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 one that is promised and cancelled in one transition is never tried, and leaves nothing', async () => {
    performed.length = 0
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [mailer], effects: [mail] })
    await now(system.actor(mailer, 'm').ask.both())
    await world.advance(60_000)
    expect(performed).toEqual([])
    expect(system.stats().outbox).toBe(0)
  })
})

describe('an actor that cannot be made', () => {
  const spoiled = defineActor({
    type: 'spoiled',
    module,
    logic: setup({ types: { events: {} as { readonly type: 'go' } } }).createMachine({
      entry: [
        tell(box, { key: 'b', command: 'put', input: { n: 1 } }),
        setTimer('good', { event: 'go', delayMs: 10_000 }),
        setTimer('bad', { event: { type: 'go', big: 1n }, delayMs: 10_000 }),
      ],
      on: { go: {} },
    }),
    commands: { go: command() },
  })

  test('G11 because of the event of a timer stops nothing, and sends nothing', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [spoiled, box] })
    expect(await now(codeOf(system.actor(spoiled, 's').ask.go()))).not.toBe('STORE_UNAVAILABLE')
    await world.advance(1_000)
    expect(await now(codeOf(system.actor(box, 'b').ask.seen()))).toEqual([])
    expect(await now(codeOf(system.actor(box, 'c').ask.put({ n: 1 })))).toBe(1)
  })

  test('gives its place to who waits for one', async () => {
    const { world } = makeWorld()
    const system = await world.open({ actors: [broken, box] })
    const first = codeOf(system.actor(broken, 'a').ask.go())
    const second = codeOf(system.actor(broken, 'a').ask.go({}, { waitForRoomMs: 10_000 }))
    expect(await stateOf(world, first)).toBe('ACTIVATION_FAILED')
    expect(await stateOf(world, second)).toBe('ACTIVATION_FAILED')
  })
})

describe('who waits for a place on the shard', () => {
  test.each([false, true])(
    'G4 changes the same actor as everybody else, although it has left memory meanwhile (stored: %s)',
    async (isStored) => {
      const { world, now } = makeWorld()
      const system = await world.open({ actors: [box, gate], limits: { waitingCommands: 2 } })
      if (isStored) await now(system.actor(box, 'b').ask.put({ n: 0 }))
      await now(system.actor(gate, 'a').ask.shutFor({ ms: 10_000 }))
      for (const n of [1, 2])
        system
          .actor(gate, 'a')
          .ask.put({ n }, { timeoutMs: 600_000 })
          .catch(() => undefined)
      await world.advance(0)
      const first = codeOf(system.actor(box, 'b').ask.put({ n: 1 }, { waitForRoomMs: 60_000, timeoutMs: 600_000 }))
      await world.advance(1_000)
      const second = codeOf(system.actor(box, 'b').ask.put({ n: 2 }, { waitForRoomMs: 60_000, timeoutMs: 600_000 }))
      await world.advance(20_000)
      expect([await stateOf(world, first), await stateOf(world, second)]).toEqual(isStored ? [2, 3] : [1, 2])
      expect(await now(codeOf(system.actor(box, 'b').ask.seen()))).toEqual(isStored ? [0, 1, 2] : [1, 2])
    },
  )
})

/** Postpones what comes until its timer opens it. */
const gate = defineActor({
  type: 'gate',
  module,
  logic: setup({
    types: { events: {} as { readonly type: 'put' | 'open' } | { readonly type: 'shutFor'; readonly ms: number } },
  }).createMachine({
    initial: 'opened',
    states: {
      opened: {
        on: {
          put: { actions: () => undefined },
          shutFor: { target: 'shutted', actions: setTimer('t', { event: 'open', delayMs: 10_000 }) },
        },
      },
      shutted: { on: { put: { actions: postpone() }, open: 'opened' } },
    },
  }),
  commands: { put: command({ input: z.object({ n: z.number() }) }), shutFor: command({ input: z.object({ ms: z.number() }) }) },
})

describe('links', () => {
  /** How many characters were read from JSON meanwhile. */
  async function charactersReadIn(work: () => Promise<void>): Promise<number> {
    let read = 0
    const parse = JSON.parse.bind(JSON)
    const spy = vi.spyOn(JSON, 'parse').mockImplementation((text: string, reviver) => {
      read += text.length
      return parse(text, reviver) as unknown
    })
    await work()
    spy.mockRestore()
    return read
  }

  test.each(['nothing', 'thread', 'disk'] as const)(
    'G12 what is lost with a %s is sent again a few times, not once for each message behind it',
    { timeout: 60_000 },
    async (lost) => {
      let isBreaking = false
      const { world, now } = makeWorld({
        shards: 2,
        wrapStore: (store, shard) =>
          new Proxy(store, {
            get: (target, name: keyof ShardStore) => {
              const value = target[name]
              if (name === 'commit' && shard === 1 && isBreaking) {
                return () => {
                  isBreaking = false
                  if (lost === 'thread') setImmediate(() => world.crashThreadOf(1))
                  throw new StoreUnavailable('full', 'this disk is full')
                }
              }
              return typeof value === 'function' ? value.bind(target) : value
            },
          }),
      })
      const system = await world.open({ actors: [box, fan] })
      const to = keyOn('box', 1)
      const from = system.actor(fan, keyOn('fan', 0))
      await now(from.ask.fan({ to, times: 1, from: -1 }))
      const characters = await charactersReadIn(async () => {
        isBreaking = lost !== 'nothing'
        await now(from.ask.fan({ to, times: 150 }))
        await now(from.ask.fan({ to, times: 150, from: 150 }))
        await world.advance(5_000)
      })
      expect(await now(system.actor(box, to).ask.seen())).toEqual(Array.from({ length: 301 }, (_none, n) => n - 1))
      // A message has some 150 characters, and is read a few times on its way.
      expect(Math.round(characters / 300 / 150)).toBeLessThan(30)
    },
  )

  test.each([false, true])(
    'G3 G5 carry 20,000 messages of one transition, past the window (thread dies: %s)',
    { timeout: 120_000 },
    async (dies) => {
      const { world, now } = makeWorld({ shards: 2 })
      const system = await world.open({ actors: [box, fan] })
      const to = keyOn('box', 1)
      await now(system.actor(fan, keyOn('fan', 0)).ask.fan({ to, times: 20_000 }))
      if (dies) world.crashThreadOf(1)
      await world.advance(20_000)
      expect(await now(system.actor(box, to).ask.seen())).toEqual(Array.from({ length: 20_000 }, (_none, n) => n))
      expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 0 })
    },
  )
})

describe('natural keys', () => {
  test.each([
    ['d2', 'A'],
    ['d2', 'B'],
  ])('one delivery (%s) under two natural keys stops no shard (last under %s)', async (delivery, last) => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [box], limits: { batchCommands: 1 } })
    const ref = system.actor(box, 'b')
    await now(ref.ask.shut())
    await now(ref.tell.put({ n: 1 }, { naturalKey: last === 'A' ? 'B' : 'A', deliveryId: delivery }))
    await now(ref.tell.put({ n: 2 }, { naturalKey: last, deliveryId: 'd1' }))
    await now(codeOf(ref.tell.put({ n: 3 }, { naturalKey: last, deliveryId: delivery })))
    await now(codeOf(ref.ask.open()))
    await world.advance(5_000)
    expect(await now(codeOf(ref.ask.put({ n: 4 })))).not.toBe('BATCH_INVALID')
  })

  test('one delivery under two natural keys stops no shard for good', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [box], limits: { batchCommands: 1 } })
    const ref = system.actor(box, 'b')
    await now(ref.ask.shut())
    await now(ref.tell.put({ n: 1 }, { naturalKey: 'A', deliveryId: 'd2' }))
    await now(ref.tell.put({ n: 2 }, { naturalKey: 'B', deliveryId: 'd1' }))
    await now(codeOf(ref.tell.put({ n: 3 }, { naturalKey: 'B', deliveryId: 'd2' })))
    await now(codeOf(ref.ask.open()))
    await world.advance(1_000)
    world.crash()
    const again = await world.open({ actors: [box] })
    await world.advance(1_000)
    expect(await now(codeOf(again.actor(box, 'c').ask.put({ n: 4 })))).toBe(1)
  })
})

describe('open calls', () => {
  const busy = defineActor({
    type: 'busy',
    module,
    logic: setup({ types: { events: {} as { readonly type: 'ask' | 'wait' | 'done' } } }).createMachine({
      on: {
        ask: {
          actions: request((): ActorDefinition => busy, {
            key: 'other',
            command: 'wait',
            onDone: 'done',
            onError: 'done',
            timeoutMs: 60_000,
          }),
        },
        wait: { actions: () => undefined },
        done: {},
      },
    }),
    commands: { ask: command(), wait: command({ reply: 'deferred' }) },
    mailbox: { capacity: 2 },
  })

  test('G12 requests that an actor makes take no place of the commands that it answers later', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [busy] })
    for (let n = 0; n < 2; n += 1) await now(system.actor(busy, 'one').ask.ask())
    const asked = codeOf(system.actor(busy, 'one').ask.wait())
    expect(await stateOf(world, asked)).toBe('pending')
  })
})

describe('while the disk is full', () => {
  test('200,000 tells for later break nothing', { timeout: 120_000 }, async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [box] })
    await now(system.actor(box, 'b').ask.put({ n: 0 }))
    world.disk.failCommits('full')
    expect(await now(codeOf(system.actor(box, 'b').ask.put({ n: 1 })))).toBe('STORE_UNAVAILABLE')
    const ends = new Map<unknown, number>()
    for (let n = 0; n < 200_000; n += 1) {
      void codeOf(system.actor(box, 'c').tell.put({ n }, { delayMs: 1_000_000, timeoutMs: 600_000 })).then((end) => {
        const name = typeof end === 'string' ? end : 'accepted'
        ends.set(name, (ends.get(name) ?? 0) + 1)
      })
    }
    await world.clock.settle()
    world.disk.failCommits(undefined)
    await world.advance(5_000)
    expect(Object.fromEntries(ends)).toEqual({ accepted: 200_000 })
  })
})

describe('with a store that takes its time', () => {
  test('G1 a tell that was refused because its commit failed is not handled after all', async () => {
    let isFailing = false
    let rounds = 1
    const { world, now } = makeWorld({
      wrapStore: (store) =>
        laterStore(
          new Proxy(store, {
            get: (target, name: keyof ShardStore) => {
              const value = target[name]
              if (name === 'commit' && isFailing) {
                return () => {
                  throw new StoreUnavailable('full', 'this disk is full')
                }
              }
              return typeof value === 'function' ? value.bind(target) : value
            },
          }),
          () => rounds,
        ),
    })
    const system = await world.open({ actors: [box] })
    await now(system.actor(box, 'b').ask.put({ n: 0 }))
    rounds = 3
    isFailing = true
    const told = codeOf(system.actor(box, 'b').tell.put({ n: 1 }, { idempotencyKey: 'k' }))
    await world.advance(5)
    isFailing = false
    expect(await stateOf(world, told)).toBe('STORE_UNAVAILABLE')
    await world.advance(5_000)
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([0])
  })
})

describe('a shard', () => {
  const bad = defineActor({
    type: 'bad',
    module,
    logic: setup({
      types: { events: {} as { readonly type: 'put'; readonly n: number } },
      actors: { child: fromCallback<{ readonly type: 'x' }, { readonly big: bigint }>(() => undefined) },
    }).createMachine({
      entry: tell(box, { key: 'elsewhere', command: 'put', input: { n: 1 } }),
      invoke: { src: 'child', input: { big: 1n } },
      on: { put: {} },
    }),
    commands: { put: command({ input: z.object({ n: z.number() }) }) },
  })
  const poke = defineActor({
    type: 'poke',
    module,
    logic: setup({ types: { events: {} as { readonly type: 'go'; readonly to: string } } }).createMachine({
      on: { go: { actions: tell(() => bad, { key: ({ event }) => event.to, command: 'put', input: { n: 1 } }) } },
    }),
    commands: { go: command({ input: z.object({ to: z.string() }) }) },
  })

  test('G11 is not stopped by an actor whose first state cannot be written', async () => {
    const { world, now } = makeWorld({ shards: 2 })
    const system = await world.open({ actors: [bad, poke, box] })
    await now(system.actor(poke, keyOn('poke', 0)).ask.go({ to: keyOn('bad', 1) }))
    const other = keyOn('box', 1)
    const ends: unknown[] = []
    for (let round = 0; round < 10; round += 1) {
      ends.push(await stateOf(world, system.actor(box, other).ask.put({ n: round })))
      await world.advance(1_000)
    }
    expect(ends.filter((end) => typeof end !== 'number')).toEqual([])
    expect(system.stats().outbox).toBe(0)
  })

  test('G11 is not stopped for good by a tell for later to such an actor', async () => {
    const { world, now } = makeWorld()
    const before = await world.open({ actors: [bad, poke, box] })
    await now(before.actor(bad, 'a').tell.put({ n: 1 }, { delayMs: 1_000 }))
    await world.advance(2_000)
    world.crash()
    const system = await world.open({ actors: [bad, poke, box] })
    await world.advance(2_000)
    const ends: unknown[] = []
    for (let round = 0; round < 5; round += 1) {
      ends.push(await stateOf(world, codeOf(system.actor(box, 'b').ask.put({ n: round }))))
      await world.advance(1_000)
    }
    expect(ends).toEqual([1, 2, 3, 4, 5])
  })

  test('G11 nor does such an actor fail whoever shares its batch', async () => {
    const { world } = makeWorld()
    const system = await world.open({ actors: [bad, poke, box] })
    const spoiled = codeOf(system.actor(bad, 'a').ask.put({ n: 1 }))
    const innocent = codeOf(system.actor(box, 'b').ask.put({ n: 1 }))
    expect(await stateOf(world, innocent)).toBe(1)
    expect(await stateOf(world, spoiled)).toBe('NOT_SERIALIZABLE')
  })
})

describe('an actor that sends from its start on', () => {
  const starter = defineActor({
    type: 'starter',
    module,
    logic: setup({
      types: {
        context: {} as { readonly hits: readonly string[] },
        events: {} as { readonly type: 'hit' | 'ring' | 'done' | 'failed' | 'go' },
      },
      actions: { note: assign({ hits: ({ context, event }) => [...context.hits, event.type] }) },
    }).createMachine({
      context: { hits: [] },
      entry: [
        tell((): ActorDefinition => starter, { key: 's', command: 'hit' }),
        setTimer('t', { event: 'ring', delayMs: 1_000 }),
        request(() => box, { key: 'b', command: 'put', input: { n: 7 }, onDone: 'done', onError: 'failed' }),
      ],
      on: { hit: { actions: 'note' }, ring: { actions: 'note' }, done: { actions: 'note' }, failed: { actions: 'note' }, go: {} },
    }),
    commands: { hit: command(), go: command({ reply: () => 1 }), hits: query({ reply: ({ context }) => context.hits }) },
  })

  test('G3 does so once, although the commit of its start failed', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [starter, box] })
    world.disk.failCommits('full')
    expect(await now(codeOf(system.actor(starter, 's').ask.hits()))).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(3_000)
    await now(system.actor(starter, 's').ask.hits())
    await world.advance(3_000)
    expect((await now(system.actor(starter, 's').ask.hits())).toSorted(byText)).toEqual(['done', 'hit', 'ring'])
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([7])
  })
})

describe('a journaled actor', () => {
  const logger = defineActor({
    type: 'logger',
    module,
    persist: 'journal',
    idleMs: 50,
    logic: setup({
      types: { context: {} as { readonly hits: number }, events: {} as { readonly type: 'ask' | 'done' | 'failed' } },
      actions: { note: assign({ hits: ({ context }) => context.hits + 1 }) },
    }).createMachine({
      context: { hits: 0 },
      on: {
        ask: {
          actions: [
            'note',
            tell(box, { key: 'told', command: 'put', input: { n: 1 } }),
            request(() => box, { key: 'asked', command: 'put', input: { n: 2 }, onDone: 'done', onError: 'failed', timeoutMs: 60_000 }),
          ],
        },
        done: { actions: 'note' },
        failed: { actions: 'note' },
      },
    }),
    commands: { ask: command(), hits: query({ reply: ({ context }) => context.hits }) },
  })

  test('G3 sends nothing again when its events are replayed, and hears an answer that comes after it', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [logger, box] })
    await now(system.actor(box, 'asked').ask.shut())
    for (let n = 0; n < 3; n += 1) {
      await now(system.actor(logger, 'l').ask.ask())
      await world.advance(1_000)
    }
    world.crashThreads()
    await world.advance(1_000)
    expect(await now(system.actor(logger, 'l').ask.hits())).toBe(3)
    await now(system.actor(box, 'asked').ask.open())
    await world.advance(1_000)
    expect(await now(system.actor(logger, 'l').ask.hits())).toBe(6)
    expect(await now(system.actor(box, 'told').ask.seen())).toEqual([1, 1, 1])
    expect(await now(system.actor(box, 'asked').ask.seen())).toEqual([2, 2, 2])
  })
})

describe('bounds', () => {
  const small = defineActor({ type: 'box', module, logic: boxLogic, commands: boxCommands, mailbox: { capacity: 1_000 } })

  test('G12 10,000 tells of one transition to one actor: what finds no place is a dead letter, and they are counted', async () => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [small, fan], limits: { deadLetters: 100 } })
    await now(system.actor(fan, 'f').ask.fan({ to: 'b', times: 10_000 }))
    await world.advance(1_000)
    expect(await now(system.actor(small, 'b').ask.seen())).toHaveLength(1_000)
    expect(system.stats()).toMatchObject({ deadLetters: 100, deadLettersLost: 8_900 })
  })

  test('a tell to a volatile actor that cannot be made is counted as lost, not as stranded', async () => {
    const { world, now } = makeWorld()
    const quick = defineActor({
      type: 'box',
      module,
      logic: setup({ types: { events: {} as { readonly type: 'put' } } }).createMachine({
        context: () => {
          throw new Error('it cannot be made')
        },
        on: { put: {} },
      }),
      commands: { put: command({ input: z.object({ n: z.number() }) }) },
      volatile: true,
    })
    const system = await world.open({ actors: [quick, fan] })
    await now(system.actor(fan, 'f').ask.fan({ to: 'b', times: 3 }))
    expect(system.stats()).toMatchObject({ stranded: 0, lostTells: 3 })
  })
})

describe('with answers that overtake each other', () => {
  test.each([0, 1])('G9 an old answer of the store silences no alarm (%i slow answers)', async (slowAnswers) => {
    let slow = 0
    const { world, now } = makeWorld({
      wrapStore: (store) =>
        new Proxy(store, {
          get: (target, name: keyof ShardStore) => {
            const value = target[name]
            if (name !== 'nextCommandDueAt') return typeof value === 'function' ? value.bind(target) : value
            return async () => {
              const answer = await target.nextCommandDueAt()
              if (slow > 0) {
                slow -= 1
                for (let left = 15; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve))
              }
              return answer
            }
          },
        }),
    })
    slow = slowAnswers
    const system = await world.open({ actors: [box] })
    await system.actor(box, 'b').tell.put({ n: 1 }, { delayMs: 5_000 })
    await world.advance(60_000)
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([1])
  })
})

test('G3 a directory of three shards is served by one thread, with messages between them', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'review-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const seams: Seams = {
    ...nodeSeams,
    startThread: (plan) =>
      startInlineThread(plan, { ...nodeSeams, random: () => 0.5, turnPlaces: nodeTurnPlaces({ poolThreads: 1 }), children: nodeChildren }),
  }
  const boxes = [0, 1, 2].map((shard) => keyOn('box', shard, 3))
  for (const shards of [3, 1, 2]) {
    const system = await openSystemOn(seams, { directory, shards, actors: [box, fan], synchronous: 'normal' })
    await Promise.all([0, 1, 2].flatMap((from) => boxes.map((to) => system.actor(fan, keyOn('fan', from, 3)).ask.fan({ to, times: 10 }))))
    for (let tries = 0; system.stats().outbox > 0 && tries < 100; tries += 1) await new Promise((resolve) => setTimeout(resolve, 50))
    const sizes = await Promise.all(boxes.map(async (key) => (await system.actor(box, key).ask.seen()).length))
    expect(sizes).toEqual(shards === 3 ? [30, 30, 30] : shards === 1 ? [60, 60, 60] : [90, 90, 90])
    expect(await system.close()).toEqual({ outcome: 'polite', abandonedCalls: 0 })
  }
})

describe('what is misspelt or cannot be combined', () => {
  test.each([
    ['idempotencykey', { idempotencykey: 'k' }],
    ['options', null],
    ['options', 'key'],
    ['idempotencyKey', { naturalKey: 'n', idempotencyKey: 'k' }],
  ])('is refused by name (%s)', async (field, options) => {
    const { world, now } = makeWorld()
    const system = await world.open({ actors: [box] })
    await expect(now(system.actor(box, 'b').tell.put({ n: 1 }, options as never))).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    expect(await now(system.actor(box, 'b').ask.seen())).toEqual([])
  })

  test('is refused by openSystem too', async () => {
    const { world } = makeWorld()
    await expect(world.open({ actors: [box], sharts: 3 } as never)).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field: 'sharts' })
  })

  test('K25 a probe whose answer is none leaves the question open, and the effect is not performed again', async () => {
    const { world, now } = makeWorld()
    let runs = 0
    let probes = 0
    const unsure = defineEffect({
      name: 'unsure',
      module,
      run: async () => {
        runs += 1
        return await new Promise(() => undefined)
      },
      probe: () => {
        probes += 1
        return (probes < 3 ? {} : { done: true, output: 'found' }) as never
      },
      retry: { maxAttempts: 5, backoff: { minMs: 10, maxMs: 10, jitter: 0 } },
    })
    const wanting = defineActor({
      type: 'wanting',
      module,
      logic: setup({
        types: {
          context: {} as { readonly got: unknown },
          events: {} as { readonly type: 'want' } | { readonly type: 'unsure.done'; readonly output: unknown },
        },
      }).createMachine({
        context: { got: null },
        on: { want: { actions: effect(unsure, null) }, 'unsure.done': { actions: assign({ got: ({ event }) => event.output }) } },
      }),
      commands: { want: command(), got: query({ reply: ({ context }) => context.got }) },
    })
    const parts = { actors: [wanting], effects: [unsure] }
    await now((await world.open(parts)).actor(wanting, 'w').ask.want())
    await world.advance(0)
    world.crash()
    const system = await world.open(parts)
    await world.advance(1_000)
    expect(await now(system.actor(wanting, 'w').ask.got())).toBe('found')
    expect({ runs, probes }).toEqual({ runs: 1, probes: 3 })
  })
})

test('G9 commands for later are not held up by more of them than are read at a time, all of them postponed', async () => {
  const { world, now } = makeWorld()
  const system = await world.open({ actors: [box] })
  await now(system.actor(box, 'shut').ask.shut())
  const waiting = system.actor(box, 'shut')
  await now(Promise.all(Array.from({ length: 1_500 }, (_none, n) => waiting.tell.put({ n }, { delayMs: 1_000 }))))
  await now(system.actor(box, 'other').tell.put({ n: 1 }, { delayMs: 2_000 }))
  await world.advance(10_000)
  expect(await now(system.actor(box, 'other').ask.seen())).toEqual([1])
  await now(waiting.ask.open())
  expect(await now(waiting.ask.seen())).toEqual(Array.from({ length: 1_500 }, (_none, n) => n))
})
