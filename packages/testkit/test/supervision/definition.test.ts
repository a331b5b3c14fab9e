/** Supervision as data: what is wrong with it is found when it is written down. */
import { describe, expect, test } from 'vitest'
import { InvalidDefinition } from '@bailiwick/kernel'
import type { OpenSystemOptions, SupervisionOptions, SystemSupervision } from '@bailiwick/kernel'
import { TestWorld } from '../../src/index.ts'
import { patientOf } from './patients.ts'

const WRONG: readonly (readonly [field: string, options: unknown])[] = [
  ['', 3],
  ['', null],
  ['', []],
  ['.maxRestarts', { maxRestarts: -1 }],
  ['.maxRestarts', { maxRestarts: 1.5 }],
  ['.maxRestarts', { maxRestarts: Number.NaN }],
  ['.maxRestarts', { maxRestarts: '3' }],
  ['.withinMs', { withinMs: 0 }],
  ['.withinMs', { withinMs: Infinity }],
  ['.withinMs', { withinMs: Number.NaN }],
  ['.backoff', { backoff: 100 }],
  ['.backoff.minMs', { backoff: { minMs: -1 } }],
  ['.backoff.maxMs', { backoff: { minMs: 100, maxMs: 99 } }],
  ['.backoff.jitter', { backoff: { jitter: 1.1 } }],
  ['.backoff.jitter', { backoff: { jitter: -0.1 } }],
  ['.backoff.jitter', { backoff: { jitter: '20%' } }],
  ['.backoff.factor', { backoff: { factor: 3 } }],
  ['.onExhausted', { onExhausted: 'escalate' }],
  ['.group', { group: 'desk' }],
  ['.group.name', { group: { strategy: 'one-for-all' } }],
  ['.group.strategy', { group: { name: 'desk', strategy: 'all-for-one' } }],
  ['.group.key', { group: { name: 'desk', strategy: 'one-for-all', key: 'x' } }],
  ['.maxRetries', { maxRetries: 3 }],
]

function refused(make: () => unknown): unknown {
  try {
    make()
  } catch (error) {
    return error
  }
  throw new Error('It was accepted.')
}

describe('supervision', () => {
  test.each(WRONG)('of an actor that is wrong is refused with its field: supervision%s', (field, options) => {
    const error = refused(() => patientOf('wrong', { supervision: options as SupervisionOptions })) // What no type would let through.
    expect(error).toBeInstanceOf(InvalidDefinition)
    expect(error).toMatchObject({ code: 'INVALID_DEFINITION', definition: 'wrong', field: `supervision${field}` })
  })

  test.each([
    {},
    { maxRestarts: 0 },
    { maxRestarts: Infinity },
    { withinMs: 1 },
    { backoff: {} },
    { backoff: { minMs: 0, maxMs: 0, jitter: 0 } },
    { backoff: { minMs: 60_000 } },
    { backoff: { jitter: 1 } },
    { onExhausted: 'stop' },
    { group: { name: 'desk', strategy: 'rest-for-one' } },
  ] as const)('that is right is taken: %j', (options) => {
    expect(patientOf('right', { supervision: options }).supervision).toBeDefined()
  })

  test.each([
    ['supervision.actors.maxRestarts', { actors: { maxRestarts: -1 } }],
    ['supervision.actors.maxRetries', { actors: { maxRetries: 1 } }],
    ['supervision.actors.backoff.jitter', { actors: { backoff: { jitter: 2 } } }],
    ['supervision.threads.maxRestarts', { threads: { maxRestarts: -1 } }],
    ['supervision.threads.maxRetries', { threads: { maxRetries: 1 } }],
    ['supervision.shards', { shards: {} }],
    ['supervision', null],
    ['supervision', []],
    ['supervision', 'strict'],
    ['supervision.actors', { actors: null }],
    ['supervision.actors', { actors: [] }],
    ['supervision.threads', { threads: null }],
    ['supervision.threads.backoff', { threads: { backoff: [] } }],
  ] as const)('of a system that is wrong is refused with its field: %s', async (field, supervision) => {
    const world = new TestWorld()
    const opening = world.open({ actors: [patientOf('patient')], supervision: supervision as unknown as SystemSupervision }) // As above.
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field })
  })

  test('of a group must have one strategy in all of its definitions', async () => {
    const world = new TestWorld()
    const actors = (['one-for-all', 'rest-for-one'] as const).map((strategy) =>
      patientOf(`of-${strategy}`, { supervision: { group: { name: 'desk', strategy } } }),
    )
    await expect(world.open({ actors })).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field: 'actors.1.supervision.group' })
  })
})

describe('options of a system that say nothing', () => {
  test.each([
    ['closeMs', 'has no meaning without closeOn', { closeMs: 5_000 }],
    ['closeOn', 'names no signal', { closeOn: [] }],
    ['limits', 'must be an object', { limits: null }],
    ['limits', 'must be an object', { limits: [] }],
    ['limits.heapMb', 'must be a number from 64', { limits: { heapMb: 63 } }],
  ] as const)('or that cannot be are refused by name: %s %s', async (field, message, options) => {
    const world = new TestWorld()
    const wrong = options as unknown as Partial<OpenSystemOptions> // As above.
    await expect(world.open({ actors: [patientOf('patient')], ...wrong })).rejects.toMatchObject({
      code: 'INVALID_DEFINITION',
      field,
      message: expect.stringContaining(message) as unknown,
    })
  })
})
