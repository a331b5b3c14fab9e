/**
 * Ownership of a memory disk: one owner at a time, each with a larger epoch than the one before.
 */
import { DirectoryInUse, StoreUnavailable } from '../errors.ts'
import { isoTime } from '../iso-time.ts'
import type { ImmediateShardStore, StoreDirectory } from '../store.ts'
import type { MemoryDisk, MemoryOwner } from './disk.ts'
import { openMemoryShard } from './shard.ts'

/** How a memory disk is opened. */
export interface MemoryDirectoryOptions {
  /** The clock: wall time in milliseconds since 1970. Only written down, never compared. */
  readonly now: () => number
}

/** A memory disk that its opener owns until it releases it or the disk crashes. */
export interface OwnedMemoryDirectory extends StoreDirectory {
  open(index: number): ImmediateShardStore
  release(): void
}

/** Takes ownership of a memory disk. Throws `DirectoryInUse` if somebody has it. */
export function openMemoryDirectory(disk: MemoryDisk, options: MemoryDirectoryOptions): OwnedMemoryDirectory {
  if (disk.owner !== undefined) {
    const { epoch, since } = disk.owner
    throw new DirectoryInUse('(memory)', { pid: process.pid, since: isoTime(since), epoch })
  }
  disk.epoch += 1
  const owner = { epoch: disk.epoch, since: options.now() }
  disk.owner = owner
  return new MemoryDirectory(disk, owner)
}

class MemoryDirectory implements OwnedMemoryDirectory {
  readonly epoch: number
  readonly shardCount: number
  readonly #disk: MemoryDisk
  readonly #owner: MemoryOwner
  readonly #crashes: number

  constructor(disk: MemoryDisk, owner: MemoryOwner) {
    this.epoch = owner.epoch
    this.shardCount = disk.shards.length
    this.#disk = disk
    this.#owner = owner
    this.#crashes = disk.crashes
  }

  open(index: number): ImmediateShardStore {
    if (this.#crashes !== this.#disk.crashes) throw new StoreUnavailable('other', 'the owner of the memory disk has crashed')
    return openMemoryShard(this.#disk, index, this.epoch)
  }

  release(): void {
    if (this.#disk.owner === this.#owner) this.#disk.owner = undefined
  }
}
