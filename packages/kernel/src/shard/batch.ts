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
  InboxCommand,
  JournalEntry,
  JournalTrim,
  OutcomeRecorded,
  StoredOutcome,
  TimerCleared,
  TimerSet,
} from '@bailiwick/store'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import type { Cell, Waiting } from './cell.ts'

/** What becomes of one timer: set, or cleared. */
export interface TimerChange {
  readonly actor: number
  readonly name: string
  readonly set: TimerSet | undefined
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

  /** Actors that the batch has touched, each once. */
  readonly touched: Cell[] = []
  /** Answers that leave after the commit. */
  readonly answers: FromShardMessage[] = []
  /** Answers of actors without a store, which depend on no commit. */
  readonly volatileAnswers: FromShardMessage[] = []
  /** Actions to run after the commit, by actor, in the order of the transitions. */
  readonly releases: { readonly cell: Cell; readonly actions: readonly unknown[] }[] = []
  /** Actors whose children start after the commit. */
  readonly starts: Cell[] = []
  /** Follows that get their first state with this batch. */
  readonly joined: number[] = []
  /** Tells that arrived since the last commit. */
  readonly tells: Waiting[] = []
  /** Tells that the batch accepts into the stored inbox. */
  readonly stored: Waiting[] = []
  /** Stored commands that the batch finishes, in the order in which they were served. */
  readonly served: Waiting[] = []
  /** Outcomes recorded by the batch, by scope and key. */
  readonly recorded: Map<string, StoredOutcome> = new Map<string, StoredOutcome>()
  /** What becomes of timers: the last wish for each name counts. */
  readonly timers: Map<string, TimerChange> = new Map<string, TimerChange>()
  /** How many commands it has served. */
  commands = 0

  constructor(id: number, at: number) {
    this.id = id
    this.at = at
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

  /** Whether there is anything to commit. */
  get hasWrites(): boolean {
    return (
      this.created.length > 0 ||
      this.changed.length > 0 ||
      this.journal.length > 0 ||
      this.accepted.length > 0 ||
      this.finished.length > 0 ||
      this.outcomes.length > 0 ||
      this.timersCleared.length > 0 ||
      this.timersSet.length > 0
    )
  }
}
