/** Tokens on real threads and SQLite: several facades as workers. Between processes: marked until shared mode exists. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Tokens } from '../../src/tokens/tokens.ts'
import { letInAndOut } from '../fixtures/session-tokens.ts'
import { sessionTokens } from '../fixtures/session-tokens.actor.ts'
import { codeOf, filesWith, makePlaces, openCommon, shownBy, sourcesOf } from './place.ts'
import type { Common } from './place.ts'

const SECRET = 'a secret of thirty-two bytes, or more'
const keys = [{ id: 'k1', secret: SECRET }]
const use = { principal: 'ada', capability: 'read' }

/** For tests that keep apart by their principals: a system takes a third of a second to open. */
let common: Common
beforeAll(async () => {
  common = await openCommon([sessionTokens])
})
afterAll(() => common.close())

test('W01 what A issues, B verifies, with a shared store and with nothing but the secret in common', async () => {
  const places = makePlaces()
  const shared = await places.open([sessionTokens])
  const [a, b] = [0, 1].map(() => new Tokens(shared, sessionTokens, { keys }))
  const isolated = new Tokens(await places.open([sessionTokens], 'b'), sessionTokens, { keys })
  const issued = await a?.issue(use)
  for (const worker of [b, isolated]) expect(await worker?.verify(issued?.token ?? '', use)).toEqual(issued?.claims)
})

test('W02 in systems that share the secret alone, what A has revoked B accepts: so does verifyLocally everywhere', async () => {
  const places = makePlaces()
  const a = new Tokens(await places.open([sessionTokens]), sessionTokens, { keys })
  const b = new Tokens(await places.open([sessionTokens], 'b'), sessionTokens, { keys })
  const { token, claims } = await a.issue(use)
  expect(await a.revoke(claims)).toBe(1)
  expect(await codeOf(a.verify(token, use))).toBe('TOKEN_REVOKED')
  expect(await b.verify(token, use)).toEqual(claims)
  expect(a.verifyLocally(token, use)).toEqual(claims)
})

test('W03 in a shared system what A has revoked is revoked for B, on the very next call', async () => {
  const { system } = common
  const use = { principal: 'ada 1', capability: 'read' }
  const [a, b] = [0, 1].map(() => new Tokens(system, sessionTokens, { keys }))
  for (let round = 0; round < 20; round += 1) {
    const issued = await a?.issue(use)
    await b?.verify(issued?.token ?? '', use)
    await a?.revoke(issued?.claims ?? { principal: '', id: '' })
    expect(await codeOf(b?.verify(issued?.token ?? '', use) ?? Promise.resolve())).toBe('TOKEN_REVOKED')
  }
})

test('W04 A, B and C each issue one; B revokes all and hears 3; all are rejected everywhere; one issued afterwards works', async () => {
  const { system } = common
  const use = { principal: 'ada 2', capability: 'read' }
  const workers = [0, 1, 2].map(() => new Tokens(system, sessionTokens, { keys }))
  const issued = await Promise.all(workers.map((worker) => worker.issue(use)))
  const other = await workers[0]?.issue({ principal: 'bob', capability: 'read' })
  expect(await workers[1]?.revokeAll(use.principal)).toBe(3)
  for (const worker of workers) {
    for (const { token } of issued) expect(await codeOf(worker.verify(token, use))).toBe('TOKEN_REVOKED')
    await worker.verify(other?.token ?? '', { principal: 'bob', capability: 'read' })
  }
  const after = await workers[2]?.issue(use)
  for (const worker of workers) await worker.verify(after?.token ?? '', use)
})

test('W04 however issues and revocations of all interleave, each token is counted exactly once or still good', async () => {
  const { system } = common
  const use = { principal: 'ada 3', capability: 'read' }
  const workers = [0, 1, 2, 3, 4, 5, 6, 7].map(() => new Tokens(system, sessionTokens, { keys }))
  const counts: number[] = []
  const issued = await Promise.all(
    workers.map(async (worker, index) => {
      const mine = []
      for (let number = 0; number < 10; number += 1) {
        mine.push(await worker.issue(use))
        if (number === index) counts.push(await worker.revokeAll(use.principal))
      }
      return mine
    }),
  )
  const good = await Promise.all(
    issued.flat().map(async ({ token }) => (await codeOf(workers[0]?.verify(token, use) ?? Promise.resolve())) !== 'TOKEN_REVOKED'),
  )
  expect(counts.reduce((sum, count) => sum + count, 0) + good.filter(Boolean).length).toBe(80)
})

test('W04 a revocation of all meets what was asked for before it, also if nobody has waited for that', async () => {
  const { system } = common
  const use = { principal: 'ada 4', capability: 'read' }
  const tokens = new Tokens(system, sessionTokens, { keys })
  const [issued, count, after] = await Promise.all([tokens.issue(use), tokens.revokeAll(use.principal), tokens.issue(use)])
  expect(count).toBe(1)
  expect(await codeOf(tokens.verify(issued.token, use))).toBe('TOKEN_REVOKED')
  await tokens.verify(after.token, use)
})

test('W05 revoking twice and revoking what is unknown is no error, and counts 0', async () => {
  const { system } = common
  const use = { principal: 'ada 5', capability: 'read' }
  const tokens = new Tokens(system, sessionTokens, { keys })
  const { claims } = await tokens.issue(use)
  expect([await tokens.revoke(claims), await tokens.revoke(claims)]).toEqual([1, 0])
  expect(await tokens.revoke({ principal: use.principal, id: 'AAAAAAAAAAAAAAAAAAAAAA' })).toBe(0)
  expect(await tokens.revoke({ principal: use.principal, id: 'whatever' })).toBe(0)
  expect(await tokens.revokeAll('nobody')).toBe(0)
})

test('neither secrets nor tokens are in the files', async () => {
  const places = makePlaces()
  const system = await places.open([sessionTokens])
  const tokens = new Tokens(system, sessionTokens, { keys })
  const { token, claims } = await tokens.issue({ ...use, idempotencyKey: 'k' })
  const [, , signature = ''] = token.split('.')
  await tokens.revoke(claims)
  expect(filesWith(places.directory(), claims.id)).not.toEqual([])
  expect(filesWith(places.directory(), SECRET, signature)).toEqual([])
  await system.close()
  expect(filesWith(places.directory(), SECRET, signature)).toEqual([])
})

test('the example does what its page says, and stands there as it is', async () => {
  const { system } = common
  expect(await letInAndOut(system, SECRET)).toBe('100 rows, then TokenRevoked')
  expect(shownBy('tokens.md')).toEqual(sourcesOf('session-tokens.actor.ts', 'session-tokens.ts'))
})
