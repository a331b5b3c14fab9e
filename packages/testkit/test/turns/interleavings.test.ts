/**
 * Turns as a property: any interleaving of turns, preemption, cancellation, checkpoints, ends, late results and faults.
 *
 * One run is a world with many actors. Each actor has a schedule of its own, which is one interleaving; threads, processes
 * and disks fail for all of them at once. The model is plain: what was asked for, what was acknowledged, and every stretch
 * of running that was seen to begin. Every operation has an idempotency key and is repeated until it is acknowledged, as a
 * careful caller would.
 */
import { StoreUnavailable } from '@bailiwick/store'
import type { ShardStore } from '@bailiwick/store'
import { BailiwickError } from '@bailiwick/kernel'
import type { Interruption, Preempt, PreemptMode, System, TurnOutcome } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DRAIN_MS, laned, RANKS, ranked, stage } from './driven.ts'
import type { Driven, Heard, Memory } from './driven.ts'

/** How a turn behaves once its signal has fired. */
type Manner =
  /** It returns at once, without a result. */
  | 'return'
  /** It lets the signal's reason through. */
  | 'throw'
  /** It writes a checkpoint, then returns. */
  | 'save'
  /** It finishes at once, with a result. */
  | 'finish'
  /** It takes no notice, and ends only when the schedule says so. */
  | 'linger'

/** How a stretch of running ends by itself. */
type End = 'ok' | 'empty' | 'throw' | 'retryable'

type Operation =
  | {
      readonly kind: 'turn'
      readonly rank: number
      readonly preempt: Preempt | undefined
      readonly way: 'ask' | 'tell'
      readonly manner: Manner
    }
  | { readonly kind: 'command'; readonly rank: number; readonly preempt: Preempt; readonly way: 'ask' | 'tell' }
  | { readonly kind: 'end'; readonly how: End }
  | { readonly kind: 'checkpoint' }
  /** The turn that runs is cancelled, in this attempt, any, or another one. */
  | { readonly kind: 'cancel'; readonly mode: PreemptMode; readonly attempt: 'this' | 'any' | 'other' }
  /** One of the turns that the actor shows is cancelled, whatever it does. */
  | { readonly kind: 'cancelAny'; readonly mode: PreemptMode; readonly nth: number }
  /** A stretch that is over for the runtime comes back, with a result or a checkpoint. */
  | { readonly kind: 'late'; readonly what: 'result' | 'checkpoint' }
  | { readonly kind: 'nothing' }

/** What strikes the whole world after a step. */
type Fault =
  | { readonly kind: 'none' | 'crash' | 'crashThreads' | 'close' }
  | { readonly kind: 'crashThread'; readonly shard: number }
  /** The process dies at a commit: just before it reaches the disk, or just after. */
  | { readonly kind: 'crashAt'; readonly point: 'before' | 'after'; readonly commits: number }
  | { readonly kind: 'failCommits'; readonly ms: number }
  | { readonly kind: 'failShard'; readonly shard: number; readonly commits: number }

interface Weather {
  readonly fault: Fault
  /** Time that passes after the step; `undefined` if the next one follows in the same moment, with nothing settled. */
  readonly ms: number | undefined
}

interface Story {
  readonly shards: number
  readonly schedules: readonly (readonly Operation[])[]
  readonly weather: readonly Weather[]
}

const preempts: readonly Preempt[] = ['steal', 'abort-keep', 'abort-drop', 'none']
const modes: readonly PreemptMode[] = ['steal', 'abort-keep', 'abort-drop']

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { withCrossShrink: true },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('nothing' as const) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('turn' as const),
      rank: fc.constantFrom(0, 0, 1, 1, 2, 3),
      preempt: fc.constantFrom<Preempt | undefined>(undefined, undefined, 'steal', 'steal', ...preempts),
      way: fc.constantFrom('ask' as const, 'tell' as const),
      manner: fc.constantFrom<Manner>('return', 'throw', 'save', 'save', 'finish', 'linger'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      rank: fc.constantFrom(0, 0, 1, 2),
      preempt: fc.constantFrom(...preempts),
      way: fc.constantFrom('ask' as const, 'tell' as const),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('end' as const), how: fc.constantFrom<End>('ok', 'ok', 'ok', 'empty', 'throw', 'retryable') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cancel' as const),
      mode: fc.constantFrom(...modes),
      attempt: fc.constantFrom('this' as const, 'any' as const, 'other' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cancelAny' as const), mode: fc.constantFrom(...modes), nth: fc.nat({ max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), what: fc.constantFrom('result' as const, 'checkpoint' as const) }) },
)

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { withCrossShrink: true },
  { weight: 24, arbitrary: fc.constant({ kind: 'none' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'crashThreads' as const, 'close' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crashThread' as const), shard: fc.nat({ max: 1 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crashAt' as const),
      point: fc.constantFrom('before' as const, 'after' as const),
      commits: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failCommits' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('failShard' as const), shard: fc.nat({ max: 1 }), commits: fc.integer({ min: 1, max: 4 }) }),
  },
)

/** Steps of a story; a schedule has fewer, or as many. */
const STEPS = 22
const ACTORS = Number(process.env['BAILIWICK_ACTORS'] ?? 40)

const story: fc.Arbitrary<Story> = fc.record({
  shards: fc.constantFrom(1, 2),
  // Of any length, so that a counterexample shrinks to the actors that matter.
  schedules: fc.noBias(fc.array(fc.array(operation, { minLength: 10, maxLength: STEPS }), { minLength: 1, maxLength: 2 * ACTORS, size: 'max' })),
  weather: fc.array(fc.record({ fault, ms: fc.constantFrom(undefined, undefined, 0, 0, 0, 0, 1, 60, 600, DRAIN_MS + 100) }), {
    minLength: STEPS,
    maxLength: STEPS,
    size: 'max',
  }),
})

/** What struck and what was seen over all runs: a property that never meets a case shows little. */
const seen = new Map<string, number>()

function count(what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1)
}

/** A turn or a command that was asked for. */
interface Order {
  readonly id: number
  readonly what: Extract<Operation, { readonly kind: 'turn' | 'command' }>
  /** Numbers of its first call, and of the call that was acknowledged; calls are numbered in the order in which they are made. */
  firstCall: number
  acceptedCall: number | undefined
  isUnderWay: boolean
  /** What its ask was answered with. */
  answer: unknown
  stretches: Stretch[]
  /** What was tried to be done to it, whether or not it has come to that. */
  isDropRisked: boolean
  isKeepRisked: boolean
}

/** A stretch of running that was seen to begin. */
interface Stretch {
  readonly order: Order
  readonly driven: Driven
  /** Ends it; the argument is what becomes of its promise. */
  readonly settle: (how: End | 'finish' | 'throw-reason') => void
  end: End | 'finish' | 'throw-reason' | undefined
  isCrashed: boolean
  abortedAt: number | undefined
  /** The last checkpoint that was acknowledged, and those since then whose fate is unknown. */
  saved: number | undefined
  readonly unknown: Set<number>
}

class Violation extends Error {}

let nextOrder = 0
let nextStep = 0
let nextCall = 0
/** Everything that is waited for, by the number of the operation: stretches of worlds that are over find nobody. */
const directory = new Map<number, { readonly desk: Desk; readonly order: Order }>()

/** One actor and its schedule. */
class Desk {
  readonly key: string
  readonly isRanked: boolean
  readonly orders: Order[] = []
  readonly #world: Life
  readonly #stretches: Stretch[] = []
  #epoch = 0

  constructor(world: Life, index: number) {
    this.#world = world
    this.key = `k${index}`
    this.isRanked = index % 2 === 0
  }

  /** The stretch that runs, as far as anybody can tell. */
  get current(): Stretch | undefined {
    return this.#stretches.findLast((stretch) => !this.#isOver(stretch))
  }

  apply(next: Operation): void {
    count(next.kind)
    const { current } = this
    switch (next.kind) {
      case 'turn':
      case 'command': {
        nextOrder += 1
        const order: Order = {
          id: nextOrder,
          what: next,
          firstCall: 0,
          acceptedCall: undefined,
          isUnderWay: false,
          answer: undefined,
          stretches: [],
          isDropRisked: false,
          isKeepRisked: false,
        }
        this.orders.push(order)
        directory.set(order.id, { desk: this, order })
        this.#risk(order)
        this.issue(order)
        return
      }
      case 'end':
        current?.settle(next.how)
        return
      case 'checkpoint':
        if (current !== undefined) this.#checkpoint(current)
        return
      case 'cancel':
        if (current !== undefined) this.#cancel(current.driven.turn, next.mode, current.order, this.#attemptOf(next.attempt, current))
        return
      case 'cancelAny':
        this.#cancelAny(next.mode, next.nth)
        return
      case 'late':
        this.#late(next.what)
        return
      case 'nothing':
    }
  }

  /** Calls again what was not acknowledged. */
  reissue(): void {
    for (const order of this.orders) if (order.acceptedCall === undefined && !order.isUnderWay) this.issue(order)
  }

  /** The process is gone: no call of it is ever answered. */
  forgetCalls(): void {
    for (const order of this.orders) order.isUnderWay = false
  }

  crash(): void {
    for (const stretch of this.#stretches) stretch.isCrashed = true
  }

  /** Whether a stretch ended so that its turn is tried again. */
  isRetried({ epoch }: Heard): boolean {
    return this.#stretches.some(({ driven, end }) => driven.epoch === epoch && end === 'retryable')
  }

  /** Whether everything that was asked for is acknowledged. */
  get isAcknowledged(): boolean {
    return this.orders.every(({ acceptedCall }) => acceptedCall !== undefined)
  }

  /** Lets the present stretch end. */
  release(): void {
    this.current?.settle('ok')
  }

  issue(order: Order): void {
    const { system, life } = this.#world
    if (system === undefined) return
    nextCall += 1
    const call = nextCall
    if (order.firstCall === 0) order.firstCall = call
    order.isUnderWay = true
    this.#send(system, order).then(
      (answer) => {
        if (this.#world.life !== life) return
        order.isUnderWay = false
        order.acceptedCall ??= call
        order.answer = answer
      },
      (error: unknown) => {
        if (this.#world.life !== life) return
        order.isUnderWay = false
        const code = error instanceof BailiwickError ? error.code : String(error)
        count(`refused ${code}`)
        if (!['STORE_UNAVAILABLE', 'SHARD_CRASHED', 'SYSTEM_CLOSED', 'ASK_TIMEOUT'].includes(code)) this.#world.violations.push(`${this.key}: operation ${order.id} got ${code}`)
      },
    )
  }

  async #send(system: System, { id, what }: Order): Promise<unknown> {
    const key = this.key
    const idempotencyKey = `order ${id}`
    const { rank } = what
    const preempt = what.preempt === undefined ? {} : { preempt: what.preempt }
    if (what.kind === 'turn') {
      const input = { op: id, rank }
      if (this.isRanked) {
        const ref = system.actor(ranked, key)[what.way]
        const name = RANKS[rank] ?? 'background'
        return await ref[name](input, { idempotencyKey, ...preempt })
      }
      const priority = (['urgent', 'high', 'normal', 'low'] as const)[rank] ?? 'low'
      return await system.actor(laned, key)[what.way].work(input, { idempotencyKey, priority, ...preempt })
    }
    const input = { op: id, rank, preempt: what.preempt }
    if (this.isRanked) {
      const ref = system.actor(ranked, key)[what.way]
      const name = (['urge', 'remark', 'whisper'] as const)[rank] ?? 'whisper'
      return await ref[name](input, { idempotencyKey, ...preempt })
    }
    const priority = (['urgent', 'high', 'normal', 'low'] as const)[rank] ?? 'low'
    return await system.actor(laned, key)[what.way].note(input, { idempotencyKey, priority, ...preempt })
  }

  /** What a preempting operation may do to others, now or when it is repeated. */
  #risk({ what: { kind, rank, preempt } }: Order): void {
    const mode = preempt ?? (this.isRanked && kind === 'turn' && rank === 0 ? 'steal' : 'none')
    for (const other of this.orders) {
      if (other.what.kind !== 'turn' || other.what.rank <= rank) continue
      if (mode === 'abort-drop') other.isDropRisked = true
      if (mode === 'abort-keep') other.isKeepRisked = true
    }
  }

  #attemptOf(which: 'this' | 'any' | 'other', { driven }: Stretch): number | undefined {
    return which === 'any' ? undefined : which === 'this' ? driven.attempt : driven.attempt + 1
  }

  #cancel(turn: number, mode: PreemptMode, order: Order | undefined, attempt: number | undefined): void {
    if (order !== undefined) {
      if (mode === 'abort-drop') order.isDropRisked = true
      if (mode === 'abort-keep') order.isKeepRisked = true
    }
    const cancelled = this.#world.system?.actor(laned, this.key)
    const ref = this.isRanked ? this.#world.system?.actor(ranked, this.key) : cancelled
    ref?.cancelTurn(turn, { mode, ...(attempt === undefined ? {} : { attempt }), reason: 'the test' }).then(
      ({ outcome }) => count(`cancel ${outcome}`),
      () => undefined,
    )
  }

  #cancelAny(mode: PreemptMode, nth: number): void {
    const ref = this.isRanked ? this.#world.system?.actor(ranked, this.key) : this.#world.system?.actor(laned, this.key)
    // Whichever it will be.
    for (const order of this.orders) {
      if (mode === 'abort-drop') order.isDropRisked = true
      if (mode === 'abort-keep') order.isKeepRisked = true
    }
    ref?.turns({ limit: 6 }).then(
      (turns) => {
        const view = turns[nth % Math.max(1, turns.length)]
        if (view === undefined) return
        count(`cancelled while ${view.state}`)
        this.#cancel(view.turn, mode, undefined, undefined)
      },
      () => undefined,
    )
  }

  #late(what: 'result' | 'checkpoint'): void {
    const late = this.#stretches.findLast((stretch) => stretch.end === undefined && this.#isOver(stretch))
    if (late === undefined) return
    count(late.isCrashed ? `late ${what} of a dead thread` : `late ${what} of a forced end`)
    if (what === 'result') late.settle('ok')
    else this.#checkpoint(late)
  }

  /** Writes a checkpoint; of a stretch that is over, it must be refused. */
  #checkpoint(stretch: Stretch): void {
    nextStep += 1
    const step = nextStep
    const isLate = this.#isOver(stretch)
    stretch.unknown.add(step)
    stretch.driven.checkpoint({ step }).then(
      () => {
        if (isLate) this.#world.violations.push(`${this.key}: a late checkpoint of ${this.#name(stretch)} was taken`)
        count('checkpoint acknowledged')
        stretch.saved = step
        for (const other of stretch.unknown) if (other <= step) stretch.unknown.delete(other)
      },
      (error: unknown) => {
        const code = error instanceof BailiwickError ? error.code : String(error)
        count(`checkpoint refused ${code}${isLate ? ' late' : ''}`)
        if (code === 'STALE_EPOCH') stretch.unknown.delete(step)
      },
    )
  }

  /** A stretch begins: here everything is known that decides whether it may. */
  begin(order: Order, driven: Driven): Promise<unknown> {
    if (process.env['TRACE']) console.log('begin', this.key, order.id, driven.turn, driven.attempt, driven.epoch, driven.frame, this.#world.now, this.#world.isReleased)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const stretch: Stretch = {
      order,
      driven,
      settle: (how) => {
        if (stretch.end !== undefined) return
        stretch.end = how
        if (process.env['TRACE']) console.log('settle', this.key, order.id, how, this.#world.now)
        if (how === 'throw') reject(new Error('it failed'))
        else if (how === 'retryable') reject(Object.assign(new Error('it failed for now'), { retryable: true }))
        else if (how === 'throw-reason') reject(driven.signal.reason as Error)
        else resolve(how === 'empty' ? '' : { by: order.id, epoch: driven.epoch, how })
      },
      end: undefined,
      isCrashed: false,
      abortedAt: undefined,
      saved: undefined,
      unknown: new Set(),
    }
    this.#check(order, driven)
    this.#stretches.push(stretch)
    order.stretches.push(stretch)
    order.acceptedCall ??= order.what.way === 'tell' ? undefined : order.acceptedCall
    count('stretch')
    if (driven.frame !== undefined) count('stretch from a frame')
    const { signal } = driven
    if (signal.aborted) this.#interrupted(stretch)
    else signal.addEventListener('abort', () => this.#interrupted(stretch), { once: true })
    if (this.#world.isReleased) stretch.settle('ok')
    return promise
  }

  #interrupted(stretch: Stretch): void {
    stretch.abortedAt = this.#world.now
    count(`signal ${(stretch.driven.signal.reason as Interruption).mode}`)
    const { manner } = stretch.order.what as Extract<Operation, { readonly kind: 'turn' }>
    count(`manner ${manner}`)
    if (manner === 'return') stretch.settle('empty')
    else if (manner === 'throw') stretch.settle('throw-reason')
    else if (manner === 'finish') stretch.settle('finish')
    else if (manner === 'save') {
      this.#checkpoint(stretch)
      stretch.settle('empty')
    }
  }

  #isOver({ end, isCrashed, abortedAt }: Stretch): boolean {
    return end !== undefined || isCrashed || (abortedAt !== undefined && this.#world.now - abortedAt >= DRAIN_MS)
  }

  #name({ order, driven }: Pick<Stretch, 'order' | 'driven'>): string {
    return `operation ${order.id} (turn ${driven.turn}, attempt ${driven.attempt}, epoch ${driven.epoch})`
  }

  #check(order: Order, driven: Driven): void {
    const complain = (what: string): void => void this.#world.violations.push(`${this.key}: ${this.#name({ order, driven })} ${what}`)
    const { current } = this
    if (current !== undefined) complain(`begins while ${this.#name(current)} runs`)
    if (driven.epoch <= this.#epoch) complain(`begins with an epoch that is not above ${this.#epoch}`)
    this.#epoch = Math.max(this.#epoch, driven.epoch)
    this.#checkOrder(order, complain)
    this.#checkResumption(order, driven, complain)
  }

  /** Nobody waits who should have gone before. */
  #checkOrder(order: Order, complain: (what: string) => void): void {
    const isParked = this.#isSurelyParked(order)
    for (const other of this.orders) {
      if (other === order || other.what.kind !== 'turn' || !this.#surelyWaits(other)) continue
      if (other.what.rank < order.what.rank) complain(`begins before operation ${other.id}, which waits and has a higher rank`)
      else if (other.what.rank === order.what.rank) {
        const isOtherParked = this.#isSurelyParked(other)
        count('two of equal rank compared')
        if (isOtherParked && order.stretches.length === 0) complain(`begins before operation ${other.id}, which is parked`)
        const isOlder = other.acceptedCall !== undefined && other.acceptedCall < order.firstCall
        if (isOlder && other.stretches.length === 0 && !isParked && order.stretches.length === 0) complain(`begins before operation ${other.id}, which was accepted earlier`)
      }
      count('others waited')
    }
  }

  /** Whether a turn is known to wait for its beginning, or for being resumed or started again. */
  #surelyWaits({ acceptedCall, stretches, isDropRisked, answer, what }: Order): boolean {
    if (isDropRisked || (answer !== undefined && what.way === 'ask')) return false
    const last = stretches.at(-1)
    if (last === undefined) return acceptedCall !== undefined && what.way === 'tell'
    if (last.end === undefined) return last.isCrashed || (last.abortedAt !== undefined && this.#isOver(last))
    return last.abortedAt !== undefined && (last.end === 'empty' || last.end === 'throw-reason')
  }

  #isSurelyParked({ stretches, isKeepRisked, isDropRisked }: Order): boolean {
    const last = stretches.at(-1)
    if (last === undefined || isKeepRisked || isDropRisked || last.isCrashed || last.abortedAt === undefined) return false
    return (last.driven.signal.reason as Interruption).mode === 'steal' && last.end !== 'finish' && last.end !== 'ok'
  }

  /** It goes on from where it was, or from its beginning, as it was told. */
  #checkResumption(order: Order, { attempt, frame, turn }: Driven, complain: (what: string) => void): void {
    const last = order.stretches.at(-1)
    if (last === undefined) {
      if (attempt !== 1 || frame !== undefined) complain('begins for the first time, but not as if')
      return
    }
    const { driven } = last
    if (driven.turn !== turn) {
      // The key of a turn that has failed is free again: whoever was not told of it, and repeats the call, starts a new one.
      if (last.end !== 'throw' && last.end !== 'retryable') complain(`runs for the second time: it was turn ${driven.turn}`)
      if (attempt !== 1 || frame !== undefined) complain('begins for the first time, but not as if')
      count('a failed turn was asked for again')
      return
    }
    const mode = (driven.signal.reason as Interruption | undefined)?.mode
    if (mode === 'abort-drop') complain('runs although it was dropped')
    // The last checkpoint that was acknowledged, and those after it whose fate is not known.
    const line = lineOf(order)
    const saved = line.findLast((stretch) => stretch.saved !== undefined)?.saved
    const unknown = line.flatMap((stretch) => [...stretch.unknown]).filter((step) => saved === undefined || step > saved)
    const isKnown = frame === undefined ? saved === undefined : frame.step === saved || unknown.includes(frame.step)
    const told = `frame ${String(frame?.step)}, saved ${String(saved)}, unknown ${unknown.join(', ')}`
    if (attempt === driven.attempt) {
      if (!isKnown) complain(`resumes from another frame: ${told}`)
      if (mode === 'abort-keep') complain('resumes although it was to start again')
      count('resumed')
      return
    }
    if (attempt !== driven.attempt + 1) complain(`skips an attempt after ${driven.attempt}`)
    const isRetried = last.end === 'retryable' && last.abortedAt === undefined
    if (isRetried && !order.isKeepRisked) {
      if (!isKnown) complain(`is tried again from another frame: ${told}`)
      count('tried again')
      return
    }
    if (frame !== undefined && !(isRetried && isKnown)) complain(`starts again from a frame: ${told}`)
    if (!order.isKeepRisked && !(last.isCrashed && saved === undefined)) complain('starts again without a reason')
    count('started again')
  }
}

/** The world of one story. */
class Life {
  readonly world: TestWorld
  readonly desks: Desk[]
  readonly violations: string[] = []
  system: System | undefined
  life = 0
  isReleased = false
  #countdown: { readonly point: 'before' | 'after'; left: number } | undefined
  #failing: [number, number] = [0, 0]
  #closing = 0
  readonly #shardOf = new Map<string, number>()

  constructor(shards: number, actors: number) {
    this.world = new TestWorld({ shards, wrapStore: (store, shard) => this.#watch(store, shard) })
    this.desks = Array.from({ length: actors }, (_none, index) => new Desk(this, index))
  }

  get now(): number {
    return this.world.clock.elapsed()
  }

  async play({ schedules, weather }: Story): Promise<void> {
    await this.open()
    for (const [step, { fault: next, ms }] of weather.entries()) {
      if (this.system === undefined) await this.open()
      for (const [index, desk] of this.desks.entries()) {
        const what = schedules[index]?.[step]
        if (what !== undefined) desk.apply(what)
      }
      if (ms !== undefined) await this.world.advance(ms)
      await this.#strike(next)
      this.#throwIfViolated()
    }
    await this.finish()
  }

  /** Everything is released; then everything must come to its end. */
  async finish(): Promise<void> {
    this.#countdown = undefined
    this.#failing = [0, 0]
    this.isReleased = true
    let memories: ReadonlyMap<Desk, Memory> = new Map<Desk, Memory>()
    for (let round = 0; ; round += 1) {
      if (this.system === undefined) await this.open()
      for (const desk of this.desks) {
        desk.release()
        desk.reissue()
      }
      await this.world.advance(round === 0 ? 0 : 1_500)
      this.#throwIfViolated()
      memories = await this.#memories()
      const open = this.desks.filter((desk) => !desk.isAcknowledged || !isFinished(desk, memories.get(desk)))
      if (open.length === 0) break
      if (round > 12) throw new Violation(open.map((desk) => `${desk.key} does not come to its end: ${describeDesk(desk, memories.get(desk))}`).join('\n'))
    }
    for (const desk of this.desks) this.#checkEnd(desk, memories.get(desk))
    this.#throwIfViolated()
    const stats = this.system?.stats()
    expect(stats?.turns.running).toBe(0)
    await this.world.close()
    for (const desk of this.desks) for (const order of desk.orders) directory.delete(order.id)
  }

  async open(): Promise<void> {
    for (let tries = 0; this.system === undefined; tries += 1) {
      if (tries > 20) throw new Violation('the system does not open')
      const { life } = this
      let opened: System | undefined
      let failure: unknown
      this.world.open({ actors: [ranked, laned], limits: { batchCommands: 16 } }).then(
        (system) => {
          opened = system
        },
        (error: unknown) => {
          failure = error
        },
      )
      await this.world.advance(0)
      if (failure !== undefined) count('open failed')
      // A process that died while it opened its system is of no use.
      if (this.life === life) this.system = opened
    }
    for (const desk of this.desks) desk.reissue()
  }

  async #memories(): Promise<ReadonlyMap<Desk, Memory>> {
    const memories = new Map<Desk, Memory>()
    for (const desk of this.desks) {
      const { key } = desk
      const asked = desk.isRanked
        ? this.system?.actor(ranked, key).ask.memory({}, { timeoutMs: 2_000 })
        : this.system?.actor(laned, key).ask.memory({}, { timeoutMs: 2_000 })
      asked?.then(
        (memory) => memories.set(desk, memory),
        () => undefined,
      )
    }
    await this.world.advance(0)
    return memories
  }

  #checkEnd(desk: Desk, memory: Memory | undefined): void {
    if (memory === undefined) return
    const complain = (what: string): void => void this.violations.push(`${desk.key}: ${what}; ${describeDesk(desk, memory)}`)
    for (const complaint of memory.complaints) complain(complaint)
    let last: Heard | undefined
    for (const heard of memory.heard) {
      if (heard.what === 'note') continue
      if (isBegin(heard)) {
        if (heard.epoch <= (last?.epoch ?? 0)) complain(`hears of epoch ${heard.epoch} after ${String(last?.epoch)}`)
        // Nothing is heard of an attempt that has failed and will be tried again.
        if (last !== undefined && isBegin(last) && !desk.isRetried(last)) complain(`hears that ${heard.op} begins while ${last.op} runs`)
        last = heard
      } else if (last?.turn === heard.turn) last = { ...heard, epoch: last.epoch }
    }
    for (const order of desk.orders) {
      const heard = memory.heard.filter(({ op }) => op === order.id)
      if (order.what.kind === 'command') {
        if (heard.length !== 1) complain(`command ${order.id} was handled ${heard.length} times`)
        continue
      }
      const turns = [...Map.groupBy(heard, ({ turn }) => turn).values()]
      for (const turn of turns) {
        const course = turn.map((entry) => letterOf(entry)).join('')
        if (!COURSE.test(course)) complain(`operation ${order.id} took the course ${course}`)
        const end = turn.at(-1)
        count(`end ${end?.what ?? 'none'} ${end?.mode ?? end?.outcome ?? ''}`)
        if (turn !== turns.at(-1) && end?.outcome !== 'failed') complain(`operation ${order.id} was repeated after ${JSON.stringify(end)}`)
      }
      if (order.what.way === 'ask') this.#checkAnswer(order, heard.at(-1), complain)
      const begins = heard.filter(isBegin).map(({ epoch }) => epoch)
      const ran = order.stretches.map(({ driven }) => driven.epoch)
      if (!ran.every((epoch) => begins.includes(epoch))) complain(`operation ${order.id} ran in epochs ${ran.join(', ')}`)
    }
  }

  #checkAnswer(order: Order, end: Heard | undefined, complain: (what: string) => void): void {
    const answer = order.answer as TurnOutcome<unknown>
    const expected = end?.what === 'done' ? 'ok' : end?.what === 'cancelled' ? 'cancelled' : end?.outcome
    if (answer.outcome !== expected) complain(`operation ${order.id} was answered ${JSON.stringify(answer)}, its end is ${JSON.stringify(end)}`)
    if (answer.outcome !== 'ok') return
    const last = order.stretches.at(-1)
    if (JSON.stringify(answer.value) !== JSON.stringify({ by: order.id, epoch: last?.driven.epoch, how: last?.end })) {
      complain(`operation ${order.id} was answered ${JSON.stringify(answer.value)} by another stretch`)
    }
  }

  async #strike(next: Fault): Promise<void> {
    if (process.env['TRACE'] && next.kind !== 'none') console.log('fault', next, this.now)
    switch (next.kind) {
      case 'none':
        return
      case 'crash':
        count('fault crash')
        this.#crash()
        return
      case 'crashThreads':
        count('fault crashThreads')
        this.world.crashThreads()
        for (const desk of this.desks) desk.crash()
        return
      case 'crashThread':
        count('fault crashThread')
        this.world.crashThreadOf(next.shard)
        for (const desk of this.desks) if (this.#shardOf.get(desk.key) === next.shard) desk.crash()
        return
      case 'crashAt':
        this.#countdown = { point: next.point, left: next.commits }
        return
      case 'failShard':
        this.#failing[next.shard] = next.commits
        return
      case 'failCommits':
        count('fault failCommits')
        this.world.disk.failCommits('full')
        await this.world.advance(next.ms)
        this.world.disk.failCommits(undefined)
        return
      case 'close':
        await this.#close()
    }
  }

  async #close(): Promise<void> {
    const { system, life } = this
    if (system === undefined) return
    count('fault close')
    this.system = undefined
    let isClosed = false
    void system.close({ timeoutMs: 5_000 }).then(() => {
      isClosed = true
    })
    for (let round = 0; !isClosed && this.life === life; round += 1) {
      if (round > 10) throw new Violation('the system does not close')
      await this.world.advance(1_000)
    }
    // Whatever still runs runs for nobody.
    if (this.life === life) this.life += 1
    for (const desk of this.desks) {
      desk.crash()
      desk.forgetCalls()
    }
  }

  #crash(): void {
    this.system = undefined
    this.life += 1
    this.world.crash()
    for (const desk of this.desks) {
      desk.crash()
      desk.forgetCalls()
    }
  }

  #throwIfViolated(): void {
    if (this.violations.length > 0) throw new Violation(this.violations.slice(0, 5).join('\n'))
  }

  /** Stands between kernel and store, where the process may die. */
  #watch(store: ShardStore, shard: number): ShardStore {
    const die = (point: 'before' | 'after'): never => {
      count(`fault crash ${point} a commit`)
      this.#countdown = undefined
      this.#crash()
      throw new StoreUnavailable('io', 'the process died here')
    }
    return new Proxy(store, {
      get: (target, name: keyof ShardStore) => {
        if (name !== 'commit') {
          const value = target[name]
          return typeof value === 'function' ? value.bind(target) : value
        }
        return (batch: Parameters<ShardStore['commit']>[0]) => {
          for (const { key } of batch.created) this.#shardOf.set(key, shard)
          const failing = this.#failing[shard] ?? 0
          if (failing > 0) {
            count('fault failShard')
            this.#failing[shard] = failing - 1
            throw new StoreUnavailable('full', 'this disk is full for a while')
          }
          const countdown = this.#countdown
          const isNow = countdown !== undefined && (countdown.left -= 1) <= 0
          if (isNow && countdown.point === 'before') return die('before')
          const report = target.commit(batch)
          return isNow ? die('after') : report
        }
      },
    })
  }
}

stage.begin = async (driven) => {
  const found = directory.get(driven.input.op)
  if (found === undefined) return undefined
  return await found.desk.begin(found.order, driven)
}

/** The stretches of a turn that belong to one line of checkpoints: since it has last begun with none. */
function lineOf({ stretches }: Order): readonly Stretch[] {
  const begin = stretches.findLastIndex(
    ({ driven: { frame, attempt } }, index) => frame === undefined && attempt !== stretches[index - 1]?.driven.attempt,
  )
  return stretches.slice(Math.max(0, begin))
}

function isBegin({ what }: Heard): boolean {
  return what === 'started' || what === 'resumed'
}

function isEnd({ what, mode }: Heard): boolean {
  return what === 'done' || what === 'failed' || (what === 'cancelled' && mode !== 'abort-keep')
}

function isFinished(desk: Desk, memory: Memory | undefined): boolean {
  if (memory === undefined) return false
  const over = new Set(memory.heard.filter((entry) => entry.what === 'note' || isEnd(entry)).map(({ op }) => op))
  return desk.orders.every(({ id }) => over.has(id))
}

function describeDesk(desk: Desk, memory: Memory | undefined): string {
  const orders = desk.orders.map(({ id, what, acceptedCall, isUnderWay }) => `${id} ${JSON.stringify(what)} accepted ${String(acceptedCall)}${isUnderWay ? ' under way' : ''}`)
  const heard = memory?.heard.map(({ what, op, attempt, epoch, mode }) => `${what} ${op} attempt ${attempt} epoch ${epoch} ${mode ?? ''}`)
  return `orders\n  ${orders.join('\n  ')}\nheard\n  ${heard?.join('\n  ') ?? 'nothing'}`
}

function letterOf({ what, mode }: Heard): string {
  if (what === 'cancelled') return mode === 'abort-keep' ? 'k' : 'c'
  return what.slice(0, 1)
}

/**
 * What an actor hears of a turn: s started, p parked, r resumed, k cancelled to be kept, and one end: done, cancelled, failed.
 * One that is tried again after a failure is started again without a word in between.
 */
const COURSE = /^(?:s(?:pr)*p?k|s(?:pr)*(?=s))*(?:s(?:pr)*[dfc]|s(?:pr)*pc|c)$/

const runs = Math.ceil(Number(process.env['BAILIWICK_RUNS'] ?? 10_000) / ACTORS)
const seed = Number(process.env['BAILIWICK_SEED'] ?? 20_261_121)

describe('any interleaving of turns, preemption and faults', () => {
  test('K32 keeps one owner, the order of ranks, growing epochs, frames, and one end for each', { timeout: 900_000 }, async () => {
    const begun = performance.now()
    await fc.assert(
      fc.asyncProperty(story, async (told) => {
        const life = new Life(told.shards, told.schedules.length)
        await life.play(told)
      }),
      { numRuns: runs, seed, ...(process.env['BAILIWICK_PATH'] === undefined ? {} : { path: process.env['BAILIWICK_PATH'] }) },
    )
    console.log(`${runs * ACTORS} interleavings in ${Math.round(performance.now() - begun)} ms, seed ${seed}`, Object.fromEntries([...seen].sort()))
  })
})
