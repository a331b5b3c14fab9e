/**
 * The latest of what came from owners of older epochs.
 */
import { BatchInvalid } from '../../errors.ts'
import type { LateResult } from '../../store.ts'
import { Ordered } from '../ordered.ts'
import type { Undo } from '../undo.ts'

/** The table `late_result`. */
export class MemoryLateResults {
  readonly #rows = new Ordered<LateResult>((left, right) => left.sequence - right.sequence)

  /** Adds late results, then deletes what is more than `max`, the oldest. */
  add(rows: readonly LateResult[], max: number, undo: Undo[]): void {
    if (rows.length === 0) return
    for (const row of rows) this.#add(copyResult(row), undo)
    for (let row = this.#rows.at(0); row !== undefined && this.#rows.size > max; row = this.#rows.at(0)) {
      const oldest = row
      this.#rows.remove(oldest)
      undo.push(() => this.#rows.add(oldest))
    }
  }

  /** The latest first; of one actor where one is given. */
  list(actor: { readonly type: string; readonly key: string } | undefined, limit: number): LateResult[] {
    const found: LateResult[] = []
    for (let position = this.#rows.size - 1; position >= 0 && found.length < limit; position -= 1) {
      const row = this.#rows.at(position)
      if (row === undefined) break
      if (actor === undefined || (actor.type === row.type && actor.key === row.key)) found.push(copyResult(row))
    }
    return found
  }

  #add(row: LateResult, undo: Undo[]): void {
    if (this.#rows.at(this.#rows.positionOf(row))?.sequence === row.sequence) {
      throw new BatchInvalid(`it adds late result ${row.sequence} twice`)
    }
    this.#rows.add(row)
    undo.push(() => this.#rows.remove(row))
  }
}

function copyResult(row: LateResult): LateResult {
  const { sequence, type, key, epoch, detail, at } = row
  return { sequence, type, key, epoch, detail, at }
}
