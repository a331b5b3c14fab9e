/**
 * Leases as programs hold them: the right to act for something that an actor names, for a while, with a fencing token.
 *
 * The holder's own view always ends before the shard's: it counts from before its request left, and subtracts a margin. So
 * a holder that looks at `isHeld` stops in time, and one that was paused and does not look is refused by its epoch.
 */
import { checkMs, checkName, checkOptionNames, checkSignal } from '../definition/input.ts'
import { InvalidInput, StaleEpoch } from '../errors.ts'
import type { Control, LeaseAnswer } from '../protocol/control.ts'
import type { Clock, Timer } from '../seams/seams.ts'

/** How to get a lease. */
export interface AcquireOptions {
  /** Who is to hold it: a name of your own, different for each who might want it. Whoever holds it already renews it. */
  readonly owner: string
  /** How long it lasts without being renewed, in milliseconds. Default 30,000. */
  readonly ttlMs?: number
  /** How long to wait for it in line, in milliseconds. Default 0: not at all. */
  readonly waitMs?: number
  /** `auto` renews it three times in its duration, until it is released or lost. Default `manual`. */
  readonly renewal?: 'auto' | 'manual'
  readonly signal?: AbortSignal
}

/** What is known of a lease. */
export interface LeaseState {
  /** Fencing token of the last grant; 0 if there was none. */
  readonly epoch: number
  /** Who holds it; undefined if nobody does. */
  readonly owner?: string
  /** Wall time of the shard at which it ends unless it is renewed, in milliseconds since 1970. */
  readonly expiresAt?: number
  /** How many wait for it. */
  readonly waiting: number
}

/** What leases need of their ref. */
export interface LeaseParts {
  readonly name: string
  readonly operation: string
  readonly clock: Clock
  readonly control: (control: Control, options: { readonly timeoutMs?: number; readonly signal?: AbortSignal }) => Promise<unknown>
}

const TTL_MS = 30_000
/** Part of the duration that the holder does not count on, for clocks that do not run alike. */
const MARGIN = 0.05
const ANSWER_MS = 30_000
const NAME_MAX = 200
const ACQUIRE_OPTIONS: ReadonlySet<string> = new Set(['owner', 'ttlMs', 'waitMs', 'renewal', 'signal'])
const FORCE_OPTIONS: ReadonlySet<string> = new Set(['reason'])
const RENEWALS: ReadonlySet<string> = new Set(['auto', 'manual'])

/** Checks the name of a lease. Throws `InvalidInput`. */
export function checkLeaseName(operation: string, name: unknown): string {
  const text = checkName(operation, 'name', name)
  if (text.length <= NAME_MAX && !text.startsWith('~')) return text
  throw new InvalidInput(operation, 'name', `must have at most ${NAME_MAX} characters and not begin with "~"`)
}

/** A lease of an actor, held or not. */
export class LeaseRef {
  readonly name: string
  readonly #parts: LeaseParts

  constructor(parts: LeaseParts) {
    this.name = parts.name
    this.#parts = parts
  }

  /**
   * Gets the lease, or `undefined` if somebody else holds it and `waitMs` was not enough. Those who wait get it in order,
   * with no moment in between at which anybody else could. Rejects like an ask; a caller that leaves loses its place.
   */
  async acquire(options: AcquireOptions): Promise<Lease | undefined> {
    const { name, operation, clock, control } = this.#parts
    checkOptionNames(operation, options, ACQUIRE_OPTIONS)
    const owner = checkName(operation, 'owner', options.owner)
    const ttlMs = checkMs(operation, 'ttlMs', options.ttlMs ?? TTL_MS, 1)
    const waitMs = checkMs(operation, 'waitMs', options.waitMs ?? 0, 0)
    const { signal, renewal = 'manual' } = options
    if (!RENEWALS.has(renewal)) throw new InvalidInput(operation, 'renewal', 'must be "auto" or "manual"')
    checkSignal(operation, signal)
    const limits = { timeoutMs: waitMs + ANSWER_MS, ...(signal === undefined ? {} : { signal }) }
    const askedAt = clock.elapsed()
    const answer = (await control({ kind: 'acquire', name, owner, ttlMs, waitMs }, limits)) as LeaseAnswer // Written by the shard.
    if (!answer.isGranted) return undefined
    const lease = new Lease(this.#parts, { owner, epoch: answer.epoch, ttlMs, isAuto: renewal === 'auto' })
    // One that was waited for may have been granted at any moment up to now; how long ago, only renewing it tells.
    if (waitMs === 0) lease.extend(askedAt)
    else await lease.confirm()
    return lease
  }

  /** Takes the lease from whoever holds it; the machine hears the reason. False if nobody does. What the holder still writes in its name is refused. */
  async forceRelease(options: { readonly reason?: string } = {}): Promise<boolean> {
    const { name, control, operation } = this.#parts
    checkOptionNames(operation, options, FORCE_OPTIONS)
    const { reason } = options
    if (reason !== undefined) checkName(operation, 'reason', reason)
    return (await control({ kind: 'force-release', name, ...(reason === undefined ? {} : { reason }) }, {})) === true
  }

  /** Who holds it, and how many wait. */
  async state(): Promise<LeaseState> {
    return (await this.#parts.control({ kind: 'read-lease', name: this.name }, {})) as LeaseState // Written by the shard.
  }
}

/** A lease that was got. Give it as `lease` to commands that may only count while it is held. */
export class Lease {
  readonly name: string
  readonly owner: string
  /** The fencing token. */
  readonly epoch: number
  /** How long it lasts from each renewal, in milliseconds. */
  readonly ttlMs: number
  readonly #parts: LeaseParts
  readonly #lost = new AbortController()
  readonly #isAuto: boolean
  #validUntil = 0
  #timers: Timer[] = []

  constructor(
    parts: LeaseParts,
    held: { readonly owner: string; readonly epoch: number; readonly ttlMs: number; readonly isAuto: boolean },
  ) {
    this.name = parts.name
    this.#parts = parts
    this.owner = held.owner
    this.epoch = held.epoch
    this.ttlMs = held.ttlMs
    this.#isAuto = held.isAuto
  }

  /** Whether it is certainly held now. Costs no message. False a little before the shard ends it. */
  get isHeld(): boolean {
    return !this.#lost.signal.aborted && this.#parts.clock.elapsed() < this.#validUntil
  }

  /** Fires when it is no longer certain that it is held: released, lost, or not renewed in time. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** Lets it last for its whole duration from now on. Rejects with `StaleEpoch` if it is lost; then it stays lost. */
  async renew(): Promise<void> {
    const { clock, control, name } = this.#parts
    // Its holder has been told that it is lost, and stays told.
    this.#requireKept()
    const askedAt = clock.elapsed()
    try {
      await control({ kind: 'renew', name, owner: this.owner, epoch: this.epoch, ttlMs: this.ttlMs }, {})
    } catch (error) {
      if (isStale(error)) this.#end(error)
      throw error
    }
    // The answer came too late. It is not given back: another lease of the same owner may count on it; its time ends it.
    this.#requireKept()
    this.extend(askedAt)
  }

  /** Gives it back. False if it was lost before, which is no error: somebody else may hold it by now. */
  async release(): Promise<boolean> {
    this.#end(new Error('It was released.'))
    return await this.#giveBack()
  }

  /**
   * Gives it to somebody else, before those who wait, and does not hold it from then on, also if this fails. Resolves with the
   * new epoch. Rejects with `StaleEpoch` if it is lost.
   */
  async handOver(to: string, ttlMs: number = this.ttlMs): Promise<number> {
    const { control, name, operation } = this.#parts
    checkName(operation, 'to', to)
    checkMs(operation, 'ttlMs', ttlMs, 1)
    this.#requireKept()
    // From the moment in which it is asked for it may be somebody else's, whatever becomes of the answer.
    this.#end(new Error('It was handed over.'))
    return Number(await control({ kind: 'hand-over', name, owner: this.owner, epoch: this.epoch, to, ttlMs }, {}))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** Renews it for the first time. Where that fails it is not given back: another lease of the same owner may count on it. For the kernel. */
  async confirm(): Promise<void> {
    try {
      await this.renew()
    } catch (error) {
      this.#end(error)
      throw error
    }
  }

  /** Counts on it from the moment before the request left. For the kernel. */
  extend(askedAt: number): void {
    const { clock } = this.#parts
    this.#stopTimers()
    const lastsMs = this.ttlMs * (1 - MARGIN)
    this.#validUntil = askedAt + lastsMs
    const leftMs = this.#validUntil - clock.elapsed()
    this.#timers.push(clock.setTimer(() => this.#end(new Error('It was not renewed in time.')), Math.max(0, leftMs)))
    if (this.#isAuto) this.#timers.push(clock.setTimer(() => this.#renewAgain(), Math.max(0, leftMs / 3)))
  }

  #requireKept(): void {
    if (this.#lost.signal.aborted) throw new StaleEpoch(this.#parts.operation, this.epoch, this.epoch)
  }

  async #giveBack(): Promise<boolean> {
    const { control, name } = this.#parts
    return (await control({ kind: 'release', name, owner: this.owner, epoch: this.epoch }, {})) === true
  }

  #renewAgain(): void {
    // A renewal that fails for another reason than being too late is tried again until the time is over.
    this.renew().catch(() => {
      if (this.#lost.signal.aborted) return
      this.#timers.push(this.#parts.clock.setTimer(() => this.#renewAgain(), this.ttlMs / 10))
    })
  }

  #end(reason: unknown): void {
    this.#stopTimers()
    if (!this.#lost.signal.aborted) this.#lost.abort(reason)
  }

  #stopTimers(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers = []
  }
}

function isStale(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'STALE_EPOCH'
}
