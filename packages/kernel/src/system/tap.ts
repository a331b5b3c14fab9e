/**
 * The tap: one stream of what happens in a system, for whoever reads it.
 *
 * The shards tell nothing while nobody reads. With the first reader each of them is told to begin, and with the end of the
 * last one to stop. Readers are called in the caller's thread, in order, one after the other. What a reader does is its own
 * business: one that throws is reported, stays, and disturbs neither the others nor the system. The one exception are subscribers
 * of the channel of `node:diagnostics_channel`, with whom Node.js deals itself: it ends the process.
 */
import { InvalidInput } from '../errors.ts'
import { checkOptionNames, checkSignal } from '../definition/input.ts'
import { TAP_VERSION } from '../protocol/tap.ts'
import type { ShardTapEvent, TapEvent, TapKind } from '../protocol/tap.ts'
import type { Clock, Diagnostics, Timer } from '../seams/seams.ts'
import { kindsOf } from './tap-kinds.ts'
import type { TapPattern } from './tap-kinds.ts'
import { TapStream } from './tap-stream.ts'

/** Which events a reader wants, and until when. */
export interface TapOptions {
  /** Kinds of events, such as `turn.parked`, or `turn.*` for all of one subject. Default: all. */
  readonly kinds?: readonly TapPattern[]
  /** Ends the reading. */
  readonly signal?: AbortSignal
}

/** Options of `events` alone. */
export interface TapEventsOptions extends TapOptions {
  /** How many events may wait for a slow reader. Those beyond it are dropped, and counted by an event `tap.lost`. Default 10,000. */
  readonly buffer?: number
}

/** Hears events. */
export type TapListener = (event: TapEvent) => void

/** What the tap needs of the system. */
export interface TapParts {
  readonly clock: Clock
  readonly diagnostics: Diagnostics | undefined
  /** Tells the shards whether anybody reads. */
  readonly wish: (isRead: boolean) => void
  /** Hears of a listener that threw for the first time, the tenth, the hundredth, …: one that always throws must not fill a log. */
  readonly listenerFailed: (error: unknown, times: number) => void
}

interface Reader {
  /** An async function is a listener too: what it answers is looked at. */
  readonly listener: (event: TapEvent) => unknown
  readonly kinds: ReadonlySet<TapKind> | undefined
  isActive: boolean
  /** How often it has thrown or rejected. */
  failures: number
}

const OPTIONS: ReadonlySet<string> = new Set(['kinds', 'signal'])
const EVENTS_OPTIONS: ReadonlySet<string> = new Set(['kinds', 'signal', 'buffer'])
const BUFFER_DEFAULT = 10_000
/** How often it is looked whether somebody subscribes to the channel. */
const LOOK_EVERY_MS = 1_000

/** The tap of one system. */
export class Tap {
  readonly #parts: TapParts
  readonly #streams = new Set<TapStream>()
  #readers: readonly Reader[] = []
  #sequence = 0
  #isRead = false
  #isClosed = false
  #look: Timer | undefined

  constructor(parts: TapParts) {
    this.#parts = parts
  }

  /** Whether anybody reads. */
  get isRead(): boolean {
    return this.#isRead
  }

  /** Begins to look at the channel, now and once a second. */
  open(): void {
    if (this.#parts.diagnostics === undefined || this.#isClosed) return
    this.#decide()
    this.#look = this.#parts.clock.setTimer(() => this.open(), LOOK_EVERY_MS)
  }

  /** Adds a reader; answers a function that ends it. Throws `InvalidInput`. */
  listen(listener: TapListener, options: TapOptions = {}): () => void {
    if (typeof listener !== 'function') throw new InvalidInput('system.tap', 'listener', 'must be a function')
    const { kinds, signal } = checked('system.tap', options, OPTIONS)
    const reader: Reader = { listener, kinds, isActive: true, failures: 0 }
    const end = (): void => {
      if (!reader.isActive) return
      reader.isActive = false
      signal?.removeEventListener('abort', end)
      this.#readers = this.#readers.filter((other) => other !== reader)
      this.#decide()
    }
    if (signal?.aborted === true) return end
    signal?.addEventListener('abort', end, { once: true })
    this.#readers = [...this.#readers, reader]
    this.#decide()
    return end
  }

  /** A stream of events with a bounded buffer; leaving it ends the reading. Throws `InvalidInput`. */
  stream(options: TapEventsOptions = {}): TapStream {
    const { signal } = checked('system.events', options, EVENTS_OPTIONS)
    const { buffer = BUFFER_DEFAULT } = options
    if (!Number.isSafeInteger(buffer) || buffer < 1) throw new InvalidInput('system.events', 'buffer', 'must be a whole number from 1')
    let leave = (): void => undefined
    const stream = new TapStream(buffer, () => leave())
    const end = this.listen((event) => stream.push(event), options.kinds === undefined ? {} : { kinds: options.kinds })
    const abort = (): void => stream.end()
    leave = () => {
      end()
      this.#streams.delete(stream)
      signal?.removeEventListener('abort', abort)
    }
    this.#streams.add(stream)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true || this.#isClosed) stream.end()
    return stream
  }

  /** Tells the readers what a shard has told, or what was seen of it. */
  tell(shard: number, at: number, events: readonly ShardTapEvent[]): void {
    if (!this.#isRead) return
    const { diagnostics } = this.#parts
    const isPublished = diagnostics?.hasSubscribers === true
    for (const event of events) {
      this.#sequence += 1
      const told: TapEvent = { version: TAP_VERSION, sequence: this.#sequence, shard, at, ...event }
      for (const reader of this.#readers) if (reader.kinds?.has(told.kind) ?? true) this.#hear(reader, told)
      if (isPublished) diagnostics.publish(told)
    }
  }

  /** Ends every reading. */
  close(): void {
    this.#isClosed = true
    this.#look?.cancel()
    for (const stream of this.#streams) stream.end()
    for (const reader of this.#readers) reader.isActive = false
    this.#readers = []
    this.#isRead = false
  }

  #hear(reader: Reader, event: TapEvent): void {
    if (!reader.isActive) return
    try {
      const result = reader.listener(event)
      // What it rejects with must not end the process.
      if (result instanceof Promise) result.catch((error: unknown) => this.#failed(reader, error))
    } catch (error) {
      this.#failed(reader, error)
    }
  }

  #failed(reader: Reader, error: unknown): void {
    reader.failures += 1
    if (/^10*$/.test(String(reader.failures))) this.#parts.listenerFailed(error, reader.failures)
  }

  #decide(): void {
    const isRead = !this.#isClosed && (this.#readers.length > 0 || this.#parts.diagnostics?.hasSubscribers === true)
    if (isRead === this.#isRead) return
    this.#isRead = isRead
    this.#parts.wish(isRead)
  }
}

function checked(
  operation: string,
  options: TapOptions,
  names: ReadonlySet<string>,
): { readonly kinds: ReadonlySet<TapKind> | undefined; readonly signal: AbortSignal | undefined } {
  checkOptionNames(operation, options, names)
  checkSignal(operation, options.signal)
  return { kinds: options.kinds === undefined ? undefined : kindsOf(operation, options.kinds), signal: options.signal }
}
