/**
 * Runs the campaigns in this process until one of them fails: `node --import ./plant.ts search.ts <schedules> <seed> [guarantee]`. They take
 * turns in rounds that grow, so that what is easily found is found at once; those of the guarantee go first in each round. The
 * last line says what was found, as JSON.
 */
import { explore } from '@bailiwick/testkit'
import { campaigns } from '../campaigns.ts'
import type { Campaign } from '../properties/campaign.ts'
import { shareOut } from '../share-out.ts'
import type { Hunted } from './hunt.ts'

/** How many schedules the first round has, over all campaigns, and how many times as many each later one has. */
const FIRST_ROUND = 150
const GROWTH = 2
/** Rounds have seeds of their own, far from those of the next search. */
const SEED_STEP = 1_000

const [budget = '1000', seed = '1', guarantee = ''] = process.argv.slice(2)
console.log(JSON.stringify(await search(Number(budget), Number(seed) * SEED_STEP)))

async function search(max: number, firstSeed: number): Promise<Hunted> {
  let ran = 0
  let size = FIRST_ROUND
  for (let round = 0; ran < max; round += 1, size *= GROWTH) {
    for (const [{ name, options }, schedules] of shareOut(inOrder(), Math.min(size, max - ran))) {
      // Whether runs are the same when they are repeated is the business of others, and so is making a failure small.
      const report = await explore({ ...options, schedules, seed: firstSeed + round, auditEvery: 0, shrinkRuns: 0 })
      ran += report.schedules
      const { failure } = report
      if (failure !== undefined)
        return { caught: { campaign: name, error: `${failure.error.name}: ${failure.error.message}` }, schedules: ran }
    }
  }
  return { caught: undefined, schedules: ran }
}

/** All campaigns but those on files, where hardly a schedule would fit into the time. */
function inOrder(): readonly Campaign[] {
  const all = campaigns.filter(({ skip, options }) => skip === undefined && options.disk !== 'sqlite')
  const isOwn = ({ name }: Campaign): boolean => name.split(' ').includes(guarantee)
  return [...all.filter(isOwn), ...all.filter((campaign) => !isOwn(campaign))]
}
