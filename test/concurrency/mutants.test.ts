/** Mutants of our own kernel and store: what the campaigns are worth. */
import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { describe, expect, test } from 'vitest'
import { campaigns } from './campaigns.ts'
import { mutants } from './mutants/all.ts'
import caughtBy from './mutants/caught-by.json' with { type: 'json' }
import { hunt } from './mutants/hunt.ts'
import { faultyText } from './mutants/mutant.ts'

const ROOT = new URL('../../', import.meta.url)
/** Far more than any of them needs; what is caught ends its process at once. */
const SCHEDULES = process.env['BAILIWICK_SLOW'] === '1' ? 40_000 : 4_000
/** Of the campaigns as they are. */
const CONTROL_SCHEDULES = 2_000
const SEED = 1
/** The whole budget, with every core busy. */
const HUNT_MS = process.env['BAILIWICK_SLOW'] === '1' ? 600_000 : 120_000

/** Those that take more than a few hundred schedules: they are hunted in the slow suite, with a budget to match. */
const RARE: ReadonlySet<string> = new Set([
  'call-numbers-reused',
  'calls-of-a-dead-thread-wait',
  'cancel-misses-a-claim',
  'changes-before-commit',
  'confirmed-before-commit',
  'drain-leaves-a-backlog',
  'edit-not-stored',
  'epoch-not-raised',
  'fence-not-checked',
  'frame-lost',
  'intent-forgotten',
  'journal-revision-too-small',
  'lost-message-not-sent-again',
  'missed-ticks-all-ring',
  'poison-tried-for-ever',
  'quarantined-tells-dropped',
  'records-expire-early',
  'records-of-the-batch-not-seen',
  'rolled-back-commands-lost',
  'rolled-back-in-reverse',
  'tell-acknowledged-unstored',
  'timeout-called-a-refusal',
  'undo-missing',
  'weaker-intent-wins',
])
const isSlow = process.env['BAILIWICK_SLOW'] === '1'

/** By the name of a mutant: the campaign that catches it soonest, and is tried first. */
const firsts: Readonly<Record<string, string>> = caughtBy

describe('the mutants', () => {
  test('each of them changes a text that stands in its file once, into one that still parses', () => {
    for (const mutant of mutants) {
      const source = readFileSync(new URL(mutant.file, ROOT), 'utf8')
      const faulty = faultyText(mutant, source)
      expect(faulty, mutant.name).not.toBe(source)
      expect(() => stripTypeScriptTypes(faulty), mutant.name).not.toThrow()
    }
  })

  test('at least 50 of them are hunted every time, and each has a name of its own', () => {
    expect(mutants.filter(({ name, skip }) => skip === undefined && !RARE.has(name)).length).toBeGreaterThanOrEqual(50)
    for (const name of RARE) expect(mutants.map((mutant) => mutant.name)).toContain(name)
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })

  test('each that is hunted has a campaign that is tried first', () => {
    const names = campaigns.map(({ name }) => name)
    for (const { name, skip } of mutants) if (skip === undefined) expect(names, name).toContain(firsts[name])
  })

  test('the published sources know nothing of them', () => {
    for (const file of globSync('packages/*/src/**/*.ts', { cwd: ROOT })) {
      expect(readFileSync(new URL(file, ROOT), 'utf8'), file).not.toMatch(/mutant/i)
    }
  })
})

describe('each fault that is planted in the kernel or the store is caught', { concurrent: true }, () => {
  test('without a mutant nothing is caught', { timeout: HUNT_MS }, async ({ expect: expectHere }) => {
    const { caught } = await hunt(undefined, { schedules: CONTROL_SCHEDULES, seed: SEED })
    expectHere(caught).toBeUndefined()
  })

  for (const mutant of mutants.filter(({ name }) => isSlow || !RARE.has(name))) {
    const { claim, guarantee, name, skip } = mutant
    const why = skip === undefined ? '' : ` (${skip})`
    test.skipIf(skip !== undefined)(
      `${guarantee} mutant ${name} is caught: ${claim}${why}`,
      { timeout: HUNT_MS },
      async ({ expect: expectHere }) => {
        const hunted = await hunt(mutant, { schedules: SCHEDULES, seed: SEED, first: firsts[name] })
        expectHere(hunted.caught, `it survived ${hunted.schedules} schedules`).toBeDefined()
      },
    )
  }
})
