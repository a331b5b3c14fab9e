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

  /** Adds an actor, or moves it to a more urgent lane; does nothing if it has no work or waits for the store. */
  add(cell: Cell): void {
    const lane = cell.urgency
    if (lane === undefined || cell.isWaiting) return
    if (cell.readyLane !== -1 && cell.readyLane <= lane) return
    // Its entry in the less urgent lane, if there is one, is now stale and is skipped when its turn comes.
    cell.readyLane = lane
    this.#lanes[lane].push(cell)
  }

  /** Takes the next actor. */
  shift(): Cell | undefined {
    for (;;) {
      const lane = this.#turns.next(this.#has(0), this.#has(1), this.#has(2), this.#has(3))
      if (lane === undefined) return undefined
      const cell = this.#lanes[lane].shift()
      if (cell === undefined || cell.readyLane !== lane) continue
      cell.readyLane = -1
      return cell
    }
  }

  /** Whether any actor may have work. */
  get isEmpty(): boolean {
    return !this.#has(0) && !this.#has(1) && !this.#has(2) && !this.#has(3)
  }

  #has(lane: Lane): boolean {
    return this.#lanes[lane].size > 0
  }
}
