/** The translation of webhooks: total, pure, and strict at the border. */

import { fc } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Command } from '../coordinator/command.ts'
import { readExamples } from '../coordinator/payloads.ts'
import type { Example } from '../coordinator/payloads.ts'
import { translate } from '../coordinator/translate.ts'
import type { Translation } from '../coordinator/translate.ts'

const examples = readExamples()
const translated = examples.map((example) => ({ example, translation: translationOf(example) }))
const recognised = translated.filter(({ translation }) => translation.kind === 'commands').map(({ example }) => example)

/** What each recognised event cannot do without, whatever its action; the shapes themselves are in the program. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  check_run: [
    'action',
    'repository.id',
    'check_run',
    'check_run.name',
    'check_run.conclusion',
    'check_run.started_at',
    'check_run.pull_requests',
  ],
  fork: ['repository', 'repository.id'],
  issues: ['action', 'repository.id'],
  pull_request: ['action', 'repository', 'repository.id', 'pull_request', 'pull_request.number'],
  pull_request_review: ['action', 'repository.id', 'pull_request.number', 'review', 'review.state', 'review.user'],
  pull_request_review_comment: ['action', 'repository.id', 'comment', 'comment.id'],
  pull_request_review_thread: ['action', 'repository.id', 'thread', 'thread.comments'],
  push: ['repository.id', 'ref', 'after', 'deleted'],
  release: ['action', 'repository.id', 'release', 'release.tag_name'],
  repository: ['action', 'repository.id', 'repository.full_name', 'repository.private'],
  star: ['action', 'repository.id'],
  status: ['repository.id', 'context', 'state', 'updated_at'],
  workflow_job: ['action', 'repository.id', 'workflow_job', 'workflow_job.name', 'workflow_job.conclusion', 'workflow_job.started_at'],
}

describe("GitHub's 329 example payloads", () => {
  test('are all there', () => {
    expect(examples).toHaveLength(329)
  })

  test('are each translated to commands or dropped with a reason; none is refused', () => {
    expect(translated.filter(({ translation }) => translation.kind === 'refused')).toEqual([])
    for (const { translation } of translated) {
      if (translation.kind === 'commands') expect(translation.commands.length).toBeGreaterThan(0)
      if (translation.kind === 'dropped') expect(translation.reason).not.toBe('unknown event')
    }
  })

  test('speak to repositories, pull requests and review threads', () => {
    expect(new Set(allCommands().map(({ actor }) => actor))).toEqual(new Set(['repository', 'pull-request', 'review-thread']))
  })

  test('carry the delivery id as the idempotency key of every command', () => {
    for (const { idempotencyKey } of allCommands()) expect(idempotencyKey).toBe('delivery-1')
  })
})

describe('urgency', () => {
  test('review comments and failed checks are urgent, and nothing else is', () => {
    const urgent = allCommands().filter(({ priority }) => priority === 'urgent')
    const expected = allCommands().filter((one) => isAboutComment(one) || isFailedCheck(one))
    expect(urgent).toEqual(expected)
    expect(urgent.some(isAboutComment)).toBe(true)
    expect(urgent.some(isFailedCheck)).toBe(true)
  })

  test('a check that passes, or is not done, is not urgent', () => {
    const checks = allCommands().filter(({ command }) => command === 'reportCheck')
    for (const check of checks) expect(check.priority).toBe(isFailedCheck(check) ? 'urgent' : 'normal')
  })

  test.each(['failure', 'timed_out', 'startup_failure'])('a check run with the conclusion %s is urgent', (conclusion) => {
    const run = examplesOf('check_run').find(({ payload }) => payload['action'] === 'completed')
    expect(run).toBeDefined()
    if (run === undefined) return
    const commands = commandsOf(translationOf({ ...run, payload: put(run.payload, 'check_run.conclusion', conclusion) }))
    expect(commands.map(({ priority }) => priority)).toEqual(['urgent'])
  })
})

describe('what cannot be translated', () => {
  test('an event that nobody knows is dropped, also one that is named like a property of every object', () => {
    for (const event of ['', 'constructor', '__proto__', 'toString', 'pull_requests']) {
      expect(translate({ id: 'delivery-1', event, payload: {} })).toEqual({ kind: 'dropped', reason: 'unknown event' })
    }
  })

  test('an action that concerns no actor is dropped', () => {
    for (const action of ['auto_merge_enabled', 'constructor', '']) {
      expect(translate({ id: 'delivery-1', event: 'pull_request', payload: { action } })).toEqual({
        kind: 'dropped',
        reason: 'action without an actor',
      })
    }
  })

  test('a comment on an issue is dropped; one on a pull request is not', () => {
    const [onIssue] = examplesOf('issue_comment')
    expect(onIssue).toBeDefined()
    if (onIssue === undefined) return
    expect(translationOf(onIssue)).toEqual({ kind: 'dropped', reason: 'not about a pull request' })
    const onPullRequest = put(onIssue.payload, 'issue.pull_request', { url: 'https://api.github.com/repos/octo/demo/pulls/1' })
    expect(commandsOf(translationOf({ ...onIssue, payload: onPullRequest }))).toMatchObject([{ actor: 'pull-request', command: 'comment' }])
  })

  test('a recognised event without a delivery id is refused', () => {
    expect(translate({ id: '', event: 'fork', payload: {} })).toMatchObject({ kind: 'refused', field: 'id' })
  })

  test('every event that is recognised has its required fields listed here', () => {
    expect(new Set(recognised.map(({ event }) => event))).toEqual(new Set(Object.keys(requiredFields)))
  })

  test('a recognised payload that lacks a required field, or has one of the wrong type, is refused naming the field', () => {
    const broken = fc
      .constantFrom(...recognised)
      .chain((example) =>
        fc.tuple(fc.constant(example), fc.constantFrom(...(requiredFields[example.event] ?? [])), fc.constantFrom(undefined, 1.5)),
      )
    fc.assert(
      fc.property(broken, ([example, field, value]) => {
        expect(translationOf({ ...example, payload: put(example.payload, field, value) })).toMatchObject({ kind: 'refused', field })
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the translation', () => {
  const events = [...new Set(examples.map(({ event }) => event))]

  test('is total: it answers any JSON value for any event, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.oneof(fc.constantFrom(...events), fc.string()), fc.jsonValue(), (id, event, payload) => {
        expect(['commands', 'dropped', 'refused']).toContain(translate({ id, event, payload }).kind)
      }),
      { numRuns: 2000 },
    )
  })

  test('is total also for real payloads in which anything has been replaced by anything', () => {
    const damaged = fc
      .constantFrom(...recognised)
      .chain((example) => fc.tuple(fc.constant(example), fc.constantFrom(...pathsOf(example.payload)), fc.jsonValue()))
    fc.assert(
      fc.property(damaged, ([example, path, value]) => {
        expect(['commands', 'dropped', 'refused']).toContain(translationOf({ ...example, payload: put(example.payload, path, value) }).kind)
      }),
      { numRuns: 2000 },
    )
  })

  test('is pure: the same delivery means the same, and is left as it was', () => {
    fc.assert(
      fc.property(fc.constantFrom(...examples), (example) => {
        const text = JSON.stringify(example.payload)
        const once = translationOf(example)
        expect(translationOf(example)).toEqual(once)
        expect(translationOf({ ...example, payload: z.record(z.string(), z.unknown()).parse(JSON.parse(text)) })).toEqual(once)
        expect(JSON.stringify(example.payload)).toBe(text)
      }),
    )
  })
})

function translationOf({ event, payload }: Example): Translation {
  return translate({ id: 'delivery-1', event, payload })
}

function commandsOf(translation: Translation): readonly Command[] {
  return translation.kind === 'commands' ? translation.commands : []
}

function allCommands(): readonly Command[] {
  return translated.flatMap(({ translation }) => commandsOf(translation))
}

function examplesOf(event: string): readonly Example[] {
  return examples.filter((example) => example.event === event)
}

function isAboutComment({ actor, command }: Command): boolean {
  return actor === 'review-thread' && command.toLowerCase().includes('comment')
}

function isFailedCheck(one: Command): boolean {
  return one.command === 'reportCheck' && one.input.verdict === 'failing'
}

/** The payload with another value at a dotted path; `undefined` takes the field away. */
function put(payload: Example['payload'], path: string, value: unknown): Example['payload'] {
  const copy = structuredClone(payload) as Record<string, unknown> // A clone is nobody else's, so it may be written to.
  const fields = path.split('.')
  const last = fields.pop()
  let object: unknown = copy
  for (const field of fields) object = isRecord(object) ? object[field] : undefined
  if (isRecord(object) && last !== undefined) {
    if (value === undefined) delete object[last]
    else object[last] = value
  }
  return copy
}

/** Every path of the payload, two levels deep. */
function pathsOf(payload: Example['payload']): readonly string[] {
  return Object.entries(payload).flatMap(([field, value]) => [
    field,
    ...(isRecord(value) ? Object.keys(value).map((inner) => `${field}.${inner}`) : []),
  ])
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
