/** Guarantee G13 in every situation: `close` always returns, in the way that was asked for or by force, and says which. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { command, defineActor, openSystem } from '@bailiwick/kernel'
import type { CloseOptions, System } from '@bailiwick/kernel'
import { laterStore, TestWorld } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { dawdle, dawdler } from '../fixtures/dawdler.actor.ts'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { probe } from '../fixtures/probe.actor.ts'
import { unloadable } from '../fixtures/unloadable.actor.ts'

const POLITE = { outcome: 'polite', abandonedCalls: 0 }

/** How long something takes, in milliseconds, and what it answers. */
async function timed<T>(work: Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const startedAt = performance.now()
  const value = await work
  return { ms: performance.now() - startedAt, value }
}

function makeWorld(options: ConstructorParameters<typeof TestWorld>[0] = {}): TestWorld {
  const world = new TestWorld(options)
  onTestFinished(() => world.close())
  return world
}

describe('G13 under load', () => {
  test.each<[string, CloseOptions]>([
    ['politely', {}],
    ['after a drain', { mode: 'drain' }],
    ['at once', { mode: 'now' }],
  ])('close %s keeps what was acknowledged, once and in order, and refuses the rest', async (_how, options) => {
    const { open } = makePlace()
    const system = await open({ shards: 2 })
    const acknowledged = new Map<string, number>()
    const sender = async (name: string, isTell: boolean): Promise<unknown> => {
      const ref = system.actor(ledger, name)
      for (let n = 1; ; n += 1) {
        const outcome = await codeOf(isTell ? ref.tell.enter({ sender: name, n }) : ref.ask.enter({ sender: name, n }))
        if (outcome === 'SYSTEM_CLOSED') return outcome
        acknowledged.set(name, n)
      }
    }
    const senders = Array.from({ length: 8 }, (_none, index) => sender(`s${index}`, index % 2 === 0))
    await until(
      () => Math.min(...acknowledged.values()) * Number(acknowledged.size === 8),
      (count) => count >= 20,
    )
    const report = await system.close(options)
    expect(report.outcome).toBe(options.mode === 'now' ? 'forced' : 'polite')
    if (options.mode === 'drain') expect(report).toEqual({ ...POLITE, waiting: 0 })
    await Promise.all(senders)
    const again = await open({ shards: 2 })
    for (const [name, count] of acknowledged) {
      const { last, violations } = await until(
        () => again.actor(ledger, name).ask.read(),
        (seen) => (seen.last[name] ?? 0) >= count,
      )
      expect(violations).toEqual([])
      // What was under way may have happened: one call of each sender.
      expect(last[name]).toBeLessThanOrEqual(count + 1)
    }
    if (options.mode === 'drain') expect(again.stats().recovered).toBe(0)
  })
})

describe('G13 with what does not end', () => {
  test('an effect in flight that ignores its signal does not hold up the close, and is tried again at the next start', async () => {
    const { open, file } = makePlace()
    const options = { actors: [dawdler], effects: [dawdle] }
    const system = await open(options)
    const path = file('attempts')
    await system.actor(dawdler, 'a').ask.begin({ file: path })
    await until(
      () => existsSync(path),
      (isThere) => isThere,
    )
    const { ms, value } = await timed(system.close())
    expect(value).toEqual(POLITE)
    expect(ms).toBeLessThan(8_000)
    await open(options)
    await until(
      () => readFileSync(path, 'utf8'),
      (text) => text === '1\n2\n',
    )
  })

  test('a turn that ignores its signal and has long to do so is ended by a second close, and begins again at the next start', async () => {
    const { open, file } = makePlace()
    const path = file('attempts')
    const options = { actors: [dawdler], effects: [dawdle] }
    const system = await open(options)
    const asked = codeOf(system.actor(dawdler, 'a').ask.linger({ file: path }))
    await until(
      () => existsSync(path),
      (isThere) => isThere,
    )
    const first = timed(system.close({ timeoutMs: 60_000 }))
    expect(await asked).toBe('SYSTEM_CLOSED')
    const second = timed(system.close({ timeoutMs: 100 }))
    expect((await second).value).toEqual({ outcome: 'forced', abandonedCalls: 1 })
    expect((await first).value).toEqual((await second).value)
    expect((await second).ms).toBeLessThan(8_000)
    await open(options)
    await until(
      () => readFileSync(path, 'utf8').split('\n').length,
      (count) => count > 2,
    )
  })

  test.each<[string, CloseOptions]>([
    ['polite', { timeoutMs: 200 }],
    ['drain', { timeoutMs: 200, mode: 'drain' }],
    ['now', { mode: 'now' }],
  ])('a thread that hangs is ended by force: %s', async (_how, options) => {
    const { open } = makePlace()
    const system = await open()
    const spinning = codeOf(system.actor(probe, 'a').ask.spin())
    const { ms, value } = await timed(system.close(options))
    expect(value).toMatchObject({ outcome: 'forced', abandonedCalls: 1 })
    expect(ms).toBeLessThan(5_000)
    expect(await spinning).toBe('SYSTEM_CLOSED')
    expect(system.health()).toEqual({ status: 'closed', reasons: [] })
    const again = await open()
    expect(await again.actor(probe, 'a').ask.marks()).toEqual([])
  })

  test('a thread that is being replaced, or was given up, has nothing to close', async () => {
    const world = makeWorld({ shards: 2 })
    const system = await world.open({ actors: [ledger], supervision: { threads: { maxRestarts: 1, backoff: { minMs: 5_000 } } } })
    world.crashThreadOf(1)
    await world.clock.settle()
    world.crashThreadOf(0)
    await world.advance(5_000)
    world.crashThreadOf(0)
    await world.clock.settle()
    expect(system.stats().perShard.map(({ thread }) => thread)).toEqual(['abandoned', 'running'])
    const closing = system.close()
    await world.advance(1)
    expect(await closing).toEqual(POLITE)
  })

  test.each(['polite', 'drain'] as const)('a store that cannot be written does not hold up the close: %s', async (mode) => {
    const world = makeWorld()
    const system = await world.open({ actors: [ledger] })
    world.disk.failCommits('full')
    expect(await codeOf(system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 }))).toBe('STORE_UNAVAILABLE')
    const closing = system.close({ mode })
    await world.advance(10_000)
    expect((await closing).abandonedCalls).toBe(0)
  })
})

describe('G13 twice', () => {
  test('the earlier deadline counts, and both hear the same', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [dawdler], effects: [dawdle] })
    const wish = codeOf(system.actor(dawdler, 'a').ask.wish())
    await world.clock.settle()
    let reports: readonly unknown[] = []
    const closings = [system.close({ timeoutMs: 60_000 }), system.close({ timeoutMs: 2_000 }), system.close({ timeoutMs: 90_000 })]
    void Promise.all(closings).then((seen) => {
      reports = seen
    })
    await world.advance(1_999)
    expect(reports).toEqual([])
    await world.advance(1)
    expect(reports).toEqual(Array.from({ length: 3 }, () => ({ outcome: 'forced', abandonedCalls: 1 })))
    expect(await wish).toBe('SYSTEM_CLOSED')
  })

  test('one that says nothing waits for the first', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [dawdler], effects: [dawdle] })
    void codeOf(system.actor(dawdler, 'a').ask.wish(undefined, { timeoutMs: 600_000 }))
    await world.clock.settle()
    let isOver = false
    void system.close({ timeoutMs: 60_000 })
    void system.close().then(() => {
      isOver = true
    })
    await world.advance(59_000)
    expect(isOver).toBe(false)
    await world.advance(1_000)
    expect(isOver).toBe(true)
  })

  test('one that wants it now gets it, whatever the first waits for', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [dawdler], effects: [dawdle] })
    await system.actor(dawdler, 'a').ask.sleep()
    await system.actor(dawdler, 'a').tell.note({ text: 'x' })
    const first = system.close({ mode: 'drain', timeoutMs: 60_000 })
    await world.advance(1_000)
    const second = system.close({ mode: 'now' })
    await world.advance(1)
    expect(await Promise.all([first, second])).toEqual([1, 2].map(() => ({ outcome: 'forced', abandonedCalls: 0, waiting: 1 })))
    expect(await system.close()).toMatchObject({ outcome: 'forced' })
  })
})

describe('G13 a drain', () => {
  test('handles what waits in mailboxes before it closes', async () => {
    const { open } = makePlace()
    const system = await open({ limits: { batchCommands: 16 } })
    const tells = Array.from({ length: 3_000 }, (_none, index) =>
      system.actor(ledger, `k${index % 7}`).tell.enter({ sender: `${index}`, n: 1 }),
    )
    const report = await system.close({ mode: 'drain' })
    expect(report).toEqual({ ...POLITE, waiting: 0 })
    await Promise.all(tells)
    const again = await open()
    expect(again.stats().recovered).toBe(0)
    const entered = await Promise.all(Array.from({ length: 7 }, (_none, index) => again.actor(ledger, `k${index}`).ask.read()))
    expect(entered.reduce((total, { last }) => total + Object.keys(last).length, 0)).toBe(3_000)
  })

  test('waits for tells that are on their way, however slow the disk is', async () => {
    const slowly = async <T>(work: () => T): Promise<Awaited<T>> => {
      const over = Promise.withResolvers<undefined>()
      world.clock.setTimer(() => over.resolve(undefined), 400)
      await over.promise
      return await work()
    }
    const world: TestWorld = makeWorld({
      wrapStore: (store) => ({ ...laterStore(store, () => 0), commit: (batch) => slowly(() => store.commit(batch)) }),
    })
    const system = await world.open({ actors: [ledger], limits: { batchCommands: 2 } })
    const tells = Array.from({ length: 9 }, (_none, index) => system.actor(ledger, 'a').tell.enter({ sender: `${index}`, n: 1 }))
    const closing = system.close({ mode: 'drain', timeoutMs: 60_000 })
    await world.advance(10_000)
    expect(await closing).toEqual({ ...POLITE, waiting: 0 })
    await Promise.all(tells)
    expect((await world.open({ actors: [ledger] })).stats().recovered).toBe(0)
  })

  test('takes no new calls meanwhile', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [dawdler], effects: [dawdle] })
    const ref = system.actor(dawdler, 'a')
    void system.close({ mode: 'drain' })
    expect(await codeOf(ref.ask.notes())).toBe('SYSTEM_CLOSED')
  })

  test('that cannot come to its end leaves enough time to close politely, and says what waits', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [dawdler], effects: [dawdle] })
    const ref = system.actor(dawdler, 'a')
    await ref.ask.sleep()
    for (const text of ['x', 'y', 'z']) await ref.tell.note({ text })
    const closing = system.close({ mode: 'drain', timeoutMs: 4_000 })
    await world.advance(4_000)
    expect(await closing).toEqual({ ...POLITE, waiting: 3 })
    const again = await world.open({ actors: [dawdler], effects: [dawdle] })
    await again.actor(dawdler, 'a').ask.wake()
    expect(await again.actor(dawdler, 'a').ask.notes()).toEqual(['x', 'y', 'z'])
  })

  test('does not wait for a reply that nothing in a mailbox will bring', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [dawdler], effects: [dawdle] })
    const wish = codeOf(system.actor(dawdler, 'a').ask.wish())
    await world.clock.settle()
    const closing = system.close({ mode: 'drain', timeoutMs: 4_000 })
    await world.advance(4_000)
    expect(await closing).toEqual({ outcome: 'forced', abandonedCalls: 1, waiting: 0 })
    expect(await wish).toBe('SYSTEM_CLOSED')
  })
})

describe('G13 during the opening', () => {
  test('an abort ends it, with every thread, and the directory is free', async () => {
    const { directory, open } = makePlace()
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    // Its module never comes to an end.
    const opening = openSystem({ directory, actors: [unloadable('waits-awake')], signal: controller.signal }).catch(
      (error: unknown) => error,
    )
    await until(
      () => existsSync(directory),
      (isThere) => isThere,
    )
    controller.abort(reason)
    const { value, ms } = await timed(opening)
    expect(value).toMatchObject({ code: 'SYSTEM_CLOSED', cause: reason })
    expect(ms).toBeLessThan(5_000)
    expect((await open()).stats().epoch).toBe(2)
  })

  test('an abort before it means that nothing is opened, and one after it nothing at all', async () => {
    const { directory, open } = makePlace()
    expect(await codeOf(open({ signal: AbortSignal.abort() }))).toBe('SYSTEM_CLOSED')
    expect(existsSync(directory)).toBe(false)
    const controller = new AbortController()
    const system = await open({ signal: controller.signal })
    controller.abort()
    expect(await system.actor(probe, 'a').ask.mark({ text: 'x' })).toBe(1)
  })
})

describe('G13 options', () => {
  test.each([
    ['a misspelt one', { timeout: 5 }, 'timeout'],
    ['an unknown mode', { mode: 'fast' }, 'mode'],
    ['a negative time', { timeoutMs: -1 }, 'timeoutMs'],
    ['a time that is no number', { timeoutMs: '5' }, 'timeoutMs'],
    ['nothing', null, 'options'],
  ])('%s is refused by name, and the system stays open', async (_what, options, field) => {
    const world = makeWorld()
    const system: System = await world.open({ actors: [ledger] })
    // What does not compile is what programs without types do.
    await expect(system.close(options as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    expect(await system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })).toBe(1)
  })

  test.each([
    ['an unknown signal', { closeOn: ['SIGKILL'] }, 'closeOn'],
    ['signals that are no list', { closeOn: 'SIGTERM' }, 'closeOn'],
    ['signals where there are none', { closeOn: ['SIGTERM'] }, 'closeOn'],
    ['a negative time', { closeMs: -1 }, 'closeMs'],
    ['something that is no signal', { signal: {} }, 'signal'],
    ['supervision of nothing', { supervision: { actor: {} } }, 'supervision.actor'],
    ['a window without length', { supervision: { actors: { withinMs: 0 } } }, 'supervision.actors.withinMs'],
    ['a group of everybody', { supervision: { actors: { group: { name: 'g', strategy: 'one-for-all' } } } }, 'supervision.actors.group'],
    ['threads that may not hang', { supervision: { threads: { hangMs: 1 } } }, 'supervision.threads.hangMs'],
  ])('of an opening: %s is refused by name', async (_what, options, field) => {
    const world = makeWorld()
    await expect(world.open({ actors: [ledger], ...(options as object) })).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field })
  })

  test('of an opening: two strategies for one group are refused, with both', async () => {
    const world = makeWorld()
    const logic = fromTransition((state: { readonly n: number }, _event: { readonly type: 'add' }) => state, { n: 0 })
    const make = (type: string, strategy: 'one-for-one' | 'one-for-all') =>
      defineActor({
        type,
        module: import.meta.url,
        logic,
        commands: { add: command() },
        supervision: { group: { name: 'family', strategy } },
      })
    const opening = world.open({ actors: [make('mother', 'one-for-all'), make('child', 'one-for-one')] })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_DEFINITION', field: 'actors.1.supervision.group' })
    await expect(opening).rejects.toThrow(/"family".*one-for-one.*one-for-all/)
  })
})
