/**
 * Commands accepted but not finished. Those with a `dueAt` are read when they are due, the others at once.
 */
import { BatchInvalid } from '../../errors.ts'
import type { InboxChange, InboxCommand } from '../../store.ts'
import { Ordered } from '../ordered.ts'
import type { Undo } from '../undo.ts'

interface DueCommand extends InboxCommand {
  readonly dueAt: number
}

/** The table `inbox`. */
export class MemoryInbox {
  readonly #rows = new Map<number, InboxCommand>()
  readonly #due = new Ordered<DueCommand>((left, right) => left.dueAt - right.dueAt || left.sequence - right.sequence)

  accept(row: InboxCommand, undo: Undo[]): void {
    const { sequence } = row
    if (this.#rows.has(sequence)) throw new BatchInvalid(`it accepts inbox sequence ${sequence} twice`)
    const after = copyCommand(row)
    this.#put(after)
    undo.push(() => this.#take(after))
  }

  change(row: InboxChange, undo: Undo[]): void {
    const before = this.#rows.get(row.sequence)
    if (before === undefined) return
    const after = { ...before, input: row.input, detail: row.detail }
    this.#take(before)
    this.#put(after)
    undo.push(() => {
      this.#take(after)
      this.#put(before)
    })
  }

  finish(sequence: number, undo: Undo[]): void {
    const row = this.#rows.get(sequence)
    if (row === undefined) return
    this.#take(row)
    undo.push(() => this.#put(row))
  }

  /** Those without a `dueAt`, by sequence. */
  all(): InboxCommand[] {
    const waiting = [...this.#rows.values()].filter((row) => row.dueAt === undefined)
    return waiting.sort((left, right) => left.sequence - right.sequence).map(copyCommand)
  }

  due(now: number, limit: number): InboxCommand[] {
    const due: InboxCommand[] = []
    while (due.length < limit) {
      const row = this.#due.at(due.length)
      if (row === undefined || row.dueAt > now) break
      due.push(copyCommand(row))
    }
    return due
  }

  nextDueAt(): number | undefined {
    return this.#due.at(0)?.dueAt
  }

  #put(row: InboxCommand): void {
    this.#rows.set(row.sequence, row)
    if (isDue(row)) this.#due.add(row)
  }

  #take(row: InboxCommand): void {
    this.#rows.delete(row.sequence)
    if (isDue(row)) this.#due.remove(row)
  }
}

function isDue(row: InboxCommand): row is DueCommand {
  return row.dueAt !== undefined
}

function copyCommand(row: InboxCommand): InboxCommand {
  const { sequence, id, type, key, command, lane, input, at, dueAt, detail } = row
  const idempotency = row.idempotency && { key: row.idempotency.key, fingerprint: row.idempotency.fingerprint }
  return { sequence, id, type, key, command, lane, input, idempotency, at, dueAt, detail }
}
