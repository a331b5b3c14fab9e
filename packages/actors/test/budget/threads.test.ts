/** Budgets on real threads and SQLite. Workers are callers of one system; until systems can share a directory, processes are not among them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Budget } from '../../src/budget/budget.ts'
import { tokens } from '../fixtures/limits.actor.ts'

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-budget-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'data')
}

test(
  'W14 eight workers reserve 4,000 of 10,000 each: 4,000, 4,000, 2,000, then it is exhausted; what holders leave behind comes back',
  { timeout: 30_000 },
  async () => {
    const directory = place()
    const options = { directory, actors: [tokens], shards: 2 }
    const first = await openSystem(options)
    const workers = Array.from({ length: 8 }, () => new Budget(first, tokens))
    const outcomes = await Promise.all(workers.map(async (worker) => await worker.reserve('session', { amount: 4_000 })))
    const grants = outcomes.flatMap((outcome) => (outcome.outcome === 'granted' ? [outcome.granted] : []))
    expect(grants).toEqual([4_000, 4_000, 2_000])
    expect(outcomes.filter(({ outcome }) => outcome === 'exhausted')).toHaveLength(5)
    await workers[0]?.reserve('left', { id: 'slow', amount: 4_000, ttlMs: 300 })
    // The holders are gone, and with them whoever could return anything.
    await first.close()
    await using second = await openSystem(options)
    const open = async (): Promise<number> => (await second.actor(tokens, 'left').snapshot()).context.open.length
    await vi.waitFor(async () => expect(await open()).toBe(0), { timeout: 20_000, interval: 10 })
    const budget = new Budget(second, tokens)
    expect(await budget.balance('left')).toMatchObject({ reserved: 0, remaining: 10_000 })
    // A holder that was only slow comes too late, and is told so.
    expect(await budget.record('left', 'slow', 1_000)).toMatchObject({ outcome: 'lost', reason: 'lapsed', charged: 1_000 })
  },
)
