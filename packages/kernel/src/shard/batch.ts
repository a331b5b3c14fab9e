/**
 * The batch under way: everything that will be committed together, and everything that waits for that commit.
 *
 * Nothing in here has happened. If the commit succeeds, answers leave and actions run; if it fails, all of it is
 * forgotten and the touched actors are read from the store again.
 */
import type {
  ActorChanged,
  ActorCreated,
  Batch,
  DeadLetter,
  Effect,
  EffectCancelled,
  EffectDelayed,
  FaultChanged,
  InboxChange,
  FrameSaved,
  InboxCommand,
  JournalEntry,
  JournalTrim,
  LateResult,
  LeaseChanged,
  LinkMark,
  OpenCall as StoredCall,
  OutboxMessage,
  OutcomeRecorded,
  OwnedProcess,
  StoredOutcome,
  TimerCleared,
  TimerSet,
  TurnChanged,
  TurnsKept,
} from '@bailiwick/store'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import type { EncodedTapEvent } from '../protocol/tap.ts'
import type { Interruption } from '../definition/turn-context.ts'
import type { Awaiting, Cell, TurnNews, Waiting } from './cell.ts'
import type { Detail, ChainLink } from './detail.ts'
import type { EffectClaim, EffectEnd } from './effect.ts'
import type { Fault, Held } from './fault.ts'
import { encodeOpenCall } from './open-call.ts'
import type { OpenCall, OpenReply } from './open-call.ts'
import type { TurnRecord } from './session.ts'
import { rowOfTurn, SESSION_LEASE } from './turn-row.ts'

/** What becomes of one timer: set, or cleared. */
export interface TimerChange {
  readonly actor: number
  readonly name: string
  readonly set: TimerSet | undefined
}

/** What an edit has replaced. */
export interface Edit {
  readonly waiting: Waiting
  readonly input: object | null
  readonly detail: Detail | undefined
  /** The call that made the edit; 0 for an actor. */
  readonly call: number
}

/** What becomes of an open call: its row, or none any more. */
interface CallChange {
  readonly row: StoredCall | undefined
  /** The store has not seen it: closing it leaves no trace. */
  readonly isNew: boolean
}

/** A turn that is written with the batch, as it stands then. */
interface TurnTouched {
  readonly actor: number
  readonly record: TurnRecord
}

/** The lease under which an actor's turns run. */
interface SessionState {
  readonly epoch: number
  /** Number of the turn that runs. */
  readonly holder: number | null
}

/** A stretch of running that begins once its batch is committed. */
export interface TurnStart {
  readonly cell: Cell
  /** As it stood when it was granted. */
  readonly record: Readonly<TurnRecord>
  readonly call: OpenReply
}

/** A signal that fires once its batch is committed. */
export interface TurnInterrupt {
  readonly id: number
  readonly epoch: number
  readonly interruption: Interruption
}

/** What is done to an actor that has failed, once its batch is committed. */
export interface Restart {
  /** How long it serves nothing, in milliseconds. */
  readonly backoffMs: number
  /** It is held back instead of going on. */
  readonly held: Held | undefined
}

/** What a shard collects between two commits. */
export class OpenBatch implements Batch {
  /** Counts the batches of this life of the shard, from 1. */
  readonly id: number
  /** Wall time at which the shard began to fill it. */
  at: number
  readonly created: ActorCreated[] = []
  readonly changed: ActorChanged[] = []
  readonly journal: JournalEntry[] = []
  readonly journalTrims: JournalTrim[] = []
  readonly accepted: InboxCommand[] = []
  readonly finished: number[] = []
  readonly outcomes: OutcomeRecorded[] = []
  readonly timersCleared: TimerCleared[] = []
  readonly timersSet: TimerSet[] = []
  readonly inboxChanges: InboxChange[] = []
  readonly callsOpened: StoredCall[] = []
  readonly callsClosed: number[] = []
  readonly outbox: OutboxMessage[] = []
  readonly delivered: LinkMark[] = []
  readonly received: LinkMark[] = []
  readonly effectsCancelled: EffectCancelled[] = []
  readonly effects: Effect[] = []
  readonly effectsClaimed: number[] = []
  readonly effectsDelayed: EffectDelayed[] = []
  readonly effectsSettled: number[] = []
  readonly deadLetters: DeadLetter[] = []
  readonly deadLettersRemoved: number[] = []
  deadLettersTrimmed = 0
  readonly outcomesMax: number
  readonly turns: TurnChanged[] = []
  readonly frames: FrameSaved[] = []
  readonly framesDiscarded: number[] = []
  readonly turnsKept: TurnsKept[] = []
  readonly leases: LeaseChanged[] = []
  readonly lateResults: LateResult[] = []
  readonly lateResultsMax: number
  readonly faults: FaultChanged[] = []
  readonly processes: OwnedProcess[] = []
  readonly processesEnded: number[] = []

  /** Actors that the batch has touched, each once. */
  readonly touched: Cell[] = []
  /** Answers that leave after the commit. */
  readonly answers: FromShardMessage[] = []
  /** Answers of actors without a store, which depend on no commit. */
  readonly volatileAnswers: FromShardMessage[] = []
  /** Actions to run after the commit, by actor, in the order of the transitions. */
  readonly releases: { readonly cell: Cell; readonly actions: readonly unknown[]; readonly chain: readonly ChainLink[] }[] = []
  /** Actors whose children start after the commit. */
  readonly starts: Cell[] = []
  /** Follows that get their first state with this batch. */
  readonly joined: { readonly call: number; readonly cell: Cell }[] = []
  /** Tells that arrived since the last commit. */
  readonly tells: Waiting[] = []
  /** Tells that the batch accepts into the stored inbox. */
  readonly stored: Waiting[] = []
  /** Messages to actors without a store: what these do cannot be taken back, so they get them after the commit. */
  readonly toVolatile: Waiting[] = []
  /** Stored commands that the batch finishes, in the order in which they were served. */
  readonly served: Waiting[] = []
  /** Outcomes recorded by the batch, by scope and key. */
  readonly recorded: Map<string, StoredOutcome> = new Map<string, StoredOutcome>()
  /** What becomes of timers: the last wish for each name counts. */
  readonly timers: Map<string, TimerChange> = new Map<string, TimerChange>()
  /** Messages to other shards, in order. They get their positions when the batch is sealed. */
  readonly posts: { readonly peer: number; readonly message: string }[] = []
  /** Positions on the links from other shards that it admits, by peer. */
  readonly admitted: Map<number, number> = new Map<number, number>()
  /** What edits have replaced, for the way back. */
  readonly edits: Edit[] = []
  /** Calls from outside that wait for a deferred reply since this batch. */
  readonly awaited: { readonly sequence: number; readonly call: number; readonly cell: Cell }[] = []
  /** Effects that are tried once it is committed. */
  readonly claims: Map<number, EffectClaim> = new Map<number, EffectClaim>()
  /** Ends of attempts that it records. */
  readonly ends: EffectEnd[] = []
  /** Asks of children that it sends. */
  readonly asked: number[] = []
  /** Answers to asks of children, given to them once it is committed. */
  readonly childAnswers: { readonly number: number; readonly input: object }[] = []
  /** Wishes to read timers, answered after the commit. */
  readonly timerReads: Waiting[] = []
  /** Turns that it changes, by number. */
  readonly turnsTouched: Map<number, TurnTouched> = new Map<number, TurnTouched>()
  /** Checkpoints, by turn: the last one counts. */
  readonly framesSaved: Map<number, string> = new Map<number, string>()
  /** Turns whose frame no longer counts. */
  readonly framesGone: Set<number> = new Set<number>()
  /** Sessions that it changes, by actor. */
  readonly sessions: Map<number, SessionState> = new Map<number, SessionState>()
  /** Other leases that it changes, by actor and name. */
  readonly leasesTouched: Map<string, LeaseChanged> = new Map<string, LeaseChanged>()
  /** Actors of which a turn ends, and how many ended ones they keep. */
  readonly turnsTrimmed: Map<number, number> = new Map<number, number>()
  readonly turnStarts: TurnStart[] = []
  readonly interrupts: TurnInterrupt[] = []
  /** Those who wait for turns that end with it. */
  readonly turnAnswers: { readonly sequence: number; readonly awaiting: Awaiting[] }[] = []
  /** Calls that wait for a lease since this batch. */
  readonly leaseWaits: number[] = []
  /** How many intents it holds. */
  preemptions = 0
  /** News of turns that it deals with: dealt with again if it fails. */
  readonly turnNews: { readonly cell: Cell; readonly news: TurnNews }[] = []
  /** Checkpoints whose turns hear of them after the commit. */
  readonly checkpoints: { readonly news: Extract<TurnNews, { kind: 'checkpoint' }>; readonly stale: Error | undefined }[] = []
  /** Wishes to read turns or late results, answered after the commit. */
  readonly turnReads: Waiting[] = []
  /** Whoever waits for a note about a process to be in the store. */
  readonly processNotes: { readonly sequence: number; readonly done: (error: Error | undefined) => void }[] = []
  /** What becomes of faults, by address. */
  readonly faultRows: Map<string, FaultChanged> = new Map<string, FaultChanged>()
  /** What was known before, for the way back. */
  readonly faultsBefore: Map<string, Fault | undefined> = new Map<string, Fault | undefined>()
  /** Actors that have failed: they are served no more until it is committed. */
  readonly restarts: Map<Cell, Restart> = new Map<Cell, Restart>()
  /** Actors that were held back and go on. */
  readonly released: Cell[] = []
  /** What the tap is told once it is committed, and how much more there would have been. */
  readonly taps: EncodedTapEvent[] = []
  tapsLost = 0
  readonly #calls = new Map<number, CallChange>()
  /** It is to be committed even if nothing else calls for it. */
  wantsCommit = false
  /** How many commands it has served. */
  commands = 0

  constructor(id: number, at: number, bounds: { readonly idempotencyRecords: number; readonly lateResults: number }) {
    this.id = id
    this.at = at
    this.outcomesMax = bounds.idempotencyRecords
    this.lateResultsMax = bounds.lateResults
  }

  /** Notes an open call of an actor, new or changed. */
  openCall(actor: number, call: OpenCall, isNew: boolean): void {
    const { sequence } = call
    const row = { sequence, actor, detail: encodeOpenCall(call) }
    this.#calls.set(sequence, { row, isNew: isNew || this.#calls.get(sequence)?.isNew === true })
  }

  /** Notes that an open call is settled. */
  closeCall(sequence: number): void {
    if (this.#calls.get(sequence)?.isNew === true) this.#calls.delete(sequence)
    else this.#calls.set(sequence, { row: undefined, isNew: false })
  }

  /** Turns what is collected by name into rows. Called once, before the commit. */
  settleRows(): void {
    for (const { actor, name, set } of this.timers.values()) {
      if (set === undefined) this.timersCleared.push({ actor, name, generation: undefined })
      else this.timersSet.push(set)
    }
    for (const [sequence, { row }] of this.#calls) {
      if (row === undefined) this.callsClosed.push(sequence)
      else this.callsOpened.push(row)
    }
    for (const sequence of this.claims.keys()) this.effectsClaimed.push(sequence)
    for (const { actor, record } of this.turnsTouched.values()) this.turns.push(rowOfTurn(actor, record))
    for (const [turn, frame] of this.framesSaved) this.frames.push({ turn, frame })
    this.framesDiscarded.push(...this.framesGone)
    for (const [actor, keep] of this.turnsTrimmed) this.turnsKept.push({ actor, keep })
    for (const [actor, { epoch, holder }] of this.sessions) {
      this.leases.push({ actor, name: SESSION_LEASE, epoch, detail: JSON.stringify({ holder }) })
    }
    this.leases.push(...this.leasesTouched.values())
    this.faults.push(...this.faultRows.values())
    for (const [peer, through] of this.admitted) this.received.push({ peer, through })
  }

  /** Notes that the batch depends on an actor's state. */
  touch(cell: Cell): void {
    if (cell.batch === this.id) return
    cell.batch = this.id
    this.touched.push(cell)
  }

  /** Where answers of an actor go. */
  answersOf(cell: Cell): FromShardMessage[] {
    return cell.kind.isDurable ? this.answers : this.volatileAnswers
  }

  /** Whether there is anything to commit. Messages that peers have confirmed are deleted with the next batch that has. */
  get hasWrites(): boolean {
    return (
      this.wantsCommit ||
      this.created.length > 0 ||
      this.changed.length > 0 ||
      this.journal.length > 0 ||
      this.accepted.length > 0 ||
      this.finished.length > 0 ||
      this.outcomes.length > 0 ||
      this.timersCleared.length > 0 ||
      this.timersSet.length > 0 ||
      this.inboxChanges.length > 0 ||
      this.callsOpened.length > 0 ||
      this.callsClosed.length > 0 ||
      this.outbox.length > 0 ||
      this.received.length > 0 ||
      this.effectsCancelled.length > 0 ||
      this.effects.length > 0 ||
      this.effectsClaimed.length > 0 ||
      this.effectsDelayed.length > 0 ||
      this.effectsSettled.length > 0 ||
      this.deadLetters.length > 0 ||
      this.deadLettersRemoved.length > 0 ||
      this.turns.length > 0 ||
      this.frames.length > 0 ||
      this.leases.length > 0 ||
      this.lateResults.length > 0 ||
      this.faults.length > 0 ||
      this.processes.length > 0 ||
      this.processesEnded.length > 0
    )
  }
}
