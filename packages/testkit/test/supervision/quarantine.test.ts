/** What a quarantined actor refuses, what it keeps, and how it goes on when it is released. */
import { describe, expect, test } from 'vitest'
import { ActorQuarantined } from '@bailiwick/kernel'
import { outside, patientOf } from './patients.ts'
import { follow, keyOn, WAYS, wardOf } from './ward.ts'
import type { Ward } from './ward.ts'

const strict = patientOf('strict', { supervision: { maxRestarts: 0 } })
const narrow = patientOf('narrow', { supervision: { maxRestarts: 0 }, mailbox: { capacity: 3 } })
const resting = patientOf('resting', {
  supervision: { maxRestarts: 1, backoff: { minMs: 1_000, jitter: 0 } },
  mailbox: { capacity: 3 },
})
const twice = patientOf('twice', { supervision: { maxRestarts: 2, withinMs: 60_000 } })
const patient = patientOf('patient')
const actors = [strict, narrow, resting, twice, patient]

const text = (words: string): { readonly text: string } => ({ text: words })

/** Makes the actor `strict/a` fail once, which is once too often. */
async function poison(ward: Ward, definition: typeof strict | typeof narrow = strict): Promise<void> {
  await ward.outcome(ward.system.actor(definition as typeof strict, 'a').ask.poison(text('bad blood')))
  await ward.quiet()
}

async function release(ward: Ward): Promise<number> {
  const released = await ward.now(ward.system.quarantine.release({}))
  await ward.quiet()
  return released
}

async function notes(ward: Ward, definition: typeof strict | typeof narrow | typeof resting = strict): Promise<unknown> {
  return (await ward.now(ward.system.actor(definition as typeof strict, 'a').snapshot())).context.notes
}

describe.each(WAYS)('$title', (way) => {
  test('G11 asks, queries, turns and what concerns leases get ActorQuarantined, with the actor and the reason', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward)
    const ref = ward.system.actor(strict, 'a')
    const error: unknown = await ward.now(ref.ask.note(text('x')).catch((error_: unknown) => error_))
    expect(error).toBeInstanceOf(ActorQuarantined)
    expect(error).toMatchObject({
      code: 'ACTOR_QUARANTINED',
      actor: 'strict/a',
      reason: expect.stringContaining('bad blood') as string,
      retryable: false,
    })
    const asked = [
      ref.ask.notes(),
      ref.ask.poison({}),
      ref.ask.only(),
      ref.ask.wait(),
      ref.ask.note(text('x'), { priority: 'urgent' }),
      ref.ask.note(text('x'), { idempotencyKey: 'k' }),
      ref.ask.note(text('x'), { waitForRoomMs: 10_000 }),
      ref.ask.work(text('x')),
      ref.ask.work(text('x'), { preempt: 'steal', priority: 'urgent' }),
      ref.ask.urge(),
      ref.ask.note(text('x'), { preempt: 'abort-drop' }),
      ref.ask.note(text('x'), { lease: { name: 'pen', epoch: 1 } }),
      ref.lease('pen').acquire({ owner: 'me' }),
      ref.lease('pen').acquire({ owner: 'me', waitMs: 10_000 }),
    ]
    for (const answer of await Promise.all(asked.map((ask) => ward.outcome(ask)))) expect(answer).toBe('ACTOR_QUARANTINED')
    expect(outside.runs).toEqual([])
    expect(await notes(ward)).toEqual([])
    expect(ward.system.stats()).toMatchObject({ held: 1, restarts: 0, pendingCalls: 0 })
  })

  test('G11 other actors, of its type, its shard and others, are served as ever', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward)
    for (let n = 0; n < 9; n += 1) {
      expect(await ward.outcome(ward.system.actor(strict, `other ${n}`).ask.note(text('x')))).toBe(1)
      expect(await ward.outcome(ward.system.actor(patient, `p${n}`).ask.note(text('x')))).toBe(1)
    }
    expect(ward.system.health().status).toBe('ready')
  })

  test('G11 asks that wait already are refused at once, those behind the failure, postponed ones and those of a resting actor', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.ask.shut())
    const postponed = follow(ref.ask.later(text('postponed'), { timeoutMs: 600_000 }))
    await ward.quiet()
    const sent = [
      ref.ask.poison({}),
      ref.ask.note(text('behind')),
      ref.ask.notes(),
      ref.ask.work(text('behind')),
      ref.ask.note(text('low'), { priority: 'low' }),
    ]
    expect((await Promise.all(sent.map((ask) => ward.outcome(ask)))).slice(1)).toEqual(sent.slice(1).map(() => 'ACTOR_QUARANTINED'))
    await ward.quiet()
    expect(postponed()).toBe('ACTOR_QUARANTINED')
    const weary = ward.system.actor(resting, 'a')
    await ward.outcome(weary.ask.poison({}))
    const waiting = [weary.ask.poison({}), weary.ask.note(text('behind'))].map((ask) => follow(ask))
    await ward.pass(999)
    expect(waiting.map((answer) => answer())).toEqual(['pending', 'pending'])
    await ward.pass(1)
    expect(waiting.map((answer) => answer())).toEqual(['COMMAND_FAILED', 'ACTOR_QUARANTINED'])
    expect(await ward.now(ward.system.quarantine.release({}))).toBe(2)
    await ward.quiet()
    expect(outside.handled).toEqual([])
  })

  test('G2 G5 G11 tells are accepted and kept in their order, over crashes, and handled when it is released', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const behind = [ref.ask.poison({}), ref.tell.note(text('1')), ref.tell.note(text('2'))]
    await Promise.all(behind.map((call) => ward.outcome(call)))
    for (const n of ['3', '4']) expect(await ward.outcome(ref.tell.note(text(n)))).toEqual({ outcome: 'accepted' })
    await ward.crash()
    expect(await ward.outcome(ward.system.actor(strict, 'a').tell.note(text('5')))).toEqual({ outcome: 'accepted' })
    await ward.crashThreads()
    expect(await ward.outcome(ward.system.actor(strict, 'a').tell.note(text('urgent'), { priority: 'urgent' }))).toEqual({
      outcome: 'accepted',
    })
    await ward.pass(3_600_000)
    expect(outside.handled).toEqual([])
    expect(await ward.outcome(ward.system.actor(strict, 'a').ask.notes())).toBe('ACTOR_QUARANTINED')
    expect(await release(ward)).toBe(1)
    expect(await ward.outcome(ward.system.actor(strict, 'a').ask.notes())).toEqual(['urgent', '1', '2', '3', '4', '5'])
    expect(await ward.now(ward.system.deadLetters.list())).toEqual([])
    await ward.crash()
    expect(await notes(ward)).toEqual(['urgent', '1', '2', '3', '4', '5'])
  })

  test('G3 G5 G11 messages of other actors are kept, and requests of them wait', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward)
    const to = { type: 'strict', key: 'a' }
    const senders = [0, 1, 2].map((shard) => ward.system.actor(patient, keyOn('patient', shard, way.shards)))
    const [sender, asker, patientOne] = senders
    if (sender === undefined || asker === undefined || patientOne === undefined) throw new Error('There are three.')
    await ward.now(sender.ask.send({ to, command: 'note', input: text('message'), times: 3 }))
    await ward.now(asker.ask.inquire({ to, command: 'note', input: text('impatient'), timeoutMs: 5_000 }))
    await ward.now(patientOne.ask.inquire({ to, command: 'note', input: text('patient'), timeoutMs: 600_000 }))
    await ward.pass(4_900)
    expect(ward.system.stats().outbox).toBe(0)
    await ward.crash()
    await ward.pass(10_000)
    expect(outside.handled.filter((line) => line.startsWith('a '))).toEqual([])
    const refused = { type: 'refused', error: { code: 'ASK_TIMEOUT' } }
    const heardBy = async (ref: typeof asker): Promise<unknown> => await ward.now(ward.system.actor(patient, ref.key).ask.heard())
    if (way.shards > 1) {
      expect(await heardBy(asker)).toMatchObject([refused])
      expect(await heardBy(patientOne)).toEqual([])
    } else expect(await heardBy(asker)).toMatchObject([refused])
    expect(await release(ward)).toBe(1)
    await ward.pass(1_000)
    const kept = (await notes(ward)) as readonly string[]
    expect(kept.filter((note) => note.startsWith('message'))).toEqual(['message 1', 'message 2', 'message 3'])
    expect(kept.filter((note) => note === 'patient')).toEqual(['patient'])
    const answered = ((await heardBy(patientOne)) as readonly { readonly type: string }[]).filter(({ type }) => type === 'answered')
    expect(answered).toHaveLength(1)
  })

  test('G9 G11 timers that come due wait, and ring once when it is released', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.ask.set({ name: 'once', delayMs: 1_000 }))
    await ward.now(ref.ask.set({ name: 'often', delayMs: 1_000, everyMs: 1_000, event: 'tock' }))
    await poison(ward)
    await ward.pass(3_600_000)
    expect((await ward.now(ref.timers())).map(({ name }) => name)).toEqual(['often', 'once'])
    await ward.crash()
    await ward.pass(10_000)
    expect(outside.handled).toEqual([])
    expect(await release(ward)).toBe(1)
    await ward.pass(0)
    expect(outside.handled.toSorted()).toEqual(['a tick', 'a tock'])
    await ward.pass(2_000)
    expect(outside.handled.filter((line) => line === 'a tick')).toHaveLength(1)
    expect(outside.handled.filter((line) => line === 'a tock').length).toBeGreaterThanOrEqual(2)
  })

  test('G1 G11 snapshot, changes, timers, turns and late results answer as of the last commit', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const seen: unknown[] = []
    void (async () => {
      for await (const { context } of ref.changes()) seen.push(context.notes)
    })().catch((error: unknown) => seen.push(error))
    await ward.now(ref.ask.note(text('1')))
    await ward.now(ref.ask.set({ name: 't', delayMs: 60_000 }))
    await ward.outcome(ref.ask.mutate())
    await ward.quiet()
    const look = async (): Promise<void> => {
      const held = ward.system.actor(strict, 'a')
      expect(await ward.now(held.snapshot())).toMatchObject({ status: 'active', value: 'awake', context: { notes: ['1'], box: { n: 0 } } })
      expect(await ward.now(held.timers())).toMatchObject([{ name: 't' }])
      expect(await ward.now(held.turns())).toEqual([])
      expect(await ward.now(held.lateResults())).toEqual([])
      const first = await ward.now(held.changes().next())
      expect(first.value).toMatchObject({ context: { notes: ['1'] } })
    }
    await look()
    await ward.pass(600_000)
    await look()
    await ward.crash()
    await look()
    expect(seen.filter(Array.isArray)).toContainEqual(['1'])
    expect(seen.flat()).not.toContain('this must not stay')
  })

  test('G1 G11 who followed changes before the quarantine hears of those after the release', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const seen: unknown[] = []
    void (async () => {
      for await (const { context } of ref.changes()) seen.push(context.notes)
    })().catch((error: unknown) => seen.push(error))
    await ward.now(ref.ask.note(text('1')))
    await poison(ward)
    await ward.now(ref.tell.note(text('2')))
    await release(ward)
    await ward.quiet()
    expect(seen.at(-1)).toEqual(['1', '2'])
  })

  test('G11 a release forgets the failures: the actor may fail as often as before', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(twice, 'a')
    const fail = async (): Promise<unknown> => await ward.outcome(ref.ask.poison({}))
    for (let round = 0; round < 3; round += 1) {
      expect([await fail(), await fail(), await fail(), await fail()]).toEqual([
        'COMMAND_FAILED',
        'COMMAND_FAILED',
        'COMMAND_FAILED',
        'ACTOR_QUARANTINED',
      ])
      expect(await release(ward)).toBe(1)
      if (round === 1) await ward.crash()
      if (round === 1) break
    }
    expect(await ward.outcome(ward.system.actor(twice, 'a').ask.notes())).toEqual([])
    expect(ward.system.stats().held).toBe(0)
  })

  test('G11 a kept command that fails after the release holds the actor again, and what stands behind it stays kept', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward)
    const ref = ward.system.actor(strict, 'a')
    for (const tell of [ref.tell.note(text('1')), ref.tell.poison(text('again')), ref.tell.note(text('2'))]) await ward.now(tell)
    expect(await release(ward)).toBe(1)
    expect(await notes(ward)).toEqual(['1'])
    expect(await ward.now(ward.system.quarantine.list())).toMatchObject([
      { actor: 'strict/a', reason: expect.stringContaining('again') as string },
    ])
    expect(await ward.now(ward.system.deadLetters.list())).toMatchObject([{ command: 'poison', input: { text: 'again' } }])
    expect(await release(ward)).toBe(1)
    expect(await notes(ward)).toEqual(['1', '2'])
  })

  test('G12 the mailbox of a quarantined actor keeps its bound: the one too many is refused, and a message becomes a dead letter', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward, narrow)
    const ref = ward.system.actor(narrow, 'a')
    for (const n of ['1', '2', '3']) expect(await ward.outcome(ref.tell.note(text(n)))).toEqual({ outcome: 'accepted' })
    expect(await ward.outcome(ref.tell.note(text('4')))).toBe('MAILBOX_FULL')
    await ward.now(ward.system.actor(patient, 'p').ask.send({ to: { type: 'narrow', key: 'a' }, command: 'note', input: text('5') }))
    await ward.pass(1_000)
    expect(await ward.now(ward.system.deadLetters.list())).toMatchObject([{ reason: 'full', input: { text: '5' } }])
    await ward.crash()
    expect(await ward.outcome(ward.system.actor(narrow, 'a').tell.note(text('6')))).toBe('MAILBOX_FULL')
    expect(await release(ward)).toBe(1)
    expect(await notes(ward, narrow)).toEqual(['1', '2', '3'])
    expect(await ward.outcome(ward.system.actor(narrow, 'a').ask.note(text('7')))).toBe(4)
  })

  test('G12 asks take no room of a quarantined actor, however many are refused', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward, narrow)
    const ref = ward.system.actor(narrow, 'a')
    for (let n = 0; n < 10; n += 1) expect(await ward.outcome(ref.ask.note(text('x')))).toBe('ACTOR_QUARANTINED')
    for (const n of ['1', '2', '3']) expect(await ward.outcome(ref.tell.note(text(n)))).toEqual({ outcome: 'accepted' })
    expect(await ward.outcome(ref.ask.note(text('x')))).toBe('ACTOR_QUARANTINED')
    await release(ward)
    expect(await notes(ward, narrow)).toEqual(['1', '2', '3'])
  })

  test('G12 asks that waited for room are refused, and tells that did go on to wait for it', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(resting, 'a')
    await ward.outcome(ref.ask.poison({}))
    await ward.now(ref.tell.poison({}))
    for (const n of ['1', '2']) await ward.now(ref.tell.note(text(n)))
    const asked = follow(ref.ask.note(text('ask'), { waitForRoomMs: 60_000, timeoutMs: 120_000 }))
    const told = follow(ref.tell.note(text('3'), { waitForRoomMs: 60_000, timeoutMs: 120_000 }))
    const late = follow(ref.tell.note(text('4'), { waitForRoomMs: 60_000, timeoutMs: 120_000 }))
    await ward.pass(500)
    expect([asked(), told(), late()]).toEqual(['pending', 'pending', 'pending'])
    await ward.pass(500)
    expect(await ward.outcome(ref.ask.notes())).toBe('ACTOR_QUARANTINED')
    // The poison has left a place.
    expect(asked()).toBe('ACTOR_QUARANTINED')
    expect(told()).toEqual({ outcome: 'accepted' })
    expect(late()).toBe('pending')
    await ward.pass(60_000)
    expect(late()).toBe('MAILBOX_FULL')
    await release(ward)
    expect(await notes(ward, resting)).toEqual(['1', '2', '3'])
  })

  test('G12 a release makes room for those who wait for it', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward, narrow)
    const ref = ward.system.actor(narrow, 'a')
    for (const n of ['1', '2', '3']) await ward.now(ref.tell.note(text(n)))
    const waiting = follow(ref.tell.note(text('4'), { waitForRoomMs: 60_000 }))
    await ward.pass(1_000)
    expect(waiting()).toBe('pending')
    await release(ward)
    expect(waiting()).toEqual({ outcome: 'accepted' })
    expect(await notes(ward, narrow)).toEqual(['1', '2', '3', '4'])
  })

  test('G3 G11 a key stands for nothing yet if its ask was refused, and counts once if its tell was kept', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    expect(await ward.outcome(ref.ask.note(text('before'), { idempotencyKey: 'before' }))).toBe(1)
    await poison(ward)
    expect(await ward.outcome(ref.ask.note(text('refused'), { idempotencyKey: 'refused' }))).toBe('ACTOR_QUARANTINED')
    for (let n = 0; n < 3; n += 1) {
      expect(await ward.outcome(ref.tell.note(text('told'), { idempotencyKey: 'told' }))).toEqual({ outcome: 'accepted' })
    }
    await ward.crash()
    const again = ward.system.actor(strict, 'a')
    expect(await ward.outcome(again.tell.note(text('told'), { idempotencyKey: 'told' }))).toEqual({ outcome: 'accepted' })
    expect(await release(ward)).toBe(1)
    expect(await notes(ward)).toEqual(['before', 'told'])
    expect(await ward.outcome(again.ask.note(text('refused'), { idempotencyKey: 'refused' }))).toBe(3)
    expect(await ward.outcome(again.ask.note(text('refused'), { idempotencyKey: 'refused' }))).toBe(3)
    expect(await ward.outcome(again.ask.note(text('before'), { idempotencyKey: 'before' }))).toBe(1)
    expect(await ward.outcome(again.ask.note(text('told'), { idempotencyKey: 'told' }))).toBe(2)
    expect(await notes(ward)).toEqual(['before', 'told', 'refused'])
  })

  test('G3 G11 natural keys and deliveries edit what waits, as they do elsewhere', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.tell.note(text('handled'), { naturalKey: 'handled', deliveryId: 'h1' }))
    await poison(ward)
    expect(await ward.outcome(ref.tell.note(text('first'), { naturalKey: 'comment', deliveryId: 'd1' }))).toEqual({ outcome: 'accepted' })
    expect(await ward.outcome(ref.tell.note(text('between')))).toEqual({ outcome: 'accepted' })
    expect(await ward.outcome(ref.tell.note(text('edited'), { naturalKey: 'comment', deliveryId: 'd2' }))).toEqual({ outcome: 'replaced' })
    expect(await ward.outcome(ref.tell.note(text('first'), { naturalKey: 'comment', deliveryId: 'd1' }))).toEqual({ outcome: 'duplicate' })
    await ward.crash()
    const again = ward.system.actor(strict, 'a')
    expect(await ward.outcome(again.tell.note(text('edited again'), { naturalKey: 'comment', deliveryId: 'd3' }))).toEqual({
      outcome: 'replaced',
    })
    expect(await ward.outcome(again.tell.note(text('x'), { deliveryId: 'd2' }))).toEqual({ outcome: 'duplicate' })
    // Whether what it is about has been handled is looked up when its turn comes; it has no effect in any case.
    await ward.now(again.tell.note(text('x'), { naturalKey: 'handled', deliveryId: 'h2' }))
    expect(await release(ward)).toBe(1)
    expect(await notes(ward)).toEqual(['handled', 'edited again', 'between'])
  })

  test('G11 tells for later wait for their moment and then for the release', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.tell.note(text('early'), { delayMs: 1_000 }))
    await poison(ward)
    await ward.now(ref.tell.note(text('late'), { delayMs: 10_000 }))
    await ward.pass(5_000)
    await release(ward)
    expect(await notes(ward)).toEqual(['early'])
    await ward.pass(5_000)
    expect(await notes(ward)).toEqual(['early', 'late'])
  })

  test('G11 postponed tells are kept, and handled once the state takes them', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    await ward.now(ref.ask.shut())
    for (const n of ['1', '2']) await ward.now(ref.tell.later(text(n)))
    await ward.quiet()
    await poison(ward)
    await ward.now(ref.tell.later(text('3')))
    await ward.crash()
    expect(await release(ward)).toBe(1)
    expect(await notes(ward)).toEqual([])
    expect(await ward.outcome(ward.system.actor(strict, 'a').ask.open())).toBe(undefined)
    await ward.quiet()
    expect(await notes(ward)).toEqual(['1', '2', '3'])
  })

  test('G7 G11 a turn that runs is heard of once, whatever its caller was told', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const asked = follow(ref.ask.work(text('long'), { timeoutMs: 600_000 }))
    await ward.until('the turn runs', () => outside.runs.length === 1)
    const [turn] = await ward.now(ref.turns())
    await poison(ward)
    expect(await ward.outcome(ref.ask.work(text('another')))).toBe('ACTOR_QUARANTINED')
    expect(await ward.now(ref.turns())).toMatchObject([{ turn: turn?.turn }])
    for (const run of outside.runs) run.finish('well')
    await ward.pass(1_000)
    expect(outside.handled).toEqual(['a work.started'])
    await release(ward)
    await ward.pass(1_000)
    for (const run of outside.runs) run.finish('well')
    await ward.pass(1_000)
    const heard = (await ward.now(ref.ask.heard())).map(({ type }) => type)
    expect(heard.filter((type) => type === 'work.done')).toHaveLength(1)
    expect(heard[0]).toBe('work.started')
    expect((await ward.now(ref.turns())).map(({ state }) => state)).toEqual(['ended'])
    expect(asked()).not.toBe('pending')
    // The session is free.
    const next = follow(ref.ask.work(text('next')))
    const before = outside.runs.length
    await ward.until(
      'the next turn runs',
      () => outside.runs.length > before || outside.runs.some(({ context }) => context.input.text === 'next'),
    )
    outside.runs.at(-1)?.finish('well')
    await ward.quiet()
    expect(next()).toEqual({ outcome: 'ok', value: 'well' })
  })

  test('G7 G11 a turn that ran when the process died in quarantine comes to its end after the release', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(strict, 'a').tell.work(text('long')))
    await ward.until('the turn runs', () => outside.runs.length === 1)
    await poison(ward)
    await ward.crash()
    await ward.pass(1_000)
    expect(outside.handled.filter((line) => line === 'a work.done')).toEqual([])
    expect(await release(ward)).toBe(1)
    await ward.until('the turn runs again', () => outside.runs.length >= 2)
    outside.runs.at(-1)?.finish('well')
    await ward.pass(100)
    const heard = (await ward.now(ward.system.actor(strict, 'a').ask.heard())).map(({ type }) => type)
    expect(heard.filter((type) => type === 'work.done')).toHaveLength(1)
  })

  test('G11 a turn that is told to a quarantined actor begins with its release', async () => {
    const ward = await wardOf(way, { actors })
    await poison(ward)
    const ref = ward.system.actor(strict, 'a')
    expect(await ward.outcome(ref.tell.work(text('told')))).toEqual({ outcome: 'accepted' })
    await ward.pass(60_000)
    expect(outside.runs).toEqual([])
    await release(ward)
    await ward.until('the turn runs', () => outside.runs.length === 1)
    outside.runs[0]?.finish('well')
    await ward.quiet()
    expect((await ward.now(ref.ask.heard())).map(({ type }) => type)).toEqual(['work.started', 'work.done'])
  })

  test('G11 deferred replies that are open end once for their callers, and do no harm after the release', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const waiting = follow(ref.ask.wait({}, { timeoutMs: 30_000 }))
    const other = ward.system.actor(patient, 'p')
    await ward.now(other.ask.inquire({ to: { type: 'strict', key: 'a' }, command: 'wait', timeoutMs: 600_000 }))
    await ward.pass(100)
    await poison(ward)
    await ward.pass(30_000)
    expect(['ASK_TIMEOUT', 'ACTOR_QUARANTINED']).toContain(waiting())
    await release(ward)
    await ward.now(ref.ask.answer(text('at last')))
    await ward.now(ref.ask.answer(text('at last')))
    await ward.pass(100)
    // The actor that asked hears exactly one end.
    expect(await ward.now(other.ask.heard())).toHaveLength(1)
    await ward.pass(600_000)
    expect(await ward.now(other.ask.heard())).toHaveLength(1)
    expect(ward.system.stats().awaitingReply).toBe(0)
  })

  test('G11 an effect that ends while its actor is held is heard of after the release, once', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const both = [ref.ask.errand(), ref.ask.poison({})].map(async (ask) => await ward.outcome(ask))
    expect(await Promise.all(both)).toEqual([undefined, 'COMMAND_FAILED'])
    await ward.pass(60_000)
    expect(outside.handled).toEqual([])
    await ward.crash()
    await ward.pass(60_000)
    await release(ward)
    await ward.pass(1_000)
    expect(outside.handled).toEqual(['a job.done'])
  })

  test('G11 children of a quarantined actor are stopped, and begin anew with its release', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(strict, 'a').ask.tend())
    await ward.until('the child is there', () => outside.children.length === 1)
    await poison(ward)
    expect(outside.children.map(({ isStopped }) => isStopped)).toEqual([true])
    outside.children[0]?.cry({ type: 'cry' })
    await ward.pass(60_000)
    expect(outside.children).toHaveLength(1)
    await release(ward)
    await ward.now(ward.system.actor(strict, 'a').ask.notes())
    await ward.quiet()
    expect(outside.children.map(({ isStopped }) => isStopped)).toEqual([true, false])
    expect(outside.handled).toEqual([])
  })

  test('G11 those who wait in line for a lease are refused when its actor is quarantined', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const lease = await ward.now(ref.lease('pen').acquire({ owner: 'me', ttlMs: 600_000 }))
    const line = follow(ref.lease('pen').acquire({ owner: 'you', waitMs: 600_000 }))
    await ward.quiet()
    await poison(ward)
    expect(lease).toBeDefined()
    expect(line()).toBe('ACTOR_QUARANTINED')
  })

  test('G11 a lease that is held cannot be renewed, and ends by its time, once the actor is released', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const lease = await ward.now(ref.lease('pen').acquire({ owner: 'me', ttlMs: 10_000 }))
    if (lease === undefined) throw new Error('Nobody else wants it.')
    await poison(ward)
    expect(await ward.outcome(lease.renew())).toBe('ACTOR_QUARANTINED')
    await ward.pass(20_000)
    expect(lease.isHeld).toBe(false)
    await release(ward)
    await ward.pass(1)
    expect((await ward.now(ref.lease('pen').state())).owner).toBeUndefined()
    expect(outside.handled).toEqual(['a pen.granted', 'a pen.released'])
  })

  test('G3 G11 dead letters that are replayed to a quarantined actor are kept like everything else', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(twice, 'a')
    outside.faulty.add('risky one')
    await ward.now(ref.tell.risky(text('risky one')))
    await ward.quiet()
    await ward.now(ward.system.quarantine.hold(twice, 'a', { reason: 'by hand' }))
    outside.faulty.clear()
    expect(await ward.now(ward.system.deadLetters.replay({ type: 'twice' }))).toBe(1)
    await ward.crash()
    await ward.pass(60_000)
    expect(outside.handled).toEqual([])
    await release(ward)
    await ward.pass(100)
    expect(outside.handled).toEqual(['a risky one'])
    expect(await ward.now(ward.system.deadLetters.list())).toEqual([])
  })

  test('G2 G11 a quarantine is on disk before anybody hears of it', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strict, 'a')
    const asked = [ref.ask.poison({}), ref.ask.note(text('x'))].map((ask) => follow(ask))
    await ward.until('the first is answered', () => asked[0]?.() !== 'pending')
    await ward.crash()
    expect(await ward.outcome(ward.system.actor(strict, 'a').ask.notes())).toBe('ACTOR_QUARANTINED')
  })
})
