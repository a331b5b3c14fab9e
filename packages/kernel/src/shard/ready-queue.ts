/**
 * Which actor of a shard is served next: actors with work, by the most urgent lane in which something waits for them,
 * first come first served within a lane, and with the same starvation bound as inside a mailbox.
 */
import type { Cell } from './cell.ts'
import { Fifo } from './fifo.ts'
import { LaneTurns } from './lanes.ts'
import type { Lane } from './lanes.ts'

const STARVATION_BOUND = 64

/** The actors of a shard that have work. */
export class ReadyQueue {
  readonly #lanes: readonly [Fifo<Cell>, Fifo<Cell>, Fifo<Cell>, Fifo<Cell>] = [new Fifo(), new Fifo(), new Fifo(), new Fifo()]
  readonly #turns = new LaneTurns(STARVATION_BOUND)

  /** Adds an actor, or moves it to a more urgent lane; does nothing if it has no work or may not be served. */
  add(cell: Cell): void {
    const lane = cell.urgency
    if (lane === undefined || !cell.isServable) return
    if (cell.readyLane !== -1 && cell.readyLane <= lane) return
    // An entry that it leaves behind in a less urgent lane is used again when the actor comes back there, or dropped.
    cell.readyLane = lane
    if ((cell.readyEntries & (1 << lane)) !== 0) return
    cell.readyEntries |= 1 << lane
    this.#lanes[lane].push(cell)
  }

  /** Takes the next actor. */
  shift(): Cell | undefined {
    const lane = this.#turns.next(this.#has(0), this.#has(1), this.#has(2), this.#has(3))
    if (lane === undefined) return undefined
    const cell = this.#lanes[lane].shift()
    if (cell === undefined) return undefined
    cell.readyEntries &= ~(1 << lane)
    cell.readyLane = -1
    return cell
  }

  /** Whether no actor has work. */
  get isEmpty(): boolean {
    return !this.#has(0) && !this.#has(1) && !this.#has(2) && !this.#has(3)
  }

  /** Whether a lane has work. Drops entries that no longer count, so that they never take a lane's turn. */
  #has(lane: Lane): boolean {
    const queue = this.#lanes[lane]
    for (let cell = queue.peek(); cell !== undefined; cell = queue.peek()) {
      if (cell.readyLane === lane) return true
      queue.shift()
      cell.readyEntries &= ~(1 << lane)
    }
    return false
  }
}
