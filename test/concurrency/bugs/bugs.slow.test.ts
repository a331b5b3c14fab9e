/** The whole measure: known bugs are found within 2,000 schedules and 5 s, and 20,000 schedules of each repaired twin go well. */
import { simulate } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { KNOWN_BUGS } from './known-bugs.ts'
import { findings, SEEDS } from './search.ts'

const TWIN_SCHEDULES = 20_000
const FOUND_WITHIN_MS = 5_000

describe.for(KNOWN_BUGS.map((bug) => [bug.name, bug] as const))('the known bug "%s"', ([, bug]) => {
  test('is found within 2,000 schedules and 5 s, with 20 of 20 seeds', async () => {
    const found = await findings(bug)
    expect(found.map(({ seed, shows, ms }) => [seed, shows, ms < FOUND_WITHIN_MS])).toEqual(SEEDS.map((seed) => [seed, bug.shows, true]))
  })

  test('is not found in its repaired twin, in 20,000 schedules', async () => {
    const report = await simulate({ ...bug.repaired, schedules: TWIN_SCHEDULES })
    expect(report.schedules).toBe(TWIN_SCHEDULES)
  })
})
