/**
 * Commands whose sender chose to wait for a place. They get it in the order in which they came, before anybody who comes
 * later, or `MailboxFull` when their time is over. Who was refused by the shard waits in one line for all actors; who was
 * refused by a mailbox waits at that actor.
 */
import { Deadlines } from '../deadlines.ts'
import type { Deadline } from '../deadlines.ts'
import type { MailboxFull } from '../errors.ts'
import { refuse } from './answers.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import { nameWaiting, unnameWaiting } from './natural.ts'
import type { OverflowPart } from './parts.ts'

/** A command with the end of its patience. */
interface Entry extends Deadline {
  readonly waiting: Waiting
  /** What it was refused with, and is again if it waits in vain. */
  readonly refusal: MailboxFull
}

/** Everything that waits for a place on a shard. */
export class Overflow implements OverflowPart {
  readonly #core: ShardCore
  readonly #deadlines: Deadlines<Entry>
  readonly #entries = new Map<Waiting, Entry>()
  /** Those who wait for the shard. */
  readonly #line = new Set<Waiting>()

  constructor(core: ShardCore) {
    this.#core = core
    this.#deadlines = new Deadlines(core.clock, (entry) => this.#expire(entry))
  }

  get isShardAwaited(): boolean {
    return this.#line.size > 0
  }

  add(waiting: Waiting, refusal: MailboxFull, waitMs: number): void {
    // Also who waits for the shard is noted at the actor, so that the actor does not leave memory under it.
    joinLineOf(waiting)
    if (refusal.scope === 'shard') this.#line.add(waiting)
    nameWaiting(waiting)
    const entry: Entry = { waiting, refusal, dueAt: 0, durationMs: 0, earlier: undefined, later: undefined }
    this.#entries.set(waiting, entry)
    this.#deadlines.add(entry, waitMs)
  }

  /** Gives free places to those who wait for one, on the shard and at an actor that was just served; `enter` puts a command in. */
  admit(cell: Cell, enter: (waiting: Waiting) => void): void {
    for (const waiting of this.#line) {
      if (this.#isShardFull) return
      this.#line.delete(waiting)
      if (!isFull(waiting)) this.#enter(waiting, enter)
    }
    for (const waiting of cell.overflow ?? []) {
      if (this.#isShardFull || cell.mailbox?.isFull === true) return
      if (!this.#line.has(waiting)) this.#enter(waiting, enter)
    }
  }

  /** Refuses the asks that wait for a place at an actor that is held back. */
  refuseAsks(cell: Cell, refusal: Error): void {
    for (const waiting of cell.overflow ?? []) {
      if (waiting.tag !== 'ask') continue
      this.#forget(waiting)
      unnameWaiting(waiting)
      waiting.isWithdrawn = true
      refuse(this.#core, cell, waiting.call, refusal)
    }
  }

  /** Everybody who waits for a place, who then waits no more. */
  drain(): readonly Waiting[] {
    const drained = [...this.#entries.keys()]
    for (const waiting of drained) this.#forget(waiting)
    return drained
  }

  /** Stops waiting. */
  close(): void {
    this.#deadlines.close()
  }

  get #isShardFull(): boolean {
    return this.#core.waiting.size >= this.#core.limits.waitingCommands
  }

  #enter(waiting: Waiting, enter: (waiting: Waiting) => void): void {
    this.#forget(waiting)
    enter(waiting)
  }

  #forget(waiting: Waiting): void {
    const entry = this.#entries.get(waiting)
    if (entry === undefined) return
    this.#entries.delete(waiting)
    this.#deadlines.delete(entry)
    this.#line.delete(waiting)
    leaveLineOf(waiting)
  }

  #expire(entry: Entry): void {
    const { waiting, refusal } = entry
    this.#forget(waiting)
    unnameWaiting(waiting)
    waiting.isWithdrawn = true
    this.#core.count(Gauge.full)
    refuse(this.#core, waiting.cell, waiting.call, refusal)
    this.#core.wake()
  }
}

/** Whether a command that has come to the head of the shard's line finds its actor's mailbox full: then it waits on there. */
function isFull({ cell }: Waiting): boolean {
  return cell.mailbox?.isFull === true
}

function joinLineOf(waiting: Waiting): void {
  waiting.cell.overflow ??= new Set()
  waiting.cell.overflow.add(waiting)
}

function leaveLineOf(waiting: Waiting): void {
  const { overflow } = waiting.cell
  overflow?.delete(waiting)
  if (overflow?.size === 0) waiting.cell.overflow = undefined
}
