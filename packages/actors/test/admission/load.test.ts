import { describe, expect, test } from 'vitest'
import { Admission } from '../../src/admission/admission.ts'
import { jobs } from '../fixtures/admission.actor.ts'
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

describe('on real threads', () => {
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
