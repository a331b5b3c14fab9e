/** Preemption by theft: a turn is parked, the urgent ones go first, and it goes on from its frame. And who may not interrupt whom. */
import { describe, expect, test } from 'vitest'
import type { SessionSpec } from '@bailiwick/kernel'
import { codeOf } from '../code-of.ts'
import { PaperChildren } from './children.ts'
import { answerOf, expectEpochsInARow, interruption, lasting, polite, sceneOf, slow, WAYS } from './stage.ts'
import type { Scene, Script } from './stage.ts'

const PROGRAM: SessionSpec = { command: 'provider' }
/** A real one: it stays until its input ends. */
const NODE: SessionSpec = { command: process.execPath, args: ['-e', 'process.stdin.resume()'] }

/** Works on three steps, each of which is committed before the next; the test says when a step is done. */
function steps(done: string[], advance: { wait: () => Promise<void> }): Script {
  return async (act) => {
    const { checkpoint, frame, signal } = act.context
    for (let cursor = frame?.cursor ?? 0; cursor < 3; cursor += 1) {
      await Promise.race([advance.wait(), interruption(act)])
      if (signal.aborted) return undefined
      done.push(`step ${cursor}`)
      await checkpoint({ phase: 'write', cursor: cursor + 1 })
    }
    return 'all steps done'
  }
}

/** Lets one waiting step go at a time. */
function turnstile(): { readonly wait: () => Promise<void>; readonly push: () => void } {
  const waiting: (() => void)[] = []
  return { wait: () => new Promise((resolve) => waiting.push(resolve)), push: () => waiting.shift()?.() }
}

/** A spec that runs, with a frame that it saves when it is interrupted. */
async function specWithFrame(scene: Scene, cursor = 2, name = 'S') {
  const spec = await scene.running('spec', name)
  spec.act.saves = { phase: 'draft', cursor }
  return spec
}

describe.each(WAYS)('$title', (way) => {
  test('K01 an urgent command parks the running turn, gets the next epoch at once, and the process goes on', async () => {
    const children = new PaperChildren()
    const scene = await sceneOf({ ...way, children })
    const session: Script = async (act) => {
      const mouth = await act.context.process.session('mouth', PROGRAM)
      act.context.progress({ pid: mouth.pid, id: mouth.id, isFresh: mouth.isFresh })
      return await polite(act)
    }
    scene.stage.scripts.set('S', session).set('h', session)
    const seen: unknown[] = []
    const answer = answerOf(scene.desk.ask.spec({ name: 'S' }, { onProgress: (value) => seen.push(value) }))
    await scene.until('the session is there', () => seen.length === 1)
    const spec = scene.stage.act('S')
    spec.saves = { phase: 'draft', cursor: 2 }
    const before = scene.world.clock.elapsed()
    const urgent = scene.desk.ask.handler({ name: 'h' }, { onProgress: (value) => seen.push(value) })
    const handler = await scene.runs('h')
    await scene.until('the handler has the session', () => seen.length === 2)

    expect(scene.world.clock.elapsed()).toBe(before) // No waiting: nothing but work lay between.
    expect(spec.reason).toEqual({ mode: 'steal', by: { command: 'handler', turn: handler.context.turn } })
    expect(handler.context.epoch).toBe(spec.context.epoch + 1)
    const parked = await scene.becomes(spec.context.turn, 'parked')
    expect(parked).toMatchObject({
      state: 'parked',
      attempt: 1,
      epoch: spec.context.epoch,
      frame: { phase: 'draft', cursor: 2 },
      isFrameDiscarded: false,
      history: [
        {
          attempt: 1,
          epoch: spec.context.epoch,
          outcome: 'cancelled',
          mode: 'steal',
          by: { command: 'handler', turn: handler.context.turn },
        },
      ],
    })
    expect(parked.history).toHaveLength(1)
    expect(parked.history[0]).not.toHaveProperty('isForced')
    expect(await scene.view(handler.context.turn)).toMatchObject({ state: 'running', attempt: 1, epoch: handler.context.epoch })
    expect(seen).toMatchObject([{ isFresh: true }, { isFresh: false }])
    expect(seen[1]).toMatchObject({ pid: children.started[0]?.pid })
    expect(children.started).toHaveLength(1)
    expect(children.started[0]?.signals).toEqual([])
    expect(answer.isSettled()).toBe(false)
    expect(scene.system.stats().turns).toEqual({ running: 1, preemptions: 1, forced: 0 })
    expect(await scene.heard()).toMatchObject([
      { type: 'spec.started', turn: spec.context.turn, attempt: 1, epoch: spec.context.epoch, input: { name: 'S' } },
      { type: 'spec.parked', mode: 'steal', by: { command: 'handler', turn: handler.context.turn }, outcome: 'cancelled' },
      { type: 'handler.started', turn: handler.context.turn, attempt: 1, epoch: handler.context.epoch, input: { name: 'h' } },
    ])
    scene.finish('h')
    expect(await scene.now(urgent)).toEqual({ outcome: 'ok', value: 'h done' })
    await scene.runs('S', 2)
    await scene.until('the spec has the session again', () => seen.length === 3)
    expect(seen[2]).toMatchObject({ pid: children.started[0]?.pid, isFresh: false })
    expect(children.started).toHaveLength(1)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
  })

  test('K02 when the handler has finished, the turn resumes at its cursor with the next epoch, and no committed step is done again', async () => {
    const scene = await sceneOf(way)
    const done: string[] = []
    const gate = turnstile()
    scene.stage.scripts.set('S', steps(done, gate))
    const { act: spec, answer } = await scene.running('spec', 'S')
    gate.push()
    await scene.until('a step is committed', async () => (await scene.view(spec.context.turn)).frame !== undefined)
    const { act: handler } = await scene.running('handler', 'h')
    await scene.pass(1_500)
    scene.finish('h')
    const resumed = await scene.runs('S', 2)
    expect(resumed.context).toMatchObject({
      turn: spec.context.turn,
      attempt: 1,
      epoch: spec.context.epoch + 2,
      frame: { phase: 'write', cursor: 1 },
      input: { name: 'S' },
    })
    expectEpochsInARow([spec, handler, resumed])
    expect(await scene.becomes(spec.context.turn, 'running')).toMatchObject({ attempt: 1, epoch: resumed.context.epoch, heldOffMs: 1_500 })
    await scene.quiet()
    gate.push() // The step that was interrupted had one coming.
    await scene.quiet()
    gate.push()
    await scene.quiet()
    gate.push()
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'all steps done' })
    expect(done).toEqual(['step 0', 'step 1', 'step 2'])
    expect(await scene.types()).toEqual(['spec.started', 'spec.parked', 'handler.started', 'handler.done', 'spec.resumed', 'spec.done'])
    const [, , , handled, taken, ended] = await scene.heard()
    expect(handled).toMatchObject({ turn: handler.context.turn, outcome: 'ok', output: 'h done' })
    expect(taken).toMatchObject({ turn: spec.context.turn, attempt: 1, epoch: resumed.context.epoch })
    expect(ended).toMatchObject({ turn: spec.context.turn, outcome: 'ok', output: 'all steps done' })
    const view = await scene.view(spec.context.turn)
    expect(view).toMatchObject({ state: 'ended', outcome: { outcome: 'ok' } })
    expect(view.history.map(({ outcome, epoch, attempt }) => ({ outcome, epoch, attempt }))).toEqual([
      { outcome: 'cancelled', epoch: spec.context.epoch, attempt: 1 },
      { outcome: 'ok', epoch: resumed.context.epoch, attempt: 1 },
    ])
    expect(scene.system.stats().turns).toEqual({ running: 0, preemptions: 1, forced: 0 })
  })

  test('K03 urgent commands that arrive during the drain are served in order, then the turn resumes once', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', slow)
    const { act: spec, answer } = await specWithFrame(scene)
    const waiting = scene.desk.ask.spec({ name: 'later' })
    await scene.waiting('spec')
    const urgent = [scene.desk.ask.handler({ name: 'h1' })]
    await scene.until('the signal fires', () => spec.isSignalled)
    for (const name of ['h2', 'h3', 'h4']) urgent.push(scene.desk.ask.handler({ name }))
    await scene.quiet()
    expect(scene.stage.log).toEqual(['+S', '!S']) // It drains: nobody else runs.
    expect(await scene.view(spec.context.turn)).toMatchObject({ state: 'running', intent: { mode: 'steal' } })
    spec.finish('too late')
    for (const name of ['h1', 'h2', 'h3', 'h4']) {
      await scene.runs(name)
      await scene.quiet()
      expect(scene.stage.order.at(-1)).toBe(name)
      expect(scene.stage.act(name).isSignalled).toBe(false)
      scene.finish(name)
    }
    await scene.runs('S', 2)
    expect(scene.stage.order).toEqual(['S', 'h1', 'h2', 'h3', 'h4', 'S'])
    expectEpochsInARow(scene.stage.acts)
    expect(scene.stage.act('S').context).toMatchObject({ frame: { phase: 'draft', cursor: 2 }, attempt: 1 })
    expect(answer.isSettled()).toBe(false)
    expect(await scene.now(Promise.all(urgent))).toEqual(['h1', 'h2', 'h3', 'h4'].map((name) => ({ outcome: 'ok', value: `${name} done` })))
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.runs('later')
    scene.finish('later')
    await scene.now(waiting)
    expect((await scene.types()).filter((type) => type === 'spec.resumed' || type === 'spec.parked')).toEqual([
      'spec.parked',
      'spec.resumed',
    ])
    expect((await scene.view(spec.context.turn)).history.map(({ outcome }) => outcome)).toEqual(['cancelled', 'ok'])
  })

  test('K03 one that arrives while another urgent one runs goes before the parked turn, too', async () => {
    const scene = await sceneOf(way)
    const { act: spec } = await specWithFrame(scene)
    await scene.running('handler', 'h1')
    scene.desk.ask.handler({ name: 'h2' }).catch(() => undefined)
    await scene.waiting('handler')
    scene.finish('h1')
    await scene.runs('h2')
    scene.desk.ask.handler({ name: 'h3' }).catch(() => undefined)
    await scene.waiting('handler')
    scene.finish('h2')
    await scene.runs('h3')
    scene.finish('h3')
    await scene.runs('S', 2)
    expect(scene.stage.order).toEqual(['S', 'h1', 'h2', 'h3', 'S'])
    expectEpochsInARow(scene.stage.acts)
    expect(scene.stage.act('S').context.turn).toBe(spec.context.turn)
  })

  test('K04 an urgent command during the resumed stretch parks the turn again, with its newer frame and no second one', async () => {
    const scene = await sceneOf(way)
    const { act: first, answer } = await specWithFrame(scene, 1)
    await scene.running('handler', 'h1')
    scene.finish('h1')
    const second = await scene.runs('S', 2)
    expect(second.context.frame).toEqual({ phase: 'draft', cursor: 1 })
    second.saves = { phase: 'review', cursor: 5 }
    await scene.running('handler', 'h2')
    const parked = await scene.becomes(first.context.turn, 'parked')
    expect(parked).toMatchObject({ frame: { phase: 'review', cursor: 5 }, attempt: 1, epoch: second.context.epoch })
    expect((await scene.turns()).filter(({ command }) => command === 'spec')).toHaveLength(1)
    scene.finish('h2')
    const third = await scene.runs('S', 3)
    expect(third.context).toMatchObject({ frame: { phase: 'review', cursor: 5 }, attempt: 1, turn: first.context.turn })
    expect(scene.stage.order).toEqual(['S', 'h1', 'S', 'h2', 'S'])
    expectEpochsInARow(scene.stage.acts)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.quiet()
    expect(scene.stage.order).toHaveLength(5)
    expect(await scene.types()).toEqual([
      'spec.started',
      'spec.parked',
      'handler.started',
      'handler.done',
      'spec.resumed',
      'spec.parked',
      'handler.started',
      'handler.done',
      'spec.resumed',
      'spec.done',
    ])
  })

  test('K05 a handler does not interrupt a handler: the second is queued and runs next, the parked turn is not between', async () => {
    const scene = await sceneOf(way)
    await specWithFrame(scene)
    const { act: first, answer } = await scene.running('handler', 'h1')
    const second = scene.desk.ask.handler({ name: 'h2' })
    const waiting = await scene.waiting('handler')
    await scene.quiet()
    expect(first.isSignalled).toBe(false)
    expect(first.context.interrupted()).toBe(false)
    expect(await scene.view(first.context.turn)).not.toHaveProperty('intent')
    expect(waiting).toMatchObject({ state: 'pending', attempt: 0 })
    scene.finish('h1')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'h1 done' })
    await scene.runs('h2')
    expect(scene.stage.order).toEqual(['S', 'h1', 'h2'])
    scene.finish('h2')
    expect(await scene.now(second)).toEqual({ outcome: 'ok', value: 'h2 done' })
    await scene.runs('S', 2)
    expectEpochsInARow(scene.stage.acts)
    expect(scene.system.stats().turns.preemptions).toBe(1)
  })

  test('K06 the background is not interrupted: the urgent command waits, and then runs before the worker', async () => {
    const scene = await sceneOf(way)
    const { act: background, answer } = await scene.running('background', 'B')
    scene.desk.ask.spec({ name: 'S' }).catch(() => undefined)
    await scene.waiting('spec')
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    scene.desk.ask.handler({ name: 'dropper' }, { preempt: 'abort-drop' }).catch(() => undefined)
    await scene.waiting('handler')
    await scene.quiet()
    expect(background.isSignalled).toBe(false)
    expect(scene.stage.log).toEqual(['+B'])
    scene.finish('B')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'B done' })
    await scene.runs('h')
    scene.finish('h')
    await scene.runs('dropper')
    scene.finish('dropper')
    await scene.runs('S')
    expect(scene.stage.log).toEqual(['+B', '+h', '+dropper', '+S'])
    expectEpochsInARow(scene.stage.acts)
    expect(scene.system.stats().turns.preemptions).toBe(0)
  })

  test('K06 the background interrupts nobody, whatever it asks for', async () => {
    const scene = await sceneOf(way)
    const { act: spec } = await scene.running('spec', 'S')
    scene.desk.ask.background({ name: 'B' }, { preempt: 'abort-drop' }).catch(() => undefined)
    await scene.waiting('background')
    await scene.quiet()
    expect(spec.isSignalled).toBe(false)
    scene.finish('S')
    await scene.runs('B')
  })

  test.each(['spec', 'thread', 'ci', 'handler'] as const)('K15 a new %s does not abort another one that runs', async (name) => {
    const scene = await sceneOf(way)
    const { act: first, answer } = await scene.running(name, 'first')
    const before = lasting(await scene.view(first.context.turn))
    const others = (['abort-keep', 'abort-drop', 'steal'] as const).map((preempt) => scene.desk.ask[name]({ name: preempt }, { preempt }))
    await scene.until('all wait', async () => (await scene.turns()).filter(({ state }) => state === 'pending').length === 3)
    await scene.quiet()
    expect(first.isSignalled).toBe(false)
    expect(lasting(await scene.view(first.context.turn))).toEqual(before)
    expect(scene.system.stats().turns.preemptions).toBe(0)
    scene.finish('first')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'first done' })
    for (const preempt of ['abort-keep', 'abort-drop', 'steal']) {
      await scene.runs(preempt)
      scene.finish(preempt)
    }
    expect(await scene.now(Promise.all(others))).toHaveLength(3)
    expect(scene.stage.order).toEqual(['first', 'abort-keep', 'abort-drop', 'steal'])
    expectEpochsInARow(scene.stage.acts)
  })

  test('K15 a command of lower rank interrupts nothing, whatever it asks for, and runs after it', async () => {
    const scene = await sceneOf(way)
    const { act: ci } = await scene.running('ci', 'C')
    for (const preempt of ['steal', 'abort-keep', 'abort-drop'] as const) {
      scene.desk.ask.thread({ name: preempt }, { preempt }).catch(() => undefined)
    }
    await scene.waiting('thread')
    await scene.quiet()
    expect(ci.isSignalled).toBe(false)
    scene.finish('C')
    await scene.runs('steal')
    expect(scene.stage.log).toEqual(['+C', '+steal'])
  })

  test('a higher rank that asks for nothing interrupts nothing, and is the next to run', async () => {
    const scene = await sceneOf(way)
    const { act: spec } = await scene.running('spec', 'S')
    scene.desk.ask.spec({ name: 'later' }).catch(() => undefined)
    await scene.waiting('spec')
    scene.desk.ask.ci({ name: 'C' }, { preempt: 'none' }).catch(() => undefined)
    scene.desk.ask.handler({ name: 'h' }, { preempt: 'none' }).catch(() => undefined)
    await scene.waiting('handler')
    await scene.quiet()
    expect(spec.isSignalled).toBe(false)
    scene.finish('S')
    for (const name of ['h', 'C', 'later']) {
      await scene.runs(name)
      scene.finish(name)
    }
    expect(scene.stage.order).toEqual(['S', 'h', 'C', 'later'])
  })

  test('G7 an ordinary command that preempts is handled once the turn has come to its boundary, and the turn resumes', async () => {
    const scene = await sceneOf(way)
    scene.stage.scripts.set('S', slow)
    const { act: spec } = await specWithFrame(scene)
    const note = answerOf(scene.desk.ask.note({ name: 'n' }))
    await scene.until('the signal fires', () => spec.isSignalled)
    await scene.quiet()
    expect(note.isSettled()).toBe(false)
    expect(spec.reason).toMatchObject({ mode: 'steal', by: { command: 'note' } })
    spec.finish('whatever')
    expect(await scene.now(note.promise)).toBe('n')
    const resumed = await scene.runs('S', 2)
    expect(resumed.context).toMatchObject({ attempt: 1, frame: { phase: 'draft', cursor: 2 } })
    expect(resumed.context.epoch).toBeGreaterThan(spec.context.epoch)
    const heard = (await scene.now(scene.desk.ask.heard())).map(({ type }) => type)
    expect(heard).toEqual(['spec.started', 'spec.parked', 'note', 'spec.resumed'])
  })

  test('G7 ordinary commands are handled while a turn runs, and one that would preempt is, where there is nobody to interrupt', async () => {
    const scene = await sceneOf(way)
    expect(await scene.now(scene.desk.ask.note({ name: 'alone' }))).toBe('alone')
    const { act: handler } = await scene.running('handler', 'h')
    expect(await scene.now(scene.desk.ask.poke({ name: 'p' }))).toBe('p')
    expect(await scene.now(scene.desk.ask.note({ name: 'equal' }))).toBe('equal')
    expect(handler.isSignalled).toBe(false)
  })

  test('a steal between the pick and the start takes effect: the turn never runs to its end before the urgent one', async () => {
    const scene = await sceneOf(way)
    const spec = answerOf(scene.desk.ask.spec({ name: 'S' }))
    const urgent = scene.desk.ask.handler({ name: 'h' })
    await scene.runs('h')
    await scene.quiet()
    expect(scene.stage.acts.filter(({ name, isSignalled }) => name === 'S' && !isSignalled)).toEqual([])
    expect(spec.isSettled()).toBe(false)
    const stretches = scene.stage.stretches('S')
    scene.finish('h')
    await scene.now(urgent)
    await scene.runs('S', stretches + 1)
    expect(scene.stage.act('S').isSignalled).toBe(false)
    scene.finish('S')
    expect(await scene.now(spec.promise)).toEqual({ outcome: 'ok', value: 'S done' })
  })

  test('a turn that has ended before its signal fired has ended: its result counts, and it is not done again', async () => {
    let hold: Promise<void> | undefined
    let release: () => void = () => undefined
    const scene = await sceneOf({ ...way, beforeCommit: () => hold })
    const { act: spec, answer } = await scene.running('spec', 'S')
    hold = new Promise((resolve) => (release = resolve))
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    await scene.quiet() // The command and its intent are being committed.
    expect(spec.isSignalled).toBe(false)
    scene.finish('S')
    await scene.quiet()
    expect(spec.isSignalled).toBe(false)
    hold = undefined
    release()
    await scene.runs('h')
    scene.finish('h')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.quiet()
    expect(scene.stage.order).toEqual(['S', 'h'])
  })

  test('no signal fires before the command that causes it is on disk', async () => {
    let hold: Promise<void> | undefined
    let release: () => void = () => undefined
    const scene = await sceneOf({ ...way, beforeCommit: () => hold })
    const { act: spec } = await scene.running('spec', 'S')
    hold = new Promise((resolve) => (release = resolve))
    const told = answerOf(scene.desk.tell.handler({ name: 'h' }))
    const cancelled = answerOf(scene.desk.cancelTurn(spec.context.turn, { mode: 'steal' }))
    await scene.quiet()
    expect({ isSignalled: spec.isSignalled, isTold: told.isSettled(), isCancelled: cancelled.isSettled() }).toEqual({
      isSignalled: false,
      isTold: false,
      isCancelled: false,
    })
    hold = undefined
    release()
    await scene.runs('h')
    expect(await scene.now(told.promise)).toEqual({ outcome: 'accepted' })
    expect(await scene.now(cancelled.promise)).toEqual({ outcome: 'accepted' })
    expect(spec.isSignalled).toBe(true)
  })

  test('no signal fires for a command that could not be stored', async () => {
    const scene = await sceneOf(way)
    const { act: spec, answer } = await scene.running('spec', 'S')
    scene.world.disk.failCommits('full')
    expect(await scene.now(codeOf(scene.desk.tell.handler({ name: 'h' })))).toBe('STORE_UNAVAILABLE')
    scene.world.disk.failCommits(undefined)
    await scene.pass(60_000)
    expect(spec.isSignalled).toBe(false)
    expect(scene.stage.order).toEqual(['S'])
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    expect((await scene.turns()).map(({ command }) => command)).toEqual(['spec'])
  })

  test("the signal of one stretch does not leak into the next, nor into the handler's first turn", async () => {
    const scene = await sceneOf(way)
    const { act: spec } = await specWithFrame(scene)
    const { act: handler } = await scene.running('handler', 'h')
    await scene.quiet()
    expect(spec.isSignalled).toBe(true)
    expect(handler.isSignalled).toBe(false)
    expect(handler.context.interrupted()).toBe(false)
    scene.finish('h')
    const resumed = await scene.runs('S', 2)
    await scene.quiet()
    expect(resumed.isSignalled).toBe(false)
    expect(resumed.context.interrupted()).toBe(false)
    expect(spec.context.interrupted()).toBe(true)
  })

  test('a turn that is stolen from before it has saved anything is parked as well, and runs again without a frame', async () => {
    const scene = await sceneOf(way)
    const { act: spec, answer } = await scene.running('spec', 'S')
    await scene.running('handler', 'h')
    expect(await scene.becomes(spec.context.turn, 'parked')).not.toHaveProperty('frame')
    scene.finish('h')
    const again = await scene.runs('S', 2)
    expect(again.context.frame).toBe(undefined)
    expect(again.context.turn).toBe(spec.context.turn)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
  })
})

test('K01 a real process stays the same through theft and resumption', async () => {
  const scene = await sceneOf({ by: 'lanes' })
  const pids: number[] = []
  const session: Script = async (act) => {
    const { pid } = await act.context.process.session('mouth', NODE)
    pids.push(pid)
    return await polite(act)
  }
  scene.stage.scripts.set('S', session).set('h', session)
  const { answer } = await scene.running('spec', 'S')
  await scene.until('the process is there', () => pids.length === 1)
  await scene.running('handler', 'h')
  await scene.until('the handler has it', () => pids.length === 2)
  scene.finish('h')
  await scene.until('the spec has it again', () => pids.length === 3)
  scene.finish('S')
  await scene.now(answer.promise)
  expect(new Set(pids).size).toBe(1)
  expect(scene.system.stats().processes.running).toBe(1)
  expect(process.kill(pids[0] ?? 0, 0)).toBe(true)
})

test('actors do not interrupt each other: an urgent turn of one leaves the turns of the others alone', async () => {
  const scene = await sceneOf({ by: 'lanes', shards: 3 })
  const { act: spec } = await scene.running('spec', 'S')
  const other = scene.system.actor(scene.definition, 'other')
  other.ask.handler({ name: 'h' }).catch(() => undefined)
  await scene.runs('h')
  await scene.quiet()
  expect(spec.isSignalled).toBe(false)
  expect(scene.system.stats().turns).toEqual({ running: 2, preemptions: 0, forced: 0 })
})
