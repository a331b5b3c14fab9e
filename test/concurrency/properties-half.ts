/** One half of the campaigns as tests: two files run a half each, so that two cores have work. */
import { describe, expect, test } from 'vitest'
import { campaigns } from './campaigns.ts'
import type { Campaign } from './properties/campaign.ts'
import { describeTotals, idleFaults, runCampaign, shareOut, totalsOf } from './share-out.ts'
import type { CampaignResult } from './share-out.ts'

/** Over both halves. */
const SCHEDULES = Number(process.env['BAILIWICK_SCHEDULES'] ?? 104_000)
const SEED = Number(process.env['BAILIWICK_SEED'] ?? 20_261_121)
/** With fewer schedules than this, not every kind of fault need strike. */
const FAULTS_FROM = 5_000

/** Declares the tests of half 0 or 1. */
export function testHalf(half: 0 | 1): void {
  const mine = shareOut(
    campaigns.filter(({ skip }) => skip === undefined),
    SCHEDULES,
  ).filter((_each, index) => index % 2 === half)
  const results: CampaignResult[] = []
  describe(`properties under simulation, part ${half + 1}`, () => {
    for (const { name, skip } of campaigns) if (skip !== undefined && half === 0) test.skip(`${name} (${skip})`, () => undefined)
    for (const [campaign, schedules] of mine) test(campaign.name, { timeout: 300_000 }, () => passes(campaign, schedules, results))
    test(`every kind of fault has struck, part ${half + 1}`, () => {
      const totals = totalsOf(results)
      console.log(
        describeTotals(
          totals,
          results.reduce((sum, { ms }) => sum + ms, 0),
        ),
      )
      expect(totals.schedules).toBeGreaterThanOrEqual(mine.reduce((sum, [, schedules]) => sum + schedules, 0))
      if (SCHEDULES >= FAULTS_FROM) expect(idleFaults(totals)).toEqual([])
    })
  })
}

async function passes(campaign: Campaign, schedules: number, results: CampaignResult[]): Promise<void> {
  const result = await runCampaign(campaign, schedules, { seed: SEED })
  results.push(result)
  if (result.error !== undefined) throw new Error(result.error)
  expect(result.unmet).toEqual([])
}
