import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Properties, PropertyMisused, PropertyUnmet, PropertyViolated } from '../../src/simulation/properties.ts'
import type { PropertyEntry, PropertyKind } from '../../src/simulation/properties.ts'

/** What a call throws; nothing if it does not. */
function thrownBy(call: () => void): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

describe('a property', () => {
  test('that always holds says nothing; one that does not is thrown at the place, with its name and details', () => {
    const properties = new Properties()
    properties.always('balance is not negative', true, () => expect.unreachable('details are made for violations only'))
    const error = thrownBy(() => properties.always('balance is not negative', false, { balance: -1 }))
    expect(error).toBeInstanceOf(PropertyViolated)
    expect(error).toMatchObject({
      code: 'PROPERTY_VIOLATED',
      kind: 'always',
      property: 'balance is not negative',
      details: '{"balance":-1}',
    })
    expect(String(error)).toBe('PropertyViolated: The property "balance is not negative" does not always hold: {"balance":-1}')
  })

  test('that is unreachable is thrown when it is reached', () => {
    const error = thrownBy(() => new Properties().unreachable('two owners', () => 'a and b'))
    expect(error).toMatchObject({ code: 'PROPERTY_VIOLATED', kind: 'unreachable', property: 'two owners', details: 'a and b' })
  })

  test('that sometimes holds or is reachable is met by one run of many', () => {
    const properties = new Properties({ declared: [{ kind: 'reachable', name: 'recovery' }] })
    properties.sometimes('queue is full', false)
    expect(properties.unmet().map(({ name }) => name)).toEqual(['recovery', 'queue is full'])
    const error = thrownBy(() => properties.assertMet())
    expect(error).toBeInstanceOf(PropertyUnmet)
    expect(error).toMatchObject({
      code: 'PROPERTY_UNMET',
      unmet: [
        { name: 'recovery', evaluated: 0 },
        { name: 'queue is full', evaluated: 1 },
      ],
    })
    expect(String(error)).toContain('"recovery" was never reached; "queue is full" was never true (evaluated 1 times)')
    properties.sometimes('queue is full', true)
    properties.sometimes('queue is full', false)
    properties.reachable('recovery')
    expect(properties.unmet()).toEqual([])
    properties.assertMet()
  })

  test('is in the catalogue with its counts and the details of its first violation', () => {
    const properties = new Properties()
    properties.always('a', true)
    thrownBy(() => properties.always('a', false, 'first'))
    thrownBy(() => properties.always('a', false, 'second'))
    properties.sometimes('s', true)
    properties.declare('unreachable', 'u')
    expect(properties.catalogue()).toEqual([
      { kind: 'always', name: 'a', evaluated: 3, held: 1, failed: 2, details: 'first' },
      { kind: 'sometimes', name: 's', evaluated: 1, held: 1, failed: 0 },
      { kind: 'unreachable', name: 'u', evaluated: 0, held: 0, failed: 0 },
    ])
  })

  test('of one name has one kind', () => {
    const properties = new Properties({ declared: [{ kind: 'always', name: 'x' }] })
    properties.declare('always', 'x')
    for (const call of [
      () => properties.sometimes('x', true),
      () => properties.reachable('x'),
      () => properties.unreachable('x'),
      () => properties.declare('sometimes', 'x'),
      () => properties.merge([{ kind: 'reachable', name: 'x', evaluated: 1, held: 1, failed: 0 }]),
    ]) {
      expect(thrownBy(call)).toMatchObject({ code: 'PROPERTY_MISUSED', property: 'x' })
    }
    expect(properties.catalogue()).toHaveLength(1)
  })

  test('is one of a bounded number, and its details are short', () => {
    const properties = new Properties({ namesMax: 2, detailsMax: 10 })
    properties.reachable('one')
    expect(thrownBy(() => properties.always('two', false, 'x'.repeat(50)))).toMatchObject({ details: `${'x'.repeat(9)}…` })
    expect(thrownBy(() => properties.reachable('three'))).toBeInstanceOf(PropertyMisused)
    properties.reachable('one')
  })

  test('whose details cannot be shown is thrown all the same', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    const hidden = [circle, () => expect.unreachable('cannot be shown'), 5n, Symbol('s'), () => undefined, null, new Error('cause')]
    for (const details of hidden) {
      const error = thrownBy(() => new Properties().always('p', false, details))
      expect(error).toMatchObject({ code: 'PROPERTY_VIOLATED', property: 'p' })
      expect(error).toHaveProperty('details', expect.any(String))
    }
    expect(thrownBy(() => new Properties().always('p', false))).toHaveProperty('details', undefined)
  })
})

describe('catalogues of several runs', () => {
  const use = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isTrue: fc.boolean() })
  const kinds: Readonly<Record<string, PropertyKind>> = { a: 'always', b: 'sometimes', c: 'reachable', d: 'unreachable' }

  function run(properties: Properties, uses: readonly { readonly name: string; readonly isTrue: boolean }[]): void {
    for (const { name, isTrue } of uses) {
      const kind = kinds[name]
      if (kind === 'always') thrownBy(() => properties.always(name, isTrue, 'broken'))
      if (kind === 'sometimes') properties.sometimes(name, isTrue)
      if (kind === 'reachable') properties.reachable(name)
      if (kind === 'unreachable') thrownBy(() => properties.unreachable(name))
    }
  }

  test('add up to that of all runs in one, also as JSON from other processes', () => {
    fc.assert(
      fc.property(fc.array(fc.array(use, { maxLength: 20 }), { maxLength: 5 }), fc.boolean(), (runs, asJson) => {
        const declared = Object.entries(kinds).map(([name, kind]) => ({ kind, name }))
        const whole = new Properties({ declared })
        const sum = new Properties({ declared })
        for (const uses of runs) {
          run(whole, uses)
          const one = new Properties()
          run(one, uses)
          // What another process sends is text.
          sum.merge(asJson ? (JSON.parse(JSON.stringify(one.catalogue())) as PropertyEntry[]) : one)
        }
        expect(sum.catalogue()).toEqual(whole.catalogue())
        expect(sum.unmet()).toEqual(whole.unmet())
      }),
    )
  })

  test('declare for a later run what an earlier one knew', () => {
    const earlier = new Properties()
    earlier.reachable('recovery')
    const later = new Properties({ declared: earlier.catalogue() })
    expect(later.unmet()).toEqual([{ kind: 'reachable', name: 'recovery', evaluated: 0, held: 0, failed: 0 }])
  })
})
