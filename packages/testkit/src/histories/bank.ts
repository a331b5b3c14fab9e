/** A bank: money is moved, never made. Whoever sees all balances at once sees the same total at every moment. */
import { InvalidHistory, operationsOf } from './history.ts'
import type { History, Operation } from './history.ts'
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/**
 * What can be wrong with a history of a bank. `wrong-total`: balances of one read do not add up. `negative-balance`: one is below
 * zero. `wrong-accounts`: an account is missing, or one too many.
 */
export type BankAnomaly = 'wrong-total' | 'negative-balance' | 'wrong-accounts'

/** The bank. */
export interface BankOptions {
  /** The sum of all balances, at every moment. */
  readonly total: number
  /** Whether a balance may be below zero. Default false. */
  readonly allowNegative?: boolean
  /** The accounts that every read must have, if that is to be checked. */
  readonly accounts?: readonly string[]
}

/** How much was looked at. */
export interface BankCounts {
  /** Reads that were answered. With 0 of them nothing was checked. */
  readonly reads: number
  /** Transfers that were acknowledged. */
  readonly transfers: number
}

/**
 * Checks every answered `read` of a history, whose reply is an object of balances by account (whole numbers, so that sums are
 * exact). Operations `transfer` have no rule; those that were under way during a wrong read are named with it. Throws
 * `InvalidHistory` for other replies.
 */
export function checkBank(history: History, { total, allowNegative = false, accounts }: BankOptions): Verdict<BankAnomaly, BankCounts> {
  const found = new Anomalies<BankAnomaly>()
  const operations = operationsOf(history)
  const reads = operations.filter(({ f, outcome }) => f === 'read' && outcome === 'ok')
  for (const read of reads) {
    const balances = balancesOf(read)
    const shown = `read ${read.invokedAt} (process ${read.process}) saw ${inWords(balances)}`
    const sum = balances.reduce((before, [, balance]) => before + balance, 0)
    if (sum !== total) found.add('wrong-total', `${shown}, which is ${sum} in all instead of ${total}${transfersDuring(read, operations)}`)
    const negative = balances.filter(([, balance]) => balance < 0)
    if (!allowNegative && negative.length > 0) found.add('negative-balance', `${shown}: below zero are ${inWords(negative)}`)
    if (accounts === undefined) continue
    const seen = balances.map(([account]) => account)
    const wrong = [...accounts.filter((account) => !seen.includes(account)), ...seen.filter((account) => !accounts.includes(account))]
    if (wrong.length > 0) found.add('wrong-accounts', `${shown}: missing or unknown are ${wrong.join(', ')}`)
  }
  const transfers = operations.filter(({ f, outcome }) => f === 'transfer' && outcome === 'ok').length
  return found.verdict({ reads: reads.length, transfers })
}

function balancesOf({ output, endedAt }: Operation): readonly (readonly [string, number])[] {
  if (typeof output !== 'object' || output === null) throw new InvalidHistory(endedAt, 'the reply of a read is an object of balances')
  return Object.entries(output).map(([account, balance]: [string, unknown]) => {
    if (typeof balance !== 'number') throw new InvalidHistory(endedAt, `the balance of ${account} is no number`)
    return [account, balance] as const
  })
}

/** How many accounts, and how many transfers, a sentence names. */
const NAMED_MAX = 8

function inWords(balances: readonly (readonly [string, number])[]): string {
  const more = balances.length > NAMED_MAX ? ` and ${balances.length - NAMED_MAX} more` : ''
  return `${balances
    .slice(0, NAMED_MAX)
    .map(([account, balance]) => `${account} ${balance}`)
    .join(', ')}${more}`
}

function transfersDuring(read: Operation, operations: readonly Operation[]): string {
  const during = operations.filter(({ f, invokedAt, endedAt }) => f === 'transfer' && invokedAt < read.endedAt && endedAt > read.invokedAt)
  if (during.length === 0) return ', while no transfer was under way'
  const names = during
    .slice(0, NAMED_MAX)
    .map(({ invokedAt, process, input }) => `${invokedAt} (process ${process}: ${JSON.stringify(input)})`)
  const more = during.length > NAMED_MAX ? ` and ${during.length - NAMED_MAX} more` : ''
  return `, while these transfers were under way: ${names.join(', ')}${more}`
}
