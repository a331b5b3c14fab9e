/** Code that reaches past a simulation to the real clock, chance, timers or I/O is found and named; nobody else notices the guards. */
import { nodeSeams } from '@bailiwick/kernel/seams'
import { createMemoryDisk, openMemoryShard } from '@bailiwick/store'
import { lookup } from 'node:dns'
import { getRandomValues, randomBytes, randomInt, randomUUID } from 'node:crypto'
import { readFile, readFileSync } from 'node:fs'
import { hrtime } from 'node:process'
import * as timers from 'node:timers'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { assign, createActor, createMachine, initialTransition, setup, transition } from 'xstate'
import { laterStore } from '../../src/index.ts'
import { auditAsync, installGuards } from '../../src/simulation/guards.ts'
import type { Guards, Stray } from '../../src/simulation/guards.ts'

const file = import.meta.filename

const source = readFileSync(file, 'utf8').split('\n')

/** The line of this file on which a function of one line stands. */
function lineOf(called: () => unknown): number {
  return source.findIndex((line) => line.includes(String(called))) + 1
}

const strays: Stray[] = []
let guards: Guards

beforeEach(() => {
  strays.length = 0
  guards = installGuards((stray) => strays.push(stray))
})

afterEach(() => guards.uninstall())

/** Calls something as code of an actor. */
function within<T>(call: () => T, where = 'account/alice deposit'): T {
  guards.enter(where)
  try {
    return call()
  } finally {
    guards.leave()
  }
}

const calls: readonly (readonly [api: string, call: () => unknown])[] = [
  ['Date.now', () => Date.now()],
  ['new Date()', () => new Date()],
  // oxlint-disable-next-line unicorn/new-for-builtins -- that is what is looked for
  ['Date()', () => Date()],
  ['performance.now', () => performance.now()],
  ['Math.random', () => Math.random()],
  ['crypto.randomUUID', () => crypto.randomUUID()],
  ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(4))],
  ['crypto.getRandomValues', () => getRandomValues(new Uint8Array(8))],
  ['crypto.randomUUID', () => randomUUID()],
  ['crypto.randomBytes', () => randomBytes(4)],
  ['crypto.randomInt', () => randomInt(10)],
  ['setTimeout', () => clearTimeout(setTimeout(() => undefined, 0))],
  ['setInterval', () => clearInterval(setInterval(() => undefined, 9))],
  ['setImmediate', () => clearImmediate(setImmediate(() => undefined))],
  ['setTimeout', () => clearTimeout(timers.setTimeout(() => undefined, 1))],
  ['timers/promises.setTimeout', () => wait(1)],
  ['timers/promises.setTimeout', () => promisify(setTimeout)(2)],
  ['AbortSignal.timeout', () => AbortSignal.timeout(1)],
  ['process.hrtime', () => process.hrtime()],
  ['process.hrtime', () => hrtime()],
  ['process.hrtime.bigint', () => process.hrtime.bigint()],
  ['process.uptime', () => process.uptime()],
]

describe('a stray', () => {
  test.for(calls)('%s is found and named, with its file and line', async ([api, call]) => {
    await within(call)
    expect(strays).toHaveLength(1)
    const [stray] = strays
    const line = lineOf(call)
    expect(stray).toMatchObject({ api, where: 'account/alice deposit', file, line })
    expect(source[line - 1]?.slice((stray?.column ?? 0) - 1)).toMatch(/^[\w.(]/)
    expect(stray?.message).toBe(`account/alice deposit calls ${api} at ${file}:${line}:${stray?.column}`)
  })

  test.for(calls)('%s is none outside, before and after', async ([, call]) => {
    await call()
    within(() => undefined)
    await call()
    expect(strays).toEqual([])
  })

  test('is told each time, before the call, also from the same line', () => {
    within(() => [1, 2, 3].map(() => Math.random()))
    expect(strays.map(({ api }) => api)).toEqual(['Math.random', 'Math.random', 'Math.random'])
    guards.uninstall()
    guards = installGuards(() => {
      throw new Error('stop here')
    })
    const made: unknown[] = []
    expect(() => within(() => made.push(Date.now()))).toThrow('stop here')
    expect(made).toEqual([])
  })

  test('is found in what a package calls back, as in the actions of a machine', () => {
    const machine = setup({ types: { context: {} as { at: number } } }).createMachine({
      context: { at: 0 },
      on: { go: { actions: assign({ at: () => Date.now() }) } },
    })
    const [snapshot] = initialTransition(machine)
    within(() => transition(machine, snapshot, { type: 'go' }))
    expect(strays.map(({ api, line }) => [api, source[line - 1]?.includes('assign({ at')])).toEqual([['Date.now', true]])
  })

  test('is not what the kernel, the test kit or a package calls for itself', async () => {
    within(() => nodeSeams.clock.wall() + nodeSeams.clock.elapsed())
    within(() => nodeSeams.clock.setTimer(() => undefined, 1)).cancel()
    const waiting = createMachine({ initial: 'on', states: { on: { after: { 60_000: 'off' } }, off: {} } })
    within(() => createActor(waiting).start()).stop()
    const store = laterStore(openMemoryShard(createMemoryDisk({ shards: 1 }), 0, 1), () => 1)
    expect(await within(() => store.nextDueAt())).toBeUndefined()
    expect(strays).toEqual([])
  })

  test('is not a microtask, a tick, a date of a given time, or a copy', async () => {
    expect(within(() => [new Date(5).getTime(), new Date(2_030, 0).getFullYear(), Date.UTC(1_970), structuredClone([1])])).toEqual([
      5,
      2_030,
      0,
      [1],
    ])
    const done = within(() => {
      const { promise, resolve } = Promise.withResolvers<string>()
      queueMicrotask(() => process.nextTick(() => resolve('both')))
      return promise
    })
    expect(await done).toBe('both')
    expect(strays).toEqual([])
  })

  test('belongs to the place that was entered last; leaving ends it, twice as well as once', () => {
    guards.enter('first')
    guards.enter('second', 'run')
    expect(guards.isInside).toBe(true)
    Math.random()
    guards.leave()
    guards.leave()
    expect(guards.isInside).toBe(false)
    Math.random()
    expect(strays.map(({ where }) => where)).toEqual(['second'])
  })

  test('is told to the guards that were entered last, of several', () => {
    const others: Stray[] = []
    const other = installGuards((stray) => others.push(stray))
    guards.enter('ours')
    other.enter('theirs')
    Math.random()
    guards.leave()
    Math.random()
    other.leave()
    guards.enter('ours again')
    Math.random()
    other.uninstall()
    Math.random()
    expect(strays.map(({ where }) => where)).toEqual(['ours again', 'ours again'])
    expect(others.map(({ where }) => where)).toEqual(['theirs', 'theirs'])
  })

  test('is not what its own listener calls', () => {
    guards.uninstall()
    let told = 0
    guards = installGuards(() => {
      told += 1
      expect(Date.now()).toBeGreaterThan(0)
    })
    within(() => Math.random())
    expect(told).toBe(1)
  })
})

describe('the functions under guard', () => {
  test('do what they did, with all that belongs to them', async () => {
    expect(Math.abs(Date.parse(new Date().toISOString()) - Date.now())).toBeLessThan(10_000)
    class Later extends Date {}
    const later = new Later(5)
    expect([later instanceof Later, later instanceof Date, later.getTime(), Object.prototype.toString.call(later)]).toEqual([
      true,
      true,
      5,
      '[object Date]',
    ])
    // oxlint-disable-next-line unicorn/new-for-builtins -- it is another function than `new Date`
    expect([new Date(0).constructor === Date, Date.length, Date.name, Date(), typeof Date.now]).toEqual([
      true,
      7,
      'Date',
      expect.stringMatching(/\d{4}/),
      'function',
    ])
    expect(await wait(1, 'waited')).toBe('waited')
    expect(await promisify(setTimeout)(1, 'promised')).toBe('promised')
    expect(crypto.getRandomValues(new Uint8Array(2))).toHaveLength(2)
    expect(crypto.randomUUID()).toMatch(/^[\da-f-]{36}$/)
  })

  test('are the original ones again when the last guards are gone', () => {
    const look = (): unknown[] => [
      Date,
      Reflect.get(Date, 'now'),
      new Date(0).constructor,
      Reflect.get(performance, 'now'),
      Reflect.get(Math, 'random'),
      setTimeout,
      setInterval,
      setImmediate,
      Reflect.get(timers, 'setTimeout'),
      wait,
      randomInt,
      Reflect.get(crypto, 'randomUUID'),
      Reflect.get(process, 'hrtime'),
      Reflect.get(process.hrtime, 'bigint'),
      hrtime,
      Reflect.get(AbortSignal, 'timeout'),
      fetch,
    ]
    const guarded = look()
    const other = installGuards(() => undefined)
    expect(look()).toEqual(guarded)
    guards.uninstall()
    guards.uninstall()
    expect(look()).toEqual(guarded)
    other.uninstall()
    const originals = look()
    expect(originals.map((original, index) => original === guarded[index])).toEqual(originals.map(() => false))
    expect(new Date(0) instanceof Date).toBe(true)
    guards = installGuards((stray) => strays.push(stray))
    guards.uninstall()
    expect(look().every((value, index) => value === originals[index])).toBe(true)
    expect(() => guards.enter('too late')).toThrow('uninstalled')
  })

  test('leave fake timers alone, whoever comes and goes first', () => {
    vi.useFakeTimers({ now: 5_000 })
    expect(Date.now()).toBe(5_000)
    within(() => Math.random())
    guards.uninstall()
    expect(Date.now()).toBe(5_000)
    vi.useRealTimers()
    expect(Date.now()).toBeGreaterThan(1_000_000)
    expect(strays.map(({ api }) => api)).toEqual(['Math.random'])

    // What the fake timers have put back is ours, and is not guarded twice.
    guards = installGuards((stray) => strays.push(stray))
    within(() => Date.now())
    expect(strays.map(({ api }) => api)).toEqual(['Math.random', 'Date.now'])

    guards.uninstall()
    vi.useFakeTimers({ now: 7_000 })
    guards = installGuards((stray) => strays.push(stray))
    expect(within(() => Date.now())).toBe(7_000)
    guards.uninstall()
    vi.useRealTimers()
    expect(Date.now()).toBeGreaterThan(1_000_000)
    expect(strays).toHaveLength(3)
  })
})

describe('the audit of asynchronous work', () => {
  const found: Stray[] = []

  /** What is found while something runs as code of an actor. */
  function audited(mode: 'transition' | 'run', call: () => unknown): readonly Stray[] {
    found.length = 0
    const audit = auditAsync(guards, (stray) => found.push(stray))
    guards.enter('account/alice deposit', mode)
    try {
      call()
    } finally {
      guards.leave()
      audit.stop()
      audit.stop()
    }
    return [...found]
  }

  test('finds an async function that is called within a transition, and names its line', () => {
    const settle = async (): Promise<number> => 1
    const [stray] = audited('transition', () => void settle())
    expect(stray).toMatchObject({ api: 'Promise', where: 'account/alice deposit', file })
    expect(source[(stray?.line ?? 0) - 1]).toMatch(/settle/)
    expect(stray?.message).toBe(`account/alice deposit makes a promise at ${file}:${stray?.line}:${stray?.column}`)
  })

  const promises: typeof calls = [
    ['Promise', () => void Promise.resolve(1)],
    ['Promise', () => void new Promise(() => undefined)],
    ['Promise', () => void (async () => await Promise.resolve())()],
  ]

  test.for(promises)('finds a %s within a transition, and nothing of it in a run', ([api, call]) => {
    expect(audited('transition', call)[0]?.api).toBe(api)
    expect(audited('run', call)).toEqual([])
  })

  const requests: typeof calls = [
    ['FSREQCALLBACK', () => readFile(file, () => undefined)],
    ['GETADDRINFOREQWRAP', () => lookup('localhost', () => undefined)],
    ['MESSAGEPORT', () => new MessageChannel()],
  ]

  test.for(requests)('finds real I/O in a run too: %s', ([api, call]) => {
    for (const mode of ['run', 'transition'] as const) {
      const [stray] = audited(mode, call)
      expect(stray).toMatchObject({ api, file, line: lineOf(call) })
    }
  })

  test('finds a timer that was kept from before the guards', () => {
    guards.uninstall()
    const kept = setTimeout
    guards = installGuards((stray) => strays.push(stray))
    const call = (): void => clearTimeout(kept(() => undefined, 1))
    expect(audited('run', call).map(({ api }) => api)).toEqual(['Timeout'])
    expect(strays).toEqual([])
  })

  test('leaves to the guards what they see', () => {
    expect(audited('run', () => clearTimeout(setTimeout(() => undefined, 1)))).toEqual([])
    expect(strays.map(({ api }) => api)).toEqual(['setTimeout'])
  })

  test('is silent outside, in places of other guards, for the kernel and the test kit, and after it was stopped', () => {
    const settle = async (): Promise<number> => 1
    const other = installGuards(() => undefined)
    const audit = auditAsync(guards, (stray) => found.push(stray))
    found.length = 0
    void settle()
    other.enter('theirs')
    void settle()
    other.uninstall()
    const store = laterStore(openMemoryShard(createMemoryDisk({ shards: 1 }), 0, 1), () => 1)
    guards.enter('ours')
    void store.nextDueAt()
    guards.leave()
    audit.stop()
    guards.enter('ours')
    void settle()
    guards.leave()
    expect(found).toEqual([])
  })
})
