/**
 * What the parts of a shard share: the store, the actors in memory, what waits, and the batch under way.
 *
 * The shard owns it; admission, activation, service and timers each change their part of it. All of it belongs to one
 * thread and is touched only between two events of that thread.
 */
import type { ShardStore } from '@bailiwick/store'
import { shardClock } from './shard-clock.ts'
import type { ShardClock } from './shard-clock.ts'
import type { Clock } from '../seams/seams.ts'
import { OpenBatch } from './batch.ts'
import type { Cell, Kind } from './cell.ts'
import { Gauge } from './gauges.ts'
import type { ShardLimits } from './limits.ts'
import { ReadyQueue } from './ready-queue.ts'
import { Residents } from './residents.ts'
import { WaitingList } from './waiting-list.ts'

/** Shared state of the parts of one shard. */
export class ShardCore {
  readonly store: ShardStore
  readonly clock: ShardClock
  readonly kinds: readonly Kind[]
  readonly limits: ShardLimits
  readonly gauges: Float64Array
  /** Hears of errors that belong to no caller. */
  readonly report: (error: unknown) => void
  readonly residents: Residents
  readonly ready: ReadyQueue = new ReadyQueue()
  readonly waiting: WaitingList = new WaitingList()
  /** Calls that follow an actor, by the actor's address. */
  readonly followers: Map<string, Set<number>> = new Map<string, Set<number>>()
  batch: OpenBatch
  nextActorNumber = 1
  nextInboxSequence = 1
  nextTimerGeneration = 1
  readonly #kindByType: ReadonlyMap<string, Kind>

  constructor(
    store: ShardStore,
    clock: Clock,
    kinds: readonly Kind[],
    limits: ShardLimits,
    gauges: Float64Array,
    report: (error: unknown) => void,
  ) {
    this.store = store
    this.clock = shardClock(clock)
    this.kinds = kinds
    this.limits = limits
    this.gauges = gauges
    this.report = report
    this.residents = new Residents(kinds)
    this.batch = new OpenBatch(1, 0)
    this.#kindByType = new Map(kinds.map((kind) => [kind.definition.type, kind]))
  }

  /** The kind with a type's name, if this shard knows it. */
  kindOf(type: string): Kind | undefined {
    return this.#kindByType.get(type)
  }

  /** Adds to a counter. */
  count(gauge: number, amount = 1): void {
    this.gauges[gauge] = (this.gauges[gauge] ?? 0) + amount
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
  }
}
