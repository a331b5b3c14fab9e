/**
 * One shard on SQLite: reads, and the commit of a batch.
 *
 * A commit is one immediate transaction. Its first statement moves the shard's marks forward where the epoch is still ours;
 * zero rows changed means that a newer owner exists, and nothing else is tried. Everything else is one prepared statement
 * per row, bound by position. A commit that fails is rolled back as a whole, and the store can be used on.
 *
 * Used by the one thread that opened it. Does not know which thread that is, nor what the texts mean.
 */
import type { Database, Statement } from 'better-sqlite3'
import { Fenced, StoreDamaged, StoreUnavailable } from '../errors.ts'
import { actorNumberOf, sequenceOf, timerGenerationOf } from '../marks.ts'
import type {
  Batch,
  CommitReport,
  DeadLetter,
  DeadLetterFilter,
  DueEffect,
  DueTimer,
  ImmediateShardStore,
  InboxCommand,
  LateResult,
  OutboxMessage,
  Recovery,
  ShardLocation,
  StoredActor,
  StoredOutcome,
  StoredTurn,
  TimerSet,
} from '../store.ts'
import { connect, contentBytesOf, makeRoom, switchToWal, vacuum } from './connection.ts'
import { DiskRoom } from './disk-room.ts'
import { isFull, translate } from './fault.ts'
import { createFile, requireSound } from './file.ts'
import { OpenFiles, identify } from './open-files.ts'
import { migrate, pragmaNumber, shardSchema } from './schema.ts'
import { ActorTable } from './tables/actor.ts'
import { DeadLetterTable } from './tables/dead-letter.ts'
import { EffectTable } from './tables/effect.ts'
import { FaultTable } from './tables/fault.ts'
import { FrameTable } from './tables/frame.ts'
import { IdempotencyTable } from './tables/idempotency.ts'
import { InboxTable } from './tables/inbox.ts'
import { JournalTable } from './tables/journal.ts'
import type { JournalRow } from './tables/journal.ts'
import { LateResultTable } from './tables/late-result.ts'
import { LeaseTable } from './tables/lease.ts'
import { LinkTable } from './tables/link.ts'
import { MetaTable, metaSql } from './tables/meta.ts'
import type { MetaRow } from './tables/meta.ts'
import { OpenCallTable } from './tables/open-call.ts'
import { OutboxTable } from './tables/outbox.ts'
import { ProcessTable } from './tables/process.ts'
import { TimerTable } from './tables/timer.ts'
import { TurnTable } from './tables/turn.ts'

/** How a shard is opened. */
export interface ShardOptions {
  /**
   * How long opening waits while an earlier owner finishes its last commit, in milliseconds. Default 5,000. Afterwards a
   * commit waits as long for somebody who holds the file, but at most 1,000 ms: the thread does nothing else meanwhile.
   */
  readonly busyTimeoutMs?: number
  /** Size that the shard's file may grow to, in bytes. A commit that needs more fails as `full`. Default: what the disk holds. */
  readonly fileBytesMax?: number
}

const BUSY_TIMEOUT_MS_DEFAULT = 5_000

/** An owner has its file to itself, so only a stranger makes it wait; trying again later is better than standing still. */
const COMMIT_TIMEOUT_MS_MAX = 1_000

/**
 * Opens a shard in the calling thread and takes it: from here on, commits of every earlier owner are refused.
 *
 * Throws `StoreDamaged` or `SchemaTooNew` (nothing was written), `Fenced` if a newer owner of the directory has taken the
 * shard already, `StoreUnavailable` otherwise.
 */
export function openShard(location: ShardLocation, options: ShardOptions = {}): ImmediateShardStore {
  const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS_DEFAULT
  const { file, synchronous } = location
  requireSound(file, shardSchema, busyTimeoutMs)
  let db: Database | undefined
  try {
    const identity = identify(file)
    db = connect(file, { busyTimeoutMs, synchronous, create: false })
    switchToWal(db)
    const epoch = take(db, location)
    if (options.fileBytesMax !== undefined) {
      db.pragma(`max_page_count = ${Math.max(1, Math.floor(options.fileBytesMax / pragmaNumber(db, 'page_size')))}`)
    }
    db.pragma(`busy_timeout = ${Math.min(busyTimeoutMs, COMMIT_TIMEOUT_MS_MAX)}`)
    return new SqliteShard(db, file, epoch, new OpenFiles(file, identity, contentBytesOf(db)))
  } catch (error) {
    db?.close()
    throw translate(error, file)
  }
}

/** Makes the file of a shard, or finishes one whose making was interrupted. */
export function createShardFile(file: string, index: number): void {
  createFile(file, shardSchema, (db) => {
    db.prepare<[number]>(metaSql.insert).run(index)
  })
}

/** Raises the epoch in a transaction of its own, after bringing the schema up to date in it. Answers the new epoch. */
function take(db: Database, location: ShardLocation): number {
  db.exec('BEGIN IMMEDIATE')
  try {
    migrate(db, location.file, shardSchema)
    const meta = new MetaTable(db)
    const taken = meta.tryTake(location.ownerEpoch)
    const row = requireMeta(meta.read(), location.file)
    if (row.shard !== location.index) throw new StoreDamaged(location.file, `it is the file of shard ${row.shard}`)
    if (!taken) throw new Fenced(location.ownerEpoch, row.ownerEpoch)
    db.exec('COMMIT')
    return row.epoch
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK')
    if (isFull(error)) makeRoom(db)
    throw error
  }
}

class SqliteShard implements ImmediateShardStore {
  readonly epoch: number
  readonly #db: Database
  readonly #file: string
  readonly #files: OpenFiles
  readonly #room: DiskRoom
  readonly #begin: Statement<[]>
  readonly #commit: Statement<[]>
  readonly #rollback: Statement<[]>
  readonly #meta: MetaTable
  readonly #actor: ActorTable
  readonly #journal: JournalTable
  readonly #inbox: InboxTable
  readonly #idempotency: IdempotencyTable
  readonly #timer: TimerTable
  readonly #openCall: OpenCallTable
  readonly #turn: TurnTable
  readonly #frame: FrameTable
  readonly #lease: LeaseTable
  readonly #lateResult: LateResultTable
  readonly #fault: FaultTable
  readonly #process: ProcessTable
  readonly #outbox: OutboxTable
  readonly #link: LinkTable
  readonly #effect: EffectTable
  readonly #deadLetter: DeadLetterTable
  /** Why nothing can be done here any more: the files are not those that were opened. */
  #lost: Error | undefined

  constructor(db: Database, file: string, epoch: number, files: OpenFiles) {
    this.epoch = epoch
    this.#db = db
    this.#file = file
    this.#files = files
    this.#room = new DiskRoom(file)
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
    this.#meta = new MetaTable(db)
    this.#actor = new ActorTable(db)
    this.#journal = new JournalTable(db)
    this.#inbox = new InboxTable(db)
    this.#idempotency = new IdempotencyTable(db)
    this.#timer = new TimerTable(db)
    this.#openCall = new OpenCallTable(db)
    this.#turn = new TurnTable(db)
    this.#frame = new FrameTable(db)
    this.#lease = new LeaseTable(db)
    this.#lateResult = new LateResultTable(db)
    this.#fault = new FaultTable(db)
    this.#process = new ProcessTable(db)
    this.#outbox = new OutboxTable(db)
    this.#link = new LinkTable(db)
    this.#effect = new EffectTable(db)
    this.#deadLetter = new DeadLetterTable(db)
  }

  recover(now: number): Recovery {
    return this.#transact(() => {
      this.#advance(0, 0, 0, 0)
      const meta = requireMeta(this.#meta.read(), this.#file)
      this.#effect.requeue()
      this.#moveTimers(meta, now)
      return {
        nextActorNumber: meta.actorNumber + 1,
        nextInboxSequence: meta.sequence + 1,
        nextTimerGeneration: meta.timerGeneration + 1,
        inbox: this.#inbox.all(),
        links: this.#link.all(),
        deadLetters: this.#deadLetter.count(),
        outboxSize: this.#effect.count() + this.#outbox.count(),
        busy: this.#turn.busy(),
        processes: this.#process.all(),
        faults: this.#fault.all(),
        committedAt: meta.committedAt,
      }
    })
  }

  load(type: string, key: string): StoredActor | undefined {
    return this.#read(() => {
      const actor = this.#actor.find(type, key)
      if (actor === undefined) return undefined
      const rows = this.#journal.after(actor.number, actor.revision)
      return {
        number: actor.number,
        revision: actor.revision,
        version: actor.version,
        snapshot: actor.snapshot,
        events: rows.length === 0 ? [] : eventsOf(rows, actor, this.#file),
        openCalls: this.#openCall.of(actor.number),
        turns: this.#turn.open(actor.number),
        leases: this.#lease.of(actor.number),
      }
    })
  }

  outcome(scope: string, key: string, now: number): StoredOutcome | undefined {
    return this.#read(() => this.#idempotency.find(scope, key, now))
  }

  dueTimers(now: number, limit: number): readonly DueTimer[] {
    return this.#read(() => this.#timer.due(now, limit))
  }

  nextDueAt(): number | undefined {
    return this.#read(() => this.#timer.next())
  }

  timersOf(type: string, key: string): readonly TimerSet[] {
    return this.#read(() => this.#timer.of(type, key))
  }

  dueCommands(now: number, limit: number): readonly InboxCommand[] {
    return this.#read(() => this.#inbox.due(now, limit))
  }

  nextCommandDueAt(): number | undefined {
    return this.#read(() => this.#inbox.next())
  }

  outboxTo(peer: number, after: number, limit: number): readonly OutboxMessage[] {
    return this.#read(() => this.#outbox.to(peer, after, limit))
  }

  dueEffects(name: string, now: number, limit: number): readonly DueEffect[] {
    return this.#read(() => this.#effect.due(name, now, limit))
  }

  nextEffectDueAt(name: string): number | undefined {
    return this.#read(() => this.#effect.next(name))
  }

  turnsOf(type: string, key: string, limit: number): readonly StoredTurn[] {
    return this.#read(() => this.#turn.of(type, key, limit))
  }

  lateResults(actor: { readonly type: string; readonly key: string } | undefined, limit: number): readonly LateResult[] {
    return this.#read(() => (actor === undefined ? this.#lateResult.all(limit) : this.#lateResult.of(actor.type, actor.key, limit)))
  }

  deadLetters(filter: DeadLetterFilter, limit: number): readonly DeadLetter[] {
    return this.#read(() => this.#deadLetter.list(filter, limit))
  }

  commit(batch: Batch): CommitReport {
    return this.#transact(() => {
      this.#advance(batch.at, actorNumberOf(batch), sequenceOf(batch), timerGenerationOf(batch))
      this.#actor.insert(batch.created)
      this.#actor.update(batch.changed)
      this.#journal.insert(batch.journal)
      this.#journal.trim(batch.journalTrims)
      this.#inbox.insert(batch.accepted)
      this.#inbox.change(batch.inboxChanges)
      this.#inbox.delete(batch.finished)
      this.#idempotency.record(batch.outcomes, batch.at, batch.outcomesMax)
      this.#timer.clear(batch.timersCleared)
      this.#timer.set(batch.timersSet)
      this.#openCall.open(batch.callsOpened)
      this.#openCall.close(batch.callsClosed)
      this.#turn.set(batch.turns)
      this.#frame.save(batch.frames)
      this.#frame.discard(batch.framesDiscarded)
      this.#turn.keep(batch.turnsKept)
      this.#lease.set(batch.leases)
      this.#lateResult.add(batch.lateResults, batch.lateResultsMax)
      this.#fault.change(batch.faults)
      this.#process.set(batch.processes)
      this.#process.delete(batch.processesEnded)
      this.#outbox.insert(batch.outbox)
      this.#link.sent(batch.outbox)
      this.#outbox.delivered(batch.delivered)
      this.#link.received(batch.received)
      const effectsCancelled = this.#effect.cancel(batch.effectsCancelled)
      this.#effect.insert(batch.effects)
      this.#effect.claim(batch.effectsClaimed)
      this.#effect.delay(batch.effectsDelayed)
      this.#effect.settle(batch.effectsSettled)
      this.#deadLetter.insert(batch.deadLetters)
      this.#deadLetter.delete(batch.deadLettersRemoved)
      this.#deadLetter.trim(batch.deadLettersTrimmed)
      return { effectsCancelled }
    })
  }

  expireOutcomes(now: number, limit: number): number {
    return this.#transact(() => {
      this.#advance(0, 0, 0, 0)
      return this.#idempotency.expire(now, limit)
    })
  }

  compact(): void {
    this.#transact(() => this.#advance(0, 0, 0, 0))
    // Somebody newer who comes in between loses nothing: this changes no row.
    this.#read(() => {
      try {
        vacuum(this.#db)
      } finally {
        // Also if it failed: it may have been done, and not yet been moved into the file.
        this.#files.expectCompacted(contentBytesOf(this.#db))
      }
    })
    this.#requireFiles()
  }

  close(): void {
    this.#db.close()
  }

  #read<T>(read: () => T): T {
    try {
      this.#requireNotLost()
      return read()
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** Does something in one immediate transaction, wholly or not at all. It begins with `#advance`. */
  #transact<T>(work: () => T): T {
    const answer = this.#inTransaction(work)
    this.#requireFiles()
    if (this.#room.isScarce(this.#files.walSize)) makeRoom(this.#db)
    return answer
  }

  #inTransaction<T>(work: () => T): T {
    try {
      this.#requireNotLost()
      if (this.#files.isShorter) this.#requireWhole()
      this.#begin.run()
      const answer = work()
      this.#commit.run()
      this.#idempotency.committed()
      return answer
    } catch (error) {
      throw this.#rolledBack(error)
    }
  }

  /**
   * What was just committed counts only if it can be found again. If not, nothing is answered from here on: this connection
   * still sees what may be nowhere else.
   */
  #requireFiles(): void {
    try {
      if (this.#files.require()) this.#requireWhole()
    } catch (error) {
      this.#lost = this.#failure(error)
      throw this.#lost
    }
  }

  /**
   * SQLite would write behind what is missing, and so hide it: what it commits then is nowhere once the log is read again. If the
   * log was moved into the file by somebody else, nothing is left in it to move; if it was cut, what should be there cannot be read.
   */
  #requireWhole(): void {
    try {
      this.#db.pragma('wal_checkpoint(PASSIVE)')
    } catch (error) {
      this.#lost = new StoreDamaged(this.#files.wal, 'it was cut while it was open', { cause: error })
      throw this.#lost
    }
  }

  #requireNotLost(): void {
    if (this.#lost !== undefined) throw this.#lost
  }

  /** The guarded first statement of every transaction. */
  #advance(at: number, actorNumber: number, sequence: number, timerGeneration: number): void {
    if (this.#meta.tryAdvance(this.epoch, at, actorNumber, sequence, timerGeneration)) return
    throw new Fenced(this.epoch, this.#meta.read()?.epoch ?? null)
  }

  /**
   * Does to the timers what a restart does to them. The time since the last commit is counted from the last recovery where
   * that is later: a shard that is recovered twice without a commit between would move its timers twice.
   */
  #moveTimers(meta: MetaRow, now: number): void {
    const since = Math.max(meta.committedAt, meta.recoveredAt)
    if (meta.committedAt > 0 && now > since && this.#timer.move(since, now)) this.#meta.noteRecovery(now)
    // The shard's time never runs behind its last commit.
    this.#timer.restart(Math.max(now, meta.committedAt))
  }

  #rolledBack(error: unknown): Error {
    this.#idempotency.rolledBack()
    // SQLite has rolled back by itself after some errors (a full disk, an I/O error), but not after others.
    if (this.#db.open && this.#db.inTransaction) {
      try {
        this.#rollback.run()
      } catch (rollbackError) {
        return this.#failure(rollbackError)
      }
    }
    if (this.#db.open && isFull(error)) makeRoom(this.#db)
    return this.#failure(error)
  }

  #failure(error: unknown): Error {
    if (!this.#db.open) return new StoreUnavailable('other', `the shard ${this.#file} has been closed`)
    return translate(error, this.#file)
  }
}

function requireMeta(row: MetaRow | undefined, file: string): MetaRow {
  if (row === undefined) throw new StoreDamaged(file, 'its row in meta is missing')
  return row
}

/** The events after a snapshot, which must follow on it without a gap. */
function eventsOf(rows: readonly JournalRow[], actor: { number: number; revision: number }, file: string): string[] {
  return rows.map((row, index) => {
    const expected = actor.revision + index + 1
    if (row.sequence !== expected) throw new StoreDamaged(file, `event ${expected} of actor ${actor.number} is missing from its journal`)
    return row.event
  })
}
