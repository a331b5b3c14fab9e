/** The window of restarts: it slides, its ends count, and nothing but time and an operator empties it. */
import { describe, expect, test } from 'vitest'
import { patientOf } from './patients.ts'
import type { Patient } from './patients.ts'
import { follow, WAYS, wardOf } from './ward.ts'
import type { Ward } from './ward.ts'

const twice = patientOf('twice', { supervision: { maxRestarts: 2, withinMs: 10_000 } })
const once = patientOf('once', { supervision: { maxRestarts: 1, withinMs: 10_000 } })
const brief = patientOf('brief', { supervision: { maxRestarts: 2, withinMs: 10_000 }, idleMs: 100 })
const never = patientOf('never', { supervision: { maxRestarts: 0 } })
const plain = patientOf('patient')

/** Lets the actor fail at each of these moments; answers at which of them it was still served. */
async function failAt(ward: Ward, definition: Patient, moments: readonly number[], between?: () => Promise<unknown>): Promise<unknown[]> {
  const outcomes: unknown[] = []
  for (const [index, moment] of moments.entries()) {
    if (index > 0) await between?.()
    await ward.at(moment)
    outcomes.push(await ward.outcome(ward.system.actor(definition, 'a').ask.poison({})))
  }
  return outcomes
}

async function isHeld(ward: Ward, definition: Patient, key = 'a'): Promise<boolean> {
  const outcome = await ward.outcome(ward.system.actor(definition, key).ask.notes())
  if (outcome !== 'ACTOR_QUARANTINED' && !Array.isArray(outcome)) throw new Error(`It answers ${String(outcome)}.`)
  return outcome === 'ACTOR_QUARANTINED'
}

describe.each(WAYS)('$title', (way) => {
  test('G11 with two restarts within 10 s, failures at 0, 9, 11 and 18 s are one too many exactly at 18 s', async () => {
    const ward = await wardOf(way, { actors: [twice] })
    expect(await failAt(ward, twice, [0, 9_000, 11_000])).toEqual(['COMMAND_FAILED', 'COMMAND_FAILED', 'COMMAND_FAILED'])
    expect(await isHeld(ward, twice)).toBe(false)
    expect(await failAt(ward, twice, [18_000])).toEqual(['COMMAND_FAILED'])
    expect(await isHeld(ward, twice)).toBe(true)
    const epoch = ward.world.clock.wall() - ward.world.clock.elapsed()
    const [held] = await ward.now(ward.system.quarantine.list())
    expect(held).toMatchObject({
      type: 'twice',
      key: 'a',
      mode: 'quarantined',
      error: { code: 'COMMAND_FAILED' },
      command: 'poison',
      revision: 0,
      at: epoch + 18_000,
      failures: [epoch + 9_000, epoch + 11_000, epoch + 18_000],
    })
  })

  test('G11 failures exactly as far apart as the window is long count together, a millisecond further they do not', async () => {
    const ward = await wardOf(way, { actors: [once] })
    await failAt(ward, once, [0, 10_001])
    expect(await isHeld(ward, once)).toBe(false)
    await failAt(ward, once, [20_001])
    expect(await isHeld(ward, once)).toBe(true)
  })

  test('G11 without any restart the first failure is one too many', async () => {
    const ward = await wardOf(way, { actors: [never] })
    expect(await isHeld(ward, never)).toBe(false)
    expect(await ward.outcome(ward.system.actor(never, 'a').ask.poison({}))).toBe('COMMAND_FAILED')
    expect(await isHeld(ward, never)).toBe(true)
    expect(ward.system.stats()).toMatchObject({ restarts: 0, held: 1 })
  })

  test('G11 an actor whose definition says nothing is restarted after every failure, without a limit', async () => {
    const ward = await wardOf(way, { actors: [plain] })
    const ref = ward.system.actor(plain, 'a')
    for (let n = 0; n < 200; n += 1) expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.note({ text: 'alive' }))).toBe(1)
    expect(ward.system.stats()).toMatchObject({ restarts: 200, held: 0 })
  })

  test('G11 what the system says counts for definitions that say nothing, and for no others', async () => {
    const ward = await wardOf(way, { actors: [plain, twice], supervision: { actors: { maxRestarts: 1, withinMs: 1_000 } } })
    for (const definition of [plain, twice]) {
      await ward.outcome(ward.system.actor(definition, 'a').ask.poison({}))
      await ward.outcome(ward.system.actor(definition, 'a').ask.poison({}))
    }
    expect(await isHeld(ward, plain)).toBe(true)
    expect(await isHeld(ward, twice)).toBe(false)
  })

  test.each([
    ['a crash of the process', (ward: Ward) => ward.crash()],
    ['the death of the threads', (ward: Ward) => ward.crashThreads()],
    [
      'closing and opening',
      async (ward: Ward) => {
        await ward.now(ward.system.close())
        await ward.open()
      },
    ],
  ] as const)('G2 G11 the window is kept over %s', async (_title, strike) => {
    const ward = await wardOf(way, { actors: [twice] })
    await failAt(ward, twice, [0, 9_000, 11_000], () => strike(ward))
    await strike(ward)
    expect(await isHeld(ward, twice)).toBe(false)
    await failAt(ward, twice, [18_000])
    expect(await isHeld(ward, twice)).toBe(true)
    await strike(ward)
    await ward.pass(600_000)
    expect(await isHeld(ward, twice)).toBe(true)
  })

  test('G2 G11 the window is kept while the actor is out of memory', async () => {
    const ward = await wardOf(way, { actors: [brief] })
    await failAt(ward, brief, [0, 9_000, 11_000], () => ward.pass(1_000))
    await ward.pass(1_000)
    expect(ward.system.stats().residentActors).toBe(0)
    await failAt(ward, brief, [18_000])
    expect(await isHeld(ward, brief)).toBe(true)
  })

  test('G11 each actor has a window of its own', async () => {
    const ward = await wardOf(way, { actors: [once] })
    const keys = ['a', 'b', 'c', 'd']
    for (const key of keys) expect(await ward.outcome(ward.system.actor(once, key).ask.poison({}))).toBe('COMMAND_FAILED')
    for (const key of keys) expect(await isHeld(ward, once, key)).toBe(false)
    await ward.outcome(ward.system.actor(once, 'b').ask.poison({}))
    expect(await Promise.all(keys.map((key) => ward.outcome(ward.system.actor(once, key).ask.notes())))).toEqual([
      [],
      'ACTOR_QUARANTINED',
      [],
      [],
    ])
  })

  test('G11 several failures of one batch count one by one, and those who wait behind the last one are refused', async () => {
    const ward = await wardOf(way, { actors: [twice] })
    const ref = ward.system.actor(twice, 'a')
    const asked = [ref.ask.poison({}), ref.ask.note({ text: '1' }), ref.ask.poison({}), ref.ask.poison({}), ref.ask.note({ text: '2' })]
    expect(await Promise.all(asked.map((ask) => ward.outcome(ask)))).toEqual([
      'COMMAND_FAILED',
      1,
      'COMMAND_FAILED',
      'COMMAND_FAILED',
      'ACTOR_QUARANTINED',
    ])
  })

  test('G11 the tap tells each restart with its cause and how many failures are in the window', async () => {
    const ward = await wardOf(way, { actors: [twice] })
    await failAt(ward, twice, [0, 9_000, 11_000, 18_000])
    await ward.quiet()
    expect(
      ward.toldOf('actor.restarted').map(({ actor, because, failures, backoffMs }) => ({ actor, because, failures, backoffMs })),
    ).toEqual([
      { actor: 'twice/a', because: 'poison', failures: 1, backoffMs: 0 },
      { actor: 'twice/a', because: 'poison', failures: 2, backoffMs: 0 },
      { actor: 'twice/a', because: 'poison', failures: 2, backoffMs: 0 },
    ])
    expect(ward.toldOf('actor.quarantined')).toMatchObject([{ actor: 'twice/a', error: { code: 'COMMAND_FAILED' } }])
    expect(ward.system.stats()).toMatchObject({ restarts: 3, held: 1 })
  })

  test('G11 a commit that fails in the batch of a failure takes the failure back with it', async () => {
    const ward = await wardOf(way, { actors: [once] })
    const ref = ward.system.actor(once, 'a')
    await ward.now(ref.tell.poison({}, { delayMs: 1_000 }))
    await ward.pass(900)
    ward.world.disk.failCommits('full')
    await ward.pass(5_000)
    ward.world.disk.failCommits(undefined)
    await ward.pass(2_000)
    // It was tried again and again; what counts is the one time that was written.
    expect(await isHeld(ward, once)).toBe(false)
    expect((await ward.now(ward.system.deadLetters.list())).length).toBe(1)
    expect(ward.toldOf('actor.restarted').map(({ failures }) => failures)).toEqual([1])
    expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    expect(await isHeld(ward, once)).toBe(true)
  })

  test('G1 G11 a failure whose batch cannot be written exhausts nobody', async () => {
    const ward = await wardOf(way, { actors: [never] })
    const ref = ward.system.actor(never, 'a')
    await ward.now(ref.ask.note({ text: '1' }))
    ward.world.disk.failCommits('full')
    const asked = [ref.ask.note({ text: '2' }), ref.ask.poison({}), ref.ask.note({ text: '3' })].map((ask) => follow(ask))
    await ward.pass(100)
    const outcomes = asked.map((answer) => answer())
    expect(outcomes[0]).toBe('STORE_UNAVAILABLE')
    expect(outcomes[2]).not.toBe('pending')
    ward.world.disk.failCommits(undefined)
    await ward.pass(3_000)
    await ward.crash()
    // Whoever was told that it failed can rely on what follows from it; else nothing has happened.
    const wasWritten = outcomes[1] === 'COMMAND_FAILED'
    expect(await isHeld(ward, never)).toBe(wasWritten)
    expect((await ward.now(ward.system.actor(never, 'a').snapshot())).context.notes).toEqual(['1'])
  })
})

test('G11 a definition may give up exactly after the restarts that it allows, whatever the number', async () => {
  for (const maxRestarts of [0, 1, 2, 3, 7]) {
    const patient = patientOf('counted', { supervision: { maxRestarts, withinMs: 60_000 } })
    const ward = await wardOf(WAYS[0] as (typeof WAYS)[0], { actors: [patient] })
    const outcomes: unknown[] = []
    for (let n = 0; n < maxRestarts + 2; n += 1) outcomes.push(await ward.outcome(ward.system.actor(patient, 'a').ask.poison({})))
    expect(outcomes).toEqual([...Array.from({ length: maxRestarts + 1 }, () => 'COMMAND_FAILED'), 'ACTOR_QUARANTINED'])
    expect(ward.system.stats().restarts).toBe(maxRestarts)
  }
})
