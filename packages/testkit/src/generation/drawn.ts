/** Values of an arbitrary from integers that somebody else has drawn, so that a recorded tape gives the same values again. */
import * as fc from 'fast-check'
import { seededRandom } from '../seeded-random.ts'

/** Chance as fast-check wants it: `next` answers whole numbers from -2³¹ to 2³¹ - 1. */
interface Chance {
  next(): number
  clone(): Chance
  jump(): void
  getState(): readonly number[]
}

const UINT32 = 2 ** 32

/** Options of `drawn`. */
export interface DrawnOptions {
  /**
   * How many integers may be read for one value. What a value needs beyond that follows from those that were read, so that it
   * ends even where all integers are the same and a filter refuses what they give. A whole number from 1. Default 256.
   */
  readonly limit?: number
}

/**
 * A value of an arbitrary. `next` answers a whole number from 0 to 2³² - 1; the same numbers give the same value. Zeros give
 * small values: the first choice, the shortest string, the number nearest to zero, no optional property.
 */
export function drawn<T>(arbitrary: fc.Arbitrary<T>, next: () => number, options: DrawnOptions = {}): T {
  const { limit = 256 } = options
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`limit must be a whole number from 1, is ${String(limit)}`)
  return arbitrary.generate(new fc.Random(new Tape(next, limit)), undefined).value
}

/** Reads the tape up to the limit, then goes on with chance that was sown by what was read. */
class Tape implements Chance {
  readonly #next: () => number
  readonly #limit: number
  #read = 0
  /** FNV-1a over what was read. */
  #hash = 0x81_1c_9d_c5
  #isTaken = false
  #rest: Chance | undefined

  constructor(next: () => number, limit: number) {
    this.#next = next
    this.#limit = limit
  }

  next(): number {
    if (this.#read >= this.#limit) return (this.#rest ??= new Sown(this.#hash)).next()
    this.#read += 1
    const drawn = this.#next() >>> 0
    this.#hash = Math.imul(this.#hash ^ drawn, 0x01_00_01_93) >>> 0
    this.#hash = (this.#hash ^ (this.#hash >>> 15)) >>> 0
    // The smallest number of fast-check's range stands for 0: it is what leads to the first choice.
    return drawn - UINT32 / 2
  }

  /** fast-check copies its source once before it begins: that copy is the tape. Those for later, for shrinking, do not read it. */
  clone(): Chance {
    if (this.#isTaken) return new Sown(this.#hash)
    this.#isTaken = true
    return this
  }

  /** fast-check adapts sources that cannot jump, and would hide `clone`. */
  jump(): void {
    // One value is drawn from a tape: there is nothing to be far away from.
  }

  getState(): readonly number[] {
    return [this.#read, this.#hash]
  }
}

/** Chance from a seed. */
class Sown implements Chance {
  readonly #seed: number
  readonly #random: () => number

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(seed)
  }

  next(): number {
    return Math.floor(this.#random() * UINT32) - UINT32 / 2
  }

  clone(): Chance {
    return new Sown(this.#seed)
  }

  jump(): void {
    // As above.
  }

  getState(): readonly number[] {
    return [this.#seed]
  }
}
