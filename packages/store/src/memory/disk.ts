/**
 * The memory disk: what survives a simulated crash. It lives as long as the object does, and no longer.
 *
 * For tests and simulations, and for systems that need no durability. It holds committed data and who owns it; the drivers
 * in `directory.ts` and `shard.ts` work on it the way the SQLite driver works on files.
 */
import type { StoreFault } from '../errors.ts'
import { MemoryTables } from './tables.ts'

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
}

/** A disk in memory, and the faults that can happen to it. */
export class MemoryDisk {
  /** The shards; only for the memory driver. */
  readonly shards: readonly MemoryShard[]
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
    this.shards = Array.from({ length: options.shards }, emptyShard)
  }

  /** The owner dies: what was committed stays, the disk is free, and directories and stores that were open are dead. */
  crash(): void {
    this.owner = undefined
    this.crashes += 1
  }

  /** From now on every commit, and what else writes, fails as `StoreUnavailable` with this fault, until it is called with `undefined`. */
  failCommits(fault: StoreFault | undefined): void {
    this.fault = fault
  }
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
  }
}
