/** Held actors: seen, released and held by hand, over all shards. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { System } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { codeOf } from '../fixtures/place.ts'
import { ledger } from '../fixtures/ledger.actor.ts'
import { probe } from '../fixtures/probe.actor.ts'

const KEYS = ['a', 'b', 'c', 'd']

async function setUp(shards: number): Promise<{ readonly world: TestWorld; readonly system: System }> {
  const world = new TestWorld({ shards })
  onTestFinished(() => world.close())
  return { world, system: await world.open({ actors: [probe, ledger], supervision: { actors: { maxRestarts: 0 } } }) }
}

describe.each([1, 3])('G11 held actors on %i shards', (shards) => {
  test('are listed with what they failed of, those held latest first', async () => {
    const { world, system } = await setUp(shards)
    await system.actor(probe, 'a').ask.mark({ text: 'kept' })
    const times: number[] = []
    for (const key of KEYS) {
      times.push(world.clock.wall())
      expect(await codeOf(system.actor(probe, key).ask.boom())).toBe('COMMAND_FAILED')
      await world.advance(10)
    }
    const held = await system.quarantine.list()
    expect(held.map(({ actor }) => actor)).toEqual(KEYS.toReversed().map((key) => `probe/${key}`))
    expect(held.at(-1)).toEqual({
      shard: expect.any(Number) as number,
      type: 'probe',
      key: 'a',
      actor: 'probe/a',
      mode: 'quarantined',
      reason: expect.stringContaining('the guard threw') as string,
      error: { code: 'COMMAND_FAILED', message: expect.stringContaining('the guard threw') as string },
      command: 'boom',
      revision: 1,
      at: times[0],
      failures: [times[0]],
      waiting: 0,
    })
    expect(system.stats().held).toBe(4)
    expect(await system.quarantine.list({ limit: 2 })).toEqual(held.slice(0, 2))
    expect(await system.quarantine.list({ definition: ledger })).toEqual([])
    expect(await system.quarantine.list({ type: 'probe', key: 'b' })).toEqual(held.filter(({ key }) => key === 'b'))
    expect(await system.quarantine.list({ definition: probe, key: 'b' })).toHaveLength(1)
  })

  test('go on where they were once they are released: one, some, or all of them', async () => {
    const { world, system } = await setUp(shards)
    for (const key of KEYS) await codeOf(system.actor(probe, key).ask.boom())
    expect(await codeOf(system.actor(probe, 'a').ask.mark({ text: 'x' }))).toBe('ACTOR_QUARANTINED')
    await system.actor(probe, 'a').tell.mark({ text: 'waits' })
    expect(await system.quarantine.release({ definition: probe, key: 'a' })).toBe(1)
    expect(await system.quarantine.release({ definition: probe, key: 'a' })).toBe(0)
    await world.clock.settle()
    expect(await system.actor(probe, 'a').ask.marks()).toEqual(['waits'])
    expect(await system.quarantine.release({ type: 'probe', limit: 2 })).toBe(2)
    expect(await system.quarantine.list()).toHaveLength(1)
    expect(await system.quarantine.release({})).toBe(1)
    expect(await system.quarantine.list()).toEqual([])
    expect(system.stats().held).toBe(0)
  })

  test('may be held by hand, with a reason that everybody hears, also over a restart', async () => {
    const { world, system } = await setUp(shards)
    await system.actor(ledger, ['eu', '1']).ask.enter({ sender: 's', n: 1 })
    expect(await system.quarantine.hold(ledger, ['eu', '1'], { reason: 'under repair' })).toBe(true)
    expect(await system.quarantine.hold(ledger, ['eu', '1'], { reason: 'again' })).toBe(false)
    const refused = system.actor(ledger, ['eu', '1']).ask.enter({ sender: 's', n: 2 })
    await expect(refused).rejects.toMatchObject({ code: 'ACTOR_QUARANTINED', actor: 'ledger/["eu","1"]', reason: 'under repair' })
    world.crash()
    const again = await world.open({ actors: [probe, ledger] })
    const expected = { actor: 'ledger/["eu","1"]', reason: 'under repair', error: undefined, command: undefined, failures: [] }
    expect(await again.quarantine.list()).toMatchObject([expected])
    expect(await again.quarantine.release({ definition: ledger, key: ['eu', '1'] })).toBe(1)
    expect(await again.actor(ledger, ['eu', '1']).ask.enter({ sender: 's', n: 2 })).toBe(2)
  })
})

describe('a choice of held actors', () => {
  test.each([
    ['nothing', undefined, ''],
    ['a list', [], ''],
    ['a misspelt field', { typ: 'probe' }, 'typ'],
    ['a key without its type', { key: 'a' }, 'key'],
    ['a type that is not that of the definition', { definition: probe, type: 'ledger' }, 'type'],
    ['a type that is no name', { type: 7 }, 'type'],
    ['a limit of nothing', { limit: 0 }, 'limit'],
  ])('is refused by name if it is %s, and nobody is released', async (_what, filter, field) => {
    const { system } = await setUp(1)
    await codeOf(system.actor(probe, 'a').ask.boom())
    // What does not compile is what programs without types do.
    await expect(system.quarantine.release(filter as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    expect(await system.quarantine.list()).toHaveLength(1)
  })

  test.each([
    ['no options', undefined, 'options'],
    ['no reason', {}, 'reason'],
    ['an empty one', { reason: '' }, 'reason'],
    ['a misspelt option', { reason: 'x', because: 'y' }, 'because'],
  ])('needs a reason to hold one: %s is refused', async (_what, options, field) => {
    const { system } = await setUp(1)
    await expect(system.quarantine.hold(probe, 'a', options as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', field })
    expect(await system.quarantine.list()).toEqual([])
  })

  test('gets SystemClosed from a system that is closed', async () => {
    const { world, system } = await setUp(1)
    void system.close({ timeoutMs: 0 })
    await world.advance(1)
    expect(await codeOf(system.quarantine.list())).toBe('SYSTEM_CLOSED')
    expect(await codeOf(system.compact())).toBe('SYSTEM_CLOSED')
    expect(await codeOf(system.backup('/tmp/never'))).toBe('SYSTEM_CLOSED')
  })
})
