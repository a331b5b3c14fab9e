/** What is asked of an admission, and what it answers. */
import type { QueueFigures } from './figures.ts'
import type { Violation } from './policies.ts'

/** Which queue is meant. */
export interface Place {
  readonly action: string
  /** The pack that the action belongs to, for policies of packs. */
  readonly pack?: string | undefined
  /** Parameters of the execution: what `groupBy` and policies look at. Default: none. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
}

/** One execution. */
export interface Execution extends Place {
  /** Its identity, at most 200 characters: asking for it again leads to the same place, slot or end. Every execution has its own. */
  readonly executionId: string
}

/** A request for a slot. */
export interface AcquireRequest extends Execution {
  /** Waits no longer than this, in milliseconds. Default, and at most, `waitMs` of the definition. */
  readonly waitMs?: number | undefined
}

/** A slot that is held. */
export interface Slot {
  readonly executionId: string
  /** Key of its queue. */
  readonly key: readonly string[]
  /** Fencing token: larger than that of every slot of its queue before it. */
  readonly epoch: number
}

/** The execution may work. */
export interface Granted {
  readonly outcome: 'granted'
  readonly slot: Slot
}

/** The execution waits. */
export interface Queued {
  readonly outcome: 'queued'
  /** 1 is the head. */
  readonly position: number
  /** When it has waited long enough, in milliseconds since 1970. */
  readonly deadline: number
}

/** A policy does not allow it: nothing was stored. */
export interface Refused {
  readonly outcome: 'refused'
  readonly violation: Violation
}

/** As many wait as may: nothing was stored. */
export interface Full {
  readonly outcome: 'full'
  readonly waiting: number
  readonly maxLength: number
}

/**
 * It is over, and gets no slot: `cancelled` by somebody, `timed-out`, `released` because it had a slot and gave it back, or `expired`,
 * because it got a slot and the lease ended before anybody heard of it; `unknown` if what happened to it is known no more.
 */
export interface Ended {
  readonly outcome: 'cancelled' | 'timed-out' | 'released' | 'expired' | 'unknown'
}

/** What becomes of a request that waits until it knows. */
export type Acquired = Granted | Refused | Full | Ended

/** Figures of a queue, or of all queues of an action. */
export interface AdmissionFigures extends QueueFigures {
  /** How many groups are in the sum. */
  readonly groups: number
  /** False if the action has had more groups than are remembered (10,000): the others are not in the sum. */
  readonly isComplete: boolean
}

/** What work is given. */
export interface WorkContext {
  readonly executionId: string
  /** Fencing token: hand it to whatever must not be changed by one that has lost its slot. */
  readonly epoch: number
  /** Fires, with a `SlotLost`, when the slot is lost: stop as soon as you can. */
  readonly signal: AbortSignal
}
