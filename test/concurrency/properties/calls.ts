/** Histories of logical calls: one for each intent of a client, however often it was repeated. */
import { checkLinearizable, describeLinearizability, modelOf } from '@bailiwick/testkit'
import type { HistoryEvent, ReducerModel, World } from '@bailiwick/testkit'
import { claim } from './campaign.ts'
import type { Known } from './campaign.ts'

/** Records calls in the form that checkers read. */
export class Calls {
  readonly history: HistoryEvent[] = []
  #calls = 0

  /** Makes a call and records it. */
  async call<T>(key: string, f: string, input: unknown, call: () => Promise<Known<T>>): Promise<Known<T>> {
    this.#calls += 1
    const process = this.#calls
    this.#add(process, 'invoke', key, f, input)
    const known = await call()
    if (known.how === 'answered') this.#add(process, 'ok', key, f, known.value)
    else this.#add(process, known.how === 'refused' ? 'fail' : 'info', key, f, known)
    return known
  }

  /** Records a call that was answered. */
  ok(key: string, f: string, input: unknown, output: unknown): void {
    this.#calls += 1
    const process = this.#calls
    this.#add(process, 'invoke', key, f, input)
    this.#add(process, 'ok', key, f, output)
  }

  #add(process: number, type: HistoryEvent['type'], key: string, f: string, value: unknown): void {
    this.history.push({ index: this.history.length, time: this.history.length, process, type, f, key, value })
  }
}

/** Claims that a history is linearizable. One that cannot be decided within the budget is left. */
export function linearizable<State>(world: World, { history }: Calls, model: ReducerModel<State>): void {
  const result = checkLinearizable(history, modelOf(model), { steps: 100_000, bytes: 10_000_000 })
  claim('the calls are linearizable', result.verdict !== 'no', () => describeLinearizability(result))
  world.always('a history is small enough to be decided', result.verdict === 'yes')
}
