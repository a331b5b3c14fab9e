/**
 * The session actor, one for each repository: whoever works on the repository talks to the same provider, one at a time.
 *
 *     rank         turn            what it does to a turn of lower rank
 *     handler      respond         steals the session: the turn is parked, and goes on where it was
 *     ci           fixChecks       aborts it: it starts again when its turn comes
 *     thread       addressThread   the same
 *     spec         implement       nothing: it waits
 *     background   replan          nothing, and nobody interrupts it
 *
 * `drop` ends the task in hand for good. The machine does nothing but keep what it is told of the turns, and promise the
 * reply to a comment together with the end of the turn that has written it.
 */

import { command, defineActor, effect, query } from '@bailiwick/kernel'
import type { Interruption } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { countOne } from './handled.ts'
import type { Handled } from './handled.ts'
import { postReply } from './post-reply.effect.ts'
import { assignment, sessionTurn } from './session-turn.ts'
import type { Work } from './session-turn.ts'

const response = assignment.extend({
  comment: z.object({ id: z.int(), author: z.string(), body: z.string() }),
  /** The file that stands for the place where replies appear. */
  postTo: z.string(),
})

const turns = {
  respond: sessionTurn(response, {
    rank: 'handler',
    priority: 'urgent',
    preempt: 'steal',
    steps: ({ comment }) => [`Triage what ${comment.author} says: ${comment.body}`, `Write a reply to: ${comment.body}`],
  }),
  fixChecks: sessionTurn(assignment.extend({ check: z.string() }), {
    rank: 'ci',
    priority: 'high',
    preempt: 'abort-keep',
    steps: ({ check }) => [`Find out why ${check} fails`, `Make ${check} pass`],
  }),
  addressThread: sessionTurn(assignment.extend({ reviewer: z.string() }), {
    rank: 'thread',
    preempt: 'abort-keep',
    steps: ({ reviewer }) => [`Read the review of ${reviewer}`, `Do what ${reviewer} asks for`],
  }),
  implement: sessionTurn(assignment.extend({ title: z.string() }), {
    rank: 'spec',
    steps: ({ title }) => [`Plan: ${title}`, `Write the tests: ${title}`, `Write the code: ${title}`, `Look it through: ${title}`],
  }),
  replan: sessionTurn(assignment.extend({ ref: z.string() }), {
    rank: 'background',
    priority: 'low',
    preemptible: false,
    steps: ({ ref }) => [`Look at the plan again, now that there is a new ${ref}`],
  }),
}

const dropping = z.object({ reason: z.string() })

/** Everything that a session can be told. */
export const sessionCommands = {
  ...turns,
  drop: command({ input: dropping, rank: 'handler', priority: 'urgent', preempt: 'abort-drop' }),
}

/** Names of the turns. */
export type SessionTurn = keyof typeof turns

/** Where a task stands, as the machine has heard. */
export interface Task {
  readonly turn: number
  readonly command: string
  readonly delivery: string
  readonly state: 'running' | 'parked' | 'pending' | 'done' | 'dropped' | 'failed'
  readonly attempt: number
  readonly epoch: number
  /** The processes that have given its answers. */
  readonly pids: readonly number[]
  /** Whether the reply that it has written was posted. */
  readonly isPosted: boolean
}

/** What the machine hears of turns of this name. */
type TurnEvent<Name extends string, Input> = { readonly turn: number; readonly attempt: number; readonly epoch: number } & (
  | { readonly type: `${Name}.started`; readonly input: Input }
  | { readonly type: `${Name}.resumed` }
  | ({ readonly type: `${Name}.parked` | `${Name}.cancelled` } & Interruption)
  | { readonly type: `${Name}.done`; readonly output: Work }
  | { readonly type: `${Name}.failed`; readonly outcome: 'failed' | 'timed-out' | 'empty' }
)

type WorkEvent = TurnEvent<'respond', z.output<typeof response>> | TurnEvent<Exclude<SessionTurn, 'respond'>, z.output<typeof assignment>>

type SessionEvent =
  | WorkEvent
  | ({ readonly type: 'drop' } & z.output<typeof dropping>)
  | { readonly type: 'post-reply.done'; readonly output: { readonly turn: number } }

type Context = {
  /** The last tasks that have begun, in the order in which they first did. */
  readonly tasks: readonly Task[]
  /** Where the replies that are being written belong, by the number of the turn. */
  readonly replies: Readonly<Record<string, { readonly comment: number; readonly file: string }>>
  /** How often which event has come. */
  readonly heard: Handled
  /** Why a task was last dropped. */
  readonly lastDrop: string | undefined
}

const TASKS_KEPT = 200
const HAS_ENDED: ReadonlySet<string> = new Set(['done', 'dropped', 'failed'])

const machine = setup({
  // The casts are XState's way of stating types; the values are never read.
  types: { context: {} as Context, events: {} as SessionEvent },
  actions: {
    hear: assign({ heard: ({ context, event }) => countOne(context.heard, event.type) }),
    note: assign(({ context, event }) =>
      'turn' in event ? { tasks: tasksAfter(context, event), replies: repliesAfter(context, event) } : {},
    ),
  },
}).createMachine({
  id: 'session',
  context: { tasks: [], replies: {}, heard: {}, lastDrop: undefined },
  on: {
    '*': { actions: ['hear', 'note'] },
    'respond.done': {
      actions: [
        'hear',
        // Promised in the commit that ends the turn: no reply is lost, and none is posted of a turn that has not ended well.
        effect(postReply, ({ context, event: { turn, output } }) => ({
          comment: context.replies[turn]?.comment ?? 0,
          file: context.replies[turn]?.file ?? '',
          text: output.answers.at(-1) ?? '',
          turn,
        })),
        'note',
      ],
    },
    'post-reply.done': {
      actions: [
        'hear',
        assign({
          tasks: ({ context, event: { output } }) =>
            context.tasks.map((task) => (task.turn === output.turn ? { ...task, isPosted: true } : task)),
        }),
      ],
    },
    drop: { actions: ['hear', assign({ lastDrop: ({ event }) => event.reason })] },
  },
})

function tasksAfter({ tasks }: Context, event: WorkEvent): Context['tasks'] {
  const { turn, attempt, epoch } = event
  const state = stateAfter(event)
  if (tasks.some((task) => task.turn === turn))
    return tasks.map((task) => (task.turn === turn ? { ...task, state, attempt, epoch, pids: pidsIn(event) ?? task.pids } : task))
  // What is dropped before it has begun is no task yet.
  if (!('input' in event)) return tasks
  const [command = ''] = event.type.split('.')
  return [
    ...tasks.slice(1 - TASKS_KEPT),
    { turn, command, delivery: event.input.delivery, state, attempt, epoch, pids: [], isPosted: false },
  ]
}

function pidsIn(event: WorkEvent): readonly number[] | undefined {
  return 'output' in event ? event.output.providers.map(({ pid }) => pid) : undefined
}

function repliesAfter({ replies }: Context, event: WorkEvent): Context['replies'] {
  if (event.type === 'respond.started') {
    const { comment, postTo } = event.input
    return { ...replies, [event.turn]: { comment: comment.id, file: postTo } }
  }
  return HAS_ENDED.has(stateAfter(event))
    ? Object.fromEntries(Object.entries(replies).filter(([turn]) => turn !== String(event.turn)))
    : replies
}

function stateAfter(event: WorkEvent): Task['state'] {
  const [, what] = event.type.split('.')
  switch (what) {
    case 'parked':
      return 'parked'
    case 'cancelled':
      return 'mode' in event && event.mode === 'abort-keep' ? 'pending' : 'dropped'
    case 'done':
      return 'done'
    case 'failed':
      return 'failed'
    default:
      return 'running'
  }
}

export const session = defineActor({
  type: 'session',
  module: import.meta.url,
  logic: machine,
  turns: { ranks: ['handler', 'ci', 'thread', 'spec', 'background'], keep: 200 },
  commands: {
    ...sessionCommands,
    overview: query({ priority: 'low', reply: ({ context: { tasks, heard, lastDrop } }) => ({ tasks, heard, lastDrop }) }),
  },
})
