/**
 * The callers' side of one shard: collects calls, sends them as one text per turn of the event loop, and settles them
 * as answers come back. It outlives the shard's thread: while there is none, calls wait for the next.
 */
import { AskAborted, AskTimeout, CommandInProgress, decodeError, MailboxFull, ShardCrashed, SystemClosed } from '../errors.ts'
import type { EncodedError } from '../errors.ts'
import type { SnapshotView } from '../hosting/host.ts'
import { decodeFromShard, FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage, ShardState } from '../protocol/from-shard.ts'
import { expandTapEvents } from '../protocol/tap.ts'
import type { ShardTapEvent } from '../protocol/tap.ts'
import { encodeToShard, ToShard } from '../protocol/to-shard.ts'
import type { ToShardMessage } from '../protocol/to-shard.ts'
import type { Clock, Scheduler, Transport } from '../seams/seams.ts'
import { Deadlines } from '../deadlines.ts'
import type { Deadline } from '../deadlines.ts'

/** How many messages one text holds. */
const TEXT_MESSAGES_MAX = 1_024

/** What a call is about, for its errors and its bounds. */
export interface CallSubject {
  readonly address: string
  readonly command: string
}

/** How long a call may take, and who may end it sooner. */
export interface CallLimits {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly onProgress?: ((value: unknown) => void) | undefined
  /** It may wait on the shard in a place that is given up when the caller leaves. */
  readonly isWithdrawn?: boolean
}

/** Hears of a followed actor. */
export interface Follower {
  onChange(view: SnapshotView): void
  onEnd(error: Error): void
}

/** How many calls may wait for an answer in the whole system, and how many do. */
export interface CallBudget {
  readonly max: number
  used: number
}

/** Hears what a shard says of itself, which belongs to no call. */
export interface ShardObserver {
  /** A thread serves the shard from now on, or the shard has begun anew inside of its thread. */
  started(): void
  /** What has happened, at a wall time; told only while the tap is on. */
  happened(at: number, events: readonly ShardTapEvent[]): void
  /** How the shard is now. */
  stateChanged(state: ShardState): void
  /** An error that belongs to no caller. */
  reported(error: Error): void
}

/** What a client needs of the system. */
export interface ClientParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly budget: CallBudget
  /** Passes a text of this shard on to another. */
  readonly relay: (to: number, text: string) => void
  /** Says that a thread serves the shard from now on, or that the shard has begun anew inside of its thread. */
  readonly attached: () => void
  readonly observer: ShardObserver
}

/** A call that waits for its answer. */
interface PendingCall extends Deadline {
  readonly call: number
  readonly subject: CallSubject
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  signal: AbortSignal | undefined
  onAbort: (() => void) | undefined
  /** Its idempotency key, once it has joined another call with the same. */
  joinedKey: string | undefined
  readonly onProgress: ((value: unknown) => void) | undefined
  readonly isWithdrawn: boolean
  readonly isTell: boolean
}

/** One shard, as callers reach it. */
export class ShardClient {
  readonly #parts: ClientParts
  readonly #pending = new Map<number, PendingCall>()
  readonly #followers = new Map<number, Follower>()
  readonly #deadlines: Deadlines<PendingCall>
  #outgoing: ToShardMessage[] = []
  #urgent: ToShardMessage[] = []
  #isScheduled = false
  #transport: Transport | undefined
  #lastCall = 0
  #pendingTells = 0
  #onIdle: (() => void) | undefined
  /** Calls that got `SystemClosed` instead of an answer. */
  #abandoned = 0
  #fault: Error | undefined
  /** Whether anybody reads the tap. A thread is told only if somebody does. */
  #isTapped = false

  constructor(parts: ClientParts) {
    this.#parts = parts
    this.#deadlines = new Deadlines(parts.clock, (pending) => this.#expire(pending))
  }

  get clock(): Clock {
    return this.#parts.clock
  }

  /** Whether a thread serves the shard now. */
  get isAttached(): boolean {
    return this.#transport !== undefined
  }

  /** How many calls wait for an answer. */
  get pendingCalls(): number {
    return this.#pending.size
  }

  /** Whether a tell waits to be accepted. */
  get hasPendingTells(): boolean {
    return this.#pendingTells > 0
  }

  /** Uses a thread's transport from now on, beginning with what waits. */
  attach(transport: Transport): void {
    this.#transport = transport
    transport.onText((text) => {
      for (const message of decodeFromShard(text)) this.#settle(message)
    })
    // What was wished of the thread before is out of date, and what is wished now comes first: nothing is missed.
    this.#urgent = this.#urgent.filter(([tag]) => tag !== ToShard.tap)
    if (this.#isTapped) this.#urgent.unshift([ToShard.tap, true])
    this.#flush()
    this.#begun()
  }

  /** Says whether anybody reads the tap; a thread that comes later is told too. */
  setTapped(isTapped: boolean): void {
    if (this.#isTapped === isTapped) return
    this.#isTapped = isTapped
    if (this.#transport !== undefined) this.#send([ToShard.tap, isTapped])
  }

  /** Whether no thread will come any more, because too many have died. */
  get isAbandoned(): boolean {
    return this.#fault instanceof ShardCrashed && this.#fault.isFinal
  }

  /** What a pending call is about. */
  subjectOf(call: number): CallSubject | undefined {
    return this.#pending.get(call)?.subject
  }

  /** What a call is about, as `<address> <command>`, for whoever has to say what a thread was doing; `undefined` for one that is over. */
  describe(call: number): string | undefined {
    const subject = this.#pending.get(call)?.subject
    return subject === undefined ? undefined : `${subject.address} ${subject.command}`
  }

  /** Brings what another shard has for this one. Lost if no thread will come any more; the other one keeps it. */
  forward(from: number, text: string): void {
    if (this.#fault === undefined) this.#send([ToShard.post, from, text])
  }

  /** Says that another shard has been started. */
  peerStarted(peer: number): void {
    if (this.#fault === undefined) this.#send([ToShard.peerStarted, peer])
  }

  /** The thread is gone: calls that it had get the error, calls that had not left wait for the next thread. */
  detach(error: Error): void {
    this.#transport = undefined
    const unsent = new Set([...this.#urgent, ...this.#outgoing].map(callOf))
    this.#rejectAll(error, (call) => !unsent.has(call))
  }

  /** No thread will come any more: every call, now and later, gets the error. */
  fail(error: Error): void {
    this.#fault = error
    this.#transport = undefined
    this.#outgoing = []
    this.#urgent = []
    this.#rejectAll(error, () => true)
  }

  /** Makes a call; `message` gets its number. The promise settles with the answer, a timeout, an abort or a crash. */
  call(subject: CallSubject, options: CallLimits, message: (call: number) => ToShardMessage): Promise<unknown> {
    if (options.signal?.aborted === true) {
      return Promise.reject(new AskAborted(subject.address, subject.command, false, { cause: options.signal.reason }))
    }
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    const { budget } = this.#parts
    if (budget.used >= budget.max) return Promise.reject(new MailboxFull(subject.address, 'system', budget.max))
    return new Promise((resolve, reject) => {
      this.#lastCall += 1
      const sent = message(this.#lastCall)
      const pending: PendingCall = {
        call: this.#lastCall,
        subject,
        resolve,
        reject,
        signal: undefined,
        onAbort: undefined,
        joinedKey: undefined,
        onProgress: options.onProgress,
        isWithdrawn: options.isWithdrawn ?? false,
        isTell: sent[0] === ToShard.tell,
        dueAt: 0,
        durationMs: 0,
        earlier: undefined,
        later: undefined,
      }
      if (options.signal !== undefined) this.#watch(pending, options.signal)
      this.#pending.set(pending.call, pending)
      if (pending.isTell) this.#pendingTells += 1
      budget.used += 1
      this.#deadlines.add(pending, options.timeoutMs)
      this.#send(sent)
    })
  }

  /** Follows an actor; answers the number to unfollow with. */
  follow(follower: Follower, type: number, key: string): number {
    this.#lastCall += 1
    this.#followers.set(this.#lastCall, follower)
    this.#send([ToShard.follow, this.#lastCall, type, key])
    return this.#lastCall
  }

  /** Ends a follow. */
  unfollow(call: number): void {
    if (this.#followers.delete(call) && this.#fault === undefined) this.#send([ToShard.unfollow, call])
  }

  /** Lets the shard's turns come to a boundary: the system is about to be closed. */
  park(): void {
    if (this.#fault === undefined) this.#send([ToShard.park])
  }

  /** Resolves when no call is pending. */
  async idle(): Promise<void> {
    if (this.#pending.size === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** Ends all follows and forgets the transport; calls still pending get `SystemClosed`. Answers how many got it in all. */
  close(): number {
    const abandoned = this.#abandoned + this.#pending.size
    this.#transport?.close()
    this.fail(new SystemClosed(true))
    this.#fault = new SystemClosed(false)
    this.#deadlines.close()
    return abandoned
  }

  /** Ends all follows; pending calls go on. */
  endFollows(error: Error): void {
    for (const follower of this.#followers.values()) follower.onEnd(error)
    this.#followers.clear()
  }

  #send(message: ToShardMessage): void {
    if (isUrgent(message)) this.#urgent.push(message)
    else this.#outgoing.push(message)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#parts.scheduler.afterTurn(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#transport === undefined) return
    // One text for all, unless there are so many that reading them would hold up what is urgent.
    for (; this.#urgent.length > 0;) this.#transport.send(encodeToShard(this.#urgent.splice(0, TEXT_MESSAGES_MAX)), true)
    if (this.#outgoing.length === 0) return
    const outgoing = this.#outgoing
    this.#outgoing = []
    for (let from = 0; from < outgoing.length; from += TEXT_MESSAGES_MAX) {
      this.#transport.send(
        encodeToShard(from === 0 && outgoing.length <= TEXT_MESSAGES_MAX ? outgoing : outgoing.slice(from, from + TEXT_MESSAGES_MAX)),
      )
    }
  }

  #settle(message: FromShardMessage): void {
    const { observer, relay } = this.#parts
    switch (message[0]) {
      case FromShard.value:
        this.#answer(message[1], message[2])
        return
      case FromShard.error:
        this.#refuse(message[1], message[2])
        return
      case FromShard.post:
        relay(message[1], message[2])
        return
      case FromShard.change:
        this.#followers.get(message[1])?.onChange(message[2])
        return
      case FromShard.progress: {
        const onProgress = this.#pending.get(message[1])?.onProgress
        if (onProgress !== undefined) hear(onProgress, message[2])
        return
      }
      case FromShard.joined: {
        const pending = this.#pending.get(message[1])
        if (pending !== undefined) pending.joinedKey = message[2]
        return
      }
      case FromShard.tap:
        observer.happened(message[1], expandTapEvents(message[3], message[2]))
        return
      case FromShard.state:
        observer.stateChanged(message[2])
        if (message[2].kind === 'reopened') this.#beginAnew()
        return
      case FromShard.report:
        observer.reported(decodeError(message[2]))
    }
  }

  // A late answer to a call that has timed out or was aborted leaves nothing behind.

  #answer(call: number, value: unknown): void {
    const pending = this.#pending.get(call)
    if (pending === undefined) return
    this.#forget(pending)
    pending.resolve(value)
  }

  #refuse(call: number, error: EncodedError): void {
    const pending = this.#pending.get(call)
    if (pending === undefined) {
      this.#endFollow(call, decodeError(error))
      return
    }
    this.#forget(pending)
    if (error.code === 'SYSTEM_CLOSED') this.#abandoned += 1
    pending.reject(decodeError(error))
  }

  /** The shard has begun anew inside of its thread: it knows of no tap, and the others have to send again what it has not confirmed. */
  #beginAnew(): void {
    if (this.#isTapped) this.#send([ToShard.tap, true])
    this.#begun()
  }

  #begun(): void {
    this.#parts.observer.started()
    this.#parts.attached()
  }

  #endFollow(call: number, error: Error): void {
    const follower = this.#followers.get(call)
    this.#followers.delete(call)
    follower?.onEnd(error)
  }

  #expire(pending: PendingCall): void {
    const { subject, durationMs, joinedKey } = pending
    this.#leave(pending)
    pending.reject(
      joinedKey === undefined
        ? new AskTimeout(subject.address, subject.command, durationMs)
        : new CommandInProgress(subject.address, subject.command, joinedKey),
    )
  }

  #watch(pending: PendingCall, signal: AbortSignal): void {
    pending.signal = signal
    pending.onAbort = () => {
      this.#leave(pending)
      pending.reject(new AskAborted(pending.subject.address, pending.subject.command, true, { cause: signal.reason }))
    }
    signal.addEventListener('abort', pending.onAbort, { once: true })
  }

  /** Forgets a call whose caller waits no more. One that has joined another would be tried anew if that one fails. */
  #leave(pending: PendingCall): void {
    this.#forget(pending)
    if (pending.joinedKey !== undefined || pending.isWithdrawn) this.#send([ToShard.withdraw, pending.call])
  }

  #forget(pending: PendingCall): void {
    if (!this.#pending.delete(pending.call)) return
    if (pending.isTell) this.#pendingTells -= 1
    this.#parts.budget.used -= 1
    this.#deadlines.delete(pending)
    if (pending.signal !== undefined && pending.onAbort !== undefined) pending.signal.removeEventListener('abort', pending.onAbort)
    if (this.#pending.size === 0) this.#onIdle?.()
  }

  #rejectAll(error: Error, isConcerned: (call: number) => boolean): void {
    for (const pending of this.#pending.values()) {
      if (!isConcerned(pending.call)) continue
      this.#forget(pending)
      pending.reject(error)
    }
    for (const [call, follower] of this.#followers) {
      if (!isConcerned(call)) continue
      this.#followers.delete(call)
      follower.onEnd(error)
    }
  }
}

/** The number of the call that a message belongs to; 0 for none. */
function callOf(message: ToShardMessage): number {
  switch (message[0]) {
    case ToShard.post:
    case ToShard.peerStarted:
    case ToShard.park:
    case ToShard.tap:
      return 0
    default:
      return message[1]
  }
}

/** What goes before everything else: urgent commands, all of them so that they keep their order; and control. */
function isUrgent(message: ToShardMessage): boolean {
  switch (message[0]) {
    case ToShard.ask:
    case ToShard.tell:
      return message[5] === 0
    case ToShard.control:
    case ToShard.park:
    case ToShard.withdraw:
    case ToShard.tap:
      return true
    case ToShard.snapshot:
    case ToShard.follow:
    case ToShard.unfollow:
    case ToShard.close:
    case ToShard.timers:
    case ToShard.turns:
    case ToShard.lateResults:
    case ToShard.post:
    case ToShard.peerStarted:
    case ToShard.listLetters:
    case ToShard.replayLetters:
    case ToShard.discardLetters:
    case ToShard.holds:
    case ToShard.compact:
      return false
  }
}

/** A listener that throws is its owner's business, and nobody else's. */
function hear(listener: (value: unknown) => void, value: unknown): void {
  try {
    listener(value)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
