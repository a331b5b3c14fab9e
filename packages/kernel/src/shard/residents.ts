/**
 * The actors in a shard's memory, by type and key, and by last use.
 *
 * It decides who may leave memory, never when: the shard asks between batches.
 */
import type { Cell, Kind } from './cell.ts'

/** The residents of one type. */
class ResidentsOfKind {
  readonly cells = new Map<string, Cell>()
  oldest: Cell | undefined = undefined
  newest: Cell | undefined = undefined
}

/** All residents of a shard. */
export class Residents {
  readonly #kinds = new Map<Kind, ResidentsOfKind>()
  #size = 0

  constructor(kinds: readonly Kind[]) {
    for (const kind of kinds) this.#kinds.set(kind, new ResidentsOfKind())
  }

  /** How many actors are in memory. */
  get size(): number {
    return this.#size
  }

  /** The cell of an actor, if it is in memory. */
  get(kind: Kind, key: string): Cell | undefined {
    return this.#of(kind).cells.get(key)
  }

  /** Adds a cell that was not in memory. */
  add(cell: Cell, now: number): void {
    this.#of(cell.kind).cells.set(cell.key, cell)
    this.#size += 1
    this.#append(cell, now)
  }

  /** Marks a cell as used just now. */
  touch(cell: Cell, now: number): void {
    if (cell.newer === undefined) {
      cell.usedAt = now
      return
    }
    this.#unlink(cell)
    this.#append(cell, now)
  }

  /** Removes a cell from memory. */
  delete(cell: Cell): void {
    if (!this.#of(cell.kind).cells.delete(cell.key)) return
    this.#size -= 1
    this.#unlink(cell)
  }

  /** Actors that have been idle for their type's `idleMs`, the longest idle first; at most `limit`. */
  *idle(now: number, limit: number): Generator<Cell> {
    let count = 0
    for (const [kind, residents] of this.#kinds) {
      for (let cell = residents.oldest; cell !== undefined && count < limit;) {
        if (now - cell.usedAt < kind.definition.idleMs) break
        const { newer } = cell
        if (isIdle(cell)) {
          count += 1
          yield cell
        }
        cell = newer
      }
    }
  }

  /** Idle actors that the store has, the longest idle of each type first, so that memory can be freed; at most `limit`. */
  *spare(limit: number): Generator<Cell> {
    let count = 0
    for (const [kind, residents] of this.#kinds) {
      if (!kind.isDurable) continue
      for (let cell = residents.oldest; cell !== undefined && count < limit;) {
        const { newer } = cell
        if (isIdle(cell)) {
          count += 1
          yield cell
        }
        cell = newer
      }
    }
  }

  /** Every cell. */
  *[Symbol.iterator](): Generator<Cell> {
    for (const { cells } of this.#kinds.values()) yield* cells.values()
  }

  #of(kind: Kind): ResidentsOfKind {
    const residents = this.#kinds.get(kind)
    if (residents === undefined) throw new Error(`Unknown kind ${kind.definition.type}.`)
    return residents
  }

  #append(cell: Cell, now: number): void {
    const residents = this.#of(cell.kind)
    cell.usedAt = now
    cell.older = residents.newest
    cell.newer = undefined
    if (residents.newest === undefined) residents.oldest = cell
    else residents.newest.newer = cell
    residents.newest = cell
  }

  #unlink(cell: Cell): void {
    const residents = this.#of(cell.kind)
    if (cell.older === undefined) residents.oldest = cell.newer
    else cell.older.newer = cell.newer
    if (cell.newer === undefined) residents.newest = cell.older
    else cell.newer.older = cell.older
    cell.older = undefined
    cell.newer = undefined
  }
}

/** Nothing waits for it, nothing of it runs, and the store has what it would lose. */
function isIdle(cell: Cell): boolean {
  return (
    !cell.hasWork &&
    (cell.mailbox?.size ?? 0) === 0 &&
    cell.overflow === undefined &&
    !cell.isWaiting &&
    !cell.isResting &&
    !cell.isDirty &&
    cell.hosted?.isBusy !== true &&
    !cell.hasTurns &&
    (cell.timers?.size ?? 0) === 0
  )
}
