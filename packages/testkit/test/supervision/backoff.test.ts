/** How long an actor rests after a failure, and that nothing is tried again in a tight loop. */
import { describe, expect, test } from 'vitest'
import { waitedBetween } from './moments.ts'
import { outside, patientOf } from './patients.ts'
import { follow, WAYS, wardOf } from './ward.ts'

const steady = patientOf('steady', { supervision: { withinMs: 60_000, backoff: { minMs: 1_000, maxMs: 4_000, jitter: 0 } } })
const shaky = patientOf('shaky', { supervision: { withinMs: 600_000, backoff: { minMs: 1_000, maxMs: 1_000, jitter: 0.2 } } })
const plain = patientOf('patient', { supervision: { backoff: { jitter: 0 } } })
const capped = patientOf('capped', { supervision: { withinMs: 600_000, backoff: { maxMs: 300, jitter: 0 } } })
const actors = [steady, shaky, plain, capped]

const text = (words: string): { readonly text: string } => ({ text: words })

describe.each(WAYS)('$title', (way) => {
  test('G11 the wait doubles with each failure in the window, up to its maximum; commands wait meanwhile', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(steady, 'a')
    for (const waitMs of [1_000, 2_000, 4_000, 4_000]) {
      expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
      const asked = follow(ref.ask.note(text('x')))
      await ward.pass(waitMs - 1)
      expect(asked()).toBe('pending')
      await ward.pass(1)
      expect(asked()).toEqual(expect.any(Number))
    }
    await ward.quiet()
    expect(ward.toldOf('actor.restarted').map(({ backoffMs, failures }) => [failures, backoffMs])).toEqual([
      [1, 1_000],
      [2, 2_000],
      [3, 4_000],
      [4, 4_000],
    ])
  })

  test('G11 the wait begins anew when no failure lies in the window', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(steady, 'a')
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(1_000)
    await ward.outcome(ref.ask.poison({}))
    await ward.pass(60_001)
    await ward.outcome(ref.ask.poison({}))
    await ward.quiet()
    expect(ward.toldOf('actor.restarted').map(({ backoffMs }) => backoffMs)).toEqual([1_000, 2_000, 1_000])
  })

  test('G11 an ask that waits for a resting actor has its own timeout, and tells are accepted', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(steady, 'a')
    await ward.outcome(ref.ask.poison({}))
    const impatient = follow(ref.ask.note(text('impatient'), { timeoutMs: 500 }))
    expect(await ward.outcome(ref.tell.note(text('told')))).toEqual({ outcome: 'accepted' })
    await ward.pass(500)
    expect(impatient()).toBe('ASK_TIMEOUT')
    expect(outside.handled).toEqual([])
    await ward.pass(500)
    expect(outside.handled).toContain('a told')
  })

  test('G5 G11 what waited is handled in its order afterwards, the urgent first', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(steady, 'a')
    await ward.outcome(ref.ask.poison({}))
    for (const n of ['1', '2']) await ward.now(ref.tell.note(text(n)))
    await ward.now(ref.tell.note(text('urgent'), { priority: 'urgent' }))
    const asked = follow(ref.ask.note(text('3')))
    await ward.pass(999)
    expect(outside.handled).toEqual([])
    await ward.pass(1)
    expect(asked()).toBe(4)
    expect(outside.handled).toEqual(['a urgent', 'a 1', 'a 2', 'a 3'])
  })

  test('G11 while one actor rests, the others are served', async () => {
    const ward = await wardOf(way, { actors })
    await ward.outcome(ward.system.actor(steady, 'a').ask.poison({}))
    const resting = follow(ward.system.actor(steady, 'a').ask.notes())
    for (const key of ['b', 'c', 'd']) expect(await ward.outcome(ward.system.actor(steady, key).ask.note(text('x')))).toBe(1)
    expect(resting()).toBe('pending')
    await ward.pass(1_000)
    expect(resting()).toEqual([])
  })

  test('G11 the end of a resting shard loses nothing that waited', async () => {
    const ward = await wardOf(way, { actors })
    await ward.outcome(ward.system.actor(steady, 'a').ask.poison({}))
    for (const n of ['1', '2', '3']) await ward.now(ward.system.actor(steady, 'a').tell.note(text(n)))
    await ward.crash()
    await ward.pass(5_000)
    expect(await ward.outcome(ward.system.actor(steady, 'a').ask.notes())).toEqual(['1', '2', '3'])
  })

  test('G11 without a minimum a command that failed holds up nobody', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(plain, 'a')
    for (let n = 0; n < 10; n += 1) await ward.outcome(ref.ask.poison({}))
    expect(await ward.outcome(ref.ask.note(text('x')))).toBe(1)
    expect(ward.world.clock.elapsed()).toBe(0)
    expect(ward.toldOf('actor.restarted').every(({ backoffMs }) => backoffMs === 0)).toBe(true)
  })

  test('G9 G11 a timer whose event always throws is tried after waits of 100 ms and longer, never in a tight loop', async () => {
    const ward = await wardOf(way, { actors })
    outside.faulty.add('tick')
    await ward.now(ward.system.actor(plain, 'a').ask.set({ name: 't', delayMs: 50, everyMs: 50 }))
    const gaps = await waitedBetween(ward, 4_000)
    // Within the window of 5 s each wait is twice the one before.
    expect(gaps.length).toBeGreaterThanOrEqual(4)
    for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(100 * 2 ** index)
    outside.faulty.clear()
    await ward.pass(5_000)
    expect((await ward.now(ward.system.actor(plain, 'a').ask.heard())).length).toBeGreaterThan(0)
  })

  test('G11 the wait after such failures is capped, too', async () => {
    const ward = await wardOf(way, { actors })
    outside.faulty.add('tick')
    await ward.now(ward.system.actor(capped, 'a').ask.set({ name: 't', delayMs: 10, everyMs: 10 }))
    const gaps = await waitedBetween(ward, 3_000)
    expect(gaps.slice(0, 2).map((gap) => Math.round(gap / 10) * 10)).toEqual([100, 200])
    expect(gaps.length).toBeGreaterThan(6)
    for (const gap of gaps.slice(2)) expect(Math.abs(gap - 300)).toBeLessThanOrEqual(10)
  })

  test('G11 a child that breaks again and again is started in growing intervals, by itself', async () => {
    const ward = await wardOf(way, { actors })
    await ward.outcome(ward.system.actor(plain, 'a').ask.brood())
    for (let cracked = 0; ward.world.clock.elapsed() < 4_000;) {
      await ward.pass(10)
      for (; cracked < outside.eggs.length; cracked += 1) outside.eggs[cracked]?.crack(new Error('broken'))
    }
    // At 0, 100, 300, 700, 1500 and 3100 ms, and a little more each time.
    expect(outside.eggs).toHaveLength(6)
    const gaps = await waitedBetween(ward, 0)
    for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(100 * 2 ** index)
  })

  test('G11 a child that breaks as soon as it begins begins anew, too, in growing intervals', async () => {
    const ward = await wardOf(way, { actors })
    outside.laid = (egg) => egg.crack(new Error('broken from the start'))
    await ward.outcome(ward.system.actor(plain, 'a').ask.brood())
    const gaps = await waitedBetween(ward, 4_000)
    expect(outside.eggs).toHaveLength(6)
    for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(100 * 2 ** index)
  })

  test('G9 G11 an activation that fails without a command is tried in growing intervals', async () => {
    const ward = await wardOf(way, { actors: [plain] })
    await ward.now(ward.system.actor(plain, 'a').ask.set({ name: 't', delayMs: 1_000 }))
    // From now on nothing leads from what is stored to what the definition wants.
    let tries = 0
    const newer = patientOf('patient', {
      supervision: { backoff: { jitter: 0 } },
      version: 2,
      migrate: {
        1: () => {
          tries += 1
          throw new Error('it cannot be brought up to date')
        },
      },
    })
    await ward.crash([newer])
    await ward.pass(10_000)
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThan(12)
    // An actor beside it is served.
    expect(await ward.outcome(ward.system.actor(newer, 'b').ask.note(text('x')))).toBe(1)
  })

  test('G11 an end of an effect that cannot be heard is no tight loop either', async () => {
    const ward = await wardOf(way, { actors })
    outside.faulty.add('job.done')
    await ward.now(ward.system.actor(plain, 'a').ask.errand())
    await ward.pass(10_000)
    expect(ward.system.stats().restarts).toBeLessThanOrEqual(8)
    expect(ward.system.stats().restarts).toBeGreaterThanOrEqual(1)
  })
})

test('G11 the jitter lies within its bounds, and is not always the same', async () => {
  const waits = new Set<number>()
  for (const seed of [1, 2, 3, 4]) {
    const ward = await wardOf(WAYS[0] as (typeof WAYS)[0], { actors, seed })
    const ref = ward.system.actor(shaky, 'a')
    for (let n = 0; n < 25; n += 1) {
      await ward.outcome(ref.ask.poison({}))
      await ward.pass(1_200)
    }
    for (const { backoffMs } of ward.toldOf('actor.restarted')) waits.add(backoffMs)
  }
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(800)
  expect(Math.max(...waits)).toBeLessThanOrEqual(1_200)
  expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(200)
})
