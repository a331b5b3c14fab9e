/** The mailbox against a plain model: lists, a count of how often each lane was overtaken, and nothing clever. */
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { LANES, Mailbox } from '../src/seams/index.ts'
import type { Lane } from '../src/seams/index.ts'

const SETTINGS = { capacity: fc.integer({ min: 1, max: 40 }), starvationBound: fc.integer({ min: 1, max: 9 }) }
const bounds = fc.record(SETTINGS)
const lane = fc.constantFrom(...LANES)
/** A lane is a push into it; `take` serves one; `back` puts the last served one back. */
const steps = fc.array(
  fc.oneof({ weight: 5, arbitrary: lane }, { weight: 4, arbitrary: fc.constant('take' as const) }, fc.constant('back' as const)),
  {
    maxLength: 400,
  },
)

interface Item {
  readonly lane: Lane
  readonly n: number
}

class Model {
  readonly lanes: Item[][] = [[], [], [], []]
  readonly overtaken = [0, 0, 0, 0]

  get size(): number {
    return this.lanes.reduce((total, items) => total + items.length, 0)
  }

  /** The lane that is due, the least urgent first; else the most urgent one that has work. */
  next(starvationBound: number): Lane | undefined {
    const waiting = LANES.filter((each) => (this.lanes[each]?.length ?? 0) > 0)
    const due = waiting.filter((each) => each > 0 && (this.overtaken[each] ?? 0) >= starvationBound)
    return due.at(-1) ?? waiting[0]
  }

  take(starvationBound: number): Item | undefined {
    const served = this.next(starvationBound)
    if (served === undefined) return undefined
    for (const each of LANES) {
      const isWaiting = (this.lanes[each]?.length ?? 0) > 0
      if (!isWaiting || each === served) this.overtaken[each] = 0
      else if (each > served) this.overtaken[each] = (this.overtaken[each] ?? 0) + 1
    }
    return this.lanes[served]?.shift()
  }
}

describe('G6 the mailbox', () => {
  test.prop([bounds, steps], { numRuns: 2_000 })(
    'serves exactly as its model: order, lanes, starvation bound, capacity',
    (settings, script) => {
      const mailbox = new Mailbox<Item>(settings)
      const model = new Model()
      let last: Item | undefined
      for (const [n, step] of script.entries()) {
        if (step === 'take') {
          last = mailbox.shift()
          expect(last).toEqual(model.take(settings.starvationBound))
        } else if (step === 'back') {
          if (last === undefined) continue
          mailbox.putBack(last.lane, last)
          model.lanes[last.lane]?.unshift(last)
          last = undefined
        } else {
          const isAccepted = mailbox.tryPush(step, { lane: step, n })
          expect(isAccepted).toBe(model.size < settings.capacity)
          if (isAccepted) model.lanes[step]?.push({ lane: step, n })
        }
        expect(mailbox.size).toBe(model.size)
        expect(mailbox.mostUrgent()).toBe(LANES.find((each) => (model.lanes[each]?.length ?? 0) > 0))
      }
    },
  )

  test.prop([fc.integer({ min: 1, max: 70 }), fc.array(lane, { minLength: 1, maxLength: 300 })], { numRuns: 500 })(
    'never overtakes the head of a waiting lane more often than the bound, whatever keeps arriving',
    (starvationBound, arrivals) => {
      const mailbox = new Mailbox<Item>({ capacity: 10_000, starvationBound })
      const heads = [0, 0, 0, 0]
      for (const each of LANES) for (let n = 0; n < 40; n += 1) mailbox.tryPush(each, { lane: each, n })
      for (const [n, arrival] of arrivals.entries()) {
        mailbox.tryPush(arrival, { lane: arrival, n })
        const served = mailbox.shift()
        if (served === undefined) return
        for (const each of LANES) {
          heads[each] = each === served.lane ? 0 : (heads[each] ?? 0) + (each > served.lane ? 1 : 0)
          expect(heads[each]).toBeLessThanOrEqual(starvationBound)
        }
      }
    },
  )

  test.prop([fc.array(lane, { maxLength: 200 })])('gives everything back exactly once, FIFO within each lane', (arrivals) => {
    const mailbox = new Mailbox<Item>({ capacity: 1_000, starvationBound: 3 })
    for (const [n, each] of arrivals.entries()) mailbox.tryPush(each, { lane: each, n })
    const served: Item[] = []
    for (let item = mailbox.shift(); item !== undefined; item = mailbox.shift()) served.push(item)
    expect(served).toHaveLength(arrivals.length)
    for (const each of LANES) {
      const numbers = served.filter((item) => item.lane === each).map((item) => item.n)
      expect(numbers).toEqual(numbers.toSorted((left, right) => left - right))
    }
  })
})
