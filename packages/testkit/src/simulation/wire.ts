/** The way between a shard and its caller in a simulation: two ends, each with a lane in which texts become events. */
import type { Transport } from '@bailiwick/kernel/seams'
import type { Agenda, Lane } from './agenda.ts'

/** One end. A text can be polled as soon as it was sent; the event that announces it comes when its lane goes on. */
export class WireEnd implements Transport {
  readonly #agenda: Agenda
  /** In which the events of this end wait. */
  readonly #lane: Lane
  readonly #texts: string[] = []
  readonly #urgent: string[] = []
  #other: WireEnd | undefined
  #listener: ((text: string) => void) | undefined
  #isAnnounced = false
  #isClosed = false
  /** May let a text through, change it, or keep it back. */
  filter: ((text: string) => string | undefined) | undefined

  constructor(agenda: Agenda, lane: Lane) {
    this.#agenda = agenda
    this.#lane = lane
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  connect(other: WireEnd): void {
    this.#other = other
  }

  send(text: string, isUrgent = false): void {
    const passed = this.filter === undefined ? text : this.filter(text)
    if (passed !== undefined) this.#other?.arrive(passed, isUrgent)
  }

  poll(): string | undefined {
    return this.#texts.shift()
  }

  pollUrgent(): string | undefined {
    return this.#urgent.shift()
  }

  onText(listener: (text: string) => void): void {
    this.#listener = listener
    this.#announce()
  }

  close(): void {
    this.#isClosed = true
    const other = this.#other
    this.#other = undefined
    other?.close()
  }

  /** Takes a text, as from the other end. */
  arrive(text: string, isUrgent = false): void {
    if (this.#isClosed) return
    if (isUrgent) this.#urgent.push(text)
    else this.#texts.push(text)
    this.#announce()
  }

  #announce(): void {
    if (this.#isAnnounced || this.#isClosed || this.#listener === undefined || this.#texts.length + this.#urgent.length === 0) return
    this.#isAnnounced = true
    this.#agenda.post(this.#lane, () => {
      this.#isAnnounced = false
      const text = this.#isClosed ? undefined : (this.#urgent.shift() ?? this.#texts.shift())
      if (text !== undefined) this.#listener?.(text)
      this.#announce()
    })
  }
}

/** Two connected ends: the caller's, whose events wait in `answers`, and the shard's, whose events wait in `shard`. */
export function wireBetween(agenda: Agenda, answers: Lane, shard: Lane): readonly [caller: WireEnd, shard: WireEnd] {
  const callerEnd = new WireEnd(agenda, answers)
  const shardEnd = new WireEnd(agenda, shard)
  callerEnd.connect(shardEnd)
  shardEnd.connect(callerEnd)
  return [callerEnd, shardEnd]
}
