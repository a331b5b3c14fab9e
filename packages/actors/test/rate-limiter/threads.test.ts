/** Rate limiters on real threads and SQLite. Workers are callers of one system; until systems can share a directory, processes are not among them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { expect, onTestFinished, test } from 'vitest'
import { RateLimiter } from '../../src/rate-limiter/rate-limiter.ts'
import { fiveAtOnce, fivePerMinute } from '../fixtures/limits.actor.ts'

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-limits-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'data')
}

async function open(directory: string, shards = 2): Promise<System> {
  return await openSystem({ directory, actors: [fivePerMinute, fiveAtOnce], shards })
}

const subject = { principal: 'ada', capability: 'files.read' }

/** Calls of several workers, all fired at the same time. */
async function hammer(workers: readonly RateLimiter[], calls: number): Promise<Readonly<Record<string, number>>> {
  const decisions = await Promise.all(workers.flatMap((worker) => Array.from({ length: calls }, async () => await worker.check(subject))))
  const count = (outcome: string): number => decisions.filter((decision) => decision.outcome === outcome).length
  return { allowed: count('allowed'), denied: count('denied') }
}

test('W07 four workers with a system each allow four times the limit: nothing is shared', { timeout: 30_000 }, async () => {
  const systems = await Promise.all(Array.from({ length: 4 }, async () => await open(place(), 1)))
  const tallies = await Promise.all(systems.map(async (system) => await hammer([new RateLimiter(system, fivePerMinute)], 5)))
  await Promise.all(systems.map(async (system) => await system.close()))
  expect(tallies.reduce((sum, { allowed = 0 }) => sum + allowed, 0)).toBe(20)
})

test.each([fivePerMinute, fiveAtOnce])(
  'W08 of twenty calls of four workers at the same time exactly five are allowed, and the denied ones are not recorded: $type',
  { timeout: 30_000 },
  async (definition) => {
    const directory = place()
    const system = await open(directory)
    const workers = Array.from({ length: 4 }, () => new RateLimiter(system, definition))
    expect(await hammer(workers, 5)).toEqual({ allowed: 5, denied: 15 })
    expect(await workers[0]?.peek(subject)).toMatchObject({ count: 5, remaining: 0 })
    await system.close()
    // A restart forgets nothing.
    await using again = await open(directory)
    expect(await hammer([new RateLimiter(again, definition)], 5)).toEqual({ allowed: 0, denied: 5 })
  },
)
