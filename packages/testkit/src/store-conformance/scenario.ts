/**
 * What the scenarios of the suite are made of: a place, short ways to make rows, and a look at how something is refused.
 */
import type {
  ActorCreated,
  Answer,
  Batch,
  DeadLetter,
  Effect,
  FaultChanged,
  InboxCommand,
  LateResult,
  LeaseChanged,
  OutboxMessage,
  OutcomeRecorded,
  ShardStore,
  StoreDirectory,
  StoredLease,
  StoredTurn,
  TimerSet,
  TurnChanged,
} from '@bailiwick/store'
import assert from 'node:assert/strict'

/** The part of a `StorePlace` that a scenario uses. */
export interface ScenarioPlace {
  open(): Answer<StoreDirectory>
  crash(): Answer<void>
}

/** Scenarios by title. */
export type Scenarios = Readonly<Record<string, (place: ScenarioPlace) => Promise<void>>>

/** The wall time at which scenarios begin. */
export const START = 1_000_000

/** A batch with the given parts; what is not given is empty. */
export function batch(parts: Partial<Batch>): Batch {
  return {
    at: START,
    created: [],
    changed: [],
    journal: [],
    journalTrims: [],
    accepted: [],
    inboxChanges: [],
    finished: [],
    outcomes: [],
    timersCleared: [],
    timersSet: [],
    callsOpened: [],
    callsClosed: [],
    turns: [],
    frames: [],
    framesDiscarded: [],
    turnsKept: [],
    leases: [],
    lateResults: [],
    lateResultsMax: 1_000_000_000,
    faults: [],
    processes: [],
    processesEnded: [],
    outbox: [],
    delivered: [],
    received: [],
    effectsCancelled: [],
    effects: [],
    effectsClaimed: [],
    effectsDelayed: [],
    effectsSettled: [],
    deadLetters: [],
    deadLettersRemoved: [],
    deadLettersTrimmed: 0,
    outcomesMax: 1_000_000_000,
    ...parts,
  }
}

/** A new actor `account/<number>`. */
export function account(number: number, parts: Partial<ActorCreated> = {}): ActorCreated {
  return { number, type: 'account', key: String(number), revision: 1, version: 1, snapshot: `{"balance":${number}}`, ...parts }
}

/** A command to `account/1`. */
export function deposit(sequence: number, parts: Partial<InboxCommand> = {}): InboxCommand {
  return {
    sequence,
    id: `command-${sequence}`,
    type: 'account',
    key: '1',
    command: 'deposit',
    lane: 2,
    input: '{"amount":5}',
    idempotency: undefined,
    at: START,
    dueAt: undefined,
    detail: undefined,
    ...parts,
  }
}

/** An outcome for the scope `account/1/deposit`. */
export function outcome(key: string, expiresAt: number, parts: Partial<OutcomeRecorded> = {}): OutcomeRecorded {
  return { scope: 'account/1/deposit', key, fingerprint: 'f1', outcome: '{"tag":"ok"}', expiresAt, ...parts }
}

/** A timer of actor 1. */
export function timer(name: string, generation: number, dueAt: number, parts: Partial<TimerSet> = {}): TimerSet {
  return { actor: 1, name, generation, dueAt, event: `{"type":"${name}"}`, delayMs: 50, everyMs: 0, onRestart: 'deadline', ...parts }
}

/** A turn of actor 1 that has not ended. */
export function turn(sequence: number, parts: Partial<TurnChanged> = {}): TurnChanged {
  return { sequence, actor: 1, command: 'review', isEnded: false, detail: `{"turn":${sequence}}`, ...parts }
}

/** The same turn as it is read, without a frame. */
export function storedTurn(sequence: number, parts: Partial<StoredTurn> = {}): StoredTurn {
  const { command, isEnded, detail } = turn(sequence)
  return { sequence, command, isEnded, detail, frame: undefined, isFrameDiscarded: false, ...parts }
}

/** A lease of actor 1. */
export function lease(name: string, epoch: number, parts: Partial<LeaseChanged> = {}): LeaseChanged {
  return { actor: 1, name, epoch, detail: `{"holder":"${name}"}`, ...parts }
}

/** The same lease as it is read. */
export function storedLease(name: string, epoch: number, detail: string = lease(name, epoch).detail): StoredLease {
  return { name, epoch, detail }
}

/** A late result for `account/1`. */
export function late(sequence: number, parts: Partial<LateResult> = {}): LateResult {
  return { sequence, type: 'account', key: '1', epoch: 1, detail: `{"late":${sequence}}`, at: START, ...parts }
}

/** What is known of the failures of `account/<key>`. */
export function fault(key: string, detail: string | undefined = `{"failed":"${key}"}`): FaultChanged {
  return { type: 'account', key, detail }
}

/** A message to a peer. */
export function message(peer: number, sequence: number): OutboxMessage {
  return { peer, sequence, message: `{"to":${peer},"number":${sequence}}` }
}

/** An effect `mail` that `account/1` wants at once. */
export function mail(sequence: number, parts: Partial<Effect> = {}): Effect {
  return {
    sequence,
    name: 'mail',
    idempotencyKey: `mail-${sequence}`,
    type: 'account',
    key: '1',
    label: undefined,
    input: `{"mail":${sequence}}`,
    detail: undefined,
    turn: undefined,
    dueAt: START,
    attempts: 0,
    ...parts,
  }
}

/** A dead letter of the command `deposit` of `account/1`. */
export function letter(sequence: number, parts: Partial<DeadLetter> = {}): DeadLetter {
  return {
    sequence,
    type: 'account',
    key: '1',
    command: 'deposit',
    reason: 'expired',
    error: '{"code":"EXPIRED"}',
    input: '{"amount":5}',
    naturalKey: undefined,
    revision: undefined,
    detail: '{"id":"command"}',
    at: START,
    ...parts,
  }
}

/** Opens shard 0 of a place. */
export async function openShard(place: ScenarioPlace): Promise<ShardStore> {
  const directory = await place.open()
  return await directory.open(0)
}

/** The owner dies, another takes over: shard 0 as it then is. */
export async function reopenAfterCrash(place: ScenarioPlace): Promise<ShardStore> {
  await place.crash()
  return await openShard(place)
}

/** Does something that has to be refused with an error of this code, and answers the error. */
export async function refused(code: string, action: () => unknown): Promise<Error & { readonly code: string }> {
  try {
    await action()
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error, `expected an error with a code, got ${String(error)}`)
    assert.equal(error.code, code, error.stack ?? error.message)
    return error as Error & { readonly code: string }
  }
  assert.fail(`expected to be refused with ${code}`)
}
