/** A batch is committed wholly or not at all. */
import type { Batch, Recovery, ShardStore } from '@bailiwick/store'
import assert from 'node:assert/strict'
import {
  START,
  account,
  batch,
  deposit,
  late,
  lease,
  letter,
  mail,
  message,
  openShard,
  outcome,
  refused,
  reopenAfterCrash,
  timer,
  turn,
} from './scenario.ts'
import type { Scenarios } from './scenario.ts'

/** Everything that can be seen of a shard in which account/1 to account/3 may be. */
async function everything(shard: ShardStore): Promise<unknown> {
  const actors = await Promise.all(['1', '2', '3'].map(async (key) => await shard.load('account', key)))
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => await shard.outcome('account/1/deposit', key, START)))
  return structuredClone([
    actors,
    outcomes,
    await shard.recover(START),
    await shard.dueTimers(Number.MAX_SAFE_INTEGER, 100),
    await shard.nextDueAt(),
    await shard.timersOf('account', '1'),
    await shard.dueCommands(Number.MAX_SAFE_INTEGER, 100),
    await shard.nextCommandDueAt(),
    await shard.turnsOf('account', '1', 100),
    await shard.turnsOf('account', '2', 100),
    await shard.lateResults(undefined, 100),
    await shard.lateResults({ type: 'account', key: '1' }, 100),
    await shard.outboxTo(1, 0, 100),
    await shard.outboxTo(2, 0, 100),
    await shard.dueEffects('mail', Number.MAX_SAFE_INTEGER, 100),
    await shard.nextEffectDueAt('mail'),
    await shard.deadLetters({}, 100),
  ])
}

/** A batch that touches every table; of actors 1 and 2, it creates 2. */
const full: Batch = batch({
  at: START + 1,
  created: [account(2)],
  changed: [{ number: 1, revision: 2, version: 1, snapshot: '"changed"' }],
  journal: [{ actor: 1, sequence: 3, at: START, event: '{}' }],
  journalTrims: [{ actor: 1, through: 2 }],
  accepted: [deposit(3), deposit(14, { dueAt: START + 4 })],
  inboxChanges: [{ sequence: 2, input: '"edited"', detail: '{"edits":1}' }],
  finished: [1, 11],
  outcomes: [outcome('b', START + 100), outcome('c', START + 100, { fingerprint: 'new' })],
  timersCleared: [{ actor: 1, name: 'cleared', generation: undefined }],
  timersSet: [timer('moved', 9, START + 9), timer('new', 10, START + 3)],
  callsOpened: [{ sequence: 24, actor: 2, detail: '"new"' }],
  callsClosed: [21],
  turns: [turn(51, { isEnded: true, detail: '"done"' }), turn(56, { actor: 2 })],
  frames: [
    { turn: 51, frame: '"replaced"' },
    { turn: 52, frame: '"first"' },
  ],
  framesDiscarded: [51, 54],
  turnsKept: [{ actor: 1, keep: 1 }],
  leases: [lease('door', 4, { detail: '"granted"' }), lease('printer', 1, { actor: 2 })],
  lateResults: [late(63)],
  lateResultsMax: 2,
  processes: [
    { sequence: 71, detail: '"running"' },
    { sequence: 73, detail: '{}' },
  ],
  processesEnded: [72],
  outbox: [message(1, 3), message(2, 1)],
  delivered: [{ peer: 1, through: 1 }],
  received: [
    { peer: 1, through: 8 },
    { peer: 3, through: 1 },
  ],
  effectsCancelled: [{ type: 'account', key: '1', label: 'reminder' }, { turn: 51 }],
  effects: [mail(36, { turn: 56 })],
  effectsClaimed: [31],
  effectsDelayed: [{ sequence: 32, dueAt: START + 9, detail: '"failed"' }],
  effectsSettled: [33],
  deadLetters: [letter(44)],
  deadLettersRemoved: [42],
  deadLettersTrimmed: 1,
  outcomesMax: 3,
})

async function prepared(shard: ShardStore): Promise<void> {
  await shard.commit(
    batch({
      created: [account(1)],
      journal: [{ actor: 1, sequence: 2, at: START, event: '"second"' }],
      accepted: [deposit(1), deposit(2), deposit(11, { dueAt: START + 2 })],
      outcomes: [outcome('a', START + 100), outcome('c', START + 1), outcome('d', START + 50)],
      timersSet: [timer('cleared', 1, START + 1), timer('moved', 2, START + 2)],
      callsOpened: [
        { sequence: 21, actor: 1, detail: '"closed"' },
        { sequence: 22, actor: 1, detail: '"open"' },
      ],
      turns: [turn(51), turn(52), turn(53, { isEnded: true }), turn(54)],
      frames: [51, 53, 54].map((sequence) => ({ turn: sequence, frame: `"frame ${sequence}"` })),
      leases: [lease('door', 3), lease('printer', 1)],
      lateResults: [late(61), late(62)],
      processes: [71, 72].map((sequence) => ({ sequence, detail: '{}' })),
      outbox: [message(1, 1), message(1, 2)],
      received: [{ peer: 1, through: 7 }],
      effects: [mail(31), mail(32), mail(33), mail(34, { label: 'reminder' }), mail(35), mail(37, { turn: 51 })],
      effectsClaimed: [32, 33],
      deadLetters: [letter(41), letter(42), letter(43, { naturalKey: 'k' })],
    }),
  )
}

/** What can be wrong with a batch, added to one that is right. */
const mistakes: Readonly<Record<string, Partial<Batch>>> = {
  'creates an actor number twice': { created: [account(2), account(2, { key: 'other' })] },
  'creates an actor that exists': { created: [account(2), account(3, { key: '1' })] },
  'changes an actor that does not exist': { changed: [{ number: 99, revision: 1, version: 1, snapshot: '{}' }] },
  'journals for an actor that does not exist': { journal: [{ actor: 99, sequence: 1, at: START, event: '{}' }] },
  'journals a sequence twice': {
    journal: [
      { actor: 1, sequence: 4, at: START, event: '{}' },
      { actor: 1, sequence: 4, at: START, event: '{}' },
    ],
  },
  'accepts a sequence that is waiting': { accepted: [deposit(3), deposit(2)] },
  'records an outcome over one that still counts': { outcomes: [outcome('b', START + 100), outcome('a', START + 900)] },
  'sets a timer of an actor that does not exist': { timersSet: [timer('moved', 9, START), timer('new', 10, START, { actor: 99 })] },
  'opens a call of an actor that does not exist': { callsOpened: [{ sequence: 24, actor: 99, detail: '{}' }] },
  'has a turn of an actor that does not exist': { turns: [turn(56), turn(57, { actor: 99 })] },
  'reopens a turn that has ended': { turns: [turn(51, { isEnded: true }), turn(53)] },
  'gives a turn to another actor': { turns: [turn(51, { isEnded: true }), turn(52, { actor: 2 })] },
  'gives a turn another command': { turns: [turn(51, { isEnded: true }), turn(52, { command: 'other' })] },
  'saves a frame of a turn that does not exist': {
    frames: [
      { turn: 52, frame: '"first"' },
      { turn: 99, frame: '{}' },
    ],
  },
  'has a lease of an actor that does not exist': { leases: [lease('door', 4), lease('door', 1, { actor: 99 })] },
  'takes the epoch of a lease back': { leases: [lease('printer', 2), lease('door', 2)] },
  'adds a late result that is there': { lateResults: [late(63), late(62)] },
  'sends a message that waits': { outbox: [message(1, 3), message(2, 1), message(1, 2)] },
  'promises an effect that is promised': { effects: [mail(36), mail(35)] },
  'adds a dead letter that is there': { deadLetters: [letter(44), letter(43)] },
}

function refusal(parts: Partial<Batch>): Scenarios[string] {
  return async (place) => {
    const shard = await openShard(place)
    await prepared(shard)
    const before = await everything(shard)
    await refused('BATCH_INVALID', () => shard.commit({ ...full, ...parts }))
    assert.deepEqual(await everything(shard), before)
    // The store goes on, as if the refused batch had never been there.
    await shard.commit(full)
    const after = await everything(shard)
    const later = await reopenAfterCrash(place)
    assert.deepEqual(await everything(later), after)
  }
}

export const commitScenarios: Scenarios = {
  ...Object.fromEntries(
    Object.entries(mistakes).map(([mistake, parts]) => [`a batch that ${mistake} is refused whole, and the store goes on`, refusal(parts)]),
  ),

  'an empty batch moves the time of the last commit and nothing else': async (place) => {
    const shard = await openShard(place)
    await shard.commit(batch({ at: START + 5 }))
    const expected: Recovery = {
      nextActorNumber: 1,
      nextInboxSequence: 1,
      nextTimerGeneration: 1,
      inbox: [],
      links: [],
      deadLetters: 0,
      outboxSize: 0,
      busy: [],
      processes: [],
      faults: [],
      committedAt: START + 5,
    }
    assert.deepEqual({ ...(await shard.recover(START)) }, expected)
  },

  'the time of the last commit never goes back': async (place) => {
    const shard = await openShard(place)
    assert.equal((await shard.recover(START)).committedAt, 0)
    await shard.commit(batch({ at: START + 5 }))
    await shard.commit(batch({ at: START }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.recover(START)).committedAt, START + 5)
  },

  'numbers, sequences and generations are never given twice, even when their rows are gone': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        created: [account(4), account(1)],
        accepted: [deposit(7), deposit(6)],
        timersSet: [timer('a', 9, START), timer('b', 8, START)],
      }),
    )
    const clear = (name: string) => ({ actor: 1, name, generation: undefined })
    await shard.commit(batch({ finished: [6, 7], timersCleared: [clear('a'), clear('b')] }))
    const later = await reopenAfterCrash(place)
    const recovery = await later.recover(START)
    assert.deepEqual([recovery.nextActorNumber, recovery.nextInboxSequence, recovery.nextTimerGeneration], [5, 8, 10])
    assert.equal(recovery.inbox.length, 0)
  },

  'no sequence is ever given twice, whatever had it, even when it is gone': async (place) => {
    const shard = await openShard(place)
    const next = async (): Promise<number> => (await shard.recover(START)).nextInboxSequence
    await shard.commit(batch({ created: [account(1)], accepted: [deposit(3)] }))
    assert.equal(await next(), 4)
    await shard.commit(batch({ callsOpened: [{ sequence: 5, actor: 1, detail: '{}' }], callsClosed: [5] }))
    assert.equal(await next(), 6)
    await shard.commit(batch({ effects: [mail(8)], effectsSettled: [8] }))
    assert.equal(await next(), 9)
    // A dead letter keeps the sequence of the command that it was.
    await shard.commit(batch({ finished: [3], deadLetters: [letter(3), letter(10)], deadLettersRemoved: [3, 10] }))
    assert.equal(await next(), 11)
    await shard.commit(batch({ turns: [turn(12, { isEnded: true })], turnsKept: [{ actor: 1, keep: 0 }] }))
    assert.equal(await next(), 13)
    await shard.commit(batch({ lateResults: [late(14)], lateResultsMax: 0 }))
    assert.equal(await next(), 15)
    await shard.commit(batch({ processes: [{ sequence: 16, detail: '{}' }], processesEnded: [16] }))
    assert.equal(await next(), 17)
    const later = await reopenAfterCrash(place)
    assert.equal((await later.recover(START)).nextInboxSequence, 17)
  },

  'a batch is copied: what its maker does to it later changes nothing': async (place) => {
    const shard = await openShard(place)
    const mine = {
      created: [account(1)],
      accepted: [deposit(1, { idempotency: { key: 'k', fingerprint: 'f' } })],
      timersSet: [timer('tick', 1, START)],
      callsOpened: [{ sequence: 2, actor: 1, detail: '"mine"' }],
      turns: [turn(5)],
      frames: [{ turn: 5, frame: '"mine"' }],
      leases: [lease('door', 1)],
      lateResults: [late(6)],
      processes: [{ sequence: 7, detail: '"mine"' }],
      outbox: [message(1, 1)],
      effects: [mail(3)],
      deadLetters: [letter(4)],
    }
    const rows = structuredClone(mine)
    await shard.commit(batch(rows))
    Object.assign(rows.created[0] ?? {}, { snapshot: 'changed' })
    Object.assign(rows.accepted[0] ?? {}, { input: 'changed' })
    Object.assign(rows.accepted[0]?.idempotency ?? {}, { key: 'changed' })
    Object.assign(rows.timersSet[0] ?? {}, { event: 'changed' })
    Object.assign(rows.callsOpened[0] ?? {}, { detail: 'changed' })
    Object.assign(rows.turns[0] ?? {}, { detail: 'changed' })
    Object.assign(rows.frames[0] ?? {}, { frame: 'changed' })
    Object.assign(rows.leases[0] ?? {}, { detail: 'changed' })
    Object.assign(rows.lateResults[0] ?? {}, { detail: 'changed' })
    Object.assign(rows.processes[0] ?? {}, { detail: 'changed' })
    Object.assign(rows.outbox[0] ?? {}, { message: 'changed' })
    Object.assign(rows.effects[0] ?? {}, { input: 'changed' })
    Object.assign(rows.deadLetters[0] ?? {}, { error: 'changed' })
    assert.equal((await shard.load('account', '1'))?.openCalls[0]?.detail, '"mine"')
    assert.deepEqual(
      (await shard.turnsOf('account', '1', 1)).map(({ detail, frame }) => [detail, frame]),
      [[mine.turns[0]?.detail, '"mine"']],
    )
    assert.equal((await shard.load('account', '1'))?.leases[0]?.detail, mine.leases[0]?.detail)
    assert.equal((await shard.lateResults(undefined, 1))[0]?.detail, mine.lateResults[0]?.detail)
    assert.equal((await shard.recover(START)).processes[0]?.detail, '"mine"')
    assert.equal((await shard.outboxTo(1, 0, 1))[0]?.message, mine.outbox[0]?.message)
    assert.equal((await shard.dueEffects('mail', START, 1))[0]?.input, mine.effects[0]?.input)
    assert.equal((await shard.deadLetters({}, 1))[0]?.error, mine.deadLetters[0]?.error)
    assert.equal((await shard.load('account', '1'))?.snapshot, mine.created[0]?.snapshot)
    assert.deepEqual(
      (await shard.recover(START)).inbox.map((row) => ({ ...row })),
      mine.accepted,
    )
    assert.equal((await shard.dueTimers(START, 1))[0]?.event, mine.timersSet[0]?.event)
  },

  'an answer is copied: what its reader does to it changes nothing': async (place) => {
    const shard = await openShard(place)
    await shard.commit(
      batch({
        created: [account(1)],
        accepted: [deposit(1, { idempotency: { key: 'k', fingerprint: 'f' } })],
        outcomes: [outcome('a', START + 1)],
        timersSet: [timer('tick', 1, START)],
        callsOpened: [{ sequence: 2, actor: 1, detail: '{}' }],
        turns: [turn(5)],
        leases: [lease('door', 1)],
        lateResults: [late(6)],
        processes: [{ sequence: 7, detail: '{}' }],
        outbox: [message(1, 1)],
        effects: [mail(3)],
        deadLetters: [letter(4)],
      }),
    )
    const before = await everything(shard)
    const recovery = await shard.recover(START)
    Object.assign(recovery.inbox[0] ?? {}, { input: 'changed' })
    Object.assign(recovery.inbox[0]?.idempotency ?? {}, { key: 'changed' })
    Object.assign(recovery.inbox, { length: 0 })
    Object.assign((await shard.load('account', '1')) ?? {}, { snapshot: 'changed' })
    Object.assign((await shard.outcome('account/1/deposit', 'a', START)) ?? {}, { outcome: 'changed' })
    Object.assign((await shard.dueTimers(START, 1))[0] ?? {}, { event: 'changed' })
    Object.assign((await shard.timersOf('account', '1'))[0] ?? {}, { event: 'changed' })
    Object.assign((await shard.load('account', '1'))?.openCalls[0] ?? {}, { detail: 'changed' })
    Object.assign((await shard.load('account', '1'))?.turns[0] ?? {}, { detail: 'changed' })
    Object.assign((await shard.load('account', '1'))?.leases[0] ?? {}, { detail: 'changed' })
    Object.assign((await shard.turnsOf('account', '1', 1))[0] ?? {}, { detail: 'changed' })
    Object.assign((await shard.lateResults(undefined, 1))[0] ?? {}, { detail: 'changed' })
    Object.assign(recovery.busy[0] ?? {}, { key: 'changed' })
    Object.assign(recovery.processes[0] ?? {}, { detail: 'changed' })
    Object.assign(recovery.links[0] ?? {}, { sent: 99 })
    Object.assign((await shard.outboxTo(1, 0, 1))[0] ?? {}, { message: 'changed' })
    Object.assign((await shard.dueEffects('mail', START, 1))[0] ?? {}, { input: 'changed' })
    Object.assign((await shard.deadLetters({}, 1))[0] ?? {}, { error: 'changed' })
    assert.deepEqual(await everything(shard), before)
  },

  'a batch of eight thousand actors is one batch': async (place) => {
    const shard = await openShard(place)
    const numbers = Array.from({ length: 8_000 }, (_, index) => index + 1)
    await shard.commit(batch({ created: numbers.map((number) => account(number)) }))
    await shard.commit(batch({ changed: numbers.map((number) => ({ number, revision: 2, version: 1, snapshot: `"${number}"` })) }))
    const later = await reopenAfterCrash(place)
    assert.equal((await later.load('account', '1'))?.snapshot, '"1"')
    assert.equal((await later.load('account', '8000'))?.snapshot, '"8000"')
  },
}
