import { FAULT_KINDS, simulate } from '@bailiwick/testkit'
import type { Client, FaultKind, World } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { Admission } from '../../src/admission/admission.ts'
import { defineAdmission } from '../../src/admission/define-admission.ts'
import type { Acquired, Slot } from '../../src/admission/requests.ts'

/** A lease that lasts longer than any fault: nobody loses a slot. */
const steady = defineAdmission({ type: 'steady', module: import.meta.url, limit: 2, ttlMs: 900_000, waitMs: 3_000_000 })
/** A lease that is renewed while work goes on, and lasts longer than a restart. */
const brisk = defineAdmission({ type: 'brisk', module: import.meta.url, limit: 2, ttlMs: 60_000 })
/** A lease that ends soon, and a wait that does too. */
const hasty = defineAdmission({ type: 'hasty', module: import.meta.url, limit: 1, ttlMs: 6_000, waitMs: 60_000 })
/** One works and one waits in each group. */
const tight = defineAdmission({ type: 'tight', module: import.meta.url, limit: 1, maxLength: 1, groupBy: ['host'], ttlMs: 900_000 })
const strict = defineAdmission({
  type: 'strict',
  module: import.meta.url,
  limit: 10,
  ttlMs: 3_000_000,
  policies: {
    actions: { mail: { rates: [{ max: 2, windowMs: 3_600_000 }] }, probe: { concurrency: { limit: 1, method: 'cancel' } } },
    global: { quotas: [{ max: 3, periodMs: 86_400_000 }] },
  },
})

/** A poisoned actor serves nothing, and a clock that jumps by hours ends every lease: both make the claim void. */
const FAULTS: readonly FaultKind[] = FAULT_KINDS.filter((kind) => kind !== 'poison' && kind !== 'clock-jump')

/** What became of one execution, in the order of events of one run. */
interface Course {
  askedAt: number
  heardAt: number
  outcome: Acquired['outcome'] | 'none'
  epoch: number
}

/** Watches that no more work at a time than may, and that who came first starts first. */
class Observer {
  readonly courses = new Map<string, Course>()
  readonly #world: World
  #step = 0
  #working = 0

  constructor(world: World) {
    this.#world = world
  }

  begun(id: string): Course {
    const course: Course = { askedAt: this.#next(), heardAt: Infinity, outcome: 'none', epoch: 0 }
    this.courses.set(id, course)
    return course
  }

  placed(course: Course): void {
    course.heardAt = this.#next()
  }

  works(limit: number): void {
    this.#working += 1
    this.#world.always('no more work at a time than may', this.#working <= limit, this.#working)
    this.#world.sometimes('as many work as may', this.#working === limit)
  }

  rests(): void {
    this.#working -= 1
  }

  /** Of two that were granted, the one that knew its place before the other asked has the lower epoch. */
  checkOrder(): void {
    const granted = [...this.courses].filter(([, { outcome }]) => outcome === 'granted')
    for (const [one, first] of granted) {
      for (const [other, second] of granted) {
        if (first.heardAt < second.askedAt) expect([one, other, first.epoch < second.epoch]).toEqual([one, other, true])
      }
    }
  }

  #next(): number {
    this.#step += 1
    return this.#step
  }
}

const observers = new WeakMap<World, Observer>()

function observerOf(world: World): Observer {
  const observer = observers.get(world) ?? new Observer(world)
  observers.set(world, observer)
  return observer
}

describe('under every schedule', () => {
  test('A01 A02 A03 A05 A13 they start in order, no more than may, nobody is lost or there twice, whatever dies', async () => {
    await simulate({
      actors: steady.actors,
      shards: 2,
      schedules: 200,
      faults: FAULTS,
      scenario: async (world) => {
        const observer = observerOf(world)
        await world.together(4, async (client, index) => {
          const admission = new Admission(client, steady)
          const request = { action: 'build', executionId: `E${index}` }
          const course = observer.begun(request.executionId)
          await client.retry(() => admission.enqueue(request))
          observer.placed(course)
          const acquired = await client.retry(() => admission.acquire(request))
          course.outcome = acquired.outcome
          if (acquired.outcome !== 'granted') throw new Error(`${request.executionId} ended as ${acquired.outcome}`)
          course.epoch = acquired.slot.epoch
          observer.works(2)
          await client.sleep(world.draw(`work ${index}`, 50))
          observer.rests()
          const released = await client.retry(() => admission.release(acquired.slot))
          // After an unknown outcome the first release may have counted.
          world.always('a slot is given back once', released.outcome === 'released' || released.outcome === 'stale', released)
          expect(await client.retry(() => admission.release(acquired.slot))).toEqual({ outcome: 'stale' })
        })
      },
      check: async (world) => {
        observerOf(world).checkOrder()
        const stats = await new Admission(world.system, steady).stats({ action: 'build' })
        const totals = { granted: 4, released: 4, expired: 0, cancelled: 0, timedOut: 0, refused: 0 }
        expect(stats).toMatchObject({ active: 0, waiting: 0, totals })
      },
    })
  })

  test('A06 A07 A11 limits move and executions are cancelled: the others start in order, and nobody is lost', async () => {
    await simulate({
      actors: steady.actors,
      shards: 2,
      schedules: 200,
      faults: FAULTS,
      scenario: async (world) => {
        const observer = observerOf(world)
        await world.together(5, async (client, index) => {
          const admission = new Admission(client, steady)
          if (index === 4) {
            await disturb(world, client, admission)
            return
          }
          const request = { action: 'build', executionId: `E${index}` }
          const course = observer.begun(request.executionId)
          await client.retry(() => admission.enqueue(request))
          observer.placed(course)
          const acquired = await client.retry(() => admission.acquire(request))
          course.outcome = acquired.outcome
          if (acquired.outcome === 'granted') {
            course.epoch = acquired.slot.epoch
            await client.retry(() => admission.release(acquired.slot))
            return
          }
          world.always('only one that was cancelled has no slot', index === 1, acquired)
          world.reachable('one is cancelled while it waits')
        })
      },
      check: async (world) => {
        observerOf(world).checkOrder()
        const stats = await new Admission(world.system, steady).stats({ action: 'build' })
        expect(stats).toMatchObject({ active: 0, waiting: 0, limit: 2 })
      },
    })
  })

  test('A08 A10 A18 groups do not wait for each other, who finds a queue full leaves nothing, and the figures add up', async () => {
    const counts = new WeakMap<World, { granted: number }>()
    await simulate({
      actors: tight.actors,
      shards: 2,
      schedules: 120,
      faults: FAULTS,
      scenario: async (world) => {
        const count = { granted: 0 }
        const working = [0, 0]
        counts.set(world, count)
        await world.together(5, async (client, index) => {
          const admission = new Admission(client, tight)
          const host = index % 2
          const request = { action: 'build', executionId: `E${index}`, parameters: { host } }
          const acquired = await client.retry(() => admission.acquire(request))
          if (acquired.outcome !== 'granted') {
            world.always('who has no slot has found the queue full', acquired.outcome === 'full', acquired)
            world.reachable('a queue is full')
            // A late copy of the request may find room, and nobody would hear of it.
            const cancelled = await client.retry(() => admission.cancel(request))
            world.sometimes('it has left nothing', cancelled.outcome === 'unknown')
            return
          }
          count.granted += 1
          working[host] = (working[host] ?? 0) + 1
          world.always('one works in each group', working[host] === 1, working)
          world.sometimes(
            'both groups work at a time',
            working.every((many) => many === 1),
          )
          await client.sleep(world.draw(`work ${index}`, 20))
          working[host] = 0
          await client.retry(() => admission.release(acquired.slot))
        })
      },
      check: async (world) => {
        const stats = await new Admission(world.system, tight).stats({ action: 'build' })
        expect(stats).toMatchObject({ waiting: 0, groups: 2, limit: 2, isComplete: true })
        if (stats === undefined) return
        const { granted, released, cancelled, expired } = stats.totals
        expect(granted).toBeGreaterThanOrEqual(counts.get(world)?.granted ?? 0)
        expect([stats.active, expired]).toEqual([0, 0])
        expect(granted).toBeLessThanOrEqual(released + cancelled)
      },
    })
  })

  test('A12 the slot of one that has gone is free after its lease; what it says later changes nothing', async () => {
    await simulate({
      actors: hasty.actors,
      schedules: 120,
      faults: 'crashes',
      scenario: async (world) => {
        const dead = await gone(world.client('gone'))
        await world.together(2, async (client, index) => {
          const admission = new Admission(client, hasty)
          const acquired = await client.retry(() => admission.acquire({ action: 'build', executionId: `E${index}` }))
          if (acquired.outcome !== 'granted') throw new Error(`E${index} ended as ${acquired.outcome}`)
          world.always('a later slot has a higher epoch', acquired.slot.epoch > dead.epoch)
          expect(await client.retry(() => admission.release(dead))).toEqual({ outcome: 'stale' })
          await client.retry(() => admission.release(acquired.slot))
        })
      },
      check: async (world) => {
        const stats = await new Admission(world.system, hasty).stats({ action: 'build' })
        expect(stats).toMatchObject({ active: 0, waiting: 0 })
        expect(stats?.totals.expired).toBeGreaterThan(0)
      },
    })
  })

  test('A12 A13 work that goes on keeps its slot, and one after the other is done, whatever dies', async () => {
    await simulate({
      actors: brisk.actors,
      shards: 2,
      schedules: 60,
      faults: 'crashes',
      scenario: async (world) => {
        const observer = observerOf(world)
        await world.together(3, async (client, index) => {
          const admission = new Admission(client, brisk)
          const run = async (): Promise<string> =>
            await admission.run({ action: 'build', executionId: `E${index}` }, async ({ signal }) => {
              observer.works(2)
              await client.sleep(90_000)
              observer.rests()
              expect(signal.aborted).toBe(false)
              return `done ${index}`
            })
          expect(await client.retry(run)).toBe(`done ${index}`)
        })
      },
    })
  })

  test('A09 who waits too long is told so, and those after it get their slots', async () => {
    await simulate({
      actors: hasty.actors,
      schedules: 120,
      faults: 'crashes',
      scenario: async (world) => {
        await world.together(3, async (client, index) => {
          const admission = new Admission(client, hasty)
          const executionId = `E${index}`
          const acquired = await client.retry(() => admission.acquire({ action: 'build', executionId, waitMs: index === 1 ? 10 : 60_000 }))
          if (acquired.outcome === 'granted') {
            await client.sleep(world.draw(`work ${index}`, 40))
            await client.retry(() => admission.release(acquired.slot))
            return
          }
          world.always('only the impatient one waits too long', index === 1 && acquired.outcome === 'timed-out', acquired)
          world.reachable('it waits too long')
        })
      },
      check: async (world) => {
        expect(await new Admission(world.system, hasty).stats({ action: 'build' })).toMatchObject({ active: 0, waiting: 0 })
      },
    })
  })

  test('A14 A15 A16 no more are admitted than rates, quotas and limits allow, however often they ask', async () => {
    const admitted = new WeakMap<World, Set<string>>()
    await simulate({
      actors: strict.actors,
      shards: 2,
      schedules: 150,
      faults: FAULTS,
      scenario: async (world) => {
        const granted = new Set<string>()
        admitted.set(world, granted)
        await world.together(5, async (client, index) => {
          const admission = new Admission(client, strict)
          const executionId = `E${index}`
          const action = index < 3 ? 'mail' : 'probe'
          const asked = await client.retry(() => admission.enqueue({ action, executionId }))
          if (asked.outcome === 'granted') granted.add(`${action} ${executionId}`)
          else world.always('what is not admitted is refused', asked.outcome === 'refused', asked)
        })
        const of = (action: string): number => [...granted].filter((one) => one.startsWith(action)).length
        world.always('two mails', of('mail') <= 2, [...granted])
        world.always('one probe', of('probe') <= 1, [...granted])
        world.sometimes('as many as may', granted.size === 3)
      },
    })
  })
})

async function disturb(world: World, client: Client, admission: Admission): Promise<void> {
  const place = { action: 'build' }
  await client.retry(() => admission.setLimit(place, world.draw('first limit', 3), { idempotencyKey: 'first' }))
  await client.retry(() => admission.cancel({ ...place, executionId: 'E1' }))
  await client.retry(() => admission.setLimit(place, 1 + world.draw('second limit', 3), { idempotencyKey: 'second' }))
  await client.retry(() => admission.setLimit(place, null, { idempotencyKey: 'third' }))
}

/** Takes a slot and is never heard of again. */
async function gone(client: Client): Promise<Slot> {
  const admission = new Admission(client, hasty)
  const acquired = await client.retry(() => admission.acquire({ action: 'build', executionId: 'gone' }))
  if (acquired.outcome !== 'granted') throw new Error('The first must get the slot.')
  return acquired.slot
}
