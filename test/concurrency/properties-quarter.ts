/** A quarter of the campaigns as tests: four files run a quarter each, so that every core has work until the end. */
import { describe, expect, test } from 'vitest'
import { campaigns } from './campaigns.ts'
import type { Campaign } from './properties/campaign.ts'
import { describeTotals, idleFaults, runCampaign, shareOut, totalsOf } from './share-out.ts'
import type { CampaignResult } from './share-out.ts'

/** Over all quarters. */
const SCHEDULES = Number(process.env['BAILIWICK_SCHEDULES'] ?? 102_000)
const SEED = Number(process.env['BAILIWICK_SEED'] ?? 20_261_121)
/** With fewer schedules than this, not every kind of fault need strike. */
const FAULTS_FROM = 5_000

/** Declares the tests of a quarter, from 0 to 3. */
export function testQuarter(quarter: 0 | 1 | 2 | 3): void {
  const mine = shareOut(
    campaigns.filter(({ skip }) => skip === undefined),
    SCHEDULES,
  ).filter((_each, index) => index % 4 === quarter)
  const results: CampaignResult[] = []
  describe(`properties under simulation, part ${quarter + 1}`, () => {
    for (const { name, skip } of campaigns) if (skip !== undefined && quarter === 0) test.skip(`${name} (${skip})`, () => undefined)
    for (const [campaign, schedules] of mine) test(campaign.name, { timeout: 300_000 }, () => passes(campaign, schedules, results))
    test(`every kind of fault has struck, part ${quarter + 1}`, () => {
      const totals = totalsOf(results)
      console.log(
        describeTotals(
          totals,
          results.reduce((sum, { ms }) => sum + ms, 0),
        ),
      )
      expect(totals.schedules).toBeGreaterThanOrEqual(mine.reduce((sum, [, schedules]) => sum + schedules, 0))
      // Messages between shards are struck where campaigns send some: those of one quarter are enough.
      const hasMessages = mine.some(([{ name }]) => name.includes('messages are lost'))
      const idle = idleFaults(totals).filter((kind) => hasMessages || !kind.endsWith('-message'))
      if (SCHEDULES >= FAULTS_FROM) expect(idle).toEqual([])
    })
  })
}

async function passes(campaign: Campaign, schedules: number, results: CampaignResult[]): Promise<void> {
  const result = await runCampaign(campaign, schedules, { seed: SEED })
  results.push(result)
  if (result.error !== undefined) throw new Error(result.error)
  expect(result.unmet).toEqual([])
}
