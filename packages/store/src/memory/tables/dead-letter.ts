/**
 * Commands and effects that could not be handled.
 */
import { BatchInvalid } from '../../errors.ts'
import type { DeadLetter, DeadLetterFilter } from '../../store.ts'
import { Ordered } from '../ordered.ts'
import type { Undo } from '../undo.ts'

/** The table `dead_letter`. */
export class MemoryDeadLetters {
  readonly #rows = new Map<number, DeadLetter>()
  readonly #sequences = new Ordered<DeadLetter>((left, right) => left.sequence - right.sequence)

  get size(): number {
    return this.#rows.size
  }

  add(row: DeadLetter, undo: Undo[]): void {
    if (this.#rows.has(row.sequence)) throw new BatchInvalid(`it adds dead letter ${row.sequence} twice`)
    const after = copyLetter(row)
    this.#put(after)
    undo.push(() => this.#take(after))
  }

  remove(sequence: number, undo: Undo[]): void {
    const row = this.#rows.get(sequence)
    if (row === undefined) return
    this.#take(row)
    undo.push(() => this.#put(row))
  }

  /** Deletes so many of the oldest. */
  trim(count: number, undo: Undo[]): void {
    for (let left = count; left > 0; left -= 1) {
      const oldest = this.#sequences.at(0)
      if (oldest === undefined) return
      this.remove(oldest.sequence, undo)
    }
  }

  list(filter: DeadLetterFilter, limit: number): DeadLetter[] {
    const found: DeadLetter[] = []
    for (let position = this.#sequences.size - 1; position >= 0 && found.length < limit; position -= 1) {
      const row = this.#sequences.at(position)
      if (row !== undefined && matches(row, filter)) found.push(copyLetter(row))
    }
    return found
  }

  #put(row: DeadLetter): void {
    this.#rows.set(row.sequence, row)
    this.#sequences.add(row)
  }

  #take(row: DeadLetter): void {
    this.#rows.delete(row.sequence)
    this.#sequences.remove(row)
  }
}

const compared = ['sequence', 'type', 'key', 'command', 'reason', 'naturalKey'] as const

function matches(row: DeadLetter, filter: DeadLetterFilter): boolean {
  if (filter.before !== undefined && row.sequence >= filter.before) return false
  return compared.every((field) => filter[field] === undefined || filter[field] === row[field])
}

function copyLetter(row: DeadLetter): DeadLetter {
  const { sequence, type, key, command, reason, error, input, naturalKey, revision, detail, at } = row
  return { sequence, type, key, command, reason, error, input, naturalKey, revision, detail, at }
}
