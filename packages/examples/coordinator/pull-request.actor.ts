/**
 * The pull-request actor, one for each repository id and number. Two things go on at once:
 *
 *     life     unknown → open ⇄ draft, open|draft → closed → open, … → merged (final: its life takes no more commands)
 *     checks   unreported → pending | passing | failing, judged anew after every report
 *
 * A pull request may be heard of before its opening (a check was faster), hence `unknown`.
 */

import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { checkReport, hasVerdict, mergeCheck } from './check.ts'
import type { Checks } from './check.ts'
import { countOne } from './handled.ts'
import type { Handled } from './handled.ts'
import type { EventOf, MessageOf } from './message.ts'

const label = command({ input: z.object({ name: z.string() }) })
const reviewer = command({ input: z.object({ login: z.string() }) })
const head = command({ input: z.object({ head: z.string() }) })

const commands = {
  open: command({ input: z.object({ title: z.string(), author: z.string(), isDraft: z.boolean() }) }),
  retitle: command({ input: z.object({ title: z.string() }) }),
  synchronize: head,
  convertToDraft: head,
  readyForReview: head,
  reopen: head,
  close: command({ input: z.object({ isMerged: z.boolean() }) }),
  label,
  unlabel: label,
  requestReview: reviewer,
  withdrawReviewRequest: reviewer,
  review: command({ input: z.object({ login: z.string(), verdict: z.string() }) }),
  comment: reviewer,
  reportCheck: command({ input: checkReport }),
}

/** What a pull request can be told. */
export type PullRequestMessage = MessageOf<typeof commands>

type Context = {
  title: string
  author: string
  head: string
  labels: readonly string[]
  reviewers: readonly string[]
  reviews: Readonly<Record<string, string>>
  comments: number
  checks: Checks
  handled: Handled
}

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as Context, events: {} as EventOf<typeof commands> },
  guards: {
    isDraft: ({ event }) => event.type === 'open' && event.isDraft,
    isMerged: ({ event }) => event.type === 'close' && event.isMerged,
    isFailing: ({ context }) => hasVerdict(context.checks, 'failing'),
    isPending: ({ context }) => hasVerdict(context.checks, 'pending'),
  },
  actions: {
    count: assign({ handled: ({ context, event }) => countOne(context.handled, event.type) }),
  },
}).createMachine({
  id: 'pull-request',
  context: {
    title: '',
    author: '',
    head: '',
    labels: [],
    reviewers: [],
    reviews: {},
    comments: 0,
    checks: {},
    handled: {},
  },
  type: 'parallel',
  on: {
    retitle: { actions: ['count', assign({ title: ({ event }) => event.title })] },
    label: { actions: ['count', assign({ labels: ({ context, event }) => withOne(context.labels, event.name) })] },
    unlabel: { actions: ['count', assign({ labels: ({ context, event }) => withoutOne(context.labels, event.name) })] },
    requestReview: { actions: ['count', assign({ reviewers: ({ context, event }) => withOne(context.reviewers, event.login) })] },
    withdrawReviewRequest: {
      actions: ['count', assign({ reviewers: ({ context, event }) => withoutOne(context.reviewers, event.login) })],
    },
    review: { actions: ['count', assign({ reviews: ({ context, event }) => ({ ...context.reviews, [event.login]: event.verdict }) })] },
    comment: { actions: ['count', assign({ comments: ({ context }) => context.comments + 1 })] },
  },
  states: {
    life: {
      initial: 'unmerged',
      states: {
        unmerged: {
          initial: 'unknown',
          on: {
            open: [
              {
                guard: 'isDraft',
                target: '.draft',
                actions: ['count', assign(({ event }) => ({ title: event.title, author: event.author }))],
              },
              { target: '.open', actions: ['count', assign(({ event }) => ({ title: event.title, author: event.author }))] },
            ],
            synchronize: { actions: ['count', assign({ head: ({ event }) => event.head })] },
            convertToDraft: { target: '.draft', actions: ['count', assign({ head: ({ event }) => event.head })] },
            readyForReview: { target: '.open', actions: ['count', assign({ head: ({ event }) => event.head })] },
            reopen: { target: '.open', actions: ['count', assign({ head: ({ event }) => event.head })] },
            close: [
              { guard: 'isMerged', target: 'merged', actions: 'count' },
              { target: '.closed', actions: 'count' },
            ],
          },
          states: {
            unknown: {},
            open: {},
            draft: {},
            closed: {},
          },
        },
        merged: {},
      },
    },
    checks: {
      initial: 'unreported',
      on: {
        reportCheck: {
          target: '.judging',
          actions: ['count', assign({ checks: ({ context, event }) => mergeCheck(context.checks, event) })],
        },
      },
      states: {
        unreported: {},
        judging: {
          always: [{ guard: 'isFailing', target: 'failing' }, { guard: 'isPending', target: 'pending' }, { target: 'passing' }],
        },
        pending: {},
        passing: {},
        failing: {},
      },
    },
  },
})

function withOne(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names : [...names, name]
}

function withoutOne(names: readonly string[], name: string): readonly string[] {
  return names.filter((known) => known !== name)
}

export const pullRequest = defineActor({
  type: 'pull-request',
  module: import.meta.url,
  logic: machine,
  commands: {
    ...commands,
    overview: query({ priority: 'low', reply: ({ context, value }) => ({ handled: context.handled, value }) }),
  },
})
