/**
 * The review-thread actor: a conversation about some lines of a pull request, one for each repository id and id of the
 * thread's first comment.
 *
 *     open ⇄ resolved
 *
 * Comments are urgent, resolving is not, so the two may arrive in either order and neither looks at the other. A removed
 * comment stays behind as a mark without text: whatever comes for it later is rejected.
 */

import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { countOne } from './handled.ts'
import type { Handled } from './handled.ts'
import type { EventOf, MessageOf } from './message.ts'

const comment = z.object({ id: z.number().int(), author: z.string(), body: z.string() })

const commands = {
  comment: command({ input: comment }),
  editComment: command({ input: comment }),
  removeComment: command({ input: comment.pick({ id: true }) }),
  resolve: command(),
  unresolve: command(),
}

/** What a review thread can be told. */
export type ReviewThreadMessage = MessageOf<typeof commands>

type Comment = { readonly author: string; readonly body: string } | { readonly removed: true }

type Context = {
  comments: Readonly<Record<string, Comment>>
  handled: Handled
}

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as Context, events: {} as EventOf<typeof commands> },
  guards: {
    isNotRemoved: ({ context, event }) => {
      const known = 'id' in event ? context.comments[event.id] : undefined
      return known === undefined || !('removed' in known)
    },
  },
  actions: {
    count: assign({ handled: ({ context, event }) => countOne(context.handled, event.type) }),
  },
}).createMachine({
  id: 'review-thread',
  context: { comments: {}, handled: {} },
  initial: 'open',
  on: {
    comment: {
      guard: 'isNotRemoved',
      actions: ['count', assign({ comments: ({ context, event }) => ({ ...context.comments, [event.id]: textOf(event) }) })],
    },
    editComment: {
      guard: 'isNotRemoved',
      actions: ['count', assign({ comments: ({ context, event }) => ({ ...context.comments, [event.id]: textOf(event) }) })],
    },
    removeComment: {
      guard: 'isNotRemoved',
      actions: ['count', assign({ comments: ({ context, event }) => ({ ...context.comments, [event.id]: { removed: true as const } }) })],
    },
    resolve: { target: '.resolved', actions: 'count' },
    unresolve: { target: '.open', actions: 'count' },
  },
  states: { open: {}, resolved: {} },
})

function textOf({ author, body }: z.output<typeof comment>): Comment {
  return { author, body }
}

export const reviewThread = defineActor({
  type: 'review-thread',
  module: import.meta.url,
  logic: machine,
  commands: {
    ...commands,
    overview: query({ priority: 'low', reply: ({ context, value }) => ({ handled: context.handled, value }) }),
  },
})
