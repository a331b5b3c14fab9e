/**
 * The shard threads of a system: started together, replaced when one dies, ended together.
 *
 * ```
 *  starting ──▶ running ── dies, or hangs ──▶ waiting ── after the wait ──▶ starting
 *     └── cannot start ────────────────────────▶ │
 *                                                └── too many deaths within the window ──▶ abandoned
 * ```
 *
 * The next thread is started only after the last one has ended: a shard never has two. Calls that a thread had get
 * `ShardCrashed` when it dies; calls made meanwhile wait for the next. A thread that dies too often is given up: the calls
 * of its shards then get `ShardCrashed` for good, while other threads go on.
 */
import { StoreUnavailable } from '@bailiwick/store'
import { waitAfter } from '../definition/backoff.ts'
import { withinWindow } from '../definition/supervision.ts'
import type { ThreadSupervision } from '../definition/supervision.ts'
import { asError, DefinitionNotLoaded, messageOf, ShardCrashed } from '../errors.ts'
import type { LoadedModule, Seams, ShardThread, ThreadEnd, ThreadPlan, Timer } from '../seams/seams.ts'
import type { ShardClient } from './shard-client.ts'
import { ThreadGauges } from './thread-gauges.ts'
import { servingOf, ThreadGuilt } from './thread-guilt.ts'
import type { Serving } from './thread-guilt.ts'
import { beatMsOf, ThreadWatch } from './thread-watch.ts'

/** What happens to a thread. */
export interface ThreadEvent {
  /** `died` and `hung`: it is gone. `restarted`: another one serves. `abandoned`: no other will. */
  readonly kind: 'thread.died' | 'thread.hung' | 'thread.restarted' | 'thread.abandoned'
  /** Positions of its shards. */
  readonly shards: readonly number[]
  /** What callers got, unless it is about a thread that serves. */
  readonly error: Error | undefined
  /** What it was serving when it died, if anything. */
  readonly serving: string | undefined
}

/** How a slot is. While it is `waiting` or `abandoned`, and while the next thread is `starting`, its `fault` says why. */
export type ThreadState = 'starting' | 'running' | 'waiting' | 'abandoned' | 'closed'

/** What a slot is made of. */
export interface SlotParts {
  readonly seams: Pick<Seams, 'clock' | 'startThread' | 'random'>
  /** What every thread of the slot is given. */
  readonly plan: Omit<ThreadPlan, 'poison' | 'accused' | 'isCareful' | 'beatMs'>
  /** Of its shards, in the order of the plan. */
  readonly clients: readonly ShardClient[]
  readonly supervision: ThreadSupervision
  readonly onEvent: (event: ThreadEvent) => void
}

/** How long a thread may take to end. Only what is stuck outside of JavaScript takes longer, for as long as it likes. */
const END_MS = 3_000

/** One thread with the clients of its shards, and whoever serves them next. */
export class ThreadSlot {
  readonly #parts: SlotParts
  readonly #shards: readonly number[]
  readonly #guilt = new ThreadGuilt()
  readonly #gauges: ThreadGauges
  /** The latest thread; its counters are live until it has ended. */
  #thread: ShardThread
  #isLive = true
  #watch: ThreadWatch | undefined
  #state: ThreadState = 'starting'
  #fault: ShardCrashed | undefined
  #deaths: readonly number[] = []
  #restart: Timer | undefined

  /** Starts the first thread. */
  constructor(parts: SlotParts) {
    this.#parts = parts
    this.#shards = parts.plan.shards.map(({ index }) => index)
    this.#gauges = new ThreadGauges(this.#shards.length)
    this.#thread = this.#start()
  }

  /** Counters of each shard, in the order of the plan, over all threads that have served it. */
  get gauges(): readonly Float64Array[] {
    return this.#gauges.read(this.#isLive ? this.#thread.gauges : undefined)
  }

  get state(): ThreadState {
    return this.#state
  }

  /** What the last thread died of; undefined while one serves. */
  get fault(): ShardCrashed | undefined {
    return this.#fault
  }

  /**
   * Resolves once the first thread serves; rejects with the reason why it could not start: what it said, or
   * `DefinitionNotLoaded` if it ended, or took too long, while it loaded a module, else `ShardCrashed`.
   */
  async started(): Promise<void> {
    const failure = await this.#untilReady(this.#thread)
    if (failure !== undefined) throw failure.error
    this.#serve(this.#thread)
  }

  /** Replaces no thread any more, and accuses none. */
  beginClosing(): void {
    this.#state = 'closed'
    this.#restart?.cancel()
    this.#watch?.stop()
  }

  /** Ends the thread at once. Answers whether it has ended: what is stuck outside of JavaScript cannot be ended, and is left behind. */
  async terminate(): Promise<boolean> {
    this.beginClosing()
    return await this.#end(this.#thread)
  }

  /** Ends a thread, and waits for that only so long. The epoch of its shards keeps one that is left behind from writing. */
  async #end(thread: ShardThread): Promise<boolean> {
    const { clock } = this.#parts.seams
    return await new Promise((resolve, reject) => {
      const timer = clock.setTimer(() => resolve(false), END_MS)
      thread.terminate().then(
        () => {
          timer.cancel()
          resolve(true)
        },
        (error: unknown) => {
          timer.cancel()
          reject(asError(error))
        },
      )
    })
  }

  #start(): ShardThread {
    const { plan, seams, supervision } = this.#parts
    const { accused, isCareful, poison } = this.#guilt
    return seams.startThread({ ...plan, poison, accused, isCareful, beatMs: beatMsOf(supervision) })
  }

  /** Watches a thread from its start on. Answers why it did not start, if it did not, or not in time. Never rejects. */
  async #untilReady(thread: ShardThread): Promise<StartFailure | undefined> {
    const { seams, supervision } = this.#parts
    return await new Promise((resolve) => {
      const watch = new ThreadWatch({
        clock: seams.clock,
        thread,
        supervision,
        onOverdue: () => resolve({ error: overdueError(supervision.startMs, thread.loading), isOverdue: true }),
        onHung: () => void this.#endHung(thread),
      })
      this.#watch = watch
      const failed = (error: unknown): void => {
        watch.stop()
        resolve({ error: asError(error), isOverdue: false })
      }
      thread.ready.then(() => {
        watch.started()
        resolve(undefined)
      }, failed)
    })
  }

  #serve(thread: ShardThread): void {
    if (this.#state === 'closed') return
    const isFirst = this.#fault === undefined
    this.#state = 'running'
    this.#fault = undefined
    for (const [index, client] of this.#parts.clients.entries()) {
      const transport = thread.transports[index]
      if (transport !== undefined) client.attach(transport)
    }
    if (!isFirst) this.#tell('thread.restarted')
    void thread.ended.then((end) => {
      // One that hung has been accused already, and was ended by us.
      if (this.#state !== 'running') return
      this.#replace(this.#accuse(end ?? { how: 'failed', error: new Error('it was ended') }))
    })
  }

  async #endHung(thread: ShardThread): Promise<void> {
    // Whoever waits for it need not wait for its end, which takes as long as what it does cannot be interrupted.
    const error = this.#accuse({ how: 'hung', error: new Error(`it hung for ${this.#parts.supervision.hangMs} ms`) })
    const isEnded = await this.#end(thread)
    this.#replace(isEnded ? error : new ShardCrashed(`${error.reason}, and could not be ended`, false, { cause: error }))
  }

  /** Finds out what the thread was doing, and tells everybody. Answers what they were told. */
  #accuse({ how, error }: ThreadEnd): ShardCrashed {
    const serving = servingOf(this.#shards, this.#thread.gauges)
    const name = serving === undefined ? undefined : this.#nameOf(serving)
    const what = error instanceof ShardCrashed ? error.reason : error.message
    const reason = name === undefined ? what : `${what} while it served ${name}`
    const crash = new ShardCrashed(reason, false, { cause: error })
    this.#watch?.stop()
    this.#state = 'waiting'
    this.#fault = crash
    const subject = serving === undefined || serving.call === 0 ? undefined : this.#parts.clients[serving.index]?.subjectOf(serving.call)
    this.#guilt.accuse(serving, how, reason, subject)
    for (const client of this.#parts.clients) client.detach(crash)
    this.#tell(how === 'hung' ? 'thread.hung' : 'thread.died', crash, name)
    return crash
  }

  #nameOf({ call, generation, index, kind, sequence }: Serving): string {
    const described = call === 0 ? undefined : this.#parts.clients[index]?.describe(call)
    if (described !== undefined) return described
    if (sequence > 0) return `${kind} ${sequence}`
    if (generation > 0) return `timer ${generation}`
    return call > 0 ? 'a command whose caller waits no more' : 'a message that was not stored yet'
  }

  /** Its thread has ended: starts the next after a wait, unless there have been too many. */
  #replace(error: ShardCrashed, isPassing = false): void {
    this.#gauges.retire(this.#thread.gauges)
    this.#isLive = false
    this.#wait(error, isPassing)
  }

  #wait(error: ShardCrashed, isPassing: boolean): void {
    // Somebody has closed it while the thread was being ended.
    if (this.#state === 'closed') return
    const { clients, seams, supervision } = this.#parts
    const now = seams.clock.elapsed()
    // Nothing of the shards is to blame for what the disk or the process lacks.
    if (!isPassing) this.#deaths = withinWindow([...this.#deaths, now], supervision.withinMs, now)
    if (this.#deaths.length > supervision.maxRestarts) {
      this.#state = 'abandoned'
      this.#fault = new ShardCrashed(error.reason, true, { cause: error })
      for (const client of clients) client.fail(this.#fault)
      this.#tell('thread.abandoned', this.#fault)
      return
    }
    this.#state = 'waiting'
    this.#fault = error
    const waitMs = isPassing ? supervision.backoff.maxMs : waitAfter(supervision.backoff, this.#deaths.length, seams.random?.() ?? 0.5)
    // Somebody may wait for nothing but the next thread.
    this.#restart = seams.clock.setTimer(() => void this.#startAgain(), waitMs, true)
  }

  async #startAgain(): Promise<void> {
    this.#state = 'starting'
    try {
      this.#thread = this.#start()
    } catch (error) {
      const crash = new ShardCrashed(messageOf(error), false, { cause: error })
      this.#tell('thread.died', crash)
      this.#wait(crash, isPassing(asError(error)))
      return
    }
    this.#isLive = true
    const thread = this.#thread
    const failure = await this.#untilReady(thread)
    if (failure !== undefined) {
      await this.#endFailedStart(thread, failure)
      return
    }
    this.#serve(thread)
  }

  async #endFailedStart(thread: ShardThread, { error, isOverdue }: StartFailure): Promise<void> {
    const isEnded = await this.#end(thread)
    if (this.#state === 'closed') return
    const end = isEnded ? await thread.ended : undefined
    this.#replace(this.#accuse({ how: isOverdue ? 'hung' : (end?.how ?? 'failed'), error }), !isOverdue && isPassing(error))
  }

  #tell(kind: ThreadEvent['kind'], error?: ShardCrashed, serving?: string): void {
    this.#parts.onEvent({ kind, shards: this.#shards, error, serving })
  }
}

/** Why a thread does not serve. */
interface StartFailure {
  readonly error: Error
  /** It has not said why: it took too long. */
  readonly isOverdue: boolean
}

function overdueError(startMs: number, loading: LoadedModule | undefined): Error {
  if (loading === undefined) return new ShardCrashed(`it did not start within ${startMs} ms`)
  return new DefinitionNotLoaded(
    loading.type,
    loading.module,
    `it was still being loaded after ${startMs} ms; perhaps its top-level await never ends`,
  )
}

/** Whether a thread could not start for lack of something that may come back: its store, or room in a table of the process. */
function isPassing(error: Error): boolean {
  return error instanceof StoreUnavailable || /\b(EMFILE|ENFILE|EAGAIN)\b|too many open files/.test(error.message)
}
