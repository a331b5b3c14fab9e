/**
 * Leases: the right to act for something that an actor names. Who gets one, who waits, what the holder believes, and what
 * a holder that has lost it can still do: nothing.
 */
import { command, defineActor, InvalidInput, query } from '@bailiwick/kernel'
import type { ActorRef, Lease, ReplyArguments, System } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { assign, setup } from 'xstate'
import type { SnapshotFrom } from 'xstate'
import { z } from 'zod'
import { codeOf } from '../code-of.ts'
import { follow } from '../delivery.ts'
import { faulty } from './scripted.ts'
import type { Faults } from './scripted.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS

interface Heard {
  readonly type: string
  readonly [field: string]: unknown
}

interface Write {
  readonly by: string
  readonly epoch: number
}

const machine = setup({
  types: {
    context: {} as { readonly writes: readonly Write[]; readonly heard: readonly Heard[] },
    events: {} as { readonly type: 'write'; readonly by: string; readonly epoch: number },
  },
}).createMachine({
  context: { writes: [], heard: [] },
  on: {
    write: { actions: assign({ writes: ({ context, event }) => [...context.writes, { by: event.by, epoch: event.epoch }] }) },
    '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event as Heard] }) }, // Lease events come here.
  },
})

type Reply = ReplyArguments<SnapshotFrom<typeof machine>, object>

const commands = {
  write: command({
    input: z.object({ by: z.string(), epoch: z.number() }),
    reply: ({ context }: Reply) => context.writes.length,
  }),
  writes: query({ reply: ({ context }: Reply) => context.writes }),
  heard: query({ reply: ({ context }: Reply) => context.heard }),
}

/** Something that only one may write to at a time. */
const tree = defineActor({ type: 'tree', module: import.meta.url, logic: machine, commands, idleMs: 10_000 })
const ledger = defineActor({
  type: 'ledger',
  module: import.meta.url,
  logic: machine,
  commands,
  idleMs: 10_000,
  persist: 'journal',
  journal: { snapshotEvery: 4 },
})
const fleeting = defineActor({ type: 'fleeting', module: import.meta.url, logic: machine, commands, volatile: true })

interface Scene {
  readonly world: TestWorld
  readonly faults: Faults
  readonly open: () => Promise<System>
}

function setUpLeases(): Scene {
  const faults: Faults = { isFull: false, strike: undefined, commits: 0 }
  const world = new TestWorld({ wrapStore: faulty(faults) })
  onTestFinished(async () => {
    faults.isFull = false
    await world.close()
  })
  return { world, faults, open: async () => await world.open({ actors: [tree, ledger, fleeting] }) }
}

/** The lease, where there is no doubt that it was granted. */
async function granted(promise: Promise<Lease | undefined>): Promise<Lease> {
  const lease = await promise
  if (lease === undefined) throw new Error('the lease was not granted')
  return lease
}

/** What the machine has heard of its lease, in short: `granted a 1`. */
function lines(heard: readonly Heard[]): readonly string[] {
  return heard.map(({ type, owner, epoch }) => `${type} ${String(owner)} ${String(epoch)}`)
}

describe.each([
  ['a snapshot', tree],
  ['a journal', ledger],
] as const)('a lease of an actor that keeps %s', (_what, definition) => {
  test('free: acquire grants it with the next epoch, and state says who has it until when', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(definition, 'a').lease('push')
    expect(await lease.state()).toEqual({ epoch: 0, waiting: 0 })
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    expect(held).toMatchObject({ name: 'push', owner: 'x', epoch: 1, ttlMs: 10_000, isHeld: true })
    expect(await lease.state()).toEqual({ epoch: 1, owner: 'x', expiresAt: world.clock.wall() + 10_000, waiting: 0 })
    expect(await held.release()).toBe(true)
    expect(held.isHeld).toBe(false)
    expect(held.signal.aborted).toBe(true)
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
  })

  test('held by the caller: acquire renews it under the same epoch', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(definition, 'a').lease('push')
    await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    await world.advance(6_000)
    const again = await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    expect(again.epoch).toBe(1)
    expect(await lease.state()).toMatchObject({ epoch: 1, owner: 'x', expiresAt: world.clock.wall() + 10_000 })
  })

  test('held by somebody else: acquire without waiting gets nothing, and changes nothing', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(definition, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    const before = await lease.state()
    expect(await lease.acquire({ owner: 'y' })).toBeUndefined()
    expect(await lease.state()).toEqual(before)
    await world.advance(5_000)
    await held.renew()
    await world.advance(9_000)
    expect(held.isHeld).toBe(true)
    expect(await lease.acquire({ owner: 'y' })).toBeUndefined()
  })

  test('hand-over gives it to the one named, before those who wait, with the next epoch', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(definition, 'a')
    const lease = ref.lease('push')
    const first = await granted(lease.acquire({ owner: 'x' }))
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS }))
    await world.advance(0)
    expect(await first.handOver('z')).toBe(2)
    expect(first.isHeld).toBe(false)
    expect(first.signal.aborted).toBe(true)
    expect(await lease.state()).toMatchObject({ epoch: 2, owner: 'z', waiting: 1 })
    expect(waiting()).toBe('pending')
    expect(await codeOf(first.renew())).toBe('STALE_EPOCH')
    expect(await codeOf(first.handOver('w'))).toBe('STALE_EPOCH')
    // Who was named takes it up by asking for it.
    const second = await granted(lease.acquire({ owner: 'z' }))
    expect(second.epoch).toBe(2)
    expect(await second.release()).toBe(true)
    await world.advance(0)
    expect(waiting()).toMatchObject({ owner: 'y', epoch: 3, isHeld: true })
    expect(lines(await ref.ask.heard()).filter((line) => line.startsWith('push.granted'))).toEqual([
      'push.granted x 1',
      'push.granted z 2',
      'push.granted y 3',
    ])
  })

  test('force release takes it away in every state, and gives it to the first who waits', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(definition, 'a').lease('push')
    expect(await lease.forceRelease()).toBe(false)
    expect(await lease.forceRelease({ reason: 'again' })).toBe(false)
    expect(await lease.state()).toEqual({ epoch: 0, waiting: 0 })
    const wedged = await granted(lease.acquire({ owner: 'x' }))
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS }))
    await world.advance(0)
    expect(await lease.forceRelease({ reason: 'wedged' })).toBe(true)
    await world.advance(0)
    expect(waiting()).toMatchObject({ owner: 'y', epoch: 2, isHeld: true })
    // The evicted one is late with everything, which is no mistake of its own where it only gives back.
    expect(await codeOf(wedged.renew())).toBe('STALE_EPOCH')
    expect(wedged.isHeld).toBe(false)
    expect(await wedged.release()).toBe(false)
    expect(await wedged.release()).toBe(false)
    expect(await lease.state()).toMatchObject({ epoch: 2, owner: 'y' })
  })

  test('its time is over: at its deadline, not before, it goes to the first who waits', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(definition, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS }))
    await world.advance(9_999)
    expect(waiting()).toBe('pending')
    expect(held.isHeld).toBe(false)
    await world.advance(1)
    await world.advance(0)
    expect(waiting()).toMatchObject({ owner: 'y', epoch: 2, isHeld: true })
    expect(await held.release()).toBe(false)
    expect(await codeOf(held.renew())).toBe('STALE_EPOCH')
  })

  test('its time is over with nobody waiting: it is free, and the same owner gets a new epoch', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(definition, 'a')
    const lease = ref.lease('push')
    await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    await world.advance(10_000)
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
    expect((await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))).epoch).toBe(2)
    expect(lines(await ref.ask.heard())).toEqual(['push.granted x 1', 'push.released x 1', 'push.granted x 2'])
  })

  test('the machine hears of every grant, and of every release with how it came about', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(definition, 'a')
    const lease = ref.lease('push')
    await (await granted(lease.acquire({ owner: 'x' }))).release()
    await granted(lease.acquire({ owner: 'y' }))
    await lease.forceRelease({ reason: 'wedged' })
    await granted(lease.acquire({ owner: 'z', ttlMs: 5_000 }))
    await world.advance(5_000)
    await ref.ask.write({ by: 'nobody', epoch: 0 })
    expect(await ref.ask.heard()).toMatchObject([
      { type: 'push.granted', owner: 'x', epoch: 1 },
      { type: 'push.released', owner: 'x', epoch: 1, how: 'released' },
      { type: 'push.granted', owner: 'y', epoch: 2 },
      { type: 'push.released', owner: 'y', epoch: 2, how: 'forced' },
      { type: 'push.granted', owner: 'z', epoch: 3 },
      { type: 'push.released', owner: 'z', epoch: 3, how: 'expired' },
    ])
  })

  test('a crash with a held lease: it is still held after reopening, and ends at its deadline', async () => {
    const { open, world } = setUpLeases()
    const before = (await open()).actor(definition, 'a').lease('push')
    await granted(before.acquire({ owner: 'x', ttlMs: 10_000 }))
    await world.advance(4_000)
    world.crash()
    const ref = (await open()).actor(definition, 'a')
    const lease = ref.lease('push')
    expect(await lease.acquire({ owner: 'y' })).toBeUndefined()
    expect(await lease.state()).toMatchObject({ epoch: 1, owner: 'x' })
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS }))
    await world.advance(5_999)
    expect(waiting()).toBe('pending')
    await world.advance(1)
    await world.advance(0)
    expect(waiting()).toMatchObject({ owner: 'y', epoch: 2 })
    expect(lines(await ref.ask.heard())).toEqual(['push.granted x 1', 'push.released x 1', 'push.granted y 2'])
  })

  test('a crash with a lease whose deadline passes while nothing runs: it has ended on reopening, and the machine hears it once', async () => {
    const { open, world } = setUpLeases()
    await granted((await open()).actor(definition, 'a').lease('push').acquire({ owner: 'x', ttlMs: 10_000 }))
    world.crash()
    await world.advance(DAY_MS)
    const ref = (await open()).actor(definition, 'a')
    await world.advance(SECOND_MS)
    expect((await granted(ref.lease('push').acquire({ owner: 'y' }))).epoch).toBe(2)
    expect(lines(await ref.ask.heard())).toEqual(['push.granted x 1', 'push.released x 1', 'push.granted y 2'])
  })

  test('epochs only ever grow: over releases, evictions, expiry, crashes, restarts, idleness and years', async () => {
    const { open, world } = setUpLeases()
    let system = await open()
    const epochs: number[] = []
    for (let round = 0; round < 24; round += 1) {
      const lease = system.actor(definition, 'a').lease('push')
      const held = await granted(lease.acquire({ owner: `o${round}`, ttlMs: 10_000 }))
      epochs.push(held.epoch)
      if (round % 4 === 0) await held.release()
      if (round % 4 === 1) await lease.forceRelease()
      if (round % 4 === 2) epochs.push(await held.handOver('other'))
      if (round % 3 === 0) {
        // The machine is off for years.
        world.crash()
        world.clock.jump(5 * YEAR_MS)
        system = await open()
      }
      if (round % 3 === 1) {
        world.crash()
        system = await open()
      }
      if (round % 3 === 2) {
        const closing = system.close()
        await world.advance(SECOND_MS)
        await closing
        system = await open()
      }
      await world.advance(MINUTE_MS)
    }
    expect(epochs).toEqual(epochs.map((_epoch, index) => index + 1))
  })

  test('an actor with a lease leaves memory when idle, and the lease ends at its deadline all the same', async () => {
    const { open, world } = setUpLeases()
    const system = await open()
    const ref = system.actor(definition, 'a')
    await granted(ref.lease('push').acquire({ owner: 'x', ttlMs: 10 * MINUTE_MS }))
    await world.advance(9 * MINUTE_MS)
    expect(await ref.lease('push').acquire({ owner: 'y' })).toBeUndefined()
    await world.advance(MINUTE_MS)
    expect(await ref.lease('push').state()).toEqual({ epoch: 1, waiting: 0 })
    expect((await ref.ask.heard()).at(-1)).toMatchObject({ type: 'push.released', how: 'expired' })
  })
})

describe('a fenced command', () => {
  test('counts while its lease is held, by the lease itself or by its name and epoch', async () => {
    const { open } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const lease = await granted(ref.lease('push').acquire({ owner: 'x' }))
    expect(await ref.ask.write({ by: 'x', epoch: 1 }, { lease })).toBe(1)
    expect(await ref.ask.write({ by: 'x', epoch: 1 }, { lease: { name: 'push', epoch: 1 } })).toBe(2)
    expect(await ref.tell.write({ by: 'x', epoch: 1 }, { lease })).toEqual({ outcome: 'accepted' })
    expect(await ref.ask.writes()).toHaveLength(3)
  })

  test.each(['released', 'expired', 'forced', 'handed over', 'of the future', 'never granted'])(
    'K09 under an epoch that is %s is refused with StaleEpoch, and the state is as before',
    async (how) => {
      const { open, world } = setUpLeases()
      const ref = (await open()).actor(tree, 'a')
      if (how !== 'never granted') {
        const lease = await granted(ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 }))
        if (how === 'released') await lease.release()
        if (how === 'expired') await world.advance(10_000)
        if (how === 'forced') await ref.lease('push').forceRelease()
        if (how === 'handed over') await lease.handOver('y')
      }
      const epoch = how === 'of the future' ? 2 : 1
      const before = JSON.stringify([await ref.snapshot(), await ref.lease('push').state()])
      const refused: unknown = await ref.ask.write({ by: 'x', epoch }, { lease: { name: 'push', epoch } }).catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'STALE_EPOCH', epoch })
      expect(JSON.stringify([await ref.snapshot(), await ref.lease('push').state()])).toBe(before)
    },
  )

  test('K09 of an owner that was paused for longer than its lease: it need not notice, it is refused, and nothing has changed', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const paused = await granted(ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 }))
    await ref.ask.write({ by: 'x', epoch: 1 }, { lease: paused })
    await world.advance(DAY_MS)
    const other = await granted(ref.lease('push').acquire({ owner: 'y' }))
    expect(paused.isHeld).toBe(false)
    const before = JSON.stringify(await ref.snapshot())
    expect(await codeOf(ref.ask.write({ by: 'x', epoch: 1 }, { lease: paused }))).toBe('STALE_EPOCH')
    expect(JSON.stringify(await ref.snapshot())).toBe(before)
    expect(await ref.ask.write({ by: 'y', epoch: other.epoch }, { lease: other })).toBe(2)
  })

  test('K09 of an owner whose wall clock was set forward meets the epoch, not a clock', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const held = await granted(ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 }))
    world.clock.jump(DAY_MS)
    const next = await ref.lease('push').acquire({ owner: 'y', ttlMs: 10_000 })
    const code = await codeOf(ref.ask.write({ by: 'x', epoch: 1 }, { lease: held }))
    // Either it is still held and its write counts, or somebody else has it and its write does not.
    expect(code).toBe(next === undefined ? 1 : 'STALE_EPOCH')
  })

  test('K09 that was told and waits while the lease is lost is refused when its turn comes', async () => {
    const { open, world } = setUpLeases()
    const system = await open()
    const ref = system.actor(tree, 'a')
    const lease = await granted(ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 }))
    await ref.tell.write({ by: 'x', epoch: 1 }, { lease, delayMs: 20_000 })
    await world.advance(30_000)
    expect(await ref.ask.writes()).toEqual([])
    expect(await system.deadLetters.list()).toMatchObject([{ command: 'write', error: { code: 'STALE_EPOCH' } }])
  })

  test('that is repeated under its key is answered from the record, also when the lease is lost', async () => {
    const { open } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const lease = await granted(ref.lease('push').acquire({ owner: 'x' }))
    expect(await ref.ask.write({ by: 'x', epoch: 1 }, { lease, idempotencyKey: 'k' })).toBe(1)
    await lease.release()
    expect([1, 'STALE_EPOCH']).toContain(await codeOf(ref.ask.write({ by: 'x', epoch: 1 }, { lease, idempotencyKey: 'k' })))
    expect(await ref.ask.writes()).toHaveLength(1)
  })

  test('is judged by its own lease: another name, another actor, another key do not count', async () => {
    const { open } = setUpLeases()
    const system = await open()
    const ref = system.actor(tree, 'a')
    const push = await granted(ref.lease('push').acquire({ owner: 'x' }))
    const pull = await granted(ref.lease('pull').acquire({ owner: 'y' }))
    expect([push.epoch, pull.epoch]).toEqual([1, 1])
    await push.release()
    expect(await ref.ask.write({ by: 'y', epoch: 1 }, { lease: pull })).toBe(1)
    expect(await codeOf(ref.ask.write({ by: 'x', epoch: 1 }, { lease: push }))).toBe('STALE_EPOCH')
    expect(await codeOf(system.actor(tree, 'b').ask.write({ by: 'y', epoch: 1 }, { lease: pull }))).toBe('STALE_EPOCH')
  })
})

describe('waiting in line', () => {
  test('those who wait get it in the order of their coming, each at the moment of the release; nobody gets in between', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    let holder = await granted(lease.acquire({ owner: 'o0' }))
    const waiting: (() => unknown)[] = []
    for (let index = 1; index <= 5; index += 1) waiting.push(follow(lease.acquire({ owner: `o${index}`, waitMs: DAY_MS })))
    await world.advance(0)
    expect(await lease.state()).toMatchObject({ owner: 'o0', waiting: 5 })
    for (let index = 1; index <= 5; index += 1) {
      // Somebody else tries its luck before, with and right after the release.
      const tries = [follow(lease.acquire({ owner: 'barger' }))]
      const releasing = holder.release()
      tries.push(follow(lease.acquire({ owner: 'barger' })))
      await releasing
      tries.push(follow(lease.acquire({ owner: 'barger' })))
      await world.advance(0)
      expect(tries.map((seen) => seen())).toEqual([undefined, undefined, undefined])
      const next = waiting[index - 1]?.()
      expect(next).toMatchObject({ owner: `o${index}`, epoch: index + 1, isHeld: true })
      expect(waiting.slice(index).map((seen) => seen())).toEqual(Array.from({ length: 5 - index }, () => 'pending'))
      holder = next as Lease // As the line above has shown.
    }
  })

  test('who has waited for waitMs gets nothing and loses its place', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const holder = await granted(lease.acquire({ owner: 'x' }))
    const first = follow(lease.acquire({ owner: 'y', waitMs: 5_000 }))
    const second = follow(lease.acquire({ owner: 'z', waitMs: MINUTE_MS }))
    await world.advance(4_999)
    expect([first(), second()]).toEqual(['pending', 'pending'])
    await world.advance(1)
    expect([first(), second()]).toEqual([undefined, 'pending'])
    expect(await lease.state()).toMatchObject({ waiting: 1 })
    await holder.release()
    await world.advance(0)
    expect(second()).toMatchObject({ owner: 'z', epoch: 2 })
  })

  test('who leaves loses its place: the lease is never granted to somebody who has gone', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const lease = ref.lease('push')
    const holder = await granted(lease.acquire({ owner: 'x' }))
    const leaving = new AbortController()
    const first = follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS, signal: leaving.signal }))
    const second = follow(lease.acquire({ owner: 'z', waitMs: MINUTE_MS }))
    await world.advance(0)
    leaving.abort()
    await world.advance(0)
    expect(first()).toBe('ASK_ABORTED')
    expect(await lease.state()).toMatchObject({ waiting: 1 })
    await holder.release()
    await world.advance(0)
    expect(second()).toMatchObject({ owner: 'z', epoch: 2 })
    expect(lines(await ref.ask.heard()).filter((line) => line.includes(' y '))).toEqual([])
  })

  test('who leaves in the moment of the grant does not keep it from the others for ever', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const holder = await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    const leaving = new AbortController()
    const first = follow(lease.acquire({ owner: 'y', ttlMs: 10_000, waitMs: MINUTE_MS, signal: leaving.signal }))
    const second = follow(lease.acquire({ owner: 'z', ttlMs: 10_000, waitMs: MINUTE_MS, renewal: 'auto' }))
    await world.advance(0)
    void holder.release()
    leaving.abort()
    await world.advance(10_001)
    expect(first()).not.toBe('pending')
    await world.advance(0)
    expect(second()).toMatchObject({ owner: 'z', isHeld: true })
    const held = second() as Lease // As the line above has shown.
    await held.release()
  })

  test('the same owner waiting twice is granted one lease', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const holder = await granted(lease.acquire({ owner: 'x' }))
    const twice = [0, 1].map(() => follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS })))
    const other = follow(lease.acquire({ owner: 'z', waitMs: MINUTE_MS }))
    await world.advance(0)
    await holder.release()
    await world.advance(0)
    const held = twice.map((seen) => seen()).filter((seen) => seen !== 'pending')
    expect(held.length).toBeGreaterThan(0)
    for (const seen of held) expect(seen).toMatchObject({ owner: 'y', epoch: 2 })
    expect(other()).toBe('pending')
    expect(await lease.state()).toMatchObject({ owner: 'y', epoch: 2 })
  })

  test('who waits is in line again after the thread has died, or hears of it', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    await granted(lease.acquire({ owner: 'x', ttlMs: 10_000 }))
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: MINUTE_MS }))
    await world.advance(0)
    world.crashThreads()
    await world.advance(11_000)
    const seen = waiting()
    if (seen === 'SHARD_CRASHED') expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
    else expect(seen).toMatchObject({ owner: 'y', epoch: 2 })
  })

  test('one that was granted after a wait has its whole duration from then on', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const holder = await granted(lease.acquire({ owner: 'x', ttlMs: 10 * MINUTE_MS }))
    const waiting = follow(lease.acquire({ owner: 'y', ttlMs: 10_000, waitMs: 10 * MINUTE_MS }))
    await world.advance(5 * MINUTE_MS)
    await holder.release()
    await world.advance(0)
    const next = waiting() as Lease // Checked by the next line.
    expect(next).toMatchObject({ owner: 'y', isHeld: true })
    await world.advance(9_000)
    expect(next.isHeld).toBe(true)
    await world.advance(1_000)
    expect(next.isHeld).toBe(false)
  })

  test('G13 closing ends every wait', async () => {
    const { open, world } = setUpLeases()
    const system = await open()
    const lease = system.actor(tree, 'a').lease('push')
    await granted(lease.acquire({ owner: 'x' }))
    const waiting = follow(lease.acquire({ owner: 'y', waitMs: DAY_MS }))
    await world.advance(0)
    const closing = follow(system.close())
    await world.advance(11_000)
    expect(closing()).not.toBe('pending')
    expect(waiting()).toBe('SYSTEM_CLOSED')
  })
})

describe('a system that closes', () => {
  test.each(['manual', 'auto'] as const)(
    'G13 leaves a lease that is renewed %s without a fault: it may be looked at, and it ends in time',
    async (renewal) => {
      const { open, world } = setUpLeases()
      const system = await open()
      const held = await granted(system.actor(tree, 'a').lease('push').acquire({ owner: 'x', ttlMs: 10_000, renewal }))
      const unhandled: unknown[] = []
      const keep = (error: unknown): void => void unhandled.push(error)
      process.prependListener('unhandledRejection', keep)
      onTestFinished(() => void process.off('unhandledRejection', keep))
      const closing = system.close()
      await world.advance(SECOND_MS)
      await closing
      await world.advance(MINUTE_MS)
      expect(unhandled).toEqual([])
      expect(held.signal.aborted).toBe(true)
      expect(held.isHeld).toBe(false)
      expect(await codeOf(held.renew())).toBe('STALE_EPOCH')
      expect(await codeOf(held.release())).toBe('SYSTEM_CLOSED')
      expect(await (await open()).actor(tree, 'a').lease('push').state()).toEqual({ epoch: 1, waiting: 0 })
    },
  )

  test('G13 a lease may be looked at while and right after its system closes', async () => {
    const { open, world } = setUpLeases()
    const system = await open()
    const held = await granted(system.actor(tree, 'a').lease('push').acquire({ owner: 'x' }))
    const closing = system.close()
    expect([true, false]).toContain(held.isHeld)
    await world.advance(SECOND_MS)
    await closing
    expect([true, false]).toContain(held.isHeld)
  })
})

describe('what the holder believes', () => {
  test.each([1_000, 10_000, MINUTE_MS, DAY_MS])('ends before the shard does, by a margin: of %i ms', async (ttlMs) => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs }))
    let lostAt = 0
    held.signal.addEventListener('abort', () => (lostAt = world.clock.elapsed()), { once: true })
    const from = world.clock.elapsed()
    await world.advance(ttlMs - 1)
    expect(held.isHeld).toBe(false)
    expect(held.signal.aborted).toBe(true)
    expect(lostAt - from).toBeLessThan(ttlMs)
    expect(lostAt - from).toBeGreaterThan(ttlMs * 0.8)
    expect(await lease.state()).toMatchObject({ owner: 'x' })
    await world.advance(1)
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
  })

  test('is renewed by hand for its whole duration, under the same epoch, without an event', async () => {
    const { open, world } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const held = await granted(ref.lease('push').acquire({ owner: 'x', ttlMs: 10_000 }))
    for (let time = 0; time < 20; time += 1) {
      await world.advance(9_000)
      expect(held.isHeld).toBe(true)
      await held.renew()
    }
    expect(await ref.lease('push').state()).toMatchObject({ epoch: 1, owner: 'x', expiresAt: world.clock.wall() + 10_000 })
    expect(lines(await ref.ask.heard())).toEqual(['push.granted x 1'])
  })

  test('is renewed by itself for as long as it is wanted: for days, and not a moment after its release', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 3_600_000, renewal: 'auto' }))
    for (let part = 0; part < 10; part += 1) {
      await world.advance(DAY_MS / 4)
      expect(held.isHeld).toBe(true)
    }
    expect(await lease.acquire({ owner: 'y' })).toBeUndefined()
    expect(await held.release()).toBe(true)
    const timers = world.clock.timers
    await world.advance(MINUTE_MS)
    expect(world.clock.timers).toBeLessThanOrEqual(timers)
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
  })

  test('is not renewed by itself unless that was asked for', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x' }))
    await world.advance(30_000)
    expect(held.isHeld).toBe(false)
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
  })

  test('survives a disk that is full for a while, if that is shorter than its time', async () => {
    const { faults, open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 30_000, renewal: 'auto' }))
    faults.isFull = true
    await world.advance(14_000)
    faults.isFull = false
    await world.advance(MINUTE_MS)
    expect(held.isHeld).toBe(true)
    expect(await lease.state()).toMatchObject({ epoch: 1, owner: 'x' })
  })

  test('ends in time while the disk is full for longer, and stays ended', async () => {
    const { faults, open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 10_000, renewal: 'auto' }))
    faults.isFull = true
    await world.advance(10_000)
    expect(held.isHeld).toBe(false)
    expect(held.signal.aborted).toBe(true)
    faults.isFull = false
    await world.advance(5 * MINUTE_MS)
    expect(held.isHeld).toBe(false)
    expect((await granted(lease.acquire({ owner: 'y' }))).epoch).toBe(2)
  })

  test('is renewed by itself over the death of its thread', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 30_000, renewal: 'auto' }))
    world.crashThreads()
    await world.advance(5 * MINUTE_MS)
    expect(held.isHeld).toBe(true)
    expect(await lease.state()).toMatchObject({ epoch: 1, owner: 'x' })
  })

  test('is lost at the next renewal after it was taken away by force', async () => {
    const { open, world } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x', ttlMs: 30_000, renewal: 'auto' }))
    await lease.forceRelease()
    await world.advance(15_000)
    expect(held.isHeld).toBe(false)
    expect(held.signal.reason).toMatchObject({ code: 'STALE_EPOCH' })
    // It does not come back by itself.
    await world.advance(MINUTE_MS)
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
  })

  test('ends with its block, if it is used with `await using`', async () => {
    const { open } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    {
      await using held = await granted(lease.acquire({ owner: 'x' }))
      expect(held.isHeld).toBe(true)
    }
    expect(await lease.state()).toEqual({ epoch: 1, waiting: 0 })
  })
})

describe('what is refused', () => {
  async function field(promise: Promise<unknown>): Promise<unknown> {
    const error: unknown = await promise.then(
      (value) => ['no error', value],
      (error_: unknown) => error_,
    )
    return error instanceof InvalidInput ? error.field : error
  }

  test('a volatile actor keeps no lease', async () => {
    const { open } = setUpLeases()
    const ref = (await open()).actor(fleeting, 'a')
    expect(() => ref.lease('push')).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
    expect(await field(ref.ask.write({ by: 'x', epoch: 1 }, { lease: { name: 'push', epoch: 1 } }))).toBe('lease')
  })

  test.each([[''], ['~hidden'], ['x'.repeat(201)], ['\u0000x'], ['\uD800'], [5], [undefined], [null]])('the name %o', async (name) => {
    const { open } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    expect(() => ref.lease(name as string)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field: 'name' })) // On purpose.
  })

  test.each([
    ['owner', ''],
    ['owner', 5],
    ['owner', undefined],
    ['ttlMs', 0],
    ['ttlMs', -1],
    ['ttlMs', Number.NaN],
    ['ttlMs', Number.POSITIVE_INFINITY],
    ['ttlMs', '5'],
    ['waitMs', -1],
    ['waitMs', Number.NaN],
    ['renewal', 'never'],
    ['signal', 'now'],
  ])('acquire with %s: %o', async (option, value) => {
    const { open } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    expect(await field(lease.acquire({ owner: 'x', [option]: value }))).toBe(option)
    expect(await lease.state()).toEqual({ epoch: 0, waiting: 0 })
  })

  test('acquire with an option that there is none of: a misspelt one would be lost in silence', async () => {
    const { open } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    expect(await field(lease.acquire({ owner: 'x', ttl: 5 } as never))).toBe('ttl') // On purpose.
  })

  test('hand-over to nobody, or for no time', async () => {
    const { open } = setUpLeases()
    const lease = (await open()).actor(tree, 'a').lease('push')
    const held = await granted(lease.acquire({ owner: 'x' }))
    expect(await field(held.handOver(''))).toBe('to')
    expect(await field(held.handOver('y', 0))).toBe('ttlMs')
    expect(await lease.state()).toMatchObject({ owner: 'x', epoch: 1 })
    expect(held.isHeld).toBe(true)
  })

  test.each(['renew', 'handOver', 'release'] as const)(
    '%s by somebody who never had it: an error, and it stays where it is',
    async (what) => {
      const { open } = setUpLeases()
      const lease = (await open()).actor(tree, 'a').lease('push')
      const held = await granted(lease.acquire({ owner: 'x' }))
      const before = await lease.state()
      // Somebody who knows the epoch, and says so under a name of its own.
      Object.assign(held, { owner: 'impostor' })
      expect(await codeOf(what === 'handOver' ? held.handOver('z') : held[what]())).toBe('STALE_EPOCH')
      expect(await lease.state()).toEqual(before)
    },
  )

  test('G12 more leases than an actor may have, and a name of the greatest length', async () => {
    const { open } = setUpLeases()
    const ref = (await open()).actor(tree, 'a')
    const codes: unknown[] = []
    for (let index = 0; index < 1_005; index += 1) codes.push(await codeOf(ref.lease(`l${index}`).acquire({ owner: 'x', ttlMs: DAY_MS })))
    expect(codes.slice(0, 1_000).every((code) => typeof code === 'object')).toBe(true)
    expect(codes.slice(1_000)).toEqual(Array.from({ length: 5 }, () => expect.any(String) as unknown))
    // One that was released makes room, with its epoch kept or not; the others are not touched.
    await ref.lease('l0').forceRelease()
    expect(await ref.lease('l999').state()).toMatchObject({ owner: 'x', epoch: 1 })
  })

  test('G12 a line is bounded: the one too many gets MailboxFull', { timeout: 60_000 }, async () => {
    const { open, world } = setUpLeases()
    const small = defineActor({ type: 'small', module: import.meta.url, logic: machine, commands, mailbox: { capacity: 5 } })
    void open
    const system = await world.open({ actors: [small] })
    const lease = system.actor(small, 'a').lease('push')
    await granted(lease.acquire({ owner: 'x' }))
    const line = Array.from({ length: 10_010 }, (_none, index) => follow(lease.acquire({ owner: `o${index}`, waitMs: MINUTE_MS })))
    await world.advance(0)
    expect(line.filter((seen) => seen() === 'MAILBOX_FULL').length).toBeGreaterThan(0)
    expect((await lease.state()).waiting).toBe(line.filter((seen) => seen() === 'pending').length)
  })
})

/** One thing that somebody does, or that happens. */
type Step =
  | { readonly kind: 'acquire'; readonly owner: number; readonly waitMs: number; readonly auto: boolean }
  | { readonly kind: 'renew' | 'release' | 'write'; readonly owner: number }
  | { readonly kind: 'handOver'; readonly owner: number; readonly to: number }
  | { readonly kind: 'force' | 'crash' | 'crashThreads' | 'close' }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'full'; readonly ms: number }

const owner = fc.nat({ max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('acquire' as const), owner, waitMs: fc.constantFrom(0, 2_000, 20_000), auto: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('renew' as const, 'release' as const, 'write' as const, 'write' as const), owner }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('handOver' as const), owner, to: owner }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('force' as const, 'crash' as const, 'crashThreads' as const, 'close' as const) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 1, 100, 900, 3_000, 9_600, 10_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), ms: fc.constantFrom(500, 12_000) }) },
)

const TTL_MS = 10_000

/** What happened over all runs: a property that never meets a refused write shows little. */
const seen = { grants: 0, written: 0, stale: 0, waited: 0, crash: 0, crashThreads: 0, close: 0, force: 0, full: 0 }

/** One run of the property: four owners, their leases as they believe them to be, and what was written. */
class Run {
  readonly #world: TestWorld
  readonly #faults: Faults = { isFull: false, strike: undefined, commits: 0 }
  #system: System | undefined
  #ref: ActorRef<unknown, typeof commands> | undefined
  /** Every lease that was ever granted, with the process in which it was. */
  readonly #leases: { readonly lease: Lease; readonly owner: number; readonly life: number }[] = []
  /** Those that were taken away by force, of which their holders cannot know; and others of one owner who has given up one of them. */
  readonly #evicted = new Set<Lease>()
  #life = 1

  constructor() {
    this.#world = new TestWorld({ wrapStore: faulty(this.#faults) })
  }

  async open(): Promise<void> {
    this.#system = await this.#world.open({ actors: [tree] })
    this.#ref = this.#system.actor(tree, 'a') as unknown as ActorRef<unknown, typeof commands> // Its snapshot is of no interest here.
  }

  async apply(next: Step): Promise<void> {
    const ref = this.#ref
    if (ref === undefined) throw new Error('not open')
    const lease = ref.lease('push')
    if (next.kind in seen) seen[next.kind as 'crash'] += 1 // One of those that strike.
    switch (next.kind) {
      case 'acquire': {
        const life = this.#life
        void lease
          .acquire({ owner: `o${next.owner}`, ttlMs: TTL_MS, waitMs: next.waitMs, ...(next.auto ? { renewal: 'auto' as const } : {}) })
          .then((held) => {
            if (held === undefined) return
            this.#leases.push({ lease: held, owner: next.owner, life })
            if (next.waitMs > 0) seen.waited += 1
          })
          // A crash, a close, a full disk, or lost again before it was taken up; then it is given back, for all that its owner has.
          .catch(() => this.#give(next.owner))
        break
      }
      case 'renew':
        void this.#of(next.owner)
          ?.renew()
          .catch(() => undefined)
        break
      case 'release':
        void this.#give(next.owner)
          ?.release()
          .catch(() => undefined)
        break
      case 'handOver':
        void this.#give(next.owner)
          ?.handOver(`o${next.to}`)
          .catch(() => undefined)
        break
      case 'write': {
        // Everybody writes with the last lease it ever had, whether it believes in it or not.
        const held = this.#of(next.owner)
        if (held === undefined) break
        void codeOf(ref.ask.write({ by: held.owner, epoch: held.epoch }, { lease: held })).then((code) => {
          if (code === 'STALE_EPOCH') seen.stale += 1
        })
        break
      }
      case 'force': {
        const evict = (): void => {
          for (const held of this.#leases) this.#evicted.add(held.lease)
        }
        evict()
        void lease.forceRelease().then(evict, evict)
        break
      }
      case 'crash':
        this.#world.crash()
        this.#life += 1
        await this.open()
        break
      case 'crashThreads':
        this.#world.crashThreads()
        break
      case 'close': {
        const closing = this.#system?.close()
        await this.#world.advance(11_000)
        await closing
        this.#life += 1
        await this.open()
        break
      }
      case 'advance':
        await this.#world.advance(next.ms)
        break
      case 'full':
        this.#faults.isFull = true
        await this.#world.advance(next.ms)
        this.#faults.isFull = false
    }
    await this.#world.advance(0)
    this.#check()
  }

  /** At every step: at most one believes that it holds the lease. */
  #check(): void {
    const believers = this.#leases.filter(({ lease, life }) => life === this.#life && !this.#evicted.has(lease) && lease.isHeld)
    const owners = new Set(believers.map((held) => held.owner))
    if (owners.size <= 1) return
    throw new Error(`several hold it: ${JSON.stringify(believers.map(({ lease }) => [lease.owner, lease.epoch]))}`)
  }

  async finish(): Promise<void> {
    try {
      await this.#world.advance(MINUTE_MS)
      const ref = this.#ref
      if (ref === undefined) throw new Error('not open')
      // An actor that was never touched hears nothing.
      const { context } = (await ref.snapshot()) as unknown as {
        readonly context: { readonly writes: readonly Write[]; readonly heard: readonly Heard[] }
      } // That of the machine above.
      const grants = context.heard
        .filter(({ type }) => type === 'push.granted')
        .map(({ epoch, owner: by }) => ({ epoch: Number(epoch), by: String(by) }))
      seen.grants += grants.length
      seen.written += context.writes.length
      // Epochs grow by one with each grant.
      expect(grants.map(({ epoch }) => epoch)).toEqual(grants.map((_grant, index) => index + 1))
      // Who wrote had that epoch, and nobody wrote after a later one had been granted.
      const allowed = new Set(grants.map(({ epoch, by }) => `${by} ${epoch}`))
      for (const { by, epoch } of context.writes) expect(allowed).toContain(`${by} ${epoch}`)
      const order = context.writes.map(({ epoch }) => epoch)
      expect(order).toEqual(order.toSorted((left, right) => left - right))
      // Between two grants there is one release, or a hand-over.
      expect(context.heard.filter(({ type }) => type === 'push.released').length).toBeLessThanOrEqual(grants.length)
    } finally {
      this.#faults.isFull = false
      await this.#world.close()
    }
  }

  /** The last lease of an owner, who does not count on any of them from now on. */
  #give(who: number): Lease | undefined {
    for (const held of this.#leases) if (held.owner === who) this.#evicted.add(held.lease)
    return this.#of(who)
  }

  #of(who: number): Lease | undefined {
    return this.#leases.findLast((held) => held.owner === who && held.life === this.#life)?.lease
  }
}

const runs = Number(process.env['BAILIWICK_RUNS'] ?? 150)

describe('any interleaving of two to four owners, faults and crashes', () => {
  test(
    'K32 has at most one holder that believes it, epochs that only grow, and writes of the epoch that counts alone',
    { timeout: 300_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 40 }), async (steps) => {
          const run = new Run()
          await run.open()
          let isDone = false
          try {
            for (const next of steps) await run.apply(next)
            isDone = true
          } finally {
            if (isDone) await run.finish()
            else await run.finish().catch(() => undefined)
          }
        }),
        { numRuns: runs },
      )
    },
  )
})
