/**
 * Runs the campaigns in this process until one of them fails: `node --import ./plant.ts search.ts <schedules> <seed> [guarantee]
 * [campaign]`. The named campaign goes first, with many schedules. Then all of them take turns in rounds that grow, so that what
 * is easily found is found at once; those of the guarantee go first in each round, and have half of it. The last line says what
 * was found, as JSON.
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
/** The part of the budget that the named campaign has for itself. */
const OWN_PART = 0.5

const [budget = '1000', seed = '1', guarantee = '', named = ''] = process.argv.slice(2)
console.log(JSON.stringify(await search(Number(budget), Number(seed) * SEED_STEP)))

async function search(max: number, firstSeed: number): Promise<Hunted> {
  const first = campaigns.find(({ name }) => name === named)
  let ran = 0
  if (first !== undefined) {
    const { caught, schedules } = await tryOne(first, Math.ceil(max * OWN_PART), firstSeed)
    ran += schedules
    if (caught !== undefined) return { caught, schedules: ran }
  }
  for (let round = 0, size = FIRST_ROUND; ran < max; round += 1, size *= GROWTH) {
    for (const [campaign, count] of roundOf(Math.min(size, max - ran))) {
      const { caught, schedules } = await tryOne(campaign, count, firstSeed + round)
      ran += schedules
      if (caught !== undefined) return { caught, schedules: ran }
    }
  }
  return { caught: undefined, schedules: ran }
}

async function tryOne({ name, options }: Campaign, schedules: number, own: number): Promise<Hunted> {
  // Whether runs are the same when they are repeated is the business of others, and so is making a failure small.
  const report = await explore({ ...options, schedules, seed: own, auditEvery: 0, shrinkRuns: 0 })
  const { failure } = report
  const caught = failure && { campaign: name, error: `${failure.error.name}: ${failure.error.message}` }
  return { caught, schedules: report.schedules }
}

/** What runs in a round of so many schedules: the campaigns of the guarantee have half of it, and go first. */
function roundOf(size: number): readonly (readonly [Campaign, number])[] {
  // On files hardly a schedule would fit into the time.
  const all = campaigns.filter(({ skip, options }) => skip === undefined && options.disk !== 'sqlite')
  const own = all.filter(({ name }) => name.split(' ').includes(guarantee))
  const others = all.filter((campaign) => !own.includes(campaign))
  return own.length === 0 ? shareOut(all, size) : [...shareOut(own, size / 2), ...shareOut(others, size / 2)]
}
