/** Processes as a turn at the far end of a link sees them: every call crosses the link, lines arrive as fast as they are read. */
import type { JsonValue, ProcessResult, SessionProcess, SpawnedProcess } from '../definition/process.ts'
import type { FarCall, FromTurn, Packed, StartedProcess, StreamName, ToTurn } from './turn-messages.ts'

/** How many lines may be on their way to a follower or wait in it. */
const CREDIT = 64

/** What a process needs of its link. */
export interface FarLink {
  /** Asks the shard. `answered` sees the answer before any later message is taken. Rejects with `StaleEpoch` once the turn is over. */
  ask<T>(operation: string, call: () => FarCall, answered: (value: unknown) => T): Promise<T>
  /** Tells the shard; nothing comes back. */
  tell(message: FromTurn): void
  nextNumber(): number
  pack(value: unknown, what: string): Packed
}

type LineMessage = Extract<ToTurn, { readonly tag: 'line' | 'line-end' }>

/** A process that the shard has started for the turn. */
export class FarProcess implements SpawnedProcess {
  readonly number: number
  readonly pid: number
  readonly exited: Promise<ProcessResult>
  readonly #link: FarLink
  readonly #hasExited: (result: ProcessResult) => void
  readonly #followers = new Map<number, FarLines>()
  #bookmark: number | undefined

  constructor(link: FarLink, { process, pid, bookmark }: StartedProcess) {
    this.#link = link
    this.number = process
    this.pid = pid
    const { promise, resolve } = Promise.withResolvers<ProcessResult>()
    this.exited = promise
    this.#hasExited = resolve
    this.#standAt(bookmark)
  }

  async send(value: JsonValue): Promise<void> {
    await this.#link.ask(
      'process.send',
      () => ({ tag: 'send', process: this.number, value: this.#link.pack(value, 'process.send') }),
      (bookmark) => this.#standAt(bookmark as number), // As the shard's end answers.
    )
  }

  end(): void {
    this.#link.tell({ tag: 'end-input', process: this.number })
  }

  lines(stream: StreamName = 'stdout'): AsyncIterableIterator<string> {
    const follower = this.#link.nextNumber()
    const lines = new FarLines(this.#link, follower, () => this.#followers.delete(follower))
    this.#followers.set(follower, lines)
    this.#link.tell({ tag: 'follow', process: this.number, stream, follower, bookmark: this.#bookmark, credit: CREDIT })
    return lines
  }

  async stop(): Promise<ProcessResult> {
    return await this.#link.ask(
      'process.stop',
      () => ({ tag: 'stop', process: this.number }),
      (result) => result as ProcessResult, // As the shard's end answers.
    )
  }

  takeLine(message: LineMessage): void {
    const follower = this.#followers.get(message.follower)
    if (message.tag === 'line') follower?.take(message.line)
    else follower?.close()
  }

  takeExit(result: ProcessResult): void {
    this.#hasExited(result)
  }

  /** The turn is over: nobody gets lines any more. */
  leave(): void {
    for (const follower of this.#followers.values()) follower.close()
  }

  /** The shard follows both streams from here. Whoever calls `lines` before another event is handled gets them from here too. */
  #standAt(bookmark: number): void {
    this.#bookmark = bookmark
    setImmediate(() => {
      if (this.#bookmark === bookmark) this.#bookmark = undefined
      this.#link.tell({ tag: 'forget', process: this.number, bookmark })
    })
  }
}

/** The actor's process of a name. */
export class FarSession extends FarProcess implements SessionProcess {
  readonly id: string
  readonly isFresh: boolean

  constructor(link: FarLink, started: StartedProcess) {
    super(link, started)
    this.id = started.id ?? ''
    this.isFresh = started.isFresh ?? false
  }
}

/** Lines of a stream. At most `CREDIT` of them have left the shard's end and were not yet asked for. */
class FarLines implements AsyncIterableIterator<string> {
  readonly #link: FarLink
  readonly #number: number
  readonly #left: () => void
  readonly #arrived: string[] = []
  readonly #waiting: ((result: IteratorResult<string, undefined>) => void)[] = []
  #granted = 0
  #isClosed = false

  constructor(link: FarLink, number: number, left: () => void) {
    this.#link = link
    this.#number = number
    this.#left = left
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    const line = this.#arrived.shift()
    if (line !== undefined) return this.#given(line)
    if (this.#isClosed) return { done: true, value: undefined }
    return await new Promise((resolve) => this.#waiting.push(resolve))
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    this.#link.tell({ tag: 'unfollow', follower: this.#number })
    this.#arrived.length = 0
    this.close()
    return { done: true, value: undefined }
  }

  take(line: string): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#arrived.push(line)
    else waiting(this.#given(line))
  }

  /** No more lines will come; those that have arrived are still given. */
  close(): void {
    this.#isClosed = true
    this.#left()
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined })
  }

  #given(line: string): IteratorResult<string, undefined> {
    this.#granted += 1
    if (this.#granted >= CREDIT / 2) {
      this.#link.tell({ tag: 'grant', follower: this.#number, credit: this.#granted })
      this.#granted = 0
    }
    return { done: false, value: line }
  }
}
