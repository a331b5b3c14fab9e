/** Corners of supervision in which something could be lost, doubled, kept for ever or left unserved. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { command, defineActor, query, request, turn } from '@bailiwick/kernel'
import { StoreUnavailable } from '@bailiwick/store'
import type { ShardStore } from '@bailiwick/store'
import { assign, enqueueActions, fromCallback, setup } from 'xstate'
import { TestWorld } from '../../src/index.ts'
import { storeAround } from '../../src/store-around.ts'
import { codeOf } from '../code-of.ts'
import { outside, patientOf } from './patients.ts'
import { follow, WAYS, wardOf } from './ward.ts'
import type { Way } from './ward.ts'

const text = (words: string): { readonly text: string } => ({ text: words })
const strict = patientOf('strict', { supervision: { maxRestarts: 0 } })
const strictStop = patientOf('strictStop', { supervision: { maxRestarts: 0, onExhausted: 'stop' } })
const patient = patientOf('patient')
const slow = patientOf('slow', { supervision: { backoff: { minMs: 1_000, maxMs: 1_000_000, jitter: 0 } } })
const tight = patientOf('tight', { mailbox: { capacity: 1 }, supervision: { backoff: { minMs: 1_000, jitter: 0 } } })
const actors = [strict, strictStop, patient, slow, tight]

const [plain, , later] = WAYS as readonly [Way, Way, Way] // There are three of them.

describe('exhaustion', () => {
  test('G11 an actor that may be restarted forty times is held at the forty-first failure', async () => {
    const many = patientOf('many', { supervision: { maxRestarts: 40, withinMs: 1_000_000 } })
    const ward = await wardOf(plain, { actors: [many] })
    const ref = ward.system.actor(many, 'a')
    const outcomes: unknown[] = []
    for (let n = 0; n < 60; n += 1) outcomes.push(await ward.outcome(ref.ask.poison({})))
    expect(outcomes.indexOf('ACTOR_QUARANTINED')).toBe(41)
  })
})

describe('release', () => {
  test.each([plain, later])('G3 G11 an ask that comes right behind its release is answered: $title', async (way) => {
    const ward = await wardOf(way, { actors })
    await ward.outcome(ward.system.actor(strict, 'a').ask.poison({}))
    await ward.quiet()
    const released = ward.system.quarantine.release({ definition: strict, key: 'a' })
    const asked = follow(ward.system.actor(strict, 'a').ask.note(text('x'), { timeoutMs: 60_000 }))
    expect(await ward.now(released)).toBe(1)
    await ward.pass(100)
    expect(asked()).not.toBe('pending')
  })

  test('G8 G11 a lease that is asked for right behind the release is answered', async () => {
    const ward = await wardOf(later, { actors })
    await ward.outcome(ward.system.actor(strict, 'a').ask.poison({}))
    await ward.quiet()
    const released = ward.system.quarantine.release({ definition: strict, key: 'a' })
    for (let n = 0; n < 2; n += 1) await new Promise((resolve) => setImmediate(resolve))
    const asked = follow(ward.system.actor(strict, 'a').lease('door').acquire({ owner: 'me', ttlMs: 60_000, waitMs: 0 }))
    expect(await ward.now(released)).toBe(1)
    await ward.pass(100)
    expect(asked()).not.toBe('pending')
  })

  test('G11 a release lets go of an actor that was held by hand and whose group has failed meanwhile', async () => {
    const group = { name: 'pair', strategy: 'one-for-all' } as const
    const one = patientOf('one', { supervision: { maxRestarts: 0, group } })
    const other = patientOf('other', { supervision: { maxRestarts: 0, group } })
    const ward = await wardOf(plain, { actors: [one, other] })
    expect(await ward.now(ward.system.quarantine.hold(other, 'k', { reason: 'by hand' }))).toBe(true)
    await ward.outcome(ward.system.actor(one, 'k').ask.poison({}))
    await ward.pass(100)
    expect(await ward.now(ward.system.quarantine.release({}))).toBe(2)
    await ward.pass(100)
    expect((await ward.now(ward.system.quarantine.list())).map(({ actor }) => actor)).toEqual([])
  })

  test('G11 a hold and a release during a back-off leave nothing behind: the next back-off is as long as it should be', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(slow, 'a')
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(500)
    expect(await ward.now(ward.system.quarantine.hold(slow, 'a', { reason: 'by hand' }))).toBe(true)
    expect(await ward.now(ward.system.quarantine.release({ definition: slow, key: 'a' }))).toBe(1)
    await ward.quiet()
    expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    const asked = follow(ref.ask.note(text('x')))
    await ward.pass(900)
    expect(asked()).toBe('pending')
    await ward.pass(100)
    expect(asked()).toBe(1)
  })

  test('G4 G11 a hold and a release while an actor is being read lose no update', async () => {
    let isSlow = false
    const waiting: (() => void)[] = []
    const slowed = (store: ShardStore): ShardStore => ({
      ...storeAround(store, (_method, call) => call()),
      load: async (type, key) => {
        const found = await store.load(type, key)
        if (isSlow && key === 'a') await new Promise<void>((resolve) => void waiting.push(resolve))
        return found
      },
    })
    const ward = await wardOf(plain, { actors, wrapStore: slowed })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.note(text('1')))
    await ward.crash()
    const again = ward.system.actor(patient, 'a')
    isSlow = true
    const second = follow(again.ask.note(text('2')))
    await ward.until('it is being read', () => waiting.length === 1)
    expect(await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'by hand' }))).toBe(true)
    await ward.quiet()
    expect(await ward.now(ward.system.quarantine.release({ definition: patient, key: 'a' }))).toBe(1)
    const third = follow(again.ask.note(text('3')))
    await ward.quiet()
    waiting.shift()?.()
    await ward.quiet()
    const fourth = follow(again.ask.note(text('4')))
    await ward.quiet()
    while (waiting.length > 0) {
      waiting.shift()?.()
      await ward.quiet()
    }
    isSlow = false
    await ward.pass(100)
    const fifth = await ward.outcome(again.ask.note(text('5')))
    const done = [second(), third(), fourth(), fifth].filter((outcome) => typeof outcome === 'number')
    const notes = (await ward.now(again.snapshot())).context.notes
    expect(notes, JSON.stringify([second(), third(), fourth(), fifth])).toHaveLength(1 + done.length)
  })
})

describe('hold', () => {
  test('G11 an ask that looks its key up when its actor is held is refused', async () => {
    let isSlow = false
    const waiting: (() => void)[] = []
    const slowed = (store: ShardStore): ShardStore => ({
      ...storeAround(store, (_method, call) => call()),
      outcome: async (scope, key, now) => {
        const found = await store.outcome(scope, key, now)
        if (isSlow) await new Promise<void>((resolve) => void waiting.push(resolve))
        return found
      },
    })
    const ward = await wardOf(plain, { actors, wrapStore: slowed })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.note(text('1')))
    isSlow = true
    const asked = follow(ref.ask.note(text('2'), { idempotencyKey: 'k', timeoutMs: 60_000 }))
    await ward.until('the key is looked up', () => waiting.length === 1)
    expect(await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'by hand' }))).toBe(true)
    await ward.quiet()
    for (const resolve of waiting.splice(0)) resolve()
    await ward.pass(1_000)
    expect(asked()).toBe('ACTOR_QUARANTINED')
  })

  test('G8 G11 those who wait for a lease of an actor are refused when it is held', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.lease('door').acquire({ owner: 'me', ttlMs: 1_000_000, waitMs: 0 }))
    const asked = follow(ref.lease('door').acquire({ owner: 'you', ttlMs: 1_000, waitMs: 500_000 }))
    await ward.pass(100)
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(1_000)
    expect(asked()).toBe('ACTOR_QUARANTINED')
  })

  test.each(['held', 'resting'] as const)('G6 G11 a turn of an actor that is %s has its time limit', async (how) => {
    const { ward, limited, signals } = await limitedWard()
    const ref = ward.system.actor(limited, 'a')
    await ward.now(ref.tell.work())
    await ward.until('the turn runs', () => signals.length === 1)
    if (how === 'held') await ward.now(ward.system.quarantine.hold(limited, 'a', { reason: 'by hand' }))
    else await ward.outcome(ref.ask.poison())
    await ward.pass(5_000)
    expect(signals[0]?.aborted).toBe(true)
  })

  test.each(['held', 'resting'] as const)(
    'G13 a system whose %s actor has a turn that runs closes politely, with its turn parked',
    async (how) => {
      const { ward, limited, signals } = await limitedWard()
      const ref = ward.system.actor(limited, 'a')
      await ward.now(ref.tell.work())
      await ward.until('the turn runs', () => signals.length === 1)
      if (how === 'held') await ward.now(ward.system.quarantine.hold(limited, 'a', { reason: 'by hand' }))
      else await ward.outcome(ref.ask.poison())
      await ward.quiet()
      const closing = follow(ward.system.close({ timeoutMs: 900 }))
      await ward.pass(1_000)
      expect(closing()).toMatchObject({ outcome: 'polite' })
    },
  )

  test('G12 a tell that waits for room is accepted once the actor is held and its asks have left', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(tight, 'a')
    await ward.outcome(ref.ask.poison({}))
    const asked = follow(ref.ask.note(text('ask'), { timeoutMs: 600_000 }))
    await ward.quiet()
    const told = follow(ref.tell.note(text('tell'), { waitForRoomMs: 300_000, timeoutMs: 600_000 }))
    const askedToo = follow(ref.ask.note(text('ask'), { waitForRoomMs: 300_000, timeoutMs: 600_000 }))
    await ward.quiet()
    expect(await ward.now(ward.system.quarantine.hold(tight, 'a', { reason: 'by hand' }))).toBe(true)
    await ward.pass(100)
    expect([asked(), told(), askedToo()]).toEqual(['ACTOR_QUARANTINED', { outcome: 'accepted' }, 'ACTOR_QUARANTINED'])
  })

  test('G12 an actor whose mailbox is empty at its release lets those in who wait for room', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(tight, 'a')
    await ward.outcome(ref.ask.poison({}))
    const asked = follow(ref.ask.note(text('ask'), { timeoutMs: 600_000 }))
    await ward.quiet()
    const told = follow(ref.tell.note(text('tell'), { waitForRoomMs: 300_000, timeoutMs: 600_000 }))
    await ward.quiet()
    await ward.now(ward.system.quarantine.hold(tight, 'a', { reason: 'by hand' }))
    await ward.pass(100)
    await ward.now(ward.system.quarantine.release({ definition: tight, key: 'a' }))
    await ward.pass(10_000)
    const next = await ward.outcome(ref.ask.note(text('next')))
    expect([asked(), told(), next]).toEqual(['ACTOR_QUARANTINED', { outcome: 'accepted' }, 2])
  })

  test('G11 no child of a held actor is started, although the actor was being read when it was held', async () => {
    let isSlow = false
    const waiting: (() => void)[] = []
    const slowed = (store: ShardStore): ShardStore => ({
      ...storeAround(store, (_method, call) => call()),
      load: async (type, key) => {
        const found = await store.load(type, key)
        if (isSlow) await new Promise<void>((resolve) => void waiting.push(resolve))
        return found
      },
    })
    const ward = await wardOf(plain, { actors, wrapStore: slowed })
    await ward.now(ward.system.actor(patient, 'a').ask.tend())
    await ward.crash()
    outside.children = []
    isSlow = true
    const asked = follow(ward.system.actor(patient, 'a').ask.note(text('x'), { timeoutMs: 60_000 }))
    await ward.until('it is being read', () => waiting.length === 1)
    await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'by hand' }))
    await ward.quiet()
    isSlow = false
    for (const resolve of waiting.splice(0)) resolve()
    await ward.pass(1_000)
    expect([asked(), outside.children.filter(({ isStopped }) => !isStopped).length]).toEqual(['ACTOR_QUARANTINED', 0])
  })

  test('G12 G11 an ask that waits for room on the shard is refused when its actor is held meanwhile', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await settled(world, world.open({ actors, limits: { waitingCommands: 2 } }))
    const rest = system.actor(slow, 'a')
    await settled(
      world,
      rest.ask.poison({}).catch(() => undefined),
    )
    for (const n of ['1', '2']) await settled(world, rest.tell.note(text(n)))
    const asked = follow(system.actor(patient, 'b').ask.note(text('x'), { waitForRoomMs: 300_000, timeoutMs: 600_000 }))
    for (let n = 0; n < 5; n += 1) await world.advance(0)
    expect(asked()).toBe('pending')
    expect(await settled(world, system.quarantine.hold(patient, 'b', { reason: 'by hand' }))).toBe(true)
    await world.advance(5_000)
    for (let n = 0; n < 5; n += 1) await world.advance(0)
    expect(asked()).toBe('ACTOR_QUARANTINED')
  })

  test('G12 G11 an ask that gets its room on the shard after its actor was held is refused', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await settled(world, world.open({ actors, limits: { waitingCommands: 2 } }))
    const rest = system.actor(slow, 'a')
    await settled(
      world,
      rest.ask.poison({}).catch(() => undefined),
    )
    for (const n of ['1', '2']) await settled(world, rest.tell.note(text(n)))
    const asked = follow(system.actor(patient, 'b').ask.note(text('x'), { waitForRoomMs: 300_000, timeoutMs: 600_000 }))
    for (let n = 0; n < 5; n += 1) await world.advance(0)
    expect(await settled(world, system.quarantine.hold(patient, 'b', { reason: 'by hand' }))).toBe(true)
    await world.advance(5_000)
    for (let n = 0; n < 5; n += 1) await world.advance(0)
    await world.advance(400_000)
    expect(asked()).toBe('ACTOR_QUARANTINED')
  })
})

describe('restart', () => {
  /** An actor that changes its context in place before it throws. */
  const vandal = defineActor({
    type: 'vandal',
    module: import.meta.url,
    logic: setup({
      types: {
        context: {} as { readonly box: { n: number } },
        events: {} as { readonly type: 'go' | 'answered' | 'break' | 'long.started' },
      },
    }).createMachine({
      context: () => ({ box: { n: 0 } }),
      on: {
        go: {
          actions: enqueueActions(({ enqueue }) =>
            enqueue(request(patient, { key: 'p', command: 'open', onDone: 'answered', onError: 'answered' })),
          ),
        },
        answered: {
          actions: assign(({ context }) => {
            context.box.n += 1
            throw new Error('no')
          }),
        },
        break: {
          actions: assign(({ context }) => {
            context.box.n += 1
            throw new Error('no')
          }),
        },
        'long.started': { actions: assign(({ context }) => ({ box: { ...context.box } })) },
      },
    }),
    commands: {
      go: command(),
      break: command(),
      long: turn({ run: async () => await new Promise<string>(() => undefined) }),
      box: query({ reply: ({ context }) => context.box.n }),
    },
  })

  test('G4 G11 what a throwing answer has changed in place is not kept', async () => {
    const ward = await wardOf(plain, { actors: [vandal, patient] })
    await ward.now(ward.system.actor(vandal, 'a').ask.go())
    await ward.pass(1_000)
    await ward.crash()
    expect(await ward.now(ward.system.actor(vandal, 'a').ask.box())).toBe(0)
  })

  test('G4 G11 what a throwing command has changed in place is not kept by a turn that begins in its batch', async () => {
    const ward = await wardOf(plain, { actors: [vandal, patient] })
    const ref = ward.system.actor(vandal, 'a')
    await ward.now(ref.ask.box())
    const told = codeOf(ref.tell.long())
    const failed = codeOf(ref.ask.break())
    expect(await ward.now(told)).toEqual({ outcome: 'accepted' })
    expect(await ward.now(failed)).toBe('COMMAND_FAILED')
    await ward.pass(1_000)
    await ward.crash()
    expect(await ward.now(ward.system.actor(vandal, 'a').ask.box())).toBe(0)
  })

  test('G11 asks behind an activation that fails wait for the back-off with a store that answers later, too', async () => {
    const count = async (way: Way): Promise<readonly unknown[]> => {
      const ward = await wardOf(way, { actors })
      outside.stillborn.add('dead')
      const asked = ['1', '2', '3', '4', '5'].map((n) => follow(ward.system.actor(slow, 'dead').ask.note(text(n), { timeoutMs: 600_000 })))
      await ward.quiet()
      const before = asked.map((outcome) => outcome())
      await ward.pass(500)
      return [before, asked.map((outcome) => outcome())]
    }
    expect(await count(later)).toEqual(await count(plain))
  })

  test('G11 a request to a volatile actor in the batch in which it is stopped is refused', async () => {
    const fleeting = patientOf('fleeting', { volatile: true, supervision: { maxRestarts: 0, onExhausted: 'stop' } })
    const ward = await wardOf(plain, { actors: [fleeting, patient] })
    await ward.now(ward.system.actor(patient, 'p').ask.note(text('x')))
    const failed = ward.system.actor(fleeting, 'a').ask.poison({})
    const asked = ward.system.actor(patient, 'p').ask.inquire({ to: { type: 'fleeting', key: 'a' }, command: 'open', timeoutMs: 600_000 })
    await ward.outcome(failed)
    await ward.outcome(asked)
    await ward.pass(1_000)
    expect(await ward.now(ward.system.actor(patient, 'p').ask.heard())).toMatchObject([
      { type: 'refused', error: { code: 'ACTOR_STOPPED' } },
    ])
  })
})

describe('watches', () => {
  test.each([strict, strictStop])(
    'G11 a watch that arrives in the batch in which its actor is held is told at once: $type',
    async (target) => {
      const ward = await wardOf(plain, { actors })
      const failed = ward.system.actor(target, 'a').ask.poison({})
      const watched = ward.system.actor(patient, 'w').ask.watch({ key: `${target.type}/a` })
      await ward.outcome(failed)
      await ward.outcome(watched)
      await ward.pass(1_000)
      expect(await ward.now(ward.system.actor(patient, 'w').ask.heard())).toMatchObject([{ type: 'notice', actor: `${target.type}/a` }])
    },
  )
})

describe('stop', () => {
  /** An actor that fails at its first command, with others behind it that are in the store already. */
  async function stopping(): Promise<{ readonly ward: Awaited<ReturnType<typeof wardOf>>; readonly failAfter: (commits: number) => void }> {
    let left = Infinity
    const failing = (store: ShardStore): ShardStore => ({
      ...storeAround(store, (_method, call) => call()),
      commit: (batch) => {
        left -= 1
        if (left < 0) throw new StoreUnavailable('busy', 'it is locked')
        return store.commit(batch)
      },
    })
    const ward = await wardOf(plain, { actors, wrapStore: failing })
    return { ward, failAfter: (commits) => void (left = commits) }
  }

  test('G3 G11 what waited for a stopped actor becomes dead letters although the store is busy at that moment', async () => {
    const { ward, failAfter } = await stopping()
    const ref = ward.system.actor(strictStop, 'a')
    await ward.now(ref.ask.shut())
    await ward.now(ref.tell.later(text('1')))
    await ward.now(ref.tell.later(text('2')))
    await ward.quiet()
    failAfter(1)
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(100)
    failAfter(Infinity)
    await ward.pass(5_000)
    const letters = await ward.now(ward.system.deadLetters.list({ type: 'strictStop' }))
    await ward.now(ward.system.quarantine.release({}))
    await ward.pass(5_000)
    const handled = (await ward.now(ref.snapshot())).context.notes
    expect([letters.map(({ command: name }) => name), handled]).toEqual([['later', 'later'], []])
  })

  test('G3 G11 what waited for a stopped actor becomes dead letters although the process dies right after the stop', async () => {
    const { ward, failAfter } = await stopping()
    const ref = ward.system.actor(strictStop, 'a')
    await ward.now(ref.ask.shut())
    await ward.now(ref.tell.later(text('1')))
    await ward.quiet()
    failAfter(1)
    await ward.outcome(ref.ask.poison({}))
    failAfter(Infinity)
    await ward.crash()
    await ward.pass(5_000)
    expect(await ward.now(ward.system.quarantine.list())).toHaveLength(1)
    const letters = await ward.now(ward.system.deadLetters.list({ type: 'strictStop' }))
    expect(letters.map(({ command: name }) => name)).toEqual(['later'])
  })

  test('G9 G11 a tell for later that comes due after its actor was stopped becomes a dead letter', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(strictStop, 'a')
    await ward.now(ref.tell.note(text('late'), { delayMs: 1_000 }))
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(5_000)
    const letters = await ward.now(ward.system.deadLetters.list({ type: 'strictStop' }))
    expect(letters.map(({ command: name }) => name)).toEqual(['note'])
  })

  test('G11 poison that is given up becomes a dead letter although the store is busy at that moment', async () => {
    let left = Infinity
    const failing = (store: ShardStore): ShardStore => ({
      ...storeAround(store, (_method, call) => call()),
      commit: (batch) => {
        if (batch.deadLetters.length > 0) {
          left -= 1
          if (left < 0) throw new StoreUnavailable('busy', 'it is locked')
        }
        return store.commit(batch)
      },
    })
    const world = new TestWorld({ wrapStore: failing })
    onTestFinished(() => world.close())
    const bomb = bombOf(() => world.crashThreadOf(0, 'boom', 'exited'))
    const system = await settled(world, world.open({ actors: [bomb] }))
    await settled(world, system.actor(bomb, 'a').tell.explode({}, { delayMs: 100 }))
    left = 0
    await world.advance(100)
    await world.advance(5_000)
    left = Infinity
    await world.advance(5_000)
    await world.advance(5_000)
    const letters = await settled(world, system.deadLetters.list())
    expect(letters).toMatchObject([{ command: 'explode', reason: expect.anything() as unknown }])
  })
})

describe('groups', () => {
  const group = { name: 'team', strategy: 'one-for-all' } as const

  test('G12 restarts of one member do not pile up in the mailbox of another that is quarantined', async () => {
    const one = patientOf('one', { supervision: { group } })
    const other = patientOf('other', { supervision: { group } })
    const ward = await wardOf(plain, { actors: [one, other] })
    await ward.now(ward.system.quarantine.hold(other, 'k', { reason: 'by hand' }))
    for (let n = 0; n < 20; n += 1) await ward.outcome(ward.system.actor(one, 'k').ask.poison({}))
    await ward.quiet()
    expect(ward.system.stats().lanes.urgent.depth).toBeLessThan(2)
  })

  test('G3 restarts of one member leave no dead letters of another that was stopped', async () => {
    const one = patientOf('one', { supervision: { group } })
    const other = patientOf('other', { supervision: { maxRestarts: 0, onExhausted: 'stop', group } })
    const ward = await wardOf(plain, { actors: [one, other] })
    await ward.outcome(ward.system.actor(other, 'k').ask.poison({}))
    await ward.quiet()
    await ward.now(ward.system.quarantine.release({ definition: one, key: 'k' }))
    for (let n = 0; n < 5; n += 1) await ward.outcome(ward.system.actor(one, 'k').ask.poison({}))
    await ward.quiet()
    expect((await ward.now(ward.system.deadLetters.list())).map(({ command: name }) => name)).toEqual([])
  })

  test('G11 a restart brings no member into being that never was', async () => {
    const started: string[] = []
    const eager = defineActor({
      type: 'eager',
      module: import.meta.url,
      logic: setup({
        actors: {
          child: fromCallback(() => {
            started.push('child')
          }),
        },
        actions: { greet: () => void started.push('entry') },
      }).createMachine({ context: {}, entry: 'greet', invoke: { src: 'child' } }),
      commands: { ping: command() },
      supervision: { group },
    })
    const one = patientOf('one', { supervision: { group } })
    const ward = await wardOf(plain, { actors: [one, eager] })
    await ward.outcome(ward.system.actor(one, 'k').ask.poison({}))
    await ward.pass(1_000)
    expect(started).toEqual([])
  })
})

test('G11 a release answers only for those that it lets go', async () => {
  const ward = await wardOf(plain, { actors })
  await ward.outcome(ward.system.actor(strict, 'a').ask.poison({}))
  await ward.crash([patient])
  const released = await ward.now(ward.system.quarantine.release({}))
  const left = await ward.now(ward.system.quarantine.list())
  expect(released + left.length).toBe(1)
})

test('G3 G11 an ask that comes behind its release while the disk is full is answered', async () => {
  const ward = await wardOf(plain, { actors })
  await ward.outcome(ward.system.actor(strict, 'a').ask.poison({}))
  await ward.quiet()
  ward.world.disk.failCommits('full')
  await ward.outcome(ward.system.actor(patient, 'b').ask.note(text('x')))
  const released = follow(ward.system.quarantine.release({ definition: strict, key: 'a' }))
  await ward.quiet()
  const asked = follow(ward.system.actor(strict, 'a').ask.note(text('x'), { timeoutMs: 60_000 }))
  await ward.quiet()
  ward.world.disk.failCommits(undefined)
  await ward.pass(5_000)
  expect([released(), asked()]).toEqual([1, 1])
})

describe('threads', () => {
  test('G11 a stored command whose actor kills the thread while it is brought into memory is found out', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    let deaths = 0
    const stillborn = defineActor({
      type: 'stillborn',
      module: import.meta.url,
      logic: setup({}).createMachine({
        context: () => {
          deaths += 1
          if (deaths < 20) world.crashThreadOf(0, 'boom', 'exited')
          return {}
        },
        on: { ping: {} },
      }),
      commands: { ping: command() },
    })
    const system = await settled(
      world,
      world.open({ actors: [stillborn, patient], supervision: { threads: { maxRestarts: 5, withinMs: 60_000 } } }),
    )
    await settled(world, system.actor(stillborn, 'a').tell.ping({}, { delayMs: 100 }))
    await world.advance(100)
    for (let n = 0; n < 20; n += 1) await world.advance(1_000)
    const asked = follow(system.actor(patient, 'b').ask.note(text('x')))
    for (let n = 0; n < 5; n += 1) await world.advance(100)
    expect([deaths < 4, asked()]).toEqual([true, 1])
  })
})

describe('children and letters', () => {
  test('G11 a child that did no wrong begins anew after the back-off of its actor, although nothing else reaches it', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(slow, 'a')
    await ward.now(ref.ask.tend())
    await ward.quiet()
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(5_000)
    expect(outside.children.filter(({ isStopped }) => !isStopped)).toHaveLength(1)
  })

  test('G11 a child that did no wrong begins anew with the release of its actor, although nothing else reaches it', async () => {
    const ward = await wardOf(plain, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.ask.tend())
    await ward.quiet()
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(5_000)
    expect(outside.children.filter(({ isStopped }) => !isStopped)).toHaveLength(0)
    await ward.now(ward.system.quarantine.release({}))
    await ward.pass(5_000)
    expect(outside.children.filter(({ isStopped }) => !isStopped)).toHaveLength(1)
  })

  test('G11 a member that is not in memory is not begun by a restart of its group', async () => {
    const group = { name: 'team', strategy: 'one-for-all' } as const
    const one = patientOf('one', { supervision: { group } })
    const other = patientOf('other', { supervision: { group } })
    const ward = await wardOf(plain, { actors: [one, other] })
    await ward.now(ward.system.actor(other, 'k').ask.tend())
    await ward.crash()
    outside.children = []
    await ward.outcome(ward.system.actor(one, 'k').ask.poison({}))
    await ward.pass(5_000)
    expect(outside.children).toEqual([])
  })

  test('G11 a replay of dead letters holds no actor', async () => {
    const group = { name: 'team', strategy: 'one-for-all' } as const
    const one = patientOf('one', { supervision: { maxRestarts: 0, group } })
    const other = patientOf('other', {
      supervision: { maxRestarts: 0, onExhausted: 'stop', group: { name: 'team', strategy: 'one-for-all' } },
    })
    const ward = await wardOf(plain, { actors: [one, other] })
    await ward.outcome(ward.system.actor(other, 'k').ask.poison({}))
    await ward.quiet()
    await ward.now(ward.system.quarantine.release({ definition: one, key: 'k' }))
    await ward.outcome(ward.system.actor(one, 'k').ask.poison({}))
    await ward.quiet()
    await ward.now(ward.system.quarantine.release({}))
    await ward.quiet()
    await ward.now(ward.system.deadLetters.replay({}))
    await ward.pass(100)
    expect((await ward.now(ward.system.quarantine.list())).map(({ actor }) => actor)).toEqual([])
  })
})

describe('reopening', () => {
  test('G11 an ask whose key is being looked up when the disk fails is answered', async () => {
    let isSlow = false
    const waiting: (() => void)[] = []
    const slowed = (store: ShardStore): ShardStore => ({
      ...storeAround(store, (_method, call) => call()),
      outcome: async (scope, key, now) => {
        const found = await store.outcome(scope, key, now)
        if (isSlow) await new Promise<void>((resolve) => void waiting.push(resolve))
        return found
      },
    })
    const ward = await wardOf(plain, { actors, wrapStore: slowed })
    isSlow = true
    const asked = follow(ward.system.actor(patient, 'a').ask.note(text('2'), { idempotencyKey: 'k', timeoutMs: 600_000 }))
    await ward.until('the key is looked up', () => waiting.length === 1)
    ward.world.disk.failCommits('io')
    await ward.outcome(ward.system.actor(patient, 'b').ask.note(text('lost')))
    ward.world.disk.failCommits(undefined)
    isSlow = false
    for (const resolve of waiting.splice(0)) resolve()
    await ward.pass(20_000)
    expect(asked()).not.toBe('pending')
  })

  test('G12 what is stranded is counted once, however often the shard is opened again', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const first = await settled(world, world.open({ actors }))
    const gone = first.actor(slow, 'a')
    await settled(
      world,
      gone.ask.poison({}).catch(() => undefined),
    )
    await settled(world, gone.tell.note(text('1')))
    world.crash()
    const system = await settled(world, world.open({ actors: [patient] }))
    const before = system.stats().stranded
    expect(before).toBe(1)
    for (let n = 0; n < 3; n += 1) {
      world.disk.failCommits('io')
      await settled(
        world,
        system
          .actor(patient, 'a')
          .ask.note(text('lost'))
          .catch(() => undefined),
      )
      world.disk.failCommits(undefined)
      await world.advance(20_000)
      for (let m = 0; m < 5; m += 1) await world.advance(0)
    }
    expect(await settled(world, system.actor(patient, 'a').ask.note(text('1')))).toBe(1)
    expect(system.stats().stranded).toBe(1)
  })
})

describe('closing', () => {
  test('G13 draining does not wait for what a held actor keeps', async () => {
    const ward = await wardOf(plain, { actors })
    await ward.outcome(ward.system.actor(strict, 'a').ask.poison({}))
    await ward.now(ward.system.actor(strict, 'a').tell.note(text('kept')))
    const closing = follow(ward.system.close({ mode: 'drain' }))
    await ward.pass(2_000)
    expect(closing()).toMatchObject({ outcome: 'polite', waiting: 0 })
  })
})

/** A turn with a limit of time, of an actor that may rest for long. */
async function limitedWard() {
  const signals: AbortSignal[] = []
  const limited = defineActor({
    type: 'limited',
    module: import.meta.url,
    logic: setup({}).createMachine({
      context: {},
      on: {
        poison: {
          actions: assign(() => {
            throw new Error('no')
          }),
        },
        '*': {},
      },
    }),
    commands: {
      poison: command(),
      work: turn({
        timeoutMs: 2_000,
        run: async ({ signal }) =>
          await new Promise<string>((_resolve, reject) => {
            signals.push(signal)
            signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true })
          }),
      }),
    },
    supervision: { backoff: { minMs: 100_000, maxMs: 100_000, jitter: 0 } },
  })
  const ward = await wardOf(plain, { actors: [limited] })
  return { ward, limited, signals }
}

function bombOf(explode: () => void) {
  return defineActor({
    type: 'bomb',
    module: import.meta.url,
    logic: setup({ types: { context: {} as { readonly n: number }, events: {} as { readonly type: 'explode' } } }).createMachine({
      context: { n: 0 },
      on: {
        explode: {
          actions: assign(() => {
            explode()
            return { n: 1 }
          }),
        },
      },
    }),
    commands: { explode: command() },
  })
}

/** Lets a promise settle while time stands still. */
async function settled<T>(world: TestWorld, promise: Promise<T>): Promise<T> {
  const outcome = follow(promise)
  const deadline = performance.now() + 4_000
  while (outcome() === 'pending') {
    if (performance.now() > deadline) throw new Error('Waited in vain.')
    await world.advance(0)
  }
  return await promise
}
