/**
 * One shard on a memory disk: the same answers as SQLite gives, at once and without a disk.
 */
import { Fenced, StoreDamaged, StoreUnavailable } from '../errors.ts'
import { actorNumberOf, inboxSequenceOf, timerGenerationOf } from '../marks.ts'
import type { Batch, DueTimer, ImmediateShardStore, Recovery, StoredActor, StoredOutcome } from '../store.ts'
import type { MemoryDisk, MemoryShard } from './disk.ts'
import type { MemoryActor, Undo } from './tables.ts'

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

  recover(): Recovery {
    this.#requireOpen()
    const shard = this.#shard
    return {
      nextActorNumber: shard.actorNumber + 1,
      nextInboxSequence: shard.inboxSequence + 1,
      nextTimerGeneration: shard.timerGeneration + 1,
      inbox: shard.tables.inbox(),
      committedAt: shard.committedAt,
    }
  }

  load(type: string, key: string): StoredActor | undefined {
    this.#requireOpen()
    const actor = this.#shard.tables.find(type, key)
    if (actor === undefined) return undefined
    const { number, revision, version, snapshot } = actor
    return { number, revision, version, snapshot, events: eventsOf(actor, this.#name) }
  }

  outcome(scope: string, key: string, now: number): StoredOutcome | undefined {
    this.#requireOpen()
    return this.#shard.tables.outcome(scope, key, now)
  }

  dueTimers(now: number, limit: number): readonly DueTimer[] {
    this.#requireOpen()
    return this.#shard.tables.due(now, limit)
  }

  nextDueAt(): number | undefined {
    this.#requireOpen()
    return this.#shard.tables.nextDueAt()
  }

  commit(batch: Batch): void {
    this.#requireWritable()
    const undo: Undo[] = []
    try {
      this.#shard.tables.apply(batch, undo)
    } catch (error) {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) step()
      throw error
    }
    const shard = this.#shard
    shard.committedAt = Math.max(shard.committedAt, batch.at)
    shard.actorNumber = Math.max(shard.actorNumber, actorNumberOf(batch))
    shard.inboxSequence = Math.max(shard.inboxSequence, inboxSequenceOf(batch))
    shard.timerGeneration = Math.max(shard.timerGeneration, timerGenerationOf(batch))
  }

  expireOutcomes(now: number, limit: number): number {
    this.#requireWritable()
    return this.#shard.tables.expire(now, limit)
  }

  close(): void {
    this.#open = false
  }

  #requireOpen(): void {
    if (!this.#open) throw new StoreUnavailable('other', `${this.#name} has been closed`)
    if (this.#crashes !== this.#disk.crashes) throw new StoreUnavailable('other', `the owner of ${this.#name} has crashed`)
  }

  #requireWritable(): void {
    this.#requireOpen()
    if (this.#shard.epoch !== this.epoch) throw new Fenced(this.epoch, this.#shard.epoch)
    if (this.#disk.fault !== undefined) throw new StoreUnavailable(this.#disk.fault, `${this.#name} was told to fail`)
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
