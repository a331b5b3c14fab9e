/**
 * Disks of a simulated machine: where the stores of a system live, how they fail, and what a power failure leaves of them.
 *
 * Two of them, with the same rules: `memory.ts` is the memory driver, fast enough for thousands of runs in a second; `sqlite.ts` is
 * the SQLite driver on real files, so that what comes after a crash is SQLite's own recovery. Neither draws anything: what
 * chance decides is given to it.
 */
import type { SystemDirectory } from '@bailiwick/kernel/seams'
import type { Batch, ShardLocation, ShardStore, StoreFault, Synchronous } from '@bailiwick/store'

/** How a disk is made. */
export interface SimulatedDiskOptions {
  /** How many shards a system on it has, at least 1. */
  readonly shards: number
  /** What survives a power failure: with `full` every commit that has returned, with `normal` all but the latest ones. Default `full`. */
  readonly synchronous?: Synchronous
}

/** One disk of a simulated machine. Its owner of the day works on it until the machine dies; then it can be opened again. */
export interface SimulatedDisk {
  readonly kind: 'memory' | 'sqlite'

  /** As `Stores.openDirectory` of the kernel's seams, with the clock that says who owns it since when. */
  openDirectory(now: () => number): SystemDirectory

  /** As `Stores.openShard` of the kernel's seams. Throws `StoreUnavailable` for a location that an owner was given who has died. */
  openShard(location: ShardLocation): ShardStore

  /**
   * Every commit of a shard, and what else writes, fails as `StoreUnavailable` with this fault, until this is called with
   * `undefined`. Nothing of such a commit happens. Without a shard all of them fail, whatever is said of each.
   */
  fail(shard: number | undefined, fault: StoreFault | undefined): void

  /**
   * Begins the commit of a batch that will not return, because the machine dies while it is under way: `crash` must come next. Of
   * several stores of the shard, that with this epoch commits; default the one opened last. Where the store would refuse
   * the batch, or is told to fail, nothing is under way.
   */
  tearing(shard: number, batch: Batch, epoch?: number): void

  /**
   * The process dies, power and all: what was synced stays, nothing else. What was open is dead and answers `StoreUnavailable`.
   *
   * `torn` says how much of the write that was under way has reached the disk, from 0 (the default) to 1. At 1 the batch is whole
   * although nobody has heard of it, below it has not happened, whatever the disk has of it. On a disk that does not sync
   * every commit it also says how much of what is not synced is left: at 1 all of it, at 0 nothing, between them another
   * share for each shard, always the first commits.
   */
  crash(torn?: number): void

  /** Throws the disk away, with its files. It cannot be used any more. */
  dispose(): void
}

/** What part of its unsynced writes a shard keeps: all at 1, none at 0; between, shards differ, as they lie in different files. */
export function shareOf(torn: number, shard: number): number {
  return torn <= 0 || torn >= 1 ? torn : (torn + shard * 0.618034) % 1
}

/** Throws `RangeError` unless it is a share. */
export function requireShare(torn: number): void {
  if (!(torn >= 0 && torn <= 1)) throw new RangeError(`torn must be from 0 to 1, not ${torn}`)
}
