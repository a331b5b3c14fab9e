/**
 * Actors with turns whose course a test decides: each stretch of running is put on a stage, where the test ends it, lets
 * it fail, or lets it ignore its signal.
 *
 * A turn without a script waits until the test ends it; when its signal fires, it checkpoints the step that the test has
 * brought it to, if any, and returns.
 */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import type { ActorSnapshot, Interruption, ReplyArguments, System, TurnContext, TurnView } from '@bailiwick/kernel'
import { StoreUnavailable } from '@bailiwick/store'
import type { ShardStore } from '@bailiwick/store'
import { TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions, TestWorldOptions } from '@bailiwick/testkit'
import { onTestFinished } from 'vitest'
import { assign, setup } from 'xstate'
import type { SnapshotFrom } from 'xstate'
import { z } from 'zod'

export interface Frame {
  readonly step: number
}

export interface Input {
  readonly text: string
}

type Context = TurnContext<Input, Frame>

/** What a turn does instead of waiting for the test. */
export type Script = (context: Context, stretch: Stretch) => unknown

/** One call of `run`. */
export class Stretch {
  readonly command: string
  readonly context: Context
  /** Number of the process in which it runs. */
  readonly life: number
  /** The step that it has come to: what it checkpoints when it is interrupted; 0 for nothing. */
  step: number
  isOver = false
  readonly #end = Promise.withResolvers<unknown>()

  constructor(name: string, context: Context, life: number) {
    this.command = name
    this.context = context
    this.life = life
    this.step = context.frame?.step ?? 0
  }

  /** The reason of its signal, once that has fired. */
  get interruption(): Interruption | undefined {
    const { signal } = this.context
    return signal.aborted ? (signal.reason as Interruption) : undefined // What the signal carries is part of the API.
  }

  finish(value: unknown = `${this.context.input.text} is done`): void {
    this.#end.resolve(value)
  }

  fail(error: unknown): void {
    this.#end.reject(error)
  }

  /** Waits for the test alone, whatever the signal says. */
  async held(): Promise<unknown> {
    return await this.#end.promise
  }

  /** Waits for the test or for the signal. */
  async cooperate(): Promise<unknown> {
    const stopped = Promise.withResolvers<undefined>()
    const { signal } = this.context
    signal.addEventListener('abort', () => stopped.resolve(undefined), { once: true })
    if (signal.aborted) stopped.resolve(undefined)
    const value = await Promise.race([this.#end.promise, stopped.promise])
    if (value === undefined && this.step > 0 && signal.aborted) await this.context.checkpoint({ step: this.step })
    return value
  }
}

/** Where the turns of a test run. */
class Stage {
  stretches: Stretch[] = []
  /** What happened, in order: `work a begins`, `work a ends`. */
  log: string[] = []
  scripts: Record<string, Script> = {}
  life = 1

  reset(): void {
    Object.assign(this, { stretches: [], log: [], scripts: {}, life: 1 })
  }

  /** The last stretch, of this command if one is named. */
  last(name?: string): Stretch {
    const found = this.stretches.findLast((stretch) => name === undefined || stretch.command === name)
    if (found === undefined) throw new Error(`no turn ${name ?? ''} has run; the log is ${JSON.stringify(this.log)}`)
    return found
  }

  /** How often it has run. */
  count(name: string): number {
    return this.stretches.filter((stretch) => stretch.command === name).length
  }

  async perform(name: string, context: Context): Promise<unknown> {
    const { life } = this
    const stretch = new Stretch(name, context, life)
    this.stretches.push(stretch)
    this.log.push(`${name} ${context.input.text} begins`)
    try {
      const script = this.scripts[name]
      return await (script === undefined ? stretch.cooperate() : Promise.resolve(script(context, stretch)))
    } finally {
      stretch.isOver = true
      if (this.life === life) this.log.push(`${name} ${context.input.text} ends`)
    }
  }
}

export const stage = new Stage()

/** What the machine hears, turn events included. */
export interface Heard {
  readonly type: string
  readonly [field: string]: unknown
}

/** A machine that remembers whatever it hears. */
export const machine = setup({
  types: {
    context: {} as { readonly heard: readonly Heard[]; readonly isOpen: boolean },
    events: {} as { readonly type: 'note' | 'haste'; readonly text: string } | { readonly type: 'shut' | 'reopen' },
  },
  actions: { hear: assign({ heard: ({ context, event }) => [...context.heard, event as Heard] }) }, // Turn events come here too.
}).createMachine({
  context: { heard: [], isOpen: true },
  on: {
    shut: { actions: assign({ isOpen: false }) },
    reopen: { actions: assign({ isOpen: true }) },
    '*': { actions: 'hear' },
  },
})

export const input = z.object({ text: z.string().default('a') })
const frame = z.object({ step: z.number() })

/** A `run` that goes to the stage. */
export function run(name: string): (context: Context) => Promise<unknown> {
  return (context) => stage.perform(name, context)
}

type Reply = ReplyArguments<SnapshotFrom<typeof machine>, object>

const commands = {
  /** A long task, which anybody more urgent may interrupt. */
  work: turn({ input, frame, priority: 'low', run: run('work') }),
  /** An urgent handler. */
  urge: turn({ input, frame, priority: 'urgent', preempt: 'steal', run: run('urge') }),
  /** Everything about it is limited. */
  brief: turn({
    input,
    frame,
    drainMs: 5_000,
    timeoutMs: 60_000,
    endWithinMs: 600_000,
    maxAttempts: 3,
    silentMs: 30_000,
    run: run('brief'),
  }),
  /** Its result has a schema. */
  exact: turn({
    input,
    output: z.object({ n: z.number() }),
    run: async (context) => (await stage.perform('exact', context as Context)) as { readonly n: number }, // The schema is to judge.
  }),
  /** Only while the actor is open. */
  picky: turn({
    input,
    priority: 'urgent',
    preempt: 'steal',
    when: ({ context }: Reply) => context.isOpen,
    run: run('picky'),
  }),
  note: command({ input, reply: ({ context }: Reply) => context.heard.length }),
  /** An ordinary command that preempts. */
  haste: command({ input, priority: 'urgent', preempt: 'steal' }),
  shut: command(),
  reopen: command(),
  heard: query({ reply: ({ context }: Reply) => context.heard }),
}

/** Its state is written as a snapshot. */
export const repo = defineActor({ type: 'repo', module: import.meta.url, logic: machine, commands, idleMs: 10_000 })

/** Its events are kept. */
export const ledger = defineActor({
  type: 'ledger',
  module: import.meta.url,
  logic: machine,
  commands,
  persist: 'journal',
  journal: { snapshotEvery: 5 },
  idleMs: 10_000,
})

/** Three commands are all that may wait. */
export const tiny = defineActor({ type: 'tiny', module: import.meta.url, logic: machine, commands, mailbox: { capacity: 3 } })

/** Ranked as tasks are: a kind that is never executable is one that no state takes. */
export const depot = defineActor({
  type: 'depot',
  module: import.meta.url,
  logic: machine,
  turns: { ranks: ['ci', 'thread', 'spec', 'none'] },
  commands: {
    ci: turn({ input, frame, rank: 'ci', preempt: 'abort-keep', run: run('ci') }),
    thread: turn({ input, frame, rank: 'thread', preempt: 'abort-keep', run: run('thread') }),
    spec: turn({ input, frame, rank: 'spec', preempt: 'abort-keep', run: run('spec') }),
    defer: turn({ input, rank: 'none', when: () => false, run: run('defer') }),
    question: turn({ input, rank: 'ci', preempt: 'abort-keep', when: () => false, run: run('question') }),
    note: command({ input }),
    heard: query({ reply: ({ context }) => context.heard }),
  },
})

/** What strikes the store of a world. */
export interface Faults {
  /** True while no commit succeeds. */
  isFull: boolean
  /** Calls back at this commit, before or after it; then the caller gets an error. */
  strike: { readonly point: 'before' | 'after'; left: number; readonly what: () => void } | undefined
  commits: number
}

/** Stands between the kernel and its store. */
export function faulty(faults: Faults): (store: ShardStore) => ShardStore {
  return (store) =>
    new Proxy(store, {
      get: (target, name: keyof ShardStore) => {
        if (name !== 'commit') {
          const value = target[name]
          return typeof value === 'function' ? value.bind(target) : value
        }
        return (batch: Parameters<ShardStore['commit']>[0]) => {
          if (faults.isFull) throw new StoreUnavailable('full', 'this disk is full')
          faults.commits += 1
          const { strike } = faults
          const isNow = strike !== undefined && (strike.left -= 1) <= 0
          if (isNow) faults.strike = undefined
          const die = (): never => {
            strike?.what()
            throw new StoreUnavailable('io', 'the process died here')
          }
          if (isNow && strike.point === 'before') die()
          const report = target.commit(batch)
          return isNow ? die() : report
        }
      },
    })
}

export interface Scene {
  readonly world: TestWorld
  readonly faults: Faults
  readonly open: () => Promise<System>
  /** Kills the process and opens the system again. */
  readonly reopen: () => Promise<System>
}

/** A world with these actors, closed at the end of the test. */
export function setUp(options: TestWorldOptions = {}, system: Partial<TestSystemOptions> = {}): Scene {
  stage.reset()
  const faults: Faults = { isFull: false, strike: undefined, commits: 0 }
  const world = new TestWorld({ wrapStore: faulty(faults), ...options })
  onTestFinished(async () => {
    faults.isFull = false
    await world.close()
  })
  const open = async (): Promise<System> => await world.open({ actors: [repo, ledger, tiny, depot], ...system })
  return {
    world,
    faults,
    open,
    reopen: async () => {
      world.crash()
      stage.life += 1
      return await open()
    },
  }
}

/** Types of the events that the machine has heard, in order. */
export function typesOf(snapshot: ActorSnapshot<{ readonly context: { readonly heard: readonly Heard[] } }>): readonly string[] {
  return snapshot.context.heard.map(({ type }) => type)
}

/** The turn of this command that was accepted last. */
export function turnOf(turns: readonly TurnView[], name: string): TurnView {
  const found = turns.find((view) => view.command === name)
  if (found === undefined) throw new Error(`no turn ${name} among ${JSON.stringify(turns)}`)
  return found
}

/** Waits in virtual time, or until the signal fires. */
export async function rest(world: TestWorld, ms: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<undefined>()
  const stop = (): void => over.resolve(undefined)
  const timer = world.clock.setTimer(stop, ms)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  await over.promise
  signal.removeEventListener('abort', stop)
  timer.cancel()
}
