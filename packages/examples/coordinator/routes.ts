/**
 * The routing table of the translation: which event, with which action, becomes which commands for which actors.
 *
 * Review comments and failed checks are urgent, because somebody waits for an answer; stars and forks are low. All
 * commands about one comment share one lane: order is kept inside a lane, not between lanes.
 */

import type { z } from 'zod'
import type { Verdict } from './check.ts'
import type { Addressed, DropReason, Priority } from './command.ts'
import type { PullRequestMessage } from './pull-request.actor.ts'
import type { RepositoryMessage } from './repository.actor.ts'
import type { ReviewThreadMessage } from './review-thread.actor.ts'
import * as webhook from './webhook.ts'

/** One line of the table: what a payload means, or why it cannot be read. */
export type Route = (payload: unknown) => readonly Addressed[] | DropReason | z.ZodError

/** Events that lead to no command, whatever they hold. Those of GitHub that are in neither table are unknown. */
export const droppedEvents: ReadonlyMap<string, DropReason> = new Map([
  // Each of these comes together with an event that says more.
  ...(['create', 'delete', 'watch', 'public', 'check_suite', 'workflow_run'] as const).map(
    (event) => [event, 'said by another event too'] as const,
  ),
  ...[
    'branch_protection_rule',
    'code_scanning_alert',
    'commit_comment',
    'dependabot_alert',
    'deploy_key',
    'deployment',
    'deployment_review',
    'deployment_status',
    'discussion',
    'discussion_comment',
    'github_app_authorization',
    'gollum',
    'installation',
    'installation_repositories',
    'label',
    'marketplace_purchase',
    'member',
    'membership',
    'merge_group',
    'meta',
    'milestone',
    'org_block',
    'organization',
    'package',
    'page_build',
    'ping',
    'project',
    'project_card',
    'project_column',
    'projects_v2_item',
    'repository_dispatch',
    'repository_import',
    'repository_vulnerability_alert',
    'security_advisory',
    'sponsorship',
    'team',
    'team_add',
    'workflow_dispatch',
  ].map((event) => [event, 'event without an actor'] as const),
])

const describe = route(webhook.describedRepository, ({ repository }) => [
  toRepository(repository, { command: 'describe', input: { name: repository.full_name, isPrivate: repository.private } }),
])

const reportCheckRun = route(webhook.checkRun, ({ repository, check_run: { report, pullRequests } }) =>
  pullRequests.length === 0
    ? [toRepository(repository, { command: 'reportCheck', input: report }, urgencyOf(report))]
    : pullRequests.map((number) => toPullRequest(repository, { number }, { command: 'reportCheck', input: report }, urgencyOf(report))),
)

const reportWorkflowJob = route(webhook.workflowJob, ({ repository, workflow_job: report }) => [
  toRepository(repository, { command: 'reportCheck', input: report }, urgencyOf(report)),
])

/** A route, or one for each action where the event has actions. */
export const routes: ReadonlyMap<string, Route | ReadonlyMap<string, Route>> = new Map<string, Route | ReadonlyMap<string, Route>>([
  [
    'push',
    route(webhook.push, ({ repository, ref, after, deleted }) => [
      toRepository(repository, deleted ? { command: 'removeRef', input: { ref } } : { command: 'push', input: { ref, head: after } }),
    ]),
  ],
  ['fork', inRepository({ command: 'fork', input: {} }, 'low')],
  [
    'star',
    new Map([
      ['created', inRepository({ command: 'star', input: {} }, 'low')],
      ['deleted', inRepository({ command: 'unstar', input: {} }, 'low')],
    ]),
  ],
  [
    'repository',
    new Map([
      ...['created', 'edited', 'renamed', 'transferred', 'publicized', 'privatized'].map((action) => [action, describe] as const),
      ['archived', inRepository({ command: 'archive', input: {} })],
      ['unarchived', inRepository({ command: 'unarchive', input: {} })],
      ['deleted', inRepository({ command: 'delete', input: {} })],
    ]),
  ],
  [
    'release',
    new Map([
      [
        'published',
        route(webhook.release, ({ repository, release: { tag_name: tag } }) => [
          toRepository(repository, { command: 'publishRelease', input: { tag } }),
        ]),
      ],
      [
        'deleted',
        route(webhook.release, ({ repository, release: { tag_name: tag } }) => [
          toRepository(repository, { command: 'removeRelease', input: { tag } }),
        ]),
      ],
    ]),
  ],
  [
    'issues',
    new Map([
      ...['opened', 'reopened'].map((action) => [action, inRepository({ command: 'openIssue', input: {} })] as const),
      ...['closed', 'deleted', 'transferred'].map((action) => [action, inRepository({ command: 'closeIssue', input: {} })] as const),
    ]),
  ],
  [
    'status',
    route(webhook.status, ({ repository, report }) => [
      toRepository(repository, { command: 'reportCheck', input: report }, urgencyOf(report)),
    ]),
  ],
  ['workflow_job', new Map(['queued', 'waiting', 'in_progress', 'completed'].map((action) => [action, reportWorkflowJob]))],
  ['check_run', new Map(['created', 'rerequested', 'completed'].map((action) => [action, reportCheckRun]))],
  [
    'pull_request',
    new Map([
      [
        'opened',
        route(webhook.openedPullRequest, ({ repository, pull_request: pull }) => [
          toPullRequest(repository, pull, {
            command: 'open',
            input: { title: pull.title, author: loginOf(pull.user), isDraft: pull.draft },
          }),
        ]),
      ],
      [
        'edited',
        route(webhook.titledPullRequest, ({ repository, pull_request: pull }) => [
          toPullRequest(repository, pull, { command: 'retitle', input: { title: pull.title } }),
        ]),
      ],
      [
        'closed',
        route(webhook.closedPullRequest, ({ repository, pull_request: pull }) => [
          toPullRequest(repository, pull, { command: 'close', input: { isMerged: pull.merged } }),
        ]),
      ],
      ['synchronize', withHead('synchronize')],
      ['converted_to_draft', withHead('convertToDraft')],
      ['ready_for_review', withHead('readyForReview')],
      ['reopened', withHead('reopen')],
      ['labeled', withLabel('label')],
      ['unlabeled', withLabel('unlabel')],
      ['review_requested', withReviewer('requestReview')],
      ['review_request_removed', withReviewer('withdrawReviewRequest')],
    ]),
  ],
  [
    'pull_request_review',
    new Map(
      ['submitted', 'edited', 'dismissed'].map((action) => [
        action,
        route(webhook.review, ({ repository, pull_request: pull, review }) => [
          toPullRequest(repository, pull, { command: 'review', input: { login: loginOf(review.user), verdict: review.state } }),
        ]),
      ]),
    ),
  ],
  [
    'issue_comment',
    new Map([
      [
        'created',
        route(webhook.issueComment, ({ repository, issue, comment }) =>
          issue.pull_request === undefined
            ? 'not about a pull request'
            : [toPullRequest(repository, issue, { command: 'comment', input: { login: loginOf(comment.user) } })],
        ),
      ],
    ]),
  ],
  [
    'pull_request_review_comment',
    new Map([
      ['created', withComment('comment')],
      ['edited', withComment('editComment')],
      [
        'deleted',
        route(webhook.reviewComment, ({ repository, comment }) => [
          toThread(repository, firstOf(comment), { command: 'removeComment', input: { id: comment.id } }, 'urgent'),
        ]),
      ],
    ]),
  ],
  [
    'pull_request_review_thread',
    new Map([
      ['resolved', inThread({ command: 'resolve', input: {} })],
      ['unresolved', inThread({ command: 'unresolve', input: {} })],
    ]),
  ],
])

/** A route for payloads of this shape; others are refused. */
function route<Shape extends z.ZodType>(shape: Shape, mean: (payload: z.output<Shape>) => readonly Addressed[] | DropReason): Route {
  return (payload) => {
    const parsed = shape.safeParse(payload)
    return parsed.success ? mean(parsed.data) : parsed.error
  }
}

function inRepository(message: RepositoryMessage, priority: Priority = 'normal'): Route {
  return route(webhook.inRepository, ({ repository }) => [toRepository(repository, message, priority)])
}

function inThread(message: ReviewThreadMessage): Route {
  return route(webhook.reviewThread, ({ repository, thread }) => [toThread(repository, thread.comments[0].id, message, 'normal')])
}

function withHead(command: 'synchronize' | 'convertToDraft' | 'readyForReview' | 'reopen'): Route {
  return route(webhook.pullRequestHead, ({ repository, pull_request: pull }) => [
    toPullRequest(repository, pull, { command, input: { head: pull.head.sha } }),
  ])
}

function withLabel(command: 'label' | 'unlabel'): Route {
  return route(webhook.labeledPullRequest, ({ repository, pull_request: pull, label }) => [
    toPullRequest(repository, pull, { command, input: { name: label.name } }),
  ])
}

function withReviewer(command: 'requestReview' | 'withdrawReviewRequest'): Route {
  return route(webhook.reviewRequest, ({ repository, pull_request: pull, reviewer }) => [
    toPullRequest(repository, pull, { command, input: { login: reviewer } }),
  ])
}

function withComment(command: 'comment' | 'editComment'): Route {
  return route(webhook.reviewComment, ({ repository, comment }) => [
    toThread(
      repository,
      firstOf(comment),
      { command, input: { id: comment.id, author: loginOf(comment.user), body: comment.body } },
      'urgent',
    ),
  ])
}

interface Numbered {
  readonly number: number
}

interface Identified {
  readonly id: number
}

function toRepository({ id }: Identified, message: RepositoryMessage, priority: Priority = 'normal'): Addressed {
  return { ...message, actor: 'repository', key: [String(id)], priority }
}

function toPullRequest({ id }: Identified, { number }: Numbered, message: PullRequestMessage, priority: Priority = 'normal'): Addressed {
  return { ...message, actor: 'pull-request', key: [String(id), String(number)], priority }
}

function toThread({ id }: Identified, comment: number, message: ReviewThreadMessage, priority: Priority): Addressed {
  return { ...message, actor: 'review-thread', key: [String(id), String(comment)], priority }
}

/** The first comment of the thread that a comment belongs to. */
function firstOf(comment: { readonly id: number; readonly in_reply_to_id?: number | undefined }): number {
  return comment.in_reply_to_id ?? comment.id
}

/** GitHub calls an author whose account is gone `ghost`. */
function loginOf(user: { readonly login: string } | null): string {
  return user?.login ?? 'ghost'
}

function urgencyOf({ verdict }: { readonly verdict: Verdict }): Priority {
  return verdict === 'failing' ? 'urgent' : 'normal'
}
