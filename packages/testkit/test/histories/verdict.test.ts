import { expect, test } from 'vitest'
import { Anomalies, ANOMALIES_LISTED_MAX } from '../../src/histories/verdict.ts'

test('a verdict without anomalies has its counts and nothing else', () => {
  expect(new Anomalies().verdict({ reads: 3 })).toEqual({ ok: true, reads: 3 })
})

test('a verdict says the first problem, lists a bounded number of them, and counts all', () => {
  const found = new Anomalies<'lost'>()
  found.add('lost', 'one is lost')
  expect(found.verdict({ reads: 1 })).toEqual({
    ok: false,
    problem: 'one is lost',
    anomalies: [{ kind: 'lost', problem: 'one is lost' }],
    anomalyCount: 1,
    reads: 1,
  })
  for (let n = 0; n < ANOMALIES_LISTED_MAX; n += 1) found.add('lost', `${n} is lost`)
  const verdict = found.verdict({})
  expect(verdict).toMatchObject({ ok: false, problem: 'one is lost (and 100 more)', anomalyCount: ANOMALIES_LISTED_MAX + 1 })
  expect(verdict.ok ? [] : verdict.anomalies).toHaveLength(ANOMALIES_LISTED_MAX)
})
