/**
 * What is promised to the outside world and not done.
 */
import { BatchInvalid } from '../../errors.ts'
import type { DueEffect, Effect, EffectCancelled, EffectDelayed } from '../../store.ts'
import { Ordered } from '../ordered.ts'
import { pair } from '../pair.ts'
import type { Undo } from '../undo.ts'

interface EffectRow extends DueEffect {
  /** False while it is being tried. */
  readonly isWaiting: boolean
}

/** The table `effect`. */
export class MemoryEffects {
  readonly #rows = new Map<number, EffectRow>()
  /** Those that wait, by name. */
  readonly #waiting = new Map<string, Ordered<EffectRow>>()
  /** Sequences by type, key and label. */
  readonly #labels = new Map<string, Set<number>>()
  /** Sequences by turn. */
  readonly #turns = new Map<number, Set<number>>()

  get size(): number {
    return this.#rows.size
  }

  /** Answers how many there were to cancel. */
  cancel(row: EffectCancelled, undo: Undo[]): number {
    let count = 0
    const meant = 'turn' in row ? this.#turns.get(row.turn) : this.#labels.get(labelOf(row, row.label))
    for (const sequence of meant ?? []) {
      const effect = this.#rows.get(sequence)
      if (effect === undefined || effect.isClaimed) continue
      this.#replace(effect, undefined, undo)
      count += 1
    }
    return count
  }

  promise(row: Effect, undo: Undo[]): void {
    if (this.#rows.has(row.sequence)) throw new BatchInvalid(`it promises effect ${row.sequence} twice`)
    this.#replace(undefined, { ...copyEffect(row), isClaimed: false, isWaiting: true }, undo)
  }

  claim(sequence: number, undo: Undo[]): void {
    const row = this.#rows.get(sequence)
    if (row === undefined) return
    this.#replace(row, { ...row, attempts: row.attempts + 1, isClaimed: true, isWaiting: false }, undo)
  }

  delay({ sequence, dueAt, detail }: EffectDelayed, undo: Undo[]): void {
    const row = this.#rows.get(sequence)
    if (row !== undefined) this.#replace(row, { ...row, dueAt, detail, isClaimed: false, isWaiting: true }, undo)
  }

  settle(sequence: number, undo: Undo[]): void {
    const row = this.#rows.get(sequence)
    if (row !== undefined) this.#replace(row, undefined, undo)
  }

  /** Makes every effect that was being tried due at once, whatever the clock says, and before all others. */
  requeue(undo: Undo[]): void {
    const tried = [...this.#rows.values()].filter((row) => !row.isWaiting)
    for (const row of tried) this.#replace(row, { ...row, dueAt: 0, isWaiting: true }, undo)
  }

  due(name: string, now: number, limit: number): DueEffect[] {
    const waiting = this.#waiting.get(name)
    const due: DueEffect[] = []
    while (due.length < limit) {
      const row = waiting?.at(due.length)
      if (row === undefined || row.dueAt > now) break
      due.push({ ...copyEffect(row), isClaimed: row.isClaimed })
    }
    return due
  }

  nextDueAt(name: string): number | undefined {
    return this.#waiting.get(name)?.at(0)?.dueAt
  }

  #replace(before: EffectRow | undefined, after: EffectRow | undefined, undo: Undo[]): void {
    if (before !== undefined) this.#take(before)
    if (after !== undefined) this.#put(after)
    undo.push(() => {
      if (after !== undefined) this.#take(after)
      if (before !== undefined) this.#put(before)
    })
  }

  #put(row: EffectRow): void {
    this.#rows.set(row.sequence, row)
    if (row.isWaiting) this.#waitingFor(row.name).add(row)
    if (row.label !== undefined) note(this.#labels, labelOf(row, row.label), row.sequence)
    if (row.turn !== undefined) note(this.#turns, row.turn, row.sequence)
  }

  #take(row: EffectRow): void {
    this.#rows.delete(row.sequence)
    if (row.isWaiting) this.#waitingFor(row.name).remove(row)
    if (row.label !== undefined) forget(this.#labels, labelOf(row, row.label), row.sequence)
    if (row.turn !== undefined) forget(this.#turns, row.turn, row.sequence)
  }

  #waitingFor(name: string): Ordered<EffectRow> {
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) return waiting
    const fresh = new Ordered<EffectRow>((left, right) => left.dueAt - right.dueAt || left.sequence - right.sequence)
    this.#waiting.set(name, fresh)
    return fresh
  }
}

function note<Name>(sequences: Map<Name, Set<number>>, name: Name, sequence: number): void {
  const noted = sequences.get(name)
  if (noted === undefined) sequences.set(name, new Set([sequence]))
  else noted.add(sequence)
}

function forget<Name>(sequences: Map<Name, Set<number>>, name: Name, sequence: number): void {
  const noted = sequences.get(name)
  noted?.delete(sequence)
  if (noted?.size === 0) sequences.delete(name)
}

function labelOf(actor: { readonly type: string; readonly key: string }, label: string): string {
  return pair(pair(actor.type, actor.key), label)
}

function copyEffect(row: Effect): Effect {
  const { sequence, name, idempotencyKey, type, key, label, input, detail, turn, dueAt, attempts } = row
  return { sequence, name, idempotencyKey, type, key, label, input, detail, turn, dueAt, attempts }
}
