/**
 * Durable timers of a shard's actors, among them those that end open calls. The store is the truth; in memory there is one alarm for the earliest of them.
 *
 * 1. A wish of a transition becomes a row of the batch, with a generation of its own.
 * 2. When the alarm goes off, timers that are due are read and queued as ticks in their actors' internal queues.
 * 3. Handling a tick deletes the row of that generation in the same batch as the state that it leads to; a periodic timer
 *    gets its next moment there, so that a tick and its successor are never both lost or both doubled.
 * 4. A cancel, or a new setting, of a timer whose tick is queued makes the tick void: a cancel beats a queued tick.
 *
 * A due timer whose actor cannot be activated, or has a type that this system does not know, is set aside until it can.
 * Actors without a store have their timers in memory.
 */
import type { DueTimer, TimerSet } from '@bailiwick/store'
import type { EventLike, TimerWish } from '../hosting/host.ts'
import type { Timer } from '../seams/seams.ts'
import { Alarm } from './alarm.ts'
import type { Cell, Internal } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { TimersPart } from './parts.ts'
import { Gauge } from './gauges.ts'
import { tap } from './tap.ts'

const TICKS_READ_MAX = 1_000

type Tick = Extract<Internal, { tag: 'tick' }>
type VolatileTick = Extract<Internal, { tag: 'ring' }>

/** The timers of one shard. */
export class ShardTimers implements TimersPart {
  readonly #core: ShardCore
  readonly #alarm: Alarm
  readonly #queued = new Map<string, Tick>()
  /** Timers that are due and that nobody here can take, by id and generation: passed over, so that they hold up no other. */
  readonly #stranded = new Map<string, DueTimer>()

  constructor(core: ShardCore) {
    this.#core = core
    this.#alarm = new Alarm(core.clock, { nextAt: () => this.#nextDueAt(), ring: () => this.#readDue() })
  }

  /** Notes what a transition wants. */
  wish(cell: Cell, wish: TimerWish): void {
    if (cell.kind.isDurable) this.#wishDurable(cell, wish)
    else this.#wishVolatile(cell, wish)
  }

  /** Takes a tick that is about to be handled; false if it has become void. */
  take(tick: Tick): boolean {
    const { timer } = tick
    const { actor, name, generation, everyMs } = timer
    if (tick.isCancelled) return false
    this.#queued.delete(timerId(actor, name))
    if (everyMs === 0) this.#core.batch.timersCleared.push({ actor, name, generation })
    else this.#set({ ...timer, generation: this.#takeGeneration(), dueAt: nextTickAt(timer, this.#core.clock.wall()) })
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
    if (this.#queued.size === 0) this.#alarm.arm()
  }

  /** Stops the alarm. */
  close(): void {
    this.#alarm.close()
  }

  async #nextDueAt(): Promise<number | undefined> {
    const { store } = this.#core
    if (this.#stranded.size === 0) return await store.nextDueAt()
    const timers = await store.dueTimers(Number.MAX_SAFE_INTEGER, this.#stranded.size + 1)
    return timers.find((timer) => !this.#stranded.has(settingId(timer)))?.dueAt
  }

  async #readDue(): Promise<void> {
    const core = this.#core
    const limit = TICKS_READ_MAX + this.#stranded.size
    for (const timer of await core.readSteady(() => core.store.dueTimers(core.clock.wall(), limit))) this.#queue(timer)
    this.arm()
  }

  #queue(timer: DueTimer): void {
    const core = this.#core
    const id = timerId(timer.actor, timer.name)
    if (this.#queued.has(id) || this.#stranded.has(settingId(timer))) return
    // What a batch that is not in the store yet has cancelled or set anew must not come back.
    if (core.batch.timers.has(id) || core.committing?.timers.has(id) === true) return
    const kind = core.kindOf(timer.type)
    // One that is held back gets it when it is released.
    if (kind === undefined || (core.supervisor.held > 0 && core.supervisor.heldOf(kind, timer.key) !== undefined)) {
      this.#strand(timer)
      return
    }
    const tick: Tick = { tag: 'tick', timer, isCancelled: false }
    this.#queued.set(id, tick)
    this.#deliver(core.cellOf(kind, timer.key), tick)
  }

  #deliver(cell: Cell, internal: Internal): void {
    cell.pushInternal(internal)
    this.#core.ready.add(cell)
    this.#core.wake()
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
      if (!wish.name.startsWith('~')) tap(core, { kind: 'timer.cancelled', actor: cell.address, name: wish.name })
      core.batch.timers.set(timerId(actor, wish.name), { actor, name: wish.name, set: undefined })
      return
    }
    const generation = this.#takeGeneration()
    const delayMs = Math.max(0, Math.ceil(wish.delayMs))
    const name = wish.name ?? `~${generation}`
    const dueAt = wish.at ?? core.clock.wall() + delayMs
    // Those of the kernel itself are nobody's business.
    if (!name.startsWith('~')) tap(core, { kind: 'timer.set', actor: cell.address, name, dueAt })
    this.#set({
      actor,
      name,
      generation,
      dueAt,
      event: JSON.stringify(wish.event),
      delayMs,
      everyMs: wish.everyMs ?? 0,
      onRestart: wish.onRestart ?? cell.kind.definition.timers,
    })
  }

  #set({ actor, name, generation, dueAt, event, delayMs, everyMs, onRestart }: TimerSet): void {
    this.#void(actor, name)
    const set: TimerSet = { actor, name, generation, dueAt, event, delayMs, everyMs, onRestart }
    this.#core.batch.timers.set(timerId(actor, name), { actor, name, set })
  }

  #takeGeneration(): number {
    const generation = this.#core.nextTimerGeneration
    this.#core.nextTimerGeneration += 1
    return generation
  }

  #void(actor: number, name: string): void {
    const queued = this.#queued.get(timerId(actor, name))
    if (queued === undefined) return
    queued.isCancelled = true
    this.#queued.delete(timerId(actor, name))
  }

  #wishVolatile(cell: Cell, wish: TimerWish): void {
    const name = wish.name ?? `~${this.#takeGeneration()}`
    cell.timers?.get(name)?.cancel()
    cell.timers?.delete(name)
    if (wish.kind === 'cancel') return
    const delayMs = wish.at === undefined ? wish.delayMs : wish.at - this.#core.clock.wall()
    this.#startVolatile(cell, name, wish.event, delayMs, wish.everyMs ?? 0)
  }

  #startVolatile(cell: Cell, name: string, event: EventLike, delayMs: number, everyMs: number): void {
    cell.timers ??= new Map<string, Timer>()
    // The tick is the timer until it is handled, so that a cancel finds it in the queue as well.
    const tick: VolatileTick = { tag: 'ring', name, event, isCancelled: false, next: undefined }
    const fire = (): void => {
      if (everyMs === 0) tick.next = () => cell.timers?.delete(name)
      else tick.next = () => this.#startVolatile(cell, name, event, Math.abs(everyMs), everyMs)
      this.#deliver(cell, tick)
    }
    const timer = this.#core.clock.setTimer(fire, Math.max(0, delayMs))
    cell.timers.set(name, {
      cancel: () => {
        tick.isCancelled = true
        timer.cancel()
      },
    })
  }
}

/** The next moment of a periodic timer: on its grid, with every moment that was missed left out; or so long after this one is handled. */
function nextTickAt({ dueAt, everyMs }: TimerSet, now: number): number {
  if (everyMs < 0) return now - everyMs
  return dueAt + everyMs * Math.max(1, Math.floor((now - dueAt) / everyMs) + 1)
}

function timerId(actor: number, name: string): string {
  return `${actor}/${name}`
}

function settingId({ actor, name, generation }: DueTimer): string {
  return `${actor}/${generation}/${name}`
}

function isFor({ type, key }: DueTimer, cell: Cell): boolean {
  return key === cell.key && type === cell.kind.definition.storedAs
}
