/**
 * What a careful reader of the code suspected of turns and leases: commits that fail while news of turns are on their way,
 * closing at an awkward moment, and fences that are looked at once and not again.
 */
import { cancelTurn, command, defineActor, defineEffect, effect, query, turn } from '@bailiwick/kernel'
import type { ReplyArguments, System } from '@bailiwick/kernel'
import { StoreUnavailable } from '@bailiwick/store'
import type { ShardStore } from '@bailiwick/store'
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { assign, enqueueActions, setup } from 'xstate'
import type { SnapshotFrom } from 'xstate'
import { codeOf } from '../code-of.ts'
import { follow } from '../delivery.ts'
import { input, machine, repo, run, setUp, stage, turnOf, typesOf } from './scripted.ts'
import type { Heard, Scene } from './scripted.ts'

const MINUTE_MS = 60_000

/** What a system's closing has come to after so long; whatever it still waits for is then waited for. */
async function closedWithin(world: TestWorld, system: System, ms: number): Promise<unknown> {
  const closing = follow(system.close())
  await world.advance(ms)
  const report = closing()
  await world.advance(MINUTE_MS)
  return report
}

/** A store whose commits a test holds up, one by one, and lets through or fail. */
class Gate {
  isShut = false
  readonly waiting: { readonly pass: () => void; readonly fail: () => void }[] = []

  wrap(store: ShardStore): ShardStore {
    return new Proxy(store, {
      get: (target, name: keyof ShardStore) => {
        const value = target[name]
        if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value
        return async (batch: Parameters<ShardStore['commit']>[0]) => {
          if (this.isShut) {
            const gate = Promise.withResolvers<undefined>()
            this.waiting.push({
              pass: () => gate.resolve(undefined),
              fail: () => gate.reject(new StoreUnavailable('full', 'this disk is full')),
            })
            await gate.promise
          }
          return await target.commit(batch)
        }
      },
    })
  }

  /** Opens, and lets what waits through. */
  open(): void {
    this.isShut = false
    for (const { pass } of this.waiting.splice(0)) pass()
  }

  /** Opens, and lets what waits fail. */
  break(): void {
    this.isShut = false
    for (const { fail } of this.waiting.splice(0)) fail()
  }
}

function gated(): Scene & { readonly gate: Gate } {
  const gate = new Gate()
  const scene = setUp({ wrapStore: (store) => gate.wrap(store) })
  onTestFinished(() => gate.open())
  return { ...scene, gate }
}

describe('a commit that fails', () => {
  test('G7 a turn that has ended in it, while another waits, is done once and does not run again', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const first = follow(ref.ask.work({ text: 'first' }))
    await world.advance(0)
    const second = follow(ref.ask.work({ text: 'second' }))
    await world.advance(0)
    faults.isFull = true
    stage.last().finish('final')
    await world.advance(5)
    faults.isFull = false
    await world.advance(MINUTE_MS)
    expect(stage.log.filter((line) => line.endsWith('begins'))).toEqual(['work first begins', 'work second begins'])
    expect(first()).toEqual({ outcome: 'ok', value: 'final' })
    stage.last().finish()
    await world.advance(0)
    expect(second()).toMatchObject({ outcome: 'ok' })
  })

  test('G7 a turn that is ended by force in it, while another waits, is parked as its intent says', async () => {
    const { faults, open, world } = setUp()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    void codeOf(ref.ask.urge({}))
    await world.advance(4_999)
    faults.isFull = true
    await world.advance(10)
    faults.isFull = false
    await world.advance(2_000)
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ state: 'parked', attempt: 1 })
    expect(typesOf(await ref.snapshot())).toContain('work.parked')
  })

  test('G7 the end of a turn that comes while it is under way is not lost', async () => {
    const { gate, open, world } = gated()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    gate.isShut = true
    void codeOf(ref.tell.note({}))
    await world.advance(0)
    expect(gate.waiting).toHaveLength(1)
    stage.last().finish('final')
    await world.advance(0)
    gate.break()
    await world.advance(2 * MINUTE_MS)
    expect(work()).toEqual({ outcome: 'ok', value: 'final' })
  })

  test('G7 a checkpoint that comes while it is under way is stored, or refused; so is the next', async () => {
    const { gate, open, world } = gated()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    gate.isShut = true
    void codeOf(ref.tell.note({}))
    await world.advance(0)
    const checkpoint = follow(stage.last().context.checkpoint({ step: 1 }))
    await world.advance(0)
    gate.break()
    await world.advance(2 * MINUTE_MS)
    const next = follow(stage.last().context.checkpoint({ step: 2 }))
    await world.advance(2_000)
    expect([checkpoint(), next()]).toEqual([undefined, undefined])
  })

  test('G13 closing while it is under way parks the turns all the same', async () => {
    const { gate, open, world } = gated()
    const system = await open()
    const ref = system.actor(repo, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    gate.isShut = true
    void codeOf(ref.tell.note({}))
    await world.advance(0)
    const closing = follow(system.close())
    await world.advance(0)
    gate.break()
    await world.advance(3_000)
    const report = closing()
    await world.advance(MINUTE_MS)
    expect(report).toMatchObject({ outcome: 'polite' })
  })

  test('whoever waits for a lease that was granted in it gets the lease, or an error, and does not wait for a free one', async () => {
    const { faults, open, world } = setUp()
    const lease = (await open()).actor(repo, 'a').lease('push')
    faults.isFull = true
    const first = follow(lease.acquire({ owner: 'x' }))
    const second = follow(lease.acquire({ owner: 'y', waitMs: 10 * MINUTE_MS }))
    await world.advance(5)
    faults.isFull = false
    await world.advance(5_000)
    expect(first()).toBe('STORE_UNAVAILABLE')
    expect(second()).not.toBe('pending')
  })

  test('whoever comes after it gets the free lease', async () => {
    const { faults, open, world } = setUp()
    const lease = (await open()).actor(repo, 'a').lease('push')
    faults.isFull = true
    void codeOf(lease.acquire({ owner: 'x' }))
    void codeOf(lease.acquire({ owner: 'y', waitMs: 10 * MINUTE_MS }))
    await world.advance(5)
    faults.isFull = false
    await world.advance(5_000)
    const third = follow(lease.acquire({ owner: 'z' }))
    await world.advance(1_000)
    expect(await lease.state()).not.toEqual({ epoch: 0, waiting: 1 })
    expect(third()).not.toBeUndefined()
  })

  test('who leaves while nothing can be written is not granted a lease afterwards', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const lease = ref.lease('push')
    await world.advance(0)
    faults.isFull = true
    void codeOf(ref.tell.note({}))
    await world.advance(1)
    const leaving = new AbortController()
    const left = follow(lease.acquire({ owner: 'gone', ttlMs: 10 * MINUTE_MS, signal: leaving.signal }))
    await world.advance(1)
    leaving.abort()
    await world.advance(1)
    expect(left()).toBe('ASK_ABORTED')
    faults.isFull = false
    await world.advance(5_000)
    expect((await lease.state()).owner).toBeUndefined()
  })
})

describe('closing', () => {
  test('G13 while a turn is being granted parks it too', async () => {
    const { gate, open, world } = gated()
    const system = await open()
    const ref = system.actor(repo, 'a')
    await ref.ask.note({})
    gate.isShut = true
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    const closing = follow(system.close())
    await world.advance(0)
    gate.open()
    await world.advance(3_000)
    const report = closing()
    await world.advance(MINUTE_MS)
    expect(report).toMatchObject({ outcome: 'polite' })
  })

  test('G13 right after an ask of a turn does not wait for it in vain', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    await ref.ask.note({})
    const work = follow(ref.ask.work({}))
    const report = await closedWithin(world, system, 1_000)
    expect(work()).toBe('SYSTEM_CLOSED')
    expect(report).toMatchObject({ outcome: 'polite' })
  })

  test('G13 right after somebody began to wait for a lease does not wait for it', async () => {
    const { open, world } = setUp()
    const system = await open()
    const lease = system.actor(repo, 'a').lease('push')
    await lease.acquire({ owner: 'x' })
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: 5 * MINUTE_MS }))
    const report = await closedWithin(world, system, 1_000)
    expect(waiting()).toBe('SYSTEM_CLOSED')
    expect(report).toMatchObject({ outcome: 'polite' })
  })

  test('G13 does not wait for the slice of a turn that is about to be stolen from', async () => {
    stage.reset()
    const sliced = defineActor({
      type: 'sliced',
      module: import.meta.url,
      logic: machine,
      turns: { minSliceMs: 30_000 },
      commands: {
        work: turn({ input, priority: 'low', run: run('work') }),
        urge: turn({ input, priority: 'urgent', preempt: 'steal', run: run('urge') }),
      },
    })
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [sliced] })
    const ref = system.actor(sliced, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    void codeOf(ref.ask.urge({}))
    await world.advance(0)
    expect(stage.last('work').interruption).toBeUndefined()
    expect(await closedWithin(world, system, 1_000)).toMatchObject({ outcome: 'polite' })
  })
})

describe('closing while nothing can be written', () => {
  test('G13 answers those who wait for a turn of an actor that a failed commit has emptied', async () => {
    const { faults, open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    faults.isFull = true
    void codeOf(ref.tell.note({}))
    await world.advance(0)
    const closing = follow(system.close())
    await world.advance(0)
    faults.isFull = false
    await world.advance(3_000)
    const report = closing()
    await world.advance(MINUTE_MS)
    expect(work()).toBe('SYSTEM_CLOSED')
    expect(report).toMatchObject({ outcome: 'polite' })
  })

  test('G13 does not wait for a process whose note cannot be written any more', async () => {
    const begun = Promise.withResolvers<undefined>()
    const go = Promise.withResolvers<undefined>()
    const job = defineEffect({
      name: 'job',
      module: import.meta.url,
      run: async ({ process }) => {
        begun.resolve(undefined)
        await go.promise
        await process.run({ command: 'true' })
      },
    })
    const promiser = defineActor({
      type: 'promiser',
      module: import.meta.url,
      logic: setup({ types: { events: {} as { readonly type: 'begin' | 'poke' } } }).createMachine({
        context: { pokes: 0 },
        on: {
          begin: { actions: enqueueActions(({ enqueue }) => enqueue(effect('job', {}))) },
          poke: { actions: assign({ pokes: ({ context }) => Number(context['pokes']) + 1 }) },
        },
      }),
      commands: { begin: command(), poke: command() },
    })
    const { faults, open, world } = setUp({}, { actors: [promiser], effects: [job] })
    const system = await open()
    const ref = system.actor(promiser, 'a')
    await ref.tell.begin()
    await world.advance(0)
    await begun.promise
    faults.isFull = true
    void codeOf(ref.tell.poke())
    await world.advance(0)
    go.resolve(undefined)
    await world.advance(0)
    const closing = follow(system.close())
    await world.advance(0)
    faults.isFull = false
    await world.advance(4_000)
    const report = closing()
    await world.advance(MINUTE_MS)
    expect(report).toMatchObject({ outcome: 'polite' })
  })
})

type Reply = ReplyArguments<SnapshotFrom<typeof guarded>, object>

const guarded = setup({
  types: { context: {} as { readonly heard: readonly Heard[] }, events: {} as { readonly type: string } },
}).createMachine({
  context: { heard: [] },
  on: {
    'boss.started': {
      actions: enqueueActions(({ enqueue, context }) => {
        const worker = context.heard.find(({ type }) => type === 'work.started')
        if (worker !== undefined) enqueue(cancelTurn({ turn: Number(worker['turn']), mode: 'abort-drop' }))
      }),
    },
    'work.started': { actions: assign({ heard: ({ context, event }) => [...context.heard, event as Heard] }) },
    clear: { actions: assign({ heard: ({ context, event }) => [...context.heard, event as Heard] }) },
    haste: { actions: assign({ heard: ({ context, event }) => [...context.heard, event as Heard] }) },
  },
})

const office = defineActor({
  type: 'office',
  module: import.meta.url,
  logic: guarded,
  commands: {
    work: turn({ input, priority: 'low', run: run('work') }),
    urge: turn({ input, priority: 'urgent', preempt: 'steal', run: run('urge') }),
    boss: turn({ input, priority: 'urgent', preempt: 'steal', run: run('boss') }),
    /** Its state never takes it. */
    never: command({ priority: 'high', preempt: 'abort-drop' }),
    clear: command({ priority: 'high', preempt: 'abort-drop' }),
    haste: command({ priority: 'urgent', preempt: 'steal', reply: () => 42 }),
    heard: query({ reply: ({ context }: Reply) => context.heard }),
  },
})

async function openOffice() {
  stage.reset()
  const world = new TestWorld()
  onTestFinished(() => world.close())
  const system = await world.open({ actors: [office] })
  return { world, system, ref: system.actor(office, 'a') }
}

/** A worker that is parked, and the urgent turn that runs. */
async function openParked() {
  const office = await openOffice()
  const work = follow(office.ref.ask.work({}))
  await office.world.advance(0)
  void codeOf(office.ref.ask.urge({}))
  await office.world.advance(0)
  expect(turnOf(await office.ref.turns(), 'work')).toMatchObject({ state: 'parked' })
  return { ...office, work }
}

describe('an ordinary command that preempts', () => {
  test('K09 under a lease that is lost does nothing to a parked turn', async () => {
    const { ref, world } = await openParked()
    const clear = follow(ref.ask.clear({}, { lease: { name: 'push', epoch: 7 } }))
    await world.advance(0)
    expect(clear()).toBe('STALE_EPOCH')
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ state: 'parked' })
  })

  test('that the state does not take does nothing to a parked turn', async () => {
    const { ref, world } = await openParked()
    const never = follow(ref.ask.never())
    await world.advance(0)
    expect(never()).toBe('COMMAND_REJECTED')
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ state: 'parked' })
  })

  test('K09 that waits for the turn does not count once its lease is lost', async () => {
    const { ref, world } = await openOffice()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    const lease = await ref.lease('push').acquire({ owner: 'x', ttlMs: 10 * MINUTE_MS })
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    const haste = follow(ref.ask.haste({}, lease === undefined ? {} : { lease }))
    await world.advance(0)
    expect(haste()).toBe('pending')
    await ref.lease('push').forceRelease()
    await world.advance(6_000)
    expect(haste()).toBe('STALE_EPOCH')
  })

  test('that is cancelled while it waits is refused with an error, and not answered with a value that is no reply of it', async () => {
    const { ref, world } = await openOffice()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    const haste = follow(ref.ask.haste())
    await world.advance(0)
    await ref.cancelTurn(turnOf(await ref.turns(), 'haste').turn)
    await world.advance(0)
    expect(haste()).toEqual(expect.any(String))
  })
})

describe('a fence', () => {
  test('K09 holds for a turn that waits: one whose lease is lost meanwhile does not run', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const lease = await ref.lease('push').acquire({ owner: 'x', ttlMs: 10 * MINUTE_MS })
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    void codeOf(ref.ask.brief({}, lease === undefined ? {} : { lease }))
    await world.advance(0)
    await ref.lease('push').forceRelease()
    stage.last('work').finish()
    await world.advance(1_000)
    expect(stage.count('brief')).toBe(0)
  })

  test('K09 cannot be combined with the names of an edit, which could replace what others have sent', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const lease = { name: 'push', epoch: 7 }
    expect(await codeOf(ref.tell.work({ text: 'stale' }, { naturalKey: 'n', lease }))).toBe('INVALID_INPUT')
    expect(await codeOf(ref.tell.work({ text: 'stale' }, { deliveryId: 'd', lease }))).toBe('INVALID_INPUT')
  })
})

describe('an action', () => {
  test('that drops a parked turn as another starts does so at once, not after that one', async () => {
    const { ref, world } = await openOffice()
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    void codeOf(ref.ask.boss({}))
    await world.advance(MINUTE_MS)
    expect(stage.last().command).toBe('boss')
    // Not with a read of its turns: that would serve the actor.
    expect(work()).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop' })
  })
})

describe('progress', () => {
  test('is what the value was when it was told, whatever becomes of the object', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const told: unknown[] = []
    void codeOf(ref.ask.work({}, { onProgress: (value) => told.push(value) }))
    await world.advance(0)
    const state = { done: 1 }
    stage.last().context.progress(state)
    state.done = 2
    await world.advance(0)
    expect(told).toEqual([{ done: 1 }])
  })

  test('of an object that becomes something that JSON cannot carry does not end the thread', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const faults: unknown[] = []
    const keep = (error: unknown): void => void faults.push(error)
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', keep)
    onTestFinished(() => {
      process.off('uncaughtException', keep)
      for (const listener of listeners) process.on('uncaughtException', listener)
    })
    const told: unknown[] = []
    void codeOf(ref.ask.work({}, { onProgress: (value) => told.push(value) }))
    await world.advance(0)
    const state: Record<string, unknown> = { done: 1 }
    stage.last().context.progress(state)
    state['self'] = state
    await world.advance(0)
    expect(faults).toEqual([])
    expect(told).toEqual([{ done: 1 }])
  })
})

describe('a turn that takes long', () => {
  test('goes on after any number of crashes of its thread, as long as it makes progress between them', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({})
    await world.advance(0)
    for (let step = 1; step <= 8; step += 1) {
      void codeOf(stage.last().context.checkpoint({ step }))
      await world.advance(0)
      world.crashThreads()
      await world.advance(MINUTE_MS)
    }
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ state: 'running', frame: { step: 8 } })
  })

  test('is shown among the turns of its actor, however many others have ended since it was accepted', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    stage.scripts['urge'] = () => 'done'
    for (let count = 0; count < 110; count += 1) void codeOf(ref.ask.urge({}))
    for (let rounds = 0; rounds < 50 && stage.count('urge') < 110; rounds += 1) await world.advance(0)
    await world.advance(0)
    expect(stage.count('urge')).toBe(110)
    expect(stage.last().command).toBe('work')
    expect((await ref.turns()).filter(({ state }) => state !== 'ended')).toHaveLength(1)
  })
})

describe('the whole time of a turn', () => {
  test.each(['runs', 'waits'])('is over while it %s: an ask without timeoutMs gets the outcome, not a timeout of its own', async (how) => {
    const { world } = setUp()
    const brisk = defineActor({
      type: 'brisk',
      module: import.meta.url,
      logic: machine,
      commands: {
        work: turn({ input, endWithinMs: 60_000, drainMs: 5_000, run: run('work') }),
        urge: turn({ input, run: run('urge') }),
      },
    })
    const ref = (await world.open({ actors: [brisk] })).actor(brisk, 'a')
    if (how === 'waits') void codeOf(ref.ask.urge({}))
    await world.advance(0)
    const work = follow(ref.ask.work({}))
    await world.advance(MINUTE_MS + 6_000)
    expect(work()).toMatchObject({ outcome: 'timed-out' })
  })
})

describe('a lease that is renewed by itself', () => {
  test('is not renewed any more once its holder was told that it is lost', async () => {
    const { gate, open, world } = gated()
    const ref = (await open()).actor(repo, 'a')
    const held = await ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000, renewal: 'auto' })
    await world.advance(3_000)
    gate.isShut = true
    await world.advance(6_700)
    expect(held?.signal.aborted).toBe(true)
    gate.open()
    await world.advance(0)
    await world.advance(5 * MINUTE_MS)
    expect((await ref.lease('push').state()).owner).toBeUndefined()
  })
})

describe('a definition that has changed between two opens', () => {
  const ranked = (ranks: readonly string[]) =>
    defineActor({
      type: 'ranked',
      module: import.meta.url,
      logic: machine,
      turns: { ranks },
      commands: {
        work: turn({ input, rank: 'low', run: run('work') }),
        urge: turn({ input, rank: 'high', preempt: 'steal', run: run('urge') }),
      },
    })

  test('G10 a new rank above the others leaves the turns that wait in theirs', async () => {
    const before = ranked(['high', 'low'])
    const { world } = setUp()
    const first = await world.open({ actors: [before] })
    await first.actor(before, 'a').tell.work({})
    await world.advance(0)
    world.crash()
    stage.life += 1
    const after = ranked(['new', 'high', 'low'])
    const ref = (await world.open({ actors: [after] })).actor(after, 'a')
    await world.advance(0)
    expect(turnOf(await ref.turns(), 'work')).toMatchObject({ rank: 'low', state: 'running' })
    void codeOf(ref.ask.urge({}))
    await world.advance(0)
    expect(stage.last().command).toBe('urge')
  })

  test('G10 a command that waits for the session and is no longer known is not given to the logic', async () => {
    const { world } = setUp()
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    const commands = { work: turn({ input, priority: 'low', run: run('work') }) }
    const definitionOf = { type: 'shrinking', module: import.meta.url, logic: machine }
    const haste = command({ input, priority: 'urgent', preempt: 'steal' })
    const before = defineActor({ ...definitionOf, commands: { ...commands, haste } })
    const after = defineActor({ ...definitionOf, commands })
    const ref = (await world.open({ actors: [before] })).actor(before, 'a')
    await ref.tell.work({})
    await world.advance(0)
    await ref.tell.haste({})
    await world.advance(0)
    world.crash()
    stage.life += 1
    const system = await world.open({ actors: [after] })
    await world.advance(10_000)
    expect(typesOf(await system.actor(after, 'a').snapshot())).not.toContain('haste')
    expect(await system.deadLetters.list()).toHaveLength(1)
  })
})
