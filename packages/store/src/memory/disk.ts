/**
 * The memory disk: what survives a simulated crash. It lives as long as the object does, and no longer.
 *
 * For tests and simulations, and for systems that need no durability. It holds committed data and who owns it; the drivers
 * in `directory.ts` and `shard.ts` work on it the way the SQLite driver works on files.
 */
import type { StoreFault } from '../errors.ts'
import type { Synchronous } from '../store.ts'
import { MemoryTables } from './tables.ts'
import type { Undo } from './undo.ts'

/** One shard as the disk keeps it. Only the memory driver touches it. */
export interface MemoryShard {
  epoch: number
  ownerEpoch: number
  committedAt: number
  /** When a recovery last moved timers, 0 if none ever did. */
  recoveredAt: number
  actorNumber: number
  sequence: number
  timerGeneration: number
  readonly tables: MemoryTables
  /** Writes that a power failure may still take back, the oldest first, each with its undoing; none on a disk that syncs each. */
  readonly unsynced: Undo[][]
  /** What every write of this shard fails with, if anything. */
  fault: StoreFault | undefined
}

/** Who holds the disk. */
export interface MemoryOwner {
  readonly epoch: number
  readonly since: number
}

/** How a memory disk is made. */
export interface MemoryDiskOptions {
  /** How many shards it has, at least 1. */
  readonly shards: number
  /** What survives a power failure: with `full` every commit, with `normal` all but the latest ones. Default `full`. */
  readonly synchronous?: Synchronous
}

/** So many writes of a shard can be lost with `normal`; then the oldest is synced. */
const UNSYNCED_MAX = 64

/** A disk in memory, and the faults that can happen to it. */
export class MemoryDisk {
  /** The shards; only for the memory driver. */
  readonly shards: readonly MemoryShard[]
  /** How safe a commit is; only for the memory driver. */
  readonly synchronous: Synchronous
  /** Epoch of the last owner; only for the memory driver. */
  epoch = 0
  /** Who holds the disk now; only for the memory driver. */
  owner: MemoryOwner | undefined
  /** How many crashes there were; only for the memory driver, whose stores do not outlive one. */
  crashes = 0
  /** What every commit fails with, and what else writes, if anything; only for the memory driver. */
  fault: StoreFault | undefined

  constructor(options: MemoryDiskOptions) {
    if (!Number.isInteger(options.shards) || options.shards < 1) throw new RangeError(`shards must be at least 1, not ${options.shards}`)
    this.synchronous = options.synchronous ?? 'full'
    this.shards = Array.from({ length: options.shards }, emptyShard)
  }

  /**
   * The power fails: of each shard's writes that are not synced only the first ones stay, as many as `kept` says of `unsynced`;
   * the others have not happened. Epochs are synced at once. Otherwise as `crash`. Takes nothing back if the disk syncs each commit.
   */
  loseUnsynced(kept: (unsynced: number, shard: number) => number): void {
    for (const [index, { unsynced }] of this.shards.entries()) {
      const left = Math.max(0, kept(unsynced.length, index))
      while (unsynced.length > left) for (const undo of unsynced.pop()?.toReversed() ?? []) undo()
      unsynced.length = 0
    }
    this.crash()
  }

  /** The owner dies: what was committed stays, the disk is free, and directories and stores that were open are dead. */
  crash(): void {
    this.owner = undefined
    this.crashes += 1
  }

  /**
   * From now on every commit, and what else writes, fails as `StoreUnavailable` with this fault, until it is called with
   * `undefined`: of all shards, or of the given one, whatever is said of all.
   */
  failCommits(fault: StoreFault | undefined, shard?: number): void {
    if (shard === undefined) {
      this.fault = fault
      return
    }
    const found = this.shards[shard]
    if (found === undefined) throw new RangeError(`there is no shard ${shard}`)
    found.fault = fault
  }
}

/** Notes a write that a power failure may take back. Only for the memory driver. */
export function noteUnsynced(shard: MemoryShard, undo: Undo[]): void {
  shard.unsynced.push(undo)
  if (shard.unsynced.length > UNSYNCED_MAX) shard.unsynced.shift()
}

/** Makes an empty disk. */
export function createMemoryDisk(options: MemoryDiskOptions): MemoryDisk {
  return new MemoryDisk(options)
}

function emptyShard(): MemoryShard {
  return {
    epoch: 0,
    ownerEpoch: 0,
    committedAt: 0,
    recoveredAt: 0,
    actorNumber: 0,
    sequence: 0,
    timerGeneration: 0,
    tables: new MemoryTables(),
    unsynced: [],
    fault: undefined,
  }
}
