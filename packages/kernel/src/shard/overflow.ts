/**
 * Commands whose sender chose to wait for a place in a full mailbox. They get it in the order in which they came, before
 * anybody who comes later, or `MailboxFull` when their time is over.
 */
import { MailboxFull } from '../errors.ts'
import { Deadlines } from '../deadlines.ts'
import type { Deadline } from '../deadlines.ts'
import { refuse } from './answers.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { OverflowPart } from './parts.ts'
import { Fifo } from './fifo.ts'
import { Gauge } from './gauges.ts'

/** A command with the end of its patience. */
interface Entry extends Deadline {
  readonly waiting: Waiting
}

/** Everything that waits for a place on a shard. */
export class Overflow implements OverflowPart {
  readonly #core: ShardCore
  readonly #deadlines: Deadlines<Entry>
  readonly #entries = new Map<Waiting, Entry>()

  constructor(core: ShardCore) {
    this.#core = core
    this.#deadlines = new Deadlines(core.clock, (entry) => this.#expire(entry))
  }

  /** Lets a command wait for a place. */
  add(waiting: Waiting, waitMs: number): void {
    const { cell } = waiting
    cell.overflow ??= new Fifo<Waiting>()
    cell.overflow.push(waiting)
    const entry: Entry = { waiting, dueAt: 0, durationMs: 0, earlier: undefined, later: undefined }
    this.#entries.set(waiting, entry)
    this.#deadlines.add(entry, waitMs)
  }

  /** Gives free places of a mailbox to those who wait for one; `enter` puts a command in. */
  admit(cell: Cell, enter: (waiting: Waiting) => void): void {
    const { limits, waiting } = this.#core
    while (cell.overflow !== undefined && cell.mailbox?.isFull !== true && waiting.size < limits.waitingCommands) {
      const next = cell.overflow.shift()
      if (next === undefined) cell.overflow = undefined
      else if (this.#forget(next)) enter(next)
    }
  }

  /** Everybody who waits for a place, who then waits no more. */
  drain(): readonly Waiting[] {
    const drained = [...this.#entries.keys()]
    this.#entries.clear()
    return drained
  }

  /** Gives places to those who wait because the whole shard was full. */
  admitAll(enter: (waiting: Waiting) => void): void {
    if (this.#entries.size === 0) return
    for (const cell of new Set([...this.#entries.keys()].map((waiting) => waiting.cell))) this.admit(cell, enter)
  }

  /** Stops waiting. */
  close(): void {
    this.#deadlines.close()
  }

  #forget(waiting: Waiting): boolean {
    const entry = this.#entries.get(waiting)
    if (entry === undefined) return false
    this.#entries.delete(waiting)
    this.#deadlines.delete(entry)
    return true
  }

  #expire(entry: Entry): void {
    const { waiting } = entry
    this.#forget(waiting)
    waiting.isWithdrawn = true
    const { cell, call } = waiting
    this.#core.count(Gauge.full)
    refuse(this.#core, cell, call, new MailboxFull(cell.address, 'mailbox', cell.kind.definition.mailbox.capacity))
    this.#core.wake()
  }
}
