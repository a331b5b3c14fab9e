/** What waits on a shard, by lane and age: how much, and since when the oldest. Every step is constant time. */
import type { Waiting } from './cell.ts'
import type { Lane } from './lanes.ts'

/** The commands waiting in one lane of all actors of a shard, the oldest first. */
class WaitingLane {
  oldest: Waiting | undefined = undefined
  newest: Waiting | undefined = undefined
  size = 0
}

/** Everything that waits on a shard. */
export class WaitingList {
  readonly #lanes: readonly [WaitingLane, WaitingLane, WaitingLane, WaitingLane] = [
    new WaitingLane(),
    new WaitingLane(),
    new WaitingLane(),
    new WaitingLane(),
  ]
  #size = 0

  /** How much waits in all lanes. */
  get size(): number {
    return this.#size
  }

  /** How much waits in a lane. */
  depth(lane: Lane): number {
    return this.#lanes[lane].size
  }

  /** Wall time at which the oldest in a lane arrived; 0 if nothing waits. */
  oldestAt(lane: Lane): number {
    return this.#lanes[lane].oldest?.at ?? 0
  }

  /** Adds something that starts to wait. */
  add(waiting: Waiting): void {
    waiting.isListed = true
    const lane = this.#lanes[waiting.lane]
    waiting.older = lane.newest
    waiting.newer = undefined
    if (lane.newest === undefined) lane.oldest = waiting
    else lane.newest.newer = waiting
    lane.newest = waiting
    lane.size += 1
    this.#size += 1
  }

  /** Removes something that no longer waits. What waits for an actor that is held back is not in the list. */
  remove(waiting: Waiting): void {
    if (!waiting.isListed) return
    waiting.isListed = false
    const lane = this.#lanes[waiting.lane]
    if (waiting.older === undefined) lane.oldest = waiting.newer
    else waiting.older.newer = waiting.newer
    if (waiting.newer === undefined) lane.newest = waiting.older
    else waiting.newer.older = waiting.older
    waiting.older = undefined
    waiting.newer = undefined
    lane.size -= 1
    this.#size -= 1
  }

  /** Removes everything that waits and answers it, lane by lane, the oldest first. */
  drain(): readonly Waiting[] {
    const drained: Waiting[] = []
    for (const lane of this.#lanes) {
      for (let waiting = lane.oldest; waiting !== undefined; waiting = lane.oldest) {
        drained.push(waiting)
        this.remove(waiting)
      }
    }
    return drained
  }
}
