/**
 * The repository actor, one for each repository by GitHub's id (a repository may be renamed; its id stays).
 *
 *     active ⇄ archived        deleted is final: nothing but checks is taken there
 *       └────────┴──→ deleted
 *
 * It keeps the heads of the branches and tags, the releases, and the checks of commits that belong to no pull request.
 */

import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { checkReport, mergeCheck } from './check.ts'
import type { Checks } from './check.ts'
import { countOne } from './handled.ts'
import type { Handled } from './handled.ts'
import type { EventOf, MessageOf } from './message.ts'

const tag = z.object({ tag: z.string() })

const commands = {
  describe: command({ input: z.object({ name: z.string(), isPrivate: z.boolean() }) }),
  push: command({ input: z.object({ ref: z.string(), head: z.string() }) }),
  removeRef: command({ input: z.object({ ref: z.string() }) }),
  publishRelease: command({ input: tag }),
  removeRelease: command({ input: tag }),
  openIssue: command(),
  closeIssue: command(),
  star: command(),
  unstar: command(),
  fork: command(),
  archive: command(),
  unarchive: command(),
  delete: command(),
  reportCheck: command({ input: checkReport }),
}

/** What a repository can be told. */
export type RepositoryMessage = MessageOf<typeof commands>

type Context = {
  name: string
  isPrivate: boolean
  heads: Readonly<Record<string, string>>
  releases: readonly string[]
  stars: number
  forks: number
  openIssues: number
  checks: Checks
  handled: Handled
}

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as Context, events: {} as EventOf<typeof commands> },
  actions: {
    count: assign({ handled: ({ context, event }) => countOne(context.handled, event.type) }),
  },
}).createMachine({
  id: 'repository',
  context: {
    name: '',
    isPrivate: false,
    heads: {},
    releases: [],
    stars: 0,
    forks: 0,
    openIssues: 0,
    checks: {},
    handled: {},
  },
  initial: 'known',
  on: {
    reportCheck: { actions: ['count', assign({ checks: ({ context, event }) => mergeCheck(context.checks, event) })] },
  },
  states: {
    known: {
      initial: 'active',
      on: {
        describe: { actions: ['count', assign(({ event }) => ({ name: event.name, isPrivate: event.isPrivate }))] },
        push: { actions: ['count', assign({ heads: ({ context, event }) => ({ ...context.heads, [event.ref]: event.head }) })] },
        removeRef: { actions: ['count', assign({ heads: ({ context, event }) => without(context.heads, event.ref) })] },
        publishRelease: {
          actions: ['count', assign({ releases: ({ context, event }) => [...new Set([...context.releases, event.tag])] })],
        },
        removeRelease: {
          actions: ['count', assign({ releases: ({ context, event }) => context.releases.filter((known) => known !== event.tag) })],
        },
        openIssue: { actions: ['count', assign({ openIssues: ({ context }) => context.openIssues + 1 })] },
        closeIssue: { actions: ['count', assign({ openIssues: ({ context }) => context.openIssues - 1 })] },
        star: { actions: ['count', assign({ stars: ({ context }) => context.stars + 1 })] },
        unstar: { actions: ['count', assign({ stars: ({ context }) => context.stars - 1 })] },
        fork: { actions: ['count', assign({ forks: ({ context }) => context.forks + 1 })] },
        archive: { target: '.archived', actions: 'count' },
        unarchive: { target: '.active', actions: 'count' },
        delete: { target: 'deleted', actions: 'count' },
      },
      states: { active: {}, archived: {} },
    },
    deleted: {},
  },
})

function without(heads: Context['heads'], gone: string): Context['heads'] {
  return Object.fromEntries(Object.entries(heads).filter(([name]) => name !== gone))
}

export const repository = defineActor({
  type: 'repository',
  module: import.meta.url,
  logic: machine,
  commands: {
    ...commands,
    overview: query({ priority: 'low', reply: ({ context, value }) => ({ handled: context.handled, value }) }),
  },
})
