/** Histories of list-append transactions that are right by construction, and a search through all serial orders of small ones. */
import fc from 'fast-check'
import type { History } from '../../src/histories/history.ts'
import { isPrefix } from '../../src/histories/list-append-reads.ts'
import { transactionsOf } from '../../src/histories/list-append-transactions.ts'
import type { ListElement, ListKey, MicroOperation, Transaction } from '../../src/histories/list-append-transactions.ts'
import { Recording } from './recording.ts'

const PROCESSES = 4

/** A step: which process goes on, and what its next transaction is and becomes if it begins one. */
export interface Step {
  readonly process: number
  readonly parts: readonly { readonly isAppend: boolean; readonly key: string }[]
  readonly outcome: 'ok' | 'fail' | 'info' | 'info-done'
}

/** Steps of some processes over two or three lists. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    process: fc.nat({ max: PROCESSES - 1 }),
    parts: fc.array(fc.record({ isAppend: fc.boolean(), key: fc.constantFrom('x', 'y', 'z') }), { minLength: 1, maxLength: 4 }),
    outcome: fc.constantFrom(
      'ok' as const,
      'ok' as const,
      'ok' as const,
      'ok' as const,
      'fail' as const,
      'info' as const,
      'info-done' as const,
    ),
  }),
  { minLength: 10, maxLength: 120 },
)

/** Runs steps: each transaction begins, takes effect in one moment, and ends. At the end everything is read. */
export function runSerially(script: readonly Step[]): Recording {
  const recording = new Recording()
  const lists = new Map<ListKey, ListElement[]>()
  const open = new Map<
    number,
    { wanted: readonly MicroOperation[]; done: readonly MicroOperation[] | undefined; outcome: Step['outcome'] }
  >()
  const renamed = new Map<number, number>()
  let nextElement = 0
  const goOn = ({ process: number, parts, outcome }: Step): void => {
    const process = renamed.get(number) ?? number
    const now = open.get(number)
    if (now === undefined) {
      const wanted = parts.map(({ isAppend, key }): MicroOperation => (isAppend ? ['append', key, (nextElement += 1)] : ['r', key, null]))
      recording.invoke(process, 'txn', wanted)
      open.set(number, { wanted, done: undefined, outcome })
    } else if (now.done === undefined) {
      open.set(number, { ...now, done: now.outcome === 'ok' || now.outcome === 'info-done' ? apply(lists, now.wanted) : now.wanted })
    } else {
      open.delete(number)
      if (now.outcome === 'ok') recording.ok(process, 'txn', now.done)
      else if (now.outcome === 'fail') recording.fail(process, 'txn', now.wanted)
      else {
        recording.info(process, 'txn', now.wanted)
        renamed.set(number, process + PROCESSES)
      }
    }
  }
  for (const step of script) goOn(step)
  for (let number = 0; number < PROCESSES; number += 1) {
    while (open.has(number)) goOn({ process: number, parts: [], outcome: 'ok' })
  }
  const all = [...lists].map(([key, list]): MicroOperation => ['r', key, [...list]])
  return recording.call(
    99,
    'txn',
    all.map(([, key]) => ['r', key, null]),
    all,
  )
}

function apply(lists: Map<ListKey, ListElement[]>, wanted: readonly MicroOperation[]): readonly MicroOperation[] {
  return wanted.map((part): MicroOperation => {
    const list = lists.get(part[1]) ?? []
    lists.set(part[1], list)
    if (part[0] === 'r') return ['r', part[1], [...list]]
    list.push(part[2])
    return part
  })
}

/** Whether some order of all acknowledged transactions, and of any of those of unknown outcome, explains every read. By trying all. */
export function hasSerialOrder(history: History, keepsTime: boolean): boolean {
  const transactions = transactionsOf(history).filter(({ outcome }) => outcome !== 'fail')
  const search = (left: readonly Transaction[], lists: ReadonlyMap<ListKey, readonly ListElement[]>): boolean => {
    if (left.every(({ outcome }) => outcome === 'info')) return true
    return left.some((next) => {
      if (keepsTime && left.some(({ endedAt }) => endedAt < next.invokedAt)) return false
      const after = replay(next, lists)
      return (
        after !== undefined &&
        search(
          left.filter((each) => each !== next),
          after,
        )
      )
    })
  }
  return search(transactions, new Map())
}

/** The lists after a transaction, or `undefined` if it would not have read what it read. */
function replay(
  { parts, outcome }: Transaction,
  before: ReadonlyMap<ListKey, readonly ListElement[]>,
): ReadonlyMap<ListKey, readonly ListElement[]> | undefined {
  const lists = new Map(before)
  for (const part of parts) {
    const list = lists.get(part[1]) ?? []
    if (part[0] === 'append') lists.set(part[1], [...list, part[2]])
    else if (outcome === 'ok' && part[2] !== null && !(isPrefix(list, part[2]) && list.length === part[2].length)) return undefined
  }
  return lists
}
