/** Dead letters: what nobody waits for and nobody could handle is kept, and may be sent again, once. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { laterStore, TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions, TestWorldOptions } from '@bailiwick/testkit'
import type { System } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { courier, everything, follow, narrow, outside, resetOutside, worker } from './delivery.ts'

interface Place {
  readonly world: TestWorld
  readonly open: () => Promise<System>
}

function setUp(options: TestWorldOptions = {}, limits: TestSystemOptions['limits'] = {}): Place {
  const world = new TestWorld(options)
  resetOutside()
  onTestFinished(() => world.close())
  return { world, open: () => world.open({ ...everything, limits }) }
}

/** Tells of which each ends as a letter: one per actor and text, in that order, a millisecond apart. */
async function fail(world: TestWorld, system: System, texts: readonly string[], keys: readonly string[] = ['a']): Promise<void> {
  for (const key of keys) {
    for (const text of texts) {
      outside.faults = 1
      await system.actor(worker, key).tell.risky({ text })
      await world.advance(1)
    }
  }
}

async function texts(system: System): Promise<readonly unknown[]> {
  return (await system.deadLetters.list()).map(({ input }) => (input as { readonly text: string }).text)
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('a tell that is rejected, one that fails and one that finds no room end as letters that say everything', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const at = world.clock.wall()
    outside.faults = 1
    await system.actor(worker, 'a').ask.shut()
    await system.actor(worker, 'a').tell.only({ text: 'rejected' })
    await world.advance(1)
    await system.actor(worker, 'b').tell.risky({ text: 'failed' })
    await world.advance(1)
    await system.actor(narrow, 'c').ask.shut()
    await system.actor(courier, 'me').ask.sendNarrow({ to: 'c', command: 'note', texts: ['1', '2', '3', '4', '5'] })
    await world.advance(1)
    const letters = await system.deadLetters.list()
    expect(letters.map(({ id }) => typeof id)).toEqual(['string', 'string', 'string', 'string'])
    expect(new Set(letters.map(({ id }) => id)).size).toBe(4)
    const full = { actor: 'narrow/c', kind: 'command', command: 'note', reason: 'full', source: 'courier/me', at: at + 2 }
    expect(letters).toMatchObject([
      { ...full, input: { text: '5' }, error: { code: 'MAILBOX_FULL' } },
      { ...full, input: { text: '4' }, error: { code: 'MAILBOX_FULL' } },
      {
        actor: 'worker/b',
        kind: 'command',
        command: 'risky',
        reason: 'failed',
        input: { text: 'failed' },
        error: { code: 'COMMAND_FAILED' },
        at: at + 1,
      },
      {
        actor: 'worker/a',
        kind: 'command',
        command: 'only',
        reason: 'rejected',
        input: { text: 'rejected' },
        error: { code: 'COMMAND_REJECTED' },
        at,
      },
    ])
    expect(letters.map(({ source }) => source)).toEqual(['courier/me', 'courier/me', undefined, undefined])
    expect(letters.every(({ error }) => error.message.length > 10)).toBe(true)
    expect(letters[2]?.error.message).toContain('it was told to throw')
    expect(system.stats().deadLetters).toBe(4)
  })

  test('a tell from actor to actor that is rejected or fails names its sender', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await system.actor(worker, 'a').ask.shut()
    outside.faults = 1
    await system.actor(courier, 'me').ask.send({ to: 'a', command: 'only', texts: ['1'] })
    await system.actor(courier, 'me').ask.send({ to: 'a', command: 'risky', texts: ['2'] })
    await world.advance(1)
    expect((await system.deadLetters.list()).map(({ source, reason }) => `${source} ${reason}`).toSorted()).toEqual([
      'courier/me failed',
      'courier/me rejected',
    ])
  })

  test('an ask bounces to its caller and leaves no letter', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    outside.faults = 1
    const ref = system.actor(worker, 'a')
    expect(await codeOf(ref.ask.risky({ text: 'x' }))).toBe('COMMAND_FAILED')
    await ref.ask.shut()
    expect(await codeOf(ref.ask.only({ text: 'x' }))).toBe('COMMAND_REJECTED')
    const held = follow(ref.ask.hold({ text: 'x' }))
    await world.advance(0)
    await ref.ask.spoil({ retryable: true })
    await world.advance(0)
    expect(held()).toBe('COMMAND_FAILED')
    expect(await codeOf(system.actor(narrow, 'n').tell.work({ text: 'x' }))).toEqual({ outcome: 'accepted' })
    expect(await system.deadLetters.list()).toEqual([])
  })

  test('the list is filtered by type, key, command, reason and limit, the latest first', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await fail(world, system, ['1', '2'], ['a', 'b', 'c'])
    await system.actor(narrow, 'a').ask.shut()
    await system.actor(narrow, 'a').tell.only({ text: 'narrow' })
    await world.advance(1)
    expect(await texts(system)).toEqual(['narrow', '2', '1', '2', '1', '2', '1'])
    const count = async (filter: Parameters<System['deadLetters']['list']>[0]): Promise<number> =>
      (await system.deadLetters.list(filter)).length
    expect(await count({ type: 'worker' })).toBe(6)
    expect(await count({ type: 'worker', key: 'b' })).toBe(2)
    expect(await count({ type: 'narrow', key: 'b' })).toBe(0)
    expect(await count({ command: 'only' })).toBe(1)
    expect(await count({ reason: 'failed' })).toBe(6)
    expect(await count({ reason: 'rejected', command: 'risky' })).toBe(0)
    expect((await system.deadLetters.list({ limit: 2 })).map(({ actor }) => actor)).toEqual(['narrow/a', 'worker/c'])
  })

  test('replay of one id, of several and of a filter executes each once, the oldest first, and takes the letters out', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await fail(world, system, ['1', '2', '3', '4', '5'])
    const ids = (await system.deadLetters.list()).map(({ id }) => id).toReversed()
    expect(await system.deadLetters.replay(ids[2] ?? '')).toBe(1)
    expect(await system.actor(worker, 'a').ask.done()).toEqual(['3'])
    expect(await system.deadLetters.replay([ids[0] ?? '', ids[1] ?? '', ids[2] ?? ''])).toBe(2)
    expect(await system.actor(worker, 'a').ask.done()).toEqual(['3', '1', '2'])
    expect(await texts(system)).toEqual(['5', '4'])
    expect(await system.deadLetters.replay({ type: 'worker' })).toBe(2)
    await world.advance(0)
    expect(outside.did).toEqual(['3', '1', '2', '4', '5'])
    expect(await system.deadLetters.list()).toEqual([])
    expect(await system.deadLetters.replay({})).toBe(0)
    expect(system.stats().deadLetters).toBe(0)
  })

  test('replay and discard of a filter with a limit take that many, the latest, over all shards', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await fail(world, system, ['1', '2'], ['a', 'b', 'c', 'd', 'e', 'f'])
    expect(await system.deadLetters.discard({ limit: 2 })).toBe(2)
    expect(await system.deadLetters.list()).toHaveLength(10)
    expect(await system.deadLetters.replay({ limit: 3 })).toBe(3)
    await world.advance(0)
    expect(outside.did).toHaveLength(3)
    expect(await system.deadLetters.list()).toHaveLength(7)
  })

  test('a replay that fails again is a new letter', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await fail(world, system, ['x'])
    const [before] = await system.deadLetters.list()
    outside.faults = 1
    expect(await system.deadLetters.replay(before?.id ?? '')).toBe(1)
    await world.advance(1)
    const after = await system.deadLetters.list()
    expect(after).toMatchObject([{ actor: 'worker/a', command: 'risky', input: { text: 'x' } }])
    expect(after[0]?.id).not.toBe(before?.id)
    expect(outside.did).toEqual([])
    expect(system.stats().deadLetters).toBe(1)
  })

  test('a replay into a mailbox that is still full is a new letter, and keeps its sender', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await system.actor(narrow, 'c').ask.shut()
    await system.actor(courier, 'me').ask.sendNarrow({ to: 'c', command: 'note', texts: ['1', '2', '3', '4'] })
    await world.advance(0)
    expect(await system.deadLetters.replay({})).toBe(1)
    await world.advance(0)
    expect(await system.deadLetters.list()).toMatchObject([{ reason: 'full', input: { text: '4' }, source: 'courier/me' }])
  })

  test('discard executes nothing and takes the letters out', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    await fail(world, system, ['1', '2', '3', '4'])
    const ids = (await system.deadLetters.list()).map(({ id }) => id)
    expect(await system.deadLetters.discard(ids[0] ?? '')).toBe(1)
    expect(await system.deadLetters.discard([ids[0] ?? '', ids[1] ?? ''])).toBe(1)
    expect(await system.deadLetters.discard({ command: 'only' })).toBe(0)
    expect(await texts(system)).toEqual(['2', '1'])
    expect(await system.deadLetters.discard({ type: 'worker', key: 'a' })).toBe(2)
    await world.advance(1_000)
    expect(outside.did).toEqual([])
    expect(system.stats().deadLetters).toBe(0)
  })

  test('letters survive restarts, and what is taken out stays out', async () => {
    const { open, world } = setUp({ shards })
    const before = await open()
    await fail(world, before, ['1', '2'], ['a', 'b'])
    const letters = await before.deadLetters.list()
    world.crash()
    const after = await open()
    expect(await after.deadLetters.list()).toEqual(letters)
    expect(after.stats().deadLetters).toBe(4)
    await after.deadLetters.discard(letters[0]?.id ?? '')
    await after.deadLetters.replay(letters[1]?.id ?? '')
    world.crash()
    const last = await open()
    expect((await last.deadLetters.list()).map(({ id }) => id)).toEqual(letters.slice(2).map(({ id }) => id))
    expect(await last.actor(worker, 'b').ask.done()).toEqual(['1'])
  })

  test('G3 whenever the process dies during a replay, the command is either still a letter or executed once', async () => {
    for (let count = 0; count < 25; count += 1) {
      const { open, world } = setUp({ shards, wrapStore: (store) => laterStore(store, () => 2) })
      const system = await open()
      await fail(world, system, ['x'])
      void codeOf(system.deadLetters.replay({}))
      await turns(count)
      world.crash()
      const after = await open()
      await world.advance(1)
      const executed = await after.actor(worker, 'a').ask.done()
      const left = await texts(after)
      expect([...executed, ...left], `after ${count} turns`).toEqual(['x'])
      await after.deadLetters.replay({})
      expect(await after.actor(worker, 'a').ask.done()).toEqual(['x'])
    }
  })
})

test('G3 two replays of one letter execute it once, however slow the store is', async () => {
  for (let apart = 0; apart < 25; apart += 1) {
    const { open, world } = setUp({ wrapStore: (store) => laterStore(store, () => 4) })
    const system = await open()
    await fail(world, system, ['x'])
    const first = system.deadLetters.replay({})
    await turns(apart)
    const second = system.deadLetters.replay({})
    expect((await first) + (await second), `${apart} turns apart`).toBe(1)
    await world.advance(1)
    expect(outside.did, `${apart} turns apart`).toEqual(['x'])
    expect(system.stats().deadLetters).toBe(0)
  }
})

test('G3 a replay and a discard of one letter at the same time do one of them', async () => {
  const { open, world } = setUp()
  const system = await open()
  await fail(world, system, ['x'])
  const [replayed, discarded] = await Promise.all([system.deadLetters.replay({}), system.deadLetters.discard({})])
  expect(replayed + discarded).toBe(1)
  await world.advance(1)
  expect(outside.did).toHaveLength(replayed)
  expect(system.stats().deadLetters).toBe(0)
})

test('G1 a replay that cannot be stored changes nothing', async () => {
  const { open, world } = setUp()
  const system = await open()
  await fail(world, system, ['x'])
  world.disk.failCommits('full')
  expect(await codeOf(system.deadLetters.replay({}))).toBe('STORE_UNAVAILABLE')
  world.disk.failCommits(undefined)
  await world.advance(10_000)
  expect(outside.did).toEqual([])
  expect(await texts(system)).toEqual(['x'])
  expect(await system.deadLetters.replay({})).toBe(1)
  expect(await system.actor(worker, 'a').ask.done()).toEqual(['x'])
})

test.each(['replay', 'discard'] as const)('G1 a %s that comes while the store is away is not answered before it is stored', async (act) => {
  const { open, world } = setUp()
  const before = await open()
  await fail(world, before, ['x'])
  world.disk.failCommits('full')
  expect(await codeOf(before.actor(worker, 'b').ask.work({ text: 'refused' }))).toBe('STORE_UNAVAILABLE')
  const acted = follow(before.deadLetters[act]({}))
  await world.advance(0)
  const wasAnswered = acted() === 1
  world.crash()
  world.disk.failCommits(undefined)
  expect(await texts(await open())).toEqual(wasAnswered ? [] : ['x'])
})

test('G12 at the bound the oldest letters are lost, and counted', async () => {
  const { open, world } = setUp({}, { deadLetters: 3 })
  const system = await open()
  await fail(world, system, ['1', '2', '3', '4', '5'])
  expect(await texts(system)).toEqual(['5', '4', '3'])
  expect(system.stats()).toMatchObject({ deadLetters: 3, deadLettersLost: 2 })
  await system.deadLetters.discard({ limit: 1 })
  await fail(world, system, ['6'])
  expect(await texts(system)).toEqual(['6', '4', '3'])
  expect(system.stats()).toMatchObject({ deadLetters: 3, deadLettersLost: 2 })
  outside.faults = 5
  await Promise.all(['7', '8', '9', '10', '11'].map((text) => system.actor(worker, 'a').tell.risky({ text })))
  await world.advance(0)
  expect(await texts(system)).toEqual(['11', '10', '9'])
  expect(system.stats()).toMatchObject({ deadLetters: 3, deadLettersLost: 7 })
  world.crash()
  expect((await open()).stats().deadLetters).toBe(3)
})

describe('a missing or foreign argument', () => {
  test.each([undefined, null, 5, true])('%s never stands for every letter', async (choice) => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const { deadLetters } = await world.open(everything)
    await expect(deadLetters.discard(choice as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(deadLetters.replay(choice as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    if (choice !== undefined) await expect(deadLetters.list(choice as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })
})

describe('nonsense', () => {
  test.each([[''], ['x'], ['0-'], ['-1'], ['0-1-2'], ['9-1'], ['0-x'], [['0-1', 'x']], [[5 as unknown as string]]])(
    'an id that is none is INVALID_INPUT: %j',
    async (choice) => {
      const { open } = setUp()
      const system = await open()
      for (const act of [system.deadLetters.replay(choice), system.deadLetters.discard(choice)]) {
        await expect(act).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'id' })
      }
    },
  )

  test('an id that is none beside one that is good leaves the good one alone', async () => {
    const { open, world } = setUp()
    const system = await open()
    await fail(world, system, ['x'])
    const [letter] = await system.deadLetters.list()
    expect(await codeOf(system.deadLetters.discard([letter?.id ?? '', 'nonsense']))).toBe('INVALID_INPUT')
    await world.advance(1)
    expect(await texts(system)).toEqual(['x'])
    expect(await codeOf(system.deadLetters.replay([letter?.id ?? '', 'nonsense']))).toBe('INVALID_INPUT')
    await world.advance(1)
    expect(outside.did).toEqual([])
  })

  test('an id of a letter that is gone is nothing to do', async () => {
    const { open } = setUp()
    expect(await (await open()).deadLetters.replay('0-12345')).toBe(0)
  })

  test.each([
    ['limit', { limit: 0 }],
    ['limit', { limit: 1.5 }],
    ['key', { key: 'a' }],
    ['type', { type: 5 as unknown as string }],
  ])('a bad filter is INVALID_INPUT and names %s: %j', async (field, filter) => {
    const { open } = setUp()
    const { deadLetters } = await open()
    await expect(deadLetters.list(filter)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    await expect(deadLetters.discard(filter)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
  })
})

test('a tell with a key that failed is executed once by its replay, and its key is then used', async () => {
  const { open, world } = setUp()
  const system = await open()
  outside.faults = 1
  await system.actor(worker, 'a').tell.risky({ text: 'x' }, { idempotencyKey: 'k' })
  await world.advance(1)
  await system.deadLetters.replay({})
  expect(await system.actor(worker, 'a').ask.risky({ text: 'x' }, { idempotencyKey: 'k' })).toBe(1)
  expect(outside.did).toEqual(['x'])
})

test('a tell with a deferred reply that fails is a letter, and one that is overdue is another', async () => {
  const { open, world } = setUp()
  const system = await open()
  await system.actor(worker, 'a').tell.hold({ text: 'spoiled' })
  await world.advance(1)
  await system.actor(worker, 'a').ask.spoil({ retryable: false })
  await system.actor(worker, 'a').tell.brief({ text: 'overdue' })
  await world.advance(10_000)
  expect(await system.deadLetters.list()).toMatchObject([
    { command: 'brief', input: { text: 'overdue' }, reason: 'timed-out', error: { code: 'REPLY_OVERDUE' } },
    { command: 'hold', input: { text: 'spoiled' }, reason: 'failed', error: { code: 'COMMAND_FAILED' } },
  ])
})

test('G10 an effect that is given up is a letter, and its replay runs it again under the same idempotency key', async () => {
  const { open, world } = setUp()
  const system = await open()
  outside.mood = 'failed'
  await system.actor(worker, 'a').tell.order({ text: 'x' })
  await world.advance(5_000)
  expect(outside.errands.map(({ attempt }) => attempt)).toEqual([1, 2])
  const letters = await system.deadLetters.list({ command: 'errand' })
  expect(letters).toMatchObject([
    {
      actor: 'worker/a',
      kind: 'effect',
      command: 'errand',
      reason: 'failed',
      input: { text: 'x' },
      error: { message: 'nobody was at home' },
    },
  ])
  world.crash()
  const after = await open()
  outside.mood = 'done'
  expect(await after.deadLetters.replay(letters[0]?.id ?? '')).toBe(1)
  await world.advance(5_000)
  expect(outside.errands).toHaveLength(3)
  expect(new Set(outside.errands.map(({ key }) => key)).size).toBe(1)
  expect(await after.deadLetters.list({ command: 'errand' })).toEqual([])
  expect(after.stats()).toMatchObject({ outbox: 0, effects: { done: 1 } })
})
