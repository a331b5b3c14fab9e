/** Actors that are given up when they fail too often: what waits and what comes is refused, and kept as dead letters. */
import { describe, expect, test } from 'vitest'
import { ActorStopped } from '@bailiwick/kernel'
import { outside, patientOf } from './patients.ts'
import { follow, keyOn, WAYS, wardOf } from './ward.ts'
import type { Ward } from './ward.ts'

const frail = patientOf('frail', { supervision: { maxRestarts: 0, onExhausted: 'stop' } })
const weary = patientOf('weary', { supervision: { maxRestarts: 1, backoff: { minMs: 1_000, jitter: 0 }, onExhausted: 'stop' } })
const patient = patientOf('patient')
const actors = [frail, weary, patient]

const text = (words: string): { readonly text: string } => ({ text: words })

async function stop(ward: Ward): Promise<void> {
  await ward.outcome(ward.system.actor(frail, 'a').ask.poison(text('bad blood')))
  await ward.quiet()
}

describe.each(WAYS)('$title', (way) => {
  test('G11 asks and tells of a stopped actor get ActorStopped, and it stays so over crashes', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(frail, 'a').ask.note(text('1')))
    await stop(ward)
    for (const strike of [() => Promise.resolve(), () => ward.crash(), () => ward.crashThreads()]) {
      await strike()
      const ref = ward.system.actor(frail, 'a')
      const error: unknown = await ward.now(ref.ask.note(text('x')).catch((error_: unknown) => error_))
      expect(error).toBeInstanceOf(ActorStopped)
      expect(error).toMatchObject({
        code: 'ACTOR_STOPPED',
        actor: 'frail/a',
        reason: expect.stringContaining('bad blood') as string,
        retryable: false,
      })
      const calls = [
        ref.ask.notes(),
        ref.ask.work(text('x')),
        ref.tell.note(text('x')),
        ref.tell.work(text('x')),
        ref.lease('pen').acquire({ owner: 'me' }),
      ]
      expect(await Promise.all(calls.map((call) => ward.outcome(call)))).toEqual(calls.map(() => 'ACTOR_STOPPED'))
      expect(await ward.now(ref.snapshot())).toMatchObject({ context: { notes: ['1'] } })
    }
    expect(await ward.now(ward.system.quarantine.list())).toMatchObject([
      { actor: 'frail/a', mode: 'stopped', error: { code: 'COMMAND_FAILED' } },
    ])
    expect(await ward.now(ward.system.deadLetters.list())).toEqual([])
    expect(ward.system.stats().held).toBe(1)
    expect(await ward.outcome(ward.system.actor(frail, 'b').ask.note(text('x')))).toBe(1)
  })

  test('G3 G11 what waits for it ends at once: asks are refused, tells become dead letters', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(weary, 'a')
    await ward.outcome(ref.ask.poison({}))
    await ward.now(ref.tell.poison({}))
    for (const n of ['1', '2']) await ward.now(ref.tell.note(text(n)))
    const asked = follow(ref.ask.note(text('3')))
    const turned = follow(ref.ask.work(text('4')))
    await ward.pass(1_000)
    expect([asked(), turned()]).toEqual(['ACTOR_STOPPED', 'ACTOR_STOPPED'])
    const letters = await ward.now(ward.system.deadLetters.list())
    const lines = letters.map(({ command, error, input }) => `${command} ${error.code} ${(input as { readonly text: string }).text}`) // What was sent.
    expect(lines.toSorted()).toEqual(['note ACTOR_STOPPED 1', 'note ACTOR_STOPPED 2', 'poison COMMAND_FAILED poisoned'])
    // The latest first.
    const kept = await ward.now(ward.system.deadLetters.list({ command: 'note' }))
    expect(kept.map(({ input }) => input)).toEqual([text('2'), text('1')])
    await ward.crash()
    await ward.pass(60_000)
    expect(await ward.now(ward.system.deadLetters.list())).toHaveLength(3)
    // Released and replayed, they are handled after all.
    expect(await ward.now(ward.system.quarantine.release({ definition: weary }))).toBe(1)
    expect(await ward.now(ward.system.deadLetters.replay({ command: 'note' }))).toBe(2)
    await ward.pass(1_000)
    expect((await ward.now(ward.system.actor(weary, 'a').snapshot())).context.notes.toSorted()).toEqual(['1', '2'])
  })

  test('G5 G11 dead letters of a stopped actor are replayed in their order', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(weary, 'a')
    await ward.outcome(ref.ask.poison({}))
    await ward.now(ref.tell.poison({}))
    for (const n of ['1', '2', '3']) await ward.now(ref.tell.note(text(n)))
    await ward.pass(1_000)
    expect(await ward.now(ward.system.quarantine.release({}))).toBe(1)
    expect(await ward.now(ward.system.deadLetters.replay({ command: 'note' }))).toBe(3)
    await ward.pass(1_000)
    expect((await ward.now(ref.snapshot())).context.notes).toEqual(['1', '2', '3'])
  })

  test('G3 G11 postponed tells of a stopped actor become dead letters', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(frail, 'a')
    await ward.now(ref.ask.shut())
    await ward.now(ref.tell.later(text('1')))
    const postponed = follow(ref.ask.later(text('2')))
    await ward.quiet()
    await stop(ward)
    expect(postponed()).toBe('ACTOR_STOPPED')
    expect(await ward.now(ward.system.deadLetters.list())).toMatchObject([{ command: 'later', error: { code: 'ACTOR_STOPPED' } }])
  })

  test('G3 G11 messages of other actors become dead letters, and their requests are refused', async () => {
    const ward = await wardOf(way, { actors })
    await stop(ward)
    const to = { type: 'frail', key: 'a' }
    for (const shard of [0, 1]) {
      const ref = ward.system.actor(patient, keyOn('patient', shard, way.shards))
      await ward.now(ref.ask.send({ to, command: 'note', input: text(`from ${shard}`) }))
      await ward.now(ref.ask.inquire({ to, command: 'note', input: text('x') }))
      await ward.pass(1_000)
      expect((await ward.now(ref.ask.heard())).at(-1)).toMatchObject({ type: 'refused', error: { code: 'ACTOR_STOPPED' } })
    }
    expect(
      (await ward.now(ward.system.deadLetters.list())).map(({ error, source }) => [error.code, source?.startsWith('patient/')]),
    ).toEqual([
      ['ACTOR_STOPPED', true],
      ['ACTOR_STOPPED', true],
    ])
    expect(ward.system.stats().outbox).toBe(0)
  })

  test('G3 G11 messages and requests that were on their way when it stopped end the same way', async () => {
    const ward = await wardOf(way, { actors })
    const to = { type: 'weary', key: 'a' }
    const ref = ward.system.actor(weary, 'a')
    const sender = ward.system.actor(patient, keyOn('patient', 1, way.shards))
    await ward.outcome(ref.ask.poison({}))
    await ward.now(ref.tell.poison({}))
    await ward.now(sender.ask.send({ to, command: 'note', input: text('1') }))
    await ward.now(sender.ask.inquire({ to, command: 'note', input: text('2') }))
    await ward.pass(2_000)
    expect(await ward.now(sender.ask.heard())).toMatchObject([{ type: 'refused', error: { code: 'ACTOR_STOPPED' } }])
    expect(await ward.now(ward.system.deadLetters.list({ command: 'note' }))).toMatchObject([
      { error: { code: 'ACTOR_STOPPED' }, source: sender.address },
    ])
  })

  test('G9 G11 timers of a stopped actor wait for its release', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(frail, 'a').ask.set({ name: 't', delayMs: 1_000 }))
    await stop(ward)
    await ward.pass(3_600_000)
    await ward.crash()
    await ward.pass(3_600_000)
    expect(outside.handled).toEqual([])
    expect(await ward.now(ward.system.quarantine.release({}))).toBe(1)
    await ward.pass(1_000)
    expect(outside.handled).toEqual(['a tick'])
    expect(await ward.outcome(ward.system.actor(frail, 'a').ask.note(text('1')))).toBe(1)
  })

  test('G11 the tap tells of the stop, and of the release', async () => {
    const ward = await wardOf(way, { actors })
    await stop(ward)
    await ward.now(ward.system.quarantine.release({}))
    await ward.quiet()
    expect(ward.toldOf('actor.stopped')).toMatchObject([{ actor: 'frail/a', error: { code: 'COMMAND_FAILED' } }])
    expect(ward.toldOf('actor.quarantined')).toEqual([])
    expect(ward.toldOf('actor.released')).toMatchObject([{ actor: 'frail/a' }])
  })
})
