/**
 * A system: everything opened from one directory. It hands out refs, counts, and closes; the work is done by shards.
 */
import type { ActorDefinition } from '../definition/define-actor.ts'
import { encodeKey, shardOf } from '../definition/key.ts'
import type { ActorKey } from '../definition/key.ts'
import { InvalidInput, SystemClosed } from '../errors.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { Clock, SystemDirectory } from '../seams/seams.ts'
import { DeadLetters } from './dead-letters.ts'
import { Ref, refKindOf } from './ref.ts'
import type { RefKind, RefOf } from './ref.ts'
import type { ShardClient } from './shard-client.ts'
import { statsOf } from './stats.ts'
import type { SystemStats } from './stats.ts'
import type { ThreadSlot } from './threads.ts'

/** How to close a system. */
export interface CloseOptions {
  /** How long to wait for pending calls and for the shards, in milliseconds, before ending them by force. Default 10,000. */
  readonly timeoutMs?: number
}

/** How a system was closed. */
export interface CloseReport {
  /** `polite`: every pending call was answered, apart from those that wait for a turn, and every shard ended by itself. `forced`: the deadline passed before that. */
  readonly outcome: 'polite' | 'forced'
  /** Calls that got `SystemClosed` instead of an answer. */
  readonly abandonedCalls: number
}

/** What a system is made of. */
export interface SystemParts {
  readonly clock: Clock
  readonly directory: SystemDirectory
  readonly definitions: readonly ActorDefinition[]
  /** One per shard. */
  readonly clients: readonly ShardClient[]
  readonly threads: readonly ThreadSlot[]
}

const CLOSE_MS_DEFAULT = 10_000

/** An open system. Close it with `close()`, or declare it with `await using`. */
export class System {
  readonly #parts: SystemParts
  readonly #kinds: ReadonlyMap<ActorDefinition, RefKind>
  /** Messages that could not be handled: list, replay, discard. */
  readonly deadLetters: DeadLetters
  #closing: Promise<CloseReport> | undefined

  constructor(parts: SystemParts) {
    this.#parts = parts
    this.deadLetters = new DeadLetters(() => {
      this.#requireOpen()
      return parts.clients
    })
    this.#kinds = new Map(parts.definitions.map((definition, type) => [definition, refKindOf(definition, type)]))
  }

  /** The directory, as an absolute path. */
  get directory(): string {
    return this.#parts.directory.directory
  }

  /**
   * The ref of an actor. It activates nothing; the actor comes into memory with its first command.
   * Throws `InvalidInput` for a bad key, or for a definition that the system was not opened with.
   */
  actor<Definition extends ActorDefinition>(definition: Definition, key: ActorKey): RefOf<Definition> {
    const kind = this.#kinds.get(definition)
    if (kind === undefined) throw new InvalidInput('system.actor', 'definition', 'is not among the actors that the system was opened with')
    const encodedKey = encodeKey(definition.type, key)
    const shard = shardOf(definition.type, encodedKey, this.#parts.clients.length)
    const client = this.#parts.clients[shard]
    if (client === undefined) throw new Error(`There is no shard ${shard}.`)
    const ref = new Ref(kind, key, encodedKey, () => {
      this.#requireOpen()
      return client
    })
    return ref as unknown as RefOf<Definition> // The seam between user types and the run time: the methods exist by construction.
  }

  /** The system's counters now. Costs no message and works while shards are busy. */
  stats(): SystemStats {
    const { clock, directory, clients, threads } = this.#parts
    return statsOf({
      epoch: directory.epoch,
      threads: threads.length,
      pendingCalls: clients.reduce((total, client) => total + client.pendingCalls, 0),
      gauges: threads.flatMap((thread) => thread.gauges),
      now: clock.wall(),
    })
  }

  /**
   * Closes the system; always returns. New calls get `SystemClosed` at once; pending ones are waited for until the
   * deadline, then threads are ended by force. Tells that were accepted and not yet handled stay in the store for the
   * next start. Closing twice answers the same report.
   */
  close(options: CloseOptions = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(options.timeoutMs ?? CLOSE_MS_DEFAULT)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new SystemClosed(false)
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    const { clients, clock, directory, threads } = this.#parts
    const deadline = clock.elapsed() + Math.max(0, timeoutMs)
    for (const client of clients) client.endFollows(new SystemClosed(false))
    for (const client of clients) client.park()
    const isDrained = await this.#within(deadline, Promise.all(clients.map((client) => client.idle())))
    for (const thread of threads) thread.beginClosing()
    const isClosed = isDrained && (await this.#within(deadline, this.#closeShards(deadline)))
    await Promise.all(threads.map((thread) => thread.terminate()))
    const abandonedCalls = clients.reduce((total, client) => total + client.close(), 0)
    directory.release()
    return { outcome: isClosed ? 'polite' : 'forced', abandonedCalls }
  }

  async #closeShards(deadline: number): Promise<void> {
    const timeoutMs = Math.max(1, deadline - this.#parts.clock.elapsed())
    const subject = { address: this.directory, command: 'close' }
    await Promise.all(
      // One without a thread has nothing to close.
      this.#parts.clients
        .filter((client) => client.isAttached)
        .map((client) => client.call(subject, { timeoutMs, signal: undefined }, (call) => [ToShard.close, call])),
    )
  }

  /** Whether something finishes, without error, before the deadline. */
  async #within(deadline: number, work: Promise<unknown>): Promise<boolean> {
    const { clock } = this.#parts
    return await new Promise<boolean>((resolve) => {
      const timer = clock.setTimer(() => resolve(false), Math.max(0, deadline - clock.elapsed()))
      const end = (isDone: boolean) => (): void => {
        timer.cancel()
        resolve(isDone)
      }
      work.then(end(true), end(false))
    })
  }
}
