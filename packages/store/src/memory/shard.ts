/**
 * One shard on a memory disk: the same answers as SQLite gives, at once and without a disk.
 */
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
  StoredActor,
  StoredOutcome,
  StoredTurn,
  TimerSet,
} from '../store.ts'
import { noteUnsynced } from './disk.ts'
import type { MemoryDisk, MemoryShard } from './disk.ts'
import { openCallsOf } from './tables/actor.ts'
import type { MemoryActor } from './tables/actor.ts'
import { leasesOf } from './tables/lease.ts'
import { openTurnsOf } from './tables/turn.ts'
import type { MemoryTables } from './tables.ts'
import type { Undo } from './undo.ts'

/** Opens a shard of a memory disk and takes it on behalf of an owner of the disk. Throws `Fenced` if a newer owner has taken it. */
export function openMemoryShard(disk: MemoryDisk, index: number, ownerEpoch: number): ImmediateShardStore {
  const shard = disk.shards[index]
  if (shard === undefined) throw new RangeError(`there is no shard ${index}`)
  if (shard.ownerEpoch > ownerEpoch) throw new Fenced(ownerEpoch, shard.ownerEpoch)
  shard.ownerEpoch = ownerEpoch
  shard.epoch += 1
  return new MemoryShardStore(disk, shard, index)
}

class MemoryShardStore implements ImmediateShardStore {
  readonly epoch: number
  readonly #disk: MemoryDisk
  readonly #shard: MemoryShard
  readonly #name: string
  readonly #crashes: number
  #open = true

  constructor(disk: MemoryDisk, shard: MemoryShard, index: number) {
    this.epoch = shard.epoch
    this.#disk = disk
    this.#shard = shard
    this.#name = `shard ${index} of the memory disk`
    this.#crashes = disk.crashes
  }

  recover(now: number): Recovery {
    this.#requireWritable()
    const shard = this.#shard
    const { inbox, turns, faults, processes, outbox, effects, deadLetters } = shard.tables
    const undo = this.#marksUndo()
    effects.requeue(undo)
    this.#moveTimers(now, undo)
    this.#written(undo)
    return {
      nextActorNumber: shard.actorNumber + 1,
      nextInboxSequence: shard.sequence + 1,
      nextTimerGeneration: shard.timerGeneration + 1,
      inbox: inbox.all(),
      links: outbox.links(),
      deadLetters: deadLetters.size,
      outboxSize: effects.size + outbox.size,
      busy: turns.busy(),
      processes: processes.all(),
      faults: faults.all(),
      committedAt: shard.committedAt,
    }
  }

  load(type: string, key: string): StoredActor | undefined {
    const actor = this.#readable().actors.find(type, key)
    if (actor === undefined) return undefined
    const { number, revision, version, snapshot } = actor
    return {
      number,
      revision,
      version,
      snapshot,
      events: eventsOf(actor, this.#name),
      openCalls: openCallsOf(actor),
      turns: openTurnsOf(actor),
      leases: leasesOf(actor),
    }
  }

  outcome(scope: string, key: string, now: number): StoredOutcome | undefined {
    return this.#readable().outcomes.find(scope, key, now)
  }

  dueTimers(now: number, limit: number): readonly DueTimer[] {
    return this.#readable().timers.due(now, limit)
  }

  nextDueAt(): number | undefined {
    return this.#readable().timers.nextDueAt()
  }

  timersOf(type: string, key: string): readonly TimerSet[] {
    return this.#readable().timers.of(type, key)
  }

  dueCommands(now: number, limit: number): readonly InboxCommand[] {
    return this.#readable().inbox.due(now, limit)
  }

  nextCommandDueAt(): number | undefined {
    return this.#readable().inbox.nextDueAt()
  }

  outboxTo(peer: number, after: number, limit: number): readonly OutboxMessage[] {
    return this.#readable().outbox.to(peer, after, limit)
  }

  dueEffects(name: string, now: number, limit: number): readonly DueEffect[] {
    return this.#readable().effects.due(name, now, limit)
  }

  nextEffectDueAt(name: string): number | undefined {
    return this.#readable().effects.nextDueAt(name)
  }

  turnsOf(type: string, key: string, limit: number): readonly StoredTurn[] {
    return this.#readable().turns.of(type, key, limit)
  }

  lateResults(actor: { readonly type: string; readonly key: string } | undefined, limit: number): readonly LateResult[] {
    return this.#readable().lateResults.list(actor, limit)
  }

  deadLetters(filter: DeadLetterFilter, limit: number): readonly DeadLetter[] {
    return this.#readable().deadLetters.list(filter, limit)
  }

  commit(batch: Batch): CommitReport {
    this.#requireWritable()
    const undo = this.#marksUndo()
    const report = this.#apply(batch, undo)
    this.#written(undo)
    const shard = this.#shard
    shard.committedAt = Math.max(shard.committedAt, batch.at)
    shard.actorNumber = Math.max(shard.actorNumber, actorNumberOf(batch))
    shard.sequence = Math.max(shard.sequence, sequenceOf(batch))
    shard.timerGeneration = Math.max(shard.timerGeneration, timerGenerationOf(batch))
    return report
  }

  expireOutcomes(now: number, limit: number): number {
    this.#requireWritable()
    const undo: Undo[] = []
    const count = this.#shard.tables.outcomes.expire(now, limit, undo)
    if (count > 0) this.#written(undo)
    return count
  }

  /** Memory gives space back by itself. */
  compact(): void {
    this.#requireWritable()
  }

  close(): void {
    this.#open = false
  }

  /** Makes the changes of a batch; if one is refused, takes back those before it. */
  #apply(batch: Batch, undo: Undo[]): CommitReport {
    try {
      return this.#shard.tables.apply(batch, undo)
    } catch (error) {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) step()
      throw error
    }
  }

  /**
   * Does to the timers what a restart does to them. The time since the last commit is counted from the last recovery where
   * that is later: a shard that is recovered twice without a commit between would move its timers twice.
   */
  #moveTimers(now: number, undo: Undo[]): void {
    const shard = this.#shard
    const { timers } = shard.tables
    const since = Math.max(shard.committedAt, shard.recoveredAt)
    if (shard.committedAt > 0 && now > since && timers.move(since, now, undo)) shard.recoveredAt = now
    // The shard's time never runs behind its last commit.
    timers.restart(Math.max(now, shard.committedAt), undo)
  }

  /** The beginning of a write's undoing: puts the marks back, where a power failure may ask for that. */
  #marksUndo(): Undo[] {
    if (this.#disk.synchronous === 'full') return []
    const shard = this.#shard
    const { committedAt, recoveredAt, actorNumber, sequence, timerGeneration } = shard
    return [() => Object.assign(shard, { committedAt, recoveredAt, actorNumber, sequence, timerGeneration })]
  }

  #written(undo: Undo[]): void {
    if (this.#disk.synchronous !== 'full') noteUnsynced(this.#shard, undo)
  }

  #readable(): MemoryTables {
    this.#requireOpen()
    return this.#shard.tables
  }

  #requireOpen(): void {
    if (!this.#open) throw new StoreUnavailable('other', `${this.#name} has been closed`)
    if (this.#crashes !== this.#disk.crashes) throw new StoreUnavailable('other', `the owner of ${this.#name} has crashed`)
  }

  #requireWritable(): void {
    this.#requireOpen()
    if (this.#shard.epoch !== this.epoch) throw new Fenced(this.epoch, this.#shard.epoch)
    const fault = this.#disk.fault ?? this.#shard.fault
    if (fault !== undefined) throw new StoreUnavailable(fault, `${this.#name} was told to fail`)
  }
}

/** The events after the snapshot, which must follow on it without a gap. */
function eventsOf(actor: MemoryActor, name: string): string[] {
  const events: string[] = []
  const after = [...actor.journal].filter(([sequence]) => sequence > actor.revision)
  for (const [sequence, event] of after.sort(([left], [right]) => left - right)) {
    const expected = actor.revision + events.length + 1
    if (sequence !== expected) throw new StoreDamaged(name, `event ${expected} of actor ${actor.number} is missing from its journal`)
    events.push(event)
  }
  return events
}
