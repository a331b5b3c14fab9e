/**
 * What reads of lists say by themselves: in which order the elements of each list were appended, and what no order explains.
 * Cycles, which take several transactions, are found in list-append.ts.
 */
import { listInWords, transactionInWords } from './list-append-transactions.ts'
import type { Append, ListElement, ListKey, Transaction } from './list-append-transactions.ts'
import type { Anomalies } from './verdict.ts'

/** What reads show without looking at cycles. */
export type ReadAnomaly =
  | 'G1a'
  | 'G1b'
  | 'internal'
  | 'duplicate-element'
  | 'unexpected-element'
  | 'incompatible-order'
  | 'lost-update'
  | 'lost-append'

/** A read of a list by a transaction that took effect. */
export interface Read {
  readonly by: Transaction
  readonly key: ListKey
  readonly list: readonly ListElement[]
  /** What others had appended when it was read: without the elements of its own transaction at the end. */
  readonly outer: readonly ListElement[]
  /** Whether its transaction did nothing with this list before. */
  readonly isFirst: boolean
  /** Whether its transaction appends to this list afterwards. */
  readonly isUpdated: boolean
}

/** A list as the longest read shows it. */
export interface VersionOrder {
  /** Every element that anybody has read, in the order in which they were appended. */
  readonly elements: readonly ListElement[]
  /** Whose read it is; `undefined` if nobody has read the list. */
  readonly by: Transaction | undefined
}

type Found = Pick<Anomalies<ReadAnomaly>, 'add'>
type AppendsOfLists = ReadonlyMap<ListKey, ReadonlyMap<ListElement, Append>>

/** Every read whose result is known, with the anomalies that one transaction alone shows. */
export function readsOf(transactions: readonly Transaction[], appends: AppendsOfLists, found: Found): readonly Read[] {
  const reads: Read[] = []
  for (const by of transactions) {
    if (by.outcome !== 'ok') continue
    // What this transaction knows of each list: what it has read, if it has, and what it has appended since.
    const known = new Map<ListKey, { base: readonly ListElement[] | undefined; own: ListElement[] }>()
    for (const [position, part] of by.parts.entries()) {
      const [f, key] = part
      const before = known.get(key)
      if (f === 'append') {
        if (before === undefined) known.set(key, { base: undefined, own: [part[2]] })
        else before.own.push(part[2])
        continue
      }
      const list = part[2]
      if (list === null) continue
      const isOwn = (element: ListElement): boolean => appends.get(key)?.get(element)?.by === by
      const outer = list.slice(0, list.findLastIndex((element) => !isOwn(element)) + 1)
      const isUpdated = by.parts.slice(position).some((later) => later[0] === 'append' && later[1] === key)
      const read: Read = { by, key, list, outer, isFirst: before === undefined, isUpdated }
      reads.push(read)
      lookAtRead(read, appends, found)
      const expected = before === undefined ? list.filter((element) => !isOwn(element)) : [...(before.base ?? outer), ...before.own]
      if (!isSameList(list, expected)) {
        found.add(
          'internal',
          `${transactionInWords(by)} contradicts itself: after what it had done before, its read of ${key} should have been ${listInWords(expected)}`,
        )
      }
      known.set(key, { base: list, own: [] })
    }
  }
  return reads
}

/** Aborted, intermediate, unknown and doubled elements of one read. */
function lookAtRead({ by, key, list, outer }: Read, appends: AppendsOfLists, found: Found): void {
  const seen = new Set<ListElement>()
  for (const element of list) {
    if (seen.has(element)) found.add('duplicate-element', `${transactionInWords(by)} read ${element} in ${key} more than once`)
    seen.add(element)
    const append = appends.get(key)?.get(element)
    if (append === undefined) {
      found.add('unexpected-element', `${transactionInWords(by)} read ${element} in ${key}, which nobody appended`)
    } else if (append.by.outcome === 'fail') {
      found.add(
        'G1a',
        `${transactionInWords(by)} read ${element} in ${key}, which was appended by ${transactionInWords(append.by)}, which failed`,
      )
    }
  }
  const last = outer.at(-1)
  const append = last === undefined ? undefined : appends.get(key)?.get(last)
  if (append !== undefined && append.by !== by && !append.isLast) {
    found.add(
      'G1b',
      `${transactionInWords(by)} read ${key} in the middle of ${transactionInWords(append.by)}: it saw ${last} as the last element, to which that one appended more`,
    )
  }
}

/** The order of each list, and the reads that do not fit it. */
export function versionOrders(reads: readonly Read[], found: Found): ReadonlyMap<ListKey, VersionOrder> {
  const orders = new Map<ListKey, VersionOrder>()
  for (const { by, key, list } of reads) {
    const longest = orders.get(key)
    if (longest !== undefined && longest.elements.length >= list.length) continue
    // With an element twice there is no order; that is an anomaly already, and the first place of each goes on.
    orders.set(key, { by, elements: [...new Set(list)] })
  }
  for (const read of reads) {
    const longest = orders.get(read.key)
    if (longest?.by === undefined || isPrefix(read.list, longest.elements) || new Set(read.list).size < read.list.length) continue
    found.add(
      'incompatible-order',
      `${transactionInWords(read.by)} and ${transactionInWords(longest.by)} read ${read.key} in orders of which neither is the beginning of the other: ${listInWords(read.list)} and ${listInWords(longest.elements)}`,
    )
  }
  return orders
}

/** Appends of one transaction to one list that were read in another order than its own, or a later one without an earlier one. */
export function findReorderedAppends(orders: ReadonlyMap<ListKey, VersionOrder>, appends: AppendsOfLists, found: Found): void {
  for (const [key, { elements, by: reader }] of orders) {
    const next = new Map<Transaction, number>()
    for (const element of elements) {
      const append = appends.get(key)?.get(element)
      if (append === undefined || reader === undefined) continue
      const expected = next.get(append.by) ?? 0
      next.set(append.by, append.place + 1)
      if (append.place === expected) continue
      found.add(
        'incompatible-order',
        `${transactionInWords(reader)} read ${element} in ${key} at another place than that at which ${transactionInWords(append.by)} appended it: its elements are out of their order, or one is missing before it`,
      )
    }
  }
}

/** Transactions that read the same version of a list and both appended to it: one of them has not seen the other. */
export function findLostUpdates(reads: readonly Read[], orders: ReadonlyMap<ListKey, VersionOrder>, found: Found): void {
  const updated = new Map<ListKey, Map<number, Transaction>>()
  for (const { by, key, list, isFirst, isUpdated } of reads) {
    if (!isFirst || !isUpdated || !isPrefix(list, orders.get(key)?.elements ?? [])) continue
    const versions = updated.get(key) ?? new Map<number, Transaction>()
    updated.set(key, versions)
    const other = versions.get(list.length)
    if (other === undefined) versions.set(list.length, by)
    else {
      found.add(
        'lost-update',
        `${transactionInWords(other)} and ${transactionInWords(by)} both read ${key} as ${listInWords(list)} and appended to it: one of them did not see the other`,
      )
    }
  }
}

/** Appends that were acknowledged, and that no read has, though one began afterwards. */
export function findLostAppends(
  reads: readonly Read[],
  appends: AppendsOfLists,
  orders: ReadonlyMap<ListKey, VersionOrder>,
  found: Found,
): void {
  const lastRead = new Map<ListKey, Transaction>()
  for (const { by, key } of reads) {
    const other = lastRead.get(key)
    if (other === undefined || by.invokedAt > other.invokedAt) lastRead.set(key, by)
  }
  for (const [key, ofKey] of appends) {
    const reader = lastRead.get(key)
    if (reader === undefined) continue
    const observed = new Set(orders.get(key)?.elements)
    for (const [element, { by }] of ofKey) {
      if (by.outcome !== 'ok' || observed.has(element) || reader.invokedAt < by.endedAt) continue
      found.add(
        'lost-append',
        `${element}, which ${transactionInWords(by)} appended to ${key}, is lost: it was acknowledged before ${transactionInWords(reader)} began, and no read has it`,
      )
    }
  }
}

function isSameList(one: readonly ListElement[], other: readonly ListElement[]): boolean {
  return one.length === other.length && isPrefix(one, other)
}

/** Whether `list` is the beginning of `whole`. */
export function isPrefix(list: readonly ListElement[], whole: readonly ListElement[]): boolean {
  return list.length <= whole.length && list.every((element, position) => element === whole[position])
}
