/**
 * The calls and returns of operations in the order in which they happened, as a doubly linked list from which an operation can be lifted
 * and to which it can be put back, in the reverse order, in a moment.
 *
 * Entries are numbered from 1 in the order of the history, so that numbers can be compared.
 */
import type { Operation } from './history.ts'

/** Head and end of the list. */
export const HEAD = 0

/** See above. The arrays are to be read, by the number of an entry. */
export class CallList {
  /** The next entry, `HEAD` after the last. */
  readonly next: Int32Array
  /** The return of a call, 0 for a return. */
  readonly returnOf: Int32Array
  /** The operation, by its position among those given. */
  readonly operationOf: Int32Array
  /** How many calls there are up to an entry, lifted ones too. */
  readonly callsUntil: Int32Array
  readonly #previous: Int32Array
  /** The position in the history. */
  readonly #indexes: Float64Array

  /** @param operations That have an end, in the order of their beginnings. */
  constructor(operations: readonly Operation[]) {
    const entries = operations.flatMap(({ invokedAt, endedAt }, operation) => [
      { index: invokedAt, operation, isCall: true },
      { index: endedAt, operation, isCall: false },
    ])
    entries.sort((left, right) => left.index - right.index)
    const size = entries.length + 1
    this.next = Int32Array.from({ length: size }, (_, entry) => (entry + 1) % size)
    this.#previous = Int32Array.from({ length: size }, (_, entry) => (entry + size - 1) % size)
    this.returnOf = new Int32Array(size)
    this.operationOf = new Int32Array(size)
    this.callsUntil = new Int32Array(size)
    this.#indexes = Float64Array.from([-Infinity, ...entries.map(({ index }) => index)])
    const calls = new Int32Array(operations.length)
    let callCount = 0
    for (const [position, { operation, isCall }] of entries.entries()) {
      const entry = position + 1
      this.operationOf[entry] = operation
      if (isCall) {
        callCount += 1
        calls[operation] = entry
      } else this.returnOf[at(calls, operation)] = entry
      this.callsUntil[entry] = callCount
    }
  }

  /** For each of other operations, in the order of their beginnings, the last entry before its beginning. */
  entriesBefore(operations: readonly Operation[]): Int32Array {
    let entry = HEAD
    return Int32Array.from(operations, ({ invokedAt }) => {
      while (entry + 1 < this.#indexes.length && (this.#indexes[entry + 1] as number) < invokedAt) entry += 1
      return entry
    })
  }

  /** Takes a call and its return out of the list. */
  lift(call: number): void {
    this.#unlink(call)
    this.#unlink(at(this.returnOf, call))
  }

  /** Puts back what was lifted last. */
  putBack(call: number): void {
    this.#relink(at(this.returnOf, call))
    this.#relink(call)
  }

  #unlink(entry: number): void {
    const next = at(this.next, entry)
    const previous = at(this.#previous, entry)
    this.next[previous] = next
    this.#previous[next] = previous
  }

  #relink(entry: number): void {
    this.next[at(this.#previous, entry)] = entry
    this.#previous[at(this.next, entry)] = entry
  }
}

/** The number at a position within the bounds of an array, where there is always one. */
export function at(numbers: Int32Array | Uint32Array, position: number): number {
  return numbers[position] as number
}
