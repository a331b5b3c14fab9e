/**
 * The session of an actor: its turns that have not ended, the one that runs, and who comes next.
 *
 * Pure bookkeeping. It decides; it starts nothing, stores nothing and knows no time. The rules:
 *
 * 1. At most one turn runs. Each stretch of running has an epoch larger than every earlier one.
 * 2. The next one is that of the highest rank; among equals a parked one, then the oldest. So urgent turns drain in the
 *    order of their arrival, and a parked one goes before whatever is not more urgent than itself.
 * 3. A turn may be interrupted by a command of strictly higher rank, if it is preemptible, and by whoever names it.
 * 4. What is to become of an interrupted turn is an intent. A stronger one takes the place of a weaker one, never the
 *    other way round: abort-drop, timed-out, abort-keep, steal.
 */
import type { Interruption, PreemptMode, TurnCause } from '../definition/turn-context.ts'
import type { Outcome } from '../outcomes.ts'

/** Where a turn stands. */
export type TurnState = 'pending' | 'running' | 'parked' | 'ended'

/** One stretch of running, for people to look at. */
export interface Stretch {
  readonly attempt: number
  readonly epoch: number
  /** Wall times of its beginning and end, in milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly outcome: Outcome
  readonly mode?: Interruption['mode']
  readonly by?: TurnCause
  /** True if it had to be ended by force. */
  readonly isForced?: true
}

/** What is to become of a turn that is interrupted. */
export interface Intent extends Interruption {
  /** Wall time. */
  readonly at: number
}

/** A turn. What is readonly never changes. */
export interface TurnRecord {
  readonly id: number
  readonly command: string
  /** Position of its rank: smaller is higher. */
  readonly rank: number
  readonly isPreemptible: boolean
  /** An ordinary command that waits for the session: it takes no time. */
  readonly isInstant: boolean
  state: TurnState
  /** How many times it has started from its beginning. */
  attempt: number
  /** How many attempts have failed in a way that may be tried again. */
  failures: number
  /** How many stretches were cut off by a crash, since it last ended one. */
  crashes: number
  /** Epoch of its last stretch; 0 before the first. */
  epoch: number
  intent: Intent | undefined
  /** Wall time since which it is in its state. */
  since: number
  /** For how long it has been parked, in milliseconds, up to `since`. */
  heldOffMs: number
  /** The last stretches. */
  history: readonly Stretch[]
  /** The encoded checkpoint from which it goes on. */
  frame: string | undefined
  /** How it has ended. */
  outcome: object | undefined
}

const STRENGTH: Readonly<Record<Interruption['mode'], number>> = { 'abort-drop': 3, 'timed-out': 2, 'abort-keep': 1, steal: 0 }
const HISTORY_MAX = 32

/** The turns of one actor. */
export class Session {
  /** Fencing token of the last stretch of running. */
  epoch: number
  /** The turn that runs. */
  holder: TurnRecord | undefined = undefined
  readonly turns: Map<number, TurnRecord> = new Map<number, TurnRecord>()
  /** How many turns have begun since one was parked that has not been resumed. */
  burst = 0
  /** Whether there may be intents against turns that do not run. */
  hasIntents = false
  /** How many commands were served before a turn that might have begun. */
  waits = 0

  constructor(epoch: number, turns: readonly TurnRecord[] = []) {
    this.epoch = epoch
    for (const record of turns) {
      this.turns.set(record.id, record)
      if (record.state === 'running') this.holder = record
      else if (record.intent !== undefined) this.hasIntents = true
    }
  }

  /** The turn that would run next, whether or not one runs now. */
  next(maxBurst: number): TurnRecord | undefined {
    let best: TurnRecord | undefined
    for (const record of this.turns.values()) {
      if (record.state === 'running' || record.intent !== undefined) continue
      if (this.burst >= maxBurst && record.state !== 'parked' && this.#hasParked) continue
      if (best === undefined || goesBefore(record, best)) best = record
    }
    return best
  }

  /** Lets a turn run. */
  grant(record: TurnRecord, now: number): void {
    this.epoch += 1
    if (record.state === 'parked') {
      record.heldOffMs += Math.max(0, now - record.since)
      this.burst = 0
    } else {
      record.attempt += 1
      if (this.#hasParked) this.burst += 1
    }
    record.state = 'running'
    record.epoch = this.epoch
    record.since = now
    this.waits = 0
    this.holder = record
  }

  /** Ends the stretch of the turn that runs. */
  release(record: TurnRecord, state: TurnState, stretch: Omit<Stretch, 'attempt' | 'epoch' | 'from'>): void {
    const { attempt, epoch, since } = record
    record.history = [...record.history.slice(1 - HISTORY_MAX), { attempt, epoch, from: since, ...stretch }]
    this.move(record, state, stretch.to)
    this.holder = undefined
  }

  /** Brings a turn that does not run into another state. */
  move(record: TurnRecord, state: TurnState, now: number): void {
    if (record.state === 'parked') record.heldOffMs += Math.max(0, now - record.since)
    record.state = state
    record.since = now
    record.intent = undefined
    if (state === 'ended') this.turns.delete(record.id)
    if (!this.#hasParked) this.burst = 0
  }

  get #hasParked(): boolean {
    for (const { state } of this.turns.values()) if (state === 'parked') return true
    return false
  }
}

/** Whether a command of this rank may interrupt a turn. */
export function mayPreempt(rank: number, target: TurnRecord): boolean {
  return target.isPreemptible && rank < target.rank
}

/** Whether an intent counts for more than the one that a turn has. */
export function isStronger(mode: Interruption['mode'], { intent }: TurnRecord): boolean {
  return intent === undefined || STRENGTH[mode] > STRENGTH[intent.mode]
}

/** Whether a mode is one. */
export function isPreemptMode(mode: unknown): mode is PreemptMode {
  return mode === 'steal' || mode === 'abort-keep' || mode === 'abort-drop'
}

function goesBefore(one: TurnRecord, other: TurnRecord): boolean {
  if (one.rank !== other.rank) return one.rank < other.rank
  if ((one.state === 'parked') !== (other.state === 'parked')) return one.state === 'parked'
  return one.id < other.id
}
