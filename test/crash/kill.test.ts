/**
 * kill −9 at random moments, again and again, on one directory, under a load that mixes everything: asks, tells in all lanes,
 * messages between shards, deferred replies, timers, effects on a receiver in another process, and turns.
 *
 * One campaign of kills is judged by all tests of this file. `BAILIWICK_SEED` repeats its moments, `BAILIWICK_KILLS` says how
 * many there are.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openReader } from '@bailiwick/store'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { campaignOf } from './campaign.ts'
import type { Campaign } from './campaign.ts'
import { endProcessesOf, processesOf } from './lives.ts'
import { compareEffects, compareTurns, linesOf } from './model.ts'

const KILLS = Number(process.env['BAILIWICK_KILLS'] ?? (process.env['BAILIWICK_SLOW'] === '1' ? 1_000 : 60))
const SEED = Number(process.env['BAILIWICK_SEED'] ?? (Date.now() % 1_000_000) + 1)

describe(`${KILLS} kills at random moments`, () => {
  let campaign: Campaign
  let isOver = false

  beforeAll(
    async () => {
      console.log(`seed ${SEED} (set BAILIWICK_SEED to repeat)`)
      campaign = await campaignOf(KILLS, SEED)
      isOver = true
    },
    60_000 + KILLS * 5_000,
  )

  afterAll(() => {
    if (!isOver) return
    endProcessesOf(campaign.root)
    console.log(reportOf(campaign))
    rmSync(campaign.root, { recursive: true, force: true })
  })

  test('G2 nothing that was acknowledged is lost', () => {
    // What was there at each start has been compared as well.
    const { acknowledged, ended } = campaign
    expect(acknowledged.missing(ended.account)).toEqual([])
    expect(acknowledged.count).toBeGreaterThan(KILLS)
  })

  test('G3 G5 nothing is doubled, with a key or without, and every sender keeps its order in every lane', () => {
    // Each actor takes only the next number of a sender, and notes everything else.
    expect(campaign.ended.account.violations).toEqual([])
    const { last } = campaign.ended.account
    for (const kind of ['ask/', 'deep/', 'keyed/', 'tell-urgent/', 'tell-high/', 'tell-normal/', 'tell-low/'])
      expect(Object.keys(last).filter((sender) => sender.startsWith(kind))).toHaveLength(4)
  })

  test('G3 G5 K25 what actors tell each other takes effect once, in order, in every lane and across shards', () => {
    const { last } = campaign.ended.account
    for (const postman of ['p0', 'p1']) {
      const sent = last[`send/${postman}`] ?? 0
      expect(sent).toBeGreaterThan(4)
      const taken = ['urgent', 'high', 'normal', 'low'].map((lane) => last[`${postman}-${lane}`])
      expect(taken).toEqual([3, 2, 1, 0].map((missing) => Math.floor((sent + missing) / 4)))
    }
    // The actors live on all shards, so messages have crossed.
    const actors = openReader(join(campaign.root, 'data')).actors({ limit: 1_000 })
    for (const type of ['ledger', 'journaled', 'postman'])
      expect(new Set(actors.filter((actor) => actor.type === type).map(({ shard }) => shard)).size).toBeGreaterThan(1)
  })

  test('G10 K25 every acknowledged command has its effect, under one key, no other has, and none that was taken back is tried', () => {
    const { promised, problems } = compareEffects(linesOf(join(campaign.root, 'received')), campaign.ended.account)
    expect(problems).toEqual([])
    expect(campaign.ended.account.counts['done']).toBe(promised)
  })

  test('G9 every timer rings once per setting, none early, none that was cancelled or set anew', () => {
    const { last, counts, violations } = campaign.ended.account
    expect(violations).toEqual([])
    expect(counts['rung']).toBe((last['once/b0'] ?? 0) + (last['once/b1'] ?? 0))
    expect(counts['beats']).toBeGreaterThan(KILLS)
    expect(counts['agains']).toBeGreaterThan(0)
  })

  test('G3 a deferred reply comes once, and is the same for whoever asks again under its key', () => {
    const { last, counts } = campaign.ended.account
    expect(counts['woken']).toBe((last['nap/s0'] ?? 0) + (last['nap/s1'] ?? 0))
    expect(counts['answered']).toBe((last['quote/q0'] ?? 0) + (last['quote/q1'] ?? 0))
    expect(['q0', 'q1'].map((key) => last[`broker-${key}`])).toEqual(['q0', 'q1'].map((key) => last[`quote/${key}`]))
  })

  test('G3 G7 every accepted turn ends once with an exact result, resumes from its last checkpoint, and never runs twice at a time', () => {
    const { acknowledged, ended, root } = campaign
    const { problems, resumed } = compareTurns(linesOf(join(root, 'turns')))
    expect(problems).toEqual([])
    expect(resumed).toBeGreaterThan(0)
    expect(acknowledged.unended(ended.account)).toEqual([])
  })

  test('in the end nothing is left over: no promise, no open call, no timer, no turn, no dead letter', () => {
    const { left, letters, stranded, actionFailures, epoch } = campaign.ended
    expect({ left, letters, stranded, actionFailures }).toEqual({ left: [], letters: [], stranded: 0, actionFailures: 0 })
    expect(campaign.closed).toEqual({ outcome: 'polite', abandonedCalls: 0 })
    for (const shard of openReader(join(campaign.root, 'data')).shards())
      expect(shard).toMatchObject({ inbox: 0, outbox: 0, effects: 0, openCalls: 0, timers: 0, turns: 0, deadLetters: 0, faults: 0 })
    expect(epoch).toBeLessThanOrEqual(campaign.lives)
  })

  test('G8 every file is whole, what shards say of each other agrees, and no process of any life is left', async () => {
    expect(
      openReader(join(campaign.root, 'data'))
        .verify()
        .filter(({ level }) => level !== 'note'),
    ).toEqual([])
    for (const file of filesOf(campaign.root)) {
      const db = new Sqlite(file, { readonly: true })
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
      db.close()
    }
    await expect.poll(() => processesOf(campaign.root), { timeout: 10_000 }).toEqual([])
  })
})

function filesOf(root: string): readonly string[] {
  return readdirSync(join(root, 'data'))
    .filter((name) => name.endsWith('.db'))
    .map((name) => join(root, 'data', name))
}

function reportOf({ seed, root, lives, struck, acknowledged, ended, durationMs }: Campaign): string {
  const { account, epoch, lateResults } = ended
  const { counts } = account
  const effects = compareEffects(linesOf(join(root, 'received')), account)
  const turns = compareTurns(linesOf(join(root, 'turns')))
  const verified = Object.values(account.last).reduce((total, n) => total + n, 0)
  const list = (numbers: Readonly<Record<string, number>>): string =>
    Object.entries(numbers)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')
  return [
    `${KILLS} kills in ${Math.round(durationMs / 1_000)} s, seed ${seed}`,
    `  struck while    ${list(struck)}`,
    `  lives           ${lives}, of which ${epoch} took the directory`,
    `  acknowledged    ${acknowledged.count}: ${list(acknowledged.byKind())}`,
    `  verified        ${verified} numbers of ${Object.keys(account.last).length} senders, ${account.violations.length} violations`,
    `  timers          ${counts['rung']} rang once, ${counts['agains']} of those set anew, ${counts['beats']} beats`,
    `  deferred        ${counts['woken']} after a delay, ${counts['answered']} after a request`,
    `  effects         ${effects.promised} promised, ${effects.delivered} delivered, ${effects.attempts} attempts, ${counts['withdrawn']} taken back`,
    `  turns           ${turns.begun} stretches, ${turns.resumed} resumed from a frame, ${counts['parked']} parked, ${lateResults} late results`,
  ].join('\n')
}
