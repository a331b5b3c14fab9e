/**
 * What the two ends of a turn's link say to each other, and the few numbers that they share.
 *
 * One end is in the shard's thread and has the real context (`turn-shard-end.ts`); the other is where `run` is called
 * (`turn-far-end.ts`). Between them is a message port, or a port and the messages of a forked process: whatever carries
 * plain data in order. Values of the program cross as JSON text, so that they mean the same everywhere.
 */
import { findJsonFault } from '../definition/json.ts'
import type { ActorKey } from '../definition/key.ts'
import { encodeKey } from '../definition/key.ts'
import type { ProcessResult } from '../definition/process.ts'
import { NotSerializable } from '../errors.ts'
import type { EncodedError } from '../errors.ts'

/** A value of the program as JSON text; `undefined` stands for itself. */
export type Packed = string | undefined

/** Which turn the far end runs, and what of its context can be told at once. */
export interface TurnStart {
  readonly module: string
  readonly type: string
  readonly command: string
  readonly input: Packed
  readonly frame: Packed
  readonly turn: number
  readonly attempt: number
  readonly epoch: number
  readonly key: ActorKey
}

/** One of the two streams of a process. */
export type StreamName = 'stdout' | 'stderr'

/** What the far end asks for; each is answered or refused. */
export type FarCall =
  | { readonly tag: 'checkpoint'; readonly frame: Packed }
  | { readonly tag: 'run' | 'spawn'; readonly spec: Packed }
  | { readonly tag: 'session'; readonly name: string; readonly spec: Packed }
  | { readonly tag: 'send'; readonly process: number; readonly value: Packed }
  | { readonly tag: 'stop'; readonly process: number }

/** The last word of the far end. Whatever comes after it is dropped. */
export type TurnEnd =
  | { readonly tag: 'returned'; readonly value: Packed }
  /** Any error may say that it is worth another attempt, which only those of our own keep as they cross. */
  | { readonly tag: 'threw'; readonly error: EncodedError; readonly isRetryable: boolean }
  /** It threw the reason of its signal, which this end still has. */
  | { readonly tag: 'threw-reason' }
  /** It was interrupted before it began, and has not begun. */
  | { readonly tag: 'dropped' }
  /** The thread in the forked process is gone. */
  | { readonly tag: 'lost'; readonly reason: string }

/** From the far end to the shard. */
export type FromTurn =
  | TurnEnd
  | { readonly tag: 'ask'; readonly id: number; readonly call: FarCall }
  | { readonly tag: 'progress'; readonly value: Packed }
  | { readonly tag: 'end-input'; readonly process: number }
  /** Follow the lines of a stream: from a bookmark, if that still stands, or from now. */
  | {
      readonly tag: 'follow'
      readonly process: number
      readonly stream: StreamName
      readonly follower: number
      readonly bookmark: number | undefined
      readonly credit: number
    }
  /** So many more lines may be sent to the follower. */
  | { readonly tag: 'grant'; readonly follower: number; readonly credit: number }
  | { readonly tag: 'unfollow'; readonly follower: number }
  | { readonly tag: 'forget'; readonly process: number; readonly bookmark: number }

/** From the shard to the far end. */
export type ToTurn =
  | { readonly tag: 'interrupt'; readonly reason: Packed }
  | { readonly tag: 'answer'; readonly id: number; readonly value: Packed }
  | { readonly tag: 'refused'; readonly id: number; readonly error: EncodedError }
  /** So many messages of progress have been taken, in all. */
  | { readonly tag: 'taken'; readonly count: number }
  | { readonly tag: 'line'; readonly follower: number; readonly line: string }
  | { readonly tag: 'line-end'; readonly follower: number }
  | { readonly tag: 'exited'; readonly process: number; readonly result: ProcessResult }

/** From the shard to the first thread of a forked process: what to start, what to pass on, and that it may leave. */
export type ToTurnProcess = ToTurn | { readonly tag: 'start'; readonly start: TurnStart } | { readonly tag: 'over' }

/** How the shard's end describes a process that it has started, or the one that was there. */
export interface StartedProcess {
  readonly process: number
  readonly pid: number
  readonly bookmark: number
  /** Only of a session. */
  readonly id?: string
  readonly isFresh?: boolean
}

/** Whether a message is the last word of the far end. */
export function isTurnEnd(message: FromTurn): message is TurnEnd {
  const { tag } = message
  return tag === 'returned' || tag === 'threw' || tag === 'threw-reason' || tag === 'dropped' || tag === 'lost'
}

/** How many messages of progress may be on their way, and how many more wait to be sent. */
export const PROGRESS_MAX = 1_000

/** Writes a value as JSON text. Throws `NotSerializable`, naming the actor, what the value was for, and the path in it. */
export function pack(value: unknown, what: string, { type, key }: Pick<TurnStart, 'type' | 'key'>): Packed {
  if (value === undefined) return undefined
  const fault = findJsonFault(value)
  if (fault === undefined) return JSON.stringify(value)
  throw new NotSerializable(nameOfActor(type, key), fault.path === '' ? what : `${what}.${fault.path}`, fault.detail)
}

/** The value that was packed. */
export function unpack(packed: Packed): unknown {
  return packed === undefined ? undefined : (JSON.parse(packed) as unknown)
}

/** An actor for people, for instance `repository/17`. */
export function nameOfActor(type: string, key: ActorKey): string {
  return `${type}/${encodeKey(type, key)}`
}

// The numbers that both threads see, also while one of them never yields.
const INTERRUPTED = 0
const PHASE = 1
const TAKEN = 2

const WAITING = 0
const BEGUN = 1
const DROPPED = 2

/** The numbers that the thread of a turn shares with the thread on the other side of its port. */
export class TurnControl {
  readonly buffer: SharedArrayBuffer
  readonly #numbers: Int32Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer
    this.#numbers = new Int32Array(buffer)
  }

  get isInterrupted(): boolean {
    return Atomics.load(this.#numbers, INTERRUPTED) === 1
  }

  /** How many messages of progress have been taken so far. */
  get taken(): number {
    return Atomics.load(this.#numbers, TAKEN)
  }

  /** Whether the turn may begin: false if it was interrupted before. */
  begin(): boolean {
    return Atomics.compareExchange(this.#numbers, PHASE, WAITING, BEGUN) === WAITING
  }

  /** Whether the turn has neither begun nor been dropped. */
  get isWaiting(): boolean {
    return Atomics.load(this.#numbers, PHASE) === WAITING
  }

  /** Notes what a message says in the numbers. True if it is an interruption, and the turn had not begun: then it never will. */
  note(message: ToTurn): boolean {
    if (message.tag === 'taken') Atomics.store(this.#numbers, TAKEN, message.count)
    if (message.tag !== 'interrupt') return false
    Atomics.store(this.#numbers, INTERRUPTED, 1)
    return Atomics.compareExchange(this.#numbers, PHASE, WAITING, DROPPED) === WAITING
  }
}
