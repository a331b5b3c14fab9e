/** What one actor cannot do must not hold up another: broken actors, unknown types, state that cannot be written. */
import { afterEach, describe, expect, test } from 'vitest'
import { command, defineActor, query } from '@bailiwick/kernel'
import { fromCallback, setup } from 'xstate'
import { TestWorld } from '../src/index.ts'
import { codeOf } from './code-of.ts'
import { counter, journal } from './fixtures.ts'

const worlds: TestWorld[] = []

function makeWorld(): TestWorld {
  const world = new TestWorld()
  worlds.push(world)
  journal.length = 0
  return world
}

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const alarmMachine = setup({ types: { events: {} as { readonly type: 'arm' } } }).createMachine({
  initial: 'off',
  states: { off: { on: { arm: 'on' } }, on: { after: { 5_000: 'rung' } }, rung: { entry: () => journal.push('alarm rung') } },
})
const alarmCommands = { arm: command(), state: query({ reply: ({ value }: { readonly value: unknown }) => JSON.stringify(value) }) }
const alarm = defineActor({ type: 'alarm', module: import.meta.url, logic: alarmMachine, commands: alarmCommands })

/** The same actor, said to be newer. */
const newer = defineActor({ type: 'alarm', module: import.meta.url, logic: alarmMachine, commands: alarmCommands, version: 2 })

/** Its child keeps a state that JSON cannot carry. */
const poison = defineActor({
  type: 'poison',
  module: import.meta.url,
  logic: setup({
    types: { events: {} as { readonly type: 'take' } },
    actors: { child: fromCallback<{ readonly type: 'x' }, { readonly big: bigint }>(() => undefined) },
  }).createMachine({
    initial: 'clean',
    states: { clean: { on: { take: 'spoiled' } }, spoiled: { invoke: { src: 'child', input: { big: 1n } } } },
  }),
  commands: { take: command(), state: query({ reply: ({ value }) => value }) },
})

describe('a timer that is due', () => {
  test('G9 G11 of an actor that cannot be activated holds up no other, and fires once it can', async () => {
    const world = makeWorld()
    const before = await world.open({ actors: [counter, alarm] })
    await before.actor(alarm, 'a').ask.arm()
    world.crash()
    // Nothing leads from version 1 to version 2.
    const system = await world.open({ actors: [counter, newer] })
    await system.actor(counter, 'c').ask.arm()
    await world.advance(70_000)
    expect(journal).toEqual(['rung'])
    expect(system.stats().stranded).toBe(1)
    expect(await codeOf(system.actor(newer, 'a').ask.state())).toBe('NO_MIGRATION')
    world.crash()
    const repaired = await world.open({ actors: [counter, alarm] })
    await world.advance(10)
    expect(await repaired.actor(alarm, 'a').ask.state()).toBe('"rung"')
    expect(repaired.stats().stranded).toBe(0)
  })

  test('G9 of a type that is not known waits in the store, without keeping the shard busy', async () => {
    const world = makeWorld()
    await (await world.open({ actors: [counter, alarm] })).actor(alarm, 'a').ask.arm()
    world.crash()
    const system = await world.open({ actors: [counter] })
    await system.actor(counter, 'c').ask.arm()
    await world.advance(70_000)
    expect(journal).toEqual(['rung'])
    expect(system.stats().stranded).toBe(1)
  })
})

describe('an actor with urgent work', () => {
  test('G6 leaves no empty place behind that would use up the turn of others', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [counter], limits: { batchCommands: 1 } })
    const answered: string[] = []
    const send = async (key: string, priority: 'urgent' | 'normal'): Promise<void> => {
      await system.actor(counter, key).ask.add({ n: 1 }, { priority })
      answered.push(`${key} ${priority}`)
    }
    const busy = ['a', 'b', 'c', 'd']
    const sent = [...busy.map((key) => send(key, 'normal')), send('patient', 'normal')]
    for (let round = 0; round < 100; round += 1) sent.push(...busy.map((key) => send(key, 'urgent')))
    await Promise.all(sent)
    // The turn of the normal lane comes after 64 urgent commands, and the first in it that has nothing urgent is the patient one.
    expect(answered.indexOf('patient normal')).toBe(64)
  })
})

describe('a state that cannot be written', () => {
  test('G4 G11 fails the one command that led to it, and nobody else of the batch', async () => {
    const world = makeWorld()
    const system = await world.open({ actors: [counter, poison] })
    const outcomes = await Promise.all([
      codeOf(system.actor(counter, 'a').ask.add({ n: 1 })),
      codeOf(system.actor(poison, 'p').ask.take()),
      codeOf(system.actor(counter, 'b').ask.add({ n: 2 })),
    ])
    expect(outcomes).toEqual([1, 'NOT_SERIALIZABLE', 2])
    expect(await system.actor(poison, 'p').ask.state()).toBe('clean')
  })
})
