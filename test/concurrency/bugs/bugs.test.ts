/** Known concurrency bugs are found, their repaired twins are not blamed, and what was found can be seen again. */
import { explore, simulate } from '@bailiwick/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { KNOWN_BUGS } from './known-bugs.ts'
import { findings, SEEDS } from './search.ts'

/** How many schedules each twin goes through. */
const TWIN_SCHEDULES = Number(process.env['BAILIWICK_SCHEDULES'] ?? 100)
const SHRINK_RUNS = 200
const REPLAYS = 20

const slowest = { ms: 0, name: '', seed: 0, schedules: 0 }

afterAll(() => {
  const { ms, name, seed, schedules } = slowest
  console.log(`The slowest to find was "${name}": ${schedules} schedules of seed ${seed}, ${Math.round(ms)} ms.`)
})

describe.for(KNOWN_BUGS.map((bug) => [bug.name, bug] as const))('the known bug "%s"', ([, bug]) => {
  test('does not show in the plainest schedule without faults', async () => {
    const report = await simulate({ ...bug.broken, strategy: 'exhaustive 0', faults: 'none' })
    expect(report).toMatchObject({ schedules: 1, isExhausted: true })
  })

  test('is found within 2,000 schedules, with 20 of 20 seeds', async () => {
    const found = await findings(bug)
    expect(found.map(({ seed, shows }) => [seed, shows])).toEqual(SEEDS.map((seed) => [seed, bug.shows]))
    for (const { seed, schedules = 0, ms } of found) if (ms > slowest.ms) Object.assign(slowest, { ms, name: bug.name, seed, schedules })
  })

  test('is made smaller, and then shows 20 times of 20 in the same way', async () => {
    const { failure } = await explore({ ...bug.broken, shrinkRuns: SHRINK_RUNS })
    expect(failure?.error.name).toBe(bug.shows)
    for (let count = 0; count < REPLAYS; count += 1) {
      const again = await explore({ ...bug.broken, replay: failure?.schedule ?? '' })
      expect(again.failure?.error.message).toBe(failure?.error.message)
      expect(again.failure?.schedule).toBe(failure?.schedule)
    }
  })

  test(`is not found in its repaired twin, in ${TWIN_SCHEDULES} schedules`, async () => {
    const report = await simulate({ ...bug.repaired, schedules: TWIN_SCHEDULES })
    expect(report.schedules).toBe(TWIN_SCHEDULES)
  })
})
