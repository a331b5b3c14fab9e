/** Processes that stay from one turn of an actor to the next, by address and name. */
import type { Clock, Timer } from '../seams/seams.ts'
import type { OwnedProcess } from './owned-process.ts'
import type { CheckedSpec } from './spec.ts'

/** What a session is started with: hooks of its watchdog included. */
export type StartSession = (spec: CheckedSpec, onOutput: () => void) => OwnedProcess

/** A session that is there. */
export class Session {
  readonly process: OwnedProcess
  readonly address: string
  readonly likeness: string
  readonly #clock: Clock
  #noReplyMs: number
  #idleMs: number
  #noReply: Timer | undefined
  #idle: Timer | undefined

  constructor(clock: Clock, address: string, spec: CheckedSpec, start: StartSession) {
    this.#clock = clock
    this.address = address
    this.likeness = likenessOf(spec)
    this.#noReplyMs = spec.noReplyMs
    this.#idleMs = spec.idleMs
    this.process = start(spec, () => this.#answered())
  }

  /** Uses the times of the newest description. */
  use(spec: CheckedSpec): void {
    this.#noReplyMs = spec.noReplyMs
    this.#idleMs = spec.idleMs
  }

  /** Sends a line. From now on an answer is waited for; whatever the process prints is one. */
  async send(line: string): Promise<void> {
    if (this.process.isUsable) {
      this.#noReply?.cancel()
      this.#noReply = this.#clock.setTimer(() => void this.process.stop('timed-out'), this.#noReplyMs)
    }
    await this.process.write(line)
  }

  /** A turn of its actor is running, or none is. */
  setIdle(isIdle: boolean): void {
    this.#idle?.cancel()
    this.#idle = isIdle ? this.#clock.setTimer(() => void this.process.stop('stopped'), this.#idleMs) : undefined
  }

  /** Waits for nothing any more. */
  cancelTimers(): void {
    this.#noReply?.cancel()
    this.#idle?.cancel()
  }

  #answered(): void {
    this.#noReply?.cancel()
  }
}

/** Every session of a shard. */
export class Sessions {
  readonly #clock: Clock
  readonly #sessions = new Map<string, Session>()
  /** Calls for the same name come one after the other. */
  readonly #calls = new Map<string, Promise<unknown>>()
  readonly #scopes = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A stretch of running of an actor begins. */
  enter(address: string): void {
    this.#scopes.set(address, (this.#scopes.get(address) ?? 0) + 1)
    this.#setIdle(address, false)
  }

  /** It is over. */
  leave(address: string): void {
    const count = (this.#scopes.get(address) ?? 0) - 1
    if (count > 0) {
      this.#scopes.set(address, count)
    } else {
      this.#scopes.delete(address)
      this.#setIdle(address, true)
    }
  }

  /** The session of this name: the one that is there, if it was started alike, or a new one. `check` throws if nobody wants it any more. */
  async open(
    address: string,
    name: string,
    spec: CheckedSpec,
    start: StartSession,
    check: () => void,
  ): Promise<{ session: Session; isFresh: boolean }> {
    const key = JSON.stringify([address, name])
    const call = (this.#calls.get(key) ?? Promise.resolve()).then(() => this.#open(key, address, spec, start, check))
    const settled = call.then(
      () => undefined,
      () => undefined,
    )
    this.#calls.set(key, settled)
    try {
      return await call
    } finally {
      if (this.#calls.get(key) === settled) this.#calls.delete(key)
    }
  }

  /** Ends the sessions of an actor at once. */
  end(address: string): void {
    for (const session of this.#sessions.values()) if (session.address === address) void session.process.kill('cancelled')
  }

  /** Has nothing to do with any of them any more. */
  forget(): void {
    for (const session of this.#sessions.values()) session.cancelTimers()
    this.#sessions.clear()
  }

  async #open(
    key: string,
    address: string,
    spec: CheckedSpec,
    start: StartSession,
    check: () => void,
  ): Promise<{ session: Session; isFresh: boolean }> {
    check()
    const old = this.#sessions.get(key)
    if (old !== undefined) {
      if (old.process.isUsable && old.likeness === likenessOf(spec)) {
        old.use(spec)
        return { session: old, isFresh: false }
      }
      await old.process.stop('stopped')
      check()
    }
    const session = new Session(this.#clock, address, spec, start)
    this.#sessions.set(key, session)
    void session.process.exited.then(() => {
      session.cancelTimers()
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    })
    await session.process.start()
    if (!this.#scopes.has(address)) session.setIdle(true)
    return { session, isFresh: true }
  }

  #setIdle(address: string, isIdle: boolean): void {
    for (const session of this.#sessions.values()) if (session.address === address) session.setIdle(isIdle)
  }
}

/** Two descriptions with the same likeness stand for the same program. */
function likenessOf({ command, args, cwd, env }: CheckedSpec): string {
  return JSON.stringify([command, args, cwd ?? null, Object.entries(env).sort(([left], [right]) => (left < right ? -1 : 1))])
}
