/**
 * What every driver of the store has to do, as one suite that is run against each of them. New semantics of the store are
 * first written down here.
 *
 * It asserts with `node:assert` and takes `describe` and `test` from its caller, so it belongs to no test runner. What only
 * one driver has (files, damage, a full disk) is tested beside that driver.
 */
import type { Answer, StoreDirectory } from '@bailiwick/store'
import { actorScenarios } from './store-conformance/actors.ts'
import { commitScenarios } from './store-conformance/commits.ts'
import { compactionScenarios } from './store-conformance/compaction.ts'
import { deadLetterScenarios } from './store-conformance/dead-letters.ts'
import { effectScenarios } from './store-conformance/effects.ts'
import { faultScenarios } from './store-conformance/faults.ts'
import { inboxScenarios } from './store-conformance/inbox.ts'
import { lateResultScenarios } from './store-conformance/late-results.ts'
import { leaseScenarios } from './store-conformance/leases.ts'
import { linkScenarios } from './store-conformance/links.ts'
import { outcomeScenarios } from './store-conformance/outcomes.ts'
import { ownershipScenarios } from './store-conformance/ownership.ts'
import { processScenarios } from './store-conformance/processes.ts'
import type { Scenarios } from './store-conformance/scenario.ts'
import { timerScenarios } from './store-conformance/timers.ts'
import { turnScenarios } from './store-conformance/turns.ts'

/** A place where a store can be, fresh for each test. */
export interface StorePlace {
  /** Takes ownership of the store in this place, and makes it if there is none. It has two shards. */
  open(): Answer<StoreDirectory>

  /** The owner dies without a word, and with it every directory and shard that is open: only what was committed is left. */
  crash(): Answer<void>

  /** Throws the place away. */
  dispose(): Answer<void>
}

/** The two functions of a test runner that the suite needs; vitest and `node:test` have them. */
export interface StoreConformanceRunner {
  describe(title: string, body: () => void): unknown
  test(title: string, body: () => Promise<void>): unknown
}

const chapters: Readonly<Record<string, Scenarios>> = {
  actors: actorScenarios,
  commits: commitScenarios,
  inbox: inboxScenarios,
  outcomes: outcomeScenarios,
  timers: timerScenarios,
  turns: turnScenarios,
  leases: leaseScenarios,
  'late results': lateResultScenarios,
  faults: faultScenarios,
  processes: processScenarios,
  links: linkScenarios,
  effects: effectScenarios,
  'dead letters': deadLetterScenarios,
  compaction: compactionScenarios,
  ownership: ownershipScenarios,
}

/** Declares the suite for the driver `name`. `createPlace` is called once per test. */
export function storeConformance(name: string, createPlace: () => Answer<StorePlace>, runner: StoreConformanceRunner): void {
  for (const [chapter, scenarios] of Object.entries(chapters)) {
    runner.describe(`${name}: ${chapter}`, () => {
      for (const [title, scenario] of Object.entries(scenarios)) {
        runner.test(title, async () => {
          const place = await createPlace()
          try {
            await scenario(place)
          } finally {
            await place.dispose()
          }
        })
      }
    })
  }
}
