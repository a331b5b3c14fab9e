/** Aborts: a turn that has to start again, a turn that is not wanted any more, and what wins when several arrive. */
import { describe, expect, test } from 'vitest'
import { StaleEpoch } from '@bailiwick/kernel'
import type { PreemptMode } from '@bailiwick/kernel'
import { answerOf, errorOf, lasting, sceneOf, slow, WAYS } from './stage.ts'
import type { Scene } from './stage.ts'

/** A spec that runs and has made a frame durable. */
async function specWithFrame(scene: Scene, name = 'S', promises: { readonly name: string; readonly delayMs: number }[] = []) {
  const spec = await scene.running('spec', name, promises.length === 0 ? {} : { promises })
  await scene.now(spec.act.context.checkpoint({ phase: 'draft', cursor: 2 }))
  return spec
}

/** Two specs, of which the second waits. */
async function twoSpecs(scene: Scene) {
  const first = await specWithFrame(scene)
  const second = answerOf(scene.desk.ask.spec({ name: 'later' }))
  const waiting = await scene.waiting('spec')
  return { first, second, waiting }
}

describe.each(WAYS)('$title', (way) => {
  test('K10 a turn that is aborted and kept is pending at its old place, and starts from its first phase as another attempt', async () => {
    const scene = await sceneOf(way)
    const { first, second } = await twoSpecs(scene)
    const { turn, epoch } = first.act.context
    const { act: ci, answer } = await scene.running('ci', 'C')
    expect(first.act.reason).toEqual({ mode: 'abort-keep', by: { command: 'ci', turn: ci.context.turn } })
    expect(ci.context.epoch).toBeGreaterThan(epoch)
    expect(await scene.becomes(turn, 'pending')).toMatchObject({
      attempt: 1,
      epoch,
      frame: { phase: 'draft', cursor: 2 }, // For inspection only.
      isFrameDiscarded: true,
      history: [{ attempt: 1, epoch, outcome: 'cancelled', mode: 'abort-keep', by: { command: 'ci', turn: ci.context.turn } }],
    })
    expect(first.answer.isSettled()).toBe(false)
    scene.finish('C')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'C done' })
    const again = await scene.runs('S', 2)
    expect(again.context).toMatchObject({ turn, attempt: 2, frame: undefined, input: { name: 'S' } })
    expect(again.context.epoch).toBeGreaterThan(ci.context.epoch)
    expect(again.isSignalled).toBe(false)
    scene.finish('S')
    expect(await scene.now(first.answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.runs('later')
    scene.finish('later')
    await scene.now(second.promise)
    expect(scene.stage.order).toEqual(['S', 'C', 'S', 'later'])
    const cancelled = (await scene.heard()).filter(({ type }) => type === 'spec.cancelled')
    expect(cancelled).toHaveLength(1)
    expect(cancelled).toMatchObject([
      { turn, attempt: 1, mode: 'abort-keep', by: { command: 'ci', turn: ci.context.turn }, outcome: 'cancelled' },
    ])
    expect(await scene.types()).toEqual([
      'spec.started',
      'spec.cancelled',
      'ci.started',
      'ci.done',
      'spec.started',
      'spec.done',
      'spec.started',
      'spec.done',
    ])
  })

  test('K10 aborts do not count as failures, however many there are', async () => {
    const scene = await sceneOf({ ...way, of: { spec: { maxAttempts: 1 } } })
    const { act, answer } = await scene.running('spec', 'S')
    for (let round = 1; round <= 6; round += 1) {
      expect(await scene.now(scene.desk.cancelTurn(act.context.turn, { mode: 'abort-keep', reason: 'the plan has changed' }))).toEqual({
        outcome: 'accepted',
      })
      const again = await scene.runs('S', round + 1)
      expect(again.context).toMatchObject({ attempt: round + 1, frame: undefined, turn: act.context.turn })
      expect(again.context.epoch).toBeGreaterThan(scene.stage.acts.at(-2)?.context.epoch ?? Number.NaN)
    }
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    expect(await scene.now(scene.system.deadLetters.list())).toEqual([])
  })

  test('K10 effects that were promised before the abort are kept', async () => {
    const scene = await sceneOf(way)
    const { act } = await specWithFrame(scene, 'S', [{ name: 'kept', delayMs: 1_000 }])
    await scene.now(scene.desk.cancelTurn(act.context.turn, { mode: 'abort-keep' }))
    await scene.runs('S', 2)
    await scene.pass(2_000)
    expect(scene.deliveries.filter(({ effect }) => effect === 'job').length).toBeGreaterThanOrEqual(1)
    expect(scene.deliveries[0]).toMatchObject({ effect: 'job', what: { name: 'kept' } })
  })

  test('K11 a turn that is dropped ends for good: its caller is told, the row stays, and it never runs again', async () => {
    const scene = await sceneOf(way)
    const { first, waiting } = await twoSpecs(scene)
    const { turn, epoch } = first.act.context
    expect(await scene.now(scene.desk.cancelTurn(turn, { reason: 'the issue was closed' }))).toEqual({ outcome: 'accepted' })
    expect(await scene.now(first.answer.promise)).toEqual({
      outcome: 'cancelled',
      mode: 'abort-drop',
      by: { reason: 'the issue was closed' },
      epoch,
    })
    await scene.runs('later')
    expect(scene.stage.act('later').context.turn).toBe(waiting.turn)
    expect(scene.stage.act('later').context.epoch).toBeGreaterThan(epoch)
    const dropped = await scene.view(turn)
    expect(dropped).toMatchObject({
      state: 'ended',
      attempt: 1,
      isFrameDiscarded: true,
      outcome: { outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'the issue was closed' } },
      history: [{ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'the issue was closed' } }],
    })
    scene.finish('later')
    await scene.pass(3_600_000)
    expect(scene.stage.order).toEqual(['S', 'later'])
    expect(lasting(await scene.view(turn))).toEqual(lasting(dropped))
    expect(await scene.types()).toEqual(['spec.started', 'spec.cancelled', 'spec.started', 'spec.done'])
    const [, cancelled] = await scene.heard()
    expect(cancelled).toMatchObject({ turn, mode: 'abort-drop', by: { reason: 'the issue was closed' }, outcome: 'cancelled' })
    expect(scene.deliveries.filter(({ effect }) => effect === 'notice')).toEqual([
      { effect: 'notice', what: { turn, by: { reason: 'the issue was closed' } }, at: 0 },
    ])
  })

  test('K11 a command of higher rank drops the running turn and is named as the cause', async () => {
    const scene = await sceneOf(way)
    const { act: spec, answer } = await scene.running('spec', 'S')
    scene.desk.ask.ci({ name: 'C' }, { preempt: 'abort-drop' }).catch(() => undefined)
    const ci = await scene.runs('C')
    expect(await scene.now(answer.promise)).toEqual({
      outcome: 'cancelled',
      mode: 'abort-drop',
      by: { command: 'ci', turn: ci.context.turn },
      epoch: spec.context.epoch,
    })
    scene.finish('C')
    await scene.quiet()
    expect(scene.stage.order).toEqual(['S', 'C'])
  })

  test('K11 what was promised for the dropped attempt is cancelled unless it was claimed, and the notice goes out once', async () => {
    let release: (value: unknown) => void = () => undefined
    const claimed = new Promise((resolve) => (release = resolve))
    const scene = await sceneOf({ ...way, job: async () => await claimed })
    const { act: other } = await scene.running('spec', 'other', { promises: [{ name: 'of another turn', delayMs: 5_000 }] })
    scene.finish('other')
    await scene.becomes(other.context.turn, 'ended')
    const { act } = await specWithFrame(scene, 'S', [
      { name: 'claimed', delayMs: 0 },
      { name: 'prepared', delayMs: 1_000 },
    ])
    await scene.until('one is claimed', () => scene.deliveries.length === 1)
    await scene.now(scene.desk.cancelTurn(act.context.turn, { reason: 'closed' }))
    await scene.becomes(act.context.turn, 'ended')
    await scene.pass(10_000)
    release('done')
    await scene.pass(60_000)
    expect(scene.deliveries.map(({ effect, what }) => ({ effect, what }))).toEqual([
      { effect: 'job', what: { name: 'claimed' } },
      { effect: 'notice', what: { turn: act.context.turn, by: { reason: 'closed' } } },
      { effect: 'job', what: { name: 'of another turn' } },
    ])
    const events = (await scene.now(scene.desk.ask.heard())).map(({ type }) => type)
    expect(events.filter((type) => type === 'job.done')).toHaveLength(2)
    expect(events.filter((type) => type === 'job.failed')).toEqual([])
    expect(scene.system.stats().outbox).toBe(0)
  })

  test('K11 effects that were promised when the turn resumed are cancelled like those of its start', async () => {
    const scene = await sceneOf(way)
    const { act } = await scene.running('spec', 'S', {
      promises: [{ name: 'start', delayMs: 5_000 }],
      promisesOnResume: [{ name: 'resume', delayMs: 5_000 }],
    })
    await scene.running('handler', 'h')
    scene.finish('h')
    await scene.runs('S', 2)
    await scene.quiet()
    await scene.now(scene.desk.cancelTurn(act.context.turn))
    await scene.becomes(act.context.turn, 'ended')
    await scene.pass(60_000)
    expect(scene.deliveries.map(({ effect }) => effect)).toEqual(['notice'])
  })

  test('K11 what other commands promised while the turn ran is no part of it, and is delivered', async () => {
    const scene = await sceneOf(way)
    const { act } = await scene.running('spec', 'S', { promises: [{ name: 'of the turn', delayMs: 5_000 }] })
    await scene.now(scene.desk.ask.promise({ name: 'of a command', delayMs: 5_000 }))
    await scene.now(scene.desk.cancelTurn(act.context.turn))
    await scene.becomes(act.context.turn, 'ended')
    await scene.pass(60_000)
    expect(scene.deliveries.map(({ what }) => what)).toEqual([{ turn: act.context.turn, by: {} }, { name: 'of a command' }])
  })

  test('K11 the effects of an attempt that was kept and begun anew go with the turn when it is dropped', async () => {
    const scene = await sceneOf(way)
    const { act } = await scene.running('spec', 'S', { promises: [{ name: 'prepared', delayMs: 5_000 }] })
    await scene.now(scene.desk.cancelTurn(act.context.turn, { mode: 'abort-keep' }))
    await scene.runs('S', 2)
    await scene.now(scene.desk.cancelTurn(act.context.turn))
    await scene.becomes(act.context.turn, 'ended')
    await scene.pass(60_000)
    // Those of the first attempt were flushed when it was aborted, and are not undone; those of the dropped one are.
    expect(scene.deliveries.filter(({ effect }) => effect === 'job').length).toBeLessThanOrEqual(1)
    expect(scene.deliveries.filter(({ effect }) => effect === 'notice')).toHaveLength(1)
  })

  test('K11 an attempt that is over is refused by a larger epoch, also where nobody runs after it', async () => {
    const scene = await sceneOf(way)
    const { act, answer } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(act.context.turn))
    await scene.now(answer.promise)
    const error = await scene.now(errorOf(act.context.checkpoint({ phase: 'late', cursor: 1 })))
    expect(error).toBeInstanceOf(StaleEpoch)
    if (error instanceof StaleEpoch) expect(error.current).toBeGreaterThan(error.epoch)
  })

  test('K11 what was delivered before the drop stays delivered, and is told of', async () => {
    const scene = await sceneOf(way)
    const { act } = await specWithFrame(scene, 'S', [{ name: 'visible', delayMs: 0 }])
    await scene.until('it is delivered', () => scene.deliveries.length === 1)
    await scene.quiet()
    await scene.now(scene.desk.cancelTurn(act.context.turn))
    await scene.becomes(act.context.turn, 'ended')
    await scene.pass(60_000)
    expect(scene.deliveries.map(({ effect }) => effect)).toEqual(['job', 'notice'])
    expect((await scene.now(scene.desk.ask.heard())).filter(({ type }) => type === 'job.done')).toHaveLength(1)
  })

  test('K11 the same command delivered again does not bring the dropped turn back', async () => {
    const scene = await sceneOf(way)
    const asked = answerOf(scene.desk.ask.spec({ name: 'asked' }, { idempotencyKey: 'k' }))
    const first = await scene.runs('asked')
    await scene.now(scene.desk.cancelTurn(first.context.turn, { reason: 'closed' }))
    const outcome = await scene.now(asked.promise)
    expect(outcome).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'closed' } })
    expect(await scene.now(scene.desk.ask.spec({ name: 'asked' }, { idempotencyKey: 'k' }))).toEqual(outcome)

    expect(await scene.now(scene.desk.tell.spec({ name: 'told' }, { deliveryId: 'd', naturalKey: 'n' }))).toEqual({ outcome: 'accepted' })
    const second = await scene.runs('told')
    await scene.now(scene.desk.cancelTurn(second.context.turn))
    await scene.becomes(second.context.turn, 'ended')
    // What the receipts say depends on whether the store is asked before or after they leave.
    await scene.now(scene.desk.tell.spec({ name: 'told' }, { deliveryId: 'd', naturalKey: 'n' }))
    await scene.now(scene.desk.tell.spec({ name: 'edited' }, { deliveryId: 'e', naturalKey: 'n' }))
    await scene.pass(60_000)
    expect(scene.system.stats().duplicates).toBe(2)
    expect(scene.stage.order).toEqual(['asked', 'told'])
    expect(await scene.now(scene.desk.ask.spec({ name: 'asked' }, { idempotencyKey: 'k' }))).toEqual(outcome)
  })

  test('K11 a turn that waits is dropped without ever running, and interrupts nobody', async () => {
    const scene = await sceneOf(way)
    const { first, second, waiting } = await twoSpecs(scene)
    await scene.now(scene.desk.cancelTurn(waiting.turn, { reason: 'not wanted' }))
    expect(await scene.now(second.promise)).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'not wanted' } })
    expect(first.act.isSignalled).toBe(false)
    scene.finish('S')
    expect(await scene.now(first.answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.quiet()
    expect(scene.stage.order).toEqual(['S'])
    expect((await scene.types()).filter((type) => type === 'spec.started')).toHaveLength(1)
  })

  test('K12 an abort that comes after the end is superseded and touches nothing that runs then', async () => {
    const scene = await sceneOf(way)
    const { act: first, answer } = await scene.running('spec', 'T')
    scene.finish('T')
    await scene.now(answer.promise)
    const { act: other } = await scene.running('spec', 'U')
    const before = [lasting(await scene.view(first.context.turn)), lasting(await scene.view(other.context.turn))]
    const heard = await scene.heard()
    for (const mode of ['steal', 'abort-keep', 'abort-drop'] as const) {
      expect(await scene.now(scene.desk.cancelTurn(first.context.turn, { mode }))).toEqual({ outcome: 'superseded' })
    }
    expect(await scene.now(scene.desk.cancelTurn(other.context.turn, { attempt: 2 }))).toEqual({ outcome: 'superseded' })
    expect(await scene.now(scene.desk.cancelTurn(987_654))).toEqual({ outcome: 'superseded' })
    await scene.quiet()
    expect(other.isSignalled).toBe(false)
    expect([lasting(await scene.view(first.context.turn)), lasting(await scene.view(other.context.turn))]).toEqual(before)
    expect(await scene.heard()).toEqual(heard)
    expect(scene.system.stats().turns.preemptions).toBe(0)
    scene.finish('U')
    await scene.becomes(other.context.turn, 'ended')
  })

  test('K12 an abort of an attempt that is over does not abort the next attempt', async () => {
    const scene = await sceneOf(way)
    const { act } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(act.context.turn, { attempt: 1, mode: 'abort-keep' }))
    const again = await scene.runs('S', 2)
    expect(await scene.now(scene.desk.cancelTurn(act.context.turn, { attempt: 1 }))).toEqual({ outcome: 'superseded' })
    await scene.quiet()
    expect(again.isSignalled).toBe(false)
    expect(await scene.now(scene.desk.cancelTurn(act.context.turn, { attempt: 2 }))).toEqual({ outcome: 'accepted' })
    await scene.becomes(act.context.turn, 'ended')
  })

  test('K12 an abort in the moment in which the turn ends leaves one end, for the caller, the row and the machine alike', async () => {
    const scene = await sceneOf(way)
    const { act, answer } = await scene.running('spec', 'S')
    const cancelling = scene.desk.cancelTurn(act.context.turn)
    scene.finish('S')
    const { outcome } = await scene.now(cancelling)
    const end = await scene.now(answer.promise)
    expect(end).toMatchObject({ outcome: outcome === 'accepted' ? 'cancelled' : 'ok' })
    await scene.quiet()
    expect(await scene.types()).toEqual(['spec.started', outcome === 'accepted' ? 'spec.cancelled' : 'spec.done'])
    expect((await scene.view(act.context.turn)).outcome).toMatchObject({ outcome: outcome === 'accepted' ? 'cancelled' : 'ok' })
  })

  test.each(['steal first', 'abort first'])('K13 a steal and an abort in the same instant are one cancellation: %s', async (order) => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', slow)
    const { act: spec, answer } = await specWithFrame(scene)
    const steal = (): void => void scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    const abort = (): void => void scene.desk.ask.ci({ name: 'C' }).catch(() => undefined)
    for (const send of order === 'steal first' ? [steal, abort] : [abort, steal]) send()
    await scene.until('the signal fires', () => spec.isSignalled)
    await scene.quiet()
    expect(await scene.view(spec.context.turn)).toMatchObject({ state: 'running', intent: { mode: 'abort-keep' } })
    spec.finish('ignored')
    await scene.runs('h')
    expect(await scene.view(spec.context.turn)).toMatchObject({ state: 'pending', isFrameDiscarded: true, attempt: 1 })
    scene.finish('h')
    await scene.runs('C')
    scene.finish('C')
    const again = await scene.runs('S', 2)
    expect(again.context).toMatchObject({ attempt: 2, frame: undefined })
    await scene.pass(60_000)
    expect(again.isSignalled).toBe(false)
    expect((await scene.view(spec.context.turn)).history).toHaveLength(1)
    expect(scene.stage.log).toEqual(['+S', '!S', '+h', '+C', '+S'])
    again.finish('S done')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    const ofSpec = (await scene.types()).filter((type) => type.startsWith('spec.'))
    expect(ofSpec).toEqual(['spec.started', 'spec.cancelled', 'spec.started', 'spec.done'])
  })

  const modes: readonly PreemptMode[] = ['steal', 'abort-keep', 'abort-drop']
  test.each(modes.flatMap((first) => modes.map((second) => [first, second] as const)))(
    'K13 the stronger of %s and then %s wins while the turn drains',
    async (first, second) => {
      const scene = await sceneOf(way)
      scene.stage.scripts.set('S', slow)
      const { act, answer } = await specWithFrame(scene)
      for (const mode of [first, second]) await scene.now(scene.desk.cancelTurn(act.context.turn, { mode, reason: mode }))
      const stronger = modes[Math.max(modes.indexOf(first), modes.indexOf(second))]
      expect(await scene.view(act.context.turn)).toMatchObject({ state: 'running', intent: { mode: stronger, by: { reason: stronger } } })
      act.finish('ignored')
      if (stronger === 'abort-drop') {
        expect(await scene.now(answer.promise)).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'abort-drop' } })
        await scene.quiet()
        expect(scene.stage.order).toEqual(['S'])
        return
      }
      const again = await scene.runs('S', 2)
      const isStolen = stronger === 'steal'
      expect(again.context.attempt).toBe(isStolen ? 1 : 2)
      expect(again.context.frame).toEqual(isStolen ? { phase: 'draft', cursor: 2 } : undefined)
      expect((await scene.view(act.context.turn)).history).toMatchObject([{ mode: stronger }])
      await scene.quiet()
      expect(again.isSignalled).toBe(false)
      expect(scene.stage.order).toEqual(['S', 'S'])
    },
  )

  test('K14 a parked turn that is dropped never resumes: its frame is discarded and the next one runs', async () => {
    const scene = await sceneOf(way)
    const { first } = await twoSpecs(scene)
    const { turn, epoch } = first.act.context
    const { act: handler } = await scene.running('handler', 'h')
    await scene.becomes(turn, 'parked')
    expect(await scene.now(scene.desk.cancelTurn(turn, { reason: 'closed' }))).toEqual({ outcome: 'accepted' })
    expect(await scene.now(first.answer.promise)).toEqual({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'closed' }, epoch })
    expect(await scene.view(turn)).toMatchObject({
      state: 'ended',
      isFrameDiscarded: true,
      frame: { phase: 'draft', cursor: 2 },
      outcome: { outcome: 'cancelled', mode: 'abort-drop' },
    })
    await scene.quiet()
    expect(handler.isSignalled).toBe(false)
    scene.finish('h')
    const later = await scene.runs('later')
    expect(later.context.epoch).toBeGreaterThan(handler.context.epoch)
    await scene.quiet()
    expect(scene.stage.order).toEqual(['S', 'h', 'later'])
    expect((await scene.types()).slice(0, 6)).toEqual([
      'spec.started',
      'spec.parked',
      'handler.started',
      'spec.cancelled',
      'handler.done',
      'spec.started',
    ])
    expect(scene.deliveries.map(({ effect }) => effect)).toEqual(['notice'])
  })

  test('K14 a parked turn that is aborted and kept starts anew at its old place', async () => {
    const scene = await sceneOf(way)
    const { first } = await twoSpecs(scene)
    const { turn } = first.act.context
    await scene.running('handler', 'h')
    await scene.now(scene.desk.cancelTurn(turn, { mode: 'abort-keep' }))
    expect(await scene.becomes(turn, 'pending')).toMatchObject({ isFrameDiscarded: true, attempt: 1 })
    scene.finish('h')
    const again = await scene.runs('S', 2)
    expect(again.context).toMatchObject({ turn, attempt: 2, frame: undefined })
    expect(scene.stage.order).toEqual(['S', 'h', 'S'])
  })

  test('a higher rank that arrives during the burst aborts the parked turn like a running one', async () => {
    const scene = await sceneOf(way)
    const { first, second } = await twoSpecs(scene)
    const { turn } = first.act.context
    await scene.running('handler', 'h')
    await scene.becomes(turn, 'parked')
    scene.desk.ask.thread({ name: 'T' }).catch(() => undefined)
    await scene.waiting('thread')
    expect(await scene.becomes(turn, 'pending')).toMatchObject({ isFrameDiscarded: true, attempt: 1 })
    scene.finish('h')
    await scene.runs('T')
    scene.finish('T')
    const again = await scene.runs('S', 2)
    expect(again.context).toMatchObject({ turn, attempt: 2, frame: undefined })
    scene.finish('S')
    expect(await scene.now(first.answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.runs('later')
    scene.finish('later')
    await scene.now(second.promise)
    expect(scene.stage.order).toEqual(['S', 'h', 'T', 'S', 'later'])
    const cancelled = (await scene.heard()).filter(({ type }) => type === 'spec.cancelled')
    expect(cancelled).toMatchObject([{ turn, mode: 'abort-keep', by: { command: 'thread' } }])
  })

  test.each(['spec', 'background'] as const)(
    'a %s that arrives during the burst leaves the parked turn alone, which resumes first',
    async (name) => {
      const scene = await sceneOf(way)
      const { first } = await twoSpecs(scene)
      await scene.running('handler', 'h')
      scene.desk.ask[name]({ name: 'new' }, { preempt: 'abort-drop' }).catch(() => undefined)
      await scene.until('it waits', async () => (await scene.turns()).length === 4)
      await scene.quiet()
      expect(await scene.view(first.act.context.turn)).toMatchObject({ state: 'parked', isFrameDiscarded: false })
      scene.finish('h')
      const resumed = await scene.runs('S', 2)
      expect(resumed.context).toMatchObject({ attempt: 1, frame: { phase: 'draft', cursor: 2 } })
      expect(scene.stage.order).toEqual(['S', 'h', 'S'])
    },
  )

  test('a second theft during the burst leaves the parked frame as it is', async () => {
    const scene = await sceneOf(way)
    const { first } = await twoSpecs(scene)
    await scene.running('handler', 'h1')
    await scene.now(scene.desk.cancelTurn(first.act.context.turn, { mode: 'steal' }))
    scene.desk.ask.handler({ name: 'h2' }).catch(() => undefined)
    await scene.waiting('handler')
    expect(await scene.view(first.act.context.turn)).toMatchObject({
      state: 'parked',
      isFrameDiscarded: false,
      history: [{ mode: 'steal' }],
    })
    scene.finish('h1')
    await scene.runs('h2')
    scene.finish('h2')
    expect((await scene.runs('S', 2)).context).toMatchObject({ attempt: 1, frame: { phase: 'draft', cursor: 2 } })
  })
})
