/**
 * The queue of one place: an actor around the book. It adds what a book cannot do: a durable timer for the next moment at
 * which something is over, word to those who wait and work, and word to the directory when it is first used.
 *
 * Commands carry the rules that count for them, so that a journal gives the same book again after rules have changed.
 */
import { command, defineActor, query, setTimer, stamped, tell } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, NoInput, Stamp } from '@bailiwick/kernel'
import { enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import type { BellDefinition } from './bell.actor.ts'
import { acquire, cancel, nextDueAt, pass, release, renew, setLimit } from './book.ts'
import type { Acquire, AcquireAnswer, Book, Step } from './book.ts'
import type { DirectoryDefinition } from './directory.actor.ts'
import { figuresOf, whereaboutsOf } from './figures.ts'
import type { QueueFigures, Whereabouts } from './figures.ts'
import { bookOf, EMPTY_STORED_BOOK, storedOf } from './stored-book.ts'
import type { StoredBook } from './stored-book.ts'

const executionId = z.string().min(1).max(200)
const whole = z.int().min(0)
const ms = z.int().min(1)

const acquireInput = stamped(
  z.object({ id: executionId, limit: whole, method: z.enum(['enqueue', 'cancel']), maxLength: whole, waitMs: ms, ttlMs: ms }),
)
const renewInput = stamped(z.object({ id: executionId, epoch: whole }))
const releaseInput = stamped(z.object({ id: executionId, epoch: whole.optional() }))
const cancelInput = stamped(z.object({ id: executionId }))
const limitInput = stamped(z.object({ limit: whole.nullable() }))

/** What a queue is told. */
type QueueEvent =
  | ({ readonly type: 'acquire' } & z.output<typeof acquireInput>)
  | ({ readonly type: 'renew' } & z.output<typeof renewInput>)
  | ({ readonly type: 'release' } & z.output<typeof releaseInput>)
  | ({ readonly type: 'cancel' } & z.output<typeof cancelInput>)
  | ({ readonly type: 'setLimit' } & z.output<typeof limitInput>)
  | { readonly type: 'wake'; readonly at: number }

type RenewReply = ReturnType<typeof renew>['answer']
type ReleaseReply = ReturnType<typeof release>['answer']
type CancelReply = ReturnType<typeof cancel>['answer']
type LimitReply = ReturnType<typeof setLimit>['answer']

/** The state of a queue. */
interface QueueContext extends StoredBook {
  /** What its key consists of: scope, name and group. */
  readonly place: readonly string[]
  /** When the timer rings; `null` if none is set. */
  readonly wakeAt: number | null
  /** What the last command has led to. */
  readonly answer: object | null
}

/** Any snapshot: the replies of these commands are typed by themselves. */
type Command<Given, Reply> = CommandBuilder<'command', Given, Given & Stamp, Reply, never>
type Query<Given, Input, Reply> = CommandBuilder<'query', Given, Input, Reply, never>

/** The commands of a queue. */
interface QueueCommands {
  readonly acquire: Command<Acquire, AcquireAnswer>
  readonly renew: Command<{ id: string; epoch: number }, RenewReply>
  readonly release: Command<{ id: string; epoch?: number | undefined }, ReleaseReply>
  readonly cancel: Command<{ id: string }, CancelReply>
  readonly setLimit: Command<{ limit: number | null }, LimitReply>
  readonly look: Query<{ id: string }, { id: string }, Whereabouts>
  readonly figures: Query<NoInput, NoInput, QueueFigures | null>
}

/** The definition of queues. */
export type QueueDefinition = ActorDefinition<string, { readonly context: QueueContext }, QueueCommands>

/** What a queue needs to know. */
export interface QueueParts {
  readonly type: string
  readonly module: string
  readonly bell: BellDefinition
  readonly directory: DirectoryDefinition
}

/** Defines the queues of an admission. */
export function defineQueue({ type, module, bell, directory }: QueueParts): QueueDefinition {
  const logic = setup({
    types: { context: {} as QueueContext, events: {} as QueueEvent, input: {} as { readonly place: readonly string[] } },
  }).createMachine({
    context: ({ input }) => ({ ...EMPTY_STORED_BOOK, place: input.place, wakeAt: null, answer: null }),
    on: {
      '*': {
        actions: enqueueActions(({ context, event, enqueue }) => {
          const { place, wakeAt } = context
          const book = bookOf(context)
          const step = stepOf(book, event)
          const next = nextWakeOf(step, event, wakeAt)
          enqueue.assign({ ...storedOf(step.book, context), wakeAt: next, answer: step.answer })
          for (const { id, serial, outcome } of step.rings)
            enqueue(tell(bell, { key: [...place, id], command: 'ring', input: { serial, outcome } }))
          if (next !== null && next !== wakeAt) enqueue(setTimer('wake', { at: next, event: { type: 'wake', at: next } }))
          const [scope = '', name = '', group = ''] = place
          if (book.now === 0) enqueue(tell(directory, { key: [scope, name], command: 'add', input: { group } }))
        }),
      },
    },
  })
  const definition = defineActor({
    type,
    module,
    logic,
    input: ({ key }) => ({ place: typeof key === 'string' ? [key] : key }),
    commands: {
      // The answer is what the transition of the same command has left.
      acquire: command({ input: acquireInput, reply: ({ context }) => context.answer }),
      renew: command({ input: renewInput, reply: ({ context }) => context.answer, priority: 'high' }),
      release: command({ input: releaseInput, reply: ({ context }) => context.answer, priority: 'high' }),
      cancel: command({ input: cancelInput, reply: ({ context }) => context.answer, priority: 'high' }),
      setLimit: command({ input: limitInput, reply: ({ context }) => context.answer, priority: 'high' }),
      look: query({ input: z.object({ id: executionId }), reply: ({ context, input }) => whereaboutsOf(bookOf(context), input.id) }),
      figures: query({ reply: ({ context }) => (isUsed(context) ? figuresOf(bookOf(context)) : null) }),
    },
    persist: 'journal',
    journal: { snapshotEvery: 1_000 },
    mailbox: { capacity: 100_000 },
  })
  return definition as unknown as QueueDefinition // Its replies are told apart by command, which a state that holds the last answer cannot say.
}

/** Whether anybody has asked for a slot, or set a limit. Giving back or cancelling what was never there is no use. */
function isUsed({ rest: { set, totals }, size }: StoredBook): boolean {
  return set !== null || size > 0 || Object.values(totals).some((count) => count > 0)
}

function stepOf(book: Book, event: QueueEvent): Step<object | null> {
  switch (event.type) {
    case 'acquire':
      return acquire(book, event, event.at)
    case 'renew':
      return renew(book, event, event.at)
    case 'release':
      return release(book, event, event.at)
    case 'cancel':
      return cancel(book, event, event.at)
    case 'setLimit':
      return setLimit(book, event, event.at)
    case 'wake':
      return pass(book, event.at)
  }
}

/**
 * When the timer has to ring after a step. It may ring too early, when a lease was renewed or a slot given back, and looks again then;
 * so that a step that makes nothing end sooner sets no timer.
 */
function nextWakeOf({ book, dueAt }: Step<unknown>, event: QueueEvent, wakeAt: number | null): number | null {
  const isRung = event.type === 'wake' && event.at === wakeAt
  const next = isRung ? nextDueAt(book) : Math.min(dueAt, wakeAt ?? Infinity)
  return Number.isFinite(next) ? next : null
}
