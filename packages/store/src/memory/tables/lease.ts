/**
 * Who may act for what, actor by actor.
 */
import { BatchInvalid } from '../../errors.ts'
import type { LeaseChanged, StoredLease } from '../../store.ts'
import { byText } from '../ordered.ts'
import type { Undo } from '../undo.ts'
import type { MemoryActor, MemoryActors } from './actor.ts'

/** The table `lease`. Its rows are with their actors. */
export class MemoryLeases {
  readonly #actors: MemoryActors

  constructor(actors: MemoryActors) {
    this.#actors = actors
  }

  set(row: LeaseChanged, undo: Undo[]): void {
    const { leases } = this.#actors.require(row.actor, 'has a lease')
    const { name, epoch, detail } = row
    const before = leases.get(name)
    if (before !== undefined && before.epoch > epoch) {
      throw new BatchInvalid(`it sets lease ${name} of actor ${row.actor} to epoch ${epoch}, which is smaller than before`)
    }
    leases.set(name, { name, epoch, detail })
    undo.push(() => {
      if (before === undefined) leases.delete(name)
      else leases.set(name, before)
    })
  }
}

/** The leases of an actor, by name. */
export function leasesOf(actor: MemoryActor): StoredLease[] {
  const leases = [...actor.leases.values()]
  return leases.sort((left, right) => byText(left.name, right.name)).map((lease) => ({ ...lease }))
}
