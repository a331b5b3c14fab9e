/**
 * What one shard of the memory disk holds: the tables of the SQLite schema as maps, and the rules between them.
 *
 * Rows are copied on their way in and are never changed afterwards, only replaced; so what a reader was given stays as it
 * was. Every change is noted with its undoing, which is how a batch that fails halfway disappears as a whole.
 */
import { BatchInvalid } from '../errors.ts'
import type {
  ActorChanged,
  ActorCreated,
  Batch,
  DueTimer,
  InboxCommand,
  JournalEntry,
  JournalTrim,
  OutcomeRecorded,
  StoredOutcome,
  TimerCleared,
  TimerSet,
} from '../store.ts'
import { Ordered } from './ordered.ts'

/** An actor's row with its journal and timers. */
export interface MemoryActor extends ActorCreated {
  /** Encoded events by sequence, in no particular order. */
  readonly journal: Map<number, string>
  readonly timers: Map<string, TimerSet>
}

/** Takes one change back. */
export type Undo = () => void

/** The tables of one shard. */
export class MemoryTables {
  readonly #actors = new Map<number, MemoryActor>()
  readonly #numbers = new Map<string, number>()
  readonly #inbox = new Map<number, InboxCommand>()
  readonly #outcomes = new Map<string, OutcomeRecorded>()
  readonly #expiries = new Ordered<OutcomeRecorded>(byExpiry)
  readonly #timers = new Ordered<TimerSet>(byDue)

  /** Makes the changes of a batch in the order of its fields, noting in `undo` how each is taken back. */
  apply(batch: Batch, undo: Undo[]): void {
    for (const row of batch.created) this.#create(row, undo)
    for (const row of batch.changed) this.#change(row, undo)
    for (const row of batch.journal) this.#append(row, undo)
    for (const trim of batch.journalTrims) this.#trim(trim, undo)
    for (const row of batch.accepted) this.#accept(row, undo)
    for (const sequence of batch.finished) this.#finish(sequence, undo)
    for (const row of batch.outcomes) this.#record(row, batch.at, undo)
    for (const row of batch.timersCleared) this.#clear(row, undo)
    for (const row of batch.timersSet) this.#set(row, undo)
  }

  find(type: string, key: string): MemoryActor | undefined {
    const number = this.#numbers.get(pair(type, key))
    return number === undefined ? undefined : this.#actors.get(number)
  }

  /** The inbox by sequence. */
  inbox(): InboxCommand[] {
    return [...this.#inbox.values()].sort((left, right) => left.sequence - right.sequence).map(copyCommand)
  }

  outcome(scope: string, key: string, now: number): StoredOutcome | undefined {
    const row = this.#outcomes.get(pair(scope, key))
    if (row === undefined || row.expiresAt <= now) return undefined
    return { fingerprint: row.fingerprint, outcome: row.outcome, expiresAt: row.expiresAt }
  }

  /** Deletes up to `limit` outcomes that have expired at `now`, the oldest first. */
  expire(now: number, limit: number): number {
    let count = 0
    for (let row = this.#expiries.at(0); row !== undefined && row.expiresAt <= now && count < limit; row = this.#expiries.at(0)) {
      this.#expiries.remove(row)
      this.#outcomes.delete(pair(row.scope, row.key))
      count += 1
    }
    return count
  }

  due(now: number, limit: number): DueTimer[] {
    const due: DueTimer[] = []
    for (let position = 0; due.length < limit; position += 1) {
      const timer = this.#timers.at(position)
      if (timer === undefined || timer.dueAt > now) break
      const { type, key } = this.#actor(timer.actor, 'has a timer')
      due.push({ actor: timer.actor, name: timer.name, generation: timer.generation, dueAt: timer.dueAt, event: timer.event, type, key })
    }
    return due
  }

  nextDueAt(): number | undefined {
    return this.#timers.at(0)?.dueAt
  }

  #create(row: ActorCreated, undo: Undo[]): void {
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
    })
    this.#numbers.set(name, row.number)
    undo.push(() => {
      this.#actors.delete(row.number)
      this.#numbers.delete(name)
    })
  }

  #change(row: ActorChanged, undo: Undo[]): void {
    const before = this.#actor(row.number, 'is changed')
    const { number, type, key, journal, timers } = before
    this.#actors.set(number, { number, type, key, revision: row.revision, version: row.version, snapshot: row.snapshot, journal, timers })
    undo.push(() => this.#actors.set(before.number, before))
  }

  #append(row: JournalEntry, undo: Undo[]): void {
    const { journal } = this.#actor(row.actor, 'is written a journal')
    const { sequence } = row
    if (journal.has(sequence)) throw new BatchInvalid(`it journals event ${sequence} of actor ${row.actor} twice`)
    journal.set(sequence, row.event)
    undo.push(() => journal.delete(sequence))
  }

  #trim(trim: JournalTrim, undo: Undo[]): void {
    const actor = this.#actors.get(trim.actor)
    if (actor === undefined) return
    const through = Math.min(trim.through, actor.revision)
    for (const [sequence, event] of actor.journal) {
      if (sequence > through) continue
      actor.journal.delete(sequence)
      undo.push(() => actor.journal.set(sequence, event))
    }
  }

  #accept(row: InboxCommand, undo: Undo[]): void {
    const { sequence } = row
    if (this.#inbox.has(sequence)) throw new BatchInvalid(`it accepts inbox sequence ${sequence} twice`)
    this.#inbox.set(sequence, copyCommand(row))
    undo.push(() => this.#inbox.delete(sequence))
  }

  #finish(sequence: number, undo: Undo[]): void {
    const row = this.#inbox.get(sequence)
    if (row === undefined) return
    this.#inbox.delete(sequence)
    undo.push(() => this.#inbox.set(sequence, row))
  }

  #record(row: OutcomeRecorded, at: number, undo: Undo[]): void {
    const name = pair(row.scope, row.key)
    const before = this.#outcomes.get(name)
    if (before !== undefined && before.expiresAt > at) {
      throw new BatchInvalid(`it records an outcome for ${row.scope} ${row.key}, which has one that still counts`)
    }
    const { scope, key, fingerprint, outcome, expiresAt } = row
    const after = { scope, key, fingerprint, outcome, expiresAt }
    if (before !== undefined) this.#expiries.remove(before)
    this.#outcomes.set(name, after)
    this.#expiries.add(after)
    undo.push(() => {
      this.#expiries.remove(after)
      this.#outcomes.delete(name)
      if (before === undefined) return
      this.#outcomes.set(name, before)
      this.#expiries.add(before)
    })
  }

  #clear(row: TimerCleared, undo: Undo[]): void {
    const timers = this.#actors.get(row.actor)?.timers
    const before = timers?.get(row.name)
    if (timers === undefined || before === undefined) return
    if (row.generation !== undefined && row.generation !== before.generation) return
    timers.delete(before.name)
    this.#timers.remove(before)
    undo.push(() => {
      timers.set(before.name, before)
      this.#timers.add(before)
    })
  }

  #set(row: TimerSet, undo: Undo[]): void {
    const { timers } = this.#actor(row.actor, 'is set a timer')
    const { actor, name, generation, dueAt, event } = row
    const before = timers.get(name)
    const after = { actor, name, generation, dueAt, event }
    if (before !== undefined) this.#timers.remove(before)
    timers.set(name, after)
    this.#timers.add(after)
    undo.push(() => {
      this.#timers.remove(after)
      timers.delete(name)
      if (before === undefined) return
      timers.set(name, before)
      this.#timers.add(before)
    })
  }

  #actor(number: number, what: string): MemoryActor {
    const actor = this.#actors.get(number)
    if (actor === undefined) throw new BatchInvalid(`actor ${number} ${what}, but does not exist`)
    return actor
  }
}

/** Two texts as one, so that different pairs never look the same, whatever characters they hold. */
function pair(first: string, second: string): string {
  return `${first.length}:${first}${second}`
}

function byDue(left: TimerSet, right: TimerSet): number {
  return left.dueAt - right.dueAt || left.generation - right.generation || left.actor - right.actor || byText(left.name, right.name)
}

function byExpiry(left: OutcomeRecorded, right: OutcomeRecorded): number {
  return left.expiresAt - right.expiresAt || byText(left.scope, right.scope) || byText(left.key, right.key)
}

function byText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

function copyCommand(row: InboxCommand): InboxCommand {
  const { sequence, id, type, key, command, lane, input, at } = row
  const idempotency = row.idempotency && { key: row.idempotency.key, fingerprint: row.idempotency.fingerprint }
  return { sequence, id, type, key, command, lane, input, idempotency, at }
}
