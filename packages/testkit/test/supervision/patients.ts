/**
 * Actors that can be made to fail in every way, for the tests of supervision. They run in the test's own thread, so a test
 * may look at what their children and turns do, and decide which events they cannot take.
 */
import {
  command,
  defineActor,
  defineEffect,
  effect,
  fail,
  postpone,
  query,
  reply,
  request,
  setTimer,
  tell,
  turn,
  unwatch,
  watch,
} from '@bailiwick/kernel'
import type { ActorDefinition, MailboxOptions, SupervisionOptions, TurnContext } from '@bailiwick/kernel'
import { assign, enqueueActions, fromCallback, fromPromise, setup } from 'xstate'
import { z } from 'zod'

/** A child of an actor, as the world outside sees it. */
export interface Child {
  readonly self: string
  readonly cry: (event: { readonly type: 'cry' }) => void
  isStopped: boolean
}

/** A promise of an actor, in the hands of the test. */
export interface Egg {
  readonly self: string
  readonly hatch: (value: string) => void
  readonly crack: (error: Error) => void
}

/** A stretch of running of a turn, in the hands of the test. */
export interface Run {
  readonly self: string
  readonly context: TurnContext<{ readonly text: string }, unknown>
  readonly finish: (value: string) => void
}

/** What the actors meet outside. */
export const outside: {
  /** Types of the events, and texts of risky commands, at which a transition throws. */
  readonly faulty: Set<string>
  /** Keys whose activation throws. */
  readonly stillborn: Set<string>
  /** What was handled, in order. */
  handled: string[]
  children: Child[]
  eggs: Egg[]
  runs: Run[]
  /** What an egg does as soon as it is there. */
  laid: (egg: Egg) => void
} = {
  faulty: new Set(),
  stillborn: new Set(),
  handled: [],
  children: [],
  eggs: [],
  runs: [],
  laid: () => undefined,
}

/** A new world outside. */
export function resetOutside(): void {
  outside.faulty.clear()
  outside.stillborn.clear()
  Object.assign(outside, { handled: [], children: [], eggs: [], runs: [], laid: () => undefined })
}

/** An event that an actor has heard and that was no command for it. */
export interface Heard {
  readonly type: string
  readonly [field: string]: unknown
}

interface Context {
  readonly self: string
  readonly notes: readonly string[]
  readonly heard: readonly Heard[]
  /** Changed in place by a transition that should know better. */
  readonly box: { n: number }
  readonly big?: bigint
}

const whom = z.object({ type: z.string(), key: z.string() })
const message = z.object({
  to: whom,
  command: z.string(),
  input: z.record(z.string(), z.unknown()).default({}),
  times: z.number().default(1),
  timeoutMs: z.number().optional(),
})
const timer = z.object({ name: z.string(), delayMs: z.number(), everyMs: z.number().optional(), event: z.string().default('tick') })
const text = z.object({ text: z.string() })

type Event =
  | { readonly type: 'note' | 'risky' | 'later' | 'work' | 'answer'; readonly text: string }
  | { readonly type: 'poison'; readonly text: string }
  | { readonly type: 'mutate' | 'spoil' | 'misreply' | 'bigreply' | 'missend' | 'only' | 'shut' | 'open' | 'tend' | 'rest' | 'brood' }
  | { readonly type: 'wait' | 'giveUp' | 'errand' | 'end' | 'urge' }
  | ({ readonly type: 'set' } & z.infer<typeof timer>)
  | ({ readonly type: 'send' | 'inquire' } & z.infer<typeof message>)
  | { readonly type: 'watch'; readonly key: string; readonly event: string }
  | { readonly type: 'unwatch'; readonly key: string }
  | { readonly type: 'cry' | 'tick' | 'job.done' | 'work.started' | 'work.done'; readonly at?: never }

/** Every definition that was made, by type: whom messages and watches may mean. */
const known = new Map<string, ActorDefinition>()

function definitionOf(type: string): ActorDefinition {
  const found = known.get(type)
  if (found === undefined) throw new Error(`There is no patient of the type ${type}.`)
  return found
}

const REFUSED: ReadonlySet<string> = new Set(['only'])

const machine = setup({
  types: { context: {} as Context, events: {} as Event, input: {} as { readonly self: string } },
  actors: {
    tender: fromCallback<{ readonly type: 'x' }, { readonly self: string }>(({ input, sendBack }) => {
      const child: Child = { self: input.self, cry: sendBack, isStopped: false }
      outside.children.push(child)
      return () => void (child.isStopped = true)
    }),
    egg: fromPromise<string, { readonly self: string }>(
      ({ input }) =>
        new Promise((resolve, reject) => {
          const egg: Egg = { self: input.self, hatch: resolve, crack: reject }
          outside.eggs.push(egg)
          outside.laid(egg)
        }),
    ),
  },
  actions: {
    note: assign({
      notes: ({ context, event }) => {
        if (!('text' in event)) return context.notes
        if (event.type === 'risky' && outside.faulty.has(event.text)) throw new Error(`${event.text} is too much`)
        outside.handled.push(`${context.self} ${event.text}`)
        return [...context.notes, event.text]
      },
    }),
    /** Takes whatever is no command. */
    hear: assign({
      heard: ({ context, event }) => {
        if (outside.faulty.has(event.type)) throw new Error(`${event.type} is too much`)
        outside.handled.push(`${context.self} ${event.type}`)
        return [...context.heard, { ...event }]
      },
    }),
    throw: assign(({ event }) => {
      throw new Error(event.type === 'poison' ? event.text : 'it cannot do this')
    }),
  },
}).createMachine({
  context: ({ input }) => {
    if (outside.stillborn.has(input.self)) throw new Error(`${input.self} is stillborn`)
    return { self: input.self, notes: [], heard: [], box: { n: 0 } }
  },
  initial: 'awake',
  on: {
    note: { actions: 'note' },
    risky: { actions: 'note' },
    later: { actions: 'note' },
    poison: { actions: 'throw' },
    mutate: {
      actions: assign(({ context }) => {
        context.box.n += 1
        ;(context.notes as string[]).push('this must not stay') // It should know better.
        throw new Error('it has changed its mind')
      }),
    },
    spoil: { actions: assign({ big: 1n }) },
    misreply: { actions: assign({ notes: ({ context }) => [...context.notes, 'misreply'] }) },
    bigreply: { actions: assign({ notes: ({ context }) => [...context.notes, 'bigreply'] }) },
    missend: {
      actions: [
        assign({ notes: ({ context }) => [...context.notes, 'missend'] }),
        enqueueActions(({ enqueue, context }) => enqueue(tell(definitionOf('patient'), { key: context.self, command: 'note', input: {} }))),
      ],
    },
    wait: { actions: assign({ notes: ({ context }) => [...context.notes, 'waits'] }) },
    answer: { actions: reply(({ event }) => event.text) },
    giveUp: { actions: fail({ message: 'given up', all: true, retryable: false }) },
    errand: { actions: effect('job') },
    set: {
      actions: setTimer(({ event }) => event.name, {
        event: ({ event }) => ({ type: event.event, name: event.name }),
        delayMs: ({ event }) => event.delayMs,
        everyMs: ({ event }) => event.everyMs,
      }),
    },
    send: {
      actions: enqueueActions(({ enqueue, event: { to, command: name, input, times } }) => {
        for (let n = 0; n < times; n += 1) {
          const numbered = 'text' in input && times > 1 ? { ...input, text: `${String(input['text'])} ${n + 1}` } : input
          enqueue(tell(definitionOf(to.type), { key: to.key, command: name, input: numbered }))
        }
      }),
    },
    inquire: {
      actions: enqueueActions(({ enqueue, event: { to, command: name, input, timeoutMs } }) => {
        enqueue(request(definitionOf(to.type), { key: to.key, command: name, input, onDone: 'answered', onError: 'refused', timeoutMs }))
      }),
    },
    watch: {
      actions: enqueueActions(({ enqueue, event: { key, event } }) => {
        const { type, name } = targetOf(key)
        enqueue(watch(definitionOf(type), { key: name, event }))
      }),
    },
    unwatch: {
      actions: enqueueActions(({ enqueue, event: { key } }) => {
        const { type, name } = targetOf(key)
        enqueue(unwatch(definitionOf(type), { key: name }))
      }),
    },
    end: '.ended',
    '*': { guard: ({ event }) => !REFUSED.has(event.type) && !event.type.startsWith('xstate.'), actions: 'hear' },
  },
  states: {
    awake: { on: { shut: 'shut', tend: 'tending', brood: 'brooding', open: {}, rest: {} } },
    shut: { on: { later: { actions: postpone() }, open: 'awake' } },
    tending: { invoke: { src: 'tender', input: ({ context }) => ({ self: context.self }) }, on: { rest: 'awake' } },
    brooding: {
      invoke: { src: 'egg', input: ({ context }) => ({ self: context.self }), onDone: { target: 'awake' } },
      on: { rest: 'awake' },
    },
    ended: { type: 'final' },
  },
})

/** The type and key of an address. */
function targetOf(address: string): { readonly type: string; readonly name: string } {
  const slash = address.indexOf('/')
  return { type: address.slice(0, slash), name: address.slice(slash + 1) }
}

/** How a patient is made. */
export interface PatientOptions {
  readonly supervision?: SupervisionOptions
  readonly mailbox?: MailboxOptions
  readonly volatile?: boolean
  readonly idleMs?: number
  readonly version?: number
  readonly migrate?: Readonly<Record<number, (snapshot: unknown) => unknown>>
  readonly persist?: 'snapshot' | 'journal'
}

// What interrupts, and what can be interrupted.
const turns = {
  work: turn({
    input: text,
    run: async (context) =>
      await new Promise<string>((resolve, reject) => {
        outside.runs.push({ self: String(context.key), context, finish: resolve })
        context.signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true })
      }),
  }),
  urge: command({ priority: 'urgent', preempt: 'steal' }),
}

/** An actor that keeps notes, hears events and fails as it is told. */
export function patientOf<const Type extends string>(type: Type, options: PatientOptions = {}) {
  const definition = defineActor({
    type,
    module: import.meta.url,
    logic: machine,
    input: ({ key }) => ({ self: String(key) }),
    commands: {
      note: command({ input: text, reply: ({ context }) => context.notes.length }),
      risky: command({ input: text }),
      later: command({ input: text }),
      poison: command({ input: z.object({ text: z.string().default('poisoned') }) }),
      mutate: command(),
      spoil: command(),
      misreply: command({
        reply: (): string => {
          throw new Error('no answer to this')
        },
      }),
      bigreply: command({ reply: () => 1n }),
      missend: command(),
      only: command(),
      shut: command(),
      open: command(),
      tend: command(),
      rest: command(),
      brood: command(),
      wait: command({ reply: 'deferred', replyWithinMs: 60_000 }),
      answer: command({ input: text }),
      giveUp: command(),
      errand: command(),
      end: command(),
      set: command({ input: timer }),
      send: command({ input: message }),
      inquire: command({ input: message }),
      watch: command({ input: z.object({ key: z.string(), event: z.string().default('notice') }) }),
      unwatch: command({ input: z.object({ key: z.string() }) }),
      // A volatile actor keeps no turns.
      ...(options.volatile === true ? ({} as typeof turns) : turns),
      notes: query({ reply: ({ context }) => context.notes }),
      heard: query({ reply: ({ context }) => context.heard }),
      box: query({ reply: ({ context }) => context.box.n }),
      broken: query({
        reply: (): string => {
          throw new Error('this query never works')
        },
      }),
    },
    ...options,
  })
  known.set(type, definition)
  return definition
}

export type Patient = ReturnType<typeof patientOf<string>>

/** The effect of `errand`. */
export const job = defineEffect({ name: 'job', module: import.meta.url, run: () => Promise.resolve('done') })
