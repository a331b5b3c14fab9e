/**
 * What the parts of a shard share: the store, the actors in memory, what waits, and the batch under way.
 *
 * The shard owns it; admission, activation, service and timers each change their part of it. All of it belongs to one
 * thread and is touched only between two events of that thread.
 */
import { StoreUnavailable } from '@bailiwick/store'
import type { Answer, ShardStore } from '@bailiwick/store'
import { addressOf } from '../definition/key.ts'
import { shardClock } from './shard-clock.ts'
import type { ShardClock } from './shard-clock.ts'
import type { Clock, Scheduler } from '../seams/seams.ts'
import { OpenBatch } from './batch.ts'
import { Cell } from './cell.ts'
import type { Awaiting, Kind, Waiting } from './cell.ts'
import { Gauge } from './gauges.ts'
import type { ShardLimits } from './limits.ts'
import type {
  ChildAsksPart,
  EffectsPart,
  LeaseQueuePart,
  LinksPart,
  OverflowPart,
  Parts,
  SchedulePart,
  SupervisorPart,
  TimersPart,
  TurnsPart,
  WatchesPart,
} from './parts.ts'
import { ReadyQueue } from './ready-queue.ts'
import { Residents } from './residents.ts'
import { WaitingList } from './waiting-list.ts'

const READ_TRIES = 100

/** What a core is made of. */
export interface CoreParts {
  readonly store: ShardStore
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly kinds: readonly Kind[]
  readonly limits: ShardLimits
  readonly gauges: Float64Array
  /** Position of this shard among all. */
  readonly index: number
  readonly shardCount: number
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** Asks for a round of the shard's loop. */
  readonly wake: () => void
  /** Answers a read of an actor that is held back. */
  readonly peek: (waiting: Waiting) => void
  /** Hears of errors that belong to no caller. */
  readonly report: (error: unknown) => void
}

/** Shared state of the parts of one shard. */
export class ShardCore {
  readonly store: ShardStore
  readonly clock: ShardClock
  readonly kinds: readonly Kind[]
  readonly limits: ShardLimits
  readonly gauges: Float64Array
  readonly index: number
  readonly shardCount: number
  readonly random: () => number
  readonly wake: () => void
  readonly peek: (waiting: Waiting) => void
  readonly report: (error: unknown) => void
  readonly residents: Residents
  readonly ready: ReadyQueue
  /**
   * Actors that are served before all others, and whose batch is then committed at once: somebody waits for a session. With
   * the command that interrupts a turn, until it has been served; without one for what comes from inside.
   */
  readonly express: { readonly cell: Cell; readonly waiting: Waiting | undefined }[] = []
  readonly waiting: WaitingList = new WaitingList()
  readonly timers: TimersPart
  readonly schedule: SchedulePart
  readonly links: LinksPart
  readonly effects: EffectsPart
  readonly overflow: OverflowPart
  readonly childAsks: ChildAsksPart
  readonly turns: TurnsPart
  readonly leaseQueue: LeaseQueuePart
  readonly supervisor: SupervisorPart
  readonly watches: WatchesPart
  /** Calls that follow an actor, by the actor's address. */
  readonly followers: Map<string, Set<number>> = new Map<string, Set<number>>()
  /** Calls from outside that wait for a deferred reply, by open call. */
  readonly awaiting: Map<number, Awaiting[]> = new Map<number, Awaiting[]>()
  /** Control that waits, by call, as long as its caller may leave. */
  readonly controls: Map<number, Waiting> = new Map<number, Waiting>()
  batch: OpenBatch
  /** The batch whose commit is under way. */
  committing: OpenBatch | undefined = undefined
  nextActorNumber = 1
  nextSequence = 1
  nextTimerGeneration = 1
  /** Dead letters that a batch takes out, until it is committed or has failed. */
  readonly leavingLetters: Set<number> = new Set<number>()
  /** Dead letters in the store. */
  deadLetters = 0
  /** Effects and messages to other shards in the store. */
  outboxSize = 0
  /** Whether anybody reads the tap. */
  isTapped = false
  /** The command that is being handled, by its number; and how many have been. Counted only while somebody reads. */
  handling: number | undefined = undefined
  handlings = 0
  /** Stored commands and settings of timers that have ended a thread: why, by sequence and by generation. */
  readonly poison: { readonly sequences: Map<number, string>; readonly generations: Map<number, string> } = {
    sequences: new Map<number, string>(),
    generations: new Map<number, string>(),
  }
  readonly #kindByType: ReadonlyMap<string, Kind>

  /** `make` makes the parts, which keep the core. */
  constructor(parts: CoreParts, make: (core: ShardCore) => Parts) {
    this.store = parts.store
    this.clock = shardClock(parts.clock)
    this.kinds = parts.kinds
    this.ready = new ReadyQueue(parts.scheduler.pick?.bind(parts.scheduler))
    this.limits = parts.limits
    this.gauges = parts.gauges
    this.index = parts.index
    this.shardCount = parts.shardCount
    this.random = parts.random
    this.wake = parts.wake
    this.peek = parts.peek
    this.report = parts.report
    this.residents = new Residents(parts.kinds)
    this.batch = new OpenBatch(1, 0, parts.limits)
    this.#kindByType = new Map(parts.kinds.map((kind) => [kind.definition.storedAs, kind]))
    const { timers, schedule, links, effects, overflow, childAsks, turns, leaseQueue, supervisor, watches } = make(this)
    this.timers = timers
    this.schedule = schedule
    this.links = links
    this.effects = effects
    this.overflow = overflow
    this.childAsks = childAsks
    this.turns = turns
    this.leaseQueue = leaseQueue
    this.supervisor = supervisor
    this.watches = watches
  }

  /** Begins the next batch and answers the one that was under way. */
  nextBatch(): OpenBatch {
    const { batch } = this
    this.batch = new OpenBatch(batch.id + 1, batch.at, this.limits)
    return batch
  }

  /**
   * Reads the store until no commit has begun or ended meanwhile, so that the answer fits the batches in memory. Rejects
   * with `StoreUnavailable` if that never happens.
   */
  async readSteady<T>(read: () => Answer<T>): Promise<T> {
    for (let tries = 0; tries < READ_TRIES; tries += 1) {
      const { batch, committing } = this
      const found = await read()
      if (this.batch === batch && this.committing === committing) return found
    }
    throw new StoreUnavailable('busy', 'it changed whenever it was read')
  }

  /** The kind that is stored under a type's name, if this shard knows it. */
  kindOf(type: string): Kind | undefined {
    return this.#kindByType.get(type)
  }

  /** Address of an actor, from the name under which its type is stored. */
  addressOf(storedAs: string, key: string): string {
    return addressOf(this.kindOf(storedAs)?.definition.type ?? storedAs, key)
  }

  /** The cell of an actor, made if it is not in memory. */
  cellOf(kind: Kind, key: string): Cell {
    const known = this.residents.get(kind, key)
    if (known !== undefined) return known
    const cell = new Cell(kind, key)
    cell.isHeld = this.supervisor.held > 0 && this.supervisor.heldOf(kind, key) !== undefined
    this.residents.add(cell, this.clock.elapsed())
    return cell
  }

  /** What the ids of this life begin with. */
  get life(): string {
    return `${this.index}-${this.store.epoch.toString(36)}`
  }

  /** Adds to a counter. */
  count(gauge: number, amount = 1): void {
    this.gauges[gauge] = (this.gauges[gauge] ?? 0) + amount
  }

  /** Notes what is about to be served, for whoever has to say so if the thread dies of it; 0 for what does not apply. */
  mark(call: number, sequence: number, generation: number, kind: 0 | 1 | 2 = 0): void {
    const { gauges } = this
    gauges[Gauge.servingCall] = call
    gauges[Gauge.servingSequence] = sequence
    gauges[Gauge.servingGeneration] = generation
    gauges[Gauge.servingKind] = kind
    gauges[Gauge.isServing] = 1
  }

  /** It has been served. */
  unmark(): void {
    this.gauges[Gauge.isServing] = 0
  }

  /** A sequence that nothing on this shard had before: of a stored command, an open call, an effect or a dead letter. */
  takeSequence(): number {
    const sequence = this.nextSequence
    this.nextSequence += 1
    return sequence
  }

  /** The actor's number in the store, given at its first change. */
  numberOf(cell: Cell): number {
    if (cell.number === 0) {
      cell.number = this.nextActorNumber
      this.nextActorNumber += 1
    }
    return cell.number
  }

  /** Notes that an actor's state differs from what is stored. */
  markDirty(cell: Cell): void {
    cell.isDirty = true
    this.batch.touch(cell)
  }

  /** Publishes how much waits and what is in memory. */
  publishGauges(): void {
    const { gauges, waiting } = this
    gauges[Gauge.residentActors] = this.residents.size
    gauges[Gauge.depthUrgent] = waiting.depth(0)
    gauges[Gauge.depthHigh] = waiting.depth(1)
    gauges[Gauge.depthNormal] = waiting.depth(2)
    gauges[Gauge.depthLow] = waiting.depth(3)
    gauges[Gauge.oldestUrgent] = waiting.oldestAt(0)
    gauges[Gauge.oldestHigh] = waiting.oldestAt(1)
    gauges[Gauge.oldestNormal] = waiting.oldestAt(2)
    gauges[Gauge.oldestLow] = waiting.oldestAt(3)
    gauges[Gauge.deadLetters] = this.deadLetters
    gauges[Gauge.outbox] = this.outboxSize
    gauges[Gauge.effectsRunning] = this.effects.running
    gauges[Gauge.awaiting] = this.awaiting.size
    gauges[Gauge.turnsRunning] = this.turns.running
    gauges[Gauge.held] = this.supervisor.held
  }
}
