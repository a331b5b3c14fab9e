/**
 * A world for testing actors: the real kernel, assembled in the test's own thread, on a memory disk that survives
 * crashes and a clock that the test moves. No server, no files, no waiting.
 */
import { nodeChildren, nodeSeams, openSystemOn, startInlineThread } from '@bailiwick/kernel/seams'
import type { Children, InlineThread, Seams, ShardThread, ThreadPlan, Transport, TurnPlaces } from '@bailiwick/kernel/seams'
import { createMemoryDisk, openMemoryDirectory, openMemoryShard } from '@bailiwick/store'
import type { MemoryDisk, ShardStore } from '@bailiwick/store'
import type { OpenSystemOptions, System } from '@bailiwick/kernel'
import { seededRandom } from './seeded-random.ts'
import { VirtualClock } from './virtual-clock.ts'

/** How a world is made. */
export interface TestWorldOptions {
  /** Number of shards. Default 1. */
  readonly shards?: number
  /** Wall time at the beginning, in milliseconds since 1970. Default: the first of January 2030. */
  readonly startAt?: number
  /** Seed of everything that is left to chance, such as the jitter of waits. Default 1. */
  readonly seed?: number
  /** Stands between the kernel and each shard's store, to delay it or make it fail. */
  readonly wrapStore?: (store: ShardStore, shard: number) => ShardStore
  /** Starts child processes. Default: real ones. */
  readonly children?: Children
}

/** How a thread ends. */
type Ending = NonNullable<Parameters<InlineThread['crash']>[1]>

/** What is opened in a world is opened without a directory: the world is the directory. */
export type TestSystemOptions = Omit<OpenSystemOptions, 'directory' | 'shards' | 'create' | 'synchronous'>

/** One disk, one clock, and the system that is open on them. */
export class TestWorld {
  readonly clock: VirtualClock
  readonly disk: MemoryDisk
  /** Errors that belonged to no caller: actions that threw after their commit. */
  readonly reported: unknown[] = []
  readonly #shards: number
  readonly #wrapStore: (store: ShardStore, shard: number) => ShardStore
  readonly #random: () => number
  readonly #children: Children
  readonly #systems: System[] = []
  #threads: InlineThread[] = []
  /** Counts processes: one that has died starts no more threads. */
  #lives = 1

  constructor(options: TestWorldOptions = {}) {
    this.clock = new VirtualClock(options.startAt)
    this.#shards = options.shards ?? 1
    this.disk = createMemoryDisk({ shards: this.#shards })
    this.#random = seededRandom(options.seed ?? 1)
    this.#children = options.children ?? nodeChildren
    this.#wrapStore = options.wrapStore ?? ((store) => store)
  }

  /** Opens a system. After a crash, call it again: what was committed is there. */
  async open(options: TestSystemOptions): Promise<System> {
    const system = await openSystemOn(this.#seams(), { ...options, directory: 'memory', shards: this.#shards })
    this.#systems.push(system)
    return system
  }

  /** Closes every system that was opened, at once and by force: for the end of a test. */
  async close(): Promise<void> {
    const closing = Promise.all(this.#systems.splice(0).map((system) => system.close({ timeoutMs: 0 })))
    await this.advance(1)
    await closing
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
  }

  /** Kills the process, as it were: what is not committed is gone, and the system that was open never answers again. */
  crash(): void {
    this.#lives += 1
    this.disk.crash()
    for (const thread of this.#threads) void thread.terminate()
    this.#threads = []
  }

  /** Kills the threads only: the system notices and starts new ones, until there have been too many deaths. See `crashThreadOf`. */
  crashThreads(reason = 'the test crashed it', how: Ending = 'failed'): void {
    const threads = this.#threads
    this.#threads = []
    for (const thread of threads) thread.crash(reason, how)
  }

  /**
   * Kills the thread that serves a shard, while the others go on: the system notices and starts a new one.
   * Called from within a transition, it was serving that: a stored command or timer is then kept as a dead letter, at once
   * if the thread `hung` or `exited`, at the second time if it `failed`.
   */
  crashThreadOf(shard: number, reason = 'the test crashed it', how: Ending = 'failed'): void {
    const thread = this.#threads.findLast((candidate) => candidate.serves.includes(shard))
    if (thread === undefined) return
    this.#threads = this.#threads.filter((candidate) => candidate !== thread)
    thread.crash(reason, how)
  }

  #seams(): Seams {
    const { clock } = this
    const life = this.#lives
    const { scheduler } = nodeSeams
    const openShard = (location: { readonly index: number; readonly ownerEpoch: number }): ShardStore =>
      this.#wrapStore(openMemoryShard(this.disk, location.index, location.ownerEpoch), location.index)
    return {
      clock,
      scheduler,
      random: this.#random,
      stores: { openShard, openDirectory: () => this.#openDirectory() },
      startThread: (plan: ThreadPlan) => {
        if (this.#lives !== life) return startNoThread(plan)
        const thread = startInlineThread(plan, {
          clock,
          scheduler,
          random: this.#random,
          stores: { openShard },
          turnPlaces: localPlaces(plan),
          children: this.#children,
          report: (error) => this.reported.push(error),
        })
        this.#threads.push(thread)
        return thread
      },
    }
  }

  #openDirectory(): ReturnType<Seams['stores']['openDirectory']> {
    const owned = openMemoryDirectory(this.disk, { now: () => this.clock.wall() })
    return {
      directory: 'memory',
      epoch: owned.epoch,
      shardCount: owned.shardCount,
      shard: (index) => ({ file: `memory-${index}`, index, ownerEpoch: owned.epoch, synchronous: 'full' }),
      release: () => owned.release(),
    }
  }
}

/** Runs every turn in the test's own thread, whatever its definition says: what computes must look at `interrupted()`. */
function localPlaces(plan: ThreadPlan): TurnPlaces {
  return {
    run: async ({ type, command }, context, kill) => {
      const definition = plan.definitions.find((candidate) => candidate.type === type)
      const run = definition?.commands.get(command)?.turn?.run
      const killed = new Promise<never>((_resolve, reject) => {
        kill.addEventListener('abort', () => reject(new Error('It was ended by force.')), { once: true })
      })
      return await Promise.race([run?.(context), killed])
    },
    close: () => Promise.resolve(),
  }
}

/** What a process that has died gets: a thread that never starts. */
function startNoThread(plan: ThreadPlan): ShardThread {
  const never = new Promise<never>(() => undefined)
  const silent: Transport = {
    send: () => undefined,
    poll: () => undefined,
    pollUrgent: () => undefined,
    onText: () => undefined,
    close: () => undefined,
    isClosed: false,
  }
  return {
    transports: plan.shards.map(() => silent),
    gauges: plan.shards.map(() => new Float64Array(0)),
    ready: never,
    ended: never,
    loading: undefined,
    beat: () => undefined,
    terminate: () => Promise.resolve(),
  }
}
