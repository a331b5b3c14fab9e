/**
 * Child processes that belong to the shard and were not seen to end.
 */
import type { OwnedProcess } from '../../store.ts'
import type { Undo } from '../undo.ts'

/** The table `process`. */
export class MemoryProcesses {
  readonly #rows = new Map<number, OwnedProcess>()

  set({ sequence, detail }: OwnedProcess, undo: Undo[]): void {
    const before = this.#rows.get(sequence)
    this.#rows.set(sequence, { sequence, detail })
    undo.push(() => {
      if (before === undefined) this.#rows.delete(sequence)
      else this.#rows.set(sequence, before)
    })
  }

  end(sequence: number, undo: Undo[]): void {
    const row = this.#rows.get(sequence)
    if (row === undefined) return
    this.#rows.delete(sequence)
    undo.push(() => this.#rows.set(sequence, row))
  }

  /** By sequence. */
  all(): OwnedProcess[] {
    return [...this.#rows.values()].sort((left, right) => left.sequence - right.sequence).map((row) => ({ ...row }))
  }
}
