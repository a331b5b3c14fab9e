/**
 * Long work that is done for actors, with its last checkpoint, and the latest of what has ended.
 */
import { BatchInvalid } from '../../errors.ts'
import type { FrameSaved, StoredTurn, TurnChanged, TurnsKept } from '../../store.ts'
import type { Undo } from '../undo.ts'
import type { MemoryActor, MemoryActors, MemoryTurn } from './actor.ts'

/** The tables `turn` and `frame`. */
export class MemoryTurns {
  readonly #actors: MemoryActors
  readonly #turns = new Map<number, MemoryTurn>()

  constructor(actors: MemoryActors) {
    this.#actors = actors
  }

  set(row: TurnChanged, undo: Undo[]): void {
    this.#actors.require(row.actor, 'has a turn')
    const { sequence, actor, command, isEnded, detail } = row
    const before = this.#turns.get(sequence)
    if (before === undefined) {
      this.#replace(undefined, { sequence, actor, command, isEnded, detail, frame: undefined, isFrameDiscarded: false }, undo)
      return
    }
    if (before.actor !== actor || before.command !== command || (before.isEnded && !isEnded)) {
      throw new BatchInvalid(`it changes turn ${sequence}, which has ended or belongs to another actor or command`)
    }
    this.#replace(before, { ...before, isEnded, detail }, undo)
  }

  saveFrame({ turn, frame }: FrameSaved, undo: Undo[]): void {
    const before = this.#turns.get(turn)
    if (before === undefined) throw new BatchInvalid(`it saves a frame of turn ${turn}, which does not exist`)
    this.#replace(before, { ...before, frame, isFrameDiscarded: false }, undo)
  }

  /** Marks a frame as kept for diagnosis only. */
  discardFrame(turn: number, undo: Undo[]): void {
    const before = this.#turns.get(turn)
    if (before?.frame !== undefined) this.#replace(before, { ...before, isFrameDiscarded: true }, undo)
  }

  /** Deletes the turns that have ended and are too many, with their frames. */
  keep({ actor, keep }: TurnsKept, undo: Undo[]): void {
    const ended = [...(this.#actors.get(actor)?.turns.values() ?? [])].filter((turn) => turn.isEnded)
    for (const turn of ended.sort(latestFirst).slice(Math.max(0, keep))) this.#replace(turn, undefined, undo)
  }

  /** The actors with turns that have not ended, in the order of their oldest one. */
  busy(): { readonly type: string; readonly key: string }[] {
    const open = [...this.#turns.values()].filter((turn) => !turn.isEnded).sort((left, right) => left.sequence - right.sequence)
    return [...new Set(open.map((turn) => turn.actor))].map((number) => {
      const { type, key } = this.#actors.require(number, 'has a turn')
      return { type, key }
    })
  }

  /** All turns of an actor, the latest first. */
  of(type: string, key: string, limit: number): StoredTurn[] {
    const turns = [...(this.#actors.find(type, key)?.turns.values() ?? [])]
    return turns.sort(openFirst).slice(0, limit).map(toTurn)
  }

  #replace(before: MemoryTurn | undefined, after: MemoryTurn | undefined, undo: Undo[]): void {
    this.#exchange(before, after)
    undo.push(() => this.#exchange(after, before))
  }

  #exchange(gone: MemoryTurn | undefined, there: MemoryTurn | undefined): void {
    if (gone !== undefined) {
      this.#turns.delete(gone.sequence)
      this.#actors.get(gone.actor)?.turns.delete(gone.sequence)
    }
    if (there !== undefined) {
      this.#turns.set(there.sequence, there)
      this.#actors.get(there.actor)?.turns.set(there.sequence, there)
    }
  }
}

/** The turns of an actor that have not ended, by sequence. */
export function openTurnsOf(actor: MemoryActor): StoredTurn[] {
  const open = [...actor.turns.values()].filter((turn) => !turn.isEnded)
  return open.sort((left, right) => left.sequence - right.sequence).map(toTurn)
}

/** Those that have not ended go first. */
function openFirst(left: MemoryTurn, right: MemoryTurn): number {
  return left.isEnded === right.isEnded ? latestFirst(left, right) : left.isEnded ? 1 : -1
}

function latestFirst(left: MemoryTurn, right: MemoryTurn): number {
  return right.sequence - left.sequence
}

function toTurn(row: MemoryTurn): StoredTurn {
  const { sequence, command, isEnded, detail, frame, isFrameDiscarded } = row
  return { sequence, command, isEnded, detail, frame, isFrameDiscarded }
}
