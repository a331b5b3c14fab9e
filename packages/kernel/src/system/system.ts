/**
 * A system: everything opened from one directory. It hands out refs, says what happens and how it is, and closes; the work
 * is done by shards.
 */
import type { BackupReport, Finding, VerifyOptions } from '@bailiwick/store'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { encodeKey, shardOf } from '../definition/key.ts'
import type { ActorKey } from '../definition/key.ts'
import { InvalidInput, SystemClosed } from '../errors.ts'
import type { TapEvent } from '../protocol/tap.ts'
import type { Clock, Stores, SystemDirectory } from '../seams/seams.ts'
import { backup, compact, verify } from './backup.ts'
import type { CompactOptions } from './backup.ts'
import { checkClose, Closing } from './closing.ts'
import type { CloseOptions, CloseReport } from './closing.ts'
import { DeadLetters } from './dead-letters.ts'
import type { SystemHealth } from './health.ts'
import { Quarantine } from './holds.ts'
import type { Observer } from './observer.ts'
import { Ref, refKindOf } from './ref.ts'
import type { RefKind, RefOf } from './ref.ts'
import type { ShardClient } from './shard-client.ts'
import { statsOf } from './stats.ts'
import type { SystemStats } from './stats.ts'
import type { TapEventsOptions, TapListener, TapOptions } from './tap.ts'
import type { ThreadSlot } from './threads.ts'

/** What a system is made of. */
export interface SystemParts {
  readonly clock: Clock
  readonly stores: Stores
  readonly directory: SystemDirectory
  readonly definitions: readonly ActorDefinition[]
  /** One per shard. */
  readonly clients: readonly ShardClient[]
  readonly threads: readonly ThreadSlot[]
  readonly observer: Observer
  /** Called once, when the system is closed. */
  readonly onClosed: () => void
}

/** An open system. Close it with `close()`, or declare it with `await using`. */
export class System {
  readonly #parts: SystemParts
  readonly #kinds: ReadonlyMap<ActorDefinition, RefKind>
  /** Messages that could not be handled: list, replay, discard. */
  readonly deadLetters: DeadLetters
  /** Actors that are held back because they failed too often, or because somebody wants it: list, release, hold. */
  readonly quarantine: Quarantine
  #closing: Closing | undefined
  #report: Promise<CloseReport> | undefined
  #isClosed = false

  constructor(parts: SystemParts) {
    this.#parts = parts
    const clients = (): readonly ShardClient[] => {
      this.#requireOpen()
      return parts.clients
    }
    this.deadLetters = new DeadLetters(clients)
    this.quarantine = new Quarantine(clients)
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
    const shard = shardOf(definition.storedAs, encodedKey, this.#parts.clients.length)
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
      pendingCalls: clients.reduce((total, client) => total + client.pendingCalls, 0),
      threads: threads.map(({ state, gauges }) => ({ state, gauges })),
      now: clock.wall(),
    })
  }

  /** Whether every shard can serve now, and what is wrong with those that cannot. Costs no message. Works after the end, too. */
  health(): SystemHealth {
    const { reasons } = this.#parts.observer.health
    if (this.#isClosed) return { status: 'closed', reasons: [] }
    if (this.#closing !== undefined) return { status: 'closing', reasons }
    return { status: reasons.length === 0 ? 'ready' : 'degraded', reasons }
  }

  /**
   * Hears what happens in the system, in order, each event after the commit that it belongs to; answers a function that ends
   * it. The listener is called synchronously, between two turns of the program's own code: it should be quick. What it throws
   * is reported to the logger; it is called again with the next event. While nobody listens, events cost nothing.
   * Ends with the system. Throws `InvalidInput`, and `SystemClosed`.
   */
  tap(listener: TapListener, options?: TapOptions): () => void {
    this.#requireOpen()
    return this.#parts.observer.tap.listen(listener, options)
  }

  /**
   * The same as a stream, for `for await`. It begins with the call. Events wait in a buffer; a reader that is too slow for it
   * misses some, and gets an event `tap.lost` with their number in their place. Ends with the system, or with its signal.
   * Throws `InvalidInput`, and `SystemClosed`.
   */
  events(options?: TapEventsOptions): AsyncIterableIterator<TapEvent> {
    this.#requireOpen()
    return this.#parts.observer.tap.stream(options)
  }

  /**
   * Copies the system to a new directory, as it is at one moment, while it goes on. Rejects with `InvalidInput` for a bad path,
   * `DirectoryNotEmpty` if something is there already, `DirectoryNotWritable`, and `StoreUnavailable` if the copy cannot be
   * written; then nothing is left of it.
   */
  async backup(path: string): Promise<BackupReport> {
    this.#requireOpen()
    return await backup(this.#parts.stores, this.directory, path)
  }

  /**
   * Checks the files of the system while it runs, in a thread of its own: every page, every row, what shards say of each other.
   * Answers what it has found; findings of the level `error` mean that something is lost or wrong. With `isQuick` pages are
   * looked at less closely. Rejects with `InvalidInput`, `StoreDamaged` or `StoreUnavailable`.
   */
  async verify(options: VerifyOptions = {}): Promise<readonly Finding[]> {
    this.#requireOpen()
    return await verify(this.#parts.stores, this.directory, options)
  }

  /**
   * Gives the space of what was deleted back to the disk, one shard after the other; a shard serves nothing meanwhile. Rejects
   * with the error of the first shard that cannot.
   */
  async compact(options?: CompactOptions): Promise<void> {
    this.#requireOpen()
    await compact(this.#parts.clients, options)
  }

  /**
   * Closes the system; always returns. New calls get `SystemClosed` at once; pending ones are waited for until the
   * deadline, then threads are ended by force. Tells that were accepted and not yet handled stay in the store for the
   * next start. Closing twice answers the same report; a second call with an earlier deadline, or with the mode `now`,
   * hastens the first. Rejects with `InvalidInput` for bad options, with nothing changed.
   */
  async close(options: CloseOptions = {}): Promise<CloseReport> {
    const checked = checkClose(options)
    if (this.#closing === undefined) {
      this.#closing = new Closing({ ...this.#parts, log: this.#parts.observer.log }, checked)
      this.#report = this.#end(this.#closing)
    } else this.#closing.hasten(checked)
    return await (this.#report ?? this.#closing.report)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #end({ report }: Closing): Promise<CloseReport> {
    const { observer, onClosed } = this.#parts
    const closed = await report
    this.#isClosed = true
    observer.tap.close()
    onClosed()
    observer.log.info('system closed', { directory: this.directory, ...closed })
    return closed
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new SystemClosed(false)
  }
}
