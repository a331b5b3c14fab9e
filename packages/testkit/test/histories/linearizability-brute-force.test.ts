/** The checker against one that tries everything, over thousands of small histories, right and wrong ones. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { History, HistoryEvent } from '../../src/histories/history.ts'
import { checkLinearizable } from '../../src/histories/linearizability.ts'
import { modelOf } from '../../src/histories/model.ts'
import { casRegister, keyValueAppend, register } from '../../src/histories/models.ts'
import { isLinearizable, keyValueSemantics, registerSemantics } from './brute-force.ts'
import type { Semantics } from './brute-force.ts'

const RUNS = Number(process.env['BAILIWICK_RUNS'] ?? 4_000)
const SEED = 20_260_101

/** A step of a process: it begins what is given here, or ends what it has begun. */
interface Step {
  readonly process: number
  readonly f: string
  readonly key: string | undefined
  readonly input: unknown
  readonly output: unknown
  readonly end: 'ok' | 'fail' | 'info'
}

function stepOf(calls: fc.Arbitrary<Pick<Step, 'f' | 'input' | 'output'>>, keys: readonly (string | undefined)[]): fc.Arbitrary<Step> {
  const end = fc.oneof(
    { weight: 7, arbitrary: fc.constant('ok' as const) },
    { weight: 2, arbitrary: fc.constant('info' as const) },
    fc.constant('fail' as const),
  )
  return fc
    .tuple(calls, fc.record({ process: fc.nat({ max: 3 }), key: fc.constantFrom(...keys), end }))
    .map(([call, rest]) => ({ ...call, ...rest }))
}

const value = fc.nat({ max: 2 })
const read = value.map((output) => ({ f: 'read', input: null, output }))
const write = value.map((input) => ({ f: 'write', input, output: input }))
const cas = fc.tuple(value, value).map((input) => ({ f: 'cas', input, output: input }))
const text = fc.constantFrom('a', 'b')
const get = fc.string({ unit: text, maxLength: 4 }).map((output) => ({ f: 'get', input: null, output }))
const put = text.map((input) => ({ f: 'put', input, output: input }))
const append = text.map((input) => ({ f: 'append', input, output: input }))

/** At most seven calls: the other checker tries all orders. */
function historyOf(steps: readonly Step[]): History {
  const events: HistoryEvent[] = []
  const open = new Map<number, Step>()
  let calls = 0
  for (const step of steps) {
    const begun = open.get(step.process)
    if (begun === undefined && ++calls > 7) break
    const { process, f, key } = begun ?? step
    const at = { index: events.length, time: events.length, process, f, ...(key === undefined ? {} : { key }) }
    if (begun === undefined) {
      open.set(process, step)
      events.push({ ...at, type: 'invoke', value: step.input })
    } else {
      open.delete(process)
      events.push({ ...at, type: begun.end, value: begun.output })
    }
  }
  return events
}

const plainKeyValue = modelOf<string>({
  initial: '',
  reduce: (state, { f, input }) => {
    if (f === 'get') return { state, output: state }
    return { state: f === 'put' ? String(input) : state + String(input), output: input }
  },
})
const plainRegister = modelOf<unknown>({
  initial: 0,
  isRead: ({ f }) => f === 'read',
  reduce: (state, { f, input }) => {
    if (f === 'read') return { state, output: state }
    if (f === 'write') return { state: input, output: input }
    const [from, to] = input as readonly unknown[]
    return state === from ? { state: to, output: input } : { rejected: true }
  },
})

const cases = [
  { name: 'a register', model: register(0), calls: [read, write], keys: [undefined], initial: 0, semantics: registerSemantics },
  {
    name: 'a register with compare-and-set',
    model: casRegister(0),
    calls: [read, write, cas],
    keys: [undefined],
    initial: 0,
    semantics: registerSemantics,
  },
  {
    name: 'a register as a reducer',
    model: plainRegister,
    calls: [read, write, cas],
    keys: [undefined],
    initial: 0,
    semantics: registerSemantics,
  },
  { name: 'texts with append', model: keyValueAppend(), calls: [get, put, append], keys: ['k'], initial: '', semantics: keyValueSemantics },
  {
    name: 'texts that are appended to only',
    model: keyValueAppend(),
    calls: [get, append],
    keys: ['k'],
    initial: '',
    semantics: keyValueSemantics,
  },
  {
    name: 'texts under two keys',
    model: keyValueAppend(),
    calls: [get, put, append],
    keys: ['k', 'l'],
    initial: '',
    semantics: keyValueSemantics,
  },
  { name: 'texts as a reducer', model: plainKeyValue, calls: [get, put, append], keys: ['k'], initial: '', semantics: keyValueSemantics },
] as const

describe('the checker and one that tries every order agree', () => {
  test.each(cases)('on $name', ({ model, calls, keys, initial, semantics }) => {
    const met = { yes: 0, no: 0 }
    const steps = fc.array(stepOf(fc.oneof(...calls), keys), { minLength: 4, maxLength: 20, size: 'max' })
    fc.assert(
      fc.property(steps, (drawn) => {
        const history = historyOf(drawn)
        const result = checkLinearizable(history, model as ReturnType<typeof register>)
        const expected = isLinearizable(history, initial, semantics) ? 'yes' : 'no'
        expect(result.verdict).toBe(expected)
        met[expected] += 1
        if (result.verdict === 'no') expectOrder(result.longest, initial, semantics)
      }),
      { numRuns: RUNS, seed: SEED },
    )
    // Both kinds, or little is shown.
    expect(Math.min(met.yes, met.no)).toBeGreaterThan(RUNS / 20)
  })
})

/** What is shown to people as the longest order is one: no call before one that had ended before it began, and every answer right. */
function expectOrder(order: readonly Parameters<Semantics>[1][], initial: unknown, semantics: Semantics): void {
  let state = initial
  for (const [position, operation] of order.entries()) {
    expect(order.slice(position).every((later) => later.endedAt >= operation.invokedAt)).toBe(true)
    const after = semantics(state, operation)
    expect(after).toBeDefined()
    state = after?.value
  }
}
