/**
 * The end of a system. It always comes: politely as far as the deadline allows, then by force.
 *
 * 1. No new call is taken; whoever follows an actor hears that it is over.
 * 2. `drain` alone: what waits in mailboxes is handled, until nothing waits or the time for it is over.
 * 3. Turns come to a boundary and are parked; pending calls are answered.
 * 4. Each shard finishes its batch and closes its store.
 * 5. Threads end, and the directory is free.
 *
 * Whatever has not happened at the deadline does not: threads are ended where they stand, and what is on disk is what the next
 * start finds. `now` goes to the last step at once.
 */
import { checkOptionNames } from '../definition/input.ts'
import { InvalidInput, SystemClosed } from '../errors.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { Clock, SystemDirectory, Timer } from '../seams/seams.ts'
import { Gauge } from '../shard/gauges.ts'
import { errorField } from './logger.ts'
import type { Log } from './logger.ts'
import type { ShardClient } from './shard-client.ts'
import type { ThreadSlot } from './threads.ts'

/** How to close a system. */
export interface CloseOptions {
  /**
   * How long to wait for pending calls and for the shards, in milliseconds, before ending them by force. Default 10,000. Of a
   * closing that is under way only a shorter one counts.
   */
  readonly timeoutMs?: number
  /**
   * `polite`: pending calls are answered; what else waits is handled after the next start. `drain`: what waits in mailboxes is
   * handled first. `now`: nothing is waited for. Default `polite`.
   */
  readonly mode?: 'drain' | 'polite' | 'now'
}

/** How a system was closed. */
export interface CloseReport {
  /** `polite`: every pending call was answered, apart from those that wait for a turn, and every shard ended by itself. `forced`: the deadline passed before that. */
  readonly outcome: 'polite' | 'forced'
  /** Calls that got `SystemClosed` instead of an answer. */
  readonly abandonedCalls: number
  /** With `drain` alone: commands that still wait, for the next start. They are of actors that are held back or have postponed them, or there was no time. */
  readonly waiting?: number
}

/** What is closed. */
export interface ClosingParts {
  readonly clock: Clock
  readonly directory: SystemDirectory
  readonly clients: readonly ShardClient[]
  readonly threads: readonly ThreadSlot[]
  readonly log: Log
}

const CLOSE_MS_DEFAULT = 10_000
/** How often it is looked whether anything waits. */
const LOOK_EVERY_MS = 20
/** How long nothing may move before the calls that are pending are taken to wait for turns. */
const QUIET_MS = 100
/** What of the time, and how much of it at most, a drain leaves for closing politely. */
const RESERVED_PART = 0.25
const RESERVED_MS_MAX = 2_000

const OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'mode'])
const MODES: ReadonlySet<unknown> = new Set(['drain', 'polite', 'now'])

/** One closing, from its beginning to its end. */
export class Closing {
  readonly #parts: ClosingParts
  readonly #deadline: Deadline
  readonly #mode: 'drain' | 'polite' | 'now'
  /** Resolves when the system is closed. Never rejects. */
  readonly report: Promise<CloseReport>

  /** Begins. The options have been checked. */
  constructor(parts: ClosingParts, options: CloseOptions) {
    this.#parts = parts
    this.#mode = options.mode ?? 'polite'
    this.#deadline = new Deadline(parts.clock, this.#mode === 'now' ? 0 : (options.timeoutMs ?? CLOSE_MS_DEFAULT))
    this.report = this.#run()
  }

  /** Takes the wish of somebody else who closes: the earlier end counts. */
  hasten({ timeoutMs, mode }: CloseOptions): void {
    if (mode === 'now') this.#deadline.shorten(0)
    else if (timeoutMs !== undefined) this.#deadline.shorten(timeoutMs)
  }

  async #run(): Promise<CloseReport> {
    const { clients, directory, log, threads } = this.#parts
    for (const client of clients) client.endFollows(new SystemClosed(false))
    if (this.#mode === 'drain') await this.#drain()
    const isClosed = this.#mode !== 'now' && (await this.#closePolitely())
    const waiting = this.#waiting
    const ends = await Promise.allSettled(threads.map((thread) => thread.terminate()))
    for (const end of ends) {
      if (end.status === 'rejected') log.error('thread could not be ended', { error: errorField(end.reason) })
      else if (!end.value)
        log.error('thread could not be ended', { reason: 'it is stuck outside of JavaScript; what it writes is refused' })
    }
    const isEnded = ends.every((end) => end.status === 'fulfilled' && end.value)
    this.#deadline.cancel()
    const abandonedCalls = clients.reduce((total, client) => total + client.close(), 0)
    try {
      directory.release()
    } catch (error) {
      log.error('directory could not be given back', { error: errorField(error) })
    }
    return { outcome: isClosed && isEnded ? 'polite' : 'forced', abandonedCalls, ...(this.#mode === 'drain' ? { waiting } : {}) }
  }

  async #closePolitely(): Promise<boolean> {
    const { clients, threads } = this.#parts
    for (const client of clients) client.park()
    const isIdle = await this.#deadline.within(Promise.all(clients.map((client) => client.idle())))
    for (const thread of threads) thread.beginClosing()
    return isIdle && (await this.#deadline.within(this.#closeShards()))
  }

  async #closeShards(): Promise<void> {
    const timeoutMs = Math.max(1, this.#deadline.restMs)
    const subject = { address: this.#parts.directory.directory, command: 'close' }
    await Promise.all(
      // One without a thread has nothing to close.
      this.#parts.clients
        .filter((client) => client.isAttached)
        .map((client) => client.call(subject, { timeoutMs, signal: undefined }, (call) => [ToShard.close, call])),
    )
  }

  /** Waits until nothing waits in a mailbox, or until what is left of the time is needed for closing. */
  async #drain(): Promise<void> {
    const { clients, clock } = this.#parts
    const reservedMs = Math.min(RESERVED_MS_MAX, this.#deadline.restMs * RESERVED_PART)
    let seen = -1
    let quietSince = clock.elapsed()
    while (this.#deadline.restMs > reservedMs) {
      const moved = this.#moved
      if (moved !== seen) {
        seen = moved
        quietSince = clock.elapsed()
      }
      // An answered call is counted. An ask that is not answered may wait for a turn, which is not waited for here; if it has
      // not arrived yet, the counters move soon, and it is waited for below in any case.
      const isIdle = clients.every((client) => client.pendingCalls === 0)
      const isAccepted = clients.every((client) => !client.hasPendingTells)
      const isQuiet = clock.elapsed() - quietSince >= QUIET_MS
      if (this.#waiting === 0 && isAccepted && (isIdle || isQuiet)) return
      await this.#deadline.pause(LOOK_EVERY_MS)
    }
  }

  /** How many commands wait in mailboxes. */
  get #waiting(): number {
    return this.#sum([Gauge.depthUrgent, Gauge.depthHigh, Gauge.depthNormal, Gauge.depthLow])
  }

  /** A number that changes when anything is done. */
  get #moved(): number {
    return this.#sum([Gauge.handled, Gauge.rejected, Gauge.failed, Gauge.batches, Gauge.replayed])
  }

  #sum(gauges: readonly number[]): number {
    const shards = this.#parts.threads.flatMap((thread) => thread.gauges)
    return shards.reduce((total, values) => gauges.reduce((sum, gauge) => sum + (values[gauge] ?? 0), total), 0)
  }
}

/** A moment that may be moved nearer. */
class Deadline {
  readonly #clock: Clock
  #at: number
  #timer: Timer
  readonly #passed = Promise.withResolvers<false>()

  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#at = clock.elapsed() + ms
    this.#timer = clock.setTimer(() => this.#pass(), ms)
  }

  get restMs(): number {
    return Math.max(0, this.#at - this.#clock.elapsed())
  }

  shorten(ms: number): void {
    const at = this.#clock.elapsed() + ms
    if (at >= this.#at) return
    this.#at = at
    this.#timer.cancel()
    this.#timer = this.#clock.setTimer(() => this.#pass(), ms)
  }

  /** Whether something finishes, without error, before the deadline. */
  async within(work: Promise<unknown>): Promise<boolean> {
    const done = work.then(
      () => true,
      () => false,
    )
    return await Promise.race([done, this.#passed.promise])
  }

  /** Waits a little, and not beyond the deadline. */
  async pause(ms: number): Promise<void> {
    const over = Promise.withResolvers<undefined>()
    const timer = this.#clock.setTimer(() => over.resolve(undefined), ms)
    await this.within(over.promise)
    timer.cancel()
  }

  cancel(): void {
    this.#timer.cancel()
  }

  #pass(): void {
    this.#at = Math.min(this.#at, this.#clock.elapsed())
    this.#passed.resolve(false)
  }
}

/** Checks the options of `close`. Throws `InvalidInput`. */
export function checkClose(options: unknown): CloseOptions {
  checkOptionNames('system.close', options, OPTIONS)
  const { timeoutMs, mode } = options as CloseOptions // Its fields are looked at here.
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    throw new InvalidInput('system.close', 'timeoutMs', 'must be a number of milliseconds from 0')
  }
  if (mode !== undefined && !MODES.has(mode)) throw new InvalidInput('system.close', 'mode', 'must be "drain", "polite" or "now"')
  return { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(mode === undefined ? {} : { mode }) }
}
