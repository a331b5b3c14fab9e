/**
 * The shapes of GitHub's webhook payloads, as far as the coordinator reads them: every field named here is required, and
 * whatever else a payload holds is ignored. This is the border; behind it everything is typed.
 */

import { z } from 'zod'
import { verdictOf } from './check.ts'

const id = z.int().positive()
const user = z.object({ login: z.string() })
const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

/** Every payload that concerns an actor names its repository. */
export const inRepository = z.object({ repository: z.object({ id }) })

export const describedRepository = z.object({ repository: z.object({ id, full_name: z.string(), private: z.boolean() }) })

export const push = inRepository.extend({ ref: z.string(), after: z.string(), deleted: z.boolean() })

export const release = inRepository.extend({ release: z.object({ tag_name: z.string() }) })

const pullRequest = inRepository.extend({ pull_request: z.object({ number: id }) })

export const openedPullRequest = inRepository.extend({
  pull_request: z.object({ number: id, title: z.string(), user: user.nullable(), draft: z.boolean() }),
})

export const titledPullRequest = inRepository.extend({ pull_request: z.object({ number: id, title: z.string() }) })

export const pullRequestHead = inRepository.extend({ pull_request: z.object({ number: id, head: z.object({ sha: z.string() }) }) })

export const closedPullRequest = inRepository.extend({ pull_request: z.object({ number: id, merged: z.boolean() }) })

export const labeledPullRequest = pullRequest.extend({ label: z.object({ name: z.string() }) })

/** A reviewer is a person or a team. */
export const reviewRequest = pullRequest
  .extend({ requested_reviewer: user.optional(), requested_team: z.object({ name: z.string() }).optional() })
  .transform(({ repository, pull_request, requested_reviewer, requested_team }, check) => {
    const reviewer = requested_reviewer?.login ?? requested_team?.name
    if (reviewer !== undefined) return { repository, pull_request, reviewer }
    check.addIssue({ code: 'custom', path: ['requested_reviewer'], message: 'neither a person nor a team is named' })
    return z.NEVER
  })

export const review = pullRequest.extend({ review: z.object({ state: z.string(), user: user.nullable() }) })

/** A comment on an issue or, which GitHub also calls an issue, on a pull request. */
export const issueComment = inRepository.extend({
  issue: z.object({ number: id, pull_request: z.object({}).optional() }),
  comment: z.object({ user: user.nullable() }),
})

/** Answers in a thread name the thread's first comment. */
export const reviewComment = inRepository.extend({
  comment: z.object({ id, in_reply_to_id: id.optional(), body: z.string(), user: user.nullable() }),
})

export const reviewThread = inRepository.extend({ thread: z.object({ comments: z.tuple([z.object({ id })]).rest(z.unknown()) }) })

const report = { name: z.string(), conclusion: z.string().nullable(), started_at: instant, completed_at: instant.nullable() }

export const checkRun = inRepository.extend({
  check_run: z
    .object({ ...report, pull_requests: z.array(z.object({ number: id })) })
    .transform(({ pull_requests, ...run }) => ({ report: reportOf(run), pullRequests: pull_requests.map(({ number }) => number) })),
})

export const workflowJob = inRepository.extend({ workflow_job: z.object(report).transform(reportOf) })

export const status = inRepository
  .extend({ context: z.string(), state: z.string(), updated_at: instant })
  .transform(({ repository, context, state, updated_at }) => ({
    repository,
    report: { name: context, verdict: verdictOf(state), at: updated_at },
  }))

function reportOf(run: { name: string; conclusion: string | null; started_at: number; completed_at: number | null }) {
  return { name: run.name, verdict: verdictOf(run.conclusion), at: run.completed_at ?? run.started_at }
}
