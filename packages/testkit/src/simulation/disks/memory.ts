/** The memory driver as a simulated disk. To make one, to open it and to open two shards takes about 2 µs. */
import { BailiwickError, StoreUnavailable, createMemoryDisk, openMemoryDirectory, openMemoryShard } from '@bailiwick/store'
import type { Batch, ImmediateShardStore, MemoryDisk, ShardLocation, StoreFault, Synchronous } from '@bailiwick/store'
import type { SystemDirectory } from '@bailiwick/kernel/seams'
import { requireShare, shareOf } from './disk.ts'
import type { SimulatedDisk, SimulatedDiskOptions } from './disk.ts'

/**
 * Makes an empty disk in memory. A write is whole or has not happened, however it was torn. With `normal`, at most the last 64
 * writes of each shard are unsynced (recoveries among them), and the epochs of shards are always synced.
 */
export function memoryDisk(options: SimulatedDiskOptions): SimulatedDisk {
  return new SimulatedMemoryDisk(options)
}

class SimulatedMemoryDisk implements SimulatedDisk {
  readonly kind = 'memory'
  readonly #disk: MemoryDisk
  readonly #synchronous: Synchronous
  readonly #stores: ImmediateShardStore[][]
  /** Owners up to this epoch are dead. */
  #deadThrough = 0
  #underWay: (() => void) | undefined
  #isDisposed = false

  constructor(options: SimulatedDiskOptions) {
    this.#disk = createMemoryDisk(options)
    this.#synchronous = options.synchronous ?? 'full'
    this.#stores = this.#disk.shards.map(() => [])
  }

  openDirectory(now: () => number): SystemDirectory {
    if (this.#isDisposed) throw new StoreUnavailable('other', 'the memory disk was disposed of')
    const owned = openMemoryDirectory(this.#disk, { now })
    return {
      directory: 'memory',
      epoch: owned.epoch,
      shardCount: owned.shardCount,
      shard: (index) => ({ file: `memory-${index}`, index, ownerEpoch: owned.epoch, synchronous: this.#synchronous }),
      release: () => owned.release(),
    }
  }

  openShard({ index, ownerEpoch }: ShardLocation): ImmediateShardStore {
    if (this.#isDisposed || ownerEpoch <= this.#deadThrough)
      throw new StoreUnavailable('other', `the owner of shard ${index} of the memory disk has died`)
    const store = openMemoryShard(this.#disk, index, ownerEpoch)
    this.#stores[index]?.push(store)
    return store
  }

  fail(shard: number | undefined, fault: StoreFault | undefined): void {
    this.#disk.failCommits(fault, shard)
  }

  tearing(shard: number, batch: Batch, epoch?: number): void {
    const stores = this.#stores[shard]
    if (stores === undefined) throw new RangeError(`there is no shard ${shard}`)
    const store = stores.findLast((candidate) => epoch === undefined || candidate.epoch === epoch)
    this.#underWay = store && (() => commitUnheard(store, batch))
  }

  crash(torn = 0): void {
    requireShare(torn)
    if (torn === 1) this.#underWay?.()
    this.#underWay = undefined
    this.#disk.loseUnsynced((unsynced, shard) => Math.floor(shareOf(torn, shard) * unsynced))
    this.#deadThrough = this.#disk.epoch
    for (const stores of this.#stores) stores.length = 0
  }

  dispose(): void {
    this.crash()
    this.#isDisposed = true
  }
}

/** Commits a batch of which nobody will hear; if it is refused, nobody hears that either. */
export function commitUnheard(store: ImmediateShardStore, batch: Batch): void {
  try {
    store.commit(batch)
  } catch (error) {
    if (!(error instanceof BailiwickError)) throw error
  }
}
