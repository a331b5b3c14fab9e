/**
 * A "thread" in the calling thread: the same shards, transports of plain arrays, on the seams of whoever assembles it.
 * For tests and simulation; a program gets worker threads.
 */
import { ShardCrashed } from '../errors.ts'
import { openShards } from '../shard/assembly.ts'
import { GAUGE_COUNT } from '../shard/gauges.ts'
import type { ServedShard } from '../shard/assembly.ts'
import type { Children, Clock, Random, Scheduler, ShardThread, Stores, ThreadEnd, ThreadPlan, Transport, TurnPlaces } from './seams.ts'

/** What the inline thread runs on. */
export interface InlineSeams {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stores: Pick<Stores, 'openShard'>
  readonly random: Random
  readonly turnPlaces: TurnPlaces
  readonly children: Children
  readonly report?: (error: unknown) => void
  /** Makes the two ends between the caller and a shard: the caller's first. Default: texts arrive one event later, in order. */
  readonly connect?: (shard: number) => readonly [Transport, Transport]
}

/** An inline thread, which can also be made to crash. */
export interface InlineThread extends ShardThread {
  /**
   * Ends the thread as a crash would: nothing that is not committed survives. Called from within a transition, that is what
   * the thread was serving. It counts as `failed` unless something else is said.
   */
  crash(reason: string, how?: ThreadEnd['how']): void
  /** Positions of its shards. */
  readonly serves: readonly number[]
}

/** Starts the shards of a plan in the calling thread. */
export function startInlineThread(plan: ThreadPlan, seams: InlineSeams): InlineThread {
  const pairs = plan.shards.map(({ index }) => seams.connect?.(index) ?? transportPair(seams.scheduler))
  const gauges = plan.shards.map(() => new Float64Array(GAUGE_COUNT))
  const { promise: ended, resolve: end } = Promise.withResolvers<ThreadEnd | undefined>()
  let isEnded = false
  /** What a thread counts last is what it has counted when it dies: the code that crashed it goes on here, as it would not there. */
  let last: readonly Float64Array[] | undefined
  let shards: readonly ServedShard[] = []
  const places = plan.shards.map((location, index) => ({
    location,
    transport: pairs[index]?.[1] ?? fail(),
    gauges: gauges[index] ?? fail(),
  }))
  const opening = openShards(places, { ...plan, ...seams, report: seams.report ?? (() => undefined) }).then((opened) => {
    shards = opened
    if (isEnded) for (const shard of shards) shard.kill()
  })
  // One that is ended while it starts may never hear from its store again.
  const endedEarly = ended.then(() => {
    throw new ShardCrashed('it was ended while it started')
  })
  const ready = Promise.race([opening, endedEarly])
  ready.catch(() => undefined)
  const stop = (how: ThreadEnd | undefined): void => {
    if (isEnded) return
    isEnded = true
    last = gauges.map((values) => values.slice())
    for (const shard of shards) shard.kill()
    for (const [caller] of pairs) caller.close()
    end(how)
  }
  return {
    transports: pairs.map(([caller]) => caller),
    get gauges() {
      return last ?? gauges
    },
    ready,
    ended,
    loading: undefined,
    // It shares the caller's event loop: it never stands still alone.
    beat: () => undefined,
    terminate: async () => {
      stop(undefined)
      await ended
    },
    serves: plan.shards.map(({ index }) => index),
    crash: (reason, how = 'failed') => stop({ how, error: new Error(reason) }),
  }
}

function fail(): never {
  throw new Error('A shard of the plan has no place.')
}

/** Two connected ends. Texts arrive one event later, in order. */
function transportPair(scheduler: Scheduler): readonly [Transport, Transport] {
  const caller = new InlineEnd(scheduler)
  const shard = new InlineEnd(scheduler)
  caller.connect(shard)
  shard.connect(caller)
  return [caller, shard]
}

class InlineEnd implements Transport {
  readonly #scheduler: Scheduler
  readonly #arrived: string[] = []
  readonly #urgent: string[] = []
  #other: InlineEnd | undefined
  #listener: ((text: string) => void) | undefined
  #isScheduled = false
  #isClosed = false

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  connect(other: InlineEnd): void {
    this.#other = other
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  send(text: string, isUrgent = false): void {
    this.#other?.arrive(text, isUrgent)
  }

  poll(): string | undefined {
    return this.#arrived.shift()
  }

  pollUrgent(): string | undefined {
    return this.#urgent.shift()
  }

  onText(listener: (text: string) => void): void {
    this.#listener = listener
    this.#schedule()
  }

  close(): void {
    this.#isClosed = true
    const other = this.#other
    this.#other = undefined
    other?.close()
  }

  arrive(text: string, isUrgent: boolean): void {
    if (this.#isClosed) return
    if (isUrgent) this.#urgent.push(text)
    else this.#arrived.push(text)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed || this.#listener === undefined || this.#arrived.length + this.#urgent.length === 0) return
    this.#isScheduled = true
    this.#scheduler.soon(() => {
      this.#isScheduled = false
      const text = this.#isClosed ? undefined : (this.#urgent.shift() ?? this.#arrived.shift())
      if (text !== undefined) this.#listener?.(text)
      this.#schedule()
    })
  }
}
