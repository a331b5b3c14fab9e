/** Turns that misbehave: what they throw, return, save and report, and when, hurts nobody but themselves. */
import { describe, expect, test } from 'vitest'
import { codeOf } from '../code-of.ts'
import { deaf, errorOf, everything, interruption, sceneOf, slow, WAYS } from './stage.ts'
import type { Frame } from './stage.ts'

describe('a turn that stops when it is asked to', () => {
  test.each([
    ['returns nothing', () => undefined],
    ['returns null', () => null],
    ['returns an empty text', () => ''],
    ['throws the reason of its signal', (reason: unknown) => Promise.reject(reason as Error)],
  ] as const)('one that %s leaves no late result', async (_title, end) => {
    const scene = await sceneOf({ by: 'lanes' })
    scene.stage.scripts.set('S', async (act) => {
      await interruption(act)
      return await end(act.context.signal.reason)
    })
    await scene.running('spec', 'S')
    await scene.running('handler', 'h')
    await scene.quiet()
    expect(await scene.now(scene.desk.lateResults())).toEqual([])
    expect(scene.system.stats().lateResults).toBe(0)
  })
})

describe.each(WAYS.filter((_way, index) => index === 0 || index === 3))('$title: turns that misbehave', (way) => {
  test.each([
    ['an error', new Error('aborted')],
    ['a text', 'aborted'],
    ['nothing', undefined],
  ])('one that throws %s on the signal is parked like any other, and goes on', async (_title, thrown) => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', async (act) => {
      if (act.context.frame !== undefined) return await act.told
      await act.context.checkpoint({ phase: 'draft', cursor: 3 })
      await interruption(act)
      throw thrown // oxlint-disable-line typescript/only-throw-error -- that anything can be thrown is the point.
    })
    const { act: spec, answer } = await scene.running('spec', 'S')
    await scene.until('it has a frame', async () => (await scene.view(spec.context.turn)).frame !== undefined)
    await scene.running('handler', 'h')
    expect(await scene.becomes(spec.context.turn, 'parked')).toMatchObject({
      attempt: 1,
      history: [{ outcome: 'cancelled', mode: 'steal' }],
    })
    scene.finish('h')
    await scene.runs('S', 2)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    expect(await scene.types()).not.toContain('spec.failed')
  })

  const hostile = {
    get message(): string {
      throw new Error('You should not have looked.')
    },
    toString(): string {
      throw new Error('You should not have asked.')
    },
  }
  test.each([
    ['a text', 'no luck'],
    ['nothing', undefined],
    ['null', null],
    ['a number', 42],
    ['a symbol', Symbol('no luck')],
    ['an object', { reason: 'no luck' }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { reason: 'no luck' })],
    ['an object that throws when it is looked at', hostile],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: () => hostile.message })],
    ['an error that is its own cause', Object.assign(new Error('round'), {}) as Error & { cause?: unknown }],
    ['a function', () => 'no luck'],
  ])('one that throws %s fails as a value, and the next turn runs', async (title, thrown) => {
    if (title === 'an error that is its own cause' && thrown instanceof Error) Object.assign(thrown, { cause: thrown })
    const scene = await sceneOf(way)
    const { answer } = await scene.running('spec', 'S')
    scene.stage.act('S').fail(thrown)
    const end = await scene.now(answer.promise)
    expect(end).toMatchObject({ outcome: 'failed', error: { code: expect.any(String) as unknown, message: expect.any(String) as unknown } })
    expect(await scene.types()).toEqual(['spec.started', 'spec.failed'])
    const [, failed] = await scene.heard()
    expect(failed).toMatchObject({ outcome: 'failed', error: { code: expect.any(String) as unknown } })
    const { answer: next } = await scene.running('spec', 'next')
    scene.finish('next')
    expect(await scene.now(next.promise)).toEqual({ outcome: 'ok', value: 'next done' })
  })

  test('one that throws before its first await fails as a value', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', () => {
      throw new Error('at once')
    })
    expect(await scene.now(scene.desk.ask.spec({ name: 'S' }))).toMatchObject({ outcome: 'failed', error: { message: 'at once' } })
  })

  test('one that returns without a promise is done', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', () => ({ at: 'once' }))
    expect(await scene.now(scene.desk.ask.spec({ name: 'S' }))).toEqual({ outcome: 'ok', value: { at: 'once' } })
  })

  test.each([undefined, null, ''])('one that comes to its end with %j is empty, which is no completion', async (value) => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', () => value)
    expect(await scene.now(scene.desk.ask.spec({ name: 'S' }))).toEqual({ outcome: 'empty' })
    expect(await scene.types()).toEqual(['spec.started', 'spec.failed'])
    const [, failed] = await scene.heard()
    expect(failed).toMatchObject({ outcome: 'empty' })
  })

  const circle: { self?: unknown } = {}
  circle.self = circle
  test.each([
    ['a bigint', 1n],
    ['a function', () => 'x'],
    ['a symbol', Symbol('x')],
    ['a circle', circle],
    ['a bigint inside', { deep: [1n] }],
    ['an object whose toJSON throws', { toJSON: () => hostile.message }],
    ['an object with a getter that throws', Object.defineProperty({}, 'x', { enumerable: true, get: () => hostile.message })],
    ['NaN', Number.NaN],
    ['a map', new Map([['a', 1]])],
  ])('one that returns %s, which JSON cannot carry, fails as a value, and the next turn runs', async (_title, value) => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', () => value)
    expect(await scene.now(scene.desk.ask.spec({ name: 'S' }))).toMatchObject({
      outcome: 'failed',
      error: { code: expect.any(String) as unknown, message: expect.any(String) as unknown },
    })
    expect(await scene.types()).toEqual(['spec.started', 'spec.failed'])
    const { answer: next } = await scene.running('spec', 'next')
    scene.finish('next')
    expect(await scene.now(next.promise)).toEqual({ outcome: 'ok', value: 'next done' })
  })

  test('one that reports success after it was dropped is cancelled all the same', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', slow)
    const { act, answer } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(act.context.turn, { reason: 'closed' }))
    act.finish('It was a success!')
    expect(await scene.now(answer.promise)).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'closed' } })
    expect(await scene.types()).toEqual(['spec.started', 'spec.cancelled'])
    expect((await scene.view(act.context.turn)).outcome).toMatchObject({ outcome: 'cancelled' })
  })

  test('a checkpoint after the signal counts until the turn ends: it resumes from that one', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', slow)
    const { act: spec } = await scene.running('spec', 'S')
    await scene.now(spec.context.checkpoint({ phase: 'before', cursor: 1 }))
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    await scene.until('the signal fires', () => spec.isSignalled)
    await scene.pass(1_000)
    await scene.now(spec.context.checkpoint({ phase: 'after', cursor: 2 }))
    await scene.pass(1_000)
    await scene.now(spec.context.checkpoint({ phase: 'after', cursor: 3 }))
    spec.finish(undefined)
    await scene.runs('h')
    expect(await scene.now(codeOf(spec.context.checkpoint({ phase: 'handed over', cursor: 4 })))).toBe('STALE_EPOCH')
    scene.finish('h')
    expect((await scene.runs('S', 2)).context.frame).toEqual({ phase: 'after', cursor: 3 })
  })

  test('a thousand checkpoints that nobody waits for are taken in order, and the last one counts', async () => {
    const scene = await sceneOf(way)
    const outcomes: Promise<unknown>[] = []
    scene.stage.scripts.set('S', async (act) => {
      if (act.context.frame !== undefined) return await act.told
      for (let cursor = 1; cursor <= 1_000; cursor += 1) outcomes.push(codeOf(act.context.checkpoint({ phase: 'burst', cursor })))
      await interruption(act)
      for (let cursor = 1_001; cursor <= 1_100; cursor += 1) outcomes.push(codeOf(act.context.checkpoint({ phase: 'burst', cursor })))
      return undefined
    })
    const { act: spec, answer } = await scene.running('spec', 'S')
    await scene.now(Promise.all(outcomes))
    expect((await scene.view(spec.context.turn)).frame).toEqual({ phase: 'burst', cursor: 1_000 })
    await scene.running('handler', 'h')
    // What was asked for before the turn's end came before it.
    expect(new Set(await scene.now(Promise.all(outcomes)))).toEqual(new Set([undefined]))
    scene.finish('h')
    const resumed = await scene.runs('S', 2)
    expect(resumed.context.frame).toEqual({ phase: 'burst', cursor: 1_100 })
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
  })

  test('a checkpoint is what the frame was when it was given, whatever becomes of the object', async () => {
    const scene = await sceneOf(way)
    const { act } = await scene.running('spec', 'S')
    const given = { phase: 'draft', cursor: 1 }
    const saved = act.context.checkpoint(given)
    given.cursor = 99
    await scene.now(saved)
    expect((await scene.view(act.context.turn)).frame).toEqual({ phase: 'draft', cursor: 1 })
  })

  test.each([
    ['has a field of the wrong type', { phase: 'draft', cursor: 'two' }],
    ['lacks a field', { phase: 'draft' }],
    ['is no object', 'draft'],
    ['is undefined', undefined],
    ['holds a bigint', { phase: 'draft', cursor: 2n }],
  ])('a frame that its schema refuses because it %s is named as invalid, and the one before counts', async (_title, wrong) => {
    const scene = await sceneOf(way)
    const { act, answer } = await scene.running('spec', 'S')
    await scene.now(act.context.checkpoint({ phase: 'draft', cursor: 1 }))
    const refused = act.context.checkpoint(wrong as Frame) // What no type would let through.
    expect(await scene.now(errorOf(refused))).toMatchObject({ code: 'INVALID_INPUT' })
    expect((await scene.view(act.context.turn)).frame).toEqual({ phase: 'draft', cursor: 1 })
    expect(act.isSignalled).toBe(false)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
  })

  test('one that lets the refusal of its frame through fails with it', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', async (act) => {
      await act.context.checkpoint({ phase: 1 } as unknown as Frame) // What no type would let through.
      return 'never'
    })
    expect(await scene.now(scene.desk.ask.spec({ name: 'S' }))).toMatchObject({ outcome: 'failed', error: { code: 'INVALID_INPUT' } })
  })

  test.each(['steal', 'abort-keep'] as const)(
    'one that changes its input in memory gets the stored one when it runs again after %s',
    async (mode) => {
      const scene = await sceneOf(way)
      const { act: first } = await scene.running('spec', 'S')
      Object.assign(first.context.input, { name: 'changed' })
      await scene.now(scene.desk.cancelTurn(first.context.turn, { mode }))
      await scene.until('it runs again', () => scene.stage.acts.length === 2)
      expect(scene.stage.acts[1]?.context.input).toEqual({ name: 'S' })
    },
  )

  test('one that changes its frame in memory gets the stored one when it resumes again', async () => {
    const scene = await sceneOf(way)
    const { act: first } = await scene.running('spec', 'S')
    await scene.now(first.context.checkpoint({ phase: 'draft', cursor: 1 }))
    for (const nth of [2, 3, 4]) {
      await scene.now(scene.desk.cancelTurn(first.context.turn, { mode: 'steal' }))
      const resumed = await scene.runs('S', nth)
      expect(resumed.context.frame).toEqual({ phase: 'draft', cursor: 1 })
      Object.assign(resumed.context.frame ?? {}, { cursor: 77 })
    }
  })

  /** Something that looks like a promise: what it does when it is asked for its end. */
  const thenable = (then: (resolve: (value: unknown) => void) => void): object => Object.defineProperty({}, 'then', { value: then }) // oxlint-disable-line unicorn/no-thenable -- it is the point.
  test.each([
    [
      'settles twice',
      thenable((resolve) => {
        resolve('once')
        resolve('twice')
      }),
      { outcome: 'ok', value: 'once' },
    ],
    [
      'resolves and then throws',
      thenable((resolve) => {
        resolve('once')
        throw new Error('and yet')
      }),
      { outcome: 'ok', value: 'once' },
    ],
    [
      'throws when it is asked for its end',
      thenable(() => {
        throw new Error('never')
      }),
      { outcome: 'failed', error: { message: 'never' } },
    ],
  ])('one whose promise %s ends once', async (_title, value, end) => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', () => value)
    expect(await scene.now(scene.desk.ask.spec({ name: 'S' }))).toMatchObject(end)
    expect((await scene.types()).length).toBe(2)
  })

  test('one whose steps go on behind its back after it has ended leaves nothing behind', async () => {
    const scene = await sceneOf(way)
    const codes: unknown[] = []
    scene.stage.scripts.set('S', (act) => {
      const goOn = async (): Promise<void> => {
        await act.told
        for (let cursor = 0; cursor < 20; cursor += 1) codes.push(await codeOf(act.context.checkpoint({ phase: 'ghost', cursor })))
      }
      void goOn()
      return 'done'
    })
    const end = await scene.now(scene.desk.ask.spec({ name: 'S' }))
    expect(end).toEqual({ outcome: 'ok', value: 'done' })
    const before = await everything(scene)
    scene.finish('S')
    await scene.until('it has given up', () => codes.length === 20)
    expect(new Set(codes)).toEqual(new Set(['STALE_EPOCH']))
    expect(await everything(scene)).toEqual(before)
    // One ghost cannot fill the list with what it repeats, but the first of it is there.
    expect((await scene.now(scene.desk.lateResults())).length).toBeGreaterThanOrEqual(1)
  })

  test('progress reaches its caller in order, and neither progress after the end nor what JSON cannot carry hurts anybody', async () => {
    const scene = await sceneOf(way)
    const heard: unknown[] = []
    const answer = scene.desk.ask.spec({ name: 'S' }, { onProgress: (value) => heard.push(value) })
    const act = await scene.runs('S')
    act.context.progress(1)
    act.context.progress({ two: 2 })
    await scene.quiet()
    for (const value of [1n, circle, () => 'x', Symbol('x')]) {
      try {
        act.context.progress(value)
      } catch {
        // The turn may be told so: it is its own mistake.
      }
    }
    act.context.progress('three')
    await scene.quiet()
    scene.finish('S')
    expect(await scene.now(answer)).toEqual({ outcome: 'ok', value: 'S done' })
    expect(() => act.context.progress('late')).not.toThrow()
    await scene.pass(1_000)
    expect(heard.filter((value) => value !== null && value !== undefined)).toEqual([1, { two: 2 }, 'three'])
  })

  test('one that never settles is timed out, signalled, and ended by force after its drain', async () => {
    const scene = await sceneOf({ ...way, of: { spec: { timeoutMs: 10_000 } } })
    scene.stage.scripts.set('S', deaf)
    const { act, answer } = await scene.running('spec', 'S')
    scene.desk.ask.spec({ name: 'next' }).catch(() => undefined)
    await scene.pass(9_999)
    expect(act.isSignalled).toBe(false)
    await scene.pass(1)
    expect(act.isSignalled).toBe(true)
    expect(act.reason).toMatchObject({ mode: 'timed-out' })
    await scene.pass(4_998)
    expect(answer.isSettled()).toBe(false)
    await scene.pass(1_002)
    expect(await scene.now(answer.promise)).toMatchObject({ outcome: 'timed-out', error: { code: 'TURN_TIMEOUT' } })
    await scene.runs('next')
    const failed = (await scene.heard()).filter(({ type }) => type === 'spec.failed')
    expect(failed).toMatchObject([{ turn: act.context.turn, outcome: 'timed-out', error: { code: 'TURN_TIMEOUT' } }])
    expect(scene.system.stats().turns).toMatchObject({ forced: 1, running: 1 })
  })

  test('one that never settles and never times out does not keep its actor from anything else', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', deaf)
    await scene.running('spec', 'S')
    for (const name of ['a', 'b']) expect(await scene.now(scene.desk.ask.poke({ name }))).toBe(name)
    await scene.pass(1_800_000)
    const [view] = await scene.turns()
    expect(view).toMatchObject({ state: 'running', isSilent: true })
    expect(view?.silentMs).toBeGreaterThanOrEqual(1_800_000)
  })

  test('a checkpoint that nobody waits for and that comes too late ends nothing', async () => {
    const scene = await sceneOf(way)
    const unhandled: unknown[] = []
    const before = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', (reason) => unhandled.push(reason))
    try {
      const { act, answer } = await scene.running('spec', 'S')
      scene.finish('S')
      await scene.now(answer.promise)
      act.context.checkpoint({ phase: 'late', cursor: 1 }) // oxlint-disable-line typescript/no-floating-promises -- it is the point.
      await scene.quiet()
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of before) process.on('unhandledRejection', listener)
    }
    expect(unhandled).toEqual([])
  })
})
