/**
 * Durable timers of a shard's actors. The store is the truth; in memory there is one alarm for the earliest of them.
 *
 * 1. A wish of a transition becomes a row of the batch, with a generation of its own.
 * 2. When the alarm goes off, timers that are due are read and queued as ticks in their actors' internal queues.
 * 3. Handling a tick deletes the row of that generation in the same batch as the state that it leads to.
 * 4. A cancel, or a new setting, of a timer whose tick is queued makes the tick void: a cancel beats a queued tick.
 *
 * A due timer whose actor cannot be activated, or has a type that this system does not know, is set aside until it can.
 * Actors without a store have their timers in memory.
 */
import type { DueTimer, TimerSet } from '@bailiwick/store'
import type { EventLike, TimerWish } from '../hosting/host.ts'
import type { Timer } from '../seams/seams.ts'
import type { Cell, Internal } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'

const TICKS_READ_MAX = 1_000
const ALARM_MS_MAX = 10_000
const RETRY_MS = 1_000

type Tick = Extract<Internal, { tag: 'tick' }>

/** The timers of one shard. */
export class ShardTimers {
  readonly #core: ShardCore
  readonly #deliver: (type: string, key: string, internal: Internal) => boolean
  readonly #queued = new Map<string, Tick>()
  /** Timers that are due and that nobody here can take, by id and generation: passed over, so that they hold up no other. */
  readonly #stranded = new Map<string, DueTimer>()
  #alarm: Timer | undefined
  #isClosed = false

  /** `deliver` queues a tick for its actor, and answers false if the shard does not know the actor's type. */
  constructor(core: ShardCore, deliver: (type: string, key: string, internal: Internal) => boolean) {
    this.#core = core
    this.#deliver = deliver
  }

  /** Notes what a transition wants. */
  wish(cell: Cell, wish: TimerWish): void {
    if (cell.kind.isDurable) this.#wishDurable(cell, wish)
    else this.#wishVolatile(cell, wish)
  }

  /** Takes a tick that is about to be handled; false if it has become void. */
  take(tick: Tick): boolean {
    const { actor, name, generation } = tick.timer
    if (tick.isCancelled) return false
    this.#queued.delete(timerId(actor, name))
    this.#core.batch.timersCleared.push({ actor, name, generation })
    return true
  }

  /** Forgets ticks of an actor that is dropped; they are read from the store again. */
  forget(cell: Cell): void {
    for (const timer of cell.timers?.values() ?? []) timer.cancel()
    cell.timers = undefined
    for (const [id, tick] of this.#queued) {
      if (!isFor(tick.timer, cell)) continue
      tick.isCancelled = true
      this.#queued.delete(id)
    }
  }

  /** Sets ticks of an actor aside that cannot be activated: they are due again as soon as it can. */
  strand(cell: Cell): void {
    for (const { timer } of this.#queued.values()) if (isFor(timer, cell)) this.#strand(timer)
    this.forget(cell)
    this.arm()
  }

  /** Takes ticks of an actor up again that has been activated. */
  revive(cell: Cell): void {
    if (this.#stranded.size === 0) return
    for (const [id, timer] of this.#stranded) {
      if (!isFor(timer, cell)) continue
      this.#stranded.delete(id)
      this.#core.count(Gauge.stranded, -1)
    }
    this.arm()
  }

  /** Sets the alarm for the earliest timer, unless ticks are still queued: then the batch that handles them asks again. */
  arm(): void {
    if (this.#queued.size === 0) this.#attempt(this.#setAlarm())
  }

  /** Stops the alarm. */
  close(): void {
    this.#isClosed = true
    this.#alarm?.cancel()
  }

  async #setAlarm(): Promise<void> {
    const dueAt = await this.#nextDueAt()
    if (dueAt === undefined) this.#alarm?.cancel()
    // Timers are due by the wall clock, which may jump; looking again now and then notices.
    else this.#ringIn(Math.min(ALARM_MS_MAX, Math.max(0, dueAt - this.#core.clock.wall())))
  }

  async #nextDueAt(): Promise<number | undefined> {
    const { store } = this.#core
    if (this.#stranded.size === 0) return await store.nextDueAt()
    const timers = await store.dueTimers(Number.MAX_SAFE_INTEGER, this.#stranded.size + 1)
    return timers.find((timer) => !this.#stranded.has(settingId(timer)))?.dueAt
  }

  #ringIn(delayMs: number): void {
    this.#alarm?.cancel()
    if (this.#isClosed) return
    this.#alarm = this.#core.clock.setTimer(() => this.#attempt(this.#readDue()), delayMs)
  }

  async #readDue(): Promise<void> {
    for (const timer of await this.#core.store.dueTimers(this.#core.clock.wall(), TICKS_READ_MAX + this.#stranded.size)) {
      this.#queue(timer)
    }
    this.arm()
  }

  /** A store that cannot be read now is asked again a little later. */
  #attempt(reading: Promise<void>): void {
    reading.catch(() => this.#ringIn(RETRY_MS))
  }

  #queue(timer: DueTimer): void {
    if (this.#isClosed) return
    const id = timerId(timer.actor, timer.name)
    if (this.#queued.has(id) || this.#stranded.has(settingId(timer))) return
    const tick: Tick = { tag: 'tick', timer, isCancelled: false }
    if (this.#deliver(timer.type, timer.key, tick)) this.#queued.set(id, tick)
    else this.#strand(timer)
  }

  #strand(timer: DueTimer): void {
    this.#stranded.set(settingId(timer), timer)
    this.#core.count(Gauge.stranded)
  }

  #wishDurable(cell: Cell, wish: TimerWish): void {
    const core = this.#core
    const actor = core.numberOf(cell)
    core.markDirty(cell)
    if (wish.kind === 'cancel') {
      this.#void(actor, wish.name)
      core.batch.timers.set(timerId(actor, wish.name), { actor, name: wish.name, set: undefined })
      return
    }
    const generation = core.nextTimerGeneration
    core.nextTimerGeneration += 1
    const name = wish.name ?? `~${generation}`
    const dueAt = core.clock.wall() + Math.max(0, wish.delayMs)
    const set: TimerSet = { actor, name, generation, dueAt, event: JSON.stringify(wish.event) }
    this.#void(actor, name)
    core.batch.timers.set(timerId(actor, name), { actor, name, set })
  }

  #void(actor: number, name: string): void {
    const queued = this.#queued.get(timerId(actor, name))
    if (queued === undefined) return
    queued.isCancelled = true
    this.#queued.delete(timerId(actor, name))
  }

  #wishVolatile(cell: Cell, wish: TimerWish): void {
    cell.timers ??= new Map<string, Timer>()
    const { timers } = cell
    this.#core.nextTimerGeneration += 1
    const name = wish.name ?? `~${this.#core.nextTimerGeneration}`
    timers.get(name)?.cancel()
    timers.delete(name)
    if (wish.kind === 'cancel') return
    const { event } = wish
    timers.set(
      name,
      this.#core.clock.setTimer(() => this.#fireVolatile(cell, name, event), Math.max(0, wish.delayMs)),
    )
  }

  #fireVolatile(cell: Cell, name: string, event: EventLike): void {
    cell.timers?.delete(name)
    this.#deliver(cell.kind.definition.type, cell.key, { tag: 'event', event })
  }
}

function timerId(actor: number, name: string): string {
  return `${actor}/${name}`
}

function settingId({ actor, name, generation }: DueTimer): string {
  return `${actor}/${generation}/${name}`
}

function isFor({ type, key }: DueTimer, cell: Cell): boolean {
  return key === cell.key && type === cell.kind.definition.type
}
