/** A first-in, first-out queue on a growing ring: constant time at both ends, and it gives memory back when it drains. */

const CAPACITY_INITIAL = 8
const CAPACITY_KEPT = 1_024

/** A FIFO queue. Elements may also be put back in front, for work that has to be repeated. */
export class Fifo<T> {
  #slots: (T | undefined)[] = []
  #head = 0
  #size = 0

  /** How many elements wait. */
  get size(): number {
    return this.#size
  }

  /** Puts an element at the end. */
  push(element: T): void {
    if (this.#size === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = element
    this.#size += 1
  }

  /** Puts an element back in front of all others. */
  unshift(element: T): void {
    if (this.#size === this.#slots.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#slots.length - 1)
    this.#slots[this.#head] = element
    this.#size += 1
  }

  /** The first element, which stays. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#slots[this.#head]
  }

  /** Takes the first element. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const element = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.#size -= 1
    if (this.#size === 0 && this.#slots.length > CAPACITY_KEPT) this.#reset()
    return element
  }

  /** The elements in their order. The queue must not change meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.#size; index += 1) {
      const element = this.#slots[(this.#head + index) & (this.#slots.length - 1)]
      if (element !== undefined) yield element
    }
  }

  /** The last element, which stays. */
  last(): T | undefined {
    return this.#size === 0 ? undefined : this.#slots[(this.#head + this.#size - 1) & (this.#slots.length - 1)]
  }

  #reset(): void {
    this.#slots = []
    this.#head = 0
  }

  /** Doubles the ring; its length stays a power of two, so that a mask replaces a division. */
  #grow(): void {
    const grown = Array.from<T | undefined>({ length: Math.max(CAPACITY_INITIAL, this.#slots.length * 2) })
    for (let index = 0; index < this.#size; index += 1) grown[index] = this.#slots[(this.#head + index) & (this.#slots.length - 1)]
    this.#slots = grown
    this.#head = 0
  }
}
