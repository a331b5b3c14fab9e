/** What a turn's `run` is given. Types only. */
import type { ActorKey } from './key.ts'
import type { ProcessApi } from './process.ts'

/** What preemption does to the turn that it interrupts. */
export type PreemptMode =
  /** It is parked, and resumes from its frame. */
  | 'steal'
  /** It starts again from its beginning, later. */
  | 'abort-keep'
  /** It is over for good. */
  | 'abort-drop'

/** What a command does to a running turn of lower rank. */
export type Preempt = PreemptMode | 'none'

/** Who or what has interrupted a turn. */
export interface TurnCause {
  /** The command that has preempted it. */
  readonly command?: string
  /** The turn that this command is. */
  readonly turn?: number
  /** Any other reason, in words. */
  readonly reason?: string
}

/** Why a turn is interrupted: the `reason` of its `signal`. */
export interface Interruption {
  readonly mode: PreemptMode | 'timed-out'
  readonly by: TurnCause
}

/** What a turn's `run` is given. */
export interface TurnContext<Input, Frame> {
  readonly input: Input
  /** The last checkpoint: after the turn was parked, after a crash, and after an attempt that failed and is tried again. `undefined` if there is none, and after `abort-keep`. */
  readonly frame: Frame | undefined
  /** Number of the turn, unique on its shard for ever. */
  readonly turn: number
  /** How many times it has started, from 1. Resuming a parked turn is no new attempt. */
  readonly attempt: number
  /** Fencing token of this stretch of running: larger than that of every stretch of the actor before it. */
  readonly epoch: number
  /** Key of the actor. */
  readonly key: ActorKey
  /** Fires when the turn is to stop: save what you have with `checkpoint`, then return or throw. Its reason is an `Interruption`. */
  readonly signal: AbortSignal
  /** Whether the signal has fired, read at once: also in a loop that never yields. */
  readonly interrupted: () => boolean
  /**
   * Makes the state from which the turn would resume durable; resolves after the commit. Also allowed after the signal.
   * Rejects with `StaleEpoch` once the turn is over or handed over, with `InvalidInput` if the frame's schema refuses it.
   */
  readonly checkpoint: (frame: Frame) => Promise<void>
  /** Tells callers that asked with `onProgress` how far it has come. Nothing is stored; at most 1,000 wait to be sent, then the oldest go. */
  readonly progress: (value: unknown) => void
  /** Child processes owned by the runtime. */
  readonly process: ProcessApi
}

/** A context whose types have been forgotten: what the kernel works with. */
export type AnyTurnContext = TurnContext<unknown, unknown>
