/** Effects: at least once under one key, retried, timed out, cancelled, and found out about after a crash. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineEffect } from '@bailiwick/kernel'
import type { AnyEffectDefinition, EffectAttempt, EffectDefinitionOptions, System } from '@bailiwick/kernel'
import { z } from 'zod'
import { laterStore, TestWorld } from '../src/index.ts'
import type { TestSystemOptions, TestWorldOptions } from '../src/index.ts'
import { client, journaledClient, starter } from './chores.ts'
import type { Heard } from './chores.ts'
import { codeOf } from './code-of.ts'

const input = z.object({ n: z.number() })

type Input = z.infer<typeof input>
type Attempt = EffectAttempt<Input>
type EffectGiven = Partial<EffectDefinitionOptions<Input, Input, unknown>>

/** One call of `run`. */
interface Call {
  readonly n: number
  readonly key: string
  readonly attempt: number
  readonly signal: AbortSignal
  /** Elapsed time. */
  readonly at: number
}

interface Place {
  readonly world: TestWorld
  /** Calls of `run` of the effect `job`, in order. */
  readonly calls: Call[]
  readonly open: (options?: Partial<TestSystemOptions>) => Promise<System>
  /** Lets a promise settle while time stands still. */
  readonly now: <T>(promise: Promise<T>) => Promise<T>
  /** Lets an actor promise effects, and what follows at once. */
  readonly promise: (system: System, given: Parameters<ReturnType<typeof clientOf>['ask']['promise']>[0], key?: string) => Promise<void>
  readonly heard: (system: System, key?: string) => Promise<readonly Heard[]>
}

const clientOf = (system: System, key = 'c') => system.actor(client, key)

/** A world with the effect `job`, made of what is given, and more effects where wanted. */
function setUp(job: EffectGiven = {}, options: TestWorldOptions & { readonly others?: readonly AnyEffectDefinition[] } = {}): Place {
  const { others = [], ...worldOptions } = options
  const world = new TestWorld(worldOptions)
  const calls: Call[] = []
  const run: (attempt: Attempt) => unknown = job.run ?? (({ input: { n } }) => ({ twice: 2 * n }))
  const effect = defineEffect({
    name: 'job',
    module: import.meta.url,
    input,
    retry: { maxAttempts: 3, backoff: { minMs: 1_000, maxMs: 8_000, jitter: 0 } },
    timeoutMs: 5_000,
    ...job,
    run: (attempt: Attempt) => {
      calls.push({
        n: attempt.input.n,
        key: attempt.idempotencyKey,
        attempt: attempt.attempt,
        signal: attempt.signal,
        at: world.clock.elapsed(),
      })
      return run(attempt)
    },
  })
  onTestFinished(() => world.close())
  const now = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined)
    await world.advance(0)
    return await promise
  }
  return {
    world,
    calls,
    now,
    open: (given = {}) => world.open({ actors: [client, journaledClient, starter], effects: [effect, ...others], ...given }),
    promise: async (system, given, key) => {
      await now(clientOf(system, key).ask.promise(given))
      await world.advance(0)
    },
    heard: (system, key) => now(clientOf(system, key).ask.heard()),
  }
}

function fails(message = 'no luck'): () => never {
  return () => {
    throw new Error(message)
  }
}

/** Waits until it is aborted, and then fails. */
const hang = ({ signal }: Attempt): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

/** A promise, and what settles it. */
function gate<T>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => undefined
  const promise = new Promise<T>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('G10 every effect of many actors runs once, and each actor hears of its own', async () => {
    const { open, promise, heard, calls, world } = setUp({}, { shards })
    const system = await open()
    const keys = Array.from({ length: 12 }, (_none, index) => `c${index}`)
    for (const [index, key] of keys.entries()) await promise(system, { n: index * 10, times: 3 }, key)
    await world.advance(0)
    expect(calls).toHaveLength(36)
    expect(new Set(calls.map(({ key }) => key)).size).toBe(36)
    for (const [index, key] of keys.entries()) {
      const outputs = (await heard(system, key)).map(({ output }) => output)
      expect(outputs).toEqual([0, 1, 2].map((n) => ({ twice: 2 * (index * 10 + n) })))
    }
    expect(system.stats()).toMatchObject({ outbox: 0, effects: { running: 0, done: 36, failed: 0 } })
  })

  test('G10 a crash with effects on their way loses none, and each keeps its key', async () => {
    let isDown = true
    const { open, promise, heard, calls, world, now } = setUp(
      { run: (attempt) => (isDown ? hang(attempt) : attempt.input.n), concurrency: 2, timeoutMs: 60_000 },
      { shards },
    )
    const before = await open()
    const keys = Array.from({ length: 6 }, (_none, index) => `c${index}`)
    for (const [index, key] of keys.entries()) await promise(before, { n: index * 10, times: 3 }, key)
    const begun = new Map(calls.map(({ n, key }) => [n, key]))
    expect(begun.size).toBeGreaterThanOrEqual(2)
    world.crash()
    isDown = false
    calls.length = 0
    const after = await open()
    await now(Promise.resolve())
    await world.advance(0)
    expect(calls.map(({ n }) => n).toSorted((left, right) => left - right)).toEqual(
      keys.flatMap((_key, index) => [index * 10, index * 10 + 1, index * 10 + 2]),
    )
    for (const { n, key } of calls) if (begun.has(n)) expect(key).toBe(begun.get(n))
    for (const key of keys) expect(await heard(after, key)).toHaveLength(3)
    expect(after.stats().outbox).toBe(0)
  })
})

describe('never before the commit that promised it', () => {
  test('G10 a commit that takes its time delays the effect', async () => {
    let hold: Promise<unknown> | undefined
    const { open, calls, now, world } = setUp(
      {},
      {
        wrapStore: (store) => ({
          ...laterStore(store, () => 1),
          commit: async (batch) => {
            await hold
            return await store.commit(batch)
          },
        }),
      },
    )
    const system = await open()
    const { promise, open: release } = gate<unknown>()
    hold = promise
    const ask = clientOf(system).ask.promise({ n: 1 })
    await world.advance(3_000)
    expect(calls).toEqual([])
    hold = undefined
    release(undefined)
    await now(ask)
    await world.advance(0)
    expect(calls).toMatchObject([{ n: 1, attempt: 1 }])
  })

  test('G10 where the commit of its attempt takes its time, it does not begin before that either', async () => {
    const { promise: hold, open: release } = gate<unknown>()
    const { open, calls, world } = setUp(
      {},
      {
        wrapStore: (store) => ({
          ...laterStore(store, () => 1),
          commit: async (batch) => {
            if (batch.effectsClaimed.length > 0) await hold
            return await store.commit(batch)
          },
        }),
      },
    )
    const system = await open()
    const ask = clientOf(system).ask.promise({ n: 1 })
    await world.advance(1_000)
    await ask
    expect(calls).toEqual([])
    release(undefined)
    await world.advance(0)
    expect(calls).toHaveLength(1)
  })

  test('G10 a commit that fails means that the effect is never run', async () => {
    const { open, calls, heard, now, world } = setUp()
    const system = await open()
    world.disk.failCommits('full')
    expect(await now(codeOf(clientOf(system).ask.promise({ n: 1 })))).toBe('STORE_UNAVAILABLE')
    world.disk.failCommits(undefined)
    await world.advance(60_000)
    expect(calls).toEqual([])
    expect(await heard(system)).toEqual([])
    expect(system.stats().outbox).toBe(0)
  })
})

describe('its end', () => {
  test('G10 the result comes as an event with its output', async () => {
    const { open, promise, heard } = setUp()
    const system = await open()
    await promise(system, { n: 21 })
    expect(await heard(system)).toEqual([{ type: 'job.done', output: { twice: 42 } }])
    expect(await system.deadLetters.list()).toEqual([])
  })

  test('G10 the last failure comes as an event with its error, and is kept as a dead letter', async () => {
    const { open, promise, heard, world, calls, now } = setUp({ run: fails('the line is dead') })
    const system = await open()
    await promise(system, { n: 1 })
    await world.advance(60_000)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expect(await heard(system)).toMatchObject([{ type: 'job.failed', message: expect.stringContaining('the line is dead') as unknown }])
    expect((await heard(system))[0]?.code).toBeTypeOf('string')
    const [letter, ...more] = await now(system.deadLetters.list())
    expect(more).toEqual([])
    expect(letter).toMatchObject({ actor: 'client/c', kind: 'effect', command: 'job', reason: 'failed', input: { n: 1 } })
    expect(letter?.error.message).toContain('the line is dead')
    expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 1, effects: { done: 0, failed: 1, running: 0 } })
  })

  test('G10 the code of an error that has one is the code of the event', async () => {
    const { open, promise, heard } = setUp({
      run: () => {
        throw Object.assign(new Error('card refused'), { code: 'CARD_REFUSED', retryable: false })
      },
    })
    const system = await open()
    await promise(system, { n: 1 })
    expect(await heard(system)).toMatchObject([{ type: 'job.failed', code: 'CARD_REFUSED', message: 'card refused' }])
  })

  test('G10 an error that is not retryable ends it at once', async () => {
    const { open, promise, heard, calls, world } = setUp({
      run: () => {
        throw Object.assign(new Error('never'), { retryable: false })
      },
    })
    const system = await open()
    await promise(system, { n: 1 })
    expect(await heard(system)).toMatchObject([{ type: 'job.failed', message: 'never' }])
    await world.advance(600_000)
    expect(calls).toHaveLength(1)
    expect(system.stats().deadLetters).toBe(1)
  })

  test('G10 a dead letter that is replayed is tried again, with the same key', async () => {
    let isDown = true
    const { open, promise, heard, calls, world, now } = setUp({ run: () => (isDown ? fails()() : 'done'), retry: { maxAttempts: 1 } })
    const system = await open()
    await promise(system, { n: 1 })
    isDown = false
    expect(await now(system.deadLetters.replay({ command: 'job' }))).toBe(1)
    await world.advance(0)
    expect((await heard(system)).map(({ type }) => type)).toEqual(['job.failed', 'job.done'])
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
    expect(system.stats()).toMatchObject({ deadLetters: 0, outbox: 0 })
  })
})

describe('retries', () => {
  test('G10 waits double from minMs and are capped by maxMs, for exactly maxAttempts attempts with one key', async () => {
    const backoff = { minMs: 1_000, maxMs: 5_000, jitter: 0 }
    const { open, promise, calls, world } = setUp({ run: fails(), retry: { maxAttempts: 6, backoff } })
    const system = await open()
    await promise(system, { n: 1 })
    await world.advance(600_000)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6])
    const waits = calls.slice(1).map(({ at }, index) => at - (calls[index]?.at ?? 0))
    expect(waits).toEqual([1_000, 2_000, 4_000, 5_000, 5_000])
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
  })

  test('G10 jitter spreads the waits within its bounds, in both directions', async () => {
    const spread: number[] = []
    for (const seed of [1, 2, 3, 4]) {
      const { open, promise, calls, world } = setUp(
        { run: fails(), retry: { maxAttempts: 6, backoff: { minMs: 1_000, maxMs: 8_000, jitter: 0.5 } } },
        { seed },
      )
      await promise(await open(), { n: 1 })
      await world.advance(600_000)
      expect(calls).toHaveLength(6)
      for (const [index, { at }] of calls.slice(1).entries()) {
        const wait = at - (calls[index]?.at ?? 0)
        const middle = Math.min(8_000, 1_000 * 2 ** index)
        expect(wait).toBeGreaterThanOrEqual(middle * 0.5)
        expect(wait).toBeLessThanOrEqual(middle * 1.5 + 1)
        spread.push(wait / middle)
      }
    }
    expect(Math.min(...spread)).toBeLessThan(0.9)
    expect(Math.max(...spread)).toBeGreaterThan(1.1)
  })

  test('G10 a wait between two attempts survives a crash: the next attempt comes when it was due, with the same key', async () => {
    let isDown = true
    const { open, promise, heard, calls, world } = setUp({ run: ({ input: { n } }) => (isDown ? fails()() : n) })
    await promise(await open(), { n: 7 })
    expect(calls).toHaveLength(1)
    isDown = false
    world.crash()
    const system = await open()
    await world.advance(999)
    expect(calls).toHaveLength(1)
    await world.advance(1)
    expect(calls).toMatchObject([{ attempt: 1 }, { attempt: 2 }])
    expect(calls[1]?.key).toBe(calls[0]?.key)
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 7 }])
  })

  test('G10 its own key is the key of every attempt', async () => {
    const { open, promise, calls, world } = setUp({ run: fails() })
    await promise(await open(), { n: 1, idempotencyKey: 'mine' })
    await world.advance(60_000)
    expect(calls.map(({ key }) => key)).toEqual(['mine', 'mine', 'mine'])
  })

  test('G10 a delayed effect does not run early, and runs at its moment, also after a crash', async () => {
    const { open, promise, calls, world } = setUp()
    await promise(await open(), { n: 1, delayMs: 3_600_000 })
    await world.advance(1_800_000)
    world.crash()
    await open()
    await world.advance(1_799_999)
    expect(calls).toEqual([])
    await world.advance(1)
    expect(calls).toMatchObject([{ n: 1, at: 3_600_000 }])
  })
})

describe('an attempt that takes too long', () => {
  test('G10 is aborted after exactly timeoutMs and counts as failed with EFFECT_TIMEOUT', async () => {
    const { open, promise, heard, calls, world } = setUp({ run: hang, retry: { maxAttempts: 1 }, timeoutMs: 5_000 })
    const system = await open()
    await promise(system, { n: 1 })
    await world.advance(4_999)
    expect(calls[0]?.signal.aborted).toBe(false)
    expect(await heard(system)).toEqual([])
    await world.advance(1)
    expect(calls[0]?.signal.aborted).toBe(true)
    expect(await heard(system)).toMatchObject([{ type: 'job.failed', code: 'EFFECT_TIMEOUT' }])
    expect(await system.deadLetters.list()).toMatchObject([{ kind: 'effect', error: { code: 'EFFECT_TIMEOUT' } }])
    expect(system.stats().effects.running).toBe(0)
  })

  test('G10 is followed by another one with the same key, and its late result is dropped and counted', async () => {
    const gates = [gate<string>(), gate<string>()]
    const { open, promise, heard, calls, world } = setUp({ run: async ({ attempt }) => await gates[attempt - 1]?.promise })
    const system = await open()
    await promise(system, { n: 1 })
    await world.advance(6_000)
    expect(calls.map(({ attempt, at }) => [attempt, at])).toEqual([
      [1, 0],
      [2, 6_000],
    ])
    expect(calls[1]?.key).toBe(calls[0]?.key)
    gates[0]?.open('late')
    await world.advance(0)
    expect(await heard(system)).toEqual([])
    expect(system.stats().lateResults).toBe(1)
    gates[1]?.open('in time')
    await world.advance(0)
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'in time' }])
    expect(system.stats()).toMatchObject({ lateResults: 1, effects: { done: 1, failed: 0 } })
  })

  test('G10 asks the probe before the next one, which may know the result', async () => {
    const probed: string[] = []
    const { open, promise, heard, calls, world } = setUp({
      run: () => new Promise(() => undefined),
      probe: ({ idempotencyKey }) => {
        probed.push(idempotencyKey)
        return { done: true, output: 'found' }
      },
    })
    const system = await open()
    await promise(system, { n: 1 })
    await world.advance(6_000)
    expect(calls).toHaveLength(1)
    expect(probed).toEqual([calls[0]?.key])
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'found' }])
  })
})

describe('concurrency', () => {
  test('G10 is never exceeded, and is used up to the limit', async () => {
    let running = 0
    let most = 0
    const open: ((value: unknown) => void)[] = []
    const place = setUp({
      concurrency: 3,
      run: async ({ input: { n } }) => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => open.push(resolve))
        running -= 1
        return n
      },
    })
    const system = await place.open()
    await place.promise(system, { n: 0, times: 5 })
    await place.promise(system, { n: 5, times: 5 }, 'd')
    expect(running).toBe(3)
    for (let done = 1; done <= 10; done += 1) {
      open.shift()?.(undefined)
      await place.world.advance(0)
      expect(running).toBe(Math.min(3, 10 - done))
      expect(system.stats().effects.running).toBe(running)
    }
    expect(most).toBe(3)
    expect(place.calls.map(({ n }) => n).toSorted((left, right) => left - right)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('G10 is used up to the limit again after failures and time-outs', async () => {
    let isDown = true
    const place = setUp({
      concurrency: 2,
      run: (attempt) => (!isDown ? attempt.input.n : attempt.input.n % 2 === 0 ? hang(attempt) : fails()()),
      retry: { maxAttempts: 100, backoff: { minMs: 1_000, maxMs: 1_000, jitter: 0 } },
    })
    const system = await place.open()
    await place.promise(system, { n: 0, times: 8 })
    await place.world.advance(60_000)
    isDown = false
    await place.world.advance(60_000)
    const outputs = (await place.heard(system)).map(({ output }) => Number(output))
    expect(outputs.toSorted((left, right) => left - right)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(system.stats()).toMatchObject({ outbox: 0, effects: { running: 0, done: 8 } })
  })

  test('G10 an effect that hangs does not hold up effects of another name', async () => {
    const other = defineEffect({ name: 'other', module: import.meta.url, run: () => 'here' })
    const { open, promise, heard } = setUp({ run: hang, concurrency: 1 }, { others: [other] })
    const system = await open()
    await promise(system, { n: 1, times: 3 })
    await promise(system, { name: 'other', n: 1, times: 3 })
    expect((await heard(system)).map(({ type }) => type)).toEqual(['other.done', 'other.done', 'other.done'])
    expect(system.stats().effects.running).toBe(1)
  })
})

describe('labels', () => {
  test('G10 an effect that was cancelled before it was claimed is never delivered', async () => {
    const { open, promise, heard, now, calls, world } = setUp()
    const system = await open()
    await promise(system, { n: 1, label: 'x', delayMs: 10_000 })
    expect(system.stats().outbox).toBe(1)
    await world.advance(9_999)
    await now(clientOf(system).ask.recall({ label: 'x' }))
    await world.advance(600_000)
    expect(calls).toEqual([])
    expect(await heard(system)).toEqual([])
    expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 0 })
  })

  test('G10 one of the same label takes the place of one that was not claimed', async () => {
    const { open, promise, heard, calls, world } = setUp()
    const system = await open()
    await promise(system, { n: 1, label: 'x', delayMs: 10_000 })
    await promise(system, { n: 2, label: 'x', delayMs: 20_000 })
    expect(system.stats().outbox).toBe(1)
    await world.advance(600_000)
    expect(calls).toMatchObject([{ n: 2, at: 20_000 }])
    expect(await heard(system)).toEqual([{ type: 'job.done', output: { twice: 4 } }])
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 of two that one transition promises under one label, the last counts', async () => {
    const { open, promise, calls } = setUp()
    const system = await open()
    await promise(system, { n: 1, label: 'x', times: 3 })
    expect(calls).toMatchObject([{ n: 3 }])
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 a label is the own name of its actor: others of that name stay', async () => {
    const { open, promise, now, calls, world } = setUp()
    const system = await open()
    await promise(system, { n: 1, label: 'x', delayMs: 10_000 }, 'c')
    await promise(system, { n: 2, label: 'x', delayMs: 10_000 }, 'd')
    await promise(system, { n: 3, label: 'y', delayMs: 10_000 }, 'c')
    await now(clientOf(system, 'c').ask.recall({ label: 'x' }))
    await world.advance(60_000)
    expect(calls.map(({ n }) => n)).toEqual([2, 3])
  })

  test('G10 one that waits for a free place is cancelled, the one that runs is delivered', async () => {
    const { promise: hold, open: release } = gate<string>()
    const { open, promise, heard, now, calls, world } = setUp({ concurrency: 1, run: () => hold })
    const system = await open()
    await promise(system, { n: 1, label: 'runs' })
    await promise(system, { n: 2, label: 'waits' })
    await now(clientOf(system).ask.recall({ label: 'runs' }))
    await now(clientOf(system).ask.recall({ label: 'waits' }))
    release('done')
    await world.advance(60_000)
    expect(calls.map(({ n }) => n)).toEqual([1])
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'done' }])
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 one of the same label does not take the place of one that runs: both are delivered', async () => {
    const { promise: hold, open: release } = gate<string>()
    const { open, promise, heard, calls, world } = setUp({ run: async ({ input: { n } }) => (n === 1 ? await hold : 'second') })
    const system = await open()
    await promise(system, { n: 1, label: 'x' })
    await promise(system, { n: 2, label: 'x' })
    release('first')
    await world.advance(0)
    expect(calls.map(({ n }) => n)).toEqual([1, 2])
    expect((await heard(system)).map(({ output }) => output)).toEqual(['second', 'first'])
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 between two attempts a cancel takes the rest back', async () => {
    const { open, promise, heard, now, calls, world } = setUp({ run: fails() })
    const system = await open()
    await promise(system, { n: 1, label: 'x' })
    await now(clientOf(system).ask.recall({ label: 'x' }))
    await world.advance(600_000)
    expect(calls).toHaveLength(1)
    expect(await heard(system)).toEqual([])
    expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 0 })
  })

  test.each(Array.from({ length: 12 }, (_none, index) => index + 1))(
    'G10 a cancel that was answered before the effect began holds, however late the store answers (seed %i)',
    async (seed) => {
      let chance = seed * 7_919 + 1
      const rounds = (): number => (chance = (chance * 48_271) % 2_147_483_647) % 6
      const begun: number[] = []
      const answered = new Map<number, number>()
      let clock = 0
      const { open, now, world, calls } = setUp(
        {
          run: ({ input: { n } }) => {
            clock += 1
            begun[n] = clock
            return n
          },
        },
        { wrapStore: (store) => laterStore(store, rounds) },
      )
      const system = await open()
      const keys = Array.from({ length: 16 }, (_none, index) => index)
      await now(Promise.all(keys.map((n) => clientOf(system, `c${n}`).ask.promise({ n, label: 'x', delayMs: 1_000 }))))
      await world.advance(900)
      const cancels = keys.map(async (n) => {
        // The alarm goes off twenty rounds after this: some cancels come before it, some while the store is asked.
        await new Promise<void>((resolve) => world.clock.setTimer(resolve, 99.5))
        for (let turn = 0; turn < 10 + 2 * n; turn += 1) await new Promise((resolve) => setImmediate(resolve))
        await clientOf(system, `c${n}`).ask.recall({ label: 'x' })
        clock += 1
        answered.set(n, clock)
      })
      await world.advance(2_000)
      await now(Promise.all(cancels))
      for (const n of keys) {
        const at = begun[n]
        if (at !== undefined) expect(at).toBeLessThan(answered.get(n) ?? 0)
      }
      expect(calls.length).toBe(new Set(calls.map(({ n }) => n)).size)
      expect(system.stats().outbox).toBe(0)
    },
  )
})

describe('a store that answers later', () => {
  test.each(Array.from({ length: 20 }, (_none, index) => index + 1))(
    'G10 begins no attempt twice while nothing fails (seed %i)',
    async (seed) => {
      let chance = seed * 7_919
      const rounds = (): number => (chance = (chance * 48_271) % 2_147_483_647) % 7
      const { open, world, calls } = setUp({ concurrency: 4 }, { wrapStore: (store) => laterStore(store, rounds) })
      const system = await open()
      const asks: Promise<void>[] = []
      for (let n = 0; n < 60; n += 1) {
        asks.push(clientOf(system, `c${n % 5}`).ask.promise({ n }))
        for (let turn = 0; turn < n % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      }
      await world.advance(10)
      await Promise.all(asks)
      for (let ms = 0; ms < 20_000 && system.stats().outbox > 0; ms += 100) await world.advance(100)
      expect(calls.map(({ n }) => n).toSorted((left, right) => left - right)).toEqual(Array.from({ length: 60 }, (_none, n) => n))
      expect(calls.every(({ attempt }) => attempt === 1)).toBe(true)
      expect(system.stats()).toMatchObject({ outbox: 0, lateResults: 0, effects: { running: 0, done: 60 } })
    },
  )
})

describe('actors of other kinds', () => {
  test('G10 what a journaled actor has promised is not promised again when its events are replayed', async () => {
    const { open, now, calls, world } = setUp()
    const first = await open()
    for (let n = 1; n <= 3; n += 1) await now(first.actor(journaledClient, 'j').ask.promise({ name: 'job', n }))
    await world.advance(0)
    world.crash()
    const second = await open()
    expect(await now(second.actor(journaledClient, 'j').ask.heard())).toHaveLength(3)
    await world.advance(600_000)
    expect(calls.map(({ n }) => n)).toEqual([1, 2, 3])
  })

  test('G9 G10 an effect and a timer of the initial state come once', async () => {
    const { open, now, calls, world } = setUp()
    await now((await open()).actor(starter, 's').ask.touch())
    await world.advance(0)
    world.crash()
    const ref = (await open()).actor(starter, 's')
    await world.advance(60_000)
    await now(ref.ask.touch())
    expect(calls).toMatchObject([{ n: 1, attempt: 1 }])
    expect(await now(ref.ask.heard())).toEqual(['touch', 'job.done', 'hello', 'touch'])
  })
})

describe('what cannot be promised', () => {
  test('G10 an input that the schema refuses fails the command, and nothing has changed', async () => {
    const { open, now, calls, world } = setUp()
    const system = await open()
    const ask = now(clientOf(system).ask.promise({ n: 'one' }))
    await expect(ask).rejects.toMatchObject({ code: 'COMMAND_FAILED', message: expect.stringContaining('n') as unknown })
    await world.advance(60_000)
    expect(calls).toEqual([])
    expect(await now(clientOf(system).ask.promised())).toBe(0)
    expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 0 })
  })

  test('G10 an effect that the system was not opened with fails the command, and nothing has changed', async () => {
    const { open, now } = setUp()
    const system = await open()
    const ask = now(clientOf(system).ask.promise({ name: 'missing', n: 1 }))
    await expect(ask).rejects.toMatchObject({ code: 'COMMAND_FAILED', message: expect.stringContaining('missing') as unknown })
    expect(await now(clientOf(system).ask.promised())).toBe(0)
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 a delay that is no number of milliseconds fails the command', async () => {
    const { open, now } = setUp()
    const system = await open()
    const ask = now(clientOf(system).ask.promise({ n: 1, delayMs: -1 }))
    await expect(ask).rejects.toMatchObject({ code: 'COMMAND_FAILED', message: expect.stringContaining('delayMs') as unknown })
    expect(await now(clientOf(system).ask.promised())).toBe(0)
  })

  test('G10 at the bound of the outbox an effect becomes a dead letter, and its actor hears that it failed', async () => {
    const { open, promise, heard, now, calls, world } = setUp()
    const system = await open({ limits: { outbox: 2 } })
    await promise(system, { n: 0, times: 3, delayMs: 10_000 })
    expect(system.stats()).toMatchObject({ outbox: 2, deadLetters: 1 })
    expect(await heard(system)).toMatchObject([{ type: 'job.failed', code: 'MAILBOX_FULL' }])
    expect(await now(clientOf(system).ask.promised())).toBe(1)
    expect(await now(system.deadLetters.list({ reason: 'full' }))).toMatchObject([{ kind: 'effect', command: 'job', input: { n: 2 } }])
    await world.advance(10_000)
    expect(calls.map(({ n }) => n)).toEqual([0, 1])
    await promise(system, { n: 9 })
    expect(calls.map(({ n }) => n)).toEqual([0, 1, 9])
  })
})

/** The outside world: what was made in it, by key, and a way to find out. */
function workshop(): {
  readonly made: { readonly key: string; readonly n: number }[]
  readonly probed: string[]
  look: (key: string) => boolean
} {
  const made: { readonly key: string; readonly n: number }[] = []
  return { made, probed: [], look: (key) => made.some((one) => one.key === key) }
}

describe('a crash between doing and recording', () => {
  test('K25 G10 the probe says that it is done: its output is the result, and run is not called again', async () => {
    const { made, probed, look } = workshop()
    const { world, open, promise, heard, calls } = setUp({
      run: ({ idempotencyKey, input: { n } }) => {
        made.push({ key: idempotencyKey, n })
        world.crash()
        return 'lost'
      },
      probe: ({ idempotencyKey }) => {
        probed.push(idempotencyKey)
        return look(idempotencyKey) ? { done: true, output: 'found' } : { done: false }
      },
    })
    const first = await open()
    void codeOf(promise(first, { n: 1 }))
    await world.advance(0)
    expect(made).toHaveLength(1)
    const system = await open()
    await world.advance(0)
    expect(probed).toEqual([made[0]?.key])
    expect(calls).toHaveLength(1)
    expect(made).toHaveLength(1)
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'found' }])
    expect(system.stats().outbox).toBe(0)
  })

  test('K25 G10 also where the crash comes with the commit of the result itself', async () => {
    const { made, probed, look } = workshop()
    let isArmed = true
    const place: Place = setUp(
      {
        run: ({ idempotencyKey, input: { n } }) => {
          made.push({ key: idempotencyKey, n })
          return 'lost'
        },
        probe: ({ idempotencyKey }) => {
          probed.push(idempotencyKey)
          return look(idempotencyKey) ? { done: true, output: 'found' } : { done: false }
        },
      },
      {
        wrapStore: (store) => ({
          ...laterStore(store, () => 0),
          commit: (batch) => {
            if (isArmed && batch.effectsSettled.length > 0) {
              isArmed = false
              place.world.crash()
            }
            return store.commit(batch)
          },
        }),
      },
    )
    const { world, open, promise, heard, calls } = place
    await promise(await open(), { n: 1 })
    expect(isArmed).toBe(false)
    const system = await open()
    await world.advance(0)
    expect(made).toHaveLength(1)
    expect(calls).toHaveLength(1)
    expect(probed).toEqual([made[0]?.key])
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'found' }])
  })

  test('K25 G10 the probe says that it is not done: run once more, with the same key, and one artefact', async () => {
    const { made, probed, look } = workshop()
    let isFirst = true
    const { world, open, promise, heard, calls } = setUp({
      run: ({ idempotencyKey, input: { n } }) => {
        if (isFirst) {
          // It dies before it has done its deed.
          isFirst = false
          world.crash()
          return 'lost'
        }
        made.push({ key: idempotencyKey, n })
        return 'made'
      },
      probe: ({ idempotencyKey }) => {
        probed.push(idempotencyKey)
        return look(idempotencyKey) ? { done: true, output: 'found' } : { done: false }
      },
    })
    void codeOf(promise(await open(), { n: 1 }))
    await world.advance(0)
    const system = await open()
    await world.advance(0)
    expect(calls).toMatchObject([{ attempt: 1 }, { attempt: 2 }])
    expect(calls[1]?.key).toBe(calls[0]?.key)
    expect(probed).toEqual([calls[0]?.key])
    expect(made).toHaveLength(1)
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'made' }])
  })

  test('G10 without a probe it is run again, with the same key', async () => {
    let isFirst = true
    const { world, open, promise, heard, calls } = setUp({
      run: () => {
        if (isFirst) world.crash()
        isFirst = false
        return 'done'
      },
    })
    void codeOf(promise(await open(), { n: 1 }))
    await world.advance(0)
    const system = await open()
    await world.advance(0)
    expect(calls).toHaveLength(2)
    expect(calls[1]?.key).toBe(calls[0]?.key)
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'done' }])
  })

  test('G10 the probe is not asked where no attempt was ever begun', async () => {
    let probes = 0
    const { world, open, promise, calls } = setUp({
      probe: () => {
        probes += 1
        return { done: false }
      },
    })
    await promise(await open(), { n: 1, delayMs: 1_000 })
    world.crash()
    await open()
    await world.advance(1_000)
    expect(calls).toHaveLength(1)
    expect(probes).toBe(0)
  })

  test('K25 G10 a probe that throws counts as a failed attempt and is asked again: run is not called in its place', async () => {
    const { made, look } = workshop()
    let probes = 0
    let isFirst = true
    const { world, open, promise, heard, calls } = setUp({
      run: ({ idempotencyKey, input: { n } }) => {
        made.push({ key: idempotencyKey, n })
        if (isFirst) world.crash()
        isFirst = false
        return 'made again'
      },
      probe: ({ idempotencyKey }) => {
        probes += 1
        if (probes === 1) throw new Error('nobody answers')
        return look(idempotencyKey) ? { done: true, output: 'found' } : { done: false }
      },
      retry: { maxAttempts: 5, backoff: { minMs: 1_000, maxMs: 1_000, jitter: 0 } },
    })
    void codeOf(promise(await open(), { n: 1 }))
    await world.advance(0)
    const system = await open()
    await world.advance(0)
    expect(probes).toBe(1)
    expect(calls).toHaveLength(1)
    await world.advance(1_000)
    expect({ probes, runs: calls.length, made: made.length }).toEqual({ probes: 2, runs: 1, made: 1 })
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'found' }])
  })

  test('G10 a probe that always throws uses the attempts up, and the effect has failed', async () => {
    let isFirst = true
    let probes = 0
    const { world, open, promise, heard, calls } = setUp({
      run: () => {
        if (isFirst) world.crash()
        isFirst = false
        return 'done'
      },
      probe: () => {
        probes += 1
        throw new Error('nobody answers')
      },
      retry: { maxAttempts: 3, backoff: { minMs: 1_000, maxMs: 1_000, jitter: 0 } },
    })
    void codeOf(promise(await open(), { n: 1 }))
    await world.advance(0)
    const system = await open()
    await world.advance(60_000)
    expect({ probes, runs: calls.length }).toEqual({ probes: 2, runs: 1 })
    expect(await heard(system)).toMatchObject([{ type: 'job.failed', message: expect.stringContaining('nobody answers') as unknown }])
  })

  test('K25 G10 a crash while the probe is asked leads to another probe', async () => {
    const { made, look } = workshop()
    let crashes = 3
    const { world, open, promise, heard, calls } = setUp({
      run: ({ idempotencyKey, input: { n } }) => {
        made.push({ key: idempotencyKey, n })
        world.crash()
        return 'lost'
      },
      probe: ({ idempotencyKey }) => {
        crashes -= 1
        if (crashes >= 0) world.crash()
        return look(idempotencyKey) ? { done: true, output: 'found' } : { done: false }
      },
    })
    void codeOf(promise(await open(), { n: 1 }))
    await world.advance(0)
    let system = await open()
    for (let life = 0; life < 3; life += 1) {
      await world.advance(0)
      system = await open()
    }
    await world.advance(0)
    expect({ made: made.length, runs: calls.length, crashes }).toEqual({ made: 1, runs: 1, crashes: -1 })
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'found' }])
  })

  test('G10 the death of the thread alone is no different', async () => {
    const { made, look } = workshop()
    let isFirst = true
    const { world, open, promise, heard, calls } = setUp({
      run: ({ idempotencyKey, input: { n } }) => {
        made.push({ key: idempotencyKey, n })
        if (isFirst) world.crashThreads()
        isFirst = false
        return 'lost'
      },
      probe: ({ idempotencyKey }) => (look(idempotencyKey) ? { done: true, output: 'found' } : { done: false }),
    })
    const system = await open()
    void codeOf(promise(system, { n: 1 }))
    await world.advance(60_000)
    expect(made).toHaveLength(1)
    expect(calls).toHaveLength(1)
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'found' }])
  })
})

describe('crashes at any moment', () => {
  test.each(Array.from({ length: 20 }, (_none, index) => index + 1))(
    'K25 G10 with a probe that knows, every effect is made once and heard of once (seed %i)',
    async (seed) => {
      let chance = seed * 6_151
      const random = (below: number): number => (chance = (chance * 48_271) % 2_147_483_647) % below
      const turns = async (count: number): Promise<void> => {
        for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      }
      const { made, look } = workshop()
      let crashes = 0
      const { world, open, heard, now } = setUp(
        {
          concurrency: 3,
          run: async ({ idempotencyKey, input: { n } }) => {
            const bornIn = crashes
            await turns(random(12))
            // The attempt of a process that is dead does nothing any more.
            if (crashes === bornIn) made.push({ key: idempotencyKey, n })
            await turns(random(12))
            return n
          },
          probe: ({ idempotencyKey, input: { n } }) => (look(idempotencyKey) ? { done: true, output: n } : { done: false }),
          retry: { maxAttempts: 1_000 },
        },
        { wrapStore: (store) => laterStore(store, () => random(3)) },
      )
      const acknowledged: number[] = []
      let system = await open()
      for (let n = 0; n < 60; n += 1) {
        clientOf(system, `c${n % 3}`)
          .ask.promise({ n })
          .then(
            () => acknowledged.push(n),
            () => undefined,
          )
        await turns(random(8))
        if (n % 5 !== 4) continue
        await turns(random(30))
        crashes += 1
        world.crash()
        system = await open()
      }
      for (let step = 0; step < 200; step += 1) await world.advance(100)
      const keys = made.map(({ key }) => key)
      expect(new Set(keys).size).toBe(keys.length)
      expect(acknowledged.length).toBeGreaterThan(10)
      expect(acknowledged.filter((n) => !made.some((one) => one.n === n))).toEqual([])
      const outputs = (await Promise.all(['c0', 'c1', 'c2'].map((key) => heard(system, key)))).flat().map(({ output }) => Number(output))
      const byNumber = (left: number, right: number): number => left - right
      expect(outputs.toSorted(byNumber)).toEqual(made.map(({ n }) => n).toSorted(byNumber))
      expect(system.stats().outbox).toBe(0)
      expect(await now(system.deadLetters.list())).toEqual([])
    },
  )
})

describe('a disk that is full', () => {
  /** Fills the disk while an attempt is under way, and frees it a minute later. */
  async function fillDisk(place: Place, release: (value: string) => void): Promise<System> {
    const { world, open, promise } = place
    const system = await open()
    await promise(system, { n: 1 })
    world.disk.failCommits('full')
    release('done')
    await world.advance(60_000)
    world.disk.failCommits(undefined)
    await world.advance(10_000)
    return system
  }

  test('G10 while a result is to be recorded loses nothing: it is recorded once the disk is back, and run is not called again', async () => {
    const { promise: hold, open: release } = gate<string>()
    const place = setUp({ run: () => hold, timeoutMs: 3_600_000 })
    const system = await fillDisk(place, release)
    expect(place.calls).toHaveLength(1)
    expect(await place.heard(system)).toEqual([{ type: 'job.done', output: 'done' }])
    expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 0 })
  })

  test('G10 one effect is counted once as done, however often its result could not be recorded', async () => {
    const { promise: hold, open: release } = gate<string>()
    const system = await fillDisk(setUp({ run: () => hold, timeoutMs: 3_600_000 }), release)
    expect(system.stats().effects).toEqual({ running: 0, done: 1, failed: 0 })
  })

  test('G10 while a failure is to be recorded: the next attempt comes, none is lost and none too many', async () => {
    const { promise: hold, open: release } = gate<string>()
    const place = setUp({ run: async () => fails(await hold)(), timeoutMs: 3_600_000 })
    const system = await fillDisk(place, release)
    await place.world.advance(60_000)
    expect(place.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expect(await place.heard(system)).toMatchObject([{ type: 'job.failed' }])
    expect(system.stats()).toMatchObject({ outbox: 0, deadLetters: 1, effects: { done: 0, failed: 1 } })
  })

  test('G10 while an attempt is to begin: it begins once the disk is back', async () => {
    const { world, open, promise, calls } = setUp()
    const system = await open()
    await promise(system, { n: 1, delayMs: 1_000 })
    world.disk.failCommits('full')
    await world.advance(60_000)
    expect(calls).toEqual([])
    world.disk.failCommits(undefined)
    await world.advance(10_000)
    expect(calls).toMatchObject([{ attempt: 1 }])
    expect(system.stats().outbox).toBe(0)
  })

  test('G10 an I/O error while a result is to be recorded stops the shard: it commits no more, and goes on once it has been opened anew', async () => {
    const { promise: hold, open: release } = gate<string>()
    let commits = 0
    const { world, open, promise, heard, calls } = setUp(
      { run: ({ attempt }) => (attempt === 1 ? hold : 'again') },
      {
        wrapStore: (store) => ({
          ...laterStore(store, () => 0),
          commit: (batch) => {
            commits += 1
            return store.commit(batch)
          },
        }),
      },
    )
    const system = await open()
    await promise(system, { n: 1 })
    world.disk.failCommits('io')
    const before = commits
    release('done')
    await world.advance(99)
    expect(commits - before).toBe(1)
    world.disk.failCommits(undefined)
    await world.advance(60_000)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(await heard(system)).toEqual([{ type: 'job.done', output: 'again' }])
  })
})

describe('closing', () => {
  test('G10 aborts the signals and leaves the effects for the next open', async () => {
    let isDown = true
    const { world, open, promise, heard, calls, now } = setUp({ run: (attempt) => (isDown ? hang(attempt) : 'done'), concurrency: 1 })
    const first = await open()
    await promise(first, { n: 1, times: 2 })
    expect(await now(first.close())).toMatchObject({ outcome: 'polite' })
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true])
    await world.advance(600_000)
    expect(calls).toHaveLength(1)
    isDown = false
    const second = await open()
    await world.advance(0)
    expect(calls.map(({ n }) => n)).toEqual([1, 1, 2])
    expect(calls[1]?.key).toBe(calls[0]?.key)
    expect(await heard(second)).toHaveLength(2)
    expect(second.stats().outbox).toBe(0)
  })

  test('G10 an effect whose run ignores its signal does not hold up the close, and its result is not recorded', async () => {
    const { promise: hold, open: release } = gate<string>()
    const { world, open, promise, heard, calls, now } = setUp({ run: ({ attempt }) => (attempt === 1 ? hold : 'second') })
    const first = await open()
    await promise(first, { n: 1 })
    expect(await now(first.close())).toMatchObject({ outcome: 'polite' })
    release('first')
    await world.advance(0)
    const second = await open()
    await world.advance(0)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(await heard(second)).toEqual([{ type: 'job.done', output: 'second' }])
  })
})
