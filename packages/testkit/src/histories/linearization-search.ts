/**
 * The search for a linearization of one partition: Wing and Gong's, with the list and the memo of Lowe ("Testing for linearizability",
 * 2017), as in Knossos and Porcupine. Calls and returns of operations that ended `ok` form a doubly linked list; a call in front of the
 * first return may come next. It is lifted out of the list together with its return when it is linearized, and put back when the
 * search comes back. No recursion: what was linearized is a stack.
 *
 * Beyond that, in the order in which it helps:
 * - Operations of unknown end (`info`) are in no list. They are tried last, because most histories need few of them, and a configuration
 *   that needs more of them than a known one is not searched again.
 * - Reads change nothing: as soon as one fits, it is linearized, and nothing else is tried in its stead.
 * - Equal operations are interchangeable: of two that could be next, the one that ends first is.
 * - With a model's foresight, states from which the next reads cannot be answered are given up at once, and states that no read
 *   can see any more are one and the same. An operation of unknown end that nobody can see is not linearized: without it, all goes as well.
 */
import { seededRandom } from '../seeded-random.ts'
import { at, CallList, HEAD } from './call-list.ts'
import type { Operation } from './history.ts'
import type { Model } from './model.ts'
import { earlierTwinsOf, twinsOf } from './twins.ts'
import { fingerprintOf, sameValue } from './values.ts'
import { VisitedConfigurations } from './visited-configurations.ts'
import type { Configuration } from './visited-configurations.ts'

/** What is known so far: all could be linearized, not all can be, or steps are left to take. */
export type SearchVerdict = 'yes' | 'no' | 'open'

/** The most that could be linearized. */
export interface Progress<State> {
  readonly longest: readonly Operation[]
  /** The state after it. */
  readonly state: State
  /** The operation that has to come next, because it has ended before any other that is left; nothing if none is left. */
  readonly blocking: Operation | undefined
  /** Those that were under way at the end of the blocking one. None of them led further. */
  readonly others: readonly Operation[]
}

/** How many entries of the list are looked through in search of the next read. */
const FORESIGHT_MAX = 512
const SEED = 20_170_409

/** The search of one partition. It may be interrupted after any number of steps. */
export class LinearizationSearch<State> {
  /** How often the model was asked. */
  steps = 0

  readonly #model: Model<State>
  /** Those that ended `ok`, in the order of their beginnings, and those of unknown end, too. */
  readonly #certain: readonly Operation[]
  readonly #unknown: readonly Operation[]
  readonly #isRead: Uint8Array

  readonly #list: CallList
  /** For each operation of unknown end, the last entry before its beginning. */
  readonly #begunAfter: Int32Array

  /** Interchangeable operations have the same number; 0 has no equal. */
  readonly #twins: Int32Array
  /** For each operation of unknown end its last equal before it, or -1. */
  readonly #unknownTwin: Int32Array

  // The configuration.
  #state: State
  readonly #bits: Uint32Array
  readonly #unknownBits: Uint32Array
  #bitsHash = 0
  readonly #hashes: Uint32Array
  /** The first return of the list. */
  #limit = 0

  // What was linearized: calls as their entries, operations of unknown end as -1, -2, …
  readonly #stack: Int32Array
  readonly #limits: Int32Array
  readonly #isForced: Uint8Array
  readonly #states: State[] = []
  #depth = 0
  #certainDepth = 0

  // Where the search goes on.
  #isFresh = true
  #isAtUnknown = false
  #cursor = HEAD

  readonly #visited: VisitedConfigurations<State>
  #bestStack = new Int32Array(0)
  #bestDepth = -1

  /**
   * @param operations Of one partition, in the order in which they began, without those that failed and without reads of unknown end.
   */
  constructor(model: Model<State>, operations: readonly Operation[]) {
    this.#model = model
    this.#state = model.initial
    this.#certain = operations.filter(({ outcome }) => outcome === 'ok')
    this.#unknown = operations.filter(({ outcome }) => outcome !== 'ok')
    this.#isRead = Uint8Array.from(this.#certain, (operation) => (model.isRead?.(operation) === true ? 1 : 0))

    const count = this.#certain.length
    this.#list = new CallList(this.#certain)
    this.#begunAfter = this.#list.entriesBefore(this.#unknown)
    this.#twins = twinsOf(this.#certain)
    this.#unknownTwin = earlierTwinsOf(this.#unknown)
    this.#bits = new Uint32Array((count >>> 5) + 1)
    this.#unknownBits = new Uint32Array((this.#unknown.length + 31) >>> 5)
    const random = seededRandom(SEED)
    this.#hashes = Uint32Array.from({ length: count }, () => random() * 2 ** 32)
    this.#stack = new Int32Array(operations.length)
    this.#limits = new Int32Array(operations.length)
    this.#isForced = new Uint8Array(operations.length)
    const { hash = fingerprintOf, equal = sameValue } = model
    this.#visited = new VisitedConfigurations({ hash, equal }, this.#unknownBits.length)
  }

  /**
   * Goes on for about so many steps.
   *
   * @param bytesMax How much memory the memo may take, roughly.
   */
  advance(steps: number, bytesMax: number): SearchVerdict {
    const until = this.steps + steps
    while (this.steps < until) {
      if (this.#isFresh) {
        this.#linearizeReads()
        if (at(this.#list.next, HEAD) === HEAD) return 'yes'
        if (!this.#isWorthwhile(bytesMax)) {
          if (!this.#goBack()) return 'no'
          continue
        }
        this.#isFresh = false
        this.#isAtUnknown = false
        this.#cursor = at(this.#list.next, HEAD)
      }
      const isStuck = this.#isAtUnknown ? !this.#tryUnknown() : !this.#tryCall()
      if (isStuck && !this.#goBack()) return 'no'
    }
    return 'open'
  }

  /** Ends the search: the most that could be linearized. It is no more to be advanced. */
  conclude(): Progress<State> {
    this.#noteBest()
    while (this.#depth > 0) this.#pop()
    for (const entry of this.#bestStack) this.#push(entry, this.#model.step(this.#state, this.#operationAt(entry)) as State, 0)
    // The search gives up early where nothing can come of it. People want to see the operation that cannot be.
    let isStuck = false
    while (!isStuck) {
      this.#linearizeReads()
      isStuck = this.#limit === HEAD || !this.#pushAny()
    }
    return this.#progressHere()
  }

  /** Linearizes all reads that fit, and finds the first return. */
  #linearizeReads(): void {
    let before = HEAD
    let entry = at(this.#list.next, HEAD)
    while (entry !== HEAD && at(this.#list.returnOf, entry) !== 0) {
      if (!this.#linearizeRead(entry)) before = entry
      // A lifted entry does not know its next one any more.
      entry = at(this.#list.next, before)
    }
    this.#limit = entry
  }

  #linearizeRead(call: number): boolean {
    const operation = at(this.#list.operationOf, call)
    if (this.#isRead[operation] === 0) return false
    this.steps += 1
    if (this.#model.step(this.#state, this.#certain[operation] as Operation) === undefined) return false
    this.#push(call, this.#state, 1)
    return true
  }

  /** Tries the next call. False if there is no further one, neither of known nor of unknown end. */
  #tryCall(): boolean {
    const call = this.#cursor
    if (call === this.#limit) {
      this.#isAtUnknown = true
      this.#cursor = 0
      return true
    }
    this.#cursor = at(this.#list.next, call)
    const operation = at(this.#list.operationOf, call)
    // A read that fitted would be linearized already.
    if (this.#isRead[operation] === 1 || this.#hasTwinThatEndsFirst(call)) return true
    this.steps += 1
    const state = this.#model.step(this.#state, this.#certain[operation] as Operation)
    if (state !== undefined) this.#push(call, state, 0)
    return true
  }

  /** Tries the next operation of unknown end. False if there is none. */
  #tryUnknown(): boolean {
    const number = this.#cursor
    if (number >= this.#unknown.length || at(this.#begunAfter, number) >= this.#limit) return false
    this.#cursor += 1
    const twin = at(this.#unknownTwin, number)
    if (this.#isUsed(number) || (twin !== -1 && !this.#isUsed(twin))) return true
    this.steps += 1
    const state = this.#model.step(this.#state, this.#unknown[number] as Operation)
    // One that changes nothing is better left for later.
    if (state !== undefined && !(this.#model.equal ?? sameValue)(state, this.#state)) this.#push(-1 - number, state, 0)
    return true
  }

  #isUsed(number: number): boolean {
    return (at(this.#unknownBits, number >>> 5) & (1 << (number & 31))) !== 0
  }

  #hasTwinThatEndsFirst(call: number): boolean {
    const twins = at(this.#twins, at(this.#list.operationOf, call))
    if (twins === 0) return false
    for (let other = at(this.#list.next, HEAD); other !== this.#limit; other = at(this.#list.next, other)) {
      if (at(this.#twins, at(this.#list.operationOf, other)) === twins && at(this.#list.returnOf, other) < at(this.#list.returnOf, call))
        return true
    }
    return false
  }

  #push(entry: number, state: State, isForced: 0 | 1): void {
    this.#stack[this.#depth] = entry
    this.#limits[this.#depth] = this.#limit
    this.#isForced[this.#depth] = isForced
    this.#states[this.#depth] = this.#state
    this.#depth += 1
    this.#state = state
    this.#isFresh = true
    this.#turn(entry)
    if (entry < 0) return
    this.#certainDepth += 1
    this.#list.lift(entry)
  }

  /** Takes the last choice back. False if there was none. */
  #goBack(): boolean {
    this.#noteBest()
    let wasForced = true
    while (wasForced) {
      if (this.#depth === 0) return false
      wasForced = this.#pop()
    }
    this.#isFresh = false
    return true
  }

  /** Takes the last operation back, and answers whether it had come without a choice. The next one to try is that after it. */
  #pop(): boolean {
    this.#depth -= 1
    const entry = at(this.#stack, this.#depth)
    this.#limit = at(this.#limits, this.#depth)
    this.#state = this.#states[this.#depth] as State
    this.#turn(entry)
    this.#isAtUnknown = entry < 0
    if (entry < 0) this.#cursor = -entry
    else {
      this.#certainDepth -= 1
      this.#list.putBack(entry)
      this.#cursor = at(this.#list.next, entry)
    }
    return this.#isForced[this.#depth] === 1
  }

  #turn(entry: number): void {
    if (entry < 0) {
      const number = -1 - entry
      this.#unknownBits[number >>> 5] = at(this.#unknownBits, number >>> 5) ^ (1 << (number & 31))
      return
    }
    const operation = at(this.#list.operationOf, entry)
    this.#bits[operation >>> 5] = at(this.#bits, operation >>> 5) ^ (1 << (operation & 31))
    this.#bitsHash ^= at(this.#hashes, operation)
  }

  /** Whether the configuration is new, and something could come of it. */
  #isWorthwhile(bytesMax: number): boolean {
    const prospect = this.#prospect()
    if (prospect === 'none') return false
    const first = at(this.#list.operationOf, at(this.#list.next, HEAD))
    const configuration: Configuration = {
      certain: this.#bits,
      firstWord: first >>> 5,
      // What is linearized began before the first return.
      lastWord: (at(this.#list.callsUntil, this.#limit) - 1) >>> 5,
      certainHash: this.#bitsHash >>> 0,
      unknown: this.#unknownBits,
    }
    return this.#visited.add(configuration, prospect === 'unseen' ? undefined : this.#state, bytesMax)
  }

  /** Whether the reads to come can be answered: perhaps, not at all, or only after the state was replaced, so that nobody sees it. */
  #prospect(): 'some' | 'unseen' | 'none' {
    const { foresight } = this.#model
    if (foresight === undefined) return 'some'
    let left = FORESIGHT_MAX
    let isSeen = false
    let entry = at(this.#list.next, HEAD)
    for (; entry !== HEAD; entry = at(this.#list.next, entry)) {
      if (--left === 0) return 'some'
      const operation = at(this.#list.operationOf, entry)
      if (this.#isRead[operation] === 0) continue
      const leads = foresight.leadsTo(this.#state, this.#certain[operation] as Operation)
      if (at(this.#list.returnOf, entry) !== 0) isSeen ||= leads
      else if (leads) return 'some'
      else break
    }
    // The read that ends first, at `entry`, must come after an operation that replaces the state. Whatever comes before that began before that end.
    const isUnknownLast = this.#depth > 0 && at(this.#stack, this.#depth - 1) < 0
    if (isUnknownLast && !isSeen) return 'none'
    if (entry !== HEAD && !this.#canBeReplaced(entry)) return 'none'
    return isSeen ? 'some' : 'unseen'
  }

  /** Whether an operation that may come before the end of a read replaces the state by one that leads to the read. */
  #canBeReplaced(end: number): boolean {
    const { foresight, step } = this.#model
    const read = this.#certain[at(this.#list.operationOf, end)] as Operation
    const helps = (operation: Operation): boolean => {
      if (foresight?.replaces(operation) !== true) return false
      const state = step(this.#state, operation)
      return state !== undefined && foresight.leadsTo(state, read)
    }
    for (let entry = at(this.#list.next, HEAD); entry !== end; entry = at(this.#list.next, entry)) {
      if (at(this.#list.returnOf, entry) !== 0 && helps(this.#certain[at(this.#list.operationOf, entry)] as Operation)) return true
    }
    for (let number = 0; number < this.#unknown.length && at(this.#begunAfter, number) < end; number++) {
      if (!this.#isUsed(number) && helps(this.#unknown[number] as Operation)) return true
    }
    return false
  }

  /** Noted only when the search is stuck: on the straight way it would cost a copy per step. */
  #noteBest(): void {
    if (this.#certainDepth <= this.#bestDepth) return
    this.#bestDepth = this.#certainDepth
    this.#bestStack = this.#stack.slice(0, this.#depth)
  }

  /** Linearizes the operation that has to be next, or any other, or one of unknown end after which the former fits. False if none fits. */
  #pushAny(): boolean {
    const { step } = this.#model
    const calls: number[] = []
    for (let entry = at(this.#list.next, HEAD); entry !== this.#limit; entry = at(this.#list.next, entry)) calls.push(entry)
    const due = this.#operationAt(this.#limit)
    calls.sort((left, right) => Number(this.#operationAt(right) === due) - Number(this.#operationAt(left) === due))
    for (const call of calls) {
      const state = step(this.#state, this.#operationAt(call))
      if (state === undefined) continue
      this.#push(call, state, 0)
      return true
    }
    for (let number = 0; number < this.#unknown.length && at(this.#begunAfter, number) < this.#limit; number++) {
      const state = this.#isUsed(number) ? undefined : step(this.#state, this.#operationAt(-1 - number))
      if (state === undefined || step(state, due) === undefined) continue
      this.#push(-1 - number, state, 0)
      return true
    }
    return false
  }

  #progressHere(): Progress<State> {
    const longest = Array.from(this.#stack.subarray(0, this.#depth), (entry) => this.#operationAt(entry))
    const blocking = this.#limit === HEAD ? undefined : this.#operationAt(this.#limit)
    const others: Operation[] = []
    for (let entry = at(this.#list.next, HEAD); entry !== this.#limit; entry = at(this.#list.next, entry))
      others.push(this.#operationAt(entry))
    return { longest, state: this.#state, blocking, others: others.filter((operation) => operation !== blocking) }
  }

  #operationAt(entry: number): Operation {
    return (entry < 0 ? this.#unknown[-1 - entry] : this.#certain[at(this.#list.operationOf, entry)]) as Operation
  }
}
