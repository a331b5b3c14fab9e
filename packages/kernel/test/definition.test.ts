/** Keys, JSON and definitions: what is refused, and that the refusal names the field. */
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { fromTransition } from 'xstate'
import { canonicalJson, findJsonFault } from '../src/definition/json.ts'
import { decodeKey, encodeKey, shardOf } from '../src/definition/key.ts'
import { command, defineActor, defineEffect, unwatch, watch } from '../src/index.ts'

const part = fc.oneof(fc.string(), fc.constantFrom('[', '"', '["a"]', 'a/b', ',', '\u0000', '😀'))
const key = fc.oneof(
  part.filter((text) => text !== ''),
  fc.array(part, { minLength: 1, maxLength: 4 }),
)

describe('a key', () => {
  test.prop([key, key])('has the same text as another only if it is the same key', (left, right) => {
    fc.pre(JSON.stringify(left) !== JSON.stringify(right))
    expect(encodeKey('t', left)).not.toBe(encodeKey('t', right))
  })

  test.prop([key])('comes back from its text, and belongs to one shard', (each) => {
    const encoded = encodeKey('t', each)
    expect(decodeKey(encoded)).toEqual(each)
    expect(shardOf('t', encoded, 7)).toBe(shardOf('t', encoded, 7))
  })

  test.each([
    ['', 'key'],
    [[], 'key'],
    ['x'.repeat(1_025), 'key'],
    ['\uD800', 'key'],
    [['a', '\uDC00'], 'key.1'],
  ])('that is unusable is refused with its field: %j', (bad, field) => {
    expect(() => encodeKey('t', bad)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field }))
  })
})

describe('what JSON cannot carry', () => {
  const loop: Record<string, unknown> = {}
  loop['self'] = loop
  test.each([
    [{ a: new Map() }, 'a', 'is a Map'],
    [{ a: [1, new Date(0)] }, 'a.1', 'is a Date'],
    [{ a: { b: 1n } }, 'a.b', 'is a bigint'],
    [{ a: Number.NaN }, 'a', 'is NaN'],
    [[1, undefined], '1', 'is undefined'],
    [{ f: () => 1 }, 'f', 'is a function'],
  ])('is found with its path: %o', (value, path, detail) => {
    expect(findJsonFault(value)).toEqual({ path, detail })
  })

  test('is found in a loop too', () => {
    expect(findJsonFault(loop)?.detail).toContain('refers to itself')
  })

  test.prop([fc.jsonValue({ stringUnit: 'grapheme' })])('is nowhere in what came from JSON', (value) => {
    expect(findJsonFault(value)).toBeUndefined()
  })

  test.prop([fc.dictionary(fc.string(), fc.jsonValue())])('canonical text does not depend on the order of properties', (value) => {
    const reversed = Object.fromEntries(Object.entries(value).toReversed())
    expect(canonicalJson(reversed)).toBe(canonicalJson(value))
  })
})

describe('a definition', () => {
  const logic = fromTransition((state: { readonly n: number }, _event: { readonly type: 'add' }) => state, { n: 0 })
  const good = { type: 'counter', module: import.meta.url, logic, commands: { add: command() } }
  const broken: readonly (readonly [field: string, change: object])[] = [
    ['type', { type: '1 bad' }],
    ['module', { module: './here.ts' }],
    ['logic', { logic: {} }],
    ['commands', { commands: {} }],
    ['commands.add', { commands: { add: {} } }],
    ['commands.add.priority', { commands: { add: command({ priority: 'soon' as 'low' }) } }],
    ['mailbox.capacity', { mailbox: { capacity: 0 } }],
    ['mailbox.starvationBound', { mailbox: { starvationBound: 1.5 } }],
    ['idleMs', { idleMs: -1 }],
    ['version', { version: 0 }],
    ['migrate.x', { migrate: { x: () => 1 } }],
    ['migrate.0', { version: 2, migrate: { 0: () => 1 } }],
    ['migrate.1.5', { version: 3, migrate: { 1.5: () => 1 } }],
    ['migrate.1', { migrate: { 1: () => 1 } }],
    ['migrate.3', { version: 3, migrate: { 2: () => 1, 3: () => 1 } }],
    ['migrate.2', { version: 3, migrate: { 1: () => 1 } }],
    ['migrate.2', { version: 4, migrate: { 1: () => 1, 3: () => 1 } }],
    ['migrate.1', { version: 2, migrate: { 1: 'up' } }],
    ['migrate', { migrate: null }],
    ['migrate', { migrate: [] }],
    ['mailbox', { mailbox: null }],
    ['mailbox', { mailbox: [] }],
    ['mailbox.capasity', { mailbox: { capasity: 5 } }],
    ['journal.keep', { persist: 'journal', journal: { keep: 5 } }],
    ['journal', { persist: 'journal', journal: 5 }],
    ['turns', { turns: null }],
    ['turns.rank', { turns: { rank: [] } }],
    ['supervision', { supervision: [] }],
    ['supervision.backoff', { supervision: { backoff: [] } }],
    ['supervision.group', { volatile: true, supervision: { group: { name: 'desk', strategy: 'one-for-all' } } }],
    ['idleMS', { idleMS: 5 }],
    ['supervison', { supervison: { maxRestarts: 3 } }],
    ['persist', { persist: 'memory' }],
    ['persist', { persist: 'journal', volatile: true }],
    ['journal', { journal: { snapshotEvery: 5 } }],
    ['journal.snapshotEvery', { persist: 'journal', journal: { snapshotEvery: 0 } }],
  ]
  test.each(broken)('is refused for its field %s', (field, change) => {
    expect(() => defineActor({ ...good, ...change })).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION', field }))
  })

  test('may leave out how the oldest versions are taken over, but not one in between', () => {
    for (const migrate of [{}, { 3: () => 1 }, { 2: () => 1, 3: () => 1 }, { 1: () => 1, 2: () => 1, 3: () => 1 }]) {
      expect(defineActor({ ...good, version: 4, migrate }).migrate).toEqual(migrate)
    }
  })

  test('has its defaults filled in', () => {
    expect(defineActor(good)).toMatchObject({
      idleMs: 60_000,
      version: 1,
      persist: 'snapshot',
      mailbox: { capacity: 10_000, starvationBound: 64 },
    })
  })
})

describe('a definition of an effect', () => {
  const good = { name: 'mail', module: import.meta.url, run: () => 1 }
  const broken: readonly (readonly [field: string, change: object])[] = [
    ['timeoutMS', { timeoutMS: 5 }],
    ['retry', { retry: null }],
    ['retry', { retry: [] }],
    ['retry.attempts', { retry: { attempts: 3 } }],
    ['retry.backoff', { retry: { backoff: 5 } }],
    ['retry.backoff.factor', { retry: { backoff: { factor: 2 } } }],
  ]
  test.each(broken)('is refused for its field %s', (field, change) => {
    expect(() => defineEffect({ ...good, ...change })).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION', field }))
    expect(defineEffect({ ...good, retry: { backoff: { minMs: 5 } } }).retry).toMatchObject({ maxAttempts: 5, backoff: { minMs: 5 } })
  })
})

describe('a watch', () => {
  const logic = fromTransition((state: { readonly n: number }, _event: { readonly type: 'add' }) => state, { n: 0 })
  const watched = defineActor({ type: 'watched', module: import.meta.url, logic, commands: { add: command() } })
  const broken: readonly (readonly [field: string, definition: unknown, to: unknown])[] = [
    ['arguments', watched, undefined],
    ['arguments', watched, null],
    ['key', watched, { event: 'gone' }],
    ['event', watched, { key: 'a' }],
    ['definition', undefined, { key: 'a', event: 'gone' }],
    ['definition', 'watched', { key: 'a', event: 'gone' }],
  ]
  test.each(broken)('that misses its %s is refused where it is written', (field, definition, to) => {
    // What does not compile is what programs without types do.
    expect(() => watch(definition as never, to as never)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field }))
    if (field !== 'event')
      expect(() => unwatch(definition as never, to as never)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field }))
  })
})
