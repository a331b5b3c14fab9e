/** How long urgent turns may hold a parked one off: without bound unless the definition sets one, and always visibly. */
import { describe, expect, test } from 'vitest'
import { expectEpochsInARow, sceneOf, WAYS } from './stage.ts'
import type { Scene } from './stage.ts'

/** A parked spec, a handler that runs, and as many more as are named that wait. */
async function flooded(scene: Scene, more: readonly string[]) {
  const { act: spec, answer } = await scene.running('spec', 'S')
  spec.saves = { phase: 'draft', cursor: 2 }
  await scene.running('handler', 'h1')
  for (const name of more) scene.desk.ask.handler({ name }).catch(() => undefined)
  await scene.until('all wait', async () => (await scene.turns()).length === 2 + more.length)
  return { spec, answer }
}

describe.each(WAYS)('$title', (way) => {
  test('a burst is unlimited by default, and shows for how long the parked turn has been held off', async () => {
    const scene = await sceneOf(way)
    const names = Array.from({ length: 30 }, (_none, index) => `h${index + 2}`)
    const { spec } = await flooded(scene, names)
    for (const name of ['h1', ...names]) {
      await scene.runs(name)
      await scene.pass(100)
      scene.finish(name)
    }
    const resumed = await scene.runs('S', 2)
    expect(scene.stage.order).toEqual(['S', 'h1', ...names, 'S'])
    expectEpochsInARow(scene.stage.acts)
    expect((await scene.becomes(spec.context.turn, 'running')).heldOffMs).toBe(3_100)
    await scene.pass(500)
    await scene.running('handler', 'again')
    expect(await scene.becomes(spec.context.turn, 'parked')).toMatchObject({ heldOffMs: 3_100, since: scene.world.clock.wall() })
    await scene.pass(400)
    scene.finish('again')
    await scene.runs('S', 3)
    expect((await scene.becomes(spec.context.turn, 'running')).heldOffMs).toBe(3_500)
    expect(resumed.context.attempt).toBe(1)
  })

  test('with maxBurst the parked turn is resumed after so many, whatever waits', async () => {
    const scene = await sceneOf({ ...way, turns: { maxBurst: 2, minSliceMs: 1_000 } })
    const { act: spec } = await scene.running('spec', 'S')
    spec.saves = { phase: 'draft', cursor: 2 }
    await scene.pass(1_000) // Its slice is over.
    await scene.running('handler', 'h1')
    for (const name of ['h2', 'h3', 'h4']) scene.desk.ask.handler({ name }).catch(() => undefined)
    await scene.until('all wait', async () => (await scene.turns()).length === 5)
    scene.finish('h1')
    await scene.runs('h2')
    scene.finish('h2')
    const resumed = await scene.runs('S', 2)
    expect(resumed.context).toMatchObject({ attempt: 1, frame: { phase: 'draft', cursor: 2 } })
    await scene.quiet()
    expect(scene.stage.order).toEqual(['S', 'h1', 'h2', 'S'])
    expectEpochsInARow(scene.stage.acts)
  })

  test('with maxBurst, those that still wait get their turn when the resumed one has ended', async () => {
    const scene = await sceneOf({ ...way, turns: { maxBurst: 1, minSliceMs: 60_000 } })
    const { act: spec, answer } = await scene.running('spec', 'S')
    await scene.pass(60_000)
    await scene.running('handler', 'h1')
    expect(spec.isSignalled).toBe(true)
    for (const name of ['h2', 'h3']) scene.desk.ask.handler({ name }).catch(() => undefined)
    await scene.until('all wait', async () => (await scene.turns()).length === 4)
    scene.finish('h1')
    await scene.runs('S', 2)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.runs('h2')
    scene.finish('h2')
    await scene.runs('h3')
    expect(scene.stage.order).toEqual(['S', 'h1', 'S', 'h2', 'h3'])
  })

  test('with minSliceMs a turn keeps what it was given: the theft waits for the end of its slice, not longer', async () => {
    const scene = await sceneOf({ ...way, turns: { minSliceMs: 1_000 } })
    const { act: spec } = await scene.running('spec', 'S')
    await scene.pass(300)
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    await scene.waiting('handler')
    await scene.pass(699)
    expect(spec.isSignalled).toBe(false)
    await scene.pass(1)
    expect(spec.isSignalled).toBe(true)
    await scene.runs('h')
    scene.finish('h')
    const resumed = await scene.runs('S', 2)
    // A resumed stretch has a slice of its own.
    scene.desk.ask.handler({ name: 'h2' }).catch(() => undefined)
    await scene.waiting('handler')
    await scene.pass(999)
    expect(resumed.isSignalled).toBe(false)
    await scene.pass(1)
    expect(resumed.isSignalled).toBe(true)
    await scene.runs('h2')
    expectEpochsInARow(scene.stage.acts)
  })

  test('a turn that ends within its slice lets the urgent one in at once', async () => {
    const scene = await sceneOf({ ...way, turns: { minSliceMs: 60_000 } })
    const { act: spec, answer } = await scene.running('spec', 'S')
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    scene.desk.ask.spec({ name: 'later' }).catch(() => undefined)
    await scene.until('both wait', async () => (await scene.turns()).length === 3)
    scene.finish('S')
    expect(await scene.now(answer.promise)).toEqual({ outcome: 'ok', value: 'S done' })
    await scene.runs('h')
    expect(scene.stage.order).toEqual(['S', 'h'])
    expect(spec.isSignalled).toBe(false)
    await scene.pass(120_000)
    expect(scene.stage.act('h').isSignalled).toBe(false)
  })

  test('whoever names the turn is not held up by its slice', async () => {
    const scene = await sceneOf({ ...way, turns: { minSliceMs: 60_000 } })
    const { act, answer } = await scene.running('spec', 'S')
    await scene.now(scene.desk.cancelTurn(act.context.turn, { reason: 'closed' }))
    expect(await scene.now(answer.promise)).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop' })
  })

  test('a slice that was cut short by a drop does not hold the next one up, nor does its clock steal from another turn', async () => {
    const scene = await sceneOf({ ...way, turns: { minSliceMs: 10_000 } })
    const { act } = await scene.running('spec', 'S')
    scene.desk.ask.handler({ name: 'h' }).catch(() => undefined)
    await scene.waiting('handler')
    await scene.pass(1_000)
    await scene.now(scene.desk.cancelTurn(act.context.turn))
    await scene.runs('h')
    scene.finish('h')
    const { act: next } = await scene.running('spec', 'next')
    await scene.pass(60_000)
    expect(next.isSignalled).toBe(false)
    expect(scene.stage.order).toEqual(['S', 'h', 'next'])
  })
})
