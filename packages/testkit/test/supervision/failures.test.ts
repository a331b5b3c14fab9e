/** What counts as a failure of an actor, and what does not. Every actor here is held at its first failure, so that one look tells. */
import { describe, expect, test } from 'vitest'
import { job, outside, patientOf } from './patients.ts'
import { WAYS, wardOf } from './ward.ts'
import type { Ward } from './ward.ts'

const strict = patientOf('strict', { supervision: { maxRestarts: 0 } })
const newer = patientOf('strict', { supervision: { maxRestarts: 0 }, version: 2 })
const patient = patientOf('patient')
const actors = [strict, patient]

type Ref = ReturnType<typeof refOf>
function refOf(ward: Ward) {
  return ward.system.actor(strict, 'a')
}

/** The ways to fail: what is done, what the caller gets where there is one, and how the failure is named. */
const FAILURES: readonly {
  readonly title: string
  readonly fail: (ref: Ref, ward: Ward) => unknown
  readonly outcome?: unknown
  readonly code?: string
  readonly because?: string
}[] = [
  { title: 'a command that throws', fail: (ref) => ref.ask.poison({}), outcome: 'COMMAND_FAILED', because: 'poison' },
  { title: 'a tell that throws', fail: (ref) => ref.tell.poison({}), outcome: { outcome: 'accepted' }, because: 'poison' },
  { title: 'a reply that throws', fail: (ref) => ref.ask.misreply(), outcome: 'COMMAND_FAILED', because: 'misreply' },
  {
    title: 'a reply that JSON cannot carry',
    fail: (ref) => ref.ask.bigreply(),
    outcome: 'NOT_SERIALIZABLE',
    code: 'NOT_SERIALIZABLE',
    because: 'bigreply',
  },
  {
    title: 'a state that JSON cannot carry',
    fail: (ref) => ref.ask.spoil(),
    outcome: 'NOT_SERIALIZABLE',
    code: 'NOT_SERIALIZABLE',
    because: 'spoil',
  },
  { title: 'a wrong wish', fail: (ref) => ref.ask.missend(), outcome: 'COMMAND_FAILED', because: 'missend' },
  {
    title: 'a command of another actor that throws',
    fail: async (_ref, ward) => {
      const to = { type: 'strict', key: 'a' }
      await ward.now(ward.system.actor(patient, 'p').ask.send({ to, command: 'poison' }))
    },
    because: 'poison',
  },
  {
    title: 'a timer whose event throws',
    fail: async (ref, ward) => {
      outside.faulty.add('tick')
      await ward.now(ref.ask.set({ name: 't', delayMs: 1_000 }))
      await ward.pass(1_000)
    },
    because: 'timer t',
  },
  {
    title: "a child's event that throws",
    fail: async (ref, ward) => {
      outside.faulty.add('cry')
      await ward.now(ref.ask.tend())
      await ward.quiet()
      outside.children[0]?.cry({ type: 'cry' })
      await ward.quiet()
    },
    because: 'cry',
  },
  {
    title: 'an error of a child that nobody handles',
    fail: async (ref, ward) => {
      await ward.now(ref.ask.brood())
      await ward.quiet()
      outside.eggs[0]?.crack(new Error('it is cracked'))
      await ward.quiet()
    },
  },
  {
    title: 'the end of an effect whose event throws',
    fail: async (ref, ward) => {
      outside.faulty.add('job.done')
      await ward.now(ref.ask.errand())
      await ward.pass(10)
    },
    because: 'job.done',
  },
  {
    title: 'an answer whose event throws',
    fail: async (ref, ward) => {
      outside.faulty.add('answered')
      await ward.now(ref.ask.inquire({ to: { type: 'patient', key: 'p' }, command: 'note', input: { text: 'x' } }))
      await ward.pass(10)
    },
    because: 'answered',
  },
  {
    title: 'an event of a turn that throws',
    fail: async (ref, ward) => {
      outside.faulty.add('work.done')
      void ward.outcome(ref.ask.work({ text: 'x' }))
      await ward.until('the turn runs', () => outside.runs.length === 1)
      outside.runs[0]?.finish('well')
      await ward.quiet()
    },
    because: 'work.done',
  },
  {
    title: 'the beginning of a turn whose event throws',
    fail: async (ref, ward) => {
      outside.faulty.add('work.started')
      await ward.now(ref.tell.work({ text: 'x' }))
      await ward.quiet()
    },
    because: 'work.started',
  },
  {
    title: 'an event of a lease that throws',
    fail: async (ref, ward) => {
      outside.faulty.add('pen.granted')
      void ward.outcome(ref.lease('pen').acquire({ owner: 'me' }))
      await ward.quiet()
    },
    because: 'pen.granted',
  },
  {
    title: 'a notice whose event throws',
    fail: async (ref, ward) => {
      outside.faulty.add('notice')
      await ward.now(ward.system.actor(patient, 'p').ask.end())
      await ward.now(ref.ask.watch({ key: 'patient/p' }))
      await ward.pass(10)
    },
    because: 'notice',
  },
  {
    title: 'an activation that throws',
    fail: (ref) => {
      outside.stillborn.add('a')
      return ref.ask.note({ text: 'x' })
    },
    outcome: 'ACTIVATION_FAILED',
    code: 'ACTIVATION_FAILED',
  },
]

/** What is no failure of the actor. */
const OTHERS: readonly { readonly title: string; readonly act: (ref: Ref, ward: Ward) => unknown; readonly outcome?: unknown }[] = [
  { title: 'a rejected command', act: (ref) => ref.ask.only(), outcome: 'COMMAND_REJECTED' },
  { title: 'a tell that is rejected', act: (ref) => ref.tell.only(), outcome: { outcome: 'accepted' } },
  { title: 'invalid input', act: (ref) => ref.ask.note({ text: 3 as unknown as string }), outcome: 'INVALID_INPUT' },
  { title: 'a failing query', act: (ref) => ref.ask.broken(), outcome: 'COMMAND_FAILED' },
  {
    title: 'a deferred command that the machine ends with an error',
    act: async (ref, ward) => {
      const waiting = ward.outcome(ref.ask.wait())
      await ward.now(ref.ask.giveUp())
      return await waiting
    },
    outcome: 'COMMAND_FAILED',
  },
  {
    title: 'a full disk',
    act: async (ref, ward) => {
      ward.world.disk.failCommits('full')
      const outcome = await ward.outcome(ref.ask.note({ text: 'x' }))
      ward.world.disk.failCommits(undefined)
      await ward.pass(2_000)
      return outcome
    },
    outcome: 'STORE_UNAVAILABLE',
  },
  {
    title: 'an effect that its actor hears of',
    act: async (ref, ward) => {
      await ward.now(ref.ask.errand())
      await ward.pass(10)
    },
  },
  {
    title: 'a turn that throws',
    act: async (ref, ward) => {
      const asked = ref.ask.work({ text: 'x' })
      await ward.until('the turn runs', () => outside.runs.length === 1)
      const [turn] = await ward.now(ref.turns())
      await ward.now(ref.cancelTurn(turn?.turn ?? 0))
      return ((await ward.now(asked)) as { readonly outcome: string }).outcome
    },
    outcome: 'cancelled',
  },
  {
    title: 'the death of its thread',
    act: async (_ref, ward) => {
      for (let n = 0; n < 4; n += 1) await ward.crashThreads()
    },
  },
]

describe.each(WAYS)('$title', (way) => {
  test.each(FAILURES)('G11 $title is a failure', async ({ fail, outcome, code, because }) => {
    const ward = await wardOf(way, { actors })
    const done = Promise.resolve(fail(refOf(ward), ward))
    if (outcome === undefined) await done
    else expect(await ward.outcome(done)).toEqual(outcome)
    await ward.quiet()
    const held = await ward.now(ward.system.quarantine.list())
    expect(held).toMatchObject([{ actor: 'strict/a', mode: 'quarantined', ...(code === undefined ? {} : { error: { code } }) }])
    if (because !== undefined) expect(held[0]?.command).toBe(because)
    expect(held[0]?.failures).toHaveLength(1)
    expect(held[0]?.error?.message).toMatch(/\w/)
    expect(await ward.outcome(refOf(ward).ask.notes())).toBe('ACTOR_QUARANTINED')
    // Nobody else is touched.
    expect(await ward.outcome(ward.system.actor(strict, 'b').ask.note({ text: 'x' }))).toBe(1)
  })

  test.each(OTHERS)('G11 $title is none', async ({ act, outcome }) => {
    const ward = await wardOf(way, { actors })
    const got = await ward.outcome(Promise.resolve(act(refOf(ward), ward)))
    if (outcome !== undefined) expect(got).toEqual(outcome)
    await ward.quiet()
    expect(await ward.now(ward.system.quarantine.list())).toEqual([])
    expect(ward.system.stats()).toMatchObject({ restarts: 0, held: 0 })
    expect(await ward.outcome(refOf(ward).ask.notes())).toBeInstanceOf(Array)
  })

  test('G11 a snapshot from which nothing leads to the present version is no failure', async () => {
    const ward = await wardOf(way, { actors: [strict] })
    await ward.now(refOf(ward).ask.note({ text: 'x' }))
    const system = await ward.crash([newer])
    expect(await ward.outcome(system.actor(newer, 'a').ask.notes())).toBe('NO_MIGRATION')
    expect(await ward.outcome(system.actor(newer, 'a').ask.notes())).toBe('NO_MIGRATION')
    expect(await ward.now(system.quarantine.list())).toEqual([])
    // Back to the code that knows it, it is there.
    const before = await ward.crash([strict])
    expect(await ward.outcome(before.actor(strict, 'a').ask.notes())).toEqual(['x'])
  })

  test('G11 an activation that throws counts once for each time that it is tried', async () => {
    const tried = patientOf('tried', { supervision: { maxRestarts: 2, withinMs: 60_000 } })
    const ward = await wardOf(way, { actors: [tried] })
    outside.stillborn.add('a')
    const ask = (): Promise<unknown> => ward.outcome(ward.system.actor(tried, 'a').ask.notes())
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([
      'ACTIVATION_FAILED',
      'ACTIVATION_FAILED',
      'ACTIVATION_FAILED',
      'ACTOR_QUARANTINED',
    ])
    outside.stillborn.delete('a')
    expect(await ask()).toBe('ACTOR_QUARANTINED')
    expect(await ward.now(ward.system.quarantine.release({ definition: tried, key: 'a' }))).toBe(1)
    expect(await ask()).toEqual([])
  })

  test('G11 an effect that was performed is not performed again because its actor failed on hearing of it', async () => {
    const ward = await wardOf(way, { actors: [patient] })
    const ref = ward.system.actor(patient, 'a')
    outside.faulty.add('job.done')
    await ward.now(ref.ask.errand())
    await ward.pass(60_000)
    expect(job.name).toBe('job')
    expect(ward.system.stats()).toMatchObject({ restarts: 1, effects: { done: 1 } })
    expect(await ward.now(ref.ask.heard())).toEqual([])
  })
})
