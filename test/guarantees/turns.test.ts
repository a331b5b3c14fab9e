/** Turns on real threads with a real provider: who interrupts whom, what is parked and resumed, and what is stale. */
import { describe, expect, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { gateOf, DRAIN_MS, moment } from '../fixtures/session.actor.ts'
import { bestOf, isAlive, SessionScene } from '../fixtures/session-scene.ts'
import type { Running } from '../fixtures/session-scene.ts'
import { existsSync, readFileSync } from 'node:fs'

/** So much later than due something may be seen to happen. */
const SOON_MS = 50
const TRIES = 3

async function sceneOf(options: Parameters<SessionScene['open']>[0] = {}): Promise<SessionScene> {
  return await new SessionScene().open(options)
}

/** A turn whose first step is committed, and which is in its second. */
async function inSecondStep(
  scene: SessionScene,
  command: 'spec' | 'stubborn' | 'pooled' | 'thread',
  task: Parameters<SessionScene['running']>[2] = {},
): Promise<Running> {
  const first = await scene.running(command, 'S', { steps: 3, ...task })
  scene.finish('S', 0)
  return { line: await scene.line('sent', 'S', 2), answer: first.answer }
}

/** Waits until so many effects are promised and not delivered. */
async function outboxOf(scene: SessionScene, count: number): Promise<void> {
  await scene.until(
    () => scene.system.stats().outbox,
    (outbox) => outbox === count,
  )
}

function expectInARow(epochs: readonly number[]): void {
  const [first = 0] = epochs
  expect(epochs).toEqual(epochs.map((_epoch, index) => first + index))
}

describe('a theft', () => {
  test.each(['spec', 'pooled'] as const)(
    'K01 an urgent command parks a running turn (%s) and begins within 50 ms, on the same threads and with the same provider',
    async (command) => {
      const scene = await sceneOf({ limits: { poolThreads: 1 } })
      const { line, answer } = await inSecondStep(scene, command)
      let before = await scene.line('begin', 'S')
      const { provider } = await scene.line('session', 'S')
      const latency = await bestOf(
        6,
        (ms) => ms < SOON_MS,
        async (attempt) => {
          const askedAt = moment()
          const urgent = scene.ask('handler', `h${attempt}`)
          const handler = await scene.line('begin', `h${attempt}`)
          await scene.line('sent', `h${attempt}`)
          expect(handler.epoch).toBe((before.epoch ?? 0) + 1)
          expect(await scene.view(handler.turn)).toMatchObject({ state: 'running', rank: 'handler', epoch: handler.epoch })
          const parked = await scene.view(line.turn)
          expect(parked).toMatchObject({ state: 'parked', attempt: 1, frame: { step: 1 }, isFrameDiscarded: false, epoch: before.epoch })
          expect(parked.history.at(-1)).toMatchObject({
            outcome: 'cancelled',
            mode: 'steal',
            epoch: before.epoch,
            by: { command: 'handler', turn: handler.turn },
          })
          expect(parked.history.at(-1)).not.toHaveProperty('isForced')
          scene.finish(`h${attempt}`)
          expect(await urgent).toEqual({ outcome: 'ok', value: `h${attempt} done` })
          before = await scene.line('begin', 'S', attempt + 1)
          await scene.line('sent', 'S', attempt + 2)
          return handler.at - askedAt
        },
      )
      expect(latency).toBeLessThan(SOON_MS)
      for (const step of [1, 2]) scene.finish('S', step)
      expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
      expect(new Set(scene.lines('begin', 'S').map(({ thread }) => thread)).size).toBe(1)
      expect(new Set(scene.lines('session').map((session) => session.provider))).toEqual(new Set([provider]))
      expect(scene.lines('provider')).toHaveLength(1)
      expect(isAlive(provider)).toBe(true)
      expect(scene.system.stats().turns.forced).toBe(0)
    },
  )

  test('K02 G7 a parked turn resumes from its frame with the epoch after, and no committed step is done again', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec')
    const urgent = await scene.running('handler', 'h')
    scene.finish('h')
    await urgent.answer
    const resumed = await scene.line('begin', 'S', 2)
    expect(resumed).toMatchObject({ turn: line.turn, attempt: 1, frame: { step: 1 } })
    expect(await scene.becomes(line.turn, 'running')).toMatchObject({ epoch: resumed.epoch, attempt: 1 })
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expectInARow(scene.epochs)
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
    expect((await scene.heard()).map(({ type }) => type)).toEqual([
      'spec.started',
      'spec.parked',
      'handler.started',
      'handler.done',
      'spec.resumed',
      'spec.done',
    ])
    expect((await scene.view(line.turn)).history.map(({ outcome }) => outcome)).toEqual(['cancelled', 'ok'])
  })

  test('K03 urgent commands that arrive during the drain are served in their order, then the turn resumes once', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec', { provider: 'slow' })
    const names = ['h1', 'h2', 'h3', 'h4']
    await scene.tell('handler', 'h1', { isHeld: false })
    await scene.line('interrupt')
    for (const name of names.slice(1)) await scene.tell('handler', name, { isHeld: false })
    expect(await scene.view(line.turn)).toMatchObject({ state: 'running', intent: { mode: 'steal' } })
    expect(scene.order).toEqual(['S'])
    scene.finish('S', '1.stop')
    await scene.line('begin', 'S', 2)
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S', ...names, 'S'])
    expectInARow(scene.epochs)
    expect(scene.lines('signal').map(({ name }) => name)).toEqual(['S'])
  })

  test('K04 an urgent command during the resumed stretch parks the turn again, with one frame, the newer', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec')
    await scene.tell('handler', 'h1', { isHeld: false })
    await scene.line('sent', 'S', 3)
    scene.finish('S', 1)
    await scene.line('sent', 'S', 4)
    const urgent = await scene.running('handler', 'h2')
    expect(await scene.view(line.turn)).toMatchObject({ state: 'parked', frame: { step: 2 }, attempt: 1 })
    expect((await scene.ref.turns()).filter(({ command }) => command === 'spec')).toHaveLength(1)
    scene.finish('h2')
    await urgent.answer
    scene.finish('S', 2)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S', 'h1', 'S', 'h2', 'S'])
    expect(scene.lines('begin', 'S').map(({ frame }) => frame?.step)).toEqual([undefined, 1, 2])
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
    expectInARow(scene.epochs)
  })

  test('K05 a handler does not interrupt a handler: the second is queued and runs next, before the parked turn', async () => {
    const scene = await sceneOf()
    const { answer } = await inSecondStep(scene, 'spec')
    const first = await scene.running('handler', 'h1')
    const second = scene.ask('handler', 'h2', { isHeld: false })
    expect(await scene.waiting('handler')).toMatchObject({ attempt: 0 })
    expect(await scene.view(first.line.turn)).not.toHaveProperty('intent')
    scene.finish('h1')
    expect(await first.answer).toEqual({ outcome: 'ok', value: 'h1 done' })
    expect(await second).toEqual({ outcome: 'ok', value: 'h2 done' })
    for (const step of [1, 2]) scene.finish('S', step)
    await answer
    expect(scene.order).toEqual(['S', 'h1', 'h2', 'S'])
    expect(scene.lines('signal').map(({ name }) => name)).toEqual(['S'])
  })

  test('K06 the background is not interrupted: the urgent command waits, and runs before the worker', async () => {
    const scene = await sceneOf()
    const background = await scene.running('background', 'B')
    const spec = scene.ask('spec', 'S', { isHeld: false })
    await scene.waiting('spec')
    const urgent = scene.ask('handler', 'h', { isHeld: false })
    await scene.waiting('handler')
    expect(await scene.view(background.line.turn)).not.toHaveProperty('intent')
    scene.finish('B')
    expect(await background.answer).toEqual({ outcome: 'ok', value: 'B done' })
    expect(await Promise.all([urgent, spec])).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
    expect(scene.order).toEqual(['B', 'h', 'S'])
    expect(scene.lines('signal')).toEqual([])
  })

  test('G7 an ordinary command that preempts is handled once the turn has come to its boundary, others at once', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec', { provider: 'slow' })
    const note = scene.ref.ask.note({ log: scene.log, text: 'n' })
    await scene.line('interrupt')
    // A query does not wait, and shows that the note does.
    expect((await scene.heard()).map(({ type }) => type)).toEqual(['spec.started'])
    expect(await scene.view(line.turn)).toMatchObject({ state: 'running', intent: { mode: 'steal', by: { command: 'note' } } })
    scene.finish('S', '1.stop')
    expect(await note).toBe('n')
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toMatchObject({ outcome: 'ok' })
    expect((await scene.ref.ask.heard()).map(({ type }) => type)).toEqual([
      'spec.started',
      'spec.parked',
      'note',
      'spec.resumed',
      'spec.done',
    ])
  })
})

describe('a turn that does not stop', () => {
  test('K07 a provider that ignores the interrupt is killed after the drain deadline, and the handler begins with a fresh one', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'stubborn', { provider: 'ignores' })
    const { provider } = await scene.line('session', 'S')
    const askedAt = moment()
    const urgent = await scene.running('handler', 'h')
    const handler = await scene.line('begin', 'h')
    expect(handler.at - askedAt).toBeGreaterThanOrEqual(DRAIN_MS - 1)
    expect(handler.at - askedAt).toBeLessThan(DRAIN_MS + 1_000)
    expect(handler.epoch).toBe((line.epoch ?? 0) + 1)
    const fresh = await scene.line('session', 'h')
    expect(fresh).toMatchObject({ isFresh: true })
    expect(fresh.provider).not.toBe(provider)
    await scene.until(
      () => isAlive(provider),
      (lives) => !lives,
    )
    expect(await scene.view(line.turn)).toMatchObject({
      state: 'parked',
      frame: { step: 1 },
      history: [{ outcome: 'cancelled', mode: 'steal', isForced: true, by: { command: 'handler', turn: handler.turn } }],
    })
    expect(scene.system.stats().turns).toMatchObject({ preemptions: 1, forced: 1 })
    scene.finish('h')
    expect(await urgent.answer).toMatchObject({ outcome: 'ok' })
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
  })

  test('K07 the caller of a dropped turn gets its cancellation within a second of the drain deadline', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'stubborn', { provider: 'ignores' })
    const cancelledAt = moment()
    await scene.ref.cancelTurn(line.turn ?? 0, { reason: 'closed' })
    expect(await answer).toEqual({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'closed' }, epoch: line.epoch })
    expect(moment() - cancelledAt).toBeLessThan(DRAIN_MS + 1_000)
  })

  test('G7 a turn in a tight loop on the pool is gone within its drain deadline plus 100 ms while other actors keep answering', async () => {
    const scene = await sceneOf({ limits: { poolThreads: 1 } })
    const threads: (number | undefined)[] = []
    let answers = 0
    const best = await bestOf(
      TRIES,
      (ms) => ms <= DRAIN_MS + 100,
      async (attempt) => {
        const actor = scene.beside(`looping${attempt}`)
        const other = scene.system.actor(ledger, `other${attempt}`)
        actor.ask('spinning', 'loop').catch(() => undefined)
        const { thread } = await actor.line('begin', 'loop')
        threads.push(thread)
        const beat = gateOf(actor.log, 'loop', 'beat')
        await actor.until(() => existsSync(beat), Boolean)
        await actor.tell('handler', 'h', { isHeld: false }, { preempt: 'abort-drop' })
        const acceptedAt = moment()
        answers = 0
        while (actor.lines('begin', 'h').length === 0) {
          answers += 1
          await other.ask.enter({ sender: 's', n: answers })
        }
        expect(answers).toBeGreaterThan(5)
        const handler = await actor.line('begin', 'h')
        // The only thread of the pool is in the loop's hands until it is removed.
        await actor.tell('pooled', 'next', { isHeld: false })
        await actor.line('step', 'next')
        const lastBeat = Number(readFileSync(beat, 'utf8'))
        await actor.passed(20)
        expect(Number(readFileSync(beat, 'utf8'))).toBe(lastBeat)
        expect(actor.lines('begin', 'next')[0]?.thread).not.toBe(thread)
        return Math.max(lastBeat, handler.at) - acceptedAt
      },
    )
    expect(best).toBeLessThanOrEqual(DRAIN_MS + 100)
    expect(scene.system.stats().turns.forced).toBe(threads.length)
  })

  test.each([
    ['shard', 'watching'],
    ['pool', 'pooledWatching'],
    ['process', 'distantWatching'],
  ] as const)(
    'G7 a loop that never yields sees its interruption at once on "%s", saves its frame and goes on from it',
    async (_place, command) => {
      const scene = await sceneOf()
      const answer = scene.ask(command, 'W')
      const begun = await scene.line('begin', 'W')
      const latency = await bestOf(
        6,
        (ms) => ms < SOON_MS,
        async (attempt) => {
          await scene.line('begin', 'W', attempt)
          const askedAt = moment()
          const urgent = scene.ask('handler', `h${attempt}`, { isHeld: false })
          const { at } = await scene.line('sees', 'W', attempt)
          await scene.line('begin', 'W', attempt + 1)
          expect(await urgent).toMatchObject({ outcome: 'ok' })
          return at - askedAt
        },
      )
      expect(latency).toBeLessThan(SOON_MS)
      scene.finish('W')
      expect(await answer).toEqual({ outcome: 'ok', value: 'W done' })
      expect(
        scene
          .lines('begin', 'W')
          .slice(1)
          .every(({ frame }) => (frame?.step ?? -1) >= 0),
      ).toBe(true)
      expect(scene.lines('begin', 'W').map(({ attempt }) => attempt)).toEqual(scene.lines('begin', 'W').map(() => 1))
      expect(scene.system.stats().turns.forced).toBe(0)
      const isAnotherProcess = begun.pid !== process.pid
      expect(isAnotherProcess).toBe(command === 'distantWatching')
    },
  )
})

describe('what is stale', () => {
  /** A turn that was ended by force, is not over, and tries whatever it may not do when the test says so; a handler runs. */
  async function haunted(): Promise<{ readonly scene: SessionScene; readonly spec: Running; readonly handler: Running }> {
    const scene = await sceneOf()
    const spec = await inSecondStep(scene, 'stubborn', { provider: 'ignores', does: 'haunts' })
    const handler = await scene.running('handler', 'h')
    return { scene, spec, handler }
  }

  test('K08 a result that comes after the hand-over changes nothing, and is listed and counted', async () => {
    const { scene, spec, handler } = await haunted()
    const before = await scene.everything()
    const { lateResults } = scene.system.stats()
    scene.finish('S', 'haunts')
    await scene.until(
      () => scene.ref.lateResults(),
      (late) => late.some(({ what }) => what === 'result'),
    )
    const late = await scene.ref.lateResults()
    expect(late.filter(({ what }) => what === 'result')).toMatchObject([
      { turn: spec.line.turn, epoch: spec.line.epoch, current: handler.line.epoch },
    ])
    await scene.until(
      () => scene.system.stats().lateResults,
      (count) => count === lateResults + late.length,
    )
    expect(await scene.everything()).toEqual(before)
    scene.finish('h')
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await spec.answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(await handler.answer).toEqual({ outcome: 'ok', value: 'h done' })
  })

  test('K08 a provider that finishes after its interrupt does not end the turn after it', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec', { provider: 'late' })
    const { answer: urgent } = await scene.running('handler', 'h')
    const foreign = await scene.line('foreign', 'h')
    expect(foreign.id).toContain('S/')
    expect(await scene.view(line.turn)).toMatchObject({ state: 'parked', frame: { step: 1 } })
    scene.finish('h')
    expect(await urgent).toEqual({ outcome: 'ok', value: 'h done' })
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
    expect(scene.lines('provider')).toHaveLength(1)
  })

  test('K09 G8 whatever a stale turn writes is refused with StaleEpoch, and the state is the same before and after', async () => {
    const { scene, spec, handler } = await haunted()
    const before = await scene.everything()
    // The provider notes what it is sent a moment after it was sent.
    await scene.until(
      () => scene.lines('prompt'),
      (lines) => lines.some(({ id }) => id?.startsWith('h/') === true),
    )
    const prompts = scene.lines('prompt').length
    scene.finish('S', 'haunts')
    await scene.line('haunted', 'S')
    expect(scene.lines('haunts', 'S').map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => 'STALE_EPOCH'))
    await scene.until(
      () => scene.ref.lateResults(),
      (late) => late.length === 2,
    )
    expect(await scene.ref.lateResults()).toMatchObject([
      { what: 'result', epoch: spec.line.epoch, current: handler.line.epoch },
      { what: 'checkpoint', epoch: spec.line.epoch, current: handler.line.epoch },
    ])
    expect(await scene.everything()).toEqual(before)
    expect(scene.lines('prompt')).toHaveLength(prompts)
    const { provider } = await scene.line('session', 'h')
    expect(isAlive(provider)).toBe(true)
    scene.finish('h')
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await spec.answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.lines('begin', 'S').map(({ frame }) => frame?.step)).toEqual([undefined, 1])
  })
})

describe('an abort', () => {
  test('K10 abort-keep: the turn is pending at its old place, and starts from its first step as another attempt', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec')
    const later = scene.ask('spec', 'later', { isHeld: false })
    await scene.waiting('spec')
    const ci = await scene.running('ci', 'C')
    expect(await scene.view(line.turn)).toMatchObject({
      state: 'pending',
      attempt: 1,
      isFrameDiscarded: true,
      history: [{ outcome: 'cancelled', mode: 'abort-keep', by: { command: 'ci', turn: ci.line.turn } }],
    })
    scene.finish('C')
    await ci.answer
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    await later
    expect(scene.order).toEqual(['S', 'C', 'S', 'later'])
    const [first, second] = scene.lines('begin', 'S')
    expect(second).toMatchObject({ turn: first?.turn, attempt: 2 })
    expect(second).not.toHaveProperty('frame')
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 0, 1, 2])
    expect(await scene.system.deadLetters.list()).toEqual([])
  })

  test('K11 abort-drop: the turn ends with reason and author, its undelivered effects with it, and nothing brings it back', async () => {
    const scene = await sceneOf()
    const task = { steps: 3, promises: { visible: 0, unseen: 60_000 } }
    const asked = (): Promise<unknown> => scene.ask('spec', 'S', task, { idempotencyKey: 'k' })
    const answer = asked()
    const line = await scene.line('sent', 'S')
    await scene.line('job', 'visible')
    await outboxOf(scene, 1)
    const dropped = await scene.ref.cancelTurn(line.turn ?? 0, { reason: 'the issue was closed' })
    expect(dropped).toEqual({ outcome: 'accepted' })
    const outcome = { outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'the issue was closed' }, epoch: line.epoch }
    expect(await answer).toEqual(outcome)
    await scene.line('job', `notice of ${line.turn}`)
    expect(await asked()).toEqual(outcome)
    await outboxOf(scene, 0)
    expect(scene.lines('job').map(({ name }) => name)).toEqual(['visible', `notice of ${line.turn}`])
    expect(await scene.view(line.turn)).toMatchObject({ state: 'ended', outcome, isFrameDiscarded: true })
    await scene.ask('spec', 'next', { isHeld: false })
    expect(scene.order).toEqual(['S', 'next'])
    expect((await scene.heard()).map(({ type }) => type)).toEqual(['spec.started', 'spec.cancelled', 'spec.started', 'spec.done'])
  })

  test('K12 an abort of a turn that has ended is superseded, and touches nothing that runs then', async () => {
    const scene = await sceneOf()
    const { line, answer } = await scene.running('spec', 'T')
    scene.finish('T')
    await answer
    const other = await scene.running('spec', 'U')
    const before = await scene.everything()
    for (const mode of ['steal', 'abort-keep', 'abort-drop'] as const) {
      expect(await scene.ref.cancelTurn(line.turn ?? 0, { mode })).toEqual({ outcome: 'superseded' })
    }
    expect(await scene.ref.cancelTurn(other.line.turn ?? 0, { attempt: 2 })).toEqual({ outcome: 'superseded' })
    expect(await scene.everything()).toEqual(before)
    scene.finish('U')
    expect(await other.answer).toEqual({ outcome: 'ok', value: 'U done' })
    expect(scene.lines('signal')).toEqual([])
  })

  test.each(['steal first', 'abort first'])('K13 a steal and an abort-keep together are one cancellation: %s', async (order) => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec', { provider: 'slow' })
    const steal = async (): Promise<unknown> => await scene.ask('handler', 'h', { isHeld: false })
    const abort = async (): Promise<unknown> => await scene.ask('ci', 'C', { isHeld: false })
    const isStealFirst = order === 'steal first'
    const first = isStealFirst ? steal() : abort()
    await scene.waiting(isStealFirst ? 'handler' : 'ci')
    const others = Promise.all([first, isStealFirst ? abort() : steal()])
    await scene.waiting(isStealFirst ? 'ci' : 'handler')
    // The stronger one counts, whichever came first.
    expect(await scene.view(line.turn)).toMatchObject({ state: 'running', intent: { mode: 'abort-keep' } })
    await scene.line('interrupt')
    scene.finish('S', '1.stop')
    await others
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S', 'h', 'C', 'S'])
    expect(scene.lines('begin', 'S').map(({ attempt, frame }) => ({ attempt, frame }))).toEqual([{ attempt: 1 }, { attempt: 2 }])
    expect(scene.lines('signal').map(({ name }) => name)).toEqual(['S'])
    expect((await scene.view(line.turn)).history.map(({ outcome, mode }) => ({ outcome, mode }))).toEqual([
      { outcome: 'cancelled', mode: 'abort-keep' },
      { outcome: 'ok' },
    ])
  })

  test('K14 a parked turn that is dropped never resumes: its frame is discarded and the next one runs', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec')
    const later = scene.ask('spec', 'later', { isHeld: false })
    await scene.waiting('spec')
    const handler = await scene.running('handler', 'h')
    expect(await scene.ref.cancelTurn(line.turn ?? 0, { reason: 'closed' })).toEqual({ outcome: 'accepted' })
    expect(await answer).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'closed' } })
    expect(await scene.view(line.turn)).toMatchObject({ state: 'ended', isFrameDiscarded: true, frame: { step: 1 } })
    scene.finish('h')
    expect(await handler.answer).toMatchObject({ outcome: 'ok' })
    expect(await later).toMatchObject({ outcome: 'ok' })
    expect(scene.order).toEqual(['S', 'h', 'later'])
    expect(scene.lines('signal').map(({ name }) => name)).toEqual(['S'])
  })

  test('K15 a new task does not abort another one of its rank that runs, whatever it asks for', async () => {
    const system = await sceneOf()
    await Promise.all(
      (['spec', 'thread', 'ci'] as const).map(async (command) => {
        const scene = system.beside(command)
        const first = await scene.running(command, 'first')
        const modes = ['abort-keep', 'abort-drop', 'steal'] as const
        const others = modes.map((preempt) => scene.ask(command, preempt, { isHeld: false }, { preempt }))
        await scene.until(
          async () => (await scene.ref.turns()).filter(({ state }) => state === 'pending').length,
          (count) => count === modes.length,
        )
        expect(await scene.view(first.line.turn)).not.toHaveProperty('intent')
        scene.finish('first')
        expect(await first.answer).toEqual({ outcome: 'ok', value: 'first done' })
        await Promise.all(others)
        expect(scene.order).toEqual(['first', ...modes])
        expect(scene.lines('signal')).toEqual([])
      }),
    )
    expect(system.system.stats().turns.preemptions).toBe(0)
  })
})
