/** Actors that belong together: who is restarted, and who is held, with whom. */
import { describe, expect, test } from 'vitest'
import type { GroupOptions, SupervisionOptions } from '@bailiwick/kernel'
import { outside, patientOf } from './patients.ts'
import type { Patient } from './patients.ts'
import { keysApart, shardOf, WAYS, wardOf } from './ward.ts'
import type { Ward, Way } from './ward.ts'

const TYPES = ['first', 'second', 'third'] as const

type Strategy = GroupOptions['strategy']

const text = (words: string): { readonly text: string } => ({ text: words })

/** Whom a failure of the second reaches beside itself. */
const REACHED: Readonly<Record<Strategy, readonly string[]>> = {
  'one-for-one': [],
  'one-for-all': ['first', 'third'],
  'rest-for-one': ['third'],
}

/** Three types of a group, one that is of another, and one of none; and a key whose actors are on as many shards as there are. */
async function groupOn(way: Way, strategy: Strategy, supervision: SupervisionOptions = {}) {
  const definitions: readonly Patient[] = TYPES.map((type) =>
    patientOf(type, { supervision: { ...supervision, group: { name: 'desk', strategy } } }),
  )
  const [first, second, third] = definitions
  if (first === undefined || second === undefined || third === undefined) throw new Error('There are three.')
  const other: Patient = patientOf('other', { supervision: { ...supervision, group: { name: 'another', strategy } } })
  const alone: Patient = patientOf('alone', { supervision })
  const actors = [other, first, second, third, alone]
  const ward = await wardOf(way, { actors })
  return { ward, first, second, third, actors, key: keysApart(TYPES, way.shards) }
}

type Group = Awaited<ReturnType<typeof groupOn>>

/** Gives every actor of two keys a child. */
async function tendAll({ ward, actors, key }: Group): Promise<void> {
  for (const definition of actors) for (const name of [key, 'elsewhere']) await ward.now(ward.system.actor(definition, name).ask.tend())
  await ward.until('all children are there', () => outside.children.length === actors.length * 2)
}

/** What an actor answers to a question, with patience for messages between shards. */
async function answers({ ward }: Group, definition: Patient, key: string): Promise<unknown> {
  return await ward.outcome(ward.system.actor(definition, key).ask.notes())
}

/** Whose restarts the tap has told, without those that failed themselves. */
function followersOf(ward: Ward): readonly string[] {
  return ward
    .toldOf('actor.restarted')
    .filter(({ because }) => because === undefined)
    .map(({ actor }) => actor)
    .toSorted()
}

describe.each(WAYS)('$title', (way) => {
  describe.each(Object.keys(REACHED) as Strategy[])('%s', (strategy) => {
    test(`G11 a restart of one restarts ${REACHED[strategy].join(' and ') || 'nobody else'}`, async () => {
      const group = await groupOn(way, strategy)
      const { ward, second, key } = group
      await tendAll(group)
      expect(await ward.outcome(ward.system.actor(second, key).ask.poison({}))).toBe('COMMAND_FAILED')
      await ward.pass(10)
      expect(followersOf(ward)).toEqual(REACHED[strategy].map((type) => `${type}/${key}`))
      for (const definition of group.actors) await answers(group, definition, key)
      await ward.quiet()
      const again = 1 + REACHED[strategy].length
      expect(outside.children.filter(({ isStopped }) => isStopped)).toHaveLength(again)
      expect(outside.children).toHaveLength(group.actors.length * 2 + again)
      expect(outside.children.filter(({ self }) => self === 'elsewhere')).toHaveLength(group.actors.length)
      expect(outside.children.filter(({ self, isStopped }) => self === key && !isStopped)).toHaveLength(group.actors.length)
    })

    test('G11 it is no failure of those that are restarted with it', async () => {
      const group = await groupOn(way, strategy, { maxRestarts: 2, withinMs: 60_000 })
      const { ward, second, first, third, key } = group
      for (const definition of [first, third]) await ward.now(ward.system.actor(definition, key).ask.note(text('x')))
      for (let round = 0; round < 2; round += 1) {
        await ward.outcome(ward.system.actor(second, key).ask.poison({}))
        await ward.pass(10)
      }
      // They have failed never, and may still fail twice.
      for (const definition of [first, third]) {
        if (strategy !== 'one-for-one' && definition === first) continue
        for (let round = 0; round < 2; round += 1) {
          expect(await ward.outcome(ward.system.actor(definition, key).ask.poison({}))).toBe('COMMAND_FAILED')
          await ward.pass(10)
        }
        expect(await answers(group, definition, key)).toEqual(['x'])
      }
      expect(await ward.now(ward.system.quarantine.list())).toEqual([])
    })

    test.each(['quarantine', 'stop'] as const)('G11 exhausted with %s, it takes the same ones with it', async (onExhausted) => {
      const group = await groupOn(way, strategy, { maxRestarts: 0, onExhausted })
      const { ward, second, key } = group
      for (const definition of group.actors) await ward.now(ward.system.actor(definition, key).ask.note(text('x')))
      await ward.outcome(ward.system.actor(second, key).ask.poison(text('bad blood')))
      await ward.pass(100)
      const mode = onExhausted === 'stop' ? 'stopped' : 'quarantined'
      const code = onExhausted === 'stop' ? 'ACTOR_STOPPED' : 'ACTOR_QUARANTINED'
      const heldOnes = ['second', ...REACHED[strategy]].toSorted()
      for (const strike of [() => Promise.resolve(), () => ward.crash()]) {
        await strike()
        await ward.pass(100)
        const held = await ward.now(ward.system.quarantine.list())
        expect(held.map((one) => `${one.actor} ${one.mode}`).toSorted()).toEqual(heldOnes.map((type) => `${type}/${key} ${mode}`))
        for (const { type, reason } of held) if (type !== 'second') expect(reason).toContain(`second/${key}`)
        for (const definition of group.actors) {
          expect(await answers(group, definition, key)).toEqual(heldOnes.includes(definition.type) ? code : ['x'])
          expect(await answers(group, definition, 'elsewhere')).toEqual([])
        }
      }
      expect(ward.system.stats().held).toBe(heldOnes.length)
      expect(await ward.now(ward.system.quarantine.release({}))).toBe(heldOnes.length)
      await ward.pass(100)
      for (const definition of group.actors) expect(await answers(group, definition, key)).toEqual(['x'])
    })
  })

  test('G11 the order for rest-for-one is that of the list with which the system is opened, not that of definition', async () => {
    const { ward, first, second, third, key } = await groupOn(way, 'rest-for-one')
    await ward.crash([third, first, second])
    for (const definition of [first, second, third]) await ward.now(ward.system.actor(definition, key).ask.note(text('x')))
    await ward.outcome(ward.system.actor(second, key).ask.poison({}))
    await ward.pass(10)
    expect(followersOf(ward)).toEqual([])
    // Who is not in memory has nothing to begin anew.
    await ward.now(ward.system.actor(second, key).ask.notes())
    await ward.outcome(ward.system.actor(third, key).ask.poison({}))
    await ward.pass(10)
    expect(followersOf(ward)).toEqual([`first/${key}`, `second/${key}`])
  })

  test('G4 G11 those that are restarted with it keep their state, their mailbox and what they wait for', async () => {
    const { ward, first, second, key } = await groupOn(way, 'one-for-all')
    const ref = ward.system.actor(first, key)
    await ward.now(ref.ask.note(text('1')))
    await ward.now(ref.ask.set({ name: 't', delayMs: 1_000 }))
    await ward.now(ref.ask.shut())
    await ward.now(ref.tell.later(text('2')))
    const calls = [ward.system.actor(second, key).ask.poison({}), ref.tell.later(text('3')), ref.ask.note(text('now'))]
    await Promise.all(calls.map((call) => ward.outcome(call)))
    await ward.pass(1_000)
    await ward.now(ref.ask.open())
    await ward.quiet()
    expect(await ward.now(ref.ask.notes())).toEqual(['1', 'now', '2', '3'])
    expect(outside.handled.filter((line) => line.endsWith(' tick'))).toHaveLength(1)
  })

  test('G2 G11 the others are held although the process dies as soon as the first one is', async () => {
    const { ward, second, key } = await groupOn(way, 'one-for-all', { maxRestarts: 0 })
    const places = new Set(TYPES.map((type) => shardOf(type, key, way.shards)))
    expect(places.size).toBe(way.shards)
    expect(await ward.outcome(ward.system.actor(second, key).ask.poison({}))).toBe('COMMAND_FAILED')
    await ward.crash()
    await ward.pass(5_000)
    const held = await ward.now(ward.system.quarantine.list())
    expect(held.map(({ type }) => type).toSorted()).toEqual([...TYPES].toSorted())
  })

  test('G11 an actor that was held with another is not held again by the same failure once it is released', async () => {
    const { ward, first, second, third, key } = await groupOn(way, 'one-for-all', { maxRestarts: 0 })
    await ward.outcome(ward.system.actor(second, key).ask.poison({}))
    await ward.pass(100)
    expect(await ward.now(ward.system.quarantine.release({ definition: first, key }))).toBe(1)
    await ward.crash()
    await ward.pass(5_000)
    expect(await ward.outcome(ward.system.actor(first, key).ask.note(text('x')))).toBe(1)
    expect(await ward.outcome(ward.system.actor(third, key).ask.note(text('x')))).toBe('ACTOR_QUARANTINED')
  })

  test('G11 those of a group that fail at the same time are held once each, and a release lets them go for good', async () => {
    const { ward, first, second, third, key } = await groupOn(way, 'one-for-all', { maxRestarts: 0 })
    await Promise.all([first, second, third].map((definition) => ward.outcome(ward.system.actor(definition, key).ask.poison({}))))
    await ward.pass(1_000)
    const held = await ward.now(ward.system.quarantine.list())
    expect(held.map(({ type }) => type).toSorted()).toEqual([...TYPES].toSorted())
    expect(await ward.now(ward.system.quarantine.release({}))).toBe(3)
    await ward.pass(1_000)
    expect(await ward.now(ward.system.quarantine.list())).toEqual([])
  })
})
