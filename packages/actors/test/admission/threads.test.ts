import { describe, expect, test } from 'vitest'
import { Admission } from '../../src/admission/admission.ts'
import type { Acquired } from '../../src/admission/requests.ts'
import { fleeting, governed, jobs, narrow } from '../fixtures/admission.actor.ts'
import { Place } from './place.ts'

/** The long form, with `BAILIWICK_SLOW=1`, has ten times as many. */
const EXECUTIONS = process.env['BAILIWICK_SLOW'] === '1' ? 10_000 : 1_000
const WORKERS = 4
const LIMIT = 5

/** Numbers that look random and are the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Takes a while: so many turns of the event loop. */
async function work(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** What stands for a slot that must have been granted. */
function slotOf(acquired: Acquired): Extract<Acquired, { outcome: 'granted' }>['slot'] {
  if (acquired.outcome === 'granted') return acquired.slot
  throw new Error(`There is no slot: ${acquired.outcome}`)
}

const build = { action: 'build', parameters: {} }

describe('on real threads', () => {
  test('A01 A02 A03 A05 A11 A18 eight callers share one queue', async () => {
    using place = new Place(jobs.actors)
    await using system = await place.open(4)
    const callers = Array.from({ length: 8 }, () => new Admission(system, jobs))
    const [first = new Admission(system, jobs)] = callers
    const ids = callers.map((_, index) => `E${index + 1}`)
    for (const [index, caller] of callers.entries()) await caller.enqueue({ ...build, executionId: ids[index] ?? '' })
    expect(await first.stats(build)).toMatchObject({ active: 2, waiting: 6, limit: 2 })
    expect(await first.position({ ...build, executionId: 'E8' })).toMatchObject({ outcome: 'waiting', position: 6 })
    expect(await first.setLimit(build, 3)).toEqual({ limit: 3, promoted: 1 })
    const epochs: number[] = []
    await Promise.all(
      callers.map(async (caller, index) => {
        const slot = slotOf(await caller.acquire({ ...build, executionId: ids[index] ?? '' }))
        epochs[index] = slot.epoch
        expect((await caller.release(slot)).outcome).toBe('released')
        expect((await caller.release(slot)).outcome).toBe('stale')
      }),
    )
    expect(epochs).toEqual(epochs.toSorted((one, other) => one - other))
    expect(await first.stats(build)).toMatchObject({ active: 0, waiting: 0, limit: 3, totals: { granted: 8, released: 8 } })
  })

  test('A06 A07 A08 A10 cancelled ones leave, a full queue refuses, and actions are independent', async () => {
    using place = new Place(narrow.actors)
    await using system = await place.open(2)
    const [one, other] = [new Admission(system, narrow), new Admission(system, narrow)]
    await one.enqueue({ ...build, executionId: 'E1' })
    const waiting = ['E2', 'E3', 'E4'].map(async (executionId) => await one.acquire({ ...build, executionId, waitMs: 1_000 }))
    while ((await one.stats(build))?.waiting !== 3) await work(1)
    expect(await other.enqueue({ ...build, executionId: 'E5' })).toEqual({ outcome: 'full', waiting: 3, maxLength: 3 })
    expect((await other.enqueue({ ...build, action: 'test', executionId: 'E1' })).outcome).toBe('granted')
    expect(await other.cancel({ ...build, executionId: 'E3' })).toEqual({ outcome: 'cancelled', was: 'waiting' })
    expect(await waiting[1]).toEqual({ outcome: 'cancelled' })
    expect(await other.cancel({ ...build, executionId: 'E1' })).toEqual({ outcome: 'cancelled', was: 'active' })
    await one.release(slotOf((await waiting[0]) ?? { outcome: 'unknown' }))
    expect(slotOf((await waiting[2]) ?? { outcome: 'unknown' }).executionId).toBe('E4')
  })

  test('A09 A12 who waits too long, and who works without a word, is taken out', async () => {
    using place = new Place(fleeting.actors)
    await using system = await place.open(2)
    const admission = new Admission(system, fleeting)
    const silent = slotOf(await admission.acquire({ ...build, executionId: 'E1' }))
    expect(await admission.acquire({ ...build, executionId: 'E2', waitMs: 1 })).toEqual({ outcome: 'timed-out' })
    expect((await admission.acquire({ ...build, executionId: 'E3' })).outcome).toBe('granted')
    expect(await admission.release(silent)).toEqual({ outcome: 'stale' })
    expect(await admission.stats(build)).toMatchObject({ active: 1, waiting: 0, totals: { expired: 1, timedOut: 1 } })
  })

  test('A13 after a restart those that wait are in the same order, and those that worked have their slots', async () => {
    using place = new Place(jobs.actors)
    const ids = ['E1', 'E2', 'E3', 'E4', 'E5', 'E6', 'E7']
    const before = await place.open(2)
    const first = new Admission(before, jobs)
    for (const executionId of ids) await first.enqueue({ ...build, executionId })
    await before.close({ mode: 'now' })
    await using after = await place.open(2)
    const admission = new Admission(after, jobs)
    expect(await admission.stats(build)).toMatchObject({ active: 2, waiting: 5 })
    const epochs = await Promise.all(ids.map(async (executionId) => await admission.run({ ...build, executionId }, ({ epoch }) => epoch)))
    expect(epochs).toEqual(epochs.toSorted((one, other) => one - other))
    expect(await admission.stats(build)).toMatchObject({ active: 0, waiting: 0, totals: { granted: 7, released: 7 } })
  })

  test('A14 A15 A16 A17 of eight callers at a time as many are admitted as policies allow', async () => {
    using place = new Place(governed.actors)
    await using system = await place.open(4)
    const ask = async (action: string): Promise<unknown[]> =>
      await Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const asked = await new Admission(system, governed).enqueue({ action, executionId: `${action} ${index}` })
          return asked.outcome === 'refused' ? asked.violation.rule : asked.outcome
        }),
      )
    const count = (all: unknown[], what: string): number => all.filter((one) => one === what).length
    const mails = await ask('mail')
    expect([count(mails, 'granted'), count(mails, 'rate')]).toEqual([3, 5])
    const probes = await ask('probe')
    expect([count(probes, 'granted'), count(probes, 'concurrency') + count(probes, 'quota')]).toEqual([2, 6])
    expect(await ask('faulty')).toEqual(Array.from({ length: 8 }, () => 'policy'))
  })

  test(
    `A04 ${EXECUTIONS} wait: they start in their order, never more than five at a time, and nobody is forgotten`,
    { timeout: 300_000 },
    async () => {
      using place = new Place(jobs.actors)
      await using system = await place.open(4)
      const workers = Array.from({ length: WORKERS }, () => new Admission(system, jobs))
      const [first] = workers
      if (first === undefined) throw new Error('There is no worker.')
      const request = (index: number) => ({ action: 'build', parameters: {}, executionId: `E${index}` })
      await first.setLimit({ action: 'build', parameters: {} }, 0)
      await Promise.all(Array.from({ length: EXECUTIONS }, async (_, index) => await first.enqueue(request(index))))
      expect(await first.stats({ action: 'build' })).toMatchObject({ waiting: EXECUTIONS, active: 0 })

      const draw = numbers(7)
      const epochs: number[] = []
      let active = 0
      let most = 0
      const all = Array.from({ length: EXECUTIONS }, async (_, index) => {
        const worker = workers[index % WORKERS] ?? first
        await worker.run(request(index), async ({ epoch, signal }) => {
          epochs[index] = epoch
          active += 1
          most = Math.max(most, active)
          await work(draw(4))
          active -= 1
          expect(signal.aborted).toBe(false)
        })
      })
      await first.setLimit({ action: 'build', parameters: {} }, LIMIT)
      await Promise.all(all)

      expect(epochs).toEqual(epochs.toSorted((one, other) => one - other))
      expect(new Set(epochs).size).toBe(EXECUTIONS)
      expect(most).toBe(LIMIT)
      const totals = { granted: EXECUTIONS, released: EXECUTIONS, expired: 0, cancelled: 0, timedOut: 0, refused: 0 }
      expect(await first.stats({ action: 'build' })).toMatchObject({ waiting: 0, active: 0, totals })
    },
  )
})
