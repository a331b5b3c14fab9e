/** The order of transactions that reads do not show: that of one process, and that of time. */
import type { DependencyGraph } from './dependency-graph.ts'
import type { Transaction } from './list-append-transactions.ts'

/** Links each transaction with the next one of its process. Transactions stand in the order in which they began. */
export function addProcessOrder(graph: DependencyGraph, transactions: readonly Transaction[]): void {
  const last = new Map<number, number>()
  for (const [to, { id, process }] of transactions.entries()) {
    const from = last.get(process)
    last.set(process, to)
    const before = from === undefined ? undefined : transactions[from]
    if (from === undefined || before === undefined) continue
    graph.add({
      from,
      to,
      kind: 'process',
      because: () => `process ${process} began transaction ${id} after transaction ${before.id} (process)`,
    })
  }
}

/**
 * Links each transaction with those that began after its end, without the links that follow from others: a transaction that has
 * ended is forgotten as soon as one that began after it has ended too. So there are at most as many links for each transaction
 * as there are processes.
 */
export function addRealTimeOrder(graph: DependencyGraph, transactions: readonly Transaction[]): void {
  const moments = transactions.flatMap((transaction, node) => [
    { node, transaction, at: transaction.invokedAt, isEnd: false },
    ...(transaction.endedAt === Infinity ? [] : [{ node, transaction, at: transaction.endedAt, isEnd: true }]),
  ])
  moments.sort((one, other) => one.at - other.at)
  const ended = new Map<number, Transaction>()
  const before = new Map<number, readonly number[]>()
  for (const { node, transaction, isEnd } of moments) {
    if (isEnd) {
      for (const earlier of before.get(node) ?? []) ended.delete(earlier)
      before.delete(node)
      ended.set(node, transaction)
      continue
    }
    before.set(node, [...ended.keys()])
    for (const [from, { id, endedAt }] of ended) {
      const because = (): string => `transaction ${id} had ended at ${endedAt} before transaction ${transaction.id} began (real-time)`
      graph.add({ from, to: node, kind: 'real-time', because })
    }
  }
}
