/** The tap: one stream of what happens, in order, for whoever reads it; and nothing for anybody if nobody does. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { TestWorld } from '@bailiwick/testkit'
import type { TestSystemOptions, TestWorldOptions } from '@bailiwick/testkit'
import type { System, TapEvent, TapKind } from '@bailiwick/kernel'
import { codeOf } from './code-of.ts'
import { courier, everything, narrow, outside, resetOutside, worker } from './delivery.ts'

interface Line {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

interface Place {
  readonly world: TestWorld
  readonly open: (options?: Partial<TestSystemOptions>) => Promise<System>
  readonly lines: readonly Line[]
}

function setUp(options: TestWorldOptions = {}): Place {
  const world = new TestWorld(options)
  resetOutside()
  onTestFinished(() => world.close())
  const lines: Line[] = []
  const note = (message: string, fields: Readonly<Record<string, unknown>>): void => void lines.push({ message, fields })
  return { world, lines, open: (more = {}) => world.open({ ...everything, logger: { info: note, warn: note, error: note }, ...more }) }
}

/** Everything that the tap tells from now on. */
function listen(system: System): readonly TapEvent[] {
  const events: TapEvent[] = []
  system.tap((event) => events.push(event))
  return events
}

function kindsIn(events: readonly TapEvent[]): readonly TapKind[] {
  return events.map(({ kind }) => kind)
}

describe.each([1, 3])('on %i shards', (shards) => {
  test('events arrive in the order of their sequence, without a gap, each with version, shard and time', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const events = listen(system)
    for (const key of ['a', 'b', 'c', 'd']) await system.actor(worker, key).ask.work({ text: 'x' })
    await world.clock.settle()
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_event, index) => index + 1))
    expect(new Set(events.map(({ version, at }) => `${version} ${at}`))).toEqual(new Set([`1 ${world.clock.wall()}`]))
    expect(Math.max(...events.map(({ shard }) => shard))).toBeLessThan(shards)
    const handled = events.filter((event) => event.kind === 'command.handled')
    expect(handled.map(({ actor, command, call, lane, outcome }) => ({ actor, command, call, lane, outcome }))).toEqual(
      ['a', 'b', 'c', 'd'].map((key) => ({ actor: `worker/${key}`, command: 'work', call: 'ask', lane: 'normal', outcome: 'ok' })),
    )
    expect(new Set(handled.map(({ id }) => id)).size).toBe(4)
    expect(kindsIn(events)).toContain('batch.committed')
  })

  test('a reader that comes later hears what comes later, and one that has left hears nothing', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const ref = system.actor(worker, 'a')
    await ref.ask.work({ text: 'before' })
    const heard: string[] = []
    const end = system.tap((event) => heard.push(event.kind), { kinds: ['command.handled'] })
    expect(heard).toEqual([])
    await ref.ask.work({ text: 'x' })
    await world.clock.settle()
    end()
    end()
    await ref.ask.work({ text: 'after' })
    await world.clock.settle()
    expect(heard).toEqual(['command.handled'])
  })

  test('a thread that comes in place of one that died is told that somebody reads', async () => {
    const { open, world } = setUp({ shards })
    const system = await open()
    const events = listen(system)
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    world.crashThreads('it was told to')
    await world.advance(1_000)
    await system.actor(worker, 'a').ask.work({ text: 'y' })
    await world.clock.settle()
    const kinds = kindsIn(events)
    for (const kind of ['thread.died', 'thread.restarted', 'shard.started'] as const) {
      expect([kind, kinds.filter((other) => other === kind).length]).toEqual([kind, shards])
    }
    expect(events.find(({ kind }) => kind === 'thread.died')).toMatchObject({ error: { code: 'SHARD_CRASHED' } })
    expect(kinds.lastIndexOf('command.handled')).toBeGreaterThan(kinds.lastIndexOf('thread.restarted'))
  })
})

describe('who reads', () => {
  test('may choose kinds, one by one or by their beginning', async () => {
    const { open, world } = setUp()
    const system = await open()
    const turns: string[] = []
    system.tap((event) => turns.push(event.kind), { kinds: ['actor.*', 'batch.committed'] })
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    await world.clock.settle()
    expect(turns).toEqual(['actor.activated', 'batch.committed'])
  })

  test.each([
    ['an unknown kind', { kinds: ['command.*', 'command.handeld'] }, 'kinds'],
    ['kinds that are no list', { kinds: 'command.*' }, 'kinds'],
    ['a list of no kinds', { kinds: [] }, 'kinds'],
    ['a misspelt option', { kind: [] }, 'kind'],
    ['something that is no signal', { signal: {} }, 'signal'],
    ['a buffer of nothing', { buffer: 0 }, 'buffer'],
  ])('hears of %s at once, by name', async (_what, options, field) => {
    const { open } = setUp()
    const system = await open()
    // What does not compile is what programs without types do.
    expect(() => system.events(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field }))
    if (field !== 'buffer') expect(() => system.tap(() => undefined, options as never)).toThrow(expect.objectContaining({ field }))
    expect(() => system.tap(undefined as never)).toThrow(expect.objectContaining({ field: 'listener' }))
  })

  test('may throw, or reject: it is reported the first, tenth, hundredth … time, stays, and disturbs nobody', async () => {
    const { open, world, lines } = setUp()
    const system = await open()
    let thrown = 0
    system.tap(
      () => {
        thrown += 1
        throw new Error(`thrown ${thrown}`)
      },
      { kinds: ['command.handled'] },
    )
    const rejecting: () => unknown = async () => await Promise.reject(new Error('rejected'))
    system.tap(rejecting, { kinds: ['command.handled'] })
    const events = listen(system)
    for (let n = 0; n < 120; n += 1) await system.actor(worker, 'a').ask.work({ text: `${n}` })
    await world.clock.settle()
    expect(events.filter(({ kind }) => kind === 'command.handled')).toHaveLength(120)
    expect(thrown).toBe(120)
    const reported = lines.filter(({ fields }) => fields['where'] === 'a listener of the tap')
    expect(reported.map(({ fields }) => [(fields['error'] as Error).message, fields['times']])).toEqual([
      ['thrown 1', 1],
      ['rejected', 1],
      ['thrown 10', 10],
      ['rejected', 10],
      ['thrown 100', 100],
      ['rejected', 100],
    ])
  })

  test('may leave while it is called, and end others', async () => {
    const { open, world } = setUp()
    const system = await open()
    const heard: string[] = []
    const end = system.tap(() => {
      heard.push('first')
      end()
      endSecond()
    })
    const endSecond = system.tap(() => heard.push('second'))
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    await world.clock.settle()
    expect(heard).toEqual(['first'])
  })

  test('ends with its signal, or does not begin', async () => {
    const { open, world } = setUp()
    const system = await open()
    const controller = new AbortController()
    const heard: string[] = []
    system.tap((event) => heard.push(event.kind), { signal: controller.signal, kinds: ['command.handled'] })
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    await world.clock.settle()
    controller.abort()
    system.tap((event) => heard.push(event.kind), { signal: controller.signal })
    await system.actor(worker, 'a').ask.work({ text: 'y' })
    await world.clock.settle()
    expect(heard).toEqual(['command.handled'])
  })

  test('gets SystemClosed from a system that is closed', async () => {
    const { open, world } = setUp()
    const system = await open()
    const stream = system.events()
    void system.close({ timeoutMs: 0 })
    await world.advance(1)
    expect(() => system.tap(() => undefined)).toThrow(expect.objectContaining({ code: 'SYSTEM_CLOSED' }))
    for await (const event of stream) expect(event.kind).not.toBe('command.handled')
  })
})

describe('what is told', () => {
  test.each([1, 3])('names the command that a message was sent by, on %i shards', async (count) => {
    const { open, world } = setUp({ shards: count })
    const system = await open()
    const events = listen(system)
    for (const to of ['a', 'b', 'c']) await system.actor(courier, 'c').ask.send({ to, command: 'note', texts: [to] })
    await world.advance(1_000)
    const handled = events.filter((event) => event.kind === 'command.handled')
    const sent = handled.filter(({ command }) => command === 'send')
    expect(sent.map(({ call, cause, from }) => ({ call, cause, from }))).toEqual(sent.map(() => ({ call: 'ask' })))
    for (const [index, to] of ['a', 'b', 'c'].entries()) {
      const note = handled.find(({ actor, command }) => actor === `worker/${to}` && command === 'note')
      expect(note).toMatchObject({ call: 'message', from: 'courier/c', cause: sent[index]?.id, outcome: 'ok' })
    }
  })

  test('is never what a failed batch would have done', async () => {
    const { open, world } = setUp()
    const system = await open()
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    const events = listen(system)
    world.disk.failCommits('full')
    expect(await codeOf(system.actor(worker, 'a').ask.work({ text: 'y' }))).toBe('STORE_UNAVAILABLE')
    await world.clock.settle()
    expect(kindsIn(events)).not.toContain('command.handled')
    expect(kindsIn(events)).toContain('batch.failed')
    expect(kindsIn(events)).toContain('shard.degraded')
    world.disk.failCommits(undefined)
    await world.advance(5_000)
    expect(await system.actor(worker, 'a').ask.work({ text: 'z' })).toBe(2)
    await world.clock.settle()
    expect(kindsIn(events)).toContain('shard.recovered')
    expect(events.filter(({ kind }) => kind === 'command.handled')).toHaveLength(1)
  })

  test('goes on after a shard had to begin anew', async () => {
    const { open, world } = setUp()
    const system = await open()
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    const events = listen(system)
    world.disk.failCommits('io')
    await codeOf(system.actor(worker, 'a').ask.work({ text: 'y' }))
    world.disk.failCommits(undefined)
    await world.advance(60_000)
    await system.actor(worker, 'a').ask.work({ text: 'z' })
    await world.clock.settle()
    const kinds = kindsIn(events)
    expect(kinds).toContain('shard.degraded')
    expect(kinds).toContain('shard.started')
    expect(kinds.lastIndexOf('command.handled')).toBeGreaterThan(kinds.indexOf('shard.started'))
  })

  test('never holds what commands carry or answer', async () => {
    const { open, world } = setUp()
    const system = await open()
    const events = listen(system)
    const ref = system.actor(worker, 'a')
    const text = 'private-4711'
    await ref.ask.work({ text })
    await ref.tell.note({ text }, { delayMs: 1_000 })
    await ref.ask.done()
    await codeOf(ref.ask.only({ text }))
    void codeOf(ref.ask.order({ text }))
    await world.advance(2_000)
    await ref.tell.shut()
    await codeOf(ref.ask.only({ text }))
    for (let n = 0; n < 5; n += 1) await codeOf(system.actor(narrow, 'n').tell.only({ text }))
    await world.advance(120_000)
    expect(outside.did).toContain(text)
    expect(events.length).toBeGreaterThan(10)
    expect(JSON.stringify(events)).not.toContain(text)
  })
})

describe('a stream of events', () => {
  test('gives what a listener gets, and ends when it is left', async () => {
    const { open, world } = setUp()
    const system = await open()
    const stream = system.events({ kinds: ['command.handled'] })
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of stream) {
        seen.push(event.sequence)
        if (seen.length === 3) break
      }
    })()
    for (const text of ['1', '2', '3', '4']) await system.actor(worker, 'a').ask.work({ text })
    await reading
    await world.clock.settle()
    expect(seen).toHaveLength(3)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('G12 keeps so many for a slow reader, and says in their place how many it has missed', async () => {
    const { open, world } = setUp()
    const system = await open()
    const stream = system.events({ kinds: ['command.handled'], buffer: 2 })
    const all: number[] = []
    system.tap((event) => all.push(event.sequence), { kinds: ['command.handled'] })
    for (let n = 0; n < 7; n += 1) await system.actor(worker, 'a').ask.work({ text: `${n}` })
    await world.clock.settle()
    const first = await stream.next()
    // There is a place again, but before it are some that are missing: the order stays true.
    await system.actor(worker, 'a').ask.work({ text: '7' })
    await world.clock.settle()
    const seen = [first, await stream.next(), await stream.next()].map(({ value }) => value as TapEvent)
    expect(seen.map(({ kind }) => kind)).toEqual(['command.handled', 'command.handled', 'tap.lost'])
    expect(seen[2]).toMatchObject({ count: 6, sequence: all.at(-1) })
    await system.actor(worker, 'a').ask.work({ text: 'x' })
    expect((await stream.next()).value).toMatchObject({ kind: 'command.handled' })
  })

  test('ends with its signal', async () => {
    const { open } = setUp()
    const system = await open()
    const controller = new AbortController()
    const next = system.events({ signal: controller.signal }).next()
    controller.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await system.events({ signal: controller.signal }).next()).toEqual({ done: true, value: undefined })
  })
})
