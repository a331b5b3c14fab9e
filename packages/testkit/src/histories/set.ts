/**
 * A set that only grows: what was acknowledged stays, and nothing is there that nobody added. It is the cheapest check of
 * durability there is: add, crash, read.
 */
import { InvalidHistory, operationsOf } from './history.ts'
import type { History, Operation } from './history.ts'
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/**
 * What can be wrong with a history of a set. `lost`: an element that was acknowledged or seen is missing in a read that began
 * later, and in every read after that. `stale`: missing there, and back in a later read. `unexpected`: an element that nobody had
 * tried to add, or only in vain. `duplicate`: twice in one read.
 */
export type SetAnomaly = 'lost' | 'stale' | 'unexpected' | 'duplicate'

/** How `checkSet` judges. */
export interface SetOptions {
  /** Whether a read may be older than what was acknowledged before it, as long as a later read has it. Default false. */
  readonly allowStale?: boolean
}

/** Counts of elements, and of reads. */
export interface SetCounts {
  /** Elements whose add was acknowledged. */
  readonly acknowledged: number
  /** Elements that are gone. */
  readonly lost: number
  /** Elements that a read had not yet, though they were known before it. */
  readonly stale: number
  /** Elements that should not be there. */
  readonly unexpected: number
  /** Elements that some read has more than once. */
  readonly duplicated: number
  /** Elements of whose add nobody knew the outcome, and that a read has. */
  readonly recovered: number
  /** Reads that were answered. With 0 of them nothing was checked. */
  readonly reads: number
}

type Element = string | number

/** An element from its add to its last read. */
interface Life {
  readonly add: Operation
  /** From here on it is known to be in the set: its acknowledgement, or the end of the first read that has it. */
  knownAt: number
  /** End of the last read that has it; -1 if none has. */
  lastReadAt: number
  /** The last read that should have it and does not. */
  missedBy: Operation | undefined
  isDuplicated: boolean
}

/**
 * Checks the operations `add` (its input is the element, a string or a number, each added once) and `read` (its reply is the
 * list of elements) of a history, for each `key` apart. Throws `InvalidHistory` for other values.
 */
export function checkSet(history: History, { allowStale = false }: SetOptions = {}): Verdict<SetAnomaly, SetCounts> {
  const found = new Anomalies<SetAnomaly>()
  const counts = { acknowledged: 0, lost: 0, stale: 0, unexpected: 0, duplicated: 0, recovered: 0, reads: 0 }
  for (const operations of Map.groupBy(operationsOf(history), ({ key }) => key).values()) {
    const lives = livesOf(operations)
    // A later read is one that ended later.
    const reads = operations
      .filter(({ f, outcome }) => f === 'read' && outcome === 'ok')
      .toSorted((one, other) => one.endedAt - other.endedAt)
    counts.reads += reads.length
    counts.unexpected += followReads(reads, lives, found)
    for (const [element, life] of lives) {
      const { add, lastReadAt, missedBy, isDuplicated } = life
      if (add.outcome === 'ok') counts.acknowledged += 1
      if (add.outcome === 'info' && lastReadAt >= 0) counts.recovered += 1
      if (isDuplicated) counts.duplicated += 1
      if (missedBy === undefined) continue
      const before = add.outcome === 'ok' && add.endedAt < missedBy.invokedAt ? 'acknowledged' : 'read'
      const what = `${element}, which ${named(add)} added and which was ${before} before ${named(missedBy)} began`
      if (lastReadAt < missedBy.endedAt) {
        counts.lost += 1
        found.add('lost', `${what}, is not in that read nor in any later one`)
        continue
      }
      counts.stale += 1
      if (!allowStale) found.add('stale', `${what}, is not in that read, though it is in a later one`)
    }
  }
  return found.verdict(counts)
}

function livesOf(operations: readonly Operation[]): Map<Element, Life> {
  const lives = new Map<Element, Life>()
  for (const add of operations) {
    if (add.f !== 'add') continue
    const element = add.input
    if (!isElement(element)) throw new InvalidHistory(add.invokedAt, 'an add has a string or a number')
    if (lives.has(element)) throw new InvalidHistory(add.invokedAt, `${element} is added twice`)
    lives.set(element, {
      add,
      knownAt: add.outcome === 'ok' ? add.endedAt : Infinity,
      lastReadAt: -1,
      missedBy: undefined,
      isDuplicated: false,
    })
  }
  return lives
}

/** Notes what each read has and misses; answers how many elements should not be there. */
function followReads(reads: readonly Operation[], lives: ReadonlyMap<Element, Life>, found: Anomalies<SetAnomaly>): number {
  const unexpected = new Set<Element>()
  for (const read of reads) {
    const list = read.output
    if (!Array.isArray(list) || !list.every(isElement)) throw new InvalidHistory(read.endedAt, 'the reply of a read is a list of elements')
    const present = new Set<Element>()
    for (const element of list) {
      const life = lives.get(element)
      const isNew = !present.has(element)
      present.add(element)
      if (life === undefined || life.add.outcome === 'fail' || life.add.invokedAt > read.endedAt) {
        if (unexpected.has(element)) continue
        unexpected.add(element)
        const why =
          life === undefined ? 'which nobody added' : `though ${named(life.add)} ${life.add.outcome === 'fail' ? 'failed' : 'began later'}`
        found.add('unexpected', `${named(read)} has ${element}, ${why}`)
        continue
      }
      life.knownAt = Math.min(life.knownAt, read.endedAt)
      life.lastReadAt = read.endedAt
      if (isNew || life.isDuplicated) continue
      life.isDuplicated = true
      found.add('duplicate', `${named(read)} has ${element} more than once`)
    }
    for (const [element, life] of lives) {
      if (life.knownAt < read.invokedAt && !present.has(element)) life.missedBy = read
    }
  }
  return unexpected.size
}

function isElement(value: unknown): value is Element {
  return typeof value === 'string' || typeof value === 'number'
}

function named({ f, invokedAt, process }: Operation): string {
  return `${f} ${invokedAt} (process ${process})`
}
