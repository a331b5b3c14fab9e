/** The far end of a turn's link: it calls `run`, with a context whose calls cross the link. */
import type { ProcessApi, ProcessResult } from '../definition/process.ts'
import type { AnyTurnContext } from '../definition/turn-context.ts'
import { decodeError, encodeError, StaleEpoch } from '../errors.ts'
import { FarProcess, FarSession } from './turn-far-process.ts'
import type { FarLink } from './turn-far-process.ts'
import { nameOfActor, pack, PROGRESS_MAX, unpack } from './turn-messages.ts'
import type { FarCall, FromTurn, Packed, StartedProcess, ToTurn, TurnControl, TurnEnd, TurnStart } from './turn-messages.ts'

/** Something that was asked for and is not answered. */
interface Pending {
  readonly operation: string
  readonly answer: (value: unknown) => void
  readonly refuse: (error: unknown) => void
}

/** The far end. Give it every message that arrives, then let it `perform`. */
export class TurnFarEnd implements FarLink {
  readonly #start: TurnStart
  readonly #control: TurnControl
  readonly #post: (message: FromTurn) => void
  readonly #aborter = new AbortController()
  readonly #pending = new Map<number, Pending>()
  readonly #processes = new Map<number, FarProcess>()
  /** Progress that waits, because the shard is behind. */
  readonly #held: Packed[] = []
  #progressSent = 0
  #numbersGiven = 0
  #isOver = false

  constructor(start: TurnStart, control: TurnControl, post: (message: FromTurn) => void) {
    this.#start = start
    this.#control = control
    this.#post = post
  }

  /** Finds the turn's `run`, calls it, and reports how it ended. Never rejects. */
  async perform(find: (start: TurnStart) => Promise<(context: AnyTurnContext) => unknown>): Promise<void> {
    try {
      const run = await find(this.#start)
      if (!this.#control.begin()) this.#finish({ tag: 'dropped' })
      else this.#finish({ tag: 'returned', value: pack(await run(this.#context()), 'the result', this.#start) })
    } catch (error) {
      const { signal } = this.#aborter
      if (signal.aborted && error === signal.reason) this.#finish({ tag: 'threw-reason' })
      else this.#finish({ tag: 'threw', error: encodeError(error), isRetryable: isRetryable(error) })
    }
  }

  /** Takes a message of the shard. */
  take(message: ToTurn): void {
    switch (message.tag) {
      case 'interrupt':
        this.#aborter.abort(unpack(message.reason))
        break
      case 'answer':
        this.#settled(message.id)?.answer(unpack(message.value))
        break
      case 'refused':
        this.#settled(message.id)?.refuse(decodeError(message.error))
        break
      case 'taken':
        this.#sendHeld(this.#room())
        break
      case 'line':
      case 'line-end':
        for (const process of this.#processes.values()) process.takeLine(message)
        break
      case 'exited':
        this.#processes.get(message.process)?.takeExit(message.result)
        break
    }
  }

  async ask<T>(operation: string, call: () => FarCall, answered: (value: unknown) => T): Promise<T> {
    if (this.#isOver) throw this.#stale(operation)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const id = this.nextNumber()
    // The answer is looked at as soon as it is there, before the next message is taken.
    this.#pending.set(id, { operation, answer: (value) => resolve(answered(value)), refuse: reject })
    try {
      this.#post({ tag: 'ask', id, call: call() })
    } catch (error) {
      this.#pending.delete(id)
      throw error
    }
    return await promise
  }

  tell(message: FromTurn): void {
    if (!this.#isOver) this.#post(message)
  }

  nextNumber(): number {
    this.#numbersGiven += 1
    return this.#numbersGiven
  }

  pack(value: unknown, what: string): Packed {
    return pack(value, what, this.#start)
  }

  #context(): AnyTurnContext {
    const { turn, attempt, epoch, key, input, frame } = this.#start
    return Object.freeze<AnyTurnContext>({
      input: unpack(input),
      frame: unpack(frame),
      turn,
      attempt,
      epoch,
      key,
      signal: this.#aborter.signal,
      interrupted: () => this.#control.isInterrupted,
      checkpoint: async (value) =>
        await this.ask(
          'checkpoint',
          () => ({ tag: 'checkpoint', frame: this.pack(value, 'frame') }),
          () => undefined,
        ),
      progress: (value) => this.#progress(this.pack(value, 'progress')),
      process: this.#api(),
    })
  }

  #api(): ProcessApi {
    return {
      run: async (spec) =>
        await this.ask(
          'process.run',
          () => ({ tag: 'run', spec: this.pack(spec, 'process.run') }),
          (value) => value as ProcessResult, // Given by the shard's end of the same version, as below.
        ),
      spawn: async (spec) =>
        await this.ask(
          'process.spawn',
          () => ({ tag: 'spawn', spec: this.pack(spec, 'process.spawn') }),
          (value) => this.#keep(new FarProcess(this, value as StartedProcess)),
        ),
      session: async (name, spec) =>
        await this.ask(
          'process.session',
          () => ({ tag: 'session', name, spec: this.pack(spec, 'process.session') }),
          (value) => this.#keep(new FarSession(this, value as StartedProcess)),
        ),
    }
  }

  #keep<T extends FarProcess>(process: T): T {
    this.#processes.set(process.number, process)
    return process
  }

  #settled(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  #progress(value: Packed): void {
    if (this.#isOver) return
    this.#held.push(value)
    this.#sendHeld(this.#room())
    if (this.#held.length > PROGRESS_MAX) this.#held.shift()
  }

  /** How many messages of progress may leave. */
  #room(): number {
    return PROGRESS_MAX - (this.#progressSent - this.#control.taken)
  }

  #sendHeld(count: number): void {
    for (const value of this.#held.splice(0, Math.max(0, count))) {
      this.#progressSent += 1
      this.tell({ tag: 'progress', value })
    }
  }

  #finish(outcome: TurnEnd): void {
    this.#sendHeld(this.#held.length)
    this.tell(outcome)
    this.#isOver = true
    for (const { operation, refuse } of this.#pending.values()) refuse(this.#stale(operation))
    this.#pending.clear()
    for (const process of this.#processes.values()) process.leave()
    this.#processes.clear()
  }

  /** Who acts by now is not known here: epoch 0 is nobody's. */
  #stale(operation: string): StaleEpoch {
    return new StaleEpoch(`${operation} of ${nameOfActor(this.#start.type, this.#start.key)}`, this.#start.epoch, 0)
  }
}

function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true
}
