/** Handles by the virtual clock: time, cap, sizes, repeated calls. */
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineHandles } from '../../src/handles/define-handles.ts'
import { Handles } from '../../src/handles/handles.ts'
import { reports } from '../fixtures/reports.actor.ts'
import { fewHandles } from '../fixtures/small-tokens.actor.ts'
import { codeOf } from '../tokens/place.ts'

async function setUp(definition = fewHandles) {
  const world = new TestWorld({ shards: 2 })
  onTestFinished(() => world.close())
  const system = await world.open({ actors: [fewHandles, reports] })
  return { world, system, handles: new Handles(system, definition) }
}

const rows = [{ n: 1 }, { n: 2 }]

describe('time', () => {
  test('W13 an expired handle is expired for the first who asks, and not found for everybody after', async () => {
    const { world, handles } = await setUp()
    const { handle } = await handles.store({ rows })
    await world.advance(9_999)
    expect(await handles.expand(handle)).toMatchObject({ outcome: 'expanded', total: 2 })
    await world.advance(1)
    expect(await handles.expand(handle)).toEqual({ outcome: 'expired' })
    expect(await handles.expand(handle)).toEqual({ outcome: 'not-found' })
  })

  test('W13 of many who ask at once exactly one hears that it has expired, also after a crash', async () => {
    const { world, handles } = await setUp()
    const { handle } = await handles.store({ rows })
    await world.advance(60_000)
    world.crash()
    const after = new Handles(await world.open({ actors: [fewHandles, reports] }), fewHandles)
    const outcomes = await Promise.all(Array.from({ length: 8 }, async () => (await after.expand(handle)).outcome))
    expect(outcomes.toSorted()).toEqual(['expired', ...Array.from({ length: 7 }, () => 'not-found')])
  })

  test('a handle lives for an hour where nobody says', async () => {
    const { world, handles } = await setUp(reports)
    const { expires } = await handles.store({ rows })
    expect(expires - world.clock.wall()).toBe(3_600_000)
  })

  test('when its time is over its rows leave the disk, whether anybody asks or not', async () => {
    const { world, system, handles } = await setUp()
    const { handle } = await handles.store({ rows, principal: 'ada' })
    const slot = system.actor(fewHandles, ['slot', handle.split('.')[0] ?? ''])
    await world.advance(9_999)
    expect((await slot.snapshot()).context.held?.rows).not.toBeNull()
    await world.advance(1)
    expect((await slot.snapshot()).context.held).toMatchObject({ principal: 'ada', rows: null })
    expect(await handles.expand(handle, { principal: 'bob' })).toEqual({ outcome: 'mismatch' })
    expect(await handles.expand(handle, { principal: 'ada' })).toEqual({ outcome: 'expired' })
  })
})

describe('the cap', () => {
  test('one handle more takes the place of the oldest, and of no other', async () => {
    const { handles } = await setUp()
    const stored = []
    for (let n = 0; n < 4; n += 1) stored.push(await handles.store({ rows: [{ n }] }))
    const outcomes = await Promise.all(stored.map(async ({ handle }) => (await handles.expand(handle)).outcome))
    expect(outcomes).toEqual(['not-found', 'expanded', 'expanded', 'expanded'])
  })

  test('an expired one goes before one that is good', async () => {
    const { world, handles } = await setUp()
    const old = await handles.store({ rows })
    await world.advance(9_000)
    const young = [await handles.store({ rows }), await handles.store({ rows })]
    await world.advance(1_000)
    await handles.store({ rows })
    for (const { handle } of young) expect(await handles.expand(handle)).toMatchObject({ outcome: 'expanded' })
    expect(await handles.expand(old.handle)).toEqual({ outcome: 'not-found' })
  })

  test('however many are stored, there are as many actors as the cap says, and one that counts', async () => {
    const { world, system, handles } = await setUp()
    for (let n = 0; n < 50; n += 1) await handles.store({ rows: [{ n }] })
    for (const slot of ['0', '1', '2'])
      expect((await system.actor(fewHandles, ['slot', slot]).snapshot()).context.number).toBeGreaterThan(47)
    await world.advance(1_000)
    expect((await system.actor(fewHandles, ['slot', '3']).snapshot()).context.number).toBe(0)
    expect((await system.actor(fewHandles, ['ring']).snapshot()).context.next).toBe(50)
  })
})

describe('bounds', () => {
  test('rows that are too large are refused before they go anywhere, and take no place', async () => {
    const { system, handles } = await setUp()
    await expect(handles.store({ rows: [{ text: 'ö'.repeat(100) }] })).rejects.toMatchObject({
      code: 'HANDLE_TOO_LARGE',
      bytes: 213,
      bytesMax: 200,
    })
    expect((await system.actor(fewHandles, ['ring']).snapshot()).context.next).toBe(0)
  })

  test.each([
    ['offset', { offset: -1 }],
    ['limit', { limit: -1 }],
    ['limit', { limit: 1.5 }],
    ['offset', { offset: Number.NaN }],
  ])('a page that makes no sense is refused: %s', async (field, page) => {
    const { handles } = await setUp()
    const { handle } = await handles.store({ rows })
    await expect(handles.expand(handle, page)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
  })

  test('what is no row is refused', async () => {
    const { handles } = await setUp()
    // What types refuse, programs without types pass.
    for (const row of [1, null, [1]]) expect(await codeOf(handles.store({ rows: [row as never] }))).toBe('INVALID_INPUT')
  })

  test.each(['ttlMs', 'capacity', 'bytesMax', 'pageRowsMax'])('a rule that makes no sense is named: %s', (field) => {
    expect(() => defineHandles({ type: 'wrong', module: import.meta.url, [field]: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_DEFINITION', field }),
    )
  })

  test.each(['', 'x', '0', '0.short', '-1.AAAAAAAAAAAAAAAAAAAAAA', '1e3.AAAAAAAAAAAAAAAAAAAAAA', '2.AAAAAAAAAAAAAAAAAAAAAA'])(
    'what is no handle leads nowhere, and makes nothing: "%s"',
    async (handle) => {
      const { world, system, handles } = await setUp()
      // It takes slot 1; the last of these texts names slot 2.
      await handles.store({ rows })
      await world.advance(1_000)
      const { count } = system.stats().batches
      expect(count).toBe(2)
      expect(await handles.expand(handle)).toEqual({ outcome: 'not-found' })
      expect(await handles.release(handle)).toEqual({ outcome: 'not-found' })
      await world.advance(1_000)
      expect(system.stats().batches.count).toBe(count)
    },
  )
})

describe('the grant', () => {
  test('is that of the handle and that of whoever asks, at every expansion', async () => {
    const { handles } = await setUp(reports)
    const people = [
      { name: 'Bob', city: 'Rome', email: 'b@example.org' },
      { name: 'Eve', city: 'Oslo', email: 'e@example.org' },
    ]
    const { handle } = await handles.store({ rows: people, grant: { fields: ['name', 'email'], rowsMax: 5 } })
    const page = await handles.expand(handle, { grant: { scope: { city: 'Oslo' } } })
    expect(page).toEqual({ outcome: 'expanded', rows: [{ name: 'Eve', email: 'hidden' }], total: 1, offset: 0 })
    expect(await handles.expand(handle, { fields: ['city'] })).toEqual({ outcome: 'denied', field: 'city' })
    expect(await handles.expand(handle, { grant: { fields: ['name'] }, fields: ['email'] })).toEqual({ outcome: 'denied', field: 'email' })
  })
})

describe('a release', () => {
  test('ends a handle for whom it belongs to, once', async () => {
    const { handles } = await setUp()
    const { handle } = await handles.store({ rows, principal: 'ada' })
    expect(await handles.release(handle)).toEqual({ outcome: 'mismatch' })
    expect(await handles.release(handle, { principal: 'ada' })).toEqual({ outcome: 'released' })
    expect(await handles.release(handle, { principal: 'ada' })).toEqual({ outcome: 'not-found' })
    expect(await handles.expand(handle, { principal: 'ada' })).toEqual({ outcome: 'not-found' })
  })

  test('leaves the timer of the place to whoever comes next', async () => {
    const { world, handles } = await setUp()
    const { handle } = await handles.store({ rows })
    await handles.release(handle)
    await world.advance(5_000)
    const stored = [await handles.store({ rows }), await handles.store({ rows }), await handles.store({ rows })]
    await world.advance(9_999)
    for (const next of stored) expect(await handles.expand(next.handle)).toMatchObject({ outcome: 'expanded', total: 2 })
  })
})

describe('asking again under a key', () => {
  test('answers the same handle, whoever asks, and takes no other place', async () => {
    const { system, handles } = await setUp()
    const request = { rows, principal: 'ada', grant: { rowsMax: 1 }, idempotencyKey: 'r1' }
    const first = await handles.store(request)
    expect(await new Handles(system, fewHandles).store(request)).toEqual(first)
    expect((await system.actor(fewHandles, ['ring']).snapshot()).context.next).toBe(1)
  })

  test('for something else is a conflict', async () => {
    const { handles } = await setUp()
    await handles.store({ rows, idempotencyKey: 'r1' })
    expect(await codeOf(handles.store({ rows: [{ n: 3 }, { n: 4 }], idempotencyKey: 'r1' }))).toBe('IDEMPOTENCY_CONFLICT')
    expect(await codeOf(handles.store({ rows, principal: 'ada', idempotencyKey: 'r1' }))).toBe('IDEMPOTENCY_CONFLICT')
  })

  test('for one that is gone brings it not back, and disturbs nobody', async () => {
    const { handles } = await setUp()
    const request = { rows, idempotencyKey: 'r1' }
    const { handle } = await handles.store(request)
    await handles.release(handle)
    expect(await codeOf(handles.store(request))).toBe('HANDLE_EVICTED')
    const others = []
    for (let n = 0; n < 3; n += 1) others.push(await handles.store({ rows }))
    expect(await codeOf(handles.store(request))).toBe('HANDLE_EVICTED')
    for (const other of others) expect(await handles.expand(other.handle)).toMatchObject({ outcome: 'expanded' })
  })
})
