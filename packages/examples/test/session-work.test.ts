/** What the coordinator's commands mean for the session of their repository, taken from the examples of GitHub. */
import { describe, expect, test } from 'vitest'
import { readExamples } from '../coordinator/payloads.ts'
import { workOfRounds } from '../coordinator/session-director.ts'
import { workOf } from '../coordinator/session-work.ts'

describe('the work of a session', () => {
  const all = workOfRounds([0], readExamples())
  const ofKind = (command: string) => all.filter(({ work }) => work.command === command).map(({ work }) => work.input)

  test('comes from the comments, checks, reviews, pull requests and pushes of one repository', () => {
    const kinds = Object.groupBy(all, ({ work }) => work.command)
    const counts = Object.fromEntries(Object.entries(kinds).map(([command, works]) => [command, works.length]))
    expect(counts).toEqual({ respond: 4, fixChecks: 2, addressThread: 4, implement: 4, replan: 3, drop: 2 })
    expect(new Set(all.map(({ repository }) => repository)).size).toBe(1)
    expect(new Set(all.map(({ delivery }) => delivery)).size).toBe(all.length)
  })

  test('says what its webhook says', () => {
    expect(ofKind('respond')[0]).toEqual({
      comment: { id: 284_312_630, author: 'Codertocat', body: 'Maybe you should use more emoji on this line.' },
    })
    expect(ofKind('fixChecks')).toEqual([{ check: 'Octocoders-linter' }, { check: 'linters' }])
    expect(ofKind('addressThread')[0]).toEqual({ reviewer: 'Codertocat' })
    expect(ofKind('implement')[0]).toEqual({ title: 'Update the README with new information.' })
    expect(ofKind('replan')[0]).toEqual({ ref: 'refs/tags/simple-tag' })
  })

  test('does not come from checks that pass, from comments that are only counted, or from labels', () => {
    const sent = { actor: 'pull-request', key: ['1', '2'], priority: 'normal', idempotencyKey: 'd' } as const
    expect(workOf({ ...sent, command: 'reportCheck', input: { name: 'lint', verdict: 'passing', at: 1 } })).toBeUndefined()
    expect(workOf({ ...sent, command: 'comment', input: { login: 'octocat' } })).toBeUndefined()
    expect(workOf({ ...sent, command: 'label', input: { name: 'bug' } })).toBeUndefined()
  })
})
