/**
 * Which configurations a search has seen: the linearized operations that ended `ok`, those of unknown end, and the state they left.
 *
 * A configuration is also known if a better one is: the same but for fewer operations of unknown end, which leaves more to choose
 * from. The memory is bounded: there are two generations, and when the young one is full, the old one is forgotten. What is forgotten
 * may be searched again; no answer depends on it.
 */
import { textHash } from './values.ts'

/** How states are compared. */
export interface StateIdentity<State> {
  readonly hash: (state: State) => string | number
  readonly equal: (left: State, right: State) => boolean
}

/** A configuration. The arrays are read, not kept. */
export interface Configuration {
  /** A bit for each linearized operation that ended `ok`; outside of `firstWord` to `lastWord` all bits follow from the rest. */
  readonly certain: Uint32Array
  readonly firstWord: number
  readonly lastWord: number
  /** A hash of `certain`. */
  readonly certainHash: number
  /** A bit for each linearized operation of unknown end. */
  readonly unknown: Uint32Array
}

/** Longer chains of the same hash are not looked through to the end: what is not found there is searched again. */
const CHAIN_MAX = 256
const FIRST_WORDS = 1024
/** What an entry of a chain costs beside its own words, and a state beside its text; estimates, in bytes. */
const ENTRY_BYTES = 8
const STATE_BYTES = 120

// An entry: the position of the next one of its chain, its hash, its state, its first word and their number; then the words.
const NEXT = 0
const HASH = 1
const STATE = 2
const FIRST = 3
const COUNT = 4
const HEADER = 5

/** See above. `unknownWords` is the length of `unknown` of every configuration. */
export class VisitedConfigurations<State> {
  #young: Generation<State>
  #old: Generation<State> | undefined
  readonly #identity: StateIdentity<State>
  readonly #unknownWords: number

  constructor(identity: StateIdentity<State>, unknownWords: number) {
    this.#identity = identity
    this.#unknownWords = unknownWords
    this.#young = new Generation(identity, unknownWords)
  }

  /**
   * Adds a configuration, and answers whether it was new.
   *
   * @param state `undefined` if nothing of it can ever be seen: all such states are the same.
   * @param bytesMax How much memory there is for all, roughly.
   */
  add(configuration: Configuration, state: State | undefined, bytesMax: number): boolean {
    // States are hashed once, for both generations.
    const hash = state === undefined ? 0 : numberOf(this.#identity.hash(state))
    if (this.#old?.has(configuration, state, hash) === true) return false
    if (this.#young.bytes > bytesMax / 2) {
      this.#old = this.#young
      this.#young = new Generation(this.#identity, this.#unknownWords)
    }
    return this.#young.add(configuration, state, hash)
  }
}

class Generation<State> {
  /** First entry of each chain, by hash; a power of two many. 0 is none. */
  #chains = new Uint32Array(FIRST_WORDS)
  #words = new Uint32Array(FIRST_WORDS)
  #wordCount = 1
  #entryCount = 0
  #stateBytes = 0
  readonly #states: State[] = []
  readonly #statesByHash = new Map<number, number[]>()
  readonly #identity: StateIdentity<State>
  readonly #unknownWords: number

  constructor(identity: StateIdentity<State>, unknownWords: number) {
    this.#identity = identity
    this.#unknownWords = unknownWords
  }

  get bytes(): number {
    return this.#wordCount * 4 + this.#entryCount * ENTRY_BYTES + this.#stateBytes
  }

  has(configuration: Configuration, state: State | undefined, stateHash: number): boolean {
    const id = state === undefined ? 0 : this.#find(state, stateHash)
    return id !== undefined && this.#hasEntry(configuration, id, hashOf(configuration, stateHash))
  }

  add(configuration: Configuration, state: State | undefined, stateHash: number): boolean {
    const known = state === undefined ? 0 : this.#find(state, stateHash)
    const hash = hashOf(configuration, stateHash)
    if (known !== undefined && this.#hasEntry(configuration, known, hash)) return false
    this.#insert(configuration, known ?? this.#keep(state as State, stateHash), hash)
    return true
  }

  /** The number of a state, from 1. */
  #find(state: State, hash: number): number | undefined {
    return this.#statesByHash.get(hash)?.find((id) => this.#identity.equal(this.#states[id - 1] as State, state))
  }

  #keep(state: State, hash: number): number {
    const id = this.#states.push(state)
    const same = this.#statesByHash.get(hash)
    if (same) same.push(id)
    else this.#statesByHash.set(hash, [id])
    this.#stateBytes += STATE_BYTES + sizeOf(state, this.#identity)
    return id
  }

  #hasEntry({ certain, firstWord, lastWord, unknown }: Configuration, state: number, hash: number): boolean {
    const words = this.#words
    const count = Math.max(0, lastWord - firstWord + 1)
    let left = CHAIN_MAX
    // Typed arrays answer numbers within their bounds, and entries lie within them.
    for (let at = this.#chains[hash & (this.#chains.length - 1)] as number; at !== 0; at = words[at + NEXT] as number) {
      if (words[at + HASH] !== hash || words[at + STATE] !== state || words[at + FIRST] !== firstWord) continue
      if (words[at + COUNT] === count && this.#isBetter(at + HEADER, certain, firstWord, count, unknown)) return true
      if (--left === 0) return false
    }
    return false
  }

  /** The same certain operations, and no operation of unknown end that is not in `unknown` as well. */
  #isBetter(at: number, certain: Uint32Array, firstWord: number, count: number, unknown: Uint32Array): boolean {
    const words = this.#words
    for (let word = 0; word < count; word++) if (words[at + word] !== certain[firstWord + word]) return false
    const from = at + count
    for (let word = 0; word < this.#unknownWords; word++)
      if (((words[from + word] as number) & ~(unknown[word] as number)) !== 0) return false
    return true
  }

  #insert({ certain, firstWord, lastWord, unknown }: Configuration, state: number, hash: number): void {
    const count = Math.max(0, lastWord - firstWord + 1)
    const size = HEADER + count + this.#unknownWords
    if (this.#wordCount + size > this.#words.length) this.#words = grown(this.#words, this.#wordCount + size)
    if (this.#entryCount >= this.#chains.length) this.#rechain()
    const at = this.#wordCount
    const slot = hash & (this.#chains.length - 1)
    this.#words[at + NEXT] = this.#chains[slot] as number
    this.#words[at + HASH] = hash
    this.#words[at + STATE] = state
    this.#words[at + FIRST] = firstWord
    this.#words[at + COUNT] = count
    for (let word = 0; word < count; word++) this.#words[at + HEADER + word] = certain[firstWord + word] as number
    for (let word = 0; word < this.#unknownWords; word++) this.#words[at + HEADER + count + word] = unknown[word] as number
    this.#chains[slot] = at
    this.#wordCount += size
    this.#entryCount += 1
  }

  #rechain(): void {
    const chains = new Uint32Array(this.#chains.length * 4)
    const words = this.#words
    for (let at = 1; at < this.#wordCount; at += HEADER + (words[at + COUNT] as number) + this.#unknownWords) {
      const slot = (words[at + HASH] as number) & (chains.length - 1)
      words[at + NEXT] = chains[slot] as number
      chains[slot] = at
    }
    this.#chains = chains
  }
}

function hashOf({ certainHash }: Configuration, stateHash: number): number {
  const mixed = Math.imul(certainHash ^ Math.imul(stateHash ^ (stateHash >>> 16), 0x85ebca6b), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

function numberOf(hash: string | number): number {
  return typeof hash === 'string' ? textHash(hash) : hash >>> 0
}

/** About as many bytes as the state takes. */
function sizeOf<State>(state: State, { hash }: StateIdentity<State>): number {
  if (typeof state === 'string') return state.length * 2
  if (typeof state !== 'object') return 0
  const text = hash(state)
  return typeof text === 'string' ? text.length * 4 : 0
}

function grown(words: Uint32Array, least: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(words.length * 2, least))
  larger.set(words)
  return larger
}
