/** G11: when a thread is replaced, when it is given up, and who is accused. On threads of the test's own, in virtual time. */
import type { OpenSystemOptions, System } from '@bailiwick/kernel'
import { Gauge, nodeSeams, openSystemOn } from '@bailiwick/kernel/seams'
import type { Clock, ShardThread, ThreadPlan, Transport } from '@bailiwick/kernel/seams'
import { createMemoryDisk, openMemoryDirectory } from '@bailiwick/store'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../src/index.ts'
import { codeOf } from './code-of.ts'
import { counter } from './fixtures.ts'

type How = NonNullable<Awaited<ShardThread['ended']>>['how']
type Threads = NonNullable<NonNullable<OpenSystemOptions['supervision']>['threads']>

/** A thread that does what the test says. */
class FakeThread implements ShardThread {
  readonly plan: ThreadPlan
  readonly transports: readonly Transport[]
  readonly gauges: readonly Float64Array[]
  readonly #ready = Promise.withResolvers<undefined>()
  readonly #ended = Promise.withResolvers<Awaited<ShardThread['ended']>>()
  readonly ready: Promise<void> = this.#ready.promise
  readonly ended: ShardThread['ended'] = this.#ended.promise
  loading: ShardThread['loading']
  isBeating = true
  isTerminated = false
  #beats = 0

  constructor(plan: ThreadPlan) {
    this.plan = plan
    const nothing = (): undefined => undefined
    this.transports = plan.shards.map(() => ({
      send: nothing,
      poll: nothing,
      pollUrgent: nothing,
      onText: nothing,
      close: nothing,
      isClosed: false,
    }))
    this.gauges = plan.shards.map(() => new Float64Array(64))
    this.ready.catch(nothing)
  }

  beat(): number {
    if (this.isBeating) this.#beats += 1
    return this.#beats
  }

  start(): void {
    this.#ready.resolve(undefined)
  }

  refuse(reason: string): void {
    this.#ready.reject(new Error(reason))
  }

  die(reason: string, how: How = 'failed'): void {
    this.#ready.reject(new Error(reason))
    this.#ended.resolve({ how, error: new Error(reason) })
  }

  terminate(): Promise<void> {
    this.isTerminated = true
    this.#ended.resolve(undefined)
    return Promise.resolve()
  }
}

interface Scene {
  readonly clock: VirtualClock
  readonly system: System
  readonly threads: readonly FakeThread[]
  /** The thread that was started last. */
  readonly latest: () => FakeThread
  /** Whether no other thread will come. */
  readonly isGivenUp: () => Promise<boolean>
}

const QUICK: Threads = { backoff: { minMs: 1, maxMs: 1 } }

/** Opens a system of one shard on threads of the test. */
async function openScene(supervision: Threads = QUICK, clockOf: (clock: VirtualClock) => Clock = (clock) => clock): Promise<Scene> {
  const clock = new VirtualClock()
  const disk = createMemoryDisk({ shards: 1 })
  const threads: FakeThread[] = []
  const opening = openSystemOn(
    {
      ...nodeSeams,
      clock: clockOf(clock),
      stores: {
        ...nodeSeams.stores,
        openDirectory: () => {
          const owned = openMemoryDirectory(disk, { now: () => clock.wall() })
          return {
            directory: 'memory',
            epoch: owned.epoch,
            shardCount: owned.shardCount,
            shard: (index) => ({ file: `memory-${index}`, index, ownerEpoch: owned.epoch, synchronous: 'full' }),
            release: () => owned.release(),
          }
        },
      },
      startThread: (plan) => {
        const thread = new FakeThread(plan)
        threads.push(thread)
        // The first one starts at once: the system is opened.
        if (threads.length === 1) thread.start()
        return thread
      },
    },
    { directory: 'memory', actors: [counter], supervision: { threads: supervision } },
  )
  await clock.settle()
  const system = await opening
  onTestFinished(async () => {
    const closing = system.close({ timeoutMs: 0 })
    await clock.advance(1)
    await closing
  })
  const latest = (): FakeThread => {
    const thread = threads.at(-1)
    if (thread === undefined) throw new Error('There is no thread.')
    return thread
  }
  return {
    clock,
    system,
    threads,
    latest,
    isGivenUp: async () => {
      const asked = codeOf(system.actor(counter, 'a').ask.add({ n: 1 }, { timeoutMs: 1 }))
      await clock.advance(2)
      return (await asked) === 'SHARD_CRASHED'
    },
  }
}

describe('G11 the window of deaths slides, and its end is part of it', () => {
  /** Kills the thread at these moments, in seconds; answers at which of them it was given up. */
  async function givenUpAt(moments: readonly number[], supervision: Threads): Promise<number | undefined> {
    const { clock, latest, threads } = await openScene({ ...supervision, backoff: { minMs: 1, maxMs: 1 } })
    const began = clock.elapsed()
    for (const moment of moments) {
      await clock.advance(began + moment * 1_000 - clock.elapsed())
      const before = threads.length
      latest().die('killed')
      await clock.advance(1)
      if (threads.length === before) return moment
      latest().start()
    }
    return undefined
  }

  test.each([
    [[0, 9, 11, 18], 18],
    [[0, 9, 11, 20], undefined],
    [[0, 5, 10], 10],
    [[0, 5, 10.001], undefined],
    [[0, 1, 2], 2],
    [[0, 8, 16, 24, 32], undefined],
  ])('G11 2 within 10 s: deaths at %j s are one too many at %s', async (moments, expected) => {
    expect(await givenUpAt(moments, { maxRestarts: 2, withinMs: 10_000 })).toBe(expected)
  })

  test('G11 no death is survived where none is allowed, any number where the number has no end', async () => {
    expect(await givenUpAt([3], { maxRestarts: 0 })).toBe(3)
    const often = Array.from({ length: 50 }, (_none, index) => index)
    expect(await givenUpAt(often, { maxRestarts: Infinity })).toBeUndefined()
  })

  test('G11 a start that fails is a death', async () => {
    const { clock, isGivenUp, latest, threads } = await openScene({ ...QUICK, maxRestarts: 2 })
    latest().die('killed')
    await clock.advance(1)
    latest().refuse('no start')
    await clock.advance(1)
    expect(threads).toHaveLength(3)
    expect(threads[1]?.isTerminated).toBe(true)
    latest().die('died while it started')
    await clock.advance(1_000)
    expect(threads).toHaveLength(3)
    expect(await isGivenUp()).toBe(true)
  })
})

describe('G11 nothing restarts in a tight loop', () => {
  test('G11 each wait is twice the one before, up to the longest, and the first again after a quiet window', async () => {
    const { clock, latest, threads } = await openScene({ maxRestarts: 10, withinMs: 60_000, backoff: { minMs: 100, maxMs: 500 } })
    const waits: number[] = []
    const measure = async (): Promise<void> => {
      const before = threads.length
      latest().die('killed')
      for (let ms = 0; threads.length === before; ms += 1) {
        await clock.advance(1)
        if (threads.length > before) waits.push(ms + 1)
      }
      latest().start()
    }
    for (let death = 0; death < 5; death += 1) await measure()
    await clock.advance(60_001)
    await measure()
    expect(waits).toEqual([100, 200, 400, 500, 500, 100])
  })

  test('G11 the next thread is not started before the last one has ended', async () => {
    const { clock, latest, system, threads } = await openScene({ ...QUICK, hangMs: 1_000 })
    const ending = Promise.withResolvers<undefined>()
    latest().isBeating = false
    latest().terminate = () => ending.promise
    const asked = codeOf(system.actor(counter, 'a').ask.add({ n: 1 }))
    await clock.advance(2_500)
    // Callers are told at once, although the thread does not end.
    expect(await asked).toBe('SHARD_CRASHED')
    expect(threads).toHaveLength(1)
    ending.resolve(undefined)
    await clock.advance(10)
    expect(threads).toHaveLength(2)
  })

  test('G11 G13 a thread that cannot be ended is left behind: another takes its place, and closing returns', async () => {
    const { clock, latest, system, threads } = await openScene({ ...QUICK, hangMs: 1_000 })
    const stuck = latest()
    stuck.isBeating = false
    stuck.terminate = () => new Promise(() => undefined)
    await clock.advance(10_000)
    expect(threads).toHaveLength(2)
    latest().terminate = () => new Promise(() => undefined)
    const closing = system.close({ mode: 'now' })
    await clock.advance(5_000)
    expect(await closing).toMatchObject({ outcome: 'forced' })
  })
})

describe('G11 a thread hangs if its beat does not move for long enough', () => {
  test('G11 and not a moment sooner', async () => {
    const { clock, latest } = await openScene({ ...QUICK, hangMs: 1_000 })
    const thread = latest()
    await clock.advance(60_000)
    for (let pause = 0; pause < 3; pause += 1) {
      thread.isBeating = false
      await clock.advance(900)
      thread.isBeating = true
      await clock.advance(200)
    }
    thread.isBeating = false
    await clock.advance(900)
    expect(thread.isTerminated).toBe(false)
    await clock.advance(200)
    expect(thread.isTerminated).toBe(true)
  })

  test('G11 a process that was stopped for a day accuses nobody', async () => {
    let stoppedMs = 0
    const { clock, latest } = await openScene({ ...QUICK, hangMs: 1_000 }, (virtual) => ({
      wall: () => virtual.wall() + stoppedMs,
      elapsed: () => virtual.elapsed() + stoppedMs,
      setTimer: (callback, delayMs) => virtual.setTimer(callback, delayMs),
    }))
    for (let stop = 0; stop < 5; stop += 1) {
      // All that is due meanwhile fires once, before the thread has had a chance to go on.
      latest().isBeating = false
      await clock.advance(300)
      stoppedMs += 86_400_000
      await clock.advance(300)
      latest().isBeating = true
      await clock.advance(200)
    }
    expect(latest().isTerminated).toBe(false)
  })

  test('G11 while it starts it may stand still for as long as a start may take', async () => {
    const { clock, latest, threads } = await openScene({ ...QUICK, hangMs: 1_000, startMs: 20_000 })
    latest().die('killed')
    await clock.advance(1)
    latest().isBeating = false
    await clock.advance(19_000)
    expect(latest().isTerminated).toBe(false)
    latest().isBeating = true
    latest().start()
    await clock.advance(20_000)
    expect(threads).toHaveLength(2)
    expect(latest().isTerminated).toBe(false)
  })

  test.each([
    ['what it was loading is named', { type: 'tardy', module: 'file:///tardy.ts' }, /"tardy" from file:\/\/\/tardy\.ts/],
    ['says so, if it had loaded everything', undefined, /^it did not start within 2000 ms$/],
  ])('G11 one that does not start in time is replaced, and %s', async (_what, loading, reason) => {
    const { clock, isGivenUp, latest, system, threads } = await openScene({ ...QUICK, maxRestarts: 1, startMs: 2_000 })
    latest().die('killed')
    await clock.advance(1)
    latest().loading = loading
    await clock.advance(3_000)
    expect(threads[1]?.isTerminated).toBe(true)
    expect(await isGivenUp()).toBe(true)
    await expect(system.actor(counter, 'a').ask.add({ n: 1 })).rejects.toMatchObject({
      isFinal: true,
      reason: expect.stringMatching(reason) as string,
    })
  })
})

describe('G11 who is accused of a death', () => {
  /** What the thread serves, as its counters say it. */
  function serve(thread: FakeThread, what: { readonly call?: number; readonly sequence?: number; readonly generation?: number }): void {
    const [values] = thread.gauges
    if (values === undefined) throw new Error('The thread has no shard.')
    values[Gauge.isServing] = 1
    values[Gauge.servingCall] = what.call ?? 0
    values[Gauge.servingSequence] = what.sequence ?? 0
    values[Gauge.servingGeneration] = what.generation ?? 0
  }

  /** Lets threads die one after the other; answers what the one after them is told. */
  async function planAfter(
    deaths: readonly (readonly [how: How, what: Parameters<typeof serve>[1] | undefined])[],
  ): Promise<Pick<ThreadPlan, 'poison' | 'isCareful'>> {
    const { clock, latest } = await openScene({ ...QUICK, maxRestarts: Infinity })
    for (const [how, what] of deaths) {
      if (what !== undefined) serve(latest(), what)
      latest().die('killed', how)
      await clock.advance(1)
      latest().start()
      await clock.settle()
    }
    const { isCareful, poison } = latest().plan
    return { isCareful, poison }
  }

  const reason = 'killed while it served stored command 7'

  test.each([['hung'], ['exited']] as const)('G11 a stored command whose thread %s is poison at once', async (how) => {
    expect(await planAfter([[how, { sequence: 7 }]])).toEqual({ isCareful: false, poison: [{ shard: 0, sequence: 7, reason }] })
  })

  test('G11 one whose thread failed is poison after its second death, whatever died in between', async () => {
    expect(await planAfter([['failed', { sequence: 7 }]])).toEqual({ isCareful: false, poison: [] })
    const deaths = [
      ['failed', { sequence: 7 }],
      ['failed', { sequence: 8 }],
      ['failed', undefined],
      ['failed', { sequence: 7 }],
    ] as const
    expect(await planAfter(deaths)).toEqual({ isCareful: false, poison: [{ shard: 0, sequence: 7, reason }] })
  })

  test('G11 a timer is poison like a stored command, and a number of the one is none of the other', async () => {
    expect(await planAfter([['hung', { generation: 7 }]])).toEqual({
      isCareful: false,
      poison: [{ shard: 0, generation: 7, reason: 'killed while it served timer 7' }],
    })
    const deaths = [
      ['failed', { generation: 7 }],
      ['failed', { sequence: 7 }],
    ] as const
    expect(await planAfter(deaths)).toEqual({ isCareful: false, poison: [] })
  })

  test('G11 poison stays for as long as the system is open, but no more than 1,000 of it', async () => {
    const deaths = Array.from({ length: 1_001 }, (_none, index) => ['hung', { sequence: index + 1 }] as const)
    const { poison } = await planAfter(deaths)
    expect(poison).toHaveLength(1_000)
    expect(poison[0]?.sequence).toBe(2)
  })

  test('G11 after what has no number the next thread is careful, and the one after that no more', async () => {
    expect(await planAfter([['hung', {}]])).toEqual({ isCareful: true, poison: [] })
    expect(
      await planAfter([
        ['hung', {}],
        ['hung', { sequence: 7 }],
      ]),
    ).toEqual({ isCareful: false, poison: [{ shard: 0, sequence: 7, reason }] })
    expect(
      await planAfter([
        ['failed', {}],
        ['failed', undefined],
      ]),
    ).toEqual({ isCareful: false, poison: [] })
  })

  test('G11 an ask is told what it has done, and nothing is kept of it', async () => {
    const { clock, latest, system } = await openScene()
    const asked = system.actor(counter, 'a').ask.add({ n: 1 })
    const other = system.actor(counter, 'b').ask.add({ n: 1 })
    const expected = { code: 'SHARD_CRASHED', isFinal: false, reason: 'killed while it served counter/a add' }
    const told = Promise.all([asked, other].map((ask) => expect(ask).rejects.toMatchObject(expected)))
    await clock.settle()
    serve(latest(), { call: 1 })
    latest().die('killed', 'hung')
    await told
    await clock.advance(1)
    expect(latest().plan).toMatchObject({ isCareful: false, poison: [] })
  })
})

describe('counters over threads', () => {
  test('what was counted goes on, the greatest stays, and what is there now is what the present thread has', async () => {
    const { clock, latest, system } = await openScene()
    const count = (handled: number, residents: number, commitMsMax: number): void => {
      const [values] = latest().gauges
      if (values === undefined) return
      values[Gauge.handled] = handled
      values[Gauge.residentActors] = residents
      values[Gauge.commitMsMax] = commitMsMax
    }
    const seen = (): readonly number[] => {
      const { handled, residentActors, batches } = system.stats()
      return [handled, residentActors, batches.maxCommitMs]
    }
    count(5, 3, 9)
    expect(seen()).toEqual([5, 3, 9])
    latest().die('killed')
    await clock.settle()
    expect(seen()).toEqual([5, 0, 9])
    await clock.advance(1)
    latest().start()
    await clock.settle()
    count(2, 1, 4)
    expect(seen()).toEqual([7, 1, 9])
    latest().die('killed')
    await clock.advance(1)
    expect(seen()).toEqual([7, 0, 9])
  })
})
