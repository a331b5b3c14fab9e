import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidHistory } from '../../src/histories/history.ts'
import { checkListAppend } from '../../src/histories/list-append.ts'
import type { MicroOperation } from '../../src/histories/list-append-transactions.ts'
import { expectAnomaly, kindsOf, Recording } from './recording.ts'
import { hasSerialOrder, runSerially, steps } from './serial-lists.ts'

const strict = { model: 'strict-serializable' } as const

/** A transaction from begin to end. */
function txn(recording: Recording, process: number, parts: readonly MicroOperation[], type: 'ok' | 'fail' | 'info' = 'ok'): Recording {
  const wanted = parts.map((part) => (part[0] === 'r' ? ['r', part[1], null] : part))
  return recording.call(process, 'txn', wanted, type === 'ok' ? parts : wanted, type)
}

/** Transactions one after the other, each of a process of its own. */
function sequence(...transactions: readonly (readonly MicroOperation[])[]): Recording {
  const recording = new Recording()
  for (const [process, parts] of transactions.entries()) txn(recording, process, parts)
  return recording
}

describe('what one transaction shows', () => {
  test('a serial history is fine, under every model', () => {
    const { history } = sequence(
      [['append', 'x', 1]],
      [
        ['r', 'x', [1]],
        ['append', 'x', 2],
        ['r', 'x', [1, 2]],
        ['append', 'y', 1],
      ],
      [
        ['r', 'x', [1, 2]],
        ['r', 'y', [1]],
      ],
    )
    for (const model of ['serializable', 'strong-session-serializable', 'strict-serializable'] as const) {
      expect(checkListAppend(history, { model })).toEqual({ ok: true, transactions: 3, reads: 4 })
    }
  })

  test('a read of what a failed transaction appended is G1a, and names both', () => {
    const recording = txn(new Recording(), 1, [['append', 'x', 7]], 'fail')
    expectAnomaly(
      checkListAppend(txn(recording, 2, [['r', 'x', [7]]]).history),
      'G1a',
      'transaction 0 (process 1',
      'transaction 2 (process 2',
      '7',
    )
  })

  test('what a transaction of unknown outcome appended may be there or not', () => {
    const recording = txn(txn(new Recording(), 1, [['append', 'x', 7]], 'info'), 2, [['append', 'x', 8]], 'info')
    expect(checkListAppend(txn(recording, 3, [['r', 'x', [8]]]).history, strict)).toMatchObject({ ok: true, transactions: 2 })
  })

  test('a read between two appends of one transaction is G1b', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['append', 'x', 1],
          ['append', 'x', 2],
        ],
        [['r', 'x', [1]]],
        [['r', 'x', [1, 2]]],
      ).history,
    )
    expectAnomaly(verdict, 'G1b', 'transaction 2', 'transaction 0')
  })

  test.each<[string, string, readonly (readonly MicroOperation[])[]]>([
    ['an element twice in a read', 'duplicate-element', [[['append', 'x', 1]], [['r', 'x', [1, 1]]]]],
    ['an element that nobody appended', 'unexpected-element', [[['r', 'x', [5]]]]],
    [
      'two reads in two orders',
      'incompatible-order',
      [[['append', 'x', 1]], [['append', 'x', 2]], [['r', 'x', [1, 2]]], [['r', 'x', [2]]]],
    ],
    [
      'a read with the appends of one transaction in another order than its own',
      'incompatible-order',
      [
        [
          ['append', 'x', 1],
          ['append', 'x', 2],
        ],
        [['r', 'x', [2, 1]]],
      ],
    ],
    [
      'a read without what the transaction has appended itself',
      'internal',
      [
        [
          ['append', 'x', 1],
          ['r', 'x', []],
        ],
      ],
    ],
    [
      'a read of what the transaction appends later',
      'internal',
      [
        [
          ['r', 'x', [1]],
          ['append', 'x', 1],
        ],
      ],
    ],
    [
      'two different reads in one transaction',
      'internal',
      [
        [['append', 'x', 1]],
        [
          ['r', 'x', []],
          ['r', 'x', [1]],
        ],
      ],
    ],
    [
      'two that update the same version',
      'lost-update',
      [
        [
          ['r', 'x', []],
          ['append', 'x', 1],
        ],
        [
          ['r', 'x', []],
          ['append', 'x', 2],
        ],
      ],
    ],
  ])('%s is found', (_, kind, transactions) => {
    expectAnomaly(checkListAppend(sequence(...transactions).history), kind, 'transaction')
  })
})

describe('cycles', () => {
  test('appends in two lists in opposite orders are G0', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['append', 'x', 1],
          ['append', 'y', 1],
        ],
        [
          ['append', 'x', 2],
          ['append', 'y', 2],
        ],
        [['r', 'x', [1, 2]]],
        [['r', 'y', [2, 1]]],
      ).history,
    )
    expect(kindsOf(verdict)).toEqual(['G0'])
    expectAnomaly(verdict, 'G0', 'transaction 2 appended 2 to x after transaction 0 had appended 1', 'transaction 0 appended 1 to y after')
  })

  test('an append that nobody has read comes after all that was read', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['append', 'x', 1],
          ['append', 'y', 1],
        ],
        [
          ['append', 'x', 2],
          ['append', 'y', 2],
        ],
        [['r', 'x', [1]]],
        [['r', 'y', [2, 1]]],
      ).history,
    )
    expect(kindsOf(verdict)).toEqual(['G0'])
  })

  test('two that read each other are G1c', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['append', 'x', 1],
          ['r', 'y', [1]],
        ],
        [
          ['append', 'y', 1],
          ['r', 'x', [1]],
        ],
      ).history,
    )
    expect(kindsOf(verdict)).toEqual(['G1c'])
    expectAnomaly(verdict, 'G1c', 'transaction 2 read 1 in x, which transaction 0 had appended (wr)')
  })

  test('one that sees the half of another is G-single', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['append', 'x', 1],
          ['append', 'y', 1],
        ],
        [
          ['r', 'x', [1]],
          ['r', 'y', []],
        ],
        [['r', 'y', [1]]],
      ).history,
    )
    expect(kindsOf(verdict)).toEqual(['G-single'])
    expectAnomaly(verdict, 'G-single', 'transaction 2 read y as [] without 1, which transaction 0 appended (rw)')
  })

  test('write skew is G2', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['r', 'x', []],
          ['append', 'y', 1],
        ],
        [
          ['r', 'y', []],
          ['append', 'x', 1],
        ],
      ).history,
    )
    expect(kindsOf(verdict)).toEqual(['G2'])
  })

  test('of a group of entangled transactions the shortest cycle of the gravest kind is shown', () => {
    const verdict = checkListAppend(
      sequence(
        [
          ['append', 'x', 1],
          ['append', 'y', 1],
        ],
        [
          ['append', 'x', 2],
          ['append', 'z', 1],
        ],
        [
          ['append', 'z', 2],
          ['append', 'y', 2],
        ],
        [
          ['append', 'y', 3],
          ['append', 'z', 3],
        ],
        [
          ['r', 'x', [1, 2]],
          ['r', 'z', [3, 1, 2]],
          ['r', 'y', [2, 3, 1]],
        ],
      ).history,
    )
    expect(kindsOf(verdict)).toEqual(['G0'])
    // All four are entangled; the shortest way around does not lead through transaction 0.
    expect(verdict.ok ? '' : verdict.problem).toMatch(
      /no order explains transaction 2 .* and transaction 4 .* and transaction 6 [^&]*of kind G0/u,
    )
    expect(verdict.ok ? '' : verdict.problem).not.toContain('transaction 0')
    expect(verdict).toMatchObject({ anomalyCount: 1 })
  })

  test('a stale read breaks the order of time, and that of its process, and no other', () => {
    const recording = txn(txn(new Recording(), 1, [['append', 'x', 1]]), 1, [['r', 'x', []]])
    const { history } = txn(recording, 2, [['r', 'x', [1]]])
    expect(checkListAppend(history)).toMatchObject({ ok: true })
    expectAnomaly(checkListAppend(history, { model: 'strong-session-serializable' }), 'G-single-process', 'process 1 began transaction 2')
    expectAnomaly(checkListAppend(history, strict), 'G-single-real-time', 'had ended at 1 before transaction 2 began')
  })

  test('an acknowledged append that no read has is lost in strict order, and may come last in any other', () => {
    const { history } = sequence([['append', 'x', 1]], [['r', 'x', []]])
    expect(checkListAppend(history)).toMatchObject({ ok: true })
    expectAnomaly(checkListAppend(history, strict), 'lost-append', 'transaction 0', 'transaction 2')
  })

  test('what is no list of micro-operations is no history', () => {
    const broken = [[['append', 'x']], [['r', 'x', 1]], 5, [['w', 'x', 1]]]
    for (const value of broken) expect(() => checkListAppend(new Recording().invoke(0, 'txn', value).history)).toThrow(InvalidHistory)
    const changed = new Recording().call(0, 'txn', [['append', 'x', 1]], [['append', 'x', 2]])
    expect(() => checkListAppend(changed.history)).toThrow(/other operations/u)
    expect(() => checkListAppend(sequence([['append', 'x', 1]], [['append', 'x', 1]]).history)).toThrow(/twice/u)
  })
})

describe('random histories', () => {
  test('a serial execution by interleaved processes is strictly serializable', () => {
    fc.assert(
      fc.property(steps, (script) => {
        expect(checkListAppend(runSerially(script).history, strict)).toMatchObject({ ok: true })
      }),
      { numRuns: 300 },
    )
  })

  // Each adds transactions on lists of their own, somewhere before the last read of a right history.
  const plants: readonly [string, string, readonly (readonly MicroOperation[])[]][] = [
    [
      'G1b',
      'G1b',
      [
        [
          ['append', 'p', 1],
          ['append', 'p', 2],
        ],
        [['r', 'p', [1]]],
        [['r', 'p', [1, 2]]],
      ],
    ],
    [
      'dirty write',
      'G0',
      [
        [
          ['append', 'p', 1],
          ['append', 'q', 1],
        ],
        [
          ['append', 'p', 2],
          ['append', 'q', 2],
        ],
        [
          ['r', 'p', [1, 2]],
          ['r', 'q', [2, 1]],
        ],
      ],
    ],
    [
      'circular reads',
      'G1c',
      [
        [
          ['append', 'p', 1],
          ['r', 'q', [1]],
        ],
        [
          ['append', 'q', 1],
          ['r', 'p', [1]],
        ],
      ],
    ],
    [
      'half a read',
      'G-single',
      [
        [
          ['append', 'p', 1],
          ['append', 'q', 1],
        ],
        [
          ['r', 'p', [1]],
          ['r', 'q', []],
        ],
        [['r', 'q', [1]]],
      ],
    ],
    [
      'write skew',
      'G2',
      [
        [
          ['r', 'p', []],
          ['append', 'q', 1],
        ],
        [
          ['r', 'q', []],
          ['append', 'p', 1],
        ],
      ],
    ],
    [
      'lost update',
      'lost-update',
      [
        [
          ['r', 'p', []],
          ['append', 'p', 1],
        ],
        [
          ['r', 'p', []],
          ['append', 'p', 2],
        ],
        [['r', 'p', [1, 2]]],
      ],
    ],
    ['lost append', 'lost-append', [[['append', 'p', 1]], [['r', 'p', []]]]],
    ['stale read', 'G-single-real-time', [[['append', 'p', 1]], [['r', 'p', []]], [['r', 'p', [1]]]]],
    ['order', 'incompatible-order', [[['append', 'p', 1]], [['append', 'p', 2]], [['r', 'p', [2]]], [['r', 'p', [1, 2]]]]],
    ['doubled', 'duplicate-element', [[['append', 'p', 1]], [['r', 'p', [1, 1]]]]],
    ['unknown', 'unexpected-element', [[['r', 'p', [9]]]]],
    [
      'contradiction',
      'internal',
      [
        [
          ['append', 'p', 1],
          ['r', 'p', []],
        ],
      ],
    ],
  ]
  test.each(plants)('a planted %s is found as %s', (_, kind, transactions) => {
    fc.assert(
      fc.property(steps, (script) => {
        const recording = runSerially(script)
        for (const [number, parts] of transactions.entries()) txn(recording, 200 + number, parts)
        expectAnomaly(checkListAppend(recording.history, strict), kind, 'transaction')
      }),
      { numRuns: 40 },
    )
  })

  test('an append whose transaction is said to have failed is G1a wherever it was read', () => {
    let planted = 0
    fc.assert(
      fc.property(steps, fc.nat(), (script, choice) => {
        const { history } = runSerially(script)
        const appending = history.filter(
          ({ type, value, process }) => type === 'ok' && process !== 99 && JSON.stringify(value).includes('append'),
        )
        const victim = appending[choice % Math.max(1, appending.length)]
        if (victim === undefined) return
        planted += 1
        expectAnomaly(checkListAppend(history.map((event) => (event === victim ? { ...event, type: 'fail' as const } : event))), 'G1a')
      }),
      { numRuns: 100 },
    )
    expect(planted).toBeGreaterThan(50)
  })

  test('it agrees with a search through all serial orders', () => {
    const part = fc.record({
      isAppend: fc.boolean(),
      key: fc.constantFrom('x', 'y'),
      seen: fc.nat({ max: 3 }),
      isSwapped: fc.nat({ max: 9 }),
    })
    const one = fc.record({
      parts: fc.array(part, { minLength: 1, maxLength: 3 }),
      outcome: fc.constantFrom('ok' as const, 'ok' as const, 'ok' as const, 'ok' as const, 'info' as const, 'fail' as const),
    })
    const verdicts = { yes: 0, no: 0 }
    fc.assert(
      fc.property(
        fc.array(one, { minLength: 2, maxLength: 5 }),
        fc.array(fc.nat({ max: 4 }), { maxLength: 30 }),
        fc.boolean(),
        (scripts, turns, keepsTime) => {
          // All appends have an order; each read sees some beginning of it, now and then with its ends swapped.
          const orders: Record<string, number[]> = { x: [], y: [] }
          let element = 0
          const wanted = scripts.map(({ parts }) =>
            parts.map(({ isAppend, key }): MicroOperation => {
              if (!isAppend) return ['r', key, null]
              element += 1
              orders[key]?.push(element)
              return ['append', key, element]
            }),
          )
          const done = wanted.map((parts, position) =>
            parts.map((each, index): MicroOperation => {
              const script = scripts[position]?.parts[index]
              if (each[0] === 'append' || script === undefined) return each
              const list = orders[script.key]?.slice(0, script.seen) ?? []
              return ['r', script.key, script.isSwapped === 0 ? list.toReversed() : list]
            }),
          )
          const recording = new Recording()
          const state = scripts.map(() => 0)
          const goOn = (who: number): void => {
            const outcome = scripts[who]?.outcome
            if (outcome === undefined || state[who] === 2) return
            if (state[who] === 0) recording.invoke(who, 'txn', wanted[who])
            else recording[outcome](who, 'txn', outcome === 'ok' ? done[who] : wanted[who])
            state[who] = (state[who] ?? 0) + 1
          }
          for (const who of [...turns, ...scripts.keys(), ...scripts.keys()]) goOn(who)
          const isFine = checkListAppend(recording.history, keepsTime ? strict : {}).ok
          verdicts[isFine ? 'yes' : 'no'] += 1
          expect(isFine).toBe(hasSerialOrder(recording.history, keepsTime))
        },
      ),
      { numRuns: 6_000 },
    )
    expect(verdicts.yes).toBeGreaterThan(100)
    expect(verdicts.no).toBeGreaterThan(100)
  })

  test('thousands of transactions, entangled or not, take seconds at most', () => {
    const recording = new Recording()
    const list: number[] = []
    for (let n = 0; n < 3_000; n += 1) {
      list.push(n)
      txn(recording, n % 20, [
        ['append', `k${n % 50}`, n],
        ['r', `k${n % 50}`, list.filter((each) => each % 50 === n % 50)],
      ])
    }
    const before = performance.now()
    expect(checkListAppend(recording.history, strict)).toMatchObject({ ok: true, transactions: 3_000 })
    const entangled = new Recording()
    for (let n = 0; n < 3_000; n += 1) {
      // Each sees the next one and is seen by the one before: one circle through all of them.
      const next = (n + 1) % 3_000
      txn(entangled, n % 20, [
        ['append', `k${n}`, n],
        ['r', `k${next}`, [next]],
      ])
    }
    expectAnomaly(checkListAppend(entangled.history), 'G1c')
    expect(performance.now() - before).toBeLessThan(10_000)
  })
})
