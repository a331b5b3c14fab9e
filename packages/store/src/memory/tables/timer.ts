/**
 * The alarms of the shard's actors.
 */
import type { DueTimer, TimerCleared, TimerSet } from '../../store.ts'
import { Ordered, byText } from '../ordered.ts'
import type { Undo } from '../undo.ts'
import type { MemoryActors } from './actor.ts'

/** The table `timer`. */
export class MemoryTimers {
  readonly #actors: MemoryActors
  readonly #timers = new Ordered<TimerSet>(byDue)

  constructor(actors: MemoryActors) {
    this.#actors = actors
  }

  clear(row: TimerCleared, undo: Undo[]): void {
    const before = this.#actors.get(row.actor)?.timers.get(row.name)
    if (before === undefined) return
    if (row.generation !== undefined && row.generation !== before.generation) return
    this.#take(before)
    undo.push(() => this.#put(before))
  }

  set(row: TimerSet, undo: Undo[]): void {
    const before = this.#actors.require(row.actor, 'is set a timer').timers.get(row.name)
    const after = copyTimer(row)
    if (before !== undefined) this.#take(before)
    this.#put(after)
    undo.push(() => {
      this.#take(after)
      if (before !== undefined) this.#put(before)
    })
  }

  due(now: number, limit: number): DueTimer[] {
    const due: DueTimer[] = []
    while (due.length < limit) {
      const timer = this.#timers.at(due.length)
      if (timer === undefined || timer.dueAt > now) break
      const { type, key } = this.#actors.require(timer.actor, 'has a timer')
      due.push({ ...copyTimer(timer), type, key })
    }
    return due
  }

  nextDueAt(): number | undefined {
    return this.#timers.at(0)?.dueAt
  }

  /** The timers of one actor, by name. */
  of(type: string, key: string): TimerSet[] {
    const timers = [...(this.#actors.find(type, key)?.timers.values() ?? [])]
    return timers.sort((left, right) => byText(left.name, right.name)).map(copyTimer)
  }

  /** Moves timers that keep their remaining time by `to - from`, if they were not due at `from`. Answers whether any was. */
  move(from: number, to: number, undo: Undo[]): boolean {
    const moved = this.#matching((timer) => timer.onRestart === 'remaining' && timer.dueAt > from)
    for (const timer of moved) this.#postpone(timer, timer.dueAt + (to - from), undo)
    return moved.length > 0
  }

  /** Begins the delay of timers that restart anew. */
  restart(now: number, undo: Undo[]): void {
    for (const timer of this.#matching((other) => other.onRestart === 'restart')) this.#postpone(timer, now + timer.delayMs, undo)
  }

  #matching(matches: (timer: TimerSet) => boolean): TimerSet[] {
    const found: TimerSet[] = []
    for (let position = 0; position < this.#timers.size; position += 1) {
      const timer = this.#timers.at(position)
      if (timer !== undefined && matches(timer)) found.push(timer)
    }
    return found
  }

  #postpone(timer: TimerSet, dueAt: number, undo: Undo[]): void {
    const after = { ...timer, dueAt }
    this.#take(timer)
    this.#put(after)
    undo.push(() => {
      this.#take(after)
      this.#put(timer)
    })
  }

  #put(timer: TimerSet): void {
    this.#actors.get(timer.actor)?.timers.set(timer.name, timer)
    this.#timers.add(timer)
  }

  #take(timer: TimerSet): void {
    this.#actors.get(timer.actor)?.timers.delete(timer.name)
    this.#timers.remove(timer)
  }
}

function byDue(left: TimerSet, right: TimerSet): number {
  return left.dueAt - right.dueAt || left.generation - right.generation || left.actor - right.actor || byText(left.name, right.name)
}

function copyTimer(row: TimerSet): TimerSet {
  const { actor, name, generation, dueAt, event, delayMs, everyMs, onRestart } = row
  return { actor, name, generation, dueAt, event, delayMs, everyMs, onRestart }
}
