/** The life of a turn from its acceptance to its end: who starts, who is restarted after what, what ends a turn that does not end, and what closing does to it. */
import { ProcessLost } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import type { Child, ChildEvents, Children } from '@bailiwick/kernel/seams'
import { laterStore } from '@bailiwick/testkit'
import type { TestWorld } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../code-of.ts'
import { follow } from '../delivery.ts'
import { depot, repo, rest, setUp, stage, turnOf, typesOf } from './scripted.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

describe('ranks of tasks', () => {
  test.each([
    ['ci', 'thread'],
    ['thread', 'spec'],
    ['ci', 'spec'],
  ] as const)('K16 a new %s task sends a running %s task back to its place, to start again later', async (higher, lower) => {
    const { open, world } = setUp()
    const ref = (await open()).actor(depot, 'a')
    const first = follow(ref.ask[lower]({ text: 'first' }))
    const second = follow(ref.ask[lower]({ text: 'second' }))
    await world.advance(0)
    stage.last(lower).step = 3
    const urgent = follow(ref.ask[higher]({ text: 'urgent' }))
    await world.advance(0)
    expect(stage.stretches[0]?.interruption).toMatchObject({ mode: 'abort-keep', by: { command: higher } })
    expect(stage.last().command).toBe(higher)
    const aborted = (await ref.turns()).find((view) => view.turn === stage.stretches[0]?.context.turn)
    expect(aborted).toMatchObject({ state: 'pending', command: lower })
    stage.last(higher).finish()
    await world.advance(0)
    const again = stage.last(lower)
    expect(again.context).toMatchObject({ input: { text: 'first' }, attempt: 2, frame: undefined, turn: stage.stretches[0]?.context.turn })
    again.finish()
    await world.advance(0)
    stage.last(lower).finish()
    await world.advance(0)
    expect([first(), second(), urgent()]).toEqual([
      { outcome: 'ok', value: 'first is done' },
      { outcome: 'ok', value: 'second is done' },
      { outcome: 'ok', value: 'urgent is done' },
    ])
    expect(stage.log.filter((line) => line.endsWith('begins'))).toEqual([
      `${lower} first begins`,
      `${higher} urgent begins`,
      `${lower} first begins`,
      `${lower} second begins`,
    ])
  })

  test.each(['ci', 'thread', 'spec'] as const)(
    'K17 a task that no state takes neither preempts a running %s task nor is picked',
    async (name) => {
      const { open, world } = setUp()
      const system = await open()
      const ref = system.actor(depot, 'a')
      const running = follow(ref.ask[name]({ text: 'x' }))
      await world.advance(0)
      // One that would be lower, and one that would be the highest and would preempt.
      expect(await codeOf(ref.ask.defer({}))).toBe('COMMAND_REJECTED')
      expect(await codeOf(ref.ask.question({}))).toBe('COMMAND_REJECTED')
      await ref.tell.question({})
      await world.advance(MINUTE_MS)
      expect(stage.stretches).toHaveLength(1)
      expect(stage.last().interruption).toBeUndefined()
      expect(system.stats().turns).toMatchObject({ running: 1, preemptions: 0 })
      expect((await ref.turns()).filter((view) => view.state !== 'ended')).toHaveLength(1)
      stage.last().finish()
      await world.advance(DAY_MS)
      expect(running()).toMatchObject({ outcome: 'ok' })
      expect(stage.count('defer') + stage.count('question')).toBe(0)
      expect(await system.deadLetters.list()).toMatchObject([{ command: 'question', reason: 'rejected' }])
    },
  )
})

describe('a cancel at an awkward moment', () => {
  /** A turn that would take a second, interrupted so many rounds of the event loop after it was asked for. */
  async function race(rounds: number, mode: 'steal' | 'abort-keep' | 'abort-drop'): Promise<void> {
    const { open, world } = setUp({ wrapStore: (store) => laterStore(store, () => 2) })
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['work'] = async (context) => {
      await rest(world, 1_000, context.signal)
      if (context.interrupted()) return undefined
      stage.log.push('work came to its end')
      return 'done'
    }
    const work = follow(ref.ask.work({ text: 'x' }))
    for (let round = 0; round < rounds; round += 1) await new Promise((resolve) => setImmediate(resolve))
    const urge = follow(ref.ask.urge({ text: 'u' }, { preempt: mode }))
    // No time passes, so a work that has not been interrupted would still hold the actor.
    await world.advance(0)
    await world.advance(0)
    expect(stage.log, `after ${rounds} rounds`).toContain('urge u begins')
    expect(stage.log, `after ${rounds} rounds`).not.toContain('work came to its end')
    const begun = stage.count('work')
    stage.last('urge').finish()
    await world.advance(10_000)
    expect(urge()).toMatchObject({ outcome: 'ok' })
    if (mode === 'abort-drop' && begun > 0) {
      expect(work(), `after ${rounds} rounds`).toMatchObject({ outcome: 'cancelled', mode })
      expect(stage.count('work')).toBe(begun)
    } else {
      expect(work()).toEqual({ outcome: 'ok', value: 'done' })
      expect(stage.log.filter((line) => line === 'work came to its end')).toHaveLength(1)
    }
  }

  test.each(['steal', 'abort-keep', 'abort-drop'] as const)(
    'K18 takes effect between pick and start as well: %s',
    { timeout: 60_000 },
    async (mode) => {
      for (let rounds = 0; rounds <= 30; rounds += 1) await race(rounds, mode)
    },
  )

  test('K18 a turn that is dropped by its number while it waits never starts', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const first = follow(ref.ask.work({ text: 'first' }))
    const second = follow(ref.ask.work({ text: 'second' }))
    await world.advance(0)
    const waiting = (await ref.turns()).find((view) => view.state === 'pending')
    expect(await ref.cancelTurn(waiting?.turn ?? 0, { reason: 'not wanted any more' })).toEqual({ outcome: 'accepted' })
    await world.advance(0)
    expect(second()).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'not wanted any more' } })
    expect(first()).toBe('pending')
    stage.last().finish()
    await world.advance(HOUR_MS)
    expect(first()).toMatchObject({ outcome: 'ok' })
    expect(stage.count('work')).toBe(1)
  })

  test('K19 the first stretch of whoever preempts is not hit by its own cancel', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    stage.scripts['urge'] = async (context) => {
      expect(context.interrupted()).toBe(false)
      await rest(world, 10 * MINUTE_MS, context.signal)
      return context.interrupted() ? undefined : 'answered'
    }
    const urge = follow(ref.ask.urge({ text: 'u' }))
    await world.advance(0)
    expect(stage.last().context.signal.aborted).toBe(false)
    await world.advance(10 * MINUTE_MS)
    expect(urge()).toEqual({ outcome: 'ok', value: 'answered' })
    expect(stage.count('urge')).toBe(1)
    // Nor is the one that resumes afterwards.
    expect(stage.last()).toMatchObject({ command: 'work', isOver: false, interruption: undefined })
  })
})

describe('a process that is lost', () => {
  test('K20 after a cancel: a dropped turn is not tried again, and its caller sees cancelled', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    const urge = follow(ref.ask.urge({}, { preempt: 'abort-drop' }))
    await world.advance(100)
    expect(stage.last().interruption).toMatchObject({ mode: 'abort-drop' })
    stage.last().fail(new ProcessLost('the provider', 'it crashed'))
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { command: 'urge' } })
    stage.last('urge').finish()
    await world.advance(HOUR_MS)
    expect(urge()).toMatchObject({ outcome: 'ok' })
    expect(stage.count('work')).toBe(1)
  })

  test.each(['steal', 'abort-keep'] as const)(
    'K20 after a cancel: %s ends the stretch as cancelled, is not repeated before its turn, and counts as no failure',
    async (mode) => {
      const { open, world } = setUp()
      const ref = (await open()).actor(repo, 'a')
      stage.scripts['work'] = async (_context, stretch) => await stretch.held()
      const work = follow(ref.ask.work({}))
      // More often than it would be tried after failures.
      for (let time = 0; time < 4; time += 1) {
        await world.advance(0)
        expect(stage.count('work')).toBe(time + 1)
        void codeOf(ref.ask.urge({}, { preempt: mode }))
        await world.advance(100)
        stage.last('work').fail(new ProcessLost('the provider', 'it crashed'))
        await world.advance(100)
        expect(stage.last().command).toBe('urge')
        const view = turnOf(await ref.turns(), 'work')
        expect(view.history.at(-1)).toMatchObject({ outcome: 'cancelled', mode })
        stage.last('urge').finish()
      }
      await world.advance(0)
      stage.last('work').finish('after all')
      await world.advance(0)
      expect(work()).toEqual({ outcome: 'ok', value: 'after all' })
    },
  )

  test('K20 the thread dies after a cancel: a dropped turn is not tried again', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    await ref.tell.work({}, { idempotencyKey: 'w' })
    await world.advance(0)
    await ref.cancelTurn(stage.last().context.turn, { reason: 'closed' })
    world.crashThreads()
    await world.advance(MINUTE_MS)
    expect(await ref.ask.work({}, { idempotencyKey: 'w' })).toMatchObject({
      outcome: 'cancelled',
      mode: 'abort-drop',
      by: { reason: 'closed' },
    })
    expect(stage.count('work')).toBe(1)
  })

  test('K21 without a cancel: one transparent retry from the beginning, and the outcome is normal', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    stage.last().fail(new ProcessLost('the provider', 'it crashed'))
    await world.advance(MINUTE_MS)
    expect(work()).toBe('pending')
    expect(stage.count('work')).toBe(2)
    expect(stage.last().context.attempt).toBe(2)
    expect(stage.last().context.epoch).toBeGreaterThan(stage.stretches[0]?.context.epoch ?? 0)
    stage.last().finish('normal')
    await world.advance(0)
    expect(work()).toEqual({ outcome: 'ok', value: 'normal' })
    expect(typesOf(await ref.snapshot()).filter((type) => type.endsWith('.failed'))).toEqual([])
  })

  test('K21 the second loss is the end: failed, with the error', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    for (let time = 0; time < 2; time += 1) {
      await world.advance(MINUTE_MS)
      stage.last().fail(new ProcessLost('the provider', 'it crashed'))
    }
    await world.advance(HOUR_MS)
    expect(work()).toMatchObject({ outcome: 'failed', error: { code: 'PROCESS_LOST', what: 'the provider' } })
    expect(stage.count('work')).toBe(2)
    expect(typesOf(await ref.snapshot()).at(-1)).toBe('work.failed')
  })
})

describe('a store that cannot be written', () => {
  test('K24 the sender of an urgent command gets the error, no signal fires, nothing is in memory, and all goes on', async () => {
    const { faults, open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    const work = follow(ref.ask.work({ text: 'x' }))
    await world.advance(0)
    const before = await ref.turns()
    faults.isFull = true
    expect(await codeOf(ref.ask.urge({ text: 'lost' }))).toBe('STORE_UNAVAILABLE')
    await world.clock.settle()
    expect(stage.last().interruption).toBeUndefined()
    expect(stage.log).toEqual(['work x begins'])
    faults.isFull = false
    await world.advance(MINUTE_MS)
    expect(stage.last().interruption).toBeUndefined()
    expect(stage.log).toEqual(['work x begins'])
    expect(await ref.turns()).toMatchObject(before.map(({ turn, state, epoch, attempt }) => ({ turn, state, epoch, attempt })))
    expect(system.stats().turns.running).toBe(1)
    // The same command, sent again, does what it should.
    const urge = follow(ref.ask.urge({ text: 'again' }))
    await world.advance(0)
    expect(stage.last().command).toBe('urge')
    stage.last().finish()
    await world.advance(0)
    stage.last('work').finish()
    await world.advance(0)
    expect(urge()).toEqual({ outcome: 'ok', value: 'again is done' })
    expect(work()).toEqual({ outcome: 'ok', value: 'x is done' })
    expect(stage.log.filter((line) => line.includes('lost'))).toEqual([])
  })

  test('K24 an intent that could not be stored is not counted', async () => {
    const { faults, open, world } = setUp()
    const system = await open()
    void codeOf(system.actor(repo, 'a').ask.work({}))
    await world.advance(0)
    faults.isFull = true
    expect(await codeOf(system.actor(repo, 'a').ask.urge({}))).toBe('STORE_UNAVAILABLE')
    faults.isFull = false
    await world.advance(MINUTE_MS)
    expect(system.stats().turns.preemptions).toBe(0)
  })

  test('K24 a turn that cannot be stored never runs, asked or told', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.ask.note({ text: 'awake' })
    faults.isFull = true
    const calls = [follow(ref.ask.work({})), follow(ref.tell.work({}))]
    await world.advance(1_000)
    expect(calls.map((seen) => seen())).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'])
    faults.isFull = false
    await world.advance(HOUR_MS)
    expect(stage.stretches).toEqual([])
    expect(await ref.turns()).toEqual([])
  })

  test('K24 a cancel that cannot be stored interrupts nothing', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    faults.isFull = true
    expect(await codeOf(ref.cancelTurn(stage.last().context.turn))).toBe('STORE_UNAVAILABLE')
    expect(stage.last().interruption).toBeUndefined()
    faults.isFull = false
    await world.advance(MINUTE_MS)
    expect(stage.last().interruption).toBeUndefined()
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
    expect(stage.count('work')).toBe(1)
  })

  test('G1 a turn that ends while nothing can be written is answered once it can, and not before', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}, { idempotencyKey: 'w' }))
    await world.advance(0)
    faults.isFull = true
    stage.last().finish('final')
    await world.advance(100)
    expect(['pending', 'STORE_UNAVAILABLE']).toContain(work())
    faults.isFull = false
    await world.advance(MINUTE_MS)
    // It may have had to start again; then it ends now.
    if (!stage.last().isOver) stage.last().finish('final')
    await world.advance(MINUTE_MS)
    expect(await ref.ask.work({}, { idempotencyKey: 'w', timeoutMs: 1_000 })).toEqual({ outcome: 'ok', value: 'final' })
    expect(typesOf(await ref.snapshot()).filter((type) => type === 'work.done')).toHaveLength(1)
  })

  test('G7 a checkpoint while nothing can be written is not acknowledged, and the turn goes on afterwards', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    await stage.last().context.checkpoint({ step: 1 })
    faults.isFull = true
    const checkpoint = follow(stage.last().context.checkpoint({ step: 2 }))
    await world.advance(100)
    expect(['pending', 'STORE_UNAVAILABLE']).toContain(checkpoint())
    faults.isFull = false
    await world.advance(MINUTE_MS)
    expect([undefined, 'STORE_UNAVAILABLE']).toContain(checkpoint())
    await stage.last().context.checkpoint({ step: 3 })
    expect(turnOf(await ref.turns(), 'work').frame).toEqual({ step: 3 })
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
  })
})

describe('owners', () => {
  test('K26 a second system on the same disk is refused while the first has it, and the turn of the first goes on', async () => {
    const { open, world } = setUp()
    const first = await open()
    const work = follow(first.actor(repo, 'a').ask.work({}))
    await world.advance(0)
    expect(await codeOf(open())).toBe('DIRECTORY_IN_USE')
    expect(stage.stretches).toHaveLength(1)
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
  })

  test('K26 two that open at once after a crash: one gets it, and only one runs the turn', async () => {
    const { open, world } = setUp()
    await (await open()).actor(repo, 'a').tell.work({})
    await world.advance(0)
    world.crash()
    const opened = await Promise.all([codeOf(open()), codeOf(open())])
    expect(opened.filter((system) => system === 'DIRECTORY_IN_USE')).toHaveLength(1)
    await world.advance(MINUTE_MS)
    expect(stage.count('work')).toBe(2)
    expect(stage.last().context.epoch).toBeGreaterThan(stage.stretches[0]?.context.epoch ?? 0)
  })
})

describe('a thread that dies', () => {
  test('K27 a turn with a frame resumes from it: the same row and attempt, a new epoch', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: 'x' }, { idempotencyKey: 'w' })
    await world.advance(0)
    await stage.last().context.checkpoint({ step: 2 })
    world.crashThreads()
    await world.advance(MINUTE_MS)
    const [first, second] = stage.stretches
    expect(stage.stretches).toHaveLength(2)
    expect(second?.context).toMatchObject({ turn: first?.context.turn, attempt: 1, frame: { step: 2 }, input: { text: 'x' } })
    expect(second?.context.epoch).toBeGreaterThan(first?.context.epoch ?? 0)
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ turn: first?.context.turn, state: 'running', attempt: 1 })
    second?.finish()
    await world.advance(0)
    expect(await ref.ask.work({ text: 'x' }, { idempotencyKey: 'w' })).toEqual({ outcome: 'ok', value: 'x is done' })
    expect(await ref.turns()).toHaveLength(1)
    expect(typesOf(await ref.snapshot())).toEqual(['work.started', 'work.parked', 'work.resumed', 'work.done'])
  })

  test('K27 a turn without a frame starts again: the same row, the next attempt', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: 'x' })
    await world.advance(0)
    world.crashThreads()
    await world.advance(MINUTE_MS)
    const [first, second] = stage.stretches
    expect(stage.stretches).toHaveLength(2)
    expect(second?.context).toMatchObject({ turn: first?.context.turn, attempt: 2, frame: undefined, input: { text: 'x' } })
    expect(await ref.turns()).toHaveLength(1)
  })

  test('K27 whoever asked gets the outcome from the new thread, or one clear error', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    world.crashThreads()
    await world.advance(MINUTE_MS)
    stage.last().finish('after all')
    await world.advance(MINUTE_MS)
    expect([{ outcome: 'ok', value: 'after all' }, 'SHARD_CRASHED']).toContainEqual(work())
  })

  test('K27 what the old run still does has no effect: its checkpoint is refused, its result is not taken', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: 'x' }, { idempotencyKey: 'w' })
    await world.advance(0)
    const [old] = stage.stretches
    world.crashThreads()
    await world.advance(MINUTE_MS)
    const late = follow(old?.context.checkpoint({ step: 7 }) ?? Promise.resolve())
    old?.finish('of the dead')
    await world.advance(MINUTE_MS)
    expect(['pending', 'STALE_EPOCH', 'SHARD_CRASHED', 'SYSTEM_CLOSED']).toContain(late())
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ state: 'running' })
    expect(turnOf(await ref.turns(), 'work').frame).toBeUndefined()
    stage.last().finish('of the living')
    await world.advance(0)
    expect(await ref.ask.work({ text: 'x' }, { idempotencyKey: 'w' })).toEqual({ outcome: 'ok', value: 'of the living' })
  })

  test('K27 parked and waiting turns keep their rows, their frames and their order', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: '1' })
    await ref.tell.work({ text: '2' })
    await world.advance(0)
    stage.last().step = 5
    await ref.tell.urge({ text: 'u' })
    await ref.tell.urge({ text: 'v' })
    await world.advance(0)
    const before = await ref.turns()
    world.crashThreads()
    await world.advance(MINUTE_MS)
    expect((await ref.turns()).map(({ turn, command }) => ({ turn, command }))).toEqual(
      before.map(({ turn, command }) => ({ turn, command })),
    )
    for (const expected of ['urge u', 'urge v', 'work 1', 'work 2']) {
      const { command, context } = stage.last()
      expect(`${command} ${context.input.text}`).toBe(expected)
      if (expected === 'work 1') expect(context).toMatchObject({ frame: { step: 5 }, attempt: 1 })
      stage.last().finish()
      await world.advance(0)
    }
    expect((await ref.turns()).map(({ outcome }) => outcome?.outcome)).toEqual(['ok', 'ok', 'ok', 'ok'])
  })

  test('G11 the turns of another shard do not notice', async () => {
    const { open, world } = setUp({ shards: 3 })
    const system = await open()
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const key of keys) await system.actor(repo, key).tell.work({ text: key })
    await world.advance(0)
    expect(stage.stretches).toHaveLength(keys.length)
    world.crashThreadOf(1)
    await world.advance(MINUTE_MS)
    const repeated = stage.stretches.slice(keys.length).map(({ context }) => context.input.text)
    expect(repeated.length).toBeLessThan(keys.length)
    for (const key of keys) stage.stretches.findLast(({ context }) => context.input.text === key)?.finish(key)
    await world.advance(0)
    for (const key of keys) {
      const [view] = await system.actor(repo, key).turns()
      expect(view).toMatchObject({ state: 'ended', outcome: { outcome: 'ok', value: key }, attempt: repeated.includes(key) ? 2 : 1 })
    }
  })
})

describe('a silent turn', () => {
  test('K28 is flagged and goes on; nobody restarts it', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(600_000)
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ isSilent: false, silentMs: 600_000 })
    await world.advance(1)
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ isSilent: true, silentMs: 600_001, state: 'running' })
    await world.advance(40 * MINUTE_MS)
    expect(stage.stretches).toHaveLength(1)
    expect(stage.last().interruption).toBeUndefined()
    expect(system.stats().turns.forced).toBe(0)
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
    const ended = turnOf(await ref.turns(), 'work')
    expect(ended.isSilent).toBe(false)
    expect(ended.silentMs).toBeUndefined()
  })

  test('K28 a checkpoint or progress is a sign of life', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.brief({}, { onProgress: () => undefined }))
    await world.advance(30_001)
    expect(turnOf(await ref.turns(), 'brief').isSilent).toBe(true)
    stage.last().context.progress('still here')
    await world.advance(10_000)
    expect(turnOf(await ref.turns(), 'brief')).toMatchObject({ isSilent: false, silentMs: 10_000 })
    await stage.last().context.checkpoint({ step: 1 })
    expect(turnOf(await ref.turns(), 'brief')).toMatchObject({ isSilent: false, silentMs: 0 })
  })
})

/** Child processes that do what a test says. */
class FakeChildren implements Children {
  readonly started: FakeChild[] = []

  start(_spec: unknown, events: ChildEvents): Promise<Child> {
    const child = new FakeChild(1_000 + this.started.length, events)
    this.started.push(child)
    return Promise.resolve(child)
  }

  endRemains(): Promise<number> {
    return Promise.resolve(0)
  }

  get last(): FakeChild {
    const child = this.started.at(-1)
    if (child === undefined) throw new Error('no process was started')
    return child
  }
}

class FakeChild implements Child {
  readonly pid: number
  readonly identity = undefined
  readonly written: string[] = []
  readonly signals: string[] = []
  isAlive = true
  readonly #events: ChildEvents

  constructor(pid: number, events: ChildEvents) {
    this.pid = pid
    this.#events = events
  }

  write(text: string): Promise<void> {
    this.written.push(text)
    return Promise.resolve()
  }

  end(): void {
    // Its standard input may be closed at any time; it goes on.
  }

  post(): void {
    // It has no channel.
  }

  print(text: string): void {
    this.#events.onOutput('stdout', Buffer.from(`${text}\n`))
  }

  signalGroup(signal: 'SIGTERM' | 'SIGKILL'): boolean {
    if (!this.isAlive) return false
    this.signals.push(signal)
    this.isAlive = false
    queueMicrotask(() => this.#events.onExit(null, signal))
    return true
  }

  isGroupAlive(): boolean {
    return this.isAlive
  }
}

describe('the no-reply watchdog of session processes', () => {
  const spec = { command: 'provider', noReplyMs: HOUR_MS, idleMs: 10 * DAY_MS }

  async function converse(): Promise<{ readonly world: TestWorld; readonly system: System; readonly children: FakeChildren }> {
    const children = new FakeChildren()
    const { open, world } = setUp({ children })
    return { world, system: await open(), children }
  }

  test('K29 idle for an hour, in a turn that has sent nothing or has got its answer: nothing happens', async () => {
    const { world, system, children } = await converse()
    const ref = system.actor(repo, 'a')
    stage.scripts['work'] = async (context, stretch) => {
      await context.process.session('provider', spec)
      return await stretch.cooperate()
    }
    stage.scripts['urge'] = async (context, stretch) => {
      const session = await context.process.session('provider', spec)
      await session.send({ prompt: 'x' })
      return await stretch.cooperate()
    }
    const work = follow(ref.ask.work({}))
    await world.advance(59 * MINUTE_MS)
    expect(children.last.signals).toEqual([])
    stage.last().finish()
    await world.advance(2 * HOUR_MS)
    expect(children.last.signals).toEqual([])
    const urge = follow(ref.ask.urge({}))
    await world.advance(MINUTE_MS)
    children.last.print('an answer')
    await world.advance(58 * MINUTE_MS)
    stage.last().finish()
    await world.advance(2 * HOUR_MS)
    expect([work(), urge()]).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
    expect(children.started).toHaveLength(1)
    expect(children.last.signals).toEqual([])
  })

  test('K29 streaming for two hours: nothing happens', async () => {
    const { world, system, children } = await converse()
    const ref = system.actor(repo, 'a')
    let exited = false
    stage.scripts['work'] = async (context, stretch) => {
      const session = await context.process.session('provider', spec)
      void session.exited.then(() => (exited = true))
      if (context.attempt === 1 && context.frame === undefined) await session.send({ prompt: 'x' })
      return await stretch.cooperate()
    }
    await ref.tell.work({})
    // A stretch of a turn has an hour; the stream goes on over several stretches of several turns.
    for (let part = 0; part < 8; part += 1) {
      for (let minute = 0; minute < 15; minute += 1) {
        await world.advance(MINUTE_MS)
        children.last.print('…')
      }
      await world.advance(0)
      stage.last('work').step = part + 1
      await ref.tell.urge({})
      await world.advance(0)
      stage.last('urge').finish()
      await world.advance(0)
    }
    expect(exited).toBe(false)
    expect(children.started).toHaveLength(1)
    expect(children.last.signals).toEqual([])
  })

  test('K29 sent something and silent for longer than its threshold: it is ended, and whoever holds it sees that', async () => {
    const { world, system, children } = await converse()
    const ref = system.actor(repo, 'a')
    const silent = { ...spec, noReplyMs: 10 * MINUTE_MS }
    stage.scripts['work'] = async (context, stretch) => {
      const session = await context.process.session('provider', silent)
      if (context.attempt === 1) await session.send({ prompt: 'x' })
      const exited = session.exited.then(({ reason }) => {
        throw new ProcessLost('the provider', reason)
      })
      return await Promise.race([stretch.cooperate(), exited])
    }
    const work = follow(ref.ask.work({}))
    await world.advance(10 * MINUTE_MS - 1_000)
    expect(children.last.signals).toEqual([])
    await world.advance(2_000)
    expect(children.started[0]?.signals).toEqual(['SIGTERM'])
    // One transparent retry, on a process that is new.
    await world.advance(MINUTE_MS)
    expect(stage.count('work')).toBe(2)
    expect(children.started).toHaveLength(2)
    stage.last().finish('after all')
    await world.advance(0)
    expect(work()).toEqual({ outcome: 'ok', value: 'after all' })
  })

  test('K29 what an evicted holder still does with the process or its result has no effect', async () => {
    const { world, system, children } = await converse()
    const ref = system.actor(repo, 'a')
    let late: (() => Promise<void>) | undefined
    stage.scripts['work'] = async (context, stretch) => {
      const session = await context.process.session('provider', spec)
      late = async () => await session.send({ prompt: 'late' })
      return await stretch.held()
    }
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    const [evicted] = stage.stretches
    await ref.tell.urge({})
    await world.advance(6_000)
    expect(stage.last().command).toBe('urge')
    expect(children.started[0]?.isAlive).toBe(false)
    expect(system.stats().turns.forced).toBe(1)
    const before = JSON.stringify([await ref.turns(), await ref.snapshot()])
    expect(await codeOf(late?.() ?? Promise.resolve())).toBe('STALE_EPOCH')
    expect(await codeOf(evicted?.context.checkpoint({ step: 9 }) ?? Promise.resolve())).toBe('STALE_EPOCH')
    evicted?.finish('too late')
    await world.advance(0)
    expect(JSON.stringify([await ref.turns(), await ref.snapshot()])).toBe(before)
    expect(children.started[0]?.written.join('')).not.toContain('late')
    expect((await ref.lateResults()).map(({ what }) => what).toSorted()).toEqual(['checkpoint', 'result'])
    expect(work()).toBe('pending')
    stage.last().finish()
    await world.advance(0)
    stage.last('work').finish('at last')
    await world.advance(0)
    expect(work()).toEqual({ outcome: 'ok', value: 'at last' })
  })

  test('K29 a session without a turn for longer than its idleMs is ended, and the next turn starts a new one', async () => {
    const { world, system, children } = await converse()
    const ref = system.actor(repo, 'a')
    const fresh: boolean[] = []
    stage.scripts['work'] = async (context, stretch) => {
      const session = await context.process.session('provider', { command: 'provider' })
      fresh.push(session.isFresh)
      return await stretch.cooperate()
    }
    await ref.tell.work({})
    await world.advance(20 * MINUTE_MS)
    expect(children.last.isAlive).toBe(true)
    stage.last().finish()
    await world.advance(4 * MINUTE_MS)
    await ref.tell.work({})
    await world.advance(0)
    stage.last().finish()
    await world.advance(6 * MINUTE_MS)
    expect(children.last.isAlive).toBe(false)
    await ref.tell.work({})
    await world.advance(0)
    expect(fresh).toEqual([true, false, true])
  })
})

describe('a handler that never ends', () => {
  test.each([
    ['heeds its signal', true],
    ['ignores its signal', false],
  ])('K30 is ended by its deadline if it %s, somebody hears of it, and the worker goes on', async (_how, isCooperative) => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    const work = follow(ref.ask.work({ text: 'x' }))
    await world.advance(0)
    stage.last().step = 4
    stage.scripts['brief'] = async (_context, stretch) => await (isCooperative ? stretch.cooperate() : stretch.held())
    const handler = follow(ref.ask.brief({}, { priority: 'urgent', preempt: 'steal' }))
    await world.advance(0)
    expect(stage.last().command).toBe('brief')
    await world.advance(60_000)
    expect(stage.last('brief').interruption).toMatchObject({ mode: 'timed-out' })
    await world.advance(isCooperative ? 0 : 5_000)
    expect(handler()).toMatchObject({ outcome: 'timed-out', error: { code: 'TURN_TIMEOUT', command: 'brief', timeoutMs: 60_000 } })
    expect(stage.last()).toMatchObject({ command: 'work', isOver: false })
    expect(stage.last().context.frame).toEqual({ step: 4 })
    stage.last().finish()
    await world.advance(0)
    expect(work()).toEqual({ outcome: 'ok', value: 'x is done' })
    expect(system.stats().turns.forced).toBe(isCooperative ? 0 : 1)
    expect(stage.count('brief')).toBe(1)
    expect(world.reported.map(String).join('\n')).toContain('brief')
  })

  test('K30 a cancelled handler that ignores its signal is ended after its drain deadline', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    stage.scripts['urge'] = async (_context, stretch) => await stretch.held()
    const handler = follow(ref.ask.urge({}))
    await world.advance(0)
    await ref.cancelTurn(stage.last().context.turn, { reason: 'stuck' })
    const work = follow(ref.ask.work({}))
    await world.advance(4_999)
    expect([handler(), stage.count('work')]).toEqual(['pending', 0])
    await world.advance(2)
    expect(handler()).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'stuck' } })
    expect(stage.count('work')).toBe(1)
    expect(system.stats().turns.forced).toBe(1)
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
  })
})

describe('closing', () => {
  test('G13 parks a running turn, which resumes from its frame when the system is opened again', async () => {
    const { open, world } = setUp()
    const first = await open()
    const work = follow(first.actor(repo, 'a').ask.work({ text: 'x' }, { idempotencyKey: 'w' }))
    await world.advance(0)
    stage.last().step = 3
    const closing = first.close()
    await world.advance(10_000)
    expect(await closing).toMatchObject({ outcome: 'polite' })
    expect(work()).toBe('SYSTEM_CLOSED')
    expect(stage.last().isOver).toBe(true)
    const ref = (await open()).actor(repo, 'a')
    await world.advance(MINUTE_MS)
    expect(stage.count('work')).toBe(2)
    expect(stage.last().context).toMatchObject({ frame: { step: 3 }, attempt: 1, input: { text: 'x' } })
    stage.last().finish()
    await world.advance(0)
    expect(await ref.ask.work({ text: 'x' }, { idempotencyKey: 'w' })).toEqual({ outcome: 'ok', value: 'x is done' })
  })

  test('G13 a turn without a frame, and those that wait, start when the system is opened again, in their order', async () => {
    const { open, world } = setUp()
    const first = await open()
    for (const text of ['1', '2', '3']) await first.actor(repo, 'a').tell.work({ text })
    await world.advance(0)
    const closing = first.close()
    await world.advance(10_000)
    await closing
    expect(stage.stretches).toHaveLength(1)
    const ref = (await open()).actor(repo, 'a')
    await world.advance(MINUTE_MS)
    for (const text of ['1', '2', '3']) {
      expect(stage.last().context.input.text).toBe(text)
      stage.last().finish()
      await world.advance(0)
    }
    expect((await ref.turns()).map(({ outcome }) => outcome?.outcome)).toEqual(['ok', 'ok', 'ok'])
  })

  test('G13 returns within its deadline, also with a turn that ignores its signal, which goes on when it is opened again', async () => {
    const { open, world } = setUp()
    const first = await open()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    await first.actor(repo, 'a').tell.work({ text: 'x' })
    await world.advance(0)
    await stage.last().context.checkpoint({ step: 6 })
    const closing = follow(first.close({ timeoutMs: 60_000 }))
    await world.advance(61_000)
    expect(closing()).not.toBe('pending')
    const ref = (await open()).actor(repo, 'a')
    await world.advance(MINUTE_MS)
    expect(stage.count('work')).toBe(2)
    expect(stage.last().context).toMatchObject({ frame: { step: 6 }, attempt: 1 })
    stage.stretches[0]?.finish('of the one before')
    await world.advance(0)
    expect(turnOf(await ref.turns(), 'work').state).toBe('running')
    stage.last().finish('of this one')
    await world.advance(0)
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ outcome: { outcome: 'ok', value: 'of this one' } })
  })

  test('G13 returns at once with a deadline of nothing, and nothing of the turn is lost', async () => {
    const { open, world } = setUp()
    const first = await open()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    await first.actor(repo, 'a').tell.work({ text: 'x' })
    await world.advance(0)
    const closing = follow(first.close({ timeoutMs: 0 }))
    await world.advance(1)
    expect(closing()).not.toBe('pending')
    const ref = (await open()).actor(repo, 'a')
    await world.advance(MINUTE_MS)
    expect(stage.count('work')).toBe(2)
    expect(await ref.turns()).toHaveLength(1)
  })

  test('G13 a turn that comes to its end while the system closes is done, and stays done', async () => {
    const { open, world } = setUp()
    const first = await open()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    const work = follow(first.actor(repo, 'a').ask.work({}, { idempotencyKey: 'w' }))
    await world.advance(0)
    const closing = first.close()
    await world.advance(100)
    expect(stage.last().context.signal.aborted).toBe(true)
    stage.last().finish('in time')
    await world.advance(10_000)
    await closing
    const ref = (await open()).actor(repo, 'a')
    await world.advance(MINUTE_MS)
    // A result that comes after the signal is that of a parked turn, or of one that is done; never of both.
    const view = turnOf(await ref.turns(), 'work')
    if (view.state === 'ended') expect(stage.count('work')).toBe(1)
    else stage.last().finish('in time')
    await world.advance(0)
    expect(await ref.ask.work({}, { idempotencyKey: 'w' })).toEqual({ outcome: 'ok', value: 'in time' })
    expect([{ outcome: 'ok', value: 'in time' }, 'SYSTEM_CLOSED']).toContainEqual(work())
    expect(typesOf(await ref.snapshot()).filter((type) => type === 'work.done')).toHaveLength(1)
  })
})

describe('a world that is gone', () => {
  test('K22 a process that has died answers nothing more to its turns', async () => {
    const { open, reopen, world } = setUp()
    await (await open()).actor(repo, 'a').tell.work({ text: 'x' })
    await world.advance(0)
    const [old] = stage.stretches
    const ref = (await reopen()).actor(repo, 'a')
    await world.advance(0)
    const late = follow(old?.context.checkpoint({ step: 1 }) ?? Promise.resolve())
    old?.finish('of the dead')
    await world.advance(MINUTE_MS)
    expect(late()).not.toBeUndefined()
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ state: 'running', attempt: 2 })
    expect(stage.count('work')).toBe(2)
  })
})
