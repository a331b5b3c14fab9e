/**
 * Actors with what belongs to each of them alone: journal and open calls. Their timers are in `timer.ts`, their turns in
 * `turn.ts`, their leases in `lease.ts`.
 */
import { BatchInvalid } from '../../errors.ts'
import type {
  ActorChanged,
  ActorCreated,
  JournalEntry,
  JournalTrim,
  OpenCall,
  StoredLease,
  StoredOpenCall,
  StoredTurn,
  TimerSet,
} from '../../store.ts'
import { pair } from '../pair.ts'
import type { Undo } from '../undo.ts'

/** A turn with its frame. */
export interface MemoryTurn extends StoredTurn {
  readonly actor: number
}

/** An actor's row with its journal, timers, open calls, turns and leases. */
export interface MemoryActor extends ActorCreated {
  /** Encoded events by sequence, in no particular order. */
  readonly journal: Map<number, string>
  readonly timers: Map<string, TimerSet>
  readonly openCalls: Map<number, OpenCall>
  readonly turns: Map<number, MemoryTurn>
  readonly leases: Map<string, StoredLease>
}

/** The tables `actor`, `journal` and `open_call`. */
export class MemoryActors {
  readonly #actors = new Map<number, MemoryActor>()
  readonly #numbers = new Map<string, number>()
  readonly #openCalls = new Map<number, OpenCall>()

  find(type: string, key: string): MemoryActor | undefined {
    const number = this.#numbers.get(pair(type, key))
    return number === undefined ? undefined : this.#actors.get(number)
  }

  get(number: number): MemoryActor | undefined {
    return this.#actors.get(number)
  }

  /** The actor with this number; where there is none, the batch is refused. */
  require(number: number, what: string): MemoryActor {
    const actor = this.#actors.get(number)
    if (actor === undefined) throw new BatchInvalid(`actor ${number} ${what}, but does not exist`)
    return actor
  }

  create(row: ActorCreated, undo: Undo[]): void {
    const name = pair(row.type, row.key)
    if (this.#actors.has(row.number)) throw new BatchInvalid(`it creates actor ${row.number}, which exists`)
    if (this.#numbers.has(name)) throw new BatchInvalid(`it creates ${row.type}/${row.key}, which exists`)
    this.#actors.set(row.number, {
      number: row.number,
      type: row.type,
      key: row.key,
      revision: row.revision,
      version: row.version,
      snapshot: row.snapshot,
      journal: new Map(),
      timers: new Map(),
      openCalls: new Map(),
      turns: new Map(),
      leases: new Map(),
    })
    this.#numbers.set(name, row.number)
    undo.push(() => {
      this.#actors.delete(row.number)
      this.#numbers.delete(name)
    })
  }

  change(row: ActorChanged, undo: Undo[]): void {
    const before = this.require(row.number, 'is changed')
    const { revision, version, snapshot } = row
    this.#actors.set(before.number, { ...before, revision, version, snapshot })
    undo.push(() => this.#actors.set(before.number, before))
  }

  append(row: JournalEntry, undo: Undo[]): void {
    const { journal } = this.require(row.actor, 'is written a journal')
    const { sequence } = row
    if (journal.has(sequence)) throw new BatchInvalid(`it journals event ${sequence} of actor ${row.actor} twice`)
    journal.set(sequence, row.event)
    undo.push(() => journal.delete(sequence))
  }

  trim(trim: JournalTrim, undo: Undo[]): void {
    const actor = this.#actors.get(trim.actor)
    if (actor === undefined) return
    const through = Math.min(trim.through, actor.revision)
    for (const [sequence, event] of actor.journal) {
      if (sequence > through) continue
      actor.journal.delete(sequence)
      undo.push(() => actor.journal.set(sequence, event))
    }
  }

  openCall(row: OpenCall, undo: Undo[]): void {
    const { openCalls } = this.require(row.actor, 'opens a call')
    const { sequence, actor, detail } = row
    const before = this.#openCalls.get(sequence)
    const call = { sequence, actor, detail }
    this.#openCalls.set(sequence, call)
    openCalls.set(sequence, call)
    undo.push(() => {
      if (before === undefined) {
        this.#openCalls.delete(sequence)
        openCalls.delete(sequence)
      } else {
        this.#openCalls.set(sequence, before)
        openCalls.set(sequence, before)
      }
    })
  }

  closeCall(sequence: number, undo: Undo[]): void {
    const call = this.#openCalls.get(sequence)
    if (call === undefined) return
    const { openCalls } = this.require(call.actor, 'has an open call')
    this.#openCalls.delete(sequence)
    openCalls.delete(sequence)
    undo.push(() => {
      this.#openCalls.set(sequence, call)
      openCalls.set(sequence, call)
    })
  }
}

/** The open calls of an actor by sequence. */
export function openCallsOf(actor: MemoryActor): StoredOpenCall[] {
  return [...actor.openCalls.values()]
    .map(({ sequence, detail }) => ({ sequence, detail }))
    .sort((left, right) => left.sequence - right.sequence)
}
