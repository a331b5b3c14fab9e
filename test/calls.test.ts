/** Calls: what is refused before anything is sent, and how a caller may give up. */
import { describe, expect, test } from 'vitest'
import { openSystem } from '@bailiwick/kernel'
import { ledger } from './fixtures/ledger.actor.ts'
import { fickle, hidden, lost } from './fixtures/missing.actor.ts'
import { codeOf, makePlace } from './fixtures/place.ts'
import { probe } from './fixtures/probe.actor.ts'

describe('a wrong call is refused with InvalidInput, naming the field, and changes nothing', () => {
  test('for its input, its options and its key', async () => {
    const { open } = makePlace()
    const system = await open()
    const ref = system.actor(ledger, 'a')
    // The types forbid each of these; a caller in JavaScript has no types.
    const enter = ref.ask.enter as (input?: unknown, options?: unknown) => Promise<unknown>
    const cases: readonly (readonly [field: string, input: unknown, options?: unknown])[] = [
      ['n', { sender: 's', n: 1.5 }],
      ['sender', { n: 1 }],
      ['', 'text'],
      ['priority', { sender: 's', n: 1 }, { priority: 'soon' }],
      ['timeoutMs', { sender: 's', n: 1 }, { timeoutMs: 0 }],
      ['timeoutMs', { sender: 's', n: 1 }, { timeoutMs: Number.NaN }],
      ['idempotencyKey', { sender: 's', n: 1 }, { idempotencyKey: '' }],
      ['signal', { sender: 's', n: 1 }, { signal: {} }],
    ]
    for (const [field, input, options] of cases) await expect(enter(input, options)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    await expect(ref.ask.read({}, { idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'idempotencyKey' })
    expect(() => system.actor(ledger, '')).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field: 'key' }))
    expect(await ref.ask.read()).toEqual({ last: {}, violations: [] })
  })

  test('a command without an input takes none', async () => {
    const { open } = makePlace()
    const hang = (await open()).actor(probe, 'a').ask.hang as (input?: unknown) => Promise<unknown>
    await expect(hang({ now: true })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(await hang({})).toBeUndefined()
  })
})

describe('a caller that gives up', () => {
  test('before the call sends nothing', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    const reason = new Error('changed my mind')
    await expect(ref.ask.mark({ text: 'x' }, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      code: 'ASK_ABORTED',
      sent: false,
      cause: reason,
    })
    expect(await ref.ask.marks()).toEqual([])
  })

  test('after the call learns that the outcome is unknown, and a late answer leaves nothing behind', async () => {
    const { open } = makePlace()
    const system = await open()
    const ref = system.actor(probe, 'a')
    const controller = new AbortController()
    const asked = codeOf(ref.ask.mark({ text: 'x' }, { signal: controller.signal }))
    await Promise.resolve()
    controller.abort()
    expect(await asked).toBe('ASK_ABORTED')
    expect(await ref.ask.marks()).toEqual(['x'])
    expect(system.stats().pendingCalls).toBe(0)
  })

  test('by its deadline gets AskTimeout, and the system goes on', async () => {
    const { open } = makePlace()
    const system = await open({ shards: 2 })
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    const spinning = system.actor(probe, 'a').ask.spin({}, { timeoutMs: 50 })
    await expect(spinning).rejects.toMatchObject({ code: 'ASK_TIMEOUT', timeoutMs: 50, retryable: true })
    // The thread of that one shard is lost in its loop; the other answers.
    const others = await Promise.all(keys.map((key) => codeOf(system.actor(probe, key).ask.mark({ text: 'x' }, { timeoutMs: 500 }))))
    expect(others).toContain(1)
  })
})

describe('following an actor', () => {
  test('gives the state now, then every committed change, until the loop is left', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    const seen: number[] = []
    for await (const { context } of ref.changes()) {
      seen.push(context.marks.length)
      if (seen.length === 3) break
      await ref.ask.mark({ text: 'x' })
    }
    expect(seen).toEqual([0, 1, 2])
    expect(await ref.snapshot()).toMatchObject({ status: 'active', value: 'idle', context: { marks: ['x', 'x'] } })
  })

  test('ends when the system closes', async () => {
    const { open } = makePlace()
    const system = await open()
    const changes = system.actor(probe, 'a').changes()
    await changes.next()
    const next = codeOf(changes.next())
    await system.close()
    expect(await next).toBe('SYSTEM_CLOSED')
  })
})

describe('a system that cannot be opened says why, and leaves the directory free', () => {
  test.each([
    ['is not exported by its module', hidden()],
    ['differs between threads', fickle],
    ['lies in a module that does not exist', lost],
  ])('a definition that %s', async (_why, definition) => {
    const { directory, open } = makePlace()
    await expect(openSystem({ directory, actors: [definition] })).rejects.toMatchObject({
      code: 'DEFINITION_NOT_LOADED',
      type: definition.type,
    })
    expect((await open()).stats().epoch).toBe(2)
  })

  // The types forbid most of these; a caller in JavaScript has no types.
  const wrong: readonly (readonly [field: string, options: object])[] = [
    ['directory', { directory: '' }],
    ['actors', { actors: [] }],
    ['actors.1', { actors: [probe, probe] }],
    ['shards', { shards: 0 }],
    ['synchronous', { synchronous: 'sometimes' }],
    ['limits.batchCommand', { limits: { batchCommand: 5 } }],
    ['limits.batchMs', { limits: { batchMs: 0 } }],
  ]
  test.each(wrong)('an option %s that is wrong', async (field, options) => {
    const { open } = makePlace()
    await expect(open(options)).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field })
  })
})
