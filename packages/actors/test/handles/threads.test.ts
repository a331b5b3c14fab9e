/** Handles on real threads and SQLite: several facades as workers. Between processes: marked until shared mode exists. */
import { expect, test } from 'vitest'
import { Handles } from '../../src/handles/handles.ts'
import { reports } from '../fixtures/reports.actor.ts'
import { showPart } from '../fixtures/reports.ts'
import { makePlaces, shownBy, sourcesOf } from '../tokens/place.ts'

const rows = [{ name: 'Bob', city: 'Rome' }]

test('W12 what is minted in A is not found in an isolated B, is expanded in a shared one, and is a mismatch for another principal', async () => {
  const places = makePlaces()
  const shared = await places.open([reports])
  const [a, b] = [new Handles(shared, reports), new Handles(shared, reports)]
  const isolated = new Handles(await places.open([reports], 'b'), reports)
  const { handle } = await a.store({ rows, principal: 'ada' })
  expect(await isolated.expand(handle, { principal: 'ada' })).toEqual({ outcome: 'not-found' })
  expect(await b.expand(handle, { principal: 'ada' })).toEqual({ outcome: 'expanded', rows, total: 1, offset: 0 })
  expect(await b.expand(handle, { principal: 'bob' })).toEqual({ outcome: 'mismatch' })
  expect(await b.expand(handle)).toEqual({ outcome: 'mismatch' })
  const free = await a.store({ rows })
  expect(await b.expand(free.handle, { principal: 'bob' })).toMatchObject({ outcome: 'expanded' })
})

test('W12 eight workers store at once, and each handle leads to its own rows, also after a restart', async () => {
  const places = makePlaces()
  const system = await places.open([reports])
  const workers = Array.from({ length: 8 }, () => new Handles(system, reports))
  const stored = await Promise.all(
    workers.flatMap((worker, index) =>
      Array.from({ length: 5 }, async (_none, number) => ({
        name: `${index}.${number}`,
        ...(await worker.store({ rows: [{ name: `${index}.${number}` }] })),
      })),
    ),
  )
  expect(new Set(stored.map(({ handle }) => handle)).size).toBe(40)
  await system.close()
  const after = new Handles(await places.open([reports]), reports)
  const pages = await Promise.all(stored.map(({ handle }) => after.expand(handle)))
  expect(pages).toEqual(stored.map(({ name }) => ({ outcome: 'expanded', rows: [{ name }], total: 1, offset: 0 })))
})

test('the rows of a handle are not written again when another is stored', async () => {
  const system = await makePlaces().open([reports])
  const handles = new Handles(system, reports)
  const { handle } = await handles.store({ rows: [{ text: 'x'.repeat(100_000) }] })
  const before = (await system.actor(reports, ['slot', handle.split('.')[0] ?? '']).snapshot()).context
  for (let n = 0; n < 20; n += 1) await handles.store({ rows: [{ n }] })
  // Its actor has handled nothing since, so nothing of it was committed.
  expect((await system.actor(reports, ['slot', handle.split('.')[0] ?? '']).snapshot()).context).toEqual(before)
  expect(JSON.stringify((await system.actor(reports, ['ring']).snapshot()).context).length).toBeLessThan(200)
})

test('the example does what its page says, and stands there as it is', async () => {
  const system = await makePlaces().open([reports])
  expect(await showPart(system)).toEqual([[{ name: 'Eve', city: 'Oslo', email: 'hidden' }], 'mismatch'])
  expect(shownBy('handles.md')).toEqual(sourcesOf('reports.actor.ts', 'reports.ts'))
})
