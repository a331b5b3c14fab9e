/** The tap on real threads, and the channel on which the process offers it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { TapEvent } from '@bailiwick/kernel'
import { driven } from '../fixtures/driven.actor.ts'
import { ledger } from '../fixtures/ledger.actor.ts'
import { makePlace, until } from '../fixtures/place.ts'
import { probe } from '../fixtures/probe.actor.ts'

const CHANNEL = 'bailiwick:tap'

/** Everything that is published on the channel until the test ends. */
function watchChannel(): readonly TapEvent[] {
  const events: TapEvent[] = []
  const onEvent = (event: unknown): void => void events.push(event as TapEvent) // As the channel is documented.
  subscribe(CHANNEL, onEvent)
  onTestFinished(() => void unsubscribe(CHANNEL, onEvent))
  return events
}

describe('on real threads', () => {
  test('the events of all shards are one stream, in which each shard’s are in order', async () => {
    const { open } = makePlace()
    const system = await open({ shards: 3 })
    const events: TapEvent[] = []
    system.tap((event) => events.push(event))
    await Promise.all(
      Array.from({ length: 30 }, async (_none, index) => {
        for (let n = 1; n <= 10; n += 1) await system.actor(ledger, `k${index}`).ask.enter({ sender: 's', n })
      }),
    )
    const handled = (): readonly TapEvent[] => events.filter(({ kind }) => kind === 'command.handled')
    await until(
      () => handled().length,
      (count) => count === 300,
    )
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_event, index) => index + 1))
    expect(new Set(handled().map(({ shard }) => shard))).toEqual(new Set([0, 1, 2]))
    for (let index = 0; index < 30; index += 1) {
      const revisions = events.flatMap((event) =>
        event.kind === 'command.handled' && event.actor === `ledger/k${index}` ? [event.revision] : [],
      )
      expect(revisions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    }
  })

  test('G1 an event is told after its commit: a reader that hears it finds its state', async () => {
    const { open } = makePlace()
    const system = await open()
    const seen: Promise<number>[] = []
    system.tap(
      () =>
        seen.push(
          system
            .actor(probe, 'a')
            .ask.marks()
            .then(({ length }) => length),
        ),
      { kinds: ['batch.committed'] },
    )
    await system.actor(probe, 'a').ask.mark({ text: 'x' })
    await until(
      () => seen.length,
      (count) => count > 0,
    )
    expect(await seen[0]).toBe(1)
  })

  test('G7 a turn that is stolen from tells so', async () => {
    const { open, file } = makePlace()
    const system = await open({ actors: [driven] })
    const kinds: string[] = []
    system.tap((event) => kinds.push('turn' in event ? `${event.kind} ${event.turn}` : event.kind), { kinds: ['turn.*'] })
    const script = { log: file('log'), stepMs: 10, end: 'ok', manner: 'return' } as const
    const ref = system.actor(driven, 'a')
    const worker = ref.ask.worker({ ...script, op: 1, rank: 1, steps: 200 })
    await until(
      () => kinds.length,
      (count) => count > 0,
    )
    await ref.ask.handler({ ...script, op: 2, rank: 0, steps: 1 })
    await ref.cancelTurn(1)
    await worker.catch(() => undefined)
    await until(
      () => kinds,
      (seen) => seen.some((kind) => kind.startsWith('turn.parked')) && seen.filter((kind) => kind.startsWith('turn.ended')).length === 2,
    )
    expect(kinds[0]).toMatch(/^turn\.started/)
    expect(kinds.findIndex((kind) => kind.startsWith('turn.interrupted'))).toBeLessThan(
      kinds.findIndex((kind) => kind.startsWith('turn.parked')),
    )
  })
})

describe('the channel bailiwick:tap', () => {
  test('has every event from the opening on, for one that subscribes before', async () => {
    const events = watchChannel()
    const { open } = makePlace()
    const system = await open({ shards: 2 })
    await system.actor(probe, 'a').ask.mark({ text: 'x' })
    await until(
      () => events.map(({ kind }) => kind),
      (kinds) => kinds.includes('batch.committed'),
    )
    expect(events.filter(({ kind }) => kind === 'shard.started')).toHaveLength(2)
    expect(events.find(({ kind }) => kind === 'command.handled')).toMatchObject({ version: 1, actor: 'probe/a', command: 'mark' })
  })

  test('is noticed within a second or so by a system that is open', async () => {
    const { open } = makePlace()
    const system = await open()
    await system.actor(probe, 'a').ask.mark({ text: 'x' })
    const events = watchChannel()
    await until(
      async () => {
        await system.actor(probe, 'a').ask.mark({ text: 'y' })
        return events.length
      },
      (count) => count > 0,
      5_000,
    )
    expect(new Set(events.map(({ version }) => version))).toEqual(new Set([1]))
  })

  test('has what listeners get, and ends with its subscribers', async () => {
    const { open } = makePlace()
    const system = await open()
    const published: unknown[] = []
    const onEvent = (event: unknown): void => void published.push(event)
    subscribe(CHANNEL, onEvent)
    const heard: TapEvent[] = []
    system.tap((event) => heard.push(event))
    await system.actor(probe, 'a').ask.mark({ text: 'x' })
    await until(
      () => heard.map(({ kind }) => kind),
      (kinds) => kinds.includes('batch.committed'),
    )
    unsubscribe(CHANNEL, onEvent)
    expect(published).toEqual(heard.slice(0, published.length))
    const count = published.length
    await system.actor(probe, 'a').ask.mark({ text: 'y' })
    await until(
      () => heard.length,
      (length) => length > count,
    )
    expect(published).toHaveLength(count)
  })
})
