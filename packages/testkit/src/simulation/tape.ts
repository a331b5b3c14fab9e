/**
 * The tape: everything that a run leaves to chance, in a form that can be kept, cut and played again.
 *
 * It has one track for each kind of chance, so that cutting one does not move the others: which faults strike, which commands
 * are left out, which values are drawn, and who runs next. A choice of 0 is always the plainest one (whoever ran last goes on,
 * nothing is drawn but zeros), so a tape that is cut short is still a run, and a simpler one.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { seededRandom } from '../seeded-random.ts'
import { InvalidSchedule } from './errors.ts'
import type { FaultKind } from './faults.ts'
import { isFaultKind } from './faults.ts'

/** A fault that is to strike: at the so-manyth point of its sort, with a number that decides whom and how much. */
export interface PlannedFault {
  readonly kind: FaultKind
  readonly at: number
  readonly amount: number
}

/** What is on a tape. */
export interface TapeText {
  /** Seeds all that is drawn and not written down. */
  readonly seed: number
  /** Settings that were drawn for the run as a whole. */
  readonly batchCommands: number
  /** Who ran next at each choice, counted from the plainest candidate. What lies beyond the end is 0. */
  readonly choices: readonly number[]
  readonly faults: readonly PlannedFault[]
  /** Values by stream, where they are not those of the seed. What lies beyond the end of a stream is 0. */
  readonly values: Readonly<Record<string, readonly number[]>>
  /** Names of commands that are left out. */
  readonly removed: readonly string[]
}

const VERSION = 1
const VALUES_MAX = 100_000

/** A tape that is being recorded. Given a text it plays that, and else it asks whoever chooses. */
export class Tape {
  readonly seed: number
  readonly batchCommands: number
  readonly faults: readonly PlannedFault[]
  /** Which faults have struck, in their order. */
  readonly struck: PlannedFault[] = []
  readonly choices: number[] = []
  /** Commands that could be left out, in their order. */
  readonly commands: string[] = []
  readonly #given: TapeText | undefined
  readonly #removed: ReadonlySet<string>
  readonly #values = new Map<string, number[]>()
  #drawn = 0

  constructor(begin: Pick<TapeText, 'seed' | 'batchCommands' | 'faults'>, given?: TapeText) {
    this.seed = begin.seed
    this.batchCommands = begin.batchCommands
    this.faults = begin.faults
    this.#given = given
    this.#removed = new Set(given?.removed)
  }

  /** Whether who runs next is written down already. */
  get isGiven(): boolean {
    return this.#given !== undefined
  }

  /** The choice that is written down next, among so many. */
  next(count: number): number {
    const choice = this.#given?.choices[this.choices.length] ?? 0
    return choice < count ? choice : choice % count
  }

  /** Whether a command that may be left out is to be sent. */
  keeps(command: string): boolean {
    this.commands.push(command)
    return !this.#removed.has(command)
  }

  /** A source of unsigned 32-bit integers with a name; each stream is independent of all others. */
  stream(name: string): () => number {
    const given = this.#given?.values[name]
    const random = seededRandom(mixText(this.seed, name))
    const drawn: number[] = this.#values.get(name) ?? []
    this.#values.set(name, drawn)
    return () => {
      const value = given === undefined ? (random() * 2 ** 32) >>> 0 : (given[drawn.length] ?? 0)
      if ((this.#drawn += 1) <= VALUES_MAX) drawn.push(value)
      return value
    }
  }

  /** What was recorded, as a tape that plays the same run: with only those faults that struck, and no trailing zeros. */
  text(): TapeText {
    return {
      seed: this.seed,
      batchCommands: this.batchCommands,
      choices: trimmed(this.choices),
      faults: [...this.struck],
      values: this.#given?.values ?? {},
      removed: [...this.#removed].filter((command) => this.commands.includes(command)),
    }
  }

  /** The values that were drawn, by stream. */
  values(): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries([...this.#values].filter(([, drawn]) => drawn.length > 0))
  }
}

/** A tape as one word that can be copied from a report into a test. */
export function encodeTape(tape: TapeText): string {
  const { seed, batchCommands, choices, faults, values, removed } = tape
  const text = JSON.stringify([
    VERSION,
    seed,
    batchCommands,
    sparse(choices),
    faults.map(({ kind, at, amount }) => [kind, at, amount]),
    Object.entries(values).map(([stream, numbers]) => [stream, ...sparse(numbers)]),
    removed,
  ])
  return deflateRawSync(text).toString('base64url')
}

/** Reads such a word. Throws `InvalidSchedule`. */
export function decodeTape(word: string): TapeText {
  if (word === '') throw new InvalidSchedule('it is empty')
  try {
    const parts: unknown = JSON.parse(inflateRawSync(Buffer.from(word, 'base64url'), { maxOutputLength: 64 * 2 ** 20 }).toString())
    if (!Array.isArray(parts) || parts.length !== 7) throw new Error('it has not the parts of a schedule')
    const [version, seed, batchCommands, choices, faults, values, removed] = parts as readonly unknown[]
    if (version !== VERSION) throw new Error(`it is of version ${String(version)}, and this test kit reads version ${VERSION}`)
    return {
      seed: wholeOf(seed),
      batchCommands: wholeOf(batchCommands),
      choices: dense(listOf(choices).map(wholeOf)),
      faults: listOf(faults).map((fault) => {
        const [kind, at, amount] = listOf(fault)
        if (!isFaultKind(kind)) throw new Error(`it has a fault that is not known: ${String(kind)}`)
        return { kind, at: wholeOf(at), amount: wholeOf(amount) }
      }),
      values: Object.fromEntries(
        listOf(values).map((entry) => {
          const [stream, ...numbers] = listOf(entry)
          return [textOf(stream), dense(numbers.map(wholeOf))]
        }),
      ),
      removed: listOf(removed).map(textOf),
    }
  } catch (error) {
    const isOurs = error instanceof Error && error.message.startsWith('it ')
    throw new InvalidSchedule(isOurs ? error.message : 'it was cut when it was copied, or is not from a report')
  }
}

/** A seed made of a seed and a number. The mixing is that of splitmix32. */
export function mixSeed(seed: number, value: number): number {
  let mixed = (seed ^ Math.imul(value + 1, 0x9e3779b9)) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

function mixText(seed: number, text: string): number {
  let mixed = seed
  for (let index = 0; index < text.length; index += 1) mixed = mixSeed(mixed, text.charCodeAt(index))
  return mixed
}

/** A list of numbers of which most are 0: for each other one how many zeros come before it, and the number. */
function sparse(numbers: readonly number[]): number[] {
  const pairs: number[] = []
  let zeros = 0
  for (const number of numbers) {
    if (number === 0) {
      zeros += 1
      continue
    }
    pairs.push(zeros, number)
    zeros = 0
  }
  return pairs
}

const DENSE_MAX = 10_000_000

function dense(pairs: readonly number[]): number[] {
  const numbers: number[] = []
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const zeros = pairs[index] ?? 0
    if (numbers.length + zeros > DENSE_MAX) throw new Error('it is too long')
    for (let count = 0; count < zeros; count += 1) numbers.push(0)
    numbers.push(pairs[index + 1] ?? 0)
  }
  return numbers
}

function trimmed(numbers: readonly number[]): readonly number[] {
  let { length } = numbers
  while (length > 0 && numbers[length - 1] === 0) length -= 1
  return numbers.slice(0, length)
}

function wholeOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new Error('it has something else where a whole number belongs')
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[]
  throw new Error('it has something else where a list belongs')
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new Error('it has something else where a name belongs')
}
