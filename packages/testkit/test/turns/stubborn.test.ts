/** Turns that ignore the signal, or come back when somebody else runs: they are ended by force, and what is stale takes no effect. */
import { describe, expect, test } from 'vitest'
import { StaleEpoch } from '@bailiwick/kernel'
import type { SessionProcess, SessionSpec } from '@bailiwick/kernel'
import { codeOf } from '../code-of.ts'
import { PaperChildren } from './children.ts'
import { answerOf, deaf, errorOf, everything, sceneOf, slow, WAYS } from './stage.ts'
import type { Scene, Script } from './stage.ts'

const PROGRAM: SessionSpec = { command: 'provider' }

/** A spec that hears nothing, has a frame, was stolen from and has been ended by force; the handler runs. */
async function forced(scene: Scene) {
  scene.stage.scripts.set('S', deaf)
  const { act: spec, answer } = await scene.running('spec', 'S')
  await scene.now(spec.context.checkpoint({ phase: 'draft', cursor: 2 }))
  const urgent = answerOf(scene.desk.ask.handler({ name: 'h' }))
  await scene.until('the signal fires', () => spec.isSignalled)
  await scene.pass(6_000)
  const handler = await scene.runs('h')
  return { spec, answer, handler, urgent }
}

describe.each(WAYS)('$title', (way) => {
  test.each([false, true])(
    'K07 a turn that ignores the signal is ended by force after the drain deadline, its process with it (one that ignores TERM: %s)',
    async (ignoresTerm) => {
      const children = new PaperChildren({ ignoresTerm })
      const scene = await sceneOf({ ...way, children })
      const fresh: boolean[] = []
      const session: Script = async (act) => {
        const mouth = await act.context.process.session('mouth', PROGRAM)
        fresh.push(mouth.isFresh)
        return await deaf(act)
      }
      scene.stage.scripts.set('S', session).set('h', session)
      const { act: spec, answer } = await scene.running('spec', 'S')
      await scene.until('the session is there', () => fresh.length === 1)
      await scene.now(spec.context.checkpoint({ phase: 'draft', cursor: 2 }))
      const urgent = answerOf(scene.desk.ask.handler({ name: 'h' }))
      await scene.until('the signal fires', () => spec.isSignalled)
      await scene.pass(4_999)
      expect(scene.stage.order).toEqual(['S'])
      expect(children.started[0]?.isAlive).toBe(true)
      await scene.pass(1_001)
      expect(scene.stage.order).toEqual(['S', 'h'])
      const handler = scene.stage.act('h')
      await scene.until('the handler has a session', () => fresh.length === 2)
      expect(fresh).toEqual([true, true])
      expect(children.started.map(({ isAlive }) => isAlive)).toEqual([false, true])
      expect(handler.context.epoch).toBe(spec.context.epoch + 1)
      expect(handler.isSignalled).toBe(false)
      expect(await scene.view(spec.context.turn)).toMatchObject({
        state: 'parked',
        frame: { phase: 'draft', cursor: 2 },
        isFrameDiscarded: false,
        attempt: 1,
        history: [{ outcome: 'cancelled', mode: 'steal', isForced: true, by: { command: 'handler', turn: handler.context.turn } }],
      })
      expect(scene.system.stats().turns).toEqual({ running: 1, preemptions: 1, forced: 1 })
      expect(answer.isSettled()).toBe(false)
      scene.finish('h')
      expect(await scene.now(urgent.promise)).toEqual({ outcome: 'ok', value: 'h done' })
      const resumed = await scene.runs('S', 2)
      expect(resumed.context).toMatchObject({ attempt: 1, frame: { phase: 'draft', cursor: 2 }, epoch: spec.context.epoch + 2 })
      resumed.finish('S done')
      expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    },
  )

  test('K07 a turn that is dropped and ignores it: its caller gets the cancellation after the drain deadline', async () => {
    const scene = await sceneOf({ ...way, of: { spec: { drainMs: 700 } } })
    scene.stage.scripts.set('S', deaf)
    const { act, answer } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(act.context.turn, { reason: 'closed' }))
    await scene.pass(699)
    expect(answer.isSettled()).toBe(false)
    await scene.pass(1_001)
    expect(await scene.now(answer.promise)).toEqual({
      outcome: 'cancelled',
      mode: 'abort-drop',
      by: { reason: 'closed' },
      epoch: act.context.epoch,
    })
    expect(scene.system.stats().turns).toMatchObject({ running: 0, forced: 1 })
  })

  test('K07 further commands during the drain do not put the deadline off', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', deaf)
    const { act: spec } = await scene.running('spec', 'S')
    scene.desk.ask.handler({ name: 'h1' }).catch(() => undefined)
    await scene.until('the signal fires', () => spec.isSignalled)
    for (const name of ['h2', 'h3', 'h4', 'h5']) {
      await scene.pass(1_000)
      scene.desk.ask.handler({ name }).catch(() => undefined)
      await scene.quiet()
    }
    expect(scene.stage.order).toEqual(['S'])
    await scene.pass(2_000)
    expect(scene.stage.order).toEqual(['S', 'h1'])
    expect(scene.system.stats().turns.preemptions).toBe(1)
  })

  test('K07 an abort during a drain that began as a theft ends at the deadline of the first signal', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', deaf)
    const { act: spec, answer } = await scene.running('spec', 'S')
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    await scene.until('the signal fires', () => spec.isSignalled)
    await scene.pass(4_000)
    await scene.now(scene.desk.cancelTurn(spec.context.turn, { reason: 'closed' }))
    await scene.pass(2_000)
    expect(scene.stage.order).toEqual(['S', 'h'])
    expect(await scene.now(answer.promise)).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'closed' } })
  })

  test('K08 a result that comes after the hand-over changes nothing, and is listed and counted', async () => {
    const scene = await sceneOf(way)
    const { spec, answer, handler } = await forced(scene)
    const before = await everything(scene)
    expect(await scene.now(scene.desk.lateResults())).toEqual([])
    const { lateResults } = scene.system.stats()
    await scene.pass(2_000)
    spec.finish('a late result')
    await scene.quiet()
    expect(await everything(scene)).toEqual(before)
    expect(answer.isSettled()).toBe(false)
    expect(await scene.now(scene.desk.lateResults())).toEqual([
      {
        turn: spec.context.turn,
        what: 'result',
        epoch: spec.context.epoch,
        current: handler.context.epoch,
        at: scene.world.clock.wall(),
      },
    ])
    expect(scene.system.stats().lateResults).toBe(lateResults + 1)
    scene.finish('h')
    const resumed = await scene.runs('S', 2)
    expect(resumed.context.frame).toEqual({ phase: 'draft', cursor: 2 })
    resumed.finish('the true result')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'the true result' })
  })

  test('K08 a late result of an attempt does not become that of the next attempt, nor bring a dropped turn back', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', deaf)
    const { act: first, answer } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(first.context.turn, { mode: 'abort-keep' }))
    await scene.pass(6_000)
    const second = await scene.runs('S', 2)
    first.finish('of the first attempt')
    await scene.quiet()
    expect(answer.isSettled()).toBe(false)
    expect(await scene.view(first.context.turn)).toMatchObject({ state: 'running', attempt: 2 })
    await scene.now(scene.desk.cancelTurn(first.context.turn, { mode: 'abort-drop' }))
    await scene.pass(6_000)
    expect(await scene.now(answer.promise)).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop' })
    const before = await everything(scene)
    second.finish('of the second attempt')
    await scene.pass(60_000)
    expect(await everything(scene)).toEqual(before)
    const late = await scene.now(scene.desk.lateResults())
    expect(late.map(({ epoch, what }) => ({ epoch, what }))).toEqual([
      { epoch: second.context.epoch, what: 'result' },
      { epoch: first.context.epoch, what: 'result' },
    ])
    expect(scene.stage.order).toEqual(['S', 'S'])
  })

  test('K08 a late failure is as late as a late result', async () => {
    const scene = await sceneOf(way)
    const { spec, answer } = await forced(scene)
    const before = await everything(scene)
    spec.fail(new Error('The provider has hung up.'))
    await scene.pass(1_000)
    expect(await everything(scene)).toEqual(before)
    expect(answer.isSettled()).toBe(false)
    expect(scene.world.reported).toEqual([])
    expect(await scene.now(scene.system.deadLetters.list())).toEqual([])
  })

  test('K09 whatever a stale turn writes is refused with StaleEpoch, and the state is the same before and after', async () => {
    const children = new PaperChildren()
    const scene = await sceneOf({ ...way, children })
    let mouth: SessionProcess | undefined
    scene.stage.scripts.set('S', async (act) => {
      mouth = await act.context.process.session('mouth', PROGRAM)
      return await slow(act)
    })
    const heard: unknown[] = []
    const answer = answerOf(scene.desk.ask.spec({ name: 'S' }, { onProgress: (value) => heard.push(value) }))
    const spec = await scene.runs('S')
    await scene.until('the session is there', () => mouth !== undefined)
    await scene.now(spec.context.checkpoint({ phase: 'draft', cursor: 2 }))
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    await scene.until('the signal fires', () => spec.isSignalled)
    spec.finish('ignored')
    const handler = await scene.runs('h')
    const before = await everything(scene)
    const { lateResults } = scene.system.stats()
    const { checkpoint, process: processes, progress } = spec.context
    const writes: Record<string, () => Promise<unknown>> = {
      checkpoint: () => checkpoint({ phase: 'hijack', cursor: 99 }),
      run: () => processes.run({ command: 'anything' }),
      spawn: () => processes.spawn({ command: 'anything' }),
      session: () => processes.session('mouth', PROGRAM),
      'another session': () => processes.session('ear', PROGRAM),
      send: () => mouth?.send({ hello: 'late' }) ?? Promise.resolve(),
    }
    for (const [name, write] of Object.entries(writes)) {
      const error = await scene.now(codeOf(write()))
      expect({ name, error }).toEqual({ name, error: 'STALE_EPOCH' })
    }
    progress('late')
    await scene.pass(1_000)
    expect(await everything(scene)).toEqual(before)
    expect(heard).toEqual([])
    expect(children.started).toHaveLength(1)
    expect(children.started[0]?.lines.filter((line) => line.includes('late'))).toEqual([])
    const late = await scene.now(scene.desk.lateResults())
    expect(late.filter(({ what }) => what === 'checkpoint')).toEqual([
      {
        turn: spec.context.turn,
        what: 'checkpoint',
        epoch: spec.context.epoch,
        current: handler.context.epoch,
        at: scene.world.clock.wall() - 1_000,
      },
    ])
    expect(scene.system.stats().lateResults).toBeGreaterThan(lateResults)
    scene.finish('h')
    expect((await scene.runs('S', 2)).context.frame).toEqual({ phase: 'draft', cursor: 2 })
    expect(answer.isSettled()).toBe(false)
  })

  test('K09 the error names the epoch that was given and the one that counts', async () => {
    const scene = await sceneOf(way)
    const { spec, handler } = await forced(scene)
    const error = await scene.now(errorOf(spec.context.checkpoint({ phase: 'late', cursor: 9 })))
    expect(error).toBeInstanceOf(StaleEpoch)
    expect(error).toMatchObject({ epoch: spec.context.epoch, current: handler.context.epoch })
  })

  test('K09 a checkpoint of an old attempt does not overwrite that of the new one', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', slow)
    const { act: first } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(first.context.turn, { mode: 'abort-keep' }))
    first.finish(undefined)
    const second = await scene.runs('S', 2)
    await scene.now(second.context.checkpoint({ phase: 'second', cursor: 1 }))
    expect(await scene.now(codeOf(first.context.checkpoint({ phase: 'first', cursor: 7 })))).toBe('STALE_EPOCH')
    expect(await scene.view(first.context.turn)).toMatchObject({ frame: { phase: 'second', cursor: 1 }, isFrameDiscarded: false })
  })

  test('K09 a checkpoint after the end is refused, and nothing is heard of it', async () => {
    const scene = await sceneOf(way)
    const { act, answer } = await scene.running('spec', 'S')
    scene.finish('S')
    await scene.now(answer.promise)
    const before = await everything(scene)
    expect(await scene.now(codeOf(act.context.checkpoint({ phase: 'late', cursor: 1 })))).toBe('STALE_EPOCH')
    expect(() => act.context.progress('late')).not.toThrow()
    await scene.pass(1_000)
    expect(await everything(scene)).toEqual(before)
  })
})
