/**
 * A stage for the tests of turns: an actor whose turns do what a test tells them to while they run, and which remembers
 * every event that it hears. Everybody is in one thread, so the test holds the strings.
 */
import { expect, onTestFinished } from 'vitest'
import { command, defineActor, defineEffect, effect, query, turn } from '@bailiwick/kernel'
import type {
  EffectAttempt,
  Interruption,
  RefOf,
  System,
  TurnCause,
  TurnContext,
  TurnOptions,
  TurnsOptions,
  TurnView,
} from '@bailiwick/kernel'
import type { Children } from '@bailiwick/kernel/seams'
import type { ShardStore } from '@bailiwick/store'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { laterStore, TestWorld } from '../../src/index.ts'

/** Names of the turns of a desk, the highest rank first. */
export type TurnName = 'handler' | 'ci' | 'thread' | 'spec' | 'background'

const RANKS = ['handler', 'ci', 'thread', 'spec', 'background'] as const
const LANES = { handler: 'urgent', ci: 'high', thread: 'normal', spec: 'low', background: 'low' } as const

const input = z.object({
  name: z.string(),
  /** Effects that the actor promises when it hears that the turn has started, and for how long they wait. */
  promises: z.array(z.object({ name: z.string(), delayMs: z.number() })).optional(),
  /** The same, when it hears that the turn is resumed. */
  promisesOnResume: z.array(z.object({ name: z.string(), delayMs: z.number() })).optional(),
})
const frame = z.object({ phase: z.string(), cursor: z.number().int() })

type Input = z.infer<typeof input>
export type Frame = z.infer<typeof frame>
export type Context = TurnContext<Input, Frame>

/** What an actor has heard of its turns. */
export interface Heard {
  readonly type: string
  readonly turn?: number
  readonly attempt?: number
  readonly epoch?: number
  readonly mode?: Interruption['mode']
  readonly by?: TurnCause
  readonly outcome?: string
  readonly output?: unknown
  readonly error?: { readonly code: string; readonly message: string }
  readonly input?: Input
}

/** One stretch of running of a turn, in the hands of the test. */
export class Act {
  readonly command: TurnName
  readonly name: string
  readonly context: Context
  /** What it saves when it is interrupted, if it is polite. */
  saves: Frame | undefined
  readonly told: Promise<unknown>
  finish: (value: unknown) => void = () => undefined
  fail: (error: unknown) => void = () => undefined

  constructor(given: TurnName, context: Context) {
    this.command = given
    this.name = context.input.name
    this.context = context
    this.told = new Promise((resolve, reject) => {
      this.finish = resolve
      this.fail = reject
    })
    this.told.catch(() => undefined)
  }

  get isSignalled(): boolean {
    return this.context.signal.aborted
  }

  /** Why it was interrupted. */
  get reason(): Interruption {
    return this.context.signal.reason as Interruption // What a turn's signal carries.
  }
}

/** What a turn does. */
export type Script = (act: Act) => unknown

/** Settles when the signal fires. */
export async function interruption(act: Act): Promise<void> {
  const { signal } = act.context
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

const CUT = Symbol('interrupted')

/** Waits for what the test says; saves its frame and returns when it is interrupted. */
export const polite: Script = async (act) => {
  const cut = interruption(act).then(() => CUT)
  const result = await Promise.race([act.told, cut])
  if (result !== CUT) return result
  if (act.saves !== undefined) await act.context.checkpoint(act.saves)
  return undefined
}

/** Hears nothing: only the test ends it. */
export const deaf: Script = async (act) => await act.told

/** Hears the signal, and still takes until the test lets it go. */
export const slow: Script = async (act) => {
  const result = await act.told
  if (act.saves !== undefined && act.isSignalled) await act.context.checkpoint(act.saves)
  return result
}

/** Everything that happened on the stage, in order. */
export class Stage {
  readonly acts: Act[] = []
  /** `+` a stretch has begun, `!` its signal has fired. */
  readonly log: string[] = []
  readonly scripts = new Map<string, Script>()

  play(given: TurnName, context: Context): unknown {
    const act = new Act(given, context)
    this.acts.push(act)
    this.log.push(`+${act.name}`)
    context.signal.addEventListener('abort', () => this.log.push(`!${act.name}`), { once: true })
    return (this.scripts.get(act.name) ?? polite)(act)
  }

  /** The latest stretch of a turn with this name. */
  act(name: string): Act {
    const act = this.acts.findLast((candidate) => candidate.name === name)
    if (act === undefined) throw new Error(`${name} has not run. The log: ${this.log.join(' ')}`)
    return act
  }

  /** How often a turn with this name has begun a stretch. */
  stretches(name: string): number {
    return this.acts.filter((candidate) => candidate.name === name).length
  }

  /** Names in the order in which their stretches began. */
  get order(): string[] {
    return this.acts.map(({ name }) => name)
  }
}

type TurnEventName = 'started' | 'parked' | 'resumed' | 'done' | 'cancelled' | 'failed'
type DeskEvent =
  | (Heard & { readonly type: `${TurnName}.${TurnEventName}` })
  | { readonly type: 'note' | 'poke'; readonly name: string }
  | { readonly type: 'promise'; readonly name: string; readonly delayMs: number }
  | { readonly type: 'job.done' | 'job.failed' | 'notice.done' | 'notice.failed' }

const machine = setup({ types: { context: {} as { readonly heard: readonly Heard[] }, events: {} as DeskEvent } }).createMachine({
  context: { heard: [] },
  on: {
    '*': {
      actions: [
        assign({ heard: ({ context, event }) => [...context.heard, { ...event }] }),
        enqueueActions(({ enqueue, context, event }) => {
          if (event.type === 'promise') enqueue(effect('job', { name: event.name }, { delayMs: event.delayMs }))
          if (!('turn' in event)) return
          const begun = context.heard.find(({ type, turn: number }) => type.endsWith('.started') && number === event.turn)
          const isStart = event.type.endsWith('.started')
          const isResume = event.type.endsWith('.resumed')
          const promised = isStart ? event.input?.promises : isResume ? begun?.input?.promisesOnResume : undefined
          for (const { name, delayMs } of promised ?? []) enqueue(effect('job', { name }, { delayMs }))
          const isDropped = event.type.endsWith('.cancelled') && event.mode === 'abort-drop'
          if (isDropped) enqueue(effect('notice', { turn: event.turn, by: event.by }))
        }),
      ],
    },
  },
})

type DeskTurnOptions = Partial<TurnOptions<Input, Input, unknown, Frame, unknown>>

/** How a desk is made. */
export interface DeskOptions {
  /** How its commands are ranked: by `turns.ranks`, or by the lane in which they are sent. */
  readonly by: 'lanes' | 'ranks'
  readonly turns?: Omit<TurnsOptions, 'ranks'>
  /** Options of single turns. */
  readonly of?: Partial<Record<TurnName, DeskTurnOptions>>
}

/** An actor with a turn of each rank: a handler steals, those below abort, and nobody interrupts the background. */
export function deskOn(stage: Stage, { by, turns = {}, of = {} }: DeskOptions) {
  const placeOf = (name: TurnName): { readonly rank: string } | { readonly priority: 'urgent' | 'high' | 'normal' | 'low' } =>
    by === 'ranks' ? { rank: name } : { priority: LANES[name] }
  const turnOf = (name: TurnName, options: DeskTurnOptions) =>
    turn({
      input,
      frame,
      drainMs: 5_000,
      ...placeOf(name),
      ...options,
      ...of[name],
      run: (context: Context) => stage.play(name, context),
    })
  return defineActor({
    type: 'desk',
    module: import.meta.url,
    logic: machine,
    turns: { ...turns, ...(by === 'ranks' ? { ranks: RANKS } : {}) },
    commands: {
      handler: turnOf('handler', { preempt: 'steal' }),
      ci: turnOf('ci', { preempt: 'abort-keep' }),
      thread: turnOf('thread', { preempt: 'abort-keep' }),
      spec: turnOf('spec', { preempt: 'abort-keep' }),
      background: turnOf('background', { preemptible: false }),
      note: command({
        input: z.object({ name: z.string() }),
        preempt: 'steal',
        ...placeOf('handler'),
        reply: ({ input: { name } }) => name,
      }),
      poke: command({ input: z.object({ name: z.string() }), reply: ({ input: { name } }) => name }),
      promise: command({ input: z.object({ name: z.string(), delayMs: z.number() }) }),
      heard: query({ reply: ({ context }) => context.heard }),
    },
  })
}

export type Desk = RefOf<ReturnType<typeof deskOn>>

/** A call of an effect's `run`. */
export interface Delivery {
  readonly effect: 'job' | 'notice'
  readonly what: unknown
  /** Virtual time that had passed. */
  readonly at: number
}

/** How a test's world is made. */
export interface SceneOptions extends DeskOptions {
  readonly shards?: number
  /** Whether commits and reads take time. */
  readonly isLater?: boolean
  readonly children?: Children
  /** What each commit waits for before it is made. */
  readonly beforeCommit?: () => Promise<void> | undefined
  /** What an attempt of the effect `job` does. */
  readonly job?: (attempt: EffectAttempt<unknown>) => unknown
}

/** The four ways in which every scenario is played. */
export const WAYS: readonly (Pick<SceneOptions, 'by' | 'shards' | 'isLater'> & { readonly title: string })[] = [
  { title: 'ranked by lanes, on one shard', by: 'lanes', shards: 1 },
  { title: 'ranked by name, on three shards', by: 'ranks', shards: 3 },
  { title: 'ranked by lanes, with a store that takes its time', by: 'lanes', shards: 3, isLater: true },
  { title: 'ranked by name, with a store that takes its time', by: 'ranks', shards: 1, isLater: true },
]

const PATIENCE_MS = 5_000

/** Everything that a test needs. */
export class Scene {
  readonly world: TestWorld
  readonly stage = new Stage()
  /** Attempts of effects, in order. */
  readonly deliveries: Delivery[] = []
  readonly #options: SceneOptions
  readonly definition: ReturnType<typeof deskOn>
  #system: System | undefined
  #desk: Desk | undefined

  constructor(options: SceneOptions) {
    this.#options = options
    this.definition = deskOn(this.stage, options)
    let round = 0
    const rounds = (): number => 1 + ((round += 1) % 3)
    const { beforeCommit } = options
    const delayed = (store: ShardStore): ShardStore => {
      const later = laterStore(store, rounds)
      return {
        ...later,
        commit: async (batch) => {
          await beforeCommit?.()
          return await later.commit(batch)
        },
      }
    }
    this.world = new TestWorld({
      shards: options.shards ?? 1,
      ...(options.isLater === true || beforeCommit !== undefined ? { wrapStore: delayed } : {}),
      ...(options.children === undefined ? {} : { children: options.children }),
    })
    onTestFinished(() => this.world.close())
  }

  /** Opens a system; the second time after a crash. */
  async open(): Promise<void> {
    const { definition } = this
    const effectOf = (name: 'job' | 'notice', run: (attempt: EffectAttempt<unknown>) => unknown) =>
      defineEffect({
        name,
        module: import.meta.url,
        run: (attempt) => {
          this.deliveries.push({ effect: name, what: attempt.input, at: this.world.clock.elapsed() })
          return run(attempt)
        },
      })
    const effects = [effectOf('job', this.#options.job ?? (() => 'done')), effectOf('notice', () => 'told')]
    const opening = this.world.open({ actors: [definition], effects })
    this.#system = await this.now(opening)
    this.#desk = this.#system.actor(definition, 'd')
  }

  get system(): System {
    if (this.#system === undefined) throw new Error('The scene is not open.')
    return this.#system
  }

  get desk(): Desk {
    if (this.#desk === undefined) throw new Error('The scene is not open.')
    return this.#desk
  }

  /** Lets everything run that needs no time, until something holds. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}. The log: ${this.stage.log.join(' ')}`)
      await this.world.advance(0)
    }
  }

  /** Lets a promise settle while time stands still. */
  async now<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = (): void => void (isSettled = true)
    promise.then(settled, settled)
    await this.until('the promise has settled', () => isSettled)
    return await promise
  }

  /** Lets everything run that needs no time, for long enough that whatever was to happen has happened. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 6; round += 1) await this.world.advance(0)
  }

  /** Waits until a turn of this name has begun its nth stretch. */
  async runs(name: string, nth = 1): Promise<Act> {
    await this.until(`${name} runs, stretch ${nth}`, () => this.stage.stretches(name) >= nth)
    return this.stage.act(name)
  }

  /** Lets time pass, and whatever it sets going. */
  async pass(ms: number): Promise<void> {
    await this.world.advance(ms)
    await this.quiet()
  }

  async turns(): Promise<readonly TurnView[]> {
    return await this.now(this.desk.turns())
  }

  /** A turn as it is seen from outside. */
  async view(number: number): Promise<TurnView> {
    const turns = await this.turns()
    const found = turns.find((candidate) => candidate.turn === number)
    if (found === undefined) throw new Error(`There is no turn ${number} among ${JSON.stringify(turns)}`)
    return found
  }

  /** Waits until a turn is in a state. */
  async becomes(number: number, state: TurnView['state']): Promise<TurnView> {
    await this.until(`turn ${number} is ${state}`, async () => (await this.view(number)).state === state)
    return await this.view(number)
  }

  /** The one turn of a command that waits and has never run. */
  async waiting(given: TurnName): Promise<TurnView> {
    const isThere = (turns: readonly TurnView[]): TurnView | undefined =>
      turns.find((candidate) => candidate.command === given && candidate.state === 'pending' && candidate.epoch === 0)
    await this.until(`a ${given} waits`, async () => isThere(await this.turns()) !== undefined)
    return isThere(await this.turns()) as TurnView // Seen just now.
  }

  /** The events of turns, in order; effects and notes are left out. */
  async heard(): Promise<readonly Heard[]> {
    const heard = await this.now(this.desk.ask.heard())
    return heard.filter(({ type }) => /^(?:handler|ci|thread|spec|background)\./.test(type))
  }

  /** The types of those events. */
  async types(): Promise<readonly string[]> {
    return (await this.heard()).map(({ type }) => type)
  }

  /** A turn that is asked for and runs, and its answer. */
  async running(given: TurnName, name: string, more: Omit<Input, 'name'> = {}): Promise<{ readonly act: Act; readonly answer: Answer }> {
    const before = this.stage.stretches(name)
    const answer = answerOf(this.desk.ask[given]({ name, ...more }))
    const act = await this.runs(name, before + 1)
    return { act, answer }
  }

  /** Lets the latest stretch of a turn end with a result. */
  finish(name: string, value: unknown = `${name} done`): void {
    this.stage.act(name).finish(value)
  }
}

/** The answer of an ask, and whether it is there. */
export interface Answer {
  readonly promise: Promise<unknown>
  /** How often it was settled: a promise can only once, so 0 or 1. */
  readonly isSettled: () => boolean
}

/** Watches an ask. */
export function answerOf(promise: Promise<unknown>): Answer {
  let isSettled = false
  promise.then(
    () => void (isSettled = true),
    () => void (isSettled = true),
  )
  return { promise, isSettled: () => isSettled }
}

/** Opens a scene. */
export async function sceneOf(options: SceneOptions): Promise<Scene> {
  const scene = new Scene(options)
  await scene.open()
  return scene
}

/** What of a turn must not change when something takes no effect: all but how long it has been silent. */
export function lasting(view: TurnView): Omit<TurnView, 'silentMs' | 'isSilent'> {
  const { silentMs: _silentMs, isSilent: _isSilent, ...rest } = view
  return rest
}

/** The epochs of stretches, in the order in which they began, are each larger by one than the one before. */
export function expectEpochsInARow(acts: readonly Act[]): void {
  const epochs = acts.map(({ context }) => context.epoch)
  const [first = 0] = epochs
  expect(epochs).toEqual(epochs.map((_epoch, index) => first + index))
}

/** Everything about a desk that a write without effect must leave as it is. */
export async function everything(scene: Scene): Promise<unknown> {
  const { context } = await scene.now(scene.desk.snapshot())
  return { turns: (await scene.turns()).map(lasting), context, deliveries: [...scene.deliveries], outbox: scene.system.stats().outbox }
}

/** The error that a promise rejects with; fails if it does not. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('It was not refused.')
}
