import { expect, test } from 'vitest'
import { pageOf } from '../../src/handles/grant.ts'

const rows = [
  { id: 1, city: 'Rome', team: 'a', salary: 10 },
  { id: 2, city: 'Oslo', team: 'a', salary: 20 },
  { id: 3, city: 'Oslo', team: 'b', salary: 30 },
  { id: 4, city: 'Oslo', team: 'a', salary: 40 },
]
const rules = { pageRowsMax: 3, redact: undefined }
const ids = (page: ReturnType<typeof pageOf>): unknown => (page.outcome === 'expanded' ? page.rows.map((row) => row['id']) : page)

test('without a grant everything is seen, a page at a time', () => {
  expect(pageOf(rows, [], {}, rules)).toEqual({ outcome: 'expanded', rows: rows.slice(0, 3), total: 4, offset: 0 })
  expect(pageOf(rows, [], { offset: 3, limit: 100 }, rules)).toEqual({ outcome: 'expanded', rows: rows.slice(3), total: 4, offset: 3 })
  expect(ids(pageOf(rows, [], { limit: 0 }, rules))).toEqual([])
})

test('of two grants both must allow a field; one that is not allowed is refused by name, also in a filter', () => {
  const grants = [{ fields: ['id', 'city', 'team'] }, { fields: ['id', 'city', 'salary'] }]
  expect(pageOf(rows, grants, { limit: 1 }, rules)).toMatchObject({ rows: [{ id: 1, city: 'Rome' }] })
  expect(pageOf(rows, grants, { fields: ['id', 'team'] }, rules)).toEqual({ outcome: 'denied', field: 'team' })
  expect(pageOf(rows, grants, { filter: { salary: 10 } }, rules)).toEqual({ outcome: 'denied', field: 'salary' })
  expect(pageOf(rows, grants, { fields: ['id'], limit: 1 }, rules)).toMatchObject({ rows: [{ id: 1 }] })
})

test('scopes are merged with AND, never the one instead of the other, and may name fields that are not shown', () => {
  const both = [{ fields: ['id'], scope: { city: 'Oslo' } }, { scope: { team: 'a' } }]
  expect(ids(pageOf(rows, both, {}, rules))).toEqual([2, 4])
  expect(ids(pageOf(rows, [{ scope: { city: 'Oslo' } }, { scope: { city: 'Rome' } }], {}, rules))).toEqual([])
  expect(ids(pageOf(rows, [{ scope: { nowhere: null } }], {}, rules))).toEqual([])
})

test('a cap of rows counts from the first one within the scope: no offset gets around it', () => {
  const capped = [{ scope: { city: 'Oslo' }, rowsMax: 2 }, { rowsMax: 3 }]
  expect(ids(pageOf(rows, capped, {}, rules))).toEqual([2, 3])
  expect(pageOf(rows, capped, { offset: 1, limit: 5 }, rules)).toMatchObject({ total: 2, rows: [{ id: 3 }] })
  expect(ids(pageOf(rows, capped, { offset: 2 }, rules))).toEqual([])
})

test('what is taken out of a row is neither shown nor to be found by a filter', () => {
  const redacting = { ...rules, redact: (row: object) => ({ ...row, salary: null }) }
  expect(pageOf(rows, [], { filter: { salary: 10 } }, redacting)).toMatchObject({ total: 0 })
  expect(pageOf(rows, [], { limit: 1 }, redacting)).toMatchObject({ rows: [{ id: 1, salary: null }] })
})

test('names of properties that every object has are fields like any other', () => {
  const odd = [JSON.parse('{"__proto__":1,"constructor":2}') as Record<string, number>]
  expect(pageOf(odd, [{ scope: { toString: 'x' } }], {}, rules)).toMatchObject({ total: 0 })
  expect(JSON.stringify(pageOf(odd, [{ fields: ['__proto__'] }], {}, rules))).toContain('[{"__proto__":1}]')
})
