/** What a restart does: the actor goes on from its last committed state, with its mailbox, and with children of its own anew. */
import { describe, expect, test } from 'vitest'
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, fromTransition, sendTo, setup } from 'xstate'
import { outside, patientOf } from './patients.ts'
import { follow, keyOn, WAYS, wardOf } from './ward.ts'
import type { Ward } from './ward.ts'

const patient = patientOf('patient')
const other = patientOf('other')
const journaled = patientOf('journaled', { persist: 'journal' })
const flighty = patientOf('flighty', { volatile: true })
const strictFlighty = patientOf('strict-flighty', { volatile: true, supervision: { maxRestarts: 1, withinMs: 10_000 } })

const text = (words: string): { readonly text: string } => ({ text: words })

// A machine whose child is a machine, too: it counts, and its parent asks it to.
const clerk = setup({ types: { context: {} as { readonly n: number }, events: {} as { readonly type: 'count' } } }).createMachine({
  context: { n: 0 },
  on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
})
const office = defineActor({
  type: 'office',
  module: import.meta.url,
  logic: setup({
    types: { context: {} as { readonly counted: number }, events: {} as { readonly type: 'count' | 'poison' } },
    actors: { clerk },
  }).createMachine({
    context: { counted: 0 },
    invoke: { src: 'clerk', id: 'clerk' },
    on: {
      count: { actions: [assign({ counted: ({ context }) => context.counted + 1 }), sendTo('clerk', { type: 'count' })] },
      poison: {
        actions: [
          sendTo('clerk', { type: 'count' }),
          assign(() => {
            throw new Error('not this one')
          }),
        ],
      },
    },
  }),
  commands: {
    count: command(),
    poison: command(),
    counted: query({
      reply: ({ context, snapshot }) => {
        const child = snapshot.children['clerk']?.getSnapshot() as { readonly context: { readonly n: number } } | undefined
        return { counted: context.counted, byClerk: child?.context.n }
      },
    }),
  },
})

// Logic that is no machine, and tries to change its state in place.
const ledger = defineActor({
  type: 'ledger',
  module: import.meta.url,
  logic: fromTransition(
    (state: { total: number }, event: { readonly type: 'add' | 'spoil' }) => {
      state.total += 1
      if (event.type === 'spoil') throw new Error('spoilt')
      return state
    },
    () => ({ total: 0 }),
  ),
  commands: {
    add: command({ reply: ({ context }) => context.total }),
    spoil: command(),
    total: query({ reply: ({ context }) => context.total }),
  },
})

const actors = [patient, other, journaled, flighty, strictFlighty, office, ledger]

async function notesOf(ward: Ward, definition: typeof patient, key = 'a'): Promise<unknown> {
  return await ward.outcome(ward.system.actor(definition, key).ask.notes())
}

describe.each(WAYS)('$title', (way) => {
  test('G4 G11 a command that throws has no effect, its caller gets its error, and the actor goes on', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.note(text('1')))
    await expect(ward.now(ref.ask.poison(text('bad blood')))).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      actor: 'patient/a',
      command: 'poison',
      message: expect.stringContaining('bad blood') as string,
    })
    expect(await ward.outcome(ref.ask.note(text('2')))).toBe(2)
    expect(await ward.outcome(ref.ask.misreply())).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.bigreply())).toBe('NOT_SERIALIZABLE')
    expect(await ward.outcome(ref.ask.missend())).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.spoil())).toBe('NOT_SERIALIZABLE')
    expect(await notesOf(ward, patient)).toEqual(['1', '2'])
    await ward.crash()
    expect(await notesOf(ward, patient)).toEqual(['1', '2'])
    expect(ward.system.stats()).toMatchObject({ restarts: 0, held: 0 })
  })

  test.each([
    ['of a machine', patient],
    ['of a machine with a journal', journaled],
  ] as const)('G4 G11 what a throwing transition %s has changed in place is gone', async (_title, definition) => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(definition as typeof patient, 'a')
    await ward.now(ref.ask.note(text('1')))
    expect(await ward.outcome(ref.ask.mutate())).toBe('COMMAND_FAILED')
    expect(await ward.now(ref.ask.box())).toBe(0)
    expect(await ward.now(ref.ask.notes())).toEqual(['1'])
    expect(await ward.outcome(ref.ask.note(text('2')))).toBe(2)
    await ward.crash()
    expect(await ward.now(ward.system.actor(definition as typeof patient, 'a').snapshot())).toMatchObject({
      context: { box: { n: 0 }, notes: ['1', '2'] },
    })
  })

  test('G4 G11 logic that is no machine cannot change its state in place either', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(ledger, 'a')
    expect(await ward.outcome(ref.ask.add())).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.spoil())).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.total())).toBe(0)
  })

  test('G4 G11 what commands of the same batch did before the one that threw stays, and so does what they changed after it', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    const asked = [ref.ask.note(text('1')), ref.ask.mutate(), ref.ask.note(text('2')), ref.ask.mutate(), ref.ask.note(text('3'))]
    expect(await Promise.all(asked.map((ask) => ward.outcome(ask)))).toEqual([1, 'COMMAND_FAILED', 2, 'COMMAND_FAILED', 3])
    await ward.crash()
    expect(await ward.now(ward.system.actor(patient, 'a').snapshot())).toMatchObject({ context: { notes: ['1', '2', '3'], box: { n: 0 } } })
  })

  test.each([
    ['a machine', patient],
    ['a machine with a journal', journaled],
  ] as const)(
    'G4 G11 what a throwing transition of %s has changed in place is not written with what was done before it in the batch',
    async (_title, definition) => {
      const ward = await wardOf(way, { actors })
      const ref = ward.system.actor(definition as typeof patient, 'a')
      const asked = [ref.ask.note(text('1')), ref.ask.mutate()]
      expect(await Promise.all(asked.map((ask) => ward.outcome(ask)))).toEqual([1, 'COMMAND_FAILED'])
      await ward.crash()
      const after = await ward.now(ward.system.actor(definition as typeof patient, 'a').snapshot())
      expect(after).toMatchObject({ context: { notes: ['1'], box: { n: 0 } } })
    },
  )

  test('G4 G11 a command whose reply throws has not happened, in memory and on disk', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.note(text('1')))
    // The command was accepted by the machine; its reply was not to be had.
    expect(await ward.outcome(ref.ask.misreply())).toBe('COMMAND_FAILED')
    expect(await ward.now(ref.ask.notes())).toEqual(['1'])
    await ward.crash()
    expect(await ward.now(ward.system.actor(patient, 'a').ask.notes())).toEqual(['1'])
  })

  test('G5 G11 the mailbox stays, in its order and by its lanes', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.note(text('0')))
    const sent = [
      ref.ask.poison({}),
      ref.tell.note(text('1')),
      ref.ask.note(text('2')),
      ref.tell.poison({}),
      ref.ask.note(text('low'), { priority: 'low' }),
      ref.tell.note(text('3')),
      ref.ask.poison({}),
      ref.tell.note(text('4')),
    ]
    await Promise.all(sent.map((call) => ward.outcome(call)))
    await ward.quiet()
    expect(await notesOf(ward, patient)).toEqual(['0', '1', '2', '3', '4', 'low'])
    expect(ward.system.stats().restarts).toBeGreaterThan(0)
  })

  test('G3 G11 a tell that throws becomes a dead letter at once, with the revision whose state could not take it', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    for (const n of ['1', '2', '3']) await ward.now(ref.ask.note(text(n)))
    expect(await ward.outcome(ref.tell.poison(text('bad blood')))).toEqual({ outcome: 'accepted' })
    await ward.quiet()
    const letters = await ward.now(ward.system.deadLetters.list())
    expect(letters).toMatchObject([
      {
        actor: 'patient/a',
        command: 'poison',
        reason: 'failed',
        error: { code: 'COMMAND_FAILED', message: expect.stringContaining('bad blood') as string },
        input: { text: 'bad blood' },
        revision: 3,
      },
    ])
    // It is not tried again.
    await ward.pass(600_000)
    await ward.crash()
    await ward.pass(600_000)
    expect(await ward.now(ward.system.deadLetters.list())).toHaveLength(1)
    expect(await notesOf(ward, patient)).toEqual(['1', '2', '3'])
  })

  test('G3 G11 a message of another actor that throws is a dead letter that names its sender, and a request gets its error', async () => {
    const ward = await wardOf(way, { actors })
    const to = { type: 'patient', key: keyOn('patient', 1, way.shards) }
    const from = ward.system.actor(other, keyOn('other', 0, way.shards))
    await ward.now(from.ask.send({ to, command: 'poison', input: {} }))
    await ward.now(from.ask.inquire({ to, command: 'poison', input: {} }))
    await ward.pass(100)
    expect(await ward.now(ward.system.deadLetters.list())).toMatchObject([{ source: from.address, command: 'poison', revision: 0 }])
    expect(await ward.now(from.ask.heard())).toMatchObject([{ type: 'refused', error: { code: 'COMMAND_FAILED' } }])
    expect(ward.system.stats()).toMatchObject({ restarts: 2, outbox: 0 })
  })

  test('G11 children are stopped and begin anew, as the committed state has them', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.tend())
    await ward.until('the child is there', () => outside.children.length === 1)
    await ward.outcome(ref.ask.poison({}))
    await ward.until('there is another child', () => outside.children.length === 2)
    expect(outside.children.map(({ isStopped }) => isStopped)).toEqual([true, false])
    // The one that was stopped is heard no more, the other one is.
    outside.children[0]?.cry({ type: 'cry' })
    await ward.quiet()
    expect(await ward.now(ref.ask.heard())).toEqual([])
    outside.children[1]?.cry({ type: 'cry' })
    await ward.quiet()
    expect(await ward.now(ref.ask.heard())).toMatchObject([{ type: 'cry' }])
    await ward.now(ref.ask.rest())
    await ward.quiet()
    expect(outside.children.map(({ isStopped }) => isStopped)).toEqual([true, true])
  })

  test('G11 each restart starts the children once more, and nobody else’s', async () => {
    const ward = await wardOf(way, { actors })
    for (const key of ['a', 'b', 'c']) await ward.now(ward.system.actor(patient, key).ask.tend())
    await ward.quiet()
    for (let n = 0; n < 5; n += 1) {
      await ward.outcome(ward.system.actor(patient, 'b').ask.poison({}))
      await ward.quiet()
    }
    const running = outside.children.filter(({ isStopped }) => !isStopped).map(({ self }) => self)
    expect(running.toSorted()).toEqual(['a', 'b', 'c'])
    expect(outside.children.filter(({ self }) => self === 'b')).toHaveLength(6)
    expect(outside.children).toHaveLength(8)
    expect(ward.system.stats().restarts).toBe(5)
  })

  test('G11 a promise begins anew, and what the one before it promised is not heard', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    await ward.now(ref.ask.brood())
    await ward.until('there is an egg', () => outside.eggs.length === 1)
    await ward.outcome(ref.ask.poison({}))
    await ward.until('there is another egg', () => outside.eggs.length === 2)
    outside.eggs[0]?.hatch('too late')
    await ward.quiet()
    expect((await ward.now(ref.snapshot())).value).toBe('brooding')
    outside.eggs[1]?.hatch('in time')
    await ward.quiet()
    expect((await ward.now(ref.snapshot())).value).toBe('awake')
  })

  test('G11 a child that broke begins anew by itself, although nothing else reaches its actor', async () => {
    const ward = await wardOf(way, { actors })
    await ward.now(ward.system.actor(patient, 'a').ask.brood())
    await ward.until('there is an egg', () => outside.eggs.length === 1)
    await ward.pass(1_000)
    outside.eggs[0]?.crack(new Error('broken'))
    await ward.pass(200)
    expect(outside.eggs).toHaveLength(2)
  })

  test('G11 a child that is a machine begins anew from the committed snapshot, without what a failed transition sent it', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(office, 'a')
    await ward.now(ref.ask.count())
    await ward.now(ref.ask.count())
    await ward.quiet()
    expect(await ward.outcome(ref.ask.poison())).toBe('COMMAND_FAILED')
    await ward.quiet()
    const { counted, byClerk = -1 } = await ward.now(ref.ask.counted())
    expect(counted).toBe(2)
    expect(byClerk).toBeLessThanOrEqual(2)
    await ward.now(ref.ask.count())
    await ward.quiet()
    expect(await ward.now(ref.ask.counted())).toEqual({ counted: 3, byClerk: byClerk + 1 })
  })

  test('G11 a volatile actor keeps its state, also over many failures', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(flighty, 'a')
    await ward.now(ref.ask.note(text('1')))
    for (let n = 0; n < 5; n += 1) expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.note(text('2')))).toBe(2)
    expect(await notesOf(ward, flighty as unknown as typeof patient)).toEqual(['1', '2'])
  })

  test('G11 a volatile actor that fails too often is held, too', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(strictFlighty, 'a')
    for (let n = 0; n < 2; n += 1) expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.notes())).toBe('ACTOR_QUARANTINED')
    expect(await ward.now(ward.system.quarantine.release({ type: 'strict-flighty' }))).toBe(1)
    expect(await ward.outcome(ref.ask.note(text('1')))).toEqual(expect.any(Number))
  })

  test('G7 G11 a turn that runs goes on, and its end is heard once', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    const asked = follow(ref.ask.work(text('long')))
    await ward.until('the turn runs', () => outside.runs.length === 1)
    for (let n = 0; n < 3; n += 1) expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    await ward.pass(1_000)
    expect(outside.runs[0]?.context.interrupted()).toBe(false)
    expect((await ward.now(ref.turns()))[0]).toMatchObject({ state: 'running', attempt: 1 })
    outside.runs[0]?.finish('well')
    await ward.quiet()
    expect(asked()).toEqual({ outcome: 'ok', value: 'well' })
    const heard = (await ward.now(ref.ask.heard())).map(({ type }) => type)
    expect(heard).toEqual(['work.started', 'work.done'])
    expect(outside.runs).toHaveLength(1)
  })

  test('G7 G11 a turn whose end cannot be heard has ended all the same, once', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    outside.faulty.add('work.done')
    const asked = follow(ref.ask.work(text('long')))
    await ward.until('the turn runs', () => outside.runs.length === 1)
    outside.runs[0]?.finish('well')
    await ward.pass(60_000)
    expect(asked()).toEqual({ outcome: 'ok', value: 'well' })
    expect((await ward.now(ref.turns())).map(({ state }) => state)).toEqual(['ended'])
    expect(ward.system.stats().restarts).toBe(1)
    // The session is free again.
    outside.faulty.clear()
    const next = follow(ref.ask.work(text('next')))
    await ward.until('the next turn runs', () => outside.runs.length === 2)
    outside.runs[1]?.finish('well again')
    await ward.quiet()
    expect(next()).toEqual({ outcome: 'ok', value: 'well again' })
  })

  test('G3 G11 an idempotent command that failed is executed anew by its next caller, and one that was done is not', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    outside.faulty.add('x')
    expect(await ward.outcome(ref.ask.note(text('0'), { idempotencyKey: 'note' }))).toBe(1)
    const risky = (): Promise<unknown> => ward.outcome(ref.ask.risky(text('x'), { idempotencyKey: 'risky' }))
    const first = await risky()
    expect(first).toBe('COMMAND_FAILED')
    expect(await ward.outcome(ref.ask.note(text('0'), { idempotencyKey: 'note' }))).toBe(1)
    expect(await notesOf(ward, patient)).toEqual(['0'])
  })

  test('G11 deferred replies that are open, timers and postponed commands outlive a restart', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    const waiting = follow(ref.ask.wait({}, { timeoutMs: 600_000 }))
    await ward.now(ref.ask.set({ name: 't', delayMs: 10_000 }))
    await ward.now(ref.ask.shut())
    const postponed = follow(ref.ask.later(text('later'), { timeoutMs: 600_000 }))
    await ward.now(ref.tell.later(text('told later')))
    await ward.quiet()
    for (let n = 0; n < 3; n += 1) expect(await ward.outcome(ref.ask.poison({}))).toBe('COMMAND_FAILED')
    expect([waiting(), postponed()]).toEqual(['pending', 'pending'])
    await ward.pass(10_000)
    expect((await ward.now(ref.ask.heard())).map(({ type }) => type)).toEqual(['tick'])
    await ward.now(ref.ask.open())
    await ward.now(ref.ask.answer(text('at last')))
    await ward.quiet()
    expect([waiting(), postponed()]).toEqual(['at last', undefined])
    expect(await notesOf(ward, patient)).toEqual(['waits', 'later', 'told later'])
  })

  test('G1 G11 those who follow changes see no state that was taken back, and go on to follow', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    const seen: unknown[] = []
    const changes = ref.changes()
    void (async () => {
      for await (const { context } of changes) seen.push([context.notes.length, context.box.n])
    })().catch((error: unknown) => seen.push(error))
    await ward.now(ref.ask.note(text('1')))
    await ward.outcome(ref.ask.mutate())
    await ward.now(ref.ask.note(text('2')))
    await ward.quiet()
    expect(seen.at(-1)).toEqual([2, 0])
    expect(seen.every((one) => Array.isArray(one) && one[1] === 0)).toBe(true)
  })

  test('G11 a lease outlives the restart of its actor', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    const lease = await ward.now(ref.lease('pen').acquire({ owner: 'me', ttlMs: 60_000 }))
    await ward.outcome(ref.ask.poison({}))
    expect(await ward.now(ref.lease('pen').state())).toMatchObject({ owner: 'me', epoch: lease?.epoch })
    if (lease !== undefined) expect(await ward.outcome(ref.ask.note(text('1'), { lease }))).toBe(1)
  })

  test('G11 what a failing transition wanted of others has not happened', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, 'a')
    // The wish for the other actor stands before the wrong one in the same transition.
    await ward.outcome(ref.ask.missend())
    await ward.pass(1_000)
    expect(await notesOf(ward, patient)).toEqual([])
    expect(ward.system.stats()).toMatchObject({ outbox: 0, deadLetters: 0 })
  })
})
