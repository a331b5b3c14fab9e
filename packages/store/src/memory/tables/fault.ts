/**
 * What is known of actors' failures, also of actors that are not stored.
 */
import type { FaultChanged, StoredFault } from '../../store.ts'
import { byText } from '../ordered.ts'
import { pair } from '../pair.ts'
import type { Undo } from '../undo.ts'

/** The table `fault`. */
export class MemoryFaults {
  readonly #rows = new Map<string, StoredFault>()

  /** Sets it, or deletes it where it has no detail. */
  change({ type, key, detail }: FaultChanged, undo: Undo[]): void {
    const name = pair(type, key)
    const before = this.#rows.get(name)
    if (detail === undefined) this.#rows.delete(name)
    else this.#rows.set(name, { type, key, detail })
    undo.push(() => {
      if (before === undefined) this.#rows.delete(name)
      else this.#rows.set(name, before)
    })
  }

  /** By type and key. */
  all(): StoredFault[] {
    const rows = [...this.#rows.values()]
    return rows.sort((left, right) => byText(left.type, right.type) || byText(left.key, right.key)).map((row) => ({ ...row }))
  }
}
