/**
 * The shard's end of a turn's link: it has the real context, and does with it what the far end asks for.
 *
 * It settles once. From then on it takes no message and posts none, so nothing that a turn does late has an effect.
 */
import type { ProcessSpec, SessionProcess, SessionSpec, SpawnedProcess } from '../definition/process.ts'
import type { AnyTurnContext } from '../definition/turn-context.ts'
import { decodeError, encodeError, InvalidInput, messageOf } from '../errors.ts'
import type { TurnPlace } from './seams.ts'
import { pack, unpack } from './turn-messages.ts'
import type { FarCall, FromTurn, StartedProcess, StreamName, ToTurn, TurnStart } from './turn-messages.ts'

/** After so many messages of progress the far end is told that they were taken. */
const TAKEN_EVERY = 100

/** What follows a stream for the far end, and how many lines it may still send. */
interface Follower {
  readonly lines: AsyncIterableIterator<string>
  credit: number
  isPumping: boolean
}

/** A place in both streams of a process from which the far end may want to follow. */
interface Bookmark {
  readonly number: number
  readonly lines: Map<StreamName, AsyncIterableIterator<string>>
}

/** A process that the far end knows by its number. */
interface KnownProcess {
  readonly process: SpawnedProcess
  bookmark: Bookmark | undefined
}

/** The shard's end. */
export class TurnShardEnd {
  /** Settles as the turn does, or as `fail` says. */
  readonly outcome: Promise<unknown>
  readonly start: TurnStart
  readonly #context: AnyTurnContext
  readonly #post: (message: ToTurn) => void
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: unknown) => void
  readonly #processes = new Map<number, KnownProcess>()
  readonly #followers = new Map<number, Follower>()
  #numbersGiven = 0
  #progressTaken = 0
  #isOver = false

  /** `post` sends a message to the far end, or keeps it until that is there. Throws `NotSerializable` if the input or the frame cannot cross. */
  constructor(place: TurnPlace, context: AnyTurnContext, post: (message: ToTurn) => void) {
    const { module, type, command } = place
    const { turn, attempt, epoch, key } = context
    const input = pack(context.input, 'input', { type, key })
    this.start = { module, type, command, input, frame: pack(context.frame, 'frame', { type, key }), turn, attempt, epoch, key }
    this.#context = context
    this.#post = post
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.outcome = promise
    this.#resolve = resolve
    this.#reject = reject
    // Whoever waits for the outcome hears of a failure, also of one that comes before anybody waits.
    promise.catch(() => undefined)
    context.signal.addEventListener('abort', this.#interrupt)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Settles with an error, unless it has settled. */
  fail(error: unknown): void {
    if (this.#close()) this.#reject(error)
  }

  /** Takes a message of the far end. */
  take(message: FromTurn): void {
    if (this.#isOver) return
    switch (message.tag) {
      case 'returned':
        if (this.#close()) this.#resolve(unpack(message.value))
        break
      case 'threw':
        this.fail(message.isRetryable ? Object.assign(decodeError(message.error), { retryable: true }) : decodeError(message.error))
        break
      case 'threw-reason':
      case 'dropped':
        this.fail(this.#context.signal.reason)
        break
      case 'ask':
        void this.#answer(message.id, message.call)
        break
      case 'progress':
        this.#progress(unpack(message.value))
        break
      case 'end-input':
        this.#processes.get(message.process)?.process.end()
        break
      case 'follow': {
        const lines = this.#linesFor(message.process, message.stream, message.bookmark)
        if (lines === undefined) this.#send({ tag: 'line-end', follower: message.follower })
        else this.#follow(message.follower, { lines, credit: message.credit, isPumping: false })
        break
      }
      case 'grant': {
        const follower = this.#followers.get(message.follower)
        if (follower === undefined) break
        follower.credit += message.credit
        void this.#pump(message.follower, follower)
        break
      }
      case 'unfollow':
        leave(this.#followers.get(message.follower)?.lines)
        this.#followers.delete(message.follower)
        break
      case 'forget':
        this.#forget(message.process, message.bookmark)
        break
      case 'lost':
        // Only a place knows what was lost, and has said so with `fail`.
        break
    }
  }

  readonly #interrupt = (): void => {
    this.#send({ tag: 'interrupt', reason: this.#reason() })
  }

  #reason(): string | undefined {
    const { reason } = this.#context.signal as { readonly reason: unknown } // DOM types say `any`.
    try {
      return pack(reason, 'reason', this.start)
    } catch {
      return JSON.stringify(messageOf(reason))
    }
  }

  #send(message: ToTurn): void {
    if (!this.#isOver) this.#post(message)
  }

  /** True for whoever closes it. */
  #close(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#context.signal.removeEventListener('abort', this.#interrupt)
    for (const { lines } of this.#followers.values()) leave(lines)
    for (const { bookmark } of this.#processes.values()) for (const lines of bookmark?.lines.values() ?? []) leave(lines)
    this.#followers.clear()
    this.#processes.clear()
    return true
  }

  #progress(value: unknown): void {
    try {
      this.#context.progress(value)
    } catch {
      // The turn has gone on: there is nobody to tell.
    }
    this.#progressTaken += 1
    if (this.#progressTaken % TAKEN_EVERY === 0) this.#send({ tag: 'taken', count: this.#progressTaken })
  }

  async #answer(id: number, call: FarCall): Promise<void> {
    try {
      const value = await this.#perform(call)
      this.#send({ tag: 'answer', id, value: pack(value, `the answer to ${call.tag}`, this.start) })
      if (call.tag === 'spawn' || call.tag === 'session') this.#announceExit(value as StartedProcess) // Made by `#started`.
    } catch (error) {
      this.#send({ tag: 'refused', id, error: encodeError(error) })
    }
  }

  async #perform(call: FarCall): Promise<unknown> {
    const { process: api } = this.#context
    switch (call.tag) {
      // What the casts claim is checked by whoever takes these values: they come from the program, as they do in the shard's thread.
      case 'checkpoint':
        await this.#context.checkpoint(unpack(call.frame))
        return undefined
      case 'run':
        return await api.run(unpack(call.spec) as ProcessSpec)
      case 'spawn':
        return this.#started(await api.spawn(unpack(call.spec) as ProcessSpec))
      case 'session': {
        const session: SessionProcess = await api.session(call.name, unpack(call.spec) as SessionSpec)
        return { ...this.#started(session), id: session.id, isFresh: session.isFresh }
      }
      case 'send': {
        const known = this.#known(call.process)
        await known.process.send(unpack(call.value) as string) // JSON, as it was packed.
        return this.#isOver ? 0 : this.#mark(known)
      }
      case 'stop':
        return await this.#known(call.process).process.stop()
    }
  }

  #known(number: number): KnownProcess {
    const known = this.#processes.get(number)
    if (known === undefined) throw new InvalidInput('process', '', 'is not known')
    return known
  }

  #started(process: SpawnedProcess): StartedProcess {
    const known: KnownProcess = { process, bookmark: undefined }
    const number = this.#nextNumber()
    // Started too late: nobody will follow it, and its owner ends it.
    if (this.#isOver) return { process: number, pid: process.pid, bookmark: 0 }
    this.#processes.set(number, known)
    return { process: number, pid: process.pid, bookmark: this.#mark(known) }
  }

  #announceExit({ process: number }: StartedProcess): void {
    void this.#processes.get(number)?.process.exited.then((result) => this.#send({ tag: 'exited', process: number, result }))
  }

  /**
   * Begins to follow both streams where the far end will be when it gets the answer: what is printed while that is on its
   * way would be lost to a turn that then calls `lines`, and is not lost to one that runs in the shard's thread.
   */
  #mark(known: KnownProcess): number {
    for (const lines of known.bookmark?.lines.values() ?? []) leave(lines)
    const { process } = known
    const lines = new Map<StreamName, AsyncIterableIterator<string>>([
      ['stdout', process.lines('stdout')],
      ['stderr', process.lines('stderr')],
    ])
    const number = this.#nextNumber()
    known.bookmark = { number, lines }
    return number
  }

  #forget(process: number, bookmark: number): void {
    const known = this.#processes.get(process)
    if (known?.bookmark?.number !== bookmark) return
    for (const lines of known.bookmark.lines.values()) leave(lines)
    known.bookmark = undefined
  }

  #linesFor(process: number, stream: StreamName, bookmark: number | undefined): AsyncIterableIterator<string> | undefined {
    const known = this.#processes.get(process)
    if (known === undefined) return undefined
    const marked = known.bookmark?.number === bookmark ? known.bookmark?.lines.get(stream) : undefined
    if (marked === undefined) return known.process.lines(stream)
    known.bookmark?.lines.delete(stream)
    return marked
  }

  #follow(number: number, follower: Follower): void {
    this.#followers.set(number, follower)
    void this.#pump(number, follower)
  }

  /** Sends lines as long as the far end has room for them. */
  async #pump(number: number, follower: Follower): Promise<void> {
    if (follower.isPumping) return
    follower.isPumping = true
    try {
      while (follower.credit > 0) {
        const next = await follower.lines.next()
        if (this.#followers.get(number) !== follower) return
        if (next.done === true) {
          this.#end(number)
          return
        }
        follower.credit -= 1
        this.#send({ tag: 'line', follower: number, line: next.value })
      }
    } catch {
      this.#end(number)
    } finally {
      follower.isPumping = false
    }
  }

  #end(follower: number): void {
    this.#followers.delete(follower)
    this.#send({ tag: 'line-end', follower })
  }

  #nextNumber(): number {
    this.#numbersGiven += 1
    return this.#numbersGiven
  }
}

/** Tells an iterator that nobody will ask it again. */
function leave(lines: AsyncIterableIterator<string> | undefined): void {
  void lines?.return?.().catch(() => undefined)
}
