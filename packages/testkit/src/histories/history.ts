/**
 * Histories: what clients asked for and what they heard, in the order in which it happened.
 *
 * The form is that of Jepsen (https://jepsen-io.github.io/jepsen/jepsen.history.html): a call is an `invoke`, followed by `ok`
 * (it took effect), `fail` (it certainly did not) or `info` (nobody knows). A process has one call under way at a time; after
 * an `info` it goes on under another number, because its last call may still take effect.
 */

/** What is known of a call: it began, it took effect, it did not, nobody knows. */
export type HistoryEventType = 'invoke' | 'ok' | 'fail' | 'info'

/** One line of a history. */
export interface HistoryEvent {
  /** Position in the history, from 0. Order is that of indexes, not of times. */
  readonly index: number
  /** When it happened, in milliseconds; 0 where a history has no times. */
  readonly time: number
  readonly process: number
  /** Name of the client, for people. */
  readonly by?: string
  readonly type: HistoryEventType
  /** What was asked for: the name of a command, or of an operation of a model. */
  readonly f: string
  /** Whom it was asked of, if there are several: the address of an actor, a key of a store. */
  readonly key?: string
  /** The input of an `invoke`, the reply of an `ok`, the error of a `fail` or `info`. */
  readonly value: unknown
}

/** What clients asked for and heard. */
export type History = readonly HistoryEvent[]

/** A call with its end. */
export interface Operation {
  readonly process: number
  readonly f: string
  readonly key: string | undefined
  readonly input: unknown
  /** `info` if nobody knows, also for a call whose end the history does not have. */
  readonly outcome: 'ok' | 'fail' | 'info'
  /** The reply of an `ok`, the error of a `fail` or `info`. */
  readonly output: unknown
  /** Index of its `invoke`. */
  readonly invokedAt: number
  /** Index of its end; `Infinity` for `info`, which may take effect at any time. */
  readonly endedAt: number
  /** Times of both, in milliseconds; the second is `Infinity` where there is no end. */
  readonly startTime: number
  readonly endTime: number
}

/** A history that is not one: an end without a beginning, or two calls of one process at a time. */
export class InvalidHistory extends Error {
  readonly code = 'INVALID_HISTORY'
  /** Index of the event, or number of the line. */
  readonly at: number

  constructor(at: number, problem: string) {
    super(`The history is not valid at ${at}: ${problem}.`)
    this.name = 'InvalidHistory'
    this.at = at
  }
}

/** The calls of a history in the order in which they began. Throws `InvalidHistory`. */
export function operationsOf(history: History): readonly Operation[] {
  const operations: Operation[] = []
  const open = new Map<number, number>()
  for (const event of history) {
    const { process, type, f, key, value, index, time } = event
    const position = open.get(process)
    if (type === 'invoke') {
      if (position !== undefined) throw new InvalidHistory(index, `process ${process} begins ${f} while another call of it is under way`)
      open.set(process, operations.length)
      operations.push({
        process,
        f,
        key,
        input: value,
        outcome: 'info',
        output: undefined,
        invokedAt: index,
        endedAt: Infinity,
        startTime: time,
        endTime: Infinity,
      })
      continue
    }
    const begun = position === undefined ? undefined : operations[position]
    if (position === undefined || begun === undefined) throw new InvalidHistory(index, `${type} of process ${process} ends nothing`)
    open.delete(process)
    const end = type === 'info' ? { endedAt: Infinity, endTime: Infinity } : { endedAt: index, endTime: time }
    operations[position] = { ...begun, outcome: type, output: value, ...end }
  }
  return operations
}
