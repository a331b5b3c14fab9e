/**
 * Which actor of a shard is served next: actors with work, by the most urgent lane in which something waits for them,
 * first come first served within a lane, and with the same starvation bound as inside a mailbox.
 */
import type { Cell } from './cell.ts'
import { Fifo } from './fifo.ts'
import { LaneTurns } from './lanes.ts'
import type { Lane } from './lanes.ts'

const STARVATION_BOUND = 64

/** Chooses one of several addresses by its position. */
type Pick = (addresses: readonly string[]) => number

/** The actors of a shard that have work. */
export class ReadyQueue {
  readonly #lanes: readonly [Fifo<Cell>, Fifo<Cell>, Fifo<Cell>, Fifo<Cell>] = [new Fifo(), new Fifo(), new Fifo(), new Fifo()]
  readonly #turns = new LaneTurns(STARVATION_BOUND)
  readonly #pick: Pick | undefined

  /** `pick` chooses among actors of the same lane; without it the first is next. */
  constructor(pick?: Pick) {
    this.#pick = pick
  }

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
    if (this.#pick !== undefined) this.#bringForward(this.#lanes[lane], lane, this.#pick)
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

  /** Moves the actor that is picked to the front; the others keep their order. */
  #bringForward(queue: Fifo<Cell>, lane: Lane, pick: Pick): void {
    if (queue.size < 2) return
    const cells = [...queue].filter((cell) => cell.readyLane === lane)
    const picked = cells.length < 2 ? undefined : cells[pick(cells.map(({ address }) => address))]
    if (picked === undefined || picked === cells[0]) return
    for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) cell.readyEntries &= ~(1 << lane)
    for (const cell of [picked, ...cells.filter((other) => other !== picked)]) {
      cell.readyEntries |= 1 << lane
      queue.push(cell)
    }
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
