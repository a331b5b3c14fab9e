/** Small histories with known answers, and what the checker says about them. */
import { describe, expect, test } from 'vitest'
import { InvalidHistory } from '../../src/histories/history.ts'
import type { History, HistoryEvent } from '../../src/histories/history.ts'
import { checkLinearizable, describeLinearizability } from '../../src/histories/linearizability.ts'
import { modelOf } from '../../src/histories/model.ts'
import { casRegister, keyValueAppend, register } from '../../src/histories/models.ts'
import { simulatedKeyValue, simulatedRegister } from './simulated-histories.ts'

type Line = readonly [process: number, type: HistoryEvent['type'], f: string, value?: unknown, key?: string]

const history = (...lines: readonly Line[]): History =>
  lines.map(([process, type, f, value, key], index) => ({
    index,
    time: index,
    process,
    type,
    f,
    value,
    ...(key === undefined ? {} : { key }),
  }))

const verdictOf = (lines: readonly Line[], model = casRegister()): string => checkLinearizable(history(...lines), model).verdict
const verdictOfTexts = (lines: readonly Line[]): string => checkLinearizable(history(...lines), keyValueAppend()).verdict

describe('a register', () => {
  test('without any call is linearizable', () => {
    expect(checkLinearizable([], register())).toEqual({ verdict: 'yes' })
  })

  test('that answers the value before the last write, after that write has ended, is not linearizable: a stale read', () => {
    const stale: readonly Line[] = [
      [0, 'invoke', 'write', 1],
      [0, 'ok', 'write', 1],
      [0, 'invoke', 'write', 2],
      [0, 'ok', 'write', 2],
      [1, 'invoke', 'read'],
      [1, 'ok', 'read', 1],
    ]
    expect(verdictOf(stale)).toBe('no')
    expect(verdictOf([...stale.slice(0, 5), [1, 'ok', 'read', 2]])).toBe('yes')
  })

  test('may answer either of two writes that were under way together, but not one and then the other and then the first again', () => {
    const writes: readonly Line[] = [
      [0, 'invoke', 'write', 1],
      [1, 'invoke', 'write', 2],
      [0, 'ok', 'write', 1],
      [1, 'ok', 'write', 2],
    ]
    const reads = (...values: readonly number[]): readonly Line[] =>
      values.flatMap((value): readonly Line[] => [
        [2, 'invoke', 'read'],
        [2, 'ok', 'read', value],
      ])
    expect(verdictOf([...writes, ...reads(1)])).toBe('yes')
    expect(verdictOf([...writes, ...reads(2)])).toBe('yes')
    expect(verdictOf([...writes, ...reads(1, 2)])).toBe('no')
    expect(verdictOf([...writes.slice(0, 2), ...reads(1, 2), ...writes.slice(2)])).toBe('yes')
    expect(verdictOf([...writes.slice(0, 2), ...reads(1, 2, 1), ...writes.slice(2)])).toBe('no')
  })

  test('may show a write of unknown end long after, once, or never', () => {
    const lost: readonly Line[] = [
      [0, 'invoke', 'write', 1],
      [0, 'info', 'write', 'timed-out'],
      [1, 'invoke', 'write', 2],
      [1, 'ok', 'write', 2],
    ]
    const reads = (...values: readonly number[]): readonly Line[] =>
      values.flatMap((value): readonly Line[] => [
        [2, 'invoke', 'read'],
        [2, 'ok', 'read', value],
      ])
    expect(verdictOf([...lost, ...reads(2, 2)])).toBe('yes')
    expect(verdictOf([...lost, ...reads(2, 1, 1)])).toBe('yes')
    expect(verdictOf([...lost, ...reads(1, 1)])).toBe('yes')
    expect(verdictOf([...lost, ...reads(2, 1, 2)])).toBe('no')
    expect(verdictOf([...lost, ...reads(2, 1, 2)], register())).toBe('no')
  })

  test('does not show a write that failed, nor one that had not begun', () => {
    expect(
      verdictOf([
        [0, 'invoke', 'write', 1],
        [0, 'fail', 'write', 'refused'],
        [1, 'invoke', 'read'],
        [1, 'ok', 'read', 1],
      ]),
    ).toBe('no')
    const early: readonly Line[] = [
      [1, 'invoke', 'read'],
      [1, 'ok', 'read', 1],
      [0, 'invoke', 'write', 1],
      [0, 'ok', 'write', 1],
    ]
    expect(verdictOf(early)).toBe('no')
    // Also if nobody knows how that write ended.
    expect(verdictOf(early.slice(0, 3))).toBe('no')
  })

  test('has a write under way if the history ends before it does', () => {
    expect(
      verdictOf([
        [0, 'invoke', 'write', 1],
        [1, 'invoke', 'read'],
        [1, 'ok', 'read', 1],
        [2, 'invoke', 'read'],
      ]),
    ).toBe('yes')
  })

  test('holds nothing at first, which is null and undefined, or what it was given', () => {
    const nothing: readonly Line[] = [
      [0, 'invoke', 'read'],
      [0, 'ok', 'read', null],
      [0, 'invoke', 'read'],
      [0, 'ok', 'read'],
    ]
    expect(verdictOf(nothing)).toBe('yes')
    expect(verdictOf(nothing, casRegister(3))).toBe('no')
  })
})

describe('compare-and-set', () => {
  const all = (...calls: readonly (readonly [f: string, input: unknown, output?: unknown])[]): readonly Line[] =>
    calls.flatMap(([f, input, output]): readonly Line[] => [
      [0, 'invoke', f, input],
      [0, 'ok', f, output ?? input],
    ])

  test('succeeds only on what it expects, each link of a chain after the other', () => {
    expect(verdictOf(all(['write', 1], ['cas', [1, 2]], ['cas', [2, 3]], ['read', null, 3]))).toBe('yes')
    expect(verdictOf(all(['write', 1], ['cas', [2, 3]]))).toBe('no')
    expect(verdictOf(all(['write', 1], ['cas', [1, 2]], ['cas', [1, 3]]))).toBe('no')
  })

  test('of two that expect the same, only one succeeds: a lost update', () => {
    const both: readonly Line[] = [
      ...all(['write', 0]),
      [1, 'invoke', 'cas', [0, 1]],
      [2, 'invoke', 'cas', [0, 2]],
      [1, 'ok', 'cas', [0, 1]],
    ]
    expect(verdictOf([...both, [2, 'ok', 'cas', [0, 2]]])).toBe('no')
    expect(verdictOf([...both, [2, 'fail', 'cas', [0, 2]]])).toBe('yes')
  })

  test('of unknown end may be what a chain needs, if the order of the others leaves room for it', () => {
    const lines: readonly Line[] = [
      ...all(['write', 1]),
      [1, 'invoke', 'cas', [1, 2]],
      [1, 'info', 'cas', 'timed-out'],
      ...all(['cas', [2, 3]]),
    ]
    expect(verdictOf(lines)).toBe('yes')
    expect(verdictOf([...lines, ...all(['write', 1], ['cas', [2, 3]])])).toBe('no')
  })
})

describe('keys', () => {
  const lines: readonly Line[] = [
    [0, 'invoke', 'append', 'x', 'good'],
    [1, 'invoke', 'append', 'x', 'bad'],
    [0, 'ok', 'append', 'x', 'good'],
    [1, 'ok', 'append', 'x', 'bad'],
    [0, 'invoke', 'get', null, 'good'],
    [1, 'invoke', 'get', null, 'bad'],
    [0, 'ok', 'get', 'x', 'good'],
    [1, 'ok', 'get', '', 'bad'],
  ]

  test('are checked each on its own, and the bad one is named', () => {
    expect(checkLinearizable(history(...lines), keyValueAppend())).toMatchObject({ verdict: 'no', partition: 'bad' })
    expect(checkLinearizable(history(...lines.filter(([, , , , key]) => key === 'good')), keyValueAppend())).toEqual({ verdict: 'yes' })
  })

  test('make one thing if the model says so', () => {
    const model = modelOf<readonly unknown[]>({
      initial: [],
      partitionOf: () => '',
      reduce: (state, { key }) => ({ state: [...state, key], output: state.length + 1 }),
    })
    const counted: readonly Line[] = [
      [0, 'invoke', 'count', null, 'a'],
      [0, 'ok', 'count', 1, 'a'],
      [0, 'invoke', 'count', null, 'b'],
      [0, 'ok', 'count', 2, 'b'],
    ]
    expect(checkLinearizable(history(...counted), model)).toEqual({ verdict: 'yes' })
    const { partitionOf: _, ...each } = model
    expect(checkLinearizable(history(...counted), each)).toMatchObject({ verdict: 'no', partition: 'b' })
  })
})

describe('texts', () => {
  const calls = (...texts: readonly (readonly [process: number, f: string, text: string])[]): readonly Line[] =>
    texts.map(([process, f, text]) => [process, 'invoke', f, f === 'get' ? null : text])
  const ends = (...texts: readonly (readonly [process: number, f: string, text: string])[]): readonly Line[] =>
    texts.map(([process, f, text]) => [process, 'ok', f, text])

  test('that were replaced before the first read ended may have been seen by one that ended later', () => {
    const appends = [
      [1, 'append', 'a'],
      [2, 'append', 'b'],
      [3, 'append', 'c'],
    ] as const
    const put = [4, 'put', 'p'] as const
    const early = [5, 'get', 'p'] as const
    const late = [6, 'get', 'bac'] as const
    const all = [...appends, put, early, late]
    expect(verdictOfTexts([...calls(...all), ...ends(early, late, put, ...appends)])).toBe('yes')
    // The same if nobody knows how the appends ended.
    expect(verdictOfTexts([...calls(...all), ...ends(early, late, put)])).toBe('yes')
    // But not if it had begun only then.
    expect(verdictOfTexts([...calls(...appends, put, early), ...ends(early), ...calls(late), ...ends(late, put, ...appends)])).toBe('no')
  })
})

describe('a reducer as a model', () => {
  interface Account {
    readonly total: number
  }
  const account = modelOf<Account>({
    initial: { total: 0 },
    reduce: ({ total }, { f, input }) => {
      const next = f === 'deposit' ? total + Number(input) : total - Number(input)
      return next < 0 ? { rejected: true } : { state: { total: next }, output: { total: next, notes: undefined } }
    },
  })

  test('compares the whole answer, and knows that a rejected call did not end well', () => {
    const deposit: readonly Line[] = [
      [0, 'invoke', 'deposit', 5],
      [0, 'ok', 'deposit', { total: 5 }],
      [1, 'invoke', 'withdraw', 3],
    ]
    const verdict = (...rest: readonly Line[]): string => checkLinearizable(history(...deposit, ...rest), account).verdict
    expect(verdict([1, 'ok', 'withdraw', { total: 2 }])).toBe('yes')
    expect(verdict([1, 'ok', 'withdraw', { total: 3 }])).toBe('no')
    expect(verdict([1, 'info', 'withdraw', 'lost'], [0, 'invoke', 'withdraw', 5], [0, 'ok', 'withdraw', { total: 0 }])).toBe('yes')
    expect(verdict([1, 'ok', 'withdraw', { total: 2 }], [0, 'invoke', 'withdraw', 5], [0, 'ok', 'withdraw', { total: -3 }])).toBe('no')
  })
})

describe('what is said to people', () => {
  test('is the longest order that was found, the operation that blocks, the state, and what else was under way', () => {
    const result = checkLinearizable(
      history(
        [0, 'invoke', 'write', 1],
        [0, 'ok', 'write', 1],
        [1, 'invoke', 'read'],
        [2, 'invoke', 'write', 2],
        [1, 'ok', 'read', 7],
        [2, 'ok', 'write', 2],
      ),
      register(),
    )
    expect(result).toMatchObject({
      verdict: 'no',
      partition: '',
      longest: [
        { f: 'write', input: 1 },
        { f: 'write', input: 2 },
      ],
      blocking: { process: 1, f: 'read', output: 7 },
    })
    expect(describeLinearizability(result)).toMatchInlineSnapshot(`
      "The history is not linearizable. The longest order that was found has 2 operations:
        0: write 1 → 1 [0–1]
        2: write 2 → 2 [3–5]
      Then must come:
        1: read → 7 [2–4]
      After 2 operations the state of the register is 2, in which this cannot be, and by this end it must have been. Nothing else was under way then."
    `)
  })

  test('is short for a long history', () => {
    const lines = Array.from({ length: 100 }, (_, value): readonly Line[] => [
      [0, 'invoke', 'write', value],
      [0, 'ok', 'write', value],
    ]).flat()
    const result = checkLinearizable(history(...lines, [1, 'invoke', 'read'], [1, 'ok', 'read', 5]), register())
    expect(result).toMatchObject({ verdict: 'no', blocking: { f: 'read', output: 5 } })
    expect(describeLinearizability(result).split('\n').length).toBeLessThan(15)
    expect(describeLinearizability(result)).toContain('(92 before)')
    expect(describeLinearizability({ verdict: 'yes' })).toBe('The history is linearizable.')
  })
})

describe('the budget', () => {
  test('that is spent is an answer of its own, with the steps and what is open', () => {
    const hard = simulatedRegister({ seed: 1, operations: 300, clients: 20 })
    const result = checkLinearizable(hard, casRegister(), { steps: 50 })
    expect(result).toMatchObject({ verdict: 'budget-spent', partition: '', open: 1 })
    if (result.verdict !== 'budget-spent') return
    expect(result.steps).toBeGreaterThanOrEqual(50)
    expect(result.steps).toBeLessThan(100)
    expect(result.longest.length).toBeGreaterThan(0)
    expect(describeLinearizability(result)).toMatch(/^After \d+ steps it is open whether the history is linearizable\. The longest order/)
    expect(checkLinearizable(hard, casRegister(), { steps: 0 })).toMatchObject({ verdict: 'budget-spent', steps: 0 })
  })

  test('is shared so that a hard partition does not keep an easy bad one from being found', () => {
    // Without knowing more than the steps of the model, appends of 14 clients to one key that is never read right take for ever.
    const { foresight: _, isRead: __, ...plain } = keyValueAppend()
    const process = (number: number, f: HistoryEvent['type'], key: string): Line => [number, f, 'append', `${number},`, key]
    const numbers = Array.from({ length: 14 }, (_, number) => number)
    const hard: readonly Line[] = [
      ...numbers.map((number) => process(number, 'invoke', 'hard')),
      ...numbers.map((number) => process(number, 'ok', 'hard')),
      [0, 'invoke', 'get', null, 'hard'],
      [0, 'ok', 'get', 'not this', 'hard'],
    ]
    const padding = Array.from({ length: 40 }, (_, number): readonly Line[] => [
      process(number, 'invoke', 'easy'),
      process(number, 'ok', 'easy'),
    ]).flat()
    const easy: readonly Line[] = [...padding, [0, 'invoke', 'get', null, 'easy'], [0, 'ok', 'get', 'nor this', 'easy']]
    const options = { steps: 200_000 }
    expect(checkLinearizable(history(...hard), plain, options)).toMatchObject({ verdict: 'budget-spent', partition: 'hard' })
    expect(checkLinearizable(history(...hard, ...easy), plain, options)).toMatchObject({ verdict: 'no', partition: 'easy' })
    // With what the model knows it is no hard one.
    expect(checkLinearizable(history(...hard), keyValueAppend(), options)).toMatchObject({ verdict: 'no', partition: 'hard' })
  })

  test('of memory changes how much is searched, not the answer', () => {
    for (let seed = 0; seed < 20; seed++) {
      const right = simulatedRegister({ seed, operations: 120, clients: 6, unknown: 0.03 })
      const lastRead = right.findLast(({ f, type }) => f === 'read' && type === 'ok')
      const wrong = right.map((event) => (event === lastRead ? { ...event, value: 99 } : event))
      for (const [events, verdict] of [
        [right, 'yes'],
        [wrong, 'no'],
      ] as const) {
        expect({ seed, ...checkLinearizable(events, casRegister()) }).toMatchObject({ verdict })
        expect({ seed, ...checkLinearizable(events, casRegister(), { bytes: 0 }) }).toMatchObject({ verdict })
      }
    }
  })
})

describe('states', () => {
  test('whose hashes are all the same are told apart', () => {
    const model = { ...casRegister(), hash: () => 7 }
    const { foresight: _, ...text } = { ...keyValueAppend(), hash: () => 'the same' }
    for (let seed = 0; seed < 30; seed++) {
      const right = simulatedRegister({ seed, operations: 40, clients: 5, unknown: 0.05 })
      expect(checkLinearizable(right, model)).toEqual({ verdict: 'yes' })
      expect(checkLinearizable(simulatedKeyValue({ seed, operations: 40, clients: 4, keys: 2 }), text)).toEqual({ verdict: 'yes' })
    }
  })
})

describe('what is no history', () => {
  test('is refused, as is an operation that the model does not know', () => {
    expect(() => checkLinearizable(history([0, 'ok', 'read', 1]), register())).toThrow(InvalidHistory)
    expect(() => checkLinearizable(history([0, 'invoke', 'cas', [1, 2]], [0, 'ok', 'cas', [1, 2]]), register())).toThrow(
      'cas is no operation',
    )
    expect(() => checkLinearizable(history([0, 'invoke', 'cas', 1], [0, 'ok', 'cas', 1]), casRegister())).toThrow('not [from, to]')
    expect(() => checkLinearizable(history([0, 'invoke', 'put', 1], [0, 'ok', 'put', 1]), keyValueAppend())).toThrow('not a text')
  })
})
