/** Named timers, `after` and delayed `raise`: when they ring, how often, and what restarts and clocks do to them. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { System } from '@bailiwick/kernel'
import type { ShardStore } from '@bailiwick/store'
import { laterStore, TestWorld } from '../src/index.ts'
import type { TestWorldOptions } from '../src/index.ts'
import { bell, ghostBell, remainingBell, restartBell, tower } from './chores.ts'

const DAY = 24 * 3_600_000
const HOUR = 3_600_000

interface Place {
  readonly world: TestWorld
  readonly open: () => Promise<System>
  /** Lets a promise settle while time stands still. */
  readonly now: <T>(promise: Promise<T>) => Promise<T>
  /** Lets time pass while nothing runs: the machine's clock goes on, nobody sees it. */
  readonly down: (ms: number) => void
  /** When the timers of that name have rung, in milliseconds since the beginning of the world. */
  readonly rungAt: (name: string) => readonly number[]
}

function setUp(options: TestWorldOptions = {}): Place {
  const world = new TestWorld(options)
  tower.rings.length = 0
  let downMs = 0
  tower.elapsed = () => world.clock.elapsed() + downMs
  onTestFinished(() => world.close())
  return {
    world,
    open: () => world.open({ actors: [bell, remainingBell, restartBell, ghostBell] }),
    now: async (promise) => {
      promise.catch(() => undefined)
      await world.advance(0)
      return await promise
    },
    down: (ms) => {
      world.clock.jump(ms)
      downMs += ms
    },
    rungAt: (name) => tower.rings.filter((ring) => ring.name === name).map(({ at }) => at),
  }
}

describe('when it rings', () => {
  test('G9 once, not early, and exactly at its moment', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 12_345 }))
    await world.advance(12_344)
    expect(rungAt('x')).toEqual([])
    await world.advance(1)
    expect(rungAt('x')).toEqual([12_345])
    await world.advance(HOUR)
    expect(rungAt('x')).toEqual([12_345])
    expect(await now(ref.ask.rings())).toEqual(['x'])
    expect(await now(ref.timers())).toEqual([])
  })

  test('G9 a delay of nothing rings at once, and after the commit', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 0 }))
    await world.advance(0)
    expect(rungAt('x')).toEqual([0])
  })

  test.each([true, false])('G9 at a moment that is given (as a date: %s)', async (asDate) => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', at: world.clock.wall() + 90_000, asDate }))
    await world.advance(89_999)
    expect(rungAt('x')).toEqual([])
    await world.advance(1)
    expect(rungAt('x')).toEqual([90_000])
  })

  test('G9 at a moment that has passed, it rings at once', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', at: world.clock.wall() - HOUR }))
    await world.advance(0)
    expect(rungAt('x')).toEqual([0])
  })

  test('G9 after 60 days, and not before', async () => {
    const { open, now, world, down, rungAt } = setUp()
    await now((await open()).actor(bell, 'a').ask.set({ name: 'x', delayMs: 60 * DAY }))
    await world.advance(60_000)
    world.crash()
    // Most of the time passes while nothing runs.
    down(60 * DAY - 90_000)
    await open()
    await world.advance(29_999)
    expect(rungAt('x')).toEqual([])
    await world.advance(1)
    expect(rungAt('x')).toEqual([60 * DAY])
  })

  test('G9 a delay that does not fit 32 bits does not ring at once while the system runs', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 2 ** 31 + 5_000 }))
    await world.advance(60_000)
    expect(rungAt('x')).toEqual([])
    expect(await now(ref.timers())).toMatchObject([{ name: 'x', dueAt: world.clock.wall() - 60_000 + 2 ** 31 + 5_000 }])
  })

  test('G9 several of one actor ring in the order of their moments', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    for (const [name, delayMs] of [
      ['c', 3_000],
      ['a', 1_000],
      ['b', 2_000],
    ] as const)
      await now(ref.ask.set({ name, delayMs }))
    await world.advance(10_000)
    expect(tower.rings.map(({ name, at }) => [name, at])).toEqual([
      ['a', 1_000],
      ['b', 2_000],
      ['c', 3_000],
    ])
  })

  test('G9 an actor that has left memory comes back for its timer', async () => {
    const { open, now, world, rungAt } = setUp()
    const system = await open()
    await now(system.actor(bell, 'a').ask.set({ name: 'x', delayMs: HOUR }))
    await world.advance(HOUR - 1)
    expect(system.stats().residentActors).toBe(0)
    await world.advance(1)
    expect(rungAt('x')).toEqual([HOUR])
  })
})

describe('names', () => {
  test('G9 a timer of the same name takes the place of the one before, be it sooner or later', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await now(ref.ask.set({ name: 'x', delayMs: 20_000 }))
    await now(ref.ask.set({ name: 'y', delayMs: 20_000 }))
    await now(ref.ask.set({ name: 'y', delayMs: 10_000 }))
    await world.advance(HOUR)
    expect(rungAt('x')).toEqual([20_000])
    expect(rungAt('y')).toEqual([10_000])
  })

  test('G9 a name belongs to its actor', async () => {
    const { open, now, world } = setUp()
    const system = await open()
    await now(system.actor(bell, 'a').ask.set({ name: 'x', delayMs: 10_000 }))
    await now(system.actor(bell, 'b').ask.set({ name: 'x', delayMs: 20_000 }))
    await now(system.actor(bell, 'a').ask.clear({ name: 'x' }))
    await world.advance(HOUR)
    expect(tower.rings).toEqual([{ bell: 'b', name: 'x', at: 20_000 }])
  })

  test('G9 one that was cancelled does not ring, and cancelling what is not set does nothing', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await world.advance(9_999)
    await now(ref.ask.clear({ name: 'x' }))
    await now(ref.ask.clear({ name: 'nothing' }))
    await world.advance(HOUR)
    expect(tower.rings).toEqual([])
    world.crash()
    await open()
    await world.advance(HOUR)
    expect(tower.rings).toEqual([])
  })

  test('G9 ref.timers() lists what is set, by name', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    const start = world.clock.wall()
    await now(ref.ask.set({ name: 'b', delayMs: 10_000 }))
    await now(ref.ask.set({ name: 'a', everyMs: 60_000 }))
    await now(ref.ask.set({ name: 'c', everyMs: 30_000, repeat: 'fixed-delay', delayMs: 5_000 }))
    expect(await now(ref.timers())).toEqual([
      { name: 'a', dueAt: start + 60_000, everyMs: 60_000, event: { type: 'ring', name: 'a' } },
      { name: 'b', dueAt: start + 10_000, everyMs: 0, event: { type: 'ring', name: 'b' } },
      { name: 'c', dueAt: start + 5_000, everyMs: 30_000, event: { type: 'ring', name: 'c' } },
    ])
    await world.advance(10_000)
    await now(ref.ask.clear({ name: 'a' }))
    expect(await now(ref.timers())).toMatchObject([{ name: 'c', dueAt: start + 35_000 }])
  })

  test('G9 ref.timers() of an actor that was never changed is empty, and does not create it', async () => {
    const { open, now } = setUp()
    expect(await now((await open()).actor(bell, 'nobody').timers())).toEqual([])
  })
})

describe('a cancel beats a tick that is already queued', () => {
  test('G9 of two that are due in one batch, the first cancels the second', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'first', delayMs: 10_000, cancels: 'second' }))
    await now(ref.ask.set({ name: 'second', delayMs: 10_000, cancels: 'first' }))
    await world.advance(HOUR)
    expect(await now(ref.ask.rings())).toEqual(['first'])
    expect(await now(ref.timers())).toEqual([])
  })

  test('G9 the first sets the second anew: it rings at its new moment only', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'first', delayMs: 10_000, replaces: 'second' }))
    await now(ref.ask.set({ name: 'second', delayMs: 10_000 }))
    await world.advance(69_999)
    expect(await now(ref.ask.rings())).toEqual(['first'])
    await world.advance(1)
    expect(rungAt('second')).toEqual([])
    expect(rungAt('second again')).toEqual([70_000])
    await world.advance(HOUR)
    expect(tower.rings).toHaveLength(2)
  })

  test('G9 the first cancels a second that is periodic: it is gone', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'first', delayMs: 10_000, cancels: 'second' }))
    await now(ref.ask.set({ name: 'second', everyMs: 10_000 }))
    await world.advance(HOUR)
    expect(await now(ref.ask.rings())).toEqual(['first'])
    expect(await now(ref.timers())).toEqual([])
  })

  test('G9 also where all of them were overdue at the start', async () => {
    const { open, now, world, down } = setUp()
    const before = (await open()).actor(bell, 'a')
    await now(before.ask.set({ name: 'first', delayMs: 10_000, cancels: 'second' }))
    await now(before.ask.set({ name: 'second', delayMs: 20_000 }))
    world.crash()
    down(HOUR)
    const ref = (await open()).actor(bell, 'a')
    await world.advance(HOUR)
    expect(await now(ref.ask.rings())).toEqual(['first'])
  })

  test('G9 one that was set for its own name while its tick is handled rings once more, and not twice', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000, replaces: 'x' }))
    await world.advance(HOUR)
    expect(rungAt('x')).toEqual([10_000])
    expect(rungAt('x again')).toEqual([70_000])
  })

  test('G9 a commit that fails lets a tick wait, and the cancel in between wins', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await world.advance(9_999)
    world.disk.failCommits('full')
    await world.advance(30_000)
    expect(tower.rings).toEqual([])
    const clearing = ref.ask.clear({ name: 'x' })
    await world.clock.settle()
    world.disk.failCommits(undefined)
    await world.advance(HOUR)
    const isCleared = await clearing.then(() => true)
    // Whichever was first: it rings at most once, and not after the cancel.
    expect(isCleared).toBe(true)
    expect(tower.rings.length).toBeLessThanOrEqual(1)
    expect(await now(ref.ask.rings())).toHaveLength(tower.rings.length)
  })

  test('G9 a commit of a tick that fails is tried again: it rings once', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await now(ref.ask.set({ name: 'y', everyMs: 10_000 }))
    await world.advance(9_999)
    world.disk.failCommits('full')
    await world.advance(25_000)
    world.disk.failCommits(undefined)
    await world.advance(3_000)
    expect(await now(ref.ask.rings())).toEqual(['x', 'y'])
    expect(await now(ref.timers())).toMatchObject([{ name: 'y', dueAt: world.clock.wall() + 2_001 }])
  })

  test.each(Array.from({ length: 12 }, (_none, index) => index + 1))(
    'G9 a stale tick never resurrects a timer, however late the store answers (seed %i)',
    async (seed) => {
      let chance = seed * 7_919
      const rounds = (): number => (chance = (chance * 48_271) % 2_147_483_647) % 6
      const { open, now, world } = setUp({ wrapStore: (store) => laterStore(store, rounds) })
      const system = await open()
      const refs = Array.from({ length: 16 }, (_none, index) => system.actor(bell, `b${index}`))
      const setting = Promise.all(refs.map((ref) => ref.ask.set({ name: 'x', delayMs: 1_000 })))
      await world.advance(500)
      await setting
      // Cancels arrive around the moment, one after the other; once one is answered, nothing may ring any more.
      const ringsAtAnswer = new Map<string, number>()
      const cancels = refs.map(async (ref, index) => {
        // The alarm goes off twenty rounds after this: some come before it, some while the store is asked.
        await new Promise<void>((resolve) => world.clock.setTimer(resolve, 499.5))
        for (let turn = 0; turn < 10 + 2 * index; turn += 1) await new Promise((resolve) => setImmediate(resolve))
        await ref.ask.clear({ name: 'x' })
        ringsAtAnswer.set(`b${index}`, tower.rings.filter((ring) => ring.bell === `b${index}`).length)
      })
      for (let step = 0; step < 100; step += 1) await world.advance(10)
      await Promise.all(cancels)
      await world.advance(20_000)
      for (const [index, ref] of refs.entries()) {
        const rings = tower.rings.filter((ring) => ring.bell === `b${index}`).length
        expect(rings).toBe(ringsAtAnswer.get(`b${index}`))
        expect(await now(ref.ask.rings())).toHaveLength(rings)
      }
    },
  )

  test.each(Array.from({ length: 12 }, (_none, index) => index + 1))(
    'G9 a timer that is set anew around its moment rings once for each setting at most, and its last setting rings (seed %i)',
    async (seed) => {
      let chance = seed * 104_729
      const rounds = (): number => (chance = (chance * 48_271) % 2_147_483_647) % 6
      const { open, world } = setUp({ wrapStore: (store) => laterStore(store, rounds) })
      const system = await open()
      const refs = Array.from({ length: 16 }, (_none, index) => system.actor(bell, `b${index}`))
      const setting = Promise.all(refs.map((ref) => ref.ask.set({ name: 'x', delayMs: 1_000 })))
      await world.advance(500)
      await setting
      const ringsAtAnswer = new Map<string, number>()
      const settings = refs.map(async (ref, index) => {
        // The alarm goes off twenty rounds after this: some come before it, some while the store is asked.
        await new Promise<void>((resolve) => world.clock.setTimer(resolve, 499.5))
        for (let turn = 0; turn < 10 + 2 * index; turn += 1) await new Promise((resolve) => setImmediate(resolve))
        await ref.ask.set({ name: 'x', delayMs: 5_000 })
        ringsAtAnswer.set(`b${index}`, tower.rings.filter((ring) => ring.bell === `b${index}`).length)
      })
      for (let step = 0; step < 100; step += 1) await world.advance(10)
      await Promise.all(settings)
      const ringsOf = (index: number): number => tower.rings.filter((ring) => ring.bell === `b${index}`).length
      for (const index of refs.keys()) expect(ringsOf(index)).toBe(ringsAtAnswer.get(`b${index}`))
      for (let step = 0; step < 300; step += 1) await world.advance(100)
      for (const index of refs.keys()) expect(ringsOf(index)).toBe((ringsAtAnswer.get(`b${index}`) ?? 0) + 1)
    },
  )
})

test('G9 a timer that is cancelled while the store is being asked for what is due does not ring, however late the answer is', async () => {
  // The store reads at once, as of then, and takes its time to say so; meanwhile the timer is cancelled.
  let meanwhile = (): void => undefined
  const stale = (store: ShardStore): ShardStore => ({
    ...laterStore(store, () => 0),
    dueTimers: async (now, limit) => {
      const found = await store.dueTimers(now, limit)
      if (found.length > 0) meanwhile()
      for (let round = 0; round < 10; round += 1) await new Promise((resolve) => setImmediate(resolve))
      return found
    },
  })
  const { open, now, world, rungAt } = setUp({ wrapStore: stale })
  const ref = (await open()).actor(bell, 'a')
  await now(ref.ask.set({ name: 'x', delayMs: 1_000 }))
  let isCancelled = false
  meanwhile = () => {
    meanwhile = () => undefined
    void ref.ask.clear({ name: 'x' }).then(() => {
      isCancelled = true
    })
  }
  await world.advance(HOUR)
  expect(isCancelled).toBe(true)
  expect(rungAt('x')).toEqual([])
})

describe('periodic timers', () => {
  test('G9 at a fixed rate ring on their grid, the first after one period', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await world.advance(777)
    await now(ref.ask.set({ name: 'x', everyMs: 60_000 }))
    await world.advance(300_000)
    expect(rungAt('x')).toEqual([60_777, 120_777, 180_777, 240_777, 300_777])
  })

  test('G9 the first tick may be given, and the grid is its own', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', everyMs: 60_000, delayMs: 5_000 }))
    await now(ref.ask.set({ name: 'y', everyMs: 60_000, at: world.clock.wall() + 10_000 }))
    await world.advance(130_000)
    expect(rungAt('x')).toEqual([5_000, 65_000, 125_000])
    expect(rungAt('y')).toEqual([10_000, 70_000, 130_000])
  })

  test.each(['closed', 'crashed'])('G9 ticks that were missed while the system was %s for ten periods come as one', async (how) => {
    const { open, now, world, down, rungAt } = setUp()
    const first = await open()
    await now(first.actor(bell, 'a').ask.set({ name: 'x', everyMs: 60_000 }))
    await world.advance(90_000)
    expect(rungAt('x')).toEqual([60_000])
    if (how === 'closed') await now(first.close())
    else world.crash()
    down(605_000)
    await open()
    await world.advance(0)
    expect(rungAt('x')).toEqual([60_000, 695_000])
    await world.advance(130_000)
    expect(rungAt('x')).toEqual([60_000, 695_000, 720_000, 780_000])
  })

  test('G9 with a fixed delay the period begins when the tick before was handled', async () => {
    const { open, now, world, down, rungAt } = setUp()
    await now((await open()).actor(bell, 'a').ask.set({ name: 'x', everyMs: 60_000, repeat: 'fixed-delay' }))
    await world.advance(130_000)
    expect(rungAt('x')).toEqual([60_000, 120_000])
    world.crash()
    down(65_000)
    await open()
    await world.advance(0)
    expect(rungAt('x')).toEqual([60_000, 120_000, 195_000])
    await world.advance(60_000)
    expect(rungAt('x')).toEqual([60_000, 120_000, 195_000, 255_000])
  })

  test('G9 may be cancelled from their own handler', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', everyMs: 10_000, cancels: 'x' }))
    await world.advance(HOUR)
    expect(rungAt('x')).toEqual([10_000])
    expect(await now(ref.timers())).toEqual([])
  })

  test('G9 do not ring twice for one tick where the commit of it is cut off by a crash', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', everyMs: 10_000 }))
    await world.advance(9_999)
    world.disk.failCommits('full')
    await world.advance(1)
    world.crash()
    world.disk.failCommits(undefined)
    const again = (await open()).actor(bell, 'a')
    await world.advance(0)
    expect(await now(again.ask.rings())).toEqual(['x'])
    await world.advance(10_000)
    expect(await now(again.ask.rings())).toEqual(['x', 'x'])
  })
})

describe('restarts', () => {
  test('G9 nothing rings between a crash of the process and the next start', async () => {
    const { open, now, world, rungAt } = setUp()
    await now((await open()).actor(bell, 'a').ask.set({ name: 'x', everyMs: 60_000 }))
    world.crash()
    await world.advance(HOUR + 1)
    expect(rungAt('x')).toEqual([])
    await open()
    await world.advance(0)
    expect(rungAt('x')).toEqual([HOUR + 1])
  })

  test('G9 timers that are overdue ring once each after a restart', async () => {
    const { open, now, world, down } = setUp()
    const system = await open()
    for (let index = 0; index < 20; index += 1) {
      await now(system.actor(bell, `b${index}`).ask.set({ name: 'x', delayMs: 10_000 + index }))
    }
    world.crash()
    down(HOUR)
    const again = await open()
    await world.advance(HOUR)
    expect(tower.rings).toHaveLength(20)
    for (let index = 0; index < 20; index += 1) expect(await now(again.actor(bell, `b${index}`).ask.rings())).toEqual(['x'])
  })

  test('G9 fifty crashes in a row multiply neither timers nor rings', async () => {
    const { open, now, world, rungAt } = setUp()
    const system = await open()
    await now(system.actor(bell, 'a').ask.set({ name: 'once', delayMs: 600_000 }))
    await now(system.actor(bell, 'a').ask.set({ name: 'often', everyMs: 7_000 }))
    await now(system.actor(bell, 'a').ask.arm())
    await now(system.actor(bell, 'a').ask.raiseLater())
    let last = system
    for (let crash = 0; crash < 50; crash += 1) {
      await world.advance(1_000)
      world.crash()
      last = await open()
    }
    const ref = last.actor(bell, 'a')
    expect((await now(ref.timers())).map(({ name }) => name).toSorted()).toEqual(
      expect.arrayContaining(['often', 'once', 'raised']) as unknown,
    )
    expect(await now(ref.timers())).toHaveLength(4)
    expect(rungAt('often')).toEqual([7_000, 14_000, 21_000, 28_000, 35_000, 42_000, 49_000])
    await world.advance(650_000)
    expect(rungAt('once')).toEqual([600_000])
    expect(rungAt('raised')).toEqual([60_000])
    expect(rungAt('often')).toEqual(Array.from({ length: 100 }, (_none, index) => (index + 1) * 7_000))
  })

  test('G9 fifty crashes of the threads alone multiply nothing either', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'often', everyMs: 7_000 }))
    for (let crash = 0; crash < 50; crash += 1) {
      await world.advance(60_000)
      world.crashThreads()
    }
    await world.advance(60_000)
    const at = rungAt('often')
    expect(new Set(at).size).toBe(at.length)
    expect(at.every((moment, index) => index === 0 || moment - (at[index - 1] ?? 0) >= 1)).toBe(true)
    expect(at.length).toBeLessThanOrEqual(Math.floor(world.clock.elapsed() / 7_000))
    expect(await now(ref.timers())).toHaveLength(1)
  })

  /** Sets timers of every kind, lets 20 s pass with a commit at 15 s, crashes, and opens again after an hour. */
  async function crashAfter20s(
    definition: typeof bell | typeof remainingBell | typeof restartBell,
  ): Promise<Place & { readonly state: () => Promise<unknown> }> {
    const place = setUp()
    const { open, now, world, down } = place
    const ref = (await open()).actor(definition as typeof bell, 'a')
    await now(ref.ask.set({ name: 'named', delayMs: 60_000 }))
    await now(ref.ask.arm())
    await now(ref.ask.raiseLater())
    await world.advance(15_000)
    await now(ref.ask.touch())
    await world.advance(5_000)
    world.crash()
    down(HOUR)
    const again = (await open()).actor(definition as typeof bell, 'a')
    return { ...place, state: () => now(again.ask.state()) }
  }

  test('G9 with the policy deadline every timer keeps its moment', async () => {
    const { world, rungAt, state } = await crashAfter20s(bell)
    await world.advance(0)
    expect(rungAt('named')).toEqual([HOUR + 20_000])
    expect(rungAt('raised')).toEqual([HOUR + 20_000])
    expect(await state()).toBe('rung')
  })

  test('G9 with the policy remaining every timer goes on with what was left at the last commit', async () => {
    const { world, rungAt, state } = await crashAfter20s(remainingBell)
    // At the last commit, after 15 s, each had 45 s left.
    await world.advance(44_999)
    expect(tower.rings).toEqual([])
    expect(await state()).toBe('armed')
    await world.advance(1)
    expect(rungAt('named')).toEqual([HOUR + 65_000])
    expect(rungAt('raised')).toEqual([HOUR + 65_000])
    expect(await state()).toBe('rung')
  })

  test('G9 with the policy restart every timer begins its delay anew', async () => {
    const { world, rungAt, state } = await crashAfter20s(restartBell)
    await world.advance(59_999)
    expect(tower.rings).toEqual([])
    expect(await state()).toBe('armed')
    await world.advance(1)
    expect(rungAt('named')).toEqual([HOUR + 80_000])
    expect(rungAt('raised')).toEqual([HOUR + 80_000])
    expect(await state()).toBe('rung')
  })

  test('G9 onRestart of one timer goes before the policy of its actor', async () => {
    const { open, now, world, down, rungAt } = setUp()
    const before = (await open()).actor(restartBell, 'a')
    await now(before.ask.set({ name: 'deadline', delayMs: 60_000, onRestart: 'deadline' }))
    await now(before.ask.set({ name: 'remaining', delayMs: 60_000, onRestart: 'remaining' }))
    await now(before.ask.set({ name: 'restart', delayMs: 60_000 }))
    await world.advance(15_000)
    await now(before.ask.touch())
    await world.advance(5_000)
    world.crash()
    down(10_000)
    await open()
    await world.advance(HOUR)
    expect([rungAt('deadline'), rungAt('remaining'), rungAt('restart')]).toEqual([[60_000], [75_000], [90_000]])
  })

  test('G9 with the policy remaining a system that is crashed again and again goes on where it was', async () => {
    const { open, now, world, down, rungAt } = setUp()
    await now((await open()).actor(remainingBell, 'a').ask.set({ name: 'x', delayMs: 60_000 }))
    for (let crash = 0; crash < 5; crash += 1) {
      world.crash()
      down(HOUR)
      await open()
      await world.advance(0)
    }
    await world.advance(59_999)
    expect(rungAt('x')).toEqual([])
    await world.advance(1)
    expect(rungAt('x')).toHaveLength(1)
  })

  test('G9 the policies hold for a system that was closed, too', async () => {
    const { open, now, world, down, rungAt } = setUp()
    const first = await open()
    await now(first.actor(remainingBell, 'a').ask.set({ name: 'remaining', delayMs: 60_000 }))
    await now(first.actor(restartBell, 'b').ask.set({ name: 'restart', delayMs: 60_000 }))
    await now(first.actor(bell, 'c').ask.set({ name: 'deadline', delayMs: 60_000 }))
    await now(first.close())
    down(HOUR)
    await open()
    await world.advance(HOUR)
    expect([rungAt('deadline'), rungAt('remaining'), rungAt('restart')]).toEqual([[HOUR], [HOUR + 60_000], [HOUR + 60_000]])
  })

  test('G9 an `at` that is set with the policy restart begins its delay, counted from when it was set, anew', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(restartBell, 'a')
    await now(ref.ask.set({ name: 'x', at: world.clock.wall() + 30_000 }))
    await world.advance(20_000)
    world.crash()
    await open()
    await world.advance(29_999)
    expect(rungAt('x')).toEqual([])
    await world.advance(1)
    expect(rungAt('x')).toEqual([50_000])
  })
})

describe('wall clocks that jump', () => {
  /** A little later than the elapsed time without a jump: time goes on at nearly its pace. */
  const near = (at: number, sinceJump: number): number => at + Math.ceil(sinceJump * 0.002) + 20

  test('G9 after a jump back by an hour timers that were set before still ring after their time', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await now(ref.ask.set({ name: 'y', delayMs: 600_000 }))
    await now(ref.ask.set({ name: 'z', everyMs: 100_000 }))
    await world.advance(1_000)
    world.clock.jump(-HOUR)
    await world.advance(2 * 600_000)
    expect(rungAt('x')).toHaveLength(1)
    expect(rungAt('x')[0]).toBeGreaterThanOrEqual(10_000)
    expect(rungAt('x')[0]).toBeLessThanOrEqual(near(10_000, 10_000))
    expect(rungAt('y')[0]).toBeGreaterThanOrEqual(600_000)
    expect(rungAt('y')[0]).toBeLessThanOrEqual(near(600_000, 600_000))
    expect(rungAt('z').length).toBeGreaterThanOrEqual(11)
    expect(rungAt('z').length).toBeLessThanOrEqual(12)
  })

  test('G9 after a jump back by an hour timers that are set then ring after their time', async () => {
    const { open, now, world, rungAt } = setUp()
    const system = await open()
    const ref = system.actor(bell, 'a')
    await now(ref.ask.touch())
    await world.advance(1_000)
    world.clock.jump(-HOUR)
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await now(ref.ask.arm())
    await world.advance(120_000)
    expect(rungAt('x')).toHaveLength(1)
    expect(rungAt('x')[0]).toBeGreaterThanOrEqual(11_000)
    expect(rungAt('x')[0]).toBeLessThanOrEqual(near(11_000, 10_000))
    expect(await now(ref.ask.state())).toBe('rung')
  })

  test('G9 after a jump forward overdue timers ring within ten seconds', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'x', delayMs: HOUR }))
    await now(ref.ask.set({ name: 'z', everyMs: 60_000 }))
    await world.advance(1_000)
    world.clock.jump(HOUR)
    await world.advance(10_000)
    expect(rungAt('x')).toHaveLength(1)
    expect(rungAt('x')[0]).toBeLessThanOrEqual(11_000)
    expect(rungAt('z')).toHaveLength(1)
  })

  test('G9 after a jump forward that is taken back, timers go on', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(bell, 'a')
    await now(ref.ask.set({ name: 'z', everyMs: 60_000 }))
    world.clock.jump(HOUR)
    await world.advance(15_000)
    world.clock.jump(-HOUR)
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await world.advance(130_000)
    expect(rungAt('x')).toHaveLength(1)
    expect(rungAt('x')[0]).toBeLessThanOrEqual(near(25_000, 10_000))
    expect(rungAt('z').length).toBeGreaterThanOrEqual(2)
  })

  test('G9 a jump back while nothing runs does not silence a timer, nor lets it ring early', async () => {
    const { open, now, world, rungAt } = setUp()
    await now((await open()).actor(bell, 'a').ask.set({ name: 'x', delayMs: 10_000 }))
    world.crash()
    world.clock.jump(-HOUR)
    await open()
    await world.advance(9_999)
    expect(rungAt('x')).toEqual([])
    await world.advance(100)
    expect(rungAt('x')).toHaveLength(1)
  })

  test.each([
    ['remaining', remainingBell],
    ['restart', restartBell],
  ] as const)('G9 with the policy %s a restart after a jump back does not let a timer ring early', async (_policy, definition) => {
    const { open, now, world, rungAt } = setUp()
    await now((await open()).actor(definition, 'a').ask.set({ name: 'x', delayMs: 60_000 }))
    await world.advance(1_000)
    world.crash()
    world.clock.jump(-HOUR)
    await open()
    await world.advance(58_000)
    expect(rungAt('x')).toEqual([])
    await world.advance(10_000)
    expect(rungAt('x')).toHaveLength(1)
  })
})

describe('bad arguments', () => {
  test.each([
    ['name', '', { event: 'ring', delayMs: 1 }],
    ['name', 7, { event: 'ring', delayMs: 1 }],
    ['name', '~mine', { event: 'ring', delayMs: 1 }],
    ['name', 'x'.repeat(201), { event: 'ring', delayMs: 1 }],
    ['delayMs', 'x', { event: 'ring' }],
    ['delayMs', 'x', { event: 'ring', delayMs: -1 }],
    ['delayMs', 'x', { event: 'ring', delayMs: '5' }],
    ['at', 'x', { event: 'ring', at: 'tomorrow' }],
    ['at', 'x', { event: 'ring', at: -5 }],
    ['at', 'x', { event: 'ring', at: 5, delayMs: 5 }],
    ['everyMs', 'x', { event: 'ring', everyMs: 0 }],
    ['everyMs', 'x', { event: 'ring', everyMs: 'often' }],
    ['repeat', 'x', { event: 'ring', delayMs: 1, repeat: 'fixed-rate' }],
    ['repeat', 'x', { event: 'ring', everyMs: 1_000, repeat: 'sometimes' }],
    ['onRestart', 'x', { event: 'ring', delayMs: 1, onRestart: 'forget' }],
    ['event', 'x', { event: '', delayMs: 1 }],
    ['event', 'x', { delayMs: 1 }],
    ['event', 'x', { event: { name: 'no type' }, delayMs: 1 }],
  ])('G9 a bad %s fails the command with a message that names it (%j, %j)', async (field, name, timer) => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(bell, 'a')
    const ask = now(ref.ask.setRaw({ name, timer }))
    // As a word of its own, so that `at` is not found in "that".
    await expect(ask).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringMatching(new RegExp(`(^|[^a-zA-Z])${field}([^a-zA-Z]|$)`)) as unknown,
    })
    expect(await now(ref.ask.touched())).toBe(0)
    expect(await now(ref.timers())).toEqual([])
    await world.advance(60_000)
    expect(tower.rings).toEqual([])
  })
})

describe('timers of volatile actors', () => {
  test('G9 ring in memory, once, at their moment', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(ghostBell, 'g')
    await now(ref.ask.set({ name: 'x', delayMs: 60_000 }))
    await now(ref.ask.set({ name: 'at', at: world.clock.wall() + 30_000 }))
    await world.advance(59_999)
    expect(rungAt('x')).toEqual([])
    await world.advance(HOUR)
    expect(rungAt('x')).toEqual([60_000])
    expect(rungAt('at')).toEqual([30_000])
  })

  test('G9 are replaced and cancelled by name', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(ghostBell, 'g')
    await now(ref.ask.set({ name: 'x', delayMs: 10_000 }))
    await now(ref.ask.set({ name: 'x', delayMs: 20_000 }))
    await now(ref.ask.set({ name: 'y', delayMs: 20_000 }))
    await now(ref.ask.clear({ name: 'y' }))
    await world.advance(HOUR)
    expect(tower.rings).toEqual([{ bell: 'g', name: 'x', at: 20_000 }])
  })

  test.each(['fixed-rate', 'fixed-delay'] as const)('G9 repeat (%s), until their own handler cancels them', async (repeat) => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(ghostBell, 'g')
    await now(ref.ask.set({ name: 'x', everyMs: 10_000, repeat }))
    await world.advance(35_000)
    expect(rungAt('x')).toEqual([10_000, 20_000, 30_000])
    await now(ref.ask.set({ name: 'x', everyMs: 10_000, repeat, cancels: 'x' }))
    await world.advance(HOUR)
    expect(rungAt('x')).toEqual([10_000, 20_000, 30_000, 45_000])
  })

  test('G9 the first of two that are due at once cancels the second', async () => {
    const { open, now, world } = setUp()
    const ref = (await open()).actor(ghostBell, 'g')
    await now(ref.ask.set({ name: 'first', delayMs: 10_000, cancels: 'second' }))
    await now(ref.ask.set({ name: 'second', delayMs: 10_000 }))
    await world.advance(HOUR)
    expect(tower.rings.map(({ name }) => name)).toEqual(['first'])
  })

  test('G9 a jump of the wall clock does not touch a delay', async () => {
    const { open, now, world, rungAt } = setUp()
    const ref = (await open()).actor(ghostBell, 'g')
    await now(ref.ask.set({ name: 'x', delayMs: 60_000 }))
    world.clock.jump(-HOUR)
    await world.advance(60_000)
    expect(rungAt('x')).toEqual([60_000])
  })
})

describe('many', () => {
  test('G9 10,000 timers of 1,000 actors ring exactly once each, with a handful of alarms on the clock', { timeout: 30_000 }, async () => {
    const { open, world } = setUp({ shards: 3 })
    const system = await open()
    const setting: Promise<void>[] = []
    for (let actor = 0; actor < 1_000; actor += 1) {
      for (let timer = 0; timer < 10; timer += 1) {
        setting.push(
          system
            .actor(bell, `b${actor}`)
            .ask.set({ name: `t${timer}`, delayMs: 60_000 + ((actor * 7 + timer * 13) % 100) * 500 }, { timeoutMs: 600_000 }),
        )
      }
    }
    await Promise.all(setting)
    // A shard has its alarms and sweeps; a timer of an actor has none of its own.
    expect(world.clock.timers).toBeLessThan(50)
    expect(tower.rings).toEqual([])
    for (let step = 0; step < 1_400; step += 1) await world.advance(100)
    expect(tower.rings).toHaveLength(10_000)
    expect(new Set(tower.rings.map((ring) => `${ring.bell} ${ring.name}`)).size).toBe(10_000)
    expect(world.clock.timers).toBeLessThan(50)
  })
})
