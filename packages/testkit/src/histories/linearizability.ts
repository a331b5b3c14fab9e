/**
 * Linearizability: is there an order of all calls, each at one moment between its beginning and its end, in which every answer is right?
 *
 * Calls that ended `ok` have happened, those that ended `fail` have not, and those of which nobody knows (`info`) may have happened at
 * any time after their beginning, or never. The question is hard in general (NP-complete), so that there is a third answer: the budget is
 * spent. How the search goes is told in `linearization-search.ts`.
 */
import { operationsOf } from './history.ts'
import type { History, Operation } from './history.ts'
import { LinearizationSearch } from './linearization-search.ts'
import type { Progress } from './linearization-search.ts'
import type { Model } from './model.ts'
import { fingerprintOf } from './values.ts'

/** How many steps are taken by default: seconds to half a minute, depending on the model. */
const STEPS_DEFAULT = 5_000_000

/** How much memory the search takes by default, roughly, in bytes. */
const BYTES_DEFAULT = 100_000_000

/** How far `checkLinearizable` may go. */
export interface LinearizabilityOptions {
  /**
   * How often the model may be asked, over all partitions together; 5,000,000 by default. All partitions advance in
   * turns that grow, the small ones first, so that a hard one does not keep a bad one from being found.
   */
  readonly steps?: number
  /**
   * How much memory it may take to know what was searched, roughly, in bytes and over all partitions; 100,000,000 by
   * default. With less, more is searched twice.
   */
  readonly bytes?: number
}

/** An answer of `checkLinearizable`. */
export type Linearizability =
  | { readonly verdict: 'yes' }
  | {
      readonly verdict: 'no'
      /** The partition (the key) that is not linearizable; the empty text if there is only one. */
      readonly partition: string
      /** The longest beginning of an order that was found, in this order. */
      readonly longest: readonly Operation[]
      /** The operation that should have come next, because it had ended before all others that are left, and cannot. */
      readonly blocking: Operation
      /** What stands against it, in words. */
      readonly explanation: string
    }
  | {
      readonly verdict: 'budget-spent'
      /** How many steps were taken. */
      readonly steps: number
      /** The largest of the partitions that are open. No partition was found bad. */
      readonly partition: string
      /** How many partitions are open. */
      readonly open: number
      /** The longest beginning of an order that was found in it. */
      readonly longest: readonly Operation[]
    }

interface Candidate<State> {
  readonly partition: string
  readonly operations: readonly Operation[]
  search?: LinearizationSearch<State>
}

const FIRST_TURN_STEPS = 4_096
/** Every partition has a memo of at least so many bytes. */
const PARTITION_BYTES_MIN = 65_536
const SHOWN_MAX = 8

/**
 * Whether a history is linearizable for a model. The answer is the same for the same history, model and options. Throws `InvalidHistory`
 * for what is no history, or has operations that the model does not know.
 */
export function checkLinearizable<State>(history: History, model: Model<State>, options: LinearizabilityOptions = {}): Linearizability {
  const { steps: stepsMax = STEPS_DEFAULT, bytes = BYTES_DEFAULT } = options
  let open = partitionsOf(history, model)
  let steps = 0
  for (let turn = FIRST_TURN_STEPS; open.length > 0 && steps < stepsMax; turn *= 2) {
    const left: Candidate<State>[] = []
    const bytesMax = Math.max(PARTITION_BYTES_MIN, bytes / open.length)
    for (const candidate of open) {
      candidate.search ??= new LinearizationSearch(model, candidate.operations)
      const { search } = candidate
      const before = search.steps
      const verdict = search.advance(Math.min(turn, stepsMax - steps), bytesMax)
      steps += search.steps - before
      if (verdict === 'no') return refusal(candidate.partition, search.conclude(), model)
      if (verdict === 'open') left.push(candidate)
    }
    open = left
  }
  const largest = open.at(-1)
  if (largest === undefined) return { verdict: 'yes' }
  const search = largest.search ?? new LinearizationSearch(model, largest.operations)
  return { verdict: 'budget-spent', steps, partition: largest.partition, open: open.length, longest: search.conclude().longest }
}

/** An answer for people: the end of the longest order that was found, and the operation that blocks. */
export function describeLinearizability(result: Linearizability): string {
  if (result.verdict === 'yes') return 'The history is linearizable.'
  const where = result.partition === '' ? '' : ` of "${result.partition}"`
  const shown = result.longest.slice(-SHOWN_MAX).map((operation) => `  ${operationInWords(operation)}`)
  const hidden = result.longest.length - shown.length
  const order = [...(hidden > 0 ? [`  (${hidden} before)`] : []), ...shown]
  const head = `The longest order that was found has ${counted(result.longest.length, 'operation')}${order.length > 0 ? ':' : '.'}`
  if (result.verdict === 'budget-spent') {
    const others = result.open > 1 ? ` (and ${counted(result.open - 1, 'other partition')})` : ''
    return [`After ${result.steps} steps it is open whether the history${where}${others} is linearizable. ${head}`, ...order].join('\n')
  }
  return [
    `The history${where} is not linearizable. ${head}`,
    ...order,
    `Then must come:`,
    `  ${operationInWords(result.blocking)}`,
    result.explanation,
  ].join('\n')
}

/** What can be searched by itself, the smallest first, without what cannot matter. */
function partitionsOf<State>(history: History, model: Model<State>): readonly Candidate<State>[] {
  const partitions = new Map<string, Operation[]>()
  for (const operation of operationsOf(history)) {
    if (operation.outcome === 'fail') continue
    // A read of unknown end says nothing: it is right in any order.
    if (operation.outcome === 'info' && model.isRead?.(operation) === true) continue
    const partition = model.partitionOf?.(operation) ?? operation.key ?? ''
    const others = partitions.get(partition)
    if (others) others.push(operation)
    else partitions.set(partition, [operation])
  }
  const candidates = Array.from(partitions, ([partition, operations]): Candidate<State> => ({ partition, operations }))
  return candidates.sort((left, right) => left.operations.length - right.operations.length)
}

function refusal<State>(partition: string, { longest, state, blocking, others }: Progress<State>, model: Model<State>): Linearizability {
  // A partition of which all could be linearized is not refused.
  if (blocking === undefined) throw new Error('A search that was refused has no operation that blocks.')
  const describe = model.describe ?? fingerprintOf
  const after = longest.length === 0 ? 'In the beginning' : `After ${counted(longest.length, 'operation')}`
  const rest = others.map((operation) => operationInWords(operation))
  const also = rest.length === 0 ? 'Nothing else was under way then.' : `Under way then, and no help: ${rest.join('; ')}.`
  const explanation = `${after} the state of the ${model.name} is ${describe(state)}, in which this cannot be, and by this end it must have been. ${also}`
  return { verdict: 'no', partition, longest, blocking, explanation }
}

function operationInWords({ process, f, key, input, outcome, output, invokedAt, endedAt }: Operation): string {
  const asked = [f, ...(key === undefined ? [] : [key]), ...(input === undefined || input === null ? [] : [fingerprintOf(input)])].join(' ')
  const end = outcome === 'ok' ? ` → ${fingerprintOf(output)} [${invokedAt}–${endedAt}]` : ` (end unknown) [${invokedAt}–]`
  return `${process}: ${asked}${end}`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
