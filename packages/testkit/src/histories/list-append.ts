/**
 * Transactions over lists: is there an order in which they could have run one after the other?
 *
 * The idea is Elle's: Kyle Kingsbury and Peter Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations",
 * VLDB 2020. A list that only grows and whose elements are unique shows in every read which appends came before, and in which
 * order. So dependencies between transactions are read off, not searched for, and whatever orders them in a circle proves that
 * no serial order exists. In linear time, for histories of which a search would see no end.
 *
 * - ww: one appended right after what another had appended.
 * - wr: one read what another had appended last.
 * - rw: one read a list and did not see what another appended next.
 *
 * Kinds of cycles are Adya's: `G0` of ww alone; `G1c` of ww and wr; `G-single` with one rw; `G2` with more. `-process` and
 * `-real-time` are added where the cycle needs the order of one process, or the order of time.
 */
import { DependencyGraph } from './dependency-graph.ts'
import type { Dependency, DependencyKind } from './dependency-graph.ts'
import type { History } from './history.ts'
import { findLostAppends, findLostUpdates, findReorderedAppends, isPrefix, readsOf, versionOrders } from './list-append-reads.ts'
import type { Read, ReadAnomaly, VersionOrder } from './list-append-reads.ts'
import { appendsOf, listInWords, transactionInWords, transactionsOf } from './list-append-transactions.ts'
import type { Append, ListElement, ListKey, Transaction } from './list-append-transactions.ts'
import { addProcessOrder, addRealTimeOrder } from './time-order.ts'
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

type Cycle = 'G0' | 'G1c' | 'G-single' | 'G2'

/** What can be wrong with a history of list-append transactions. */
export type ListAppendAnomaly = ReadAnomaly | Cycle | `${Cycle}-process` | `${Cycle}-real-time`

/** How strict `checkListAppend` is. */
export interface ListAppendOptions {
  /**
   * `serializable` (default): there is a serial order. `strong-session-serializable`: one that keeps the order of each process.
   * `strict-serializable`: one that keeps the order of time: what had ended comes before what began later.
   */
  readonly model?: 'serializable' | 'strong-session-serializable' | 'strict-serializable'
}

/** How much was looked at. */
export interface ListAppendCounts {
  /** Transactions that took effect: acknowledged, or of unknown outcome and seen by a read. */
  readonly transactions: number
  /** Reads whose result is known. */
  readonly reads: number
}

/**
 * Checks the operations `txn` of a history. Their value is a list of `['append', key, element]` and `['r', key, list]`, where the
 * list of an `invoke` is null and that of an `ok` is what was read. Elements are unique for each key. One cycle, the shortest of
 * the gravest kind, is shown for each group of transactions that are entangled. Throws `InvalidHistory` for other values.
 */
export function checkListAppend(
  history: History,
  { model = 'serializable' }: ListAppendOptions = {},
): Verdict<ListAppendAnomaly, ListAppendCounts> {
  const found = new Anomalies<ListAppendAnomaly>()
  const transactions = transactionsOf(history)
  const appends = appendsOf(transactions)
  const reads = readsOf(transactions, appends, found)
  const orders = versionOrders(reads, found)
  findReorderedAppends(orders, appends, found)
  findLostUpdates(reads, orders, found)
  if (model === 'strict-serializable') findLostAppends(reads, appends, orders, found)

  const effective = effectiveOnes(transactions, appends, orders)
  const graph = graphOf(effective, appends, reads, orders)
  if (model === 'strong-session-serializable') addProcessOrder(graph, effective)
  if (model === 'strict-serializable') addRealTimeOrder(graph, effective)
  for (const component of graph.components(graph.nodes(), ALL)) {
    const { kind, cycle } = gravestCycle(graph, component)
    if (cycle !== undefined) found.add(kind, cycleInWords(kind, cycle, effective))
  }
  return found.verdict({ transactions: effective.length, reads: reads.length })
}

/** Acknowledged transactions, and those of unknown outcome of which a read has something. */
function effectiveOnes(
  transactions: readonly Transaction[],
  appends: ReadonlyMap<ListKey, ReadonlyMap<ListElement, Append>>,
  orders: ReadonlyMap<ListKey, VersionOrder>,
): readonly Transaction[] {
  const seen = new Set<Transaction>()
  for (const [key, { elements }] of orders) {
    for (const element of elements) {
      const append = appends.get(key)?.get(element)
      if (append !== undefined) seen.add(append.by)
    }
  }
  return transactions.filter((each) => each.outcome === 'ok' || (each.outcome === 'info' && seen.has(each)))
}

/** The dependencies that reads show. */
function graphOf(
  transactions: readonly Transaction[],
  appends: ReadonlyMap<ListKey, ReadonlyMap<ListElement, Append>>,
  reads: readonly Read[],
  orders: ReadonlyMap<ListKey, VersionOrder>,
): DependencyGraph {
  const graph = new DependencyGraph(transactions.length)
  const nodes = new Map(transactions.map((each, node) => [each, node]))
  const readsByKey = Map.groupBy(reads, ({ key }) => key)
  for (const [key, ofKey] of appends) {
    const elements = orders.get(key)?.elements ?? []
    const observed = new Set(elements)
    const writerOf = (element: ListElement | undefined): number | undefined => {
      const append = element === undefined ? undefined : ofKey.get(element)
      return append === undefined ? undefined : nodes.get(append.by)
    }
    // Of failed transactions there is no node: what they appended is skipped, and its neighbours are linked.
    const written = elements.filter((element) => writerOf(element) !== undefined)
    // What took effect and was never read comes after all that was read, in an order that nobody knows.
    const unread = [...ofKey].filter(([element, { by }]) => nodes.has(by) && !observed.has(element)).map(([element]) => element)
    const link = (kind: DependencyKind, from: number | undefined, to: number | undefined, because: () => string): void => {
      if (from !== undefined && to !== undefined) graph.add({ from, to, kind, because })
    }
    const name = (node: number | undefined): string => `transaction ${node === undefined ? '?' : transactions[node]?.id}`
    const append = (before: ListElement | undefined, element: ListElement): void => {
      const [from, to] = [writerOf(before), writerOf(element)]
      link('ww', from, to, () => `${name(to)} appended ${element} to ${key} after ${name(from)} had appended ${before} (ww)`)
    }
    for (const [position, element] of written.entries()) append(written[position - 1], element)
    for (const element of unread) append(written.at(-1), element)

    for (const { by, list, outer } of readsByKey.get(key) ?? []) {
      const reader = nodes.get(by)
      const last = outer.at(-1)
      const writer = writerOf(last)
      link('wr', writer, reader, () => `${name(reader)} read ${last} in ${key}, which ${name(writer)} had appended (wr)`)
      if (!isPrefix(list, elements)) continue
      const next = elements.slice(list.length).find((element) => writerOf(element) !== undefined)
      for (const element of next === undefined ? unread : [next]) {
        const later = writerOf(element)
        const because = (): string =>
          `${name(reader)} read ${key} as ${listInWords(list)} without ${element}, which ${name(later)} appended (rw)`
        link('rw', reader, later, because)
      }
    }
  }
  return graph
}

const ALL = new Set<DependencyKind>(['ww', 'wr', 'rw', 'process', 'real-time'])

/** The kinds of cycles, the gravest first, and the edges of which they are made beside those of time. */
const SEARCHES: readonly { readonly kind: Cycle; readonly edges: readonly DependencyKind[]; readonly hasOneRw?: true }[] = [
  { kind: 'G0', edges: ['ww'] },
  { kind: 'G1c', edges: ['ww', 'wr'] },
  { kind: 'G-single', edges: ['ww', 'wr'], hasOneRw: true },
  { kind: 'G2', edges: ['ww', 'wr', 'rw'] },
]

function gravestCycle(
  graph: DependencyGraph,
  component: readonly number[],
): { readonly kind: ListAppendAnomaly; readonly cycle: readonly Dependency[] | undefined } {
  for (const time of [undefined, 'process', 'real-time'] as const) {
    for (const { kind, edges, hasOneRw } of SEARCHES) {
      const kinds = new Set<DependencyKind>(time === undefined ? edges : [...edges, time])
      const cycle = hasOneRw ? graph.shortestCycleWithOne('rw', component, kinds) : graph.shortestCycle(component, kinds)
      if (cycle !== undefined) return { kind: time === undefined ? kind : `${kind}-${time}`, cycle }
    }
  }
  return { kind: 'G2', cycle: undefined }
}

function cycleInWords(kind: ListAppendAnomaly, cycle: readonly Dependency[], transactions: readonly Transaction[]): string {
  const members = cycle.flatMap(({ from }) => transactions[from] ?? []).map(transactionInWords)
  return `no order explains ${members.join(' and ')}, a cycle of kind ${kind}: ${cycle.map(({ because }) => because()).join('; but ')}`
}
