/** Tokens of agents on real threads and SQLite: eight facades as workers. Between processes: marked until shared mode exists. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { System } from '@bailiwick/kernel'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { AgentTokens } from '../../src/agent-tokens/agent-tokens.ts'
import { giveAndRotate } from '../fixtures/agent-tokens.ts'
import { agentTokens } from '../fixtures/agent-tokens.actor.ts'
import { filesWith, makePlaces, openCommon, shownBy, sourcesOf } from '../tokens/place.ts'
import type { Common } from '../tokens/place.ts'

const agent = 'printer'

/** For tests that keep apart by their agents: a system takes a third of a second to open. */
let common: Common
beforeAll(async () => {
  common = await openCommon([agentTokens])
})
afterAll(() => common.close())

function workersOf(system: System) {
  return {
    system,
    tokens: new AgentTokens(system, agentTokens),
    workers: Array.from({ length: 8 }, () => new AgentTokens(system, agentTokens)),
  }
}

/** A system whose files are looked at. */
async function setUp() {
  const places = makePlaces()
  return { directory: places.directory(), ...workersOf(await places.open([agentTokens])) }
}

test('T11 of eight workers that issue exclusively for one agent one succeeds and seven hear that one exists; one is active', async () => {
  const { tokens, workers } = workersOf(common.system)
  const agent = 'printer of T11'
  const ends = await Promise.allSettled(workers.map((worker) => worker.issue({ agent, mode: 'exclusive' })))
  const [won, ...more] = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  expect(more).toEqual([])
  const lost = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
  expect(lost).toHaveLength(7)
  for (const error of lost) expect(error).toMatchObject({ code: 'ALREADY_EXISTS', agent, prefix: won?.prefix })
  expect(await tokens.active(agent)).toMatchObject({ generation: 1, prefix: won?.prefix })
})

test('T12 of eight workers that rotate all succeed, one after the other; the last token is active, the seven before it are rejected', async () => {
  const { tokens, workers } = workersOf(common.system)
  const agent = 'printer of T12'
  const issued = await Promise.all(workers.map((worker) => worker.issue({ agent, mode: 'rotate' })))
  expect(issued.map(({ generation }) => generation).toSorted((one, other) => one - other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  for (const { token, generation } of issued) {
    expect((await tokens.verify(agent, token)).outcome).toBe(generation === 8 ? 'valid' : 'invalid')
  }
})

test('T13 a second active token cannot be written down: an agent has one row with one place, and a raw second row is refused', async () => {
  const { directory, system, tokens } = await setUp()
  await tokens.issue({ agent, mode: 'exclusive' })
  await system.close()
  const file = filesWith(directory, agent).find((name) => name.endsWith('.db')) ?? ''
  const db = new DatabaseSync(join(directory, file))
  onTestFinished(() => db.close())
  const rows = db.prepare('SELECT number, type, key, revision, version, snapshot FROM actor WHERE key = ?').all(agent)
  expect(rows).toHaveLength(1)
  const copy = db.prepare(
    'INSERT INTO actor (number, type, key, revision, version, snapshot) SELECT number + 1000, type, key, revision, version, snapshot FROM actor WHERE key = ?',
  )
  expect(() => copy.run(agent)).toThrow(/UNIQUE constraint failed: actor.type, actor.key/)
})

test('T14 a revocation during an issue: the issue answers its own token, and afterwards none is active', async () => {
  const { tokens, workers } = workersOf(common.system)
  const agent = 'printer of T14'
  for (let round = 1; round <= 10; round += 1) {
    const issue = tokens.issue({ agent, mode: 'exclusive' })
    const revocation = workers[0]?.revoke(agent)
    const [issued, revoked] = await Promise.all([issue, revocation])
    expect(issued.generation).toBe(round)
    expect(revoked).toEqual({ prefix: issued.prefix, generation: round })
    expect(await tokens.active(agent)).toBeNull()
    expect(await tokens.verify(agent, issued.token)).toEqual({ outcome: 'invalid' })
  }
})

test('T15 while another connection holds the write lock an issue waits, then fails as busy with nothing done; freed, it succeeds', async () => {
  const { directory, tokens } = await setUp()
  await tokens.issue({ agent, mode: 'exclusive' })
  const files = readdirSync(directory).filter((name) => /^shard-\d+\.db$/.test(name))
  const letGo = await Promise.all(files.map((name) => hold(join(directory, name))))
  const begun = performance.now()
  await expect(tokens.issue({ agent, mode: 'rotate' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', fault: 'busy', retryable: true })
  expect(performance.now() - begun).toBeGreaterThan(40)
  expect(await tokens.active(agent)).toMatchObject({ generation: 1 })
  await Promise.all(letGo.map((free) => free()))
  for (;;) {
    // The shard tries again by itself; until it has, it says that it is busy.
    const issued = await tokens.issue({ agent, mode: 'rotate' }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    })
    if (issued === undefined) continue
    expect(issued.generation).toBe(2)
    break
  }
})

test('T16 no file has a token in it, neither while it is open nor afterwards: its hash and its first characters alone', async () => {
  const { directory, system, tokens } = await setUp()
  const issued = []
  for (const mode of ['exclusive', 'rotate', 'rotate'] as const)
    issued.push(await tokens.issue({ agent, mode, idempotencyKey: `k${issued.length}` }))
  for (const { token } of issued) await tokens.verify(agent, token)
  await tokens.revoke(agent)
  await tokens.issue({ agent, mode: 'exclusive' })
  const secrets = issued.flatMap(({ token }) => [token, token.slice('bwa_'.length), token.slice(10)])
  expect(filesWith(directory, ...secrets)).toEqual([])
  await system.close()
  expect(filesWith(directory, ...secrets)).toEqual([])
  expect(filesWith(directory, issued[0]?.prefix ?? '')).not.toEqual([])
})

test('the example does what its page says, and stands there as it is', async () => {
  const { system } = workersOf(common.system)
  expect(await giveAndRotate(system)).toEqual(['invalid', 'valid'])
  expect(shownBy('agent-tokens.md')).toEqual(sourcesOf('agent-tokens.actor.ts', 'agent-tokens.ts'))
})

/** Another process takes the write lock of a file; answers how it lets go. */
async function hold(file: string): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../fixtures/lock-program.ts'), file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return async () => {
    const ended = once(child, 'exit')
    child.disconnect()
    await ended
  }
}
