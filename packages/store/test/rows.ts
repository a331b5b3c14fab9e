/** Short ways to make what the specs of the SQLite driver commit, and to look at how something is refused. */
import type { ActorCreated, Batch } from '../src/index.ts'

/** A batch with the given parts; what is not given is empty. */
export function batch(parts: Partial<Batch>): Batch {
  return {
    at: 1_000,
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
export function account(number: number, snapshot = `{"balance":${number}}`): ActorCreated {
  return { number, type: 'account', key: String(number), revision: 1, version: 1, snapshot }
}

/** What a call is refused with: the code, the typed fields and the message, or nothing if it was not refused. */
export function refusal(call: () => unknown): { readonly code: string; readonly message: string } & Record<string, unknown> {
  try {
    call()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { code: '', ...Object.fromEntries(Object.entries(error)), message: error.message }
  }
  return { code: 'nothing', message: '' }
}
