/** What the readers of files share: events are added line by line, and what is no history is refused with the number of its line. */
import { InvalidHistory } from './history.ts'
import type { History, HistoryEvent, HistoryEventType } from './history.ts'
import { fingerprintOf } from './values.ts'

/** An event without its position. */
export type HistoryLine = Omit<HistoryEvent, 'index'>

const TYPES: ReadonlySet<unknown> = new Set<HistoryEventType>(['invoke', 'ok', 'fail', 'info'])

/** Collects the events of a history. */
export class HistoryWriter {
  readonly #events: HistoryEvent[] = []
  /** What each process has under way. */
  readonly #open = new Map<number, string>()

  /** What was added. A call whose end is missing has an unknown end. */
  get history(): History {
    return this.#events
  }

  /** Adds an event. Throws `InvalidHistory` for an end that ends nothing, and for a second call of a process at a time. */
  add(line: number, event: HistoryLine): void {
    const { process, type, f } = event
    const open = this.#open.get(process)
    if (type === 'invoke') {
      if (open !== undefined) throw new InvalidHistory(line, `process ${process} begins ${f} while ${open} is under way`)
      this.#open.set(process, f)
    } else {
      if (open === undefined) throw new InvalidHistory(line, `${type} of process ${process} ends nothing`)
      if (open !== f) throw new InvalidHistory(line, `process ${process} ends ${f}, though ${open} is under way`)
      this.#open.delete(process)
    }
    this.#events.push({ index: this.#events.length, ...event })
  }
}

/**
 * The event that a map of EDN stands for (`{:process 0, :type :invoke, :f :read, :value nil}`), or nothing for one of the nemesis, which
 * is no client. Times are nanoseconds there. Throws `InvalidHistory` for a map that is no event.
 */
export function eventOfMap(line: number, map: unknown): HistoryLine | undefined {
  if (typeof map !== 'object' || map === null || Array.isArray(map) || map instanceof Set) throw new InvalidHistory(line, 'this is no map')
  const { process, type, f, key, value = null, error, time } = map as Readonly<Record<string, unknown>>
  if (process === 'nemesis') return undefined
  if (typeof process !== 'number' || !Number.isSafeInteger(process)) throw new InvalidHistory(line, 'the process is no integer')
  if (!isType(type)) throw new InvalidHistory(line, 'the type is none of :invoke, :ok, :fail, :info')
  if (typeof f !== 'string') throw new InvalidHistory(line, ':f is missing')
  return {
    process,
    type,
    f,
    ...(key === undefined || key === null ? {} : { key: keyOf(key) }),
    // The end of a call that did not go well repeats the input; what people want to know is why.
    value: (type === 'fail' || type === 'info') && error !== undefined ? error : value,
    time: typeof time === 'number' || typeof time === 'bigint' ? Number(time) / 1e6 : 0,
  }
}

/** A key as text. */
export function keyOf(key: unknown): string {
  return typeof key === 'string' ? key : fingerprintOf(key)
}

/** Whether this is the type of an event. */
export function isType(type: unknown): type is HistoryEventType {
  return TYPES.has(type)
}
