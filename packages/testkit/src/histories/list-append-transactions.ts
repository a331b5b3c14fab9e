/**
 * Transactions over lists that only grow: reading them out of a history, and saying in words what one of them did. What they
 * mean for each other is in list-append-reads.ts and list-append.ts.
 */
import { InvalidHistory, operationsOf } from './history.ts'
import type { History, Operation } from './history.ts'

/** Which list. */
export type ListKey = string | number

/** What is appended to a list: never the same twice for one key. */
export type ListElement = string | number

/** A part of a transaction: append an element to a list, or read a list; `null` where it is not known what was read. */
export type MicroOperation = readonly ['append', ListKey, ListElement] | readonly ['r', ListKey, readonly ListElement[] | null]

/** A transaction with its end. */
export interface Transaction {
  /** Index of its `invoke`, which names it. */
  readonly id: number
  readonly process: number
  readonly outcome: 'ok' | 'fail' | 'info'
  readonly invokedAt: number
  /** `Infinity` if nobody knows. */
  readonly endedAt: number
  /** Those of its `ok`, which know what was read; else those of its `invoke`. */
  readonly parts: readonly MicroOperation[]
}

/** Who appended an element. */
export interface Append {
  readonly by: Transaction
  /** How many elements its transaction appends to this list before. */
  readonly place: number
  /** Whether its transaction appends nothing more to this list. */
  readonly isLast: boolean
}

/** The transactions of a history, in the order in which they began. Other operations are left out. Throws `InvalidHistory`. */
export function transactionsOf(history: History): readonly Transaction[] {
  return operationsOf(history)
    .filter(({ f }) => f === 'txn')
    .map((operation) => {
      const { process, outcome, invokedAt, endedAt } = operation
      return { id: invokedAt, process, outcome, invokedAt, endedAt, parts: partsOf(operation) }
    })
}

function partsOf(operation: Operation): readonly MicroOperation[] {
  const wanted = microOperations(operation.input, operation.invokedAt)
  if (operation.outcome !== 'ok') return wanted
  const done = microOperations(operation.output, operation.endedAt)
  const isSame =
    wanted.length === done.length &&
    wanted.every(([f, key, element], position) => {
      const other = done[position]
      return f === other?.[0] && key === other[1] && (f === 'r' || element === other[2])
    })
  if (!isSame)
    throw new InvalidHistory(operation.endedAt, `transaction ${operation.invokedAt} ends with other operations than it began with`)
  return done
}

function microOperations(value: unknown, index: number): readonly MicroOperation[] {
  if (!Array.isArray(value)) throw new InvalidHistory(index, 'the value of a txn is a list of micro-operations')
  return value.map((part: unknown) => {
    if (!isMicroOperation(part)) throw new InvalidHistory(index, `${JSON.stringify(part)} is no micro-operation`)
    return part
  })
}

function isMicroOperation(part: unknown): part is MicroOperation {
  if (!Array.isArray(part) || !isName(part[1])) return false
  const third: unknown = part[2]
  if (part[0] === 'append') return part.length === 3 && isName(third)
  return part[0] === 'r' && (third === null || (Array.isArray(third) && third.every(isName)))
}

function isName(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}

/** Who appended which element to which list. Throws `InvalidHistory` for an element that is appended twice. */
export function appendsOf(transactions: readonly Transaction[]): ReadonlyMap<ListKey, ReadonlyMap<ListElement, Append>> {
  const appends = new Map<ListKey, Map<ListElement, Append>>()
  for (const by of transactions) {
    const mine = by.parts.filter(([f]) => f === 'append')
    for (const [f, key, element] of by.parts) {
      if (f !== 'append') continue
      const ofKey = appends.get(key) ?? new Map<ListElement, Append>()
      appends.set(key, ofKey)
      if (ofKey.has(element)) throw new InvalidHistory(by.id, `${element} is appended to ${key} twice`)
      const same = mine.filter((other) => other[1] === key)
      const place = same.findIndex((other) => other[2] === element)
      ofKey.set(element, { by, place, isLast: place === same.length - 1 })
    }
  }
  return appends
}

/** How many elements of a list are shown at each of its ends. */
const SHOWN_MAX = 6

/** A list for people; the middle of a long one is left out. */
export function listInWords(list: readonly unknown[]): string {
  if (list.length <= 2 * SHOWN_MAX) return `[${list.join(', ')}]`
  const left = list.length - 2 * SHOWN_MAX
  return `[${list.slice(0, SHOWN_MAX).join(', ')}, … ${left} more …, ${list.slice(-SHOWN_MAX).join(', ')}]`
}

/** A transaction for people: its number, its process and what it did. */
export function transactionInWords({ id, process, parts }: Transaction): string {
  const words = parts.map((part) =>
    part[0] === 'append' ? `append ${part[2]} to ${part[1]}` : `read ${part[1]}${part[2] ? ` as ${listInWords(part[2])}` : ''}`,
  )
  return `transaction ${id} (process ${process}: ${words.join(', ')})`
}
