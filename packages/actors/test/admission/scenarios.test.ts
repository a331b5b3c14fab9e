import { TestWorld } from '@bailiwick/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Admission } from '../../src/admission/admission.ts'
import { AdmissionCancelled, AdmissionRefused, ExecutionOver, QueueFull, QueueTimeout, SlotLost } from '../../src/admission/errors.ts'
import type { Acquired, AcquireRequest, Slot } from '../../src/admission/requests.ts'
import { governed, jobs, narrow } from '../fixtures/admission.actor.ts'

const actors = [...jobs.actors, ...narrow.actors, ...governed.actors]

let world: TestWorld
let admission: Admission
let small: Admission
let ruled: Admission

async function open(): Promise<void> {
  const system = await world.open({ actors })
  admission = new Admission(system, jobs)
  small = new Admission(system, narrow)
  ruled = new Admission(system, governed)
}

beforeEach(async () => {
  world = new TestWorld({ shards: 2, startAt: 1_000_000 })
  await open()
})

afterEach(async () => {
  await world.close()
})

/** One execution of an action, that notes when it starts. */
class Runs {
  readonly started: string[] = []
  readonly slots = new Map<string, Slot>()
  readonly ends = new Map<string, Promise<Acquired | Error>>()
  readonly #admission: Admission
  readonly #action: string

  constructor(by: Admission, action = 'build') {
    this.#admission = by
    this.#action = action
  }

  request(executionId: string): AcquireRequest {
    return { action: this.#action, executionId, parameters: {} }
  }

  /** Asks, and waits until it is known that it waits or works. */
  async ask(...ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#admission.enqueue(this.request(id))
      this.ends.set(id, this.#wait(id))
    }
    await settle()
  }

  async #wait(id: string): Promise<Acquired | Error> {
    try {
      const acquired = await this.#admission.acquire(this.request(id))
      if (acquired.outcome === 'granted') {
        this.started.push(id)
        this.slots.set(id, acquired.slot)
      }
      return acquired
    } catch (error) {
      return error as Error // The process has died: nobody waits any more.
    }
  }

  async done(id: string): Promise<string> {
    const slot = this.slots.get(id)
    if (slot === undefined) throw new Error(`${id} does not work`)
    const { outcome } = await this.#admission.release(slot)
    await settle()
    return outcome
  }

  async figures(): Promise<{ readonly active: number; readonly waiting: number }> {
    const { active = 0, waiting = 0 } = (await this.#admission.stats({ action: this.#action, parameters: {} })) ?? {}
    return { active, waiting }
  }
}

/** Lets everything that is under way arrive. */
async function settle(): Promise<void> {
  await world.advance(1)
}

describe('order', () => {
  test('A01 two at a time: executions start in the order in which they came, never more than two', async () => {
    const runs = new Runs(admission)
    await runs.ask('E1', 'E2', 'E3', 'E4', 'E5')
    expect(runs.started).toEqual(['E1', 'E2'])
    for (const [index, id] of ['E1', 'E2', 'E3'].entries()) {
      expect(await runs.done(id)).toBe('released')
      expect(runs.started).toHaveLength(index + 3)
      expect(await runs.figures()).toEqual({ active: 2, waiting: 2 - index })
    }
    expect(runs.started).toEqual(['E1', 'E2', 'E3', 'E4', 'E5'])
  })

  test('A02 one at a time: strictly one after the other, in the order of the requests', async () => {
    const log: string[] = []
    const work = (id: string) =>
      small.run({ action: 'build', executionId: id }, () => {
        log.push(`${id} begins`)
        log.push(`${id} ends`)
        return id
      })
    expect(await Promise.all(['E1', 'E2', 'E3'].map(work))).toEqual(['E1', 'E2', 'E3'])
    expect(log).toEqual(['E1 begins', 'E1 ends', 'E2 begins', 'E2 ends', 'E3 begins', 'E3 ends'])
  })

  test('A03 who comes between a release and the waking of the next does not get its slot', async () => {
    const first = await small.enqueue({ action: 'build', executionId: 'E1' })
    if (first.outcome !== 'granted') throw new Error('E1 must work')
    await small.enqueue({ action: 'build', executionId: 'E2' })
    await small.release(first.slot)
    // Nobody waits on behalf of E2 yet: it has not woken.
    expect((await small.enqueue({ action: 'build', executionId: 'E3' })).outcome).toBe('queued')
    expect((await small.acquire({ action: 'build', executionId: 'E2' })).outcome).toBe('granted')
    expect(await small.position({ action: 'build', executionId: 'E3' })).toMatchObject({ outcome: 'waiting', position: 1 })
  })

  test('A05 a second completion does nothing: one is promoted, and nobody is counted twice', async () => {
    const runs = new Runs(admission)
    await runs.ask('E1', 'E2', 'E3', 'E4')
    expect(await runs.done('E1')).toBe('released')
    expect(await runs.done('E1')).toBe('stale')
    expect(await admission.release({ action: 'build', executionId: 'E1', parameters: {} })).toEqual({ outcome: 'unknown' })
    expect(await runs.figures()).toEqual({ active: 2, waiting: 1 })
    expect(runs.started).toEqual(['E1', 'E2', 'E3'])
  })

  test('A05 a request that comes when its execution is over takes no slot', async () => {
    const done = await small.enqueue({ action: 'build', executionId: 'E1' })
    if (done.outcome !== 'granted') throw new Error('E1 must work')
    await small.release(done.slot)
    expect(await small.enqueue({ action: 'build', executionId: 'E1' })).toEqual({ outcome: 'released' })
    await expect(small.run({ action: 'build', executionId: 'E1' }, () => 'worked')).rejects.toThrow(ExecutionOver)
    await small.enqueue({ action: 'build', executionId: 'E2' })
    await small.cancel({ action: 'build', executionId: 'E2' })
    expect(await small.acquire({ action: 'build', executionId: 'E2' })).toEqual({ outcome: 'cancelled' })
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 0, waiting: 0 })
  })

  test('A05 asking again leads to the same place and the same slot', async () => {
    const one = await small.enqueue({ action: 'build', executionId: 'E1' })
    expect(await small.enqueue({ action: 'build', executionId: 'E1' })).toEqual(one)
    const two = await small.enqueue({ action: 'build', executionId: 'E2' })
    await small.enqueue({ action: 'build', executionId: 'E3' })
    expect(await small.enqueue({ action: 'build', executionId: 'E2' })).toEqual(two)
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 1, waiting: 2 })
  })
})

describe('leaving', () => {
  test('A06 the cancelled ones hear of it, and the others keep their order', async () => {
    const runs = new Runs(admission)
    await admission.setLimit({ action: 'build', parameters: {} }, 0)
    const ids = Array.from({ length: 10 }, (_, index) => `E${index + 1}`)
    await runs.ask(...ids)
    for (const id of ['E2', 'E5', 'E8']) {
      expect(await admission.cancel(runs.request(id))).toEqual({ outcome: 'cancelled', was: 'waiting' })
      expect(await runs.ends.get(id)).toEqual({ outcome: 'cancelled' })
    }
    expect(await runs.figures()).toEqual({ active: 0, waiting: 7 })
    await admission.setLimit({ action: 'build', parameters: {} }, 10)
    await settle()
    // They wake in the same step; the order is that of their epochs.
    const order = [...runs.slots.values()].toSorted((one, other) => one.epoch - other.epoch).map(({ executionId }) => executionId)
    expect(order).toEqual(ids.filter((id) => !['E2', 'E5', 'E8'].includes(id)))
  })

  test('A06 run rejects, and its work does not begin', async () => {
    await small.enqueue({ action: 'build', executionId: 'E1' })
    const run = small.run({ action: 'build', executionId: 'E2' }, () => 'worked')
    const rejected = expect(run).rejects.toThrow(AdmissionCancelled)
    await settle()
    await small.cancel({ action: 'build', executionId: 'E2' })
    await rejected
  })

  test('A06 a caller that gives up takes its execution along', async () => {
    await small.enqueue({ action: 'build', executionId: 'E1' })
    const giveUp = new AbortController()
    const rejected = expect(small.acquire({ action: 'build', executionId: 'E2' }, { signal: giveUp.signal })).rejects.toMatchObject({
      code: 'ASK_ABORTED',
    })
    await settle()
    giveUp.abort()
    await rejected
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 1, waiting: 0 })
  })

  test('A06 a cancel that comes before its execution counts', async () => {
    expect(await small.cancel({ action: 'build', executionId: 'E1' })).toEqual({ outcome: 'unknown' })
    expect(await small.stats({ action: 'build' })).toBeUndefined()
    expect(await small.acquire({ action: 'build', executionId: 'E1' })).toEqual({ outcome: 'cancelled' })
  })

  test('A07 cancelling one that works frees its slot, promotes the head, and tells the work', async () => {
    const told = Promise.withResolvers<unknown>()
    const begun = Promise.withResolvers<undefined>()
    const run = small.run({ action: 'build', executionId: 'E1' }, async ({ signal }) => {
      signal.addEventListener('abort', () => told.resolve(signal.reason))
      begun.resolve(undefined)
      await told.promise
      return 'stopped'
    })
    await begun.promise
    const next = small.acquire({ action: 'build', executionId: 'E2' })
    await settle()
    expect(await small.cancel({ action: 'build', executionId: 'E1' })).toEqual({ outcome: 'cancelled', was: 'active' })
    expect((await next).outcome).toBe('granted')
    expect(await told.promise).toBeInstanceOf(SlotLost)
    expect(await run).toBe('stopped')
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 1, waiting: 0 })
  })

  test('A07 whoever is promoted by a cancel has its slot in the same step', async () => {
    for (const executionId of ['E1', 'E2']) await small.enqueue({ action: 'build', executionId })
    await small.cancel({ action: 'build', executionId: 'E1' })
    expect(await small.position({ action: 'build', executionId: 'E2' })).toMatchObject({ outcome: 'active' })
    expect(await small.position({ action: 'build', executionId: 'E1' })).toMatchObject({ outcome: 'ended', how: 'cancelled' })
  })

  test('A08 a full queue is a value for acquire and QueueFull for run, and nothing is stored', async () => {
    for (const id of ['E1', 'E2', 'E3', 'E4']) await small.enqueue({ action: 'build', executionId: id })
    expect(await small.acquire({ action: 'build', executionId: 'E5' })).toEqual({ outcome: 'full', waiting: 3, maxLength: 3 })
    await expect(small.run({ action: 'build', executionId: 'E5' }, () => 'worked')).rejects.toThrow(QueueFull)
    expect(await small.position({ action: 'build', executionId: 'E5' })).toEqual({ outcome: 'unknown' })
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 1, waiting: 3, totals: { refused: 2 } })
  })

  test('A09 who waits too long is taken out, at the moment and not before, and nobody after it notices', async () => {
    const runs = new Runs(small)
    await runs.ask('E1', 'E2')
    await world.advance(500)
    await runs.ask('E3')
    const timedOut = expect(small.run({ action: 'build', executionId: 'E4', waitMs: 200 }, () => 'worked')).rejects.toThrow(QueueTimeout)
    await world.advance(200)
    await timedOut
    await world.advance(290)
    expect(await small.position(runs.request('E2'))).toMatchObject({ outcome: 'waiting', position: 1 })
    await world.advance(10)
    expect(await runs.ends.get('E2')).toEqual({ outcome: 'timed-out' })
    expect(await small.position(runs.request('E3'))).toMatchObject({ outcome: 'waiting', position: 1 })
    await runs.done('E1')
    expect(runs.started).toEqual(['E1', 'E3'])
    expect(await small.stats({ action: 'build' })).toMatchObject({ totals: { timedOut: 2 } })
  })
})

describe('places', () => {
  test('A10 actions do not wait for each other, and neither do groups', async () => {
    for (const action of ['build', 'test']) {
      for (const host of ['a', 'b']) {
        for (const n of [1, 2, 3]) {
          const { outcome } = await admission.enqueue({ action, executionId: `${host}${n}`, parameters: { host, n } })
          expect(outcome).toBe(n <= 2 ? 'granted' : 'queued')
        }
      }
    }
    // Without the parameter, and with null in it: one group.
    for (const parameters of [{}, { host: null }])
      await admission.enqueue({ action: 'build', executionId: JSON.stringify(parameters), parameters })
    expect(await admission.stats({ action: 'build', parameters: {} })).toMatchObject({ active: 2, waiting: 0 })
    expect(await admission.stats({ action: 'build' })).toMatchObject({ active: 6, waiting: 2, limit: 6, groups: 3, isComplete: true })
  })

  test('A10 the order of properties makes no other group, and a long group still fits', async () => {
    const one = { host: { name: 'x'.repeat(2_000), port: 1 } }
    const other = { host: { port: 1, name: 'x'.repeat(2_000) } }
    await admission.enqueue({ action: 'build', executionId: 'E1', parameters: one })
    expect(await admission.stats({ action: 'build', parameters: other })).toMatchObject({ active: 1 })
  })

  test('A11 a higher limit promotes as many as fit at once; a lower one ends nobody and promotes nobody until there is room', async () => {
    const runs = new Runs(small)
    await runs.ask('E1', 'E2', 'E3', 'E4')
    expect(await small.setLimit({ action: 'build' }, 3)).toEqual({ limit: 3, promoted: 2 })
    await settle()
    expect(runs.started.toSorted()).toEqual(['E1', 'E2', 'E3'])
    expect(await small.setLimit({ action: 'build' }, 1)).toEqual({ limit: 1, promoted: 0 })
    expect(await runs.figures()).toEqual({ active: 3, waiting: 1 })
    await runs.done('E1')
    await runs.done('E2')
    expect(await runs.figures()).toEqual({ active: 1, waiting: 1 })
    await runs.done('E3')
    expect(await runs.figures()).toEqual({ active: 1, waiting: 0 })
    expect(await small.setLimit({ action: 'build' }, 0)).toEqual({ limit: 0, promoted: 0 })
    await runs.done('E4')
    await runs.ask('E5')
    expect(await runs.figures()).toEqual({ active: 0, waiting: 1 })
    expect(await small.setLimit({ action: 'build' }, null)).toEqual({ limit: 1, promoted: 1 })
  })
})

describe('leases', () => {
  test('A12 the slot of a worker that died is free when its lease ends, and its late completion is ignored', async () => {
    const runs = new Runs(small)
    await runs.ask('E1')
    await world.advance(2_500)
    await runs.ask('E2', 'E3')
    await world.advance(497)
    expect(runs.started).toEqual(['E1'])
    await world.advance(1)
    expect(runs.started).toEqual(['E1', 'E2'])
    const stale = runs.slots.get('E1')
    // The execution is tried again, and waits; what its first worker says now concerns nobody.
    await runs.ask('E1')
    expect(stale === undefined ? '' : (await small.release(stale)).outcome).toBe('stale')
    expect(stale === undefined ? '' : (await small.renew(stale)).outcome).toBe('stale')
    expect(await runs.figures()).toEqual({ active: 1, waiting: 2 })
    expect(await small.stats({ action: 'build' })).toMatchObject({ totals: { expired: 1, granted: 2 } })
    for (const id of ['E2', 'E3']) await runs.done(id)
    expect(runs.slots.get('E1')?.epoch).toBeGreaterThan(stale?.epoch ?? Infinity)
    expect(stale === undefined ? '' : (await small.release(stale)).outcome).toBe('stale')
    expect(await small.position(runs.request('E1'))).toMatchObject({ outcome: 'active' })
  })

  test('A12 work that runs longer than a lease keeps its slot', async () => {
    const end = Promise.withResolvers<string>()
    let isLost = false
    const run = small.run({ action: 'build', executionId: 'E1' }, async ({ signal }) => {
      signal.addEventListener('abort', () => (isLost = true))
      return await end.promise
    })
    for (let seconds = 0; seconds < 20; seconds += 1) await world.advance(1_000)
    expect(isLost).toBe(false)
    expect(await small.position({ action: 'build', executionId: 'E1' })).toMatchObject({ outcome: 'active' })
    end.resolve('done')
    expect(await run).toBe('done')
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 0, totals: { expired: 0, released: 1 } })
  })

  test('A12 work whose queue answers no more hears of it before its lease ends', async () => {
    const lost = Promise.withResolvers<{ readonly reason: unknown; readonly at: number }>()
    const begun = Promise.withResolvers<undefined>()
    const start = world.clock.wall()
    void small.run({ action: 'build', executionId: 'E1' }, async ({ signal }) => {
      signal.addEventListener('abort', () => lost.resolve({ reason: signal.reason, at: world.clock.wall() }))
      begun.resolve(undefined)
      await lost.promise
    })
    await begun.promise
    world.crash()
    await world.advance(2_999)
    const { reason, at } = await lost.promise
    expect(reason).toMatchObject({ code: 'SLOT_LOST', reason: 'unreachable' })
    // A quarter of the three seconds is left.
    expect(at - start).toBeLessThanOrEqual(2_250)
  })

  test('A12 work that throws gives its slot back', async () => {
    const fail = (): never => {
      throw new RangeError('broken')
    }
    await expect(small.run({ action: 'build' }, fail)).rejects.toThrow(RangeError)
    expect(await small.stats({ action: 'build' })).toMatchObject({ active: 0, totals: { released: 1 } })
  })

  test('A13 after a crash those that wait are in the same order, those that worked go on or lose their lease, and nobody is there twice', async () => {
    const before = new Runs(admission)
    const ids = ['E1', 'E2', 'E3', 'E4', 'E5', 'E6', 'E7']
    await before.ask(...ids)
    expect(await before.figures()).toEqual({ active: 2, waiting: 5 })
    world.crash()
    await open()
    const after = new Runs(admission)
    // E1 has come back with its worker, E2 has not. The others ask in another order, which does not matter.
    await after.ask('E1', ...ids.slice(2).toReversed())
    expect(after.slots.get('E1')).toEqual(before.slots.get('E1'))
    expect(await after.figures()).toEqual({ active: 2, waiting: 5 })
    await world.advance(29_000)
    await admission.enqueue(after.request('E1'))
    await world.advance(1_100)
    expect(after.started).toEqual(['E1', 'E3'])
    for (const id of ['E1', 'E3', 'E4', 'E5', 'E6', 'E7']) await after.done(id)
    expect(after.started).toEqual(['E1', 'E3', 'E4', 'E5', 'E6', 'E7'])
    expect(await after.figures()).toEqual({ active: 0, waiting: 0 })
  })
})

describe('policies', () => {
  test('A14 where nobody waits, one too many is refused at once, with the count', async () => {
    for (const executionId of ['E1', 'E2']) expect((await ruled.enqueue({ action: 'probe', executionId })).outcome).toBe('granted')
    const violation = { scope: 'action', name: 'probe', rule: 'concurrency', count: 2, max: 2 }
    expect(await ruled.acquire({ action: 'probe', executionId: 'E3' })).toEqual({ outcome: 'refused', violation })
    await expect(ruled.run({ action: 'probe', executionId: 'E3' }, () => 'worked')).rejects.toMatchObject({
      code: 'ADMISSION_REFUSED',
      violation,
    })
    expect(await ruled.stats({ action: 'probe' })).toMatchObject({ active: 2, waiting: 0 })
  })

  test('A15 three in ten seconds: an admission that is exactly one window old counts no more', async () => {
    const at: Record<number, string> = {}
    const start = world.clock.wall()
    for (const ms of [0, 1_000, 2_000, 3_000, 10_000, 10_001, 10_999, 11_000]) {
      await world.advance(start + ms - world.clock.wall())
      at[ms] = (await ruled.enqueue({ action: 'mail', executionId: `at ${ms}` })).outcome
    }
    expect(at).toEqual({
      0: 'granted',
      1_000: 'granted',
      2_000: 'granted',
      3_000: 'refused',
      10_000: 'granted',
      10_001: 'refused',
      10_999: 'refused',
      11_000: 'granted',
    })
    const again = await ruled.enqueue({ action: 'mail', executionId: 'another' })
    const violation = { scope: 'action', name: 'mail', rule: 'rate', count: 3, max: 3, withinMs: 10_000, retryAt: start + 12_000 }
    expect(again).toEqual({ outcome: 'refused', violation })
    // One that was counted is not counted again.
    expect((await ruled.enqueue({ action: 'mail', executionId: 'at 11000' })).outcome).toBe('granted')
  })

  test('A16 of three concurrency limits the most specific one counts; rates and quotas of all three do', async () => {
    const outcomes: string[] = []
    const ask = async (action: string, executionId: string): Promise<unknown> => {
      const asked = await ruled.enqueue({ action, pack: 'ops', executionId })
      outcomes.push(asked.outcome)
      return asked
    }
    await ask('deploy', 'E1')
    await ask('deploy', 'E2')
    expect(outcomes).toEqual(['granted', 'queued'])
    expect(await ruled.stats({ action: 'deploy', pack: 'ops' })).toMatchObject({ limit: 1 })
    await ask('restart', 'E3')
    expect(await ruled.stats({ action: 'restart', pack: 'ops' })).toMatchObject({ limit: 5, active: 1 })
    await ask('deploy', 'E4')
    // The pack allows four in ten seconds, whatever they are.
    expect(await ask('deploy', 'E5')).toMatchObject({ violation: { scope: 'pack', name: 'ops', rule: 'rate', count: 4 } })
    expect(await ruled.enqueue({ action: 'elsewhere', executionId: 'E6' })).toMatchObject({ outcome: 'granted' })
    expect(await ruled.stats({ action: 'elsewhere' })).toMatchObject({ limit: 10 })
    await ruled.enqueue({ action: 'elsewhere', executionId: 'E7' })
    // Six in an hour are allowed in all. What is refused here is not counted by the pack.
    await world.advance(10_000)
    for (const executionId of ['E8', 'E9', 'E10', 'E11', 'E12']) {
      expect(await ask('deploy', executionId)).toMatchObject({ violation: { scope: 'global', name: '', rule: 'quota', count: 6, max: 6 } })
    }
    await world.advance(3_600_000)
    expect(await ask('deploy', 'E13')).toMatchObject({ outcome: 'granted' })
  })

  test('A16 a quota counts units, and one that can never fit says so', async () => {
    const ask = (executionId: string, size: number) => ruled.enqueue({ action: 'bulk', executionId, parameters: { size } })
    await world.advance(60_000 - (world.clock.wall() % 60_000))
    const period = world.clock.wall()
    expect((await ask('E1', 7)).outcome).toBe('granted')
    expect(await ask('E2', 4)).toMatchObject({ violation: { rule: 'quota', count: 7, max: 10, retryAt: period + 60_000 } })
    expect(await ask('E3', 11)).toMatchObject({ violation: { retryAt: null } })
    expect((await ask('E4', 3)).outcome).toBe('granted')
    await world.advance(60_000)
    expect((await ask('E2', 4)).outcome).toBe('granted')
  })

  test('A17 a policy that fails allows nothing, and says why', async () => {
    const violation = { scope: 'action', name: 'faulty', rule: 'policy', reason: 'no rule for gold' }
    expect(await ruled.enqueue({ action: 'faulty', executionId: 'E1', parameters: { tier: 'gold' } })).toEqual({
      outcome: 'refused',
      violation,
    })
    await expect(ruled.run({ action: 'faulty' }, () => 'worked')).rejects.toThrow(AdmissionRefused)
    expect(await ruled.enqueue({ action: 'silly', executionId: 'E1' })).toMatchObject({ violation: { rule: 'policy', scope: 'action' } })
    expect(await ruled.stats({ action: 'faulty' })).toBeUndefined()
  })
})

describe('figures', () => {
  test('A18 they are the real counts at every step; an action that was never used is not found', async () => {
    const runs = new Runs(admission)
    const place = { action: 'build' }
    expect(await admission.stats(place)).toBeUndefined()
    expect(await admission.stats({ ...place, parameters: {} })).toBeUndefined()
    const asked: number[] = []
    for (const [index, id] of ['E1', 'E2', 'E3', 'E4', 'E5'].entries()) {
      asked.push(world.clock.wall())
      await runs.ask(id)
      const waiting = Math.max(0, index - 1)
      expect(await admission.stats(place)).toMatchObject({
        active: Math.min(2, index + 1),
        waiting,
        limit: 2,
        groups: 1,
        oldestEnqueuedAt: waiting === 0 ? null : asked[2],
        estimatedWaitMs: index === 0 ? 0 : null,
      })
      await world.advance(99)
    }
    expect(await admission.position(runs.request('E5'))).toMatchObject({ outcome: 'waiting', position: 3, enqueuedAt: asked[4] })
    expect(await admission.position(runs.request('E1'))).toMatchObject({ outcome: 'active' })
    expect(await admission.position(runs.request('E9'))).toEqual({ outcome: 'unknown' })
    const start = asked[0] ?? 0
    expect(world.clock.wall()).toBe(start + 500)
    await runs.done('E1')
    // E1 has worked for 500 ms, E3 has waited for 300: three are waited for, two at a time.
    expect(await admission.stats(place)).toMatchObject({
      active: 2,
      waiting: 2,
      oldestEnqueuedAt: asked[3],
      averageWaitMs: 100,
      estimatedWaitMs: 750,
      totals: { granted: 3, released: 1, expired: 0, cancelled: 0, timedOut: 0, refused: 0 },
    })
    expect(await admission.position(runs.request('E5'))).toMatchObject({ position: 2, estimatedWaitMs: 500 })
    for (const id of ['E2', 'E3', 'E4', 'E5']) await runs.done(id)
    expect(await admission.stats(place)).toMatchObject({
      active: 0,
      waiting: 0,
      oldestEnqueuedAt: null,
      estimatedWaitMs: 0,
      totals: { granted: 5, released: 5 },
    })
  })
})
