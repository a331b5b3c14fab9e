/** Builds histories line by line, for the tests of checkers. */
import { expect } from 'vitest'
import type { History, HistoryEvent, HistoryEventType } from '../../src/histories/history.ts'
import type { Verdict } from '../../src/histories/verdict.ts'

/** A history in the making. Times are ten times the index. */
export class Recording {
  readonly #events: HistoryEvent[] = []
  readonly #key: string | undefined

  constructor(key?: string) {
    this.#key = key
  }

  get history(): History {
    return this.#events
  }

  invoke(process: number, f: string, value: unknown = null): this {
    return this.#add(process, 'invoke', f, value)
  }

  ok(process: number, f: string, value: unknown = null): this {
    return this.#add(process, 'ok', f, value)
  }

  fail(process: number, f: string, value: unknown = null): this {
    return this.#add(process, 'fail', f, value)
  }

  info(process: number, f: string, value: unknown = null): this {
    return this.#add(process, 'info', f, value)
  }

  /** A call that begins and ends at once. */
  call(process: number, f: string, input: unknown, output: unknown = input, type: 'ok' | 'fail' | 'info' = 'ok'): this {
    return this.invoke(process, f, input).#add(process, type, f, output)
  }

  #add(process: number, type: HistoryEventType, f: string, value: unknown): this {
    const index = this.#events.length
    this.#events.push({ index, time: index * 10, process, type, f, value, ...(this.#key === undefined ? {} : { key: this.#key }) })
    return this
  }
}

/** The kinds of anomalies of a verdict, each once; none if all is well. */
export function kindsOf(verdict: Verdict): readonly string[] {
  return verdict.ok ? [] : [...new Set(verdict.anomalies.map(({ kind }) => kind))]
}

/** Expects an anomaly of this kind whose sentence has all of these words. */
export function expectAnomaly(verdict: Verdict, kind: string, ...words: readonly string[]): void {
  const kinds = kindsOf(verdict)
  expect(kinds, verdict.ok ? 'nothing was found' : verdict.problem).toContain(kind)
  const problems = verdict.ok ? [] : verdict.anomalies.filter((each) => each.kind === kind).map(({ problem }) => problem)
  const isNamed = problems.some((problem) => words.every((word) => problem.includes(word)))
  expect(isNamed, `${words.join(' and ')} in one of: ${problems.join('; ')}`).toBe(true)
}
