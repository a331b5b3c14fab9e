/**
 * The seams: every way in which the kernel touches time, chance, threads and stores.
 *
 * `nodeSeams` holds the real ones; the test kit brings virtual ones. Kernel code outside this folder never calls
 * `Date.now`, a timer, `Math.random` or `worker_threads`, which is what makes a simulated run honest.
 * These interfaces are visible for test kits only; programs use `openSystem`.
 */
import type { ShardLocation, ShardStore } from '@bailiwick/store'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { ShardLimits } from '../shard/limits.ts'

/** A timer that can be cancelled; cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void
}

/** Time. */
export interface Clock {
  /** Wall time in milliseconds since 1970. It may jump; the kernel guards against running backwards. */
  wall(): number
  /** Milliseconds since some moment; never runs backwards and means nothing outside this process. */
  elapsed(): number
  /** Calls back once, not before `delayMs` have passed; delays of any length. Does not keep the process alive. */
  setTimer(callback: () => void, delayMs: number): Timer
}

/** Chance. */
export type Random = () => number

/** When to go on. */
export interface Scheduler {
  /** Calls back after pending I/O events had their turn. */
  soon(callback: () => void): void
  /** Calls back as soon as the code that is running now, with all its promise continuations, has finished. */
  afterTurn(callback: () => void): void
}

/** One end of the connection between a caller's thread and a shard. */
export interface Transport {
  /** Sends a text to the other end; texts arrive in order. */
  send(text: string): void
  /** Takes a text that has already arrived, without waiting for its event. */
  poll(): string | undefined
  /** Says who gets arriving texts. */
  onText(listener: (text: string) => void): void
  /** Closes both ends. */
  close(): void
}

/** What a thread needs to serve its shards. */
export interface ThreadPlan {
  readonly shards: readonly ShardLocation[]
  readonly definitions: readonly ActorDefinition[]
  readonly effects: readonly EffectDefinition[]
  /** How many shards the system has, on all its threads. */
  readonly shardCount: number
  readonly limits: ShardLimits
}

/** A thread that serves shards. */
export interface ShardThread {
  /** One transport per shard of the plan, in its order. */
  readonly transports: readonly Transport[]
  /** Live counters of each shard, in the order of the plan. */
  readonly gauges: readonly Float64Array[]
  /** Resolves once every shard has recovered; rejects with the reason why one could not. */
  readonly ready: Promise<void>
  /** Resolves when the thread has ended, with the reason if nobody asked it to. */
  readonly ended: Promise<Error | undefined>
  /** Ends the thread at once, whatever it is doing. Resolves when it has ended. */
  terminate(): Promise<void>
}

/** The directory that a system owns. */
export interface SystemDirectory {
  readonly directory: string
  readonly epoch: number
  readonly shardCount: number
  shard(index: number): ShardLocation
  release(): void
}

/** Opens directories and shards. */
export interface Stores {
  openDirectory(options: DirectoryOptions): SystemDirectory
  /** Called in the thread that will own the shard. */
  openShard(location: ShardLocation): ShardStore
}

/** How to open a directory. */
export interface DirectoryOptions {
  readonly directory: string
  readonly shards: number
  readonly synchronous: 'full' | 'normal'
  readonly create: boolean
}

/** Everything that `openSystem` needs from the world. */
export interface Seams {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stores: Stores
  startThread(plan: ThreadPlan): ShardThread
}
