/**
 * A list that is always sorted.
 *
 * Finding a place is logarithmic, putting something there moves what is behind it: linear, but a plain move of memory, and
 * free at the end of the list, where new times usually belong. Fine up to some hundred thousand entries.
 */

/** Entries in the order of `compare`, which must never call two different entries equal. */
export class Ordered<T> {
  readonly #entries: T[] = []
  readonly #compare: (left: T, right: T) => number

  constructor(compare: (left: T, right: T) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#entries.length
  }

  /** The entry at a position, the first one at 0. */
  at(position: number): T | undefined {
    return this.#entries[position]
  }

  add(entry: T): void {
    this.#entries.splice(this.positionOf(entry), 0, entry)
  }

  remove(entry: T): void {
    const position = this.positionOf(entry)
    if (this.#entries[position] === entry) this.#entries.splice(position, 1)
  }

  /** The first position whose entry does not come before `entry`. */
  positionOf(entry: T): number {
    const entries = this.#entries
    const last = entries.at(-1)
    if (last === undefined || this.#compare(last, entry) < 0) return entries.length
    let low = 0
    let high = entries.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(entries[middle] as T, entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Orders texts by their UTF-16 units. */
export function byText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
