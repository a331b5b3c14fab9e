/**
 * The mailbox of one actor: four lanes, FIFO inside a lane, bounded as a whole. What the actor has postponed is set aside
 * until `resume` puts it back in front, in its old order; it counts for the bound all the while.
 *
 * It only orders. It does not know actors, commands or time; whoever holds it decides what a full mailbox means.
 */
import { Fifo } from './fifo.ts'
import { LaneTurns } from './lanes.ts'
import type { Lane } from './lanes.ts'

/** Bounds of a mailbox. */
export interface MailboxBounds {
  /** How many commands may wait, over all lanes. */
  readonly capacity: number
  /** After at most so many more urgent commands a waiting less urgent one is served. */
  readonly starvationBound: number
}

/** What waits for one actor. */
export class Mailbox<T> {
  readonly #capacity: number
  readonly #turns: LaneTurns
  readonly #lanes: [Fifo<T> | undefined, Fifo<T> | undefined, Fifo<T> | undefined, Fifo<T> | undefined] = [
    undefined,
    undefined,
    undefined,
    undefined,
  ]
  #postponed: { readonly lane: Lane; readonly element: T }[] | undefined = undefined
  #size = 0

  constructor(bounds: MailboxBounds) {
    this.#capacity = bounds.capacity
    this.#turns = new LaneTurns(bounds.starvationBound)
  }

  /** How many commands wait, over all lanes, those that are set aside included. */
  get size(): number {
    return this.#size
  }

  /** How many are set aside. */
  get postponed(): number {
    return this.#postponed?.length ?? 0
  }

  /** Whether another command would be refused. */
  get isFull(): boolean {
    return this.#size >= this.#capacity
  }

  /** Puts an element at the end of its lane. False, and nothing changed, if the mailbox is full. */
  tryPush(lane: Lane, element: T): boolean {
    if (this.#size >= this.#capacity) return false
    this.#laneAt(lane).push(element)
    this.#size += 1
    return true
  }

  /** Puts back what was taken and has to be repeated: first in its lane, whatever the capacity. */
  putBack(lane: Lane, element: T): void {
    this.#laneAt(lane).unshift(element)
    this.#size += 1
  }

  /** Puts an element at the end of its lane, whatever the capacity: for what was accepted in an earlier life. */
  restore(lane: Lane, element: T): void {
    this.#laneAt(lane).push(element)
    this.#size += 1
  }

  /** Sets aside what was taken and is to wait until `resume`. */
  postpone(lane: Lane, element: T): void {
    this.#postponed ??= []
    this.#postponed.push({ lane, element })
    this.#size += 1
  }

  /** Puts everything that was set aside back in front of its lane, in the order in which it was taken. */
  resume(): void {
    const postponed = this.#postponed
    if (postponed === undefined) return
    this.#postponed = undefined
    for (const { lane, element } of postponed.toReversed()) this.#laneAt(lane).unshift(element)
  }

  /** The most urgent lane that has work. */
  mostUrgent(): Lane | undefined {
    if (this.#has(0)) return 0
    if (this.#has(1)) return 1
    if (this.#has(2)) return 2
    return this.#has(3) ? 3 : undefined
  }

  /** Looks at the head of the most urgent lane that has work. */
  peek(): T | undefined {
    const lane = this.mostUrgent()
    return lane === undefined ? undefined : this.#laneAt(lane).peek()
  }

  /** Takes the next element by the rule of the lanes. */
  shift(): T | undefined {
    const lane = this.#turns.next(this.#has(0), this.#has(1), this.#has(2), this.#has(3))
    if (lane === undefined) return undefined
    this.#size -= 1
    return this.#laneAt(lane).shift()
  }

  #has(lane: Lane): boolean {
    const queue = this.#lanes[lane]
    return queue !== undefined && queue.size > 0
  }

  #laneAt(lane: Lane): Fifo<T> {
    return (this.#lanes[lane] ??= new Fifo<T>())
  }
}
