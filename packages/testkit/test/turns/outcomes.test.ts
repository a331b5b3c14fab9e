/** How turns end, what their callers get, and how they get along with everything else that an actor does: keys, bounds, queries, timers of its memory. */
import { BailiwickError, defineActor, InvalidDefinition, ProcessLost, request, turn, command, query } from '@bailiwick/kernel'
import type { ActorDefinition } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { codeOf } from '../code-of.ts'
import { follow } from '../delivery.ts'
import { input, ledger, machine, repo, setUp, stage, tiny, turnOf, typesOf } from './scripted.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

describe('how a turn ends', () => {
  test('ok, with its value; a tell resolves when it is accepted', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    expect(await ref.tell.work({ text: 'told' })).toEqual({ outcome: 'accepted' })
    const asked = follow(ref.ask.work({ text: 'asked' }))
    await world.advance(0)
    stage.last().finish({ deep: [1, 'two'] })
    await world.advance(0)
    stage.last().finish(0)
    await world.advance(0)
    expect(asked()).toEqual({ outcome: 'ok', value: 0 })
    expect((await ref.turns()).map(({ outcome }) => outcome)).toEqual([
      { outcome: 'ok', value: 0 },
      { outcome: 'ok', value: { deep: [1, 'two'] } },
    ])
  })

  test.each([undefined, null, ''])('empty: a result of %o is no completion', async (value) => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    stage.scripts['work'] = () => value
    expect(await ref.ask.work({})).toEqual({ outcome: 'empty' })
    expect(typesOf(await ref.snapshot())).toEqual(['work.started', 'work.failed'])
    const heard = await ref.ask.heard()
    expect(heard.at(-1)).toMatchObject({ outcome: 'empty' })
    // Nothing says that the work of one that was told is done: somebody has to look at it.
    await ref.tell.work({})
    await world.advance(0)
    expect(stage.count('work')).toBe(2)
    expect(await system.deadLetters.list()).toMatchObject([{ command: 'work' }])
  })

  test.each([false, 0, [], {}, ' '])('ok: %o is a result', async (value) => {
    const { open } = setUp()
    stage.scripts['work'] = () => value
    expect(await (await open()).actor(repo, 'a').ask.work({})).toEqual({ outcome: 'ok', value })
  })

  test('failed: what it throws is the error, it is not tried again, and nothing else of the actor changes', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['work'] = () => {
      throw new Error('it broke')
    }
    const outcome = await ref.ask.work({})
    expect(outcome).toMatchObject({ outcome: 'failed', error: { message: expect.stringContaining('it broke') as unknown } })
    await world.advance(HOUR_MS)
    expect(stage.count('work')).toBe(1)
    const heard = await ref.ask.heard()
    expect(heard.at(-1)).toMatchObject({
      type: 'work.failed',
      outcome: 'failed',
      error: { message: expect.stringContaining('it broke') as unknown },
    })
    // The next turn starts as if nothing had been.
    stage.scripts = {}
    const next = follow(ref.ask.work({}))
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect(next()).toMatchObject({ outcome: 'ok' })
  })

  test.each([['a text'], [undefined], [null], [42], [{ odd: true }]])('failed: it may throw anything, also %o', async (thrown) => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    stage.last().fail(thrown)
    await world.advance(0)
    expect(work()).toMatchObject({
      outcome: 'failed',
      error: { code: expect.any(String) as unknown, message: expect.any(String) as unknown },
    })
  })

  test.each([
    ['a bigint', 1n],
    ['a function', () => 1],
    [
      'a cycle',
      (() => {
        const cycle: Record<string, unknown> = {}
        cycle['self'] = cycle
        return cycle
      })(),
    ],
    ['not a number', Number.NaN],
  ])('failed: %s is no result that can be kept', async (_what, value) => {
    const { open } = setUp()
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['work'] = () => value
    expect(await ref.ask.work({})).toMatchObject({ outcome: 'failed' })
    expect((await ref.turns())[0]).toMatchObject({ state: 'ended', outcome: { outcome: 'failed' } })
  })

  test('failed: a result that its schema refuses names the field', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['exact'] = () => ({ n: 'one' })
    const outcome = await ref.ask.exact({})
    expect(outcome).toMatchObject({ outcome: 'failed', error: { message: expect.stringContaining('n') as unknown } })
    expect(stage.count('exact')).toBe(1)
    stage.scripts['exact'] = () => ({ n: 1, more: true })
    expect(await ref.ask.exact({})).toEqual({ outcome: 'ok', value: { n: 1 } })
  })

  test('failed: a checkpoint that its schema refuses rejects and leaves the frame as it was', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    const { context } = stage.last()
    await context.checkpoint({ step: 1 })
    expect(await codeOf(context.checkpoint({ step: 'two' } as never))).toBe('INVALID_INPUT') // On purpose.
    expect(turnOf(await ref.turns(), 'work').frame).toEqual({ step: 1 })
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
  })

  test.each([true, false])(
    'timed-out: a stretch that runs for longer than timeoutMs, whether it heeds its signal (%o) or not',
    async (heeds) => {
      const { open, world } = setUp()
      const ref = (await open()).actor(repo, 'a')
      if (!heeds) stage.scripts['brief'] = async (_context, stretch) => await stretch.held()
      const brief = follow(ref.ask.brief({}))
      await world.advance(59_999)
      expect(stage.last().interruption).toBeUndefined()
      await world.advance(1)
      expect(stage.last().interruption).toMatchObject({ mode: 'timed-out' })
      await world.advance(5_000)
      expect(brief()).toMatchObject({
        outcome: 'timed-out',
        error: { code: 'TURN_TIMEOUT', timeoutMs: 60_000, actor: 'repo/a', command: 'brief' },
      })
      const heard = await ref.ask.heard()
      expect(heard.at(-1)).toMatchObject({ type: 'brief.failed', outcome: 'timed-out' })
      await world.advance(HOUR_MS)
      expect(stage.count('brief')).toBe(1)
    },
  )

  test('timed-out: timeoutMs is per stretch, so parked time does not count', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const brief = follow(ref.ask.brief({}))
    await world.advance(50_000)
    stage.last().step = 1
    void codeOf(ref.ask.urge({}))
    await world.advance(100_000)
    stage.last('urge').finish()
    await world.advance(50_000)
    expect(stage.last('brief').interruption).toBeUndefined()
    stage.last('brief').finish()
    await world.advance(0)
    expect(brief()).toMatchObject({ outcome: 'ok' })
  })

  test.each(['waiting', 'running', 'parked'])('timed-out: endWithinMs counts from acceptance, also while it is %s', async (how) => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    if (how === 'waiting') void codeOf(ref.ask.urge({}))
    await world.advance(0)
    const brief = follow(ref.ask.brief({}, { timeoutMs: HOUR_MS }))
    await world.advance(0)
    if (how === 'parked') {
      stage.last('brief').step = 1
      void codeOf(ref.ask.urge({}))
      await world.advance(599_999)
    } else if (how === 'running') {
      // It gets a new minute with every stretch.
      for (let left = 599_999; left > 0; left -= 50_000) {
        await world.advance(Math.min(left, 50_000))
        if (left <= 50_000) break
        stage.last('brief').step += 1
        void codeOf(ref.ask.urge({}))
        await world.advance(0)
        stage.last('urge').finish()
        await world.advance(0)
      }
    } else await world.advance(599_999)
    expect(brief()).toBe('pending')
    await world.advance(5_002)
    expect(brief()).toMatchObject({ outcome: 'timed-out' })
    expect(turnOf(await ref.turns(), 'brief')).toMatchObject({ state: 'ended', outcome: { outcome: 'timed-out' } })
    if (how === 'waiting' || how === 'parked') {
      stage.last('urge').finish()
      await world.advance(HOUR_MS)
      expect(stage.count('brief')).toBe(how === 'parked' ? 1 : 0)
    }
  })

  test('timed-out: an ask without timeoutMs waits for as long as its turn may take, not for 30 seconds', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(59 * MINUTE_MS)
    expect(work()).toBe('pending')
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
    const impatient = follow(ref.ask.work({}, { timeoutMs: 1_000 }))
    await world.advance(1_001)
    expect(impatient()).toBe('ASK_TIMEOUT')
    // A caller that leaves takes nothing with it.
    expect(stage.last().interruption).toBeUndefined()
    stage.last().finish()
    await world.advance(0)
    expect((await ref.turns())[0]).toMatchObject({ outcome: { outcome: 'ok' } })
  })

  class Hiccup extends Error {
    readonly retryable = true
  }

  test.each([
    ['ProcessLost', () => new ProcessLost('it', 'gone')],
    ['an error with retryable: true', () => new Hiccup('once more')],
  ])('maxAttempts: %s is tried again, three times in all, then it is the error', async (_what, make) => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const brief = follow(ref.ask.brief({}))
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await world.advance(1_000)
      expect(stage.count('brief')).toBe(attempt)
      expect(stage.last().context.attempt).toBe(attempt)
      stage.last().fail(make())
    }
    await world.advance(1_000)
    expect(brief()).toMatchObject({ outcome: 'failed' })
    await world.advance(HOUR_MS)
    expect(stage.count('brief')).toBe(3)
    const epochs = stage.stretches.map(({ context }) => context.epoch)
    expect(epochs).toEqual(epochs.toSorted((left, right) => left - right))
    expect(new Set(epochs).size).toBe(3)
  })

  test('rejected: a state that does not take it, for an ask at once, for a tell as a dead letter', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    await ref.ask.shut()
    expect(await codeOf(ref.ask.picky({}))).toBe('COMMAND_REJECTED')
    expect(await ref.tell.picky({ text: 'told' })).toEqual({ outcome: 'accepted' })
    await world.advance(0)
    expect(stage.stretches).toEqual([])
    const [letter] = await system.deadLetters.list()
    expect(letter).toMatchObject({ command: 'picky', reason: 'rejected', error: { code: 'COMMAND_REJECTED' }, input: { text: 'told' } })
    expect(await ref.turns()).toEqual([])
    await ref.ask.reopen()
    const picky = follow(ref.ask.picky({}))
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect(picky()).toMatchObject({ outcome: 'ok' })
  })

  test('rejected: one that would preempt interrupts nobody if the state does not take it', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.ask.shut()
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    expect(await codeOf(ref.ask.picky({}))).toBe('COMMAND_REJECTED')
    await world.advance(MINUTE_MS)
    expect(stage.last()).toMatchObject({ command: 'work', interruption: undefined })
    expect(stage.stretches).toHaveLength(1)
  })

  test('rejected: an input that its schema refuses never reaches the actor', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    expect(await codeOf(ref.ask.work({ text: 1 } as never))).toBe('INVALID_INPUT') // On purpose.
    expect(await codeOf(ref.tell.work({ text: 1 } as never))).toBe('INVALID_INPUT') // On purpose.
    await world.advance(MINUTE_MS)
    expect(stage.stretches).toEqual([])
  })
})

describe('definitions', () => {
  /** Defines an actor with this turn and answers the error. */
  function refusal(options: object, turns?: object, isVolatile = false): unknown {
    try {
      defineActor({
        type: 'wrong',
        module: import.meta.url,
        logic: machine,
        ...(turns === undefined ? {} : { turns }),
        volatile: isVolatile,
        // Whatever is wrong with it, is wrong on purpose.
        commands: { job: turn({ run: () => 1, ...(options as { readonly rank?: string }) }) },
      })
      return undefined
    } catch (error) {
      return error instanceof InvalidDefinition ? `${error.code} ${error.field}` : error
    }
  }

  test.each([
    ['run', 'work'],
    ['when', true],
    ['frame', {}],
    ['input', {}],
    ['output', {}],
    ['on', 'cloud'],
    ['drainMs', -1],
    ['drainMs', Number.NaN],
    ['drainMs', '5'],
    ['timeoutMs', 0],
    ['timeoutMs', Number.POSITIVE_INFINITY],
    ['timeoutMs', '5'],
    ['endWithinMs', 0],
    ['endWithinMs', -5],
    ['endWithinMs', Number.NaN],
    ['silentMs', 0],
    ['silentMs', -1],
    ['maxAttempts', 0],
    ['maxAttempts', 1.5],
    ['maxAttempts', '2'],
    ['preemptible', 'yes'],
    ['preempt', 'kill'],
    ['priority', 'extreme'],
    ['rank', 'nobody'],
  ])('a turn whose %s is %o is refused, and the error names the field', (field, value) => {
    expect(refusal({ [field]: value })).toBe(`INVALID_DEFINITION commands.job.${field}`)
  })

  test.each([
    ['ranks', 'job'],
    ['ranks', 5],
    ['ranks', ['job', '']],
    ['ranks', ['job', 'job']],
  ])('turns whose %s are %o are refused, and the error names the field', (field, value) => {
    expect(refusal({ rank: 'job' }, { [field]: value })).toBe(`INVALID_DEFINITION turns.${field}`)
  })

  test('ranks that are no list are named as the fault, also if no turn could have one of them', () => {
    expect(refusal({ rank: 'job' }, { ranks: 'first' })).toBe('INVALID_DEFINITION turns.ranks')
  })

  test.each([
    ['maxBurst', 0],
    ['maxBurst', 1.5],
    ['minSliceMs', -1],
    ['minSliceMs', Number.NaN],
    ['keep', -1],
    ['keep', 0.5],
  ])('turns whose %s is %o are refused, and the error names the field', (field, value) => {
    expect(refusal({}, { [field]: value })).toBe(`INVALID_DEFINITION turns.${field}`)
  })

  test('a turn, or a command that preempts, must say its rank where there are ranks', () => {
    expect(refusal({}, { ranks: ['a'] })).toBe('INVALID_DEFINITION commands.job.rank')
    expect(refusal({ rank: 'a' }, { ranks: ['a'] })).toBeUndefined()
    expect(
      codeOfDefinition(() =>
        defineActor({
          type: 'wrong',
          module: import.meta.url,
          logic: machine,
          turns: { ranks: ['a'] },
          commands: { note: command({ input, preempt: 'steal' }) },
        }),
      ),
    ).toBe('INVALID_DEFINITION commands.note.rank')
  })

  test('a volatile actor can have no turns, and no command that preempts', () => {
    expect(refusal({}, undefined, true)).toBe('INVALID_DEFINITION commands.job')
    expect(
      codeOfDefinition(() =>
        defineActor({
          type: 'wrong',
          module: import.meta.url,
          logic: machine,
          volatile: true,
          commands: { note: command({ input, preempt: 'steal' }) },
        }),
      ),
    ).toBe('INVALID_DEFINITION commands.note')
  })

  function codeOfDefinition(define: () => ActorDefinition): unknown {
    try {
      return define()
    } catch (error) {
      return error instanceof InvalidDefinition ? `${error.code} ${error.field}` : error
    }
  }

  test('a call with a bad preempt, onProgress or lease is refused by name', async () => {
    const { open } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const field = async (promise: Promise<unknown>): Promise<unknown> => {
      const error: unknown = await promise.then(
        () => undefined,
        (error_: unknown) => error_,
      )
      return error instanceof BailiwickError && 'field' in error ? `${error.code} ${String(error.field)}` : error
    }
    expect(await field(ref.ask.work({}, { preempt: 'kill' as 'steal' }))).toBe('INVALID_INPUT preempt') // On purpose.
    expect(await field(ref.ask.work({}, { onProgress: 'me' as never }))).toBe('INVALID_INPUT onProgress') // On purpose.
    expect(await field(ref.tell.work({}, { onProgress: () => undefined } as never))).toBe('INVALID_INPUT onProgress') // On purpose.
    expect(await field(ref.ask.heard({}, { preempt: 'steal' }))).toBe('INVALID_INPUT preempt')
    expect(await field(ref.ask.work({}, { lease: 'mine' as never }))).toBe('INVALID_INPUT lease') // On purpose.
    expect(await field(ref.ask.work({}, { lease: { name: '', epoch: 1 } }))).toBe('INVALID_INPUT lease.name')
    expect(await field(ref.ask.work({}, { lease: { name: 'x', epoch: 1.5 } }))).toBe('INVALID_INPUT lease.epoch')
    expect(await field(ref.cancelTurn(1.5))).toBe('INVALID_INPUT turn')
    expect(await field(ref.cancelTurn(1, { attempt: 0.5 }))).toBe('INVALID_INPUT attempt')
    expect(await field(ref.cancelTurn(1, { mode: 'none' as 'steal' }))).toBe('INVALID_INPUT mode') // On purpose.
    expect(await field(ref.cancelTurn(1, { reason: '' }))).toBe('INVALID_INPUT reason')
    expect(await field(ref.turns({ limit: 0 }))).toBe('INVALID_INPUT limit')
    expect(await field(ref.lateResults({ limit: 1.5 }))).toBe('INVALID_INPUT limit')
    expect(stage.stretches).toEqual([])
  })
})

describe('idempotency keys', () => {
  const K = { idempotencyKey: 'k' }

  test('G3 another call joins the turn while it waits and while it runs, and gets its outcome once it has ended', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    void codeOf(ref.ask.urge({}))
    await world.advance(0)
    const calls = [follow(ref.ask.work({ text: 'x' }, K))]
    await world.advance(0)
    calls.push(follow(ref.ask.work({ text: 'x' }, K)))
    stage.last().finish()
    await world.advance(0)
    calls.push(follow(ref.ask.work({ text: 'x' }, K)))
    expect(await ref.tell.work({ text: 'x' }, K)).toMatchObject({ outcome: expect.any(String) as unknown })
    await world.advance(MINUTE_MS)
    expect(stage.count('work')).toBe(1)
    stage.last().finish('once')
    await world.advance(0)
    calls.push(follow(ref.ask.work({ text: 'x' }, K)))
    await world.advance(HOUR_MS)
    expect(calls.map((seen) => seen())).toEqual(Array.from({ length: 4 }, () => ({ outcome: 'ok', value: 'once' })))
    expect(stage.count('work')).toBe(1)
    expect((await ref.turns()).filter((view) => view.command === 'work')).toHaveLength(1)
  })

  test.each(['waiting', 'running', 'parked', 'ended'])(
    'G3 another input under the key of a turn that is %s is a conflict',
    async (state) => {
      const { open, world } = setUp()
      const ref = (await open()).actor(repo, 'a')
      if (state === 'waiting') void codeOf(ref.ask.urge({}))
      await world.advance(0)
      void codeOf(ref.ask.work({ text: 'x' }, K))
      await world.advance(0)
      if (state === 'parked') void codeOf(ref.ask.urge({}))
      if (state === 'ended') stage.last().finish()
      await world.advance(0)
      expect(await codeOf(ref.ask.work({ text: 'y' }, K))).toBe('IDEMPOTENCY_CONFLICT')
      expect((await ref.turns()).filter((view) => view.command === 'work')).toHaveLength(1)
    },
  )

  test.each([
    ['empty', () => undefined, { outcome: 'empty' }],
    ['cancelled', undefined, { outcome: 'cancelled', mode: 'abort-drop' }],
  ])('G3 an outcome of %s is replayed too', async (_what, script, expected) => {
    const { open, reopen, world } = setUp()
    let ref = (await open()).actor(repo, 'a')
    if (script !== undefined) stage.scripts['work'] = script
    const first = follow(ref.ask.work({}, K))
    await world.advance(0)
    if (script === undefined) await ref.cancelTurn(stage.last().context.turn)
    await world.advance(0)
    expect(first()).toMatchObject(expected)
    expect(await ref.ask.work({}, K)).toMatchObject(expected)
    ref = (await reopen()).actor(repo, 'a')
    expect(await ref.ask.work({}, K)).toMatchObject(expected)
    expect(stage.count('work')).toBe(1)
  })

  test('G3 joined calls survive a crash of the process: the key still leads to the turn', async () => {
    const { open, reopen, world } = setUp()
    void codeOf((await open()).actor(repo, 'a').ask.work({ text: 'x' }, K))
    await world.advance(0)
    await stage.last().context.checkpoint({ step: 1 })
    const ref = (await reopen()).actor(repo, 'a')
    await world.advance(0)
    const joined = follow(ref.ask.work({ text: 'x' }, K))
    await world.advance(0)
    stage.last().finish('once')
    await world.advance(0)
    expect(joined()).toEqual({ outcome: 'ok', value: 'once' })
    expect(await ref.turns()).toHaveLength(1)
  })

  test('G3 the onProgress of a call that joins is heard too', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({}, K))
    await world.advance(0)
    const heard: unknown[] = []
    const joined = follow(ref.ask.work({}, { ...K, onProgress: (value) => heard.push(value) }))
    await world.advance(0)
    stage.last().context.progress('half')
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect(joined()).toMatchObject({ outcome: 'ok' })
    expect(heard).toEqual(['half'])
  })
})

describe('the inbox', () => {
  test('an edit under a natural key changes the input of a turn that waits, which keeps its place', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.urge({}))
    await world.advance(0)
    await ref.tell.work({ text: 'first' }, { naturalKey: 'comment-1' })
    await ref.tell.work({ text: 'second' }, { naturalKey: 'comment-2' })
    expect(await ref.tell.work({ text: 'first, edited' }, { naturalKey: 'comment-1' })).toEqual({ outcome: 'replaced' })
    stage.last().finish()
    await world.advance(0)
    expect(stage.last().context.input.text).toBe('first, edited')
    stage.last().finish()
    await world.advance(0)
    expect(stage.last().context.input.text).toBe('second')
    expect(stage.count('work')).toBe(2)
  })

  test('an edit while the turn runs changes its input and leaves it running; one after its end is ignored', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: 'first' }, { naturalKey: 'comment-1' })
    await world.advance(0)
    expect(await ref.tell.work({ text: 'edited' }, { naturalKey: 'comment-1' })).toEqual({ outcome: 'replaced' })
    await world.advance(0)
    expect(stage.stretches).toHaveLength(1)
    expect(stage.last().interruption).toBeUndefined()
    stage.last().finish()
    await world.advance(0)
    expect(await ref.tell.work({ text: 'too late' }, { naturalKey: 'comment-1' })).toEqual({ outcome: 'duplicate' })
    await world.advance(HOUR_MS)
    expect(stage.count('work')).toBe(1)
    expect(await ref.turns()).toHaveLength(1)
  })

  test('a redelivery of a turn has no effect, whatever it holds', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: 'x' }, { deliveryId: 'd1' })
    await world.advance(0)
    expect(await ref.tell.work({ text: 'y' }, { deliveryId: 'd1' })).toEqual({ outcome: 'duplicate' })
    stage.last().finish()
    await world.advance(0)
    expect(await ref.tell.work({ text: 'z' }, { deliveryId: 'd1' })).toEqual({ outcome: 'duplicate' })
    await world.advance(HOUR_MS)
    expect(stage.count('work')).toBe(1)
  })

  test.each([false, true])('G9 a turn for later starts at its moment, and interrupts only then (crash in between: %o)', async (crashes) => {
    const { open, reopen, world } = setUp()
    let ref = (await open()).actor(repo, 'a')
    await ref.tell.urge({ text: 'later' }, { deliverAt: world.clock.wall() + 30 * MINUTE_MS })
    await ref.tell.work({ text: 'now' })
    await world.advance(10 * MINUTE_MS)
    if (crashes) {
      await stage.last().context.checkpoint({ step: 1 })
      ref = (await reopen()).actor(repo, 'a')
    }
    await world.advance(20 * MINUTE_MS - 1)
    expect(stage.last()).toMatchObject({ command: 'work', interruption: undefined })
    expect(stage.count('urge')).toBe(0)
    stage.last().step = 1
    await world.advance(1)
    expect(stage.last()).toMatchObject({ command: 'urge' })
    stage.last().finish()
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect((await ref.turns()).map(({ outcome }) => outcome?.outcome)).toEqual(['ok', 'ok'])
  })

  test('a told turn that fails becomes a dead letter, and replaying that starts a new one', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    await ref.tell.work({ text: 'x' })
    await world.advance(0)
    stage.last().fail(new Error('it broke'))
    await world.advance(0)
    const [letter] = await system.deadLetters.list()
    expect(letter).toMatchObject({ actor: 'repo/a', kind: 'command', command: 'work', reason: 'failed', input: { text: 'x' } })
    await system.deadLetters.replay(letter?.id ?? '')
    await world.advance(0)
    const [first, second] = stage.stretches
    expect(second?.context.turn).toBeGreaterThan(first?.context.turn ?? Number.POSITIVE_INFINITY)
    expect(second?.context).toMatchObject({ attempt: 1, frame: undefined, input: { text: 'x' } })
    second?.finish()
    await world.advance(0)
    expect((await ref.turns()).map(({ outcome }) => outcome?.outcome)).toEqual(['ok', 'failed'])
    expect(await system.deadLetters.list()).toEqual([])
  })

  test('a told turn that is timed out becomes a dead letter; one that is cancelled does not', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(repo, 'a')
    await ref.tell.brief({ text: 'slow' })
    await world.advance(70_000)
    expect(await system.deadLetters.list()).toMatchObject([{ command: 'brief', reason: 'timed-out', error: { code: 'TURN_TIMEOUT' } }])
    await ref.tell.brief({ text: 'unwanted' })
    await world.advance(0)
    await ref.cancelTurn(stage.last().context.turn)
    await world.advance(MINUTE_MS)
    expect(await system.deadLetters.list()).toHaveLength(1)
  })
})

const askerMachine = setup({
  types: {
    context: {} as { readonly answers: readonly unknown[] },
    events: {} as
      | { readonly type: 'go'; readonly command: 'work' | 'loop' | 'picky' | 'shut' }
      | { readonly type: 'answered'; readonly output: unknown }
      | { readonly type: 'refused'; readonly error: { readonly code: string } },
  },
}).createMachine({
  context: { answers: [] },
  on: {
    go: {
      actions: request(() => repo as ActorDefinition, {
        key: 'a',
        command: ({ event }) => event.command,
        input: {},
        onDone: 'answered',
        onError: 'refused',
        timeoutMs: DAY_MS,
      }),
    },
    answered: { actions: assign({ answers: ({ context, event }) => [...context.answers, event.output] }) },
    refused: { actions: assign({ answers: ({ context, event }) => [...context.answers, event.error.code] }) },
  },
})

/** Requests turns of a repo. */
const asker = defineActor({
  type: 'asker',
  module: import.meta.url,
  logic: askerMachine,
  commands: {
    go: command({ input: z.object({ command: z.enum(['work', 'loop', 'picky', 'shut']) }) }),
    answers: query({ reply: ({ context }) => context.answers }),
  },
})

describe.each([1, 3])('a turn that another actor requests, on %i shards', (shards) => {
  async function scene() {
    stage.reset()
    const world = new TestWorld({ shards })
    onTestFinished(() => world.close())
    const open = async () => await world.open({ actors: [repo, asker] })
    return { world, open, system: await open() }
  }

  test('is answered with its outcome, whatever that is', async () => {
    const { world, system } = await scene()
    const me = system.actor(asker, 'me')
    await me.ask.go({ command: 'work' })
    await world.advance(HOUR_MS / 2)
    expect(await me.ask.answers()).toEqual([])
    stage.last().finish('x')
    await world.advance(1_000)
    await me.ask.go({ command: 'work' })
    await world.advance(1_000)
    await system.actor(repo, 'a').cancelTurn(stage.last().context.turn, { reason: 'no' })
    await world.advance(1_000)
    await me.ask.go({ command: 'work' })
    await world.advance(1_000)
    stage.last().fail(new Error('it broke'))
    await world.advance(1_000)
    await system.actor(repo, 'a').ask.shut()
    await me.ask.go({ command: 'picky' })
    await world.advance(1_000)
    expect(await me.ask.answers()).toMatchObject([
      { outcome: 'ok', value: 'x' },
      { outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'no' } },
      { outcome: 'failed' },
      'COMMAND_REJECTED',
    ])
  })

  test('is answered once, also if the process dies while it runs', async () => {
    const { world, system, open } = await scene()
    await system.actor(asker, 'me').ask.go({ command: 'work' })
    await world.advance(1_000)
    await stage.last().context.checkpoint({ step: 1 })
    world.crash()
    const again = await open()
    await world.advance(1_000)
    expect(stage.last().context).toMatchObject({ frame: { step: 1 } })
    stage.last().finish('x')
    await world.advance(MINUTE_MS)
    expect(await again.actor(asker, 'me').ask.answers()).toEqual([{ outcome: 'ok', value: 'x' }])
  })
})

const ringMachine = setup({
  types: {
    context: {} as { readonly next: string; readonly heard: readonly string[] },
    input: {} as { readonly next: string },
    events: {} as
      | { readonly type: 'job.started' | 'answered' }
      | { readonly type: 'refused'; readonly error: { readonly code: string; readonly path?: readonly string[] } },
  },
}).createMachine({
  context: ({ input: { next } }) => ({ next, heard: [] }),
  on: {
    'job.started': {
      actions: request((): ActorDefinition => ring, {
        key: ({ context }) => context.next,
        command: 'job',
        input: {},
        onDone: 'answered',
        onError: 'refused',
        timeoutMs: DAY_MS,
      }),
    },
    answered: { actions: assign({ heard: ({ context }) => [...context.heard, 'answered'] }) },
    refused: {
      actions: assign({ heard: ({ context, event }) => [...context.heard, `${event.error.code} ${event.error.path?.join('>') ?? ''}`] }),
    },
  },
})

const NEXT: Readonly<Record<string, string>> = { a: 'b', b: 'c', c: 'a', self: 'self' }

/** A ring of actors: while its turn runs, each asks for the turn of the next. */
const ring = defineActor({
  type: 'ring',
  module: import.meta.url,
  logic: ringMachine,
  input: ({ key }) => ({ next: NEXT[String(key)] ?? '' }),
  commands: {
    job: turn({ run: async (context) => await stage.perform('job', { ...context, input: { text: String(context.key) } } as never) }),
    heard: query({ reply: ({ context }) => context.heard }),
  }, // The stage reads its text only.
})

describe('turns that ask for each other', () => {
  test.each([
    ['self', ['self'], 'ASK_CYCLE ring/self>ring/self'],
    ['a', ['a', 'b', 'c'], 'ASK_CYCLE ring/a>ring/b>ring/c>ring/a'],
  ])('from %s on, find the cycle at once, and the turns go on', async (first, keys, expected) => {
    stage.reset()
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [ring] })
    const job = follow(system.actor(ring, first).ask.job())
    await world.advance(0)
    const last = system.actor(ring, keys.at(-1) ?? '')
    expect(await last.ask.heard()).toEqual([expected])
    expect(stage.stretches.map(({ context }) => context.input.text)).toEqual(keys)
    for (const stretch of stage.stretches) stretch.finish()
    await world.advance(0)
    expect(job()).toMatchObject({ outcome: 'ok' })
    if (keys.length > 1) expect(await system.actor(ring, first).ask.heard()).toEqual(['answered'])
  })
})

describe('progress', () => {
  test('is heard in order, by whoever asked for it, and not after the answer', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const heard: unknown[] = []
    let isAnswered = false
    const work = ref.ask.work({}, { onProgress: (value) => heard.push([value, isAnswered]) }).then((outcome) => {
      isAnswered = true
      return outcome
    })
    await world.advance(0)
    const { context } = stage.last()
    context.progress({ step: 1 })
    context.progress({ step: 2 })
    await world.advance(0)
    for (let step = 3; step <= 100; step += 1) context.progress({ step })
    stage.last().finish()
    await world.advance(0)
    expect(await work).toMatchObject({ outcome: 'ok' })
    context.progress({ step: 101 })
    await world.advance(0)
    expect(heard).toEqual(Array.from({ length: 100 }, (_none, index) => [{ step: index + 1 }, false]))
  })

  test('without onProgress nobody hears it, and nothing is stored', async () => {
    const { faults, open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    const { commits } = faults
    for (let step = 1; step <= 5_000; step += 1) stage.last().context.progress(step)
    await world.advance(0)
    expect(faults.commits).toBe(commits)
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
  })

  test('a listener that throws hurts neither the turn nor the others', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const heard: unknown[] = []
    const uncaught: unknown[] = []
    const keep = (error: unknown): void => void uncaught.push(error)
    process.prependListener('uncaughtException', keep)
    onTestFinished(() => void process.off('uncaughtException', keep))
    const throwing = follow(
      ref.ask.work(
        {},
        {
          idempotencyKey: 'k',
          onProgress: () => {
            throw new Error('a listener broke')
          },
        },
      ),
    )
    const listening = follow(ref.ask.work({}, { idempotencyKey: 'k', onProgress: (value) => heard.push(value) }))
    await world.advance(0)
    for (const value of ['1', '2', '3']) stage.last().context.progress(value)
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect([throwing(), listening()]).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
    expect(heard).toEqual(['1', '2', '3'])
  })

  test('that falls behind loses the oldest, and never what came last', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const heard: unknown[] = []
    void codeOf(ref.ask.work({}, { onProgress: (value) => heard.push(value) }))
    await world.advance(0)
    for (let step = 1; step <= 5_000; step += 1) stage.last().context.progress(step)
    await world.advance(0)
    expect(heard.length).toBeGreaterThanOrEqual(1_000)
    expect(heard.at(-1)).toBe(5_000)
    expect(heard).toEqual(heard.toSorted((left, right) => Number(left) - Number(right)))
  })

  test('goes on over a steal: the same caller hears both stretches', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const heard: unknown[] = []
    void codeOf(ref.ask.work({}, { onProgress: (value) => heard.push(value) }))
    await world.advance(0)
    const [old] = stage.stretches
    old?.context.progress('before')
    await world.advance(0)
    void codeOf(ref.ask.urge({}))
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    old?.context.progress('of an epoch that is over')
    stage.last().context.progress('after')
    await world.advance(0)
    expect(heard).toEqual(['before', 'after'])
  })

  test('a value that JSON cannot carry hurts nobody', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const heard: unknown[] = []
    const work = follow(ref.ask.work({}, { onProgress: (value) => heard.push(value) }))
    await world.advance(0)
    const { context } = stage.last()
    for (const value of [1n, () => 1, Symbol('x')]) {
      try {
        context.progress(value)
      } catch {
        // Saying so at once is fine too.
      }
    }
    context.progress('good')
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
    expect(heard.at(-1)).toBe('good')
  })
})

describe.each([
  ['a snapshot', repo],
  ['a journal', ledger],
] as const)('an actor that keeps %s', (_what, definition) => {
  test('G4 serves its commands and queries, snapshot and changes while a turn runs', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(definition, 'a')
    const changes = ref.changes()
    const seen: (readonly string[])[] = []
    const following = (async () => {
      for await (const snapshot of changes) seen.push(typesOf(snapshot))
    })()
    const work = follow(ref.ask.work({}))
    await world.advance(0)
    for (let index = 1; index <= 20; index += 1) expect(await ref.ask.note({ text: String(index) })).toBe(index + 1)
    expect(await ref.ask.heard()).toHaveLength(21)
    expect(typesOf(await ref.snapshot())).toHaveLength(21)
    expect(work()).toBe('pending')
    stage.last().finish()
    await world.advance(0)
    expect(work()).toMatchObject({ outcome: 'ok' })
    await changes.return?.()
    await following
    expect(seen.at(-1)).toEqual(['work.started', ...Array.from({ length: 20 }, () => 'note'), 'work.done'])
  })

  test('G2 has the same state and turns after a crash: journal and snapshot tell the same story', async () => {
    const { open, reopen, world } = setUp()
    let ref = (await open()).actor(definition, 'a')
    for (let index = 0; index < 7; index += 1) {
      void codeOf(ref.ask.work({ text: String(index) }))
      await world.advance(0)
      stage.last().step = index
      void codeOf(ref.ask.urge({}))
      await world.advance(0)
      stage.last().finish()
      await world.advance(0)
      stage.last().finish()
      await world.advance(0)
    }
    const before = [await ref.snapshot(), await ref.turns()]
    expect(typesOf(await ref.snapshot())).toHaveLength(7 * 6)
    ref = (await reopen()).actor(definition, 'a')
    await world.advance(0)
    expect([await ref.snapshot(), await ref.turns()]).toEqual(before)
  })

  test('never leaves memory while it has a turn that has not ended: running, parked or waiting', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(definition, 'a')
    const work = follow(ref.ask.work({}))
    await world.advance(HOUR_MS / 2)
    expect(stage.stretches).toHaveLength(1)
    expect(stage.last().interruption).toBeUndefined()
    stage.last().step = 1
    const urge = follow(ref.ask.urge({}))
    await world.advance(HOUR_MS / 2)
    expect(stage.stretches).toHaveLength(2)
    stage.last().finish()
    await world.advance(HOUR_MS / 2)
    expect(stage.stretches).toHaveLength(3)
    expect(system.stats().residentActors).toBe(1)
    expect(stage.last().context).toMatchObject({ frame: { step: 1 }, attempt: 1 })
    stage.last().finish()
    await world.advance(0)
    expect([work(), urge()]).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
    // Without one it goes, and epochs go on where they were.
    await world.advance(11_000)
    expect(system.stats().residentActors).toBe(0)
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    expect(stage.last().context.epoch).toBeGreaterThan(stage.stretches[2]?.context.epoch ?? 0)
    expect(stage.last().context.turn).toBeGreaterThan(stage.stretches[1]?.context.turn ?? 0)
  })
})

describe('a turn that is fenced by a lease', () => {
  test('K09 is refused with StaleEpoch if the lease is lost, and never runs', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    const lease = await ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 })
    if (lease === undefined) throw new Error('the lease was not granted')
    const first = follow(ref.ask.work({ text: 'held' }, { lease }))
    await world.advance(0)
    stage.last().finish()
    await world.advance(10_000)
    expect(first()).toMatchObject({ outcome: 'ok' })
    expect(await codeOf(ref.ask.urge({ text: 'lost' }, { lease }))).toBe('STALE_EPOCH')
    expect(stage.count('urge')).toBe(0)
  })

  test('K09 interrupts nobody if the lease is lost', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    expect(await codeOf(ref.ask.urge({}, { lease: { name: 'push', epoch: 1 } }))).toBe('STALE_EPOCH')
    await world.advance(MINUTE_MS)
    expect(stage.last()).toMatchObject({ command: 'work', interruption: undefined })
  })

  test('K09 that waits while the lease is lost has no effect: it ends with StaleEpoch when its turn comes', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({ text: 'first' }))
    await world.advance(0)
    const lease = await ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 })
    if (lease === undefined) throw new Error('the lease was not granted')
    const second = follow(ref.ask.work({ text: 'second' }, { lease }))
    await world.advance(0)
    await lease.release()
    stage.last().finish()
    await world.advance(MINUTE_MS)
    expect(stage.log).not.toContain('work second begins')
    expect(JSON.stringify(second())).toContain('STALE_EPOCH')
  })

  test('K09 nor has an ordinary command that waits for a boundary while the lease is lost', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    stage.scripts['work'] = async (_context, stretch) => await stretch.held()
    void codeOf(ref.ask.work({}))
    await world.advance(0)
    const lease = await ref.lease('push').acquire({ owner: 'x', ttlMs: 2_000 })
    if (lease === undefined) throw new Error('the lease was not granted')
    const haste = follow(ref.ask.haste({ text: 'hurry' }, { lease }))
    await world.advance(0)
    expect([haste(), stage.last().interruption?.mode]).toEqual(['pending', 'steal'])
    await world.advance(MINUTE_MS)
    expect(haste()).toBe('STALE_EPOCH')
    expect(typesOf(await ref.snapshot())).not.toContain('haste')
  })
})

describe('bounds', () => {
  test('G12 turns that have not ended count for the mailbox, the one too many is refused, and one that ends makes room', async () => {
    const { open, world } = setUp()
    const system = await open()
    const ref = system.actor(tiny, 'a')
    const calls: (() => unknown)[] = []
    const send = async (text: string): Promise<void> => {
      calls.push(follow(ref.ask.work({ text })))
      await world.advance(0)
    }
    for (const text of ['1', '2', '3']) await send(text)
    expect(calls.map((seen) => seen())).toEqual(['pending', 'pending', 'pending'])
    // Whether the one that runs counts as well, is not said; four that wait are too many in any case.
    for (const text of ['4', '5']) await send(text)
    expect(calls.at(-1)?.()).toBe('MAILBOX_FULL')
    // As for a deferred reply beyond the bound: the refusal of a tell is a letter, unless its sender hears of it at once.
    const told = await codeOf(ref.tell.work({ text: 'told' }))
    await world.advance(0)
    if (told !== 'MAILBOX_FULL')
      expect(await system.deadLetters.list()).toMatchObject([{ command: 'work', reason: 'full', input: { text: 'told' } }])
    const accepted = calls.filter((seen) => seen() === 'pending').length
    stage.last().finish()
    await world.advance(0)
    await send('6')
    expect(calls.at(-1)?.()).toBe('pending')
    for (let left = accepted; left > 0; left -= 1) {
      stage.last().finish()
      await world.advance(0)
    }
    expect(calls.at(-1)?.()).toMatchObject({ outcome: 'ok', value: '6 is done' })
    expect(stage.log.filter((line) => line.endsWith('begins')).map((line) => line.split(' ')[1])).toEqual([
      '1',
      '2',
      '3',
      ...(accepted > 3 ? ['4'] : []),
      '6',
    ])
  })

  test('G12 only so many turns that have ended are kept, and the open ones are never among those that go', async () => {
    const { open, world } = setUp()
    const ref = (await open()).actor(repo, 'a')
    void codeOf(ref.ask.work({ text: 'long' }))
    await world.advance(0)
    stage.last().step = 1
    stage.scripts['urge'] = () => 'done'
    for (let index = 0; index < 130; index += 1) await ref.ask.urge({})
    await world.advance(0)
    const views = await ref.turns({ limit: 1_000 })
    expect(views.filter(({ state }) => state === 'ended').length).toBe(100)
    expect(turnOf(views, 'work')).toMatchObject({ state: 'running' })
    // Its history is bounded too.
    expect(turnOf(views, 'work').history.length).toBeLessThanOrEqual(32)
    expect((await ref.turns({ limit: 3 })).length).toBe(3)
  })
})
