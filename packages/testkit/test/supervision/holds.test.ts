/** `system.quarantine`: who is held, holding by hand, and letting go. */
import { describe, expect, test } from 'vitest'
import type { HeldFilter } from '@bailiwick/kernel'
import { outside, patientOf } from './patients.ts'
import { follow, WAYS, wardOf } from './ward.ts'

const strict = patientOf('strict', { supervision: { maxRestarts: 0 } })
const frail = patientOf('frail', { supervision: { maxRestarts: 0, onExhausted: 'stop' } })
const patient = patientOf('patient', { idleMs: 100 })
const actors = [strict, frail, patient]

const text = (words: string): { readonly text: string } => ({ text: words })

describe.each(WAYS)('$title', (way) => {
  test('G11 the list has everything about those that are held, the latest first, and can be filtered', async () => {
    const ward = await wardOf(way, { actors })
    const { quarantine } = ward.system
    expect(await ward.now(quarantine.list())).toEqual([])
    await ward.now(ward.system.actor(strict, 'a').ask.note(text('1')))
    for (const [definition, key] of [
      [strict, 'a'],
      [strict, 'b'],
      [frail, 'a'],
    ] as const) {
      await ward.outcome(ward.system.actor(definition as typeof strict, key).ask.poison(text(`${key} is ill`)))
      await ward.pass(1_000)
    }
    await ward.now(quarantine.hold(patient, ['x', 'y'], { reason: 'for inspection' }))
    const listed = await ward.now(quarantine.list())
    expect(listed.map(({ actor, mode }) => `${actor} ${mode}`)).toEqual([
      'patient/["x","y"] quarantined',
      'frail/a stopped',
      'strict/b quarantined',
      'strict/a quarantined',
    ])
    const [byHand, , , first] = listed
    expect(byHand).toMatchObject({ type: 'patient', key: '["x","y"]', reason: 'for inspection', failures: [] })
    expect(byHand?.error ?? undefined).toBeUndefined()
    expect(byHand?.command ?? undefined).toBeUndefined()
    expect(first).toMatchObject({
      shard: expect.any(Number) as number,
      type: 'strict',
      key: 'a',
      reason: expect.stringContaining('a is ill') as string,
      error: { code: 'COMMAND_FAILED', message: expect.stringContaining('a is ill') as string },
      command: 'poison',
      revision: 1,
      failures: [first?.at],
    })
    const count = async (filter: HeldFilter): Promise<number> => (await ward.now(quarantine.list(filter))).length
    expect(await count({ type: 'strict' })).toBe(2)
    expect(await count({ definition: strict, key: 'b' })).toBe(1)
    expect(await count({ type: 'strict', key: 'c' })).toBe(0)
    expect(await count({ definition: patient, key: ['x', 'y'] })).toBe(1)
    expect((await ward.now(quarantine.list({ limit: 2 }))).map(({ type }) => type)).toEqual(['patient', 'frail'])
    await ward.crash()
    expect(await ward.now(ward.system.quarantine.list())).toEqual(listed)
    expect(ward.system.stats().held).toBe(4)
  })

  test('G11 a release answers how many it has let go, by filter and limit', async () => {
    const ward = await wardOf(way, { actors })
    const { quarantine } = ward.system
    for (const key of ['a', 'b', 'c', 'd']) await ward.outcome(ward.system.actor(strict, key).ask.poison({}))
    await ward.outcome(ward.system.actor(frail, 'a').ask.poison({}))
    expect(await ward.now(quarantine.release({ type: 'strict', key: 'z' }))).toBe(0)
    expect(await ward.now(quarantine.release({ definition: strict, key: 'b' }))).toBe(1)
    expect(await ward.now(quarantine.release({ definition: strict, key: 'b' }))).toBe(0)
    expect(await ward.now(quarantine.release({ type: 'strict', limit: 2 }))).toBe(2)
    expect(ward.system.stats().held).toBe(2)
    expect(await ward.now(quarantine.release({}))).toBe(2)
    expect(await ward.now(quarantine.list())).toEqual([])
    for (const key of ['a', 'b', 'c', 'd']) expect(await ward.outcome(ward.system.actor(strict, key).ask.note(text('x')))).toBe(1)
    await ward.crash()
    expect(ward.system.stats().held).toBe(0)
    expect(await ward.outcome(ward.system.actor(frail, 'a').ask.note(text('x')))).toBe(1)
  })

  test('G2 G11 an actor that is held by hand serves nothing until it is released, over crashes; holding it again is refused', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(patient, 'a').ask.note(text('1')))
    expect(await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'for inspection' }))).toBe(true)
    expect(await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'for more' }))).toBe(false)
    await expect(ward.now(ward.system.actor(patient, 'a').ask.notes())).rejects.toMatchObject({
      code: 'ACTOR_QUARANTINED',
      reason: 'for inspection',
    })
    await ward.now(ward.system.actor(patient, 'a').tell.note(text('2')))
    await ward.crash()
    await ward.pass(600_000)
    expect(await ward.outcome(ward.system.actor(patient, 'a').ask.notes())).toBe('ACTOR_QUARANTINED')
    expect(await ward.now(ward.system.quarantine.release({ definition: patient, key: 'a' }))).toBe(1)
    expect(await ward.outcome(ward.system.actor(patient, 'a').ask.notes())).toEqual(['1', '2'])
    await ward.quiet()
    expect(ward.toldOf('actor.quarantined').map(({ actor }) => actor)).toEqual(['patient/a'])
    expect(ward.toldOf('actor.released').map(({ actor }) => actor)).toEqual(['patient/a'])
  })

  test('G11 an actor that has never been may be held: it begins with its release', async () => {
    const ward = await wardOf(way, { actors })
    expect(await ward.now(ward.system.quarantine.hold(patient, 'new', { reason: 'not yet' }))).toBe(true)
    const ref = ward.system.actor(patient, 'new')
    await ward.now(ref.tell.note(text('1')))
    expect(await ward.outcome(ref.ask.note(text('x')))).toBe('ACTOR_QUARANTINED')
    await ward.pass(60_000)
    expect(outside.handled).toEqual([])
    expect(await ward.now(ward.system.quarantine.release({ type: 'patient' }))).toBe(1)
    await ward.quiet()
    expect(await ward.outcome(ref.ask.notes())).toEqual(['1'])
  })

  test('G11 holding an actor while it is brought into memory, or under load, loses nothing', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.note(text('0')))
    for (let round = 1; round <= 5; round += 1) {
      // Out of memory again.
      await ward.pass(1_000)
      const answers: (() => unknown)[] = []
      const receipts: Promise<unknown>[] = []
      const asks = Array.from({ length: 4 }, (_none, n) => ref.ask.note(text(`ask ${round} ${n}`)))
      answers.push(...asks.map((ask) => follow(ask)))
      receipts.push(ref.tell.note(text(`tell ${round} 0`)))
      for (let turn = 0; turn < round - 1; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      const holding = ward.system.quarantine.hold(patient, 'a', { reason: 'now' })
      answers.push(follow(ref.ask.note(text(`ask ${round} last`))))
      receipts.push(ref.tell.note(text(`tell ${round} 1`)))
      expect(await ward.now(holding)).toBe(true)
      for (const receipt of receipts) expect(await ward.outcome(receipt)).toEqual({ outcome: 'accepted' })
      await ward.quiet()
      const outcomes = answers.map((answer) => answer())
      for (const outcome of outcomes) expect(typeof outcome === 'number' || outcome === 'ACTOR_QUARANTINED').toBe(true)
      expect(await ward.outcome(ref.ask.notes())).toBe('ACTOR_QUARANTINED')
      const before = (await ward.now(ref.snapshot())).context.notes.filter((note) => note.startsWith(`ask ${round}`)).length
      expect(before).toBe(outcomes.filter((outcome) => typeof outcome === 'number').length)
      expect(await ward.now(ward.system.quarantine.release({}))).toBe(1)
      await ward.quiet()
      const { notes } = (await ward.now(ref.snapshot())).context
      expect(notes.filter((note) => note.startsWith(`tell ${round}`))).toEqual([`tell ${round} 0`, `tell ${round} 1`])
      expect(notes.filter((note) => note.startsWith(`ask ${round}`))).toHaveLength(before)
    }
  })

  test('G11 a hold that cannot be written is refused, and holds nobody', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(patient, 'a').ask.note(text('1')))
    ward.world.disk.failCommits('full')
    expect(await ward.outcome(ward.system.quarantine.hold(patient, 'a', { reason: 'now' }))).toBe('STORE_UNAVAILABLE')
    ward.world.disk.failCommits(undefined)
    await ward.pass(3_000)
    expect(await ward.now(ward.system.quarantine.list())).toEqual([])
    expect(await ward.outcome(ward.system.actor(patient, 'a').ask.note(text('2')))).toBe(2)
  })

  test('G11 a release that cannot be written is refused, and releases nobody', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'now' }))
    await ward.now(ward.system.actor(patient, 'a').tell.note(text('1')))
    ward.world.disk.failCommits('full')
    expect(await ward.outcome(ward.system.quarantine.release({}))).toBe('STORE_UNAVAILABLE')
    ward.world.disk.failCommits(undefined)
    await ward.pass(3_000)
    expect(outside.handled).toEqual([])
    expect(await ward.outcome(ward.system.actor(patient, 'a').ask.notes())).toBe('ACTOR_QUARANTINED')
    expect(await ward.now(ward.system.quarantine.release({}))).toBe(1)
    await ward.quiet()
    expect(outside.handled).toEqual(['a 1'])
  })

  test.each([[{ typ: 'patient' }], [{ key: 'a' }], [{ type: 3 }], [{ limit: 0 }], [undefined], [[]], ['patient/a']] as const)(
    'a wrong filter is refused, and stands for nobody: %j',
    async (filter) => {
      const ward = await wardOf(way, { actors })
      await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'now' }))
      const wrong = filter as unknown as HeldFilter // What no type would let through.
      expect(await ward.outcome(ward.system.quarantine.release(wrong))).toBe('INVALID_INPUT')
      if (filter !== undefined) expect(await ward.outcome(ward.system.quarantine.list(wrong))).toBe('INVALID_INPUT')
      expect(await ward.now(ward.system.quarantine.list())).toHaveLength(1)
    },
  )

  test.each([[{}], [{ reason: '' }], [{ reason: 3 }], [{ reason: 'x', for: 'ever' }]])('a wrong hold is refused: %j', async (options) => {
    const ward = await wardOf(way, { actors })
    const wrong = options as { readonly reason: string } // As above.
    expect(await ward.outcome(ward.system.quarantine.hold(patient, 'a', wrong))).toBe('INVALID_INPUT')
    expect(await ward.now(ward.system.quarantine.list())).toEqual([])
  })

  test.each([
    ['definition', ['patient', 'a']],
    ['definition', [undefined, 'a', { reason: 'x' }]],
    ['key', [patient, undefined]],
    ['key', [patient, 7, {}]],
  ])('a wrong hold is told of its first argument that is wrong: %s', async (field, wrong) => {
    const ward = await wardOf(way, { actors })
    const [definition, key, options] = wrong as unknown as Parameters<typeof ward.system.quarantine.hold> // As above.
    await expect(ward.system.quarantine.hold(definition, key, options)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
  })

  test('a second hold answers false, and the first one stays with its reason', async () => {
    const ward = await wardOf(way, { actors })
    expect(await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'first' }))).toBe(true)
    expect(await ward.now(ward.system.quarantine.hold(patient, 'a', { reason: 'second' }))).toBe(false)
    expect(await ward.now(ward.system.quarantine.list())).toMatchObject([{ actor: 'patient/a', reason: 'first' }])
  })
})
