/**
 * Who is guilty of a thread's death. What a thread serves stands in its counters, so it can be read after the thread is gone.
 *
 * A stored command or timer that was being served would be served again by the next thread. If it hung the thread or made it
 * exit, it is given to the next thread as poison at once; if the thread died of something else, which may have been chance, at
 * its second death. What came from another actor of the same batch has no number yet: then the next thread is careful,
 * and finds one.
 */
import type { Accused, Poison, ThreadEnd } from '../seams/seams.ts'
import { Gauge } from '../shard/gauges.ts'

/** How much poison is remembered, and how many suspects. Beyond it the oldest is forgotten, and would have to be found again. */
const REMEMBERED_MAX = 1_000

const KINDS = ['stored command', 'effect', 'turn'] as const

/** What a thread was serving. A number is 0 if there is none. */
export interface Serving {
  /** Position of the shard. */
  readonly shard: number
  /** Position of the shard among those of the thread. */
  readonly index: number
  /** The caller's number of the call. */
  readonly call: number
  /** Sequence of the stored command. */
  readonly sequence: number
  /** Generation of the timer. */
  readonly generation: number
  /** What the sequence belongs to. */
  readonly kind: 'stored command' | 'effect' | 'turn'
}

/** What the shards of a thread were serving, by their counters; a thread serves one thing at a time. */
export function servingOf(shards: readonly number[], gauges: readonly Float64Array[]): Serving | undefined {
  for (const [index, shard] of shards.entries()) {
    const values = gauges[index]
    if (values?.[Gauge.isServing] !== 1) continue
    const at = (gauge: number): number => values[gauge] ?? 0
    const kind = KINDS[at(Gauge.servingKind)] ?? 'stored command'
    return { shard, index, call: at(Gauge.servingCall), sequence: at(Gauge.servingSequence), generation: at(Gauge.servingGeneration), kind }
  }
  return undefined
}

/** What the threads of one slot have died of. */
export class ThreadGuilt {
  #poison: readonly Poison[] = []
  /** Stored commands and timers that a thread has died of once. */
  readonly #suspects = new Set<string>()
  #isCareful = false
  #accused: Accused | undefined

  /** What the next thread must not serve. */
  get poison(): readonly Poison[] {
    return this.#poison
  }

  /** Whose command the last thread has died of, if it was one that somebody outside had asked for: it will not come again by itself. */
  get accused(): Accused | undefined {
    return this.#accused
  }

  /** Whether the next thread has to find out what the last one has died of. */
  get isCareful(): boolean {
    return this.#isCareful
  }

  /** Notes a death. */
  accuse(
    serving: Serving | undefined,
    how: ThreadEnd['how'],
    reason: string,
    subject?: { readonly address: string; readonly command: string },
  ): void {
    this.#isCareful = false
    this.#accused = undefined
    if (serving === undefined) return
    const { call, generation, sequence, shard } = serving
    if (sequence === 0 && generation === 0) {
      // A call has told its caller already, and will not come again by itself.
      this.#isCareful = call === 0
      // What else a thread dies of, such as lack of memory, may be chance.
      if (subject !== undefined && how !== 'failed') this.#accused = { shard, actor: subject.address, command: subject.command, reason }
      return
    }
    const suspect = `${shard}/${sequence}/${generation}`
    if (how === 'failed' && !this.#suspects.has(suspect)) {
      this.#suspects.add(suspect)
      for (const oldest of this.#suspects) {
        if (this.#suspects.size <= REMEMBERED_MAX) break
        this.#suspects.delete(oldest)
      }
      return
    }
    this.#suspects.delete(suspect)
    const found = { shard, ...(sequence > 0 ? { sequence } : {}), ...(generation > 0 ? { generation } : {}), reason }
    this.#poison = [...this.#poison, found].slice(-REMEMBERED_MAX)
  }
}
