/**
 * What is known of an actor's failures: when it failed within its window, and whether it is held back.
 *
 * A fault is a row of its own beside the actor, so that it is known of actors that could never be stored, and before one is
 * brought into memory. All of them are in the shard's memory: only actors with a limit have rows, and only for a while.
 */
import type { StoredFault } from '@bailiwick/store'
import { ActorQuarantined, ActorStopped } from '../errors.ts'

/** Why an actor is held back, and how. */
export interface Held {
  /** `quarantined`: what waits for it is kept until it is released. `stopped`: it was given up. */
  readonly mode: 'quarantined' | 'stopped'
  /** For people: what its last failure said, or what an operator gave as the reason. */
  readonly reason: string
  /** Code and message of the failure; null if it did not fail itself. */
  readonly error: { readonly code: string; readonly message: string } | null
  /** The command or event that failed last; null if none did. */
  readonly command: string | null
  /** Revision of the actor, which its state has still. */
  readonly revision: number
  /** Wall time in milliseconds since 1970. */
  readonly at: number
}

/** An actor's failures. */
export interface Fault {
  readonly type: string
  readonly key: string
  /** Wall times of the failures within the window, the oldest first. */
  readonly failures: readonly number[]
  /** Wall times at which a thread has died of it lately. */
  readonly deaths: readonly number[]
  readonly held: Held | undefined
}

/** A fault as its row says it. */
interface FaultDetail {
  readonly failures: readonly number[]
  readonly deaths?: readonly number[]
  readonly held?: Held
}

/** Writes what a row keeps of a fault. */
export function encodeFault({ failures, deaths, held }: Fault): string {
  const detail: FaultDetail = { failures, ...(deaths.length === 0 ? {} : { deaths }), ...(held === undefined ? {} : { held }) }
  return JSON.stringify(detail)
}

/** Reads a row back. */
export function decodeFault({ type, key, detail }: StoredFault): Fault {
  const { failures, deaths = [], held } = JSON.parse(detail) as FaultDetail // Written by `encodeFault`.
  return { type, key, failures, deaths, held }
}

/** The error for whoever wants something of an actor that is held back. */
export function errorOf(actor: string, { mode, reason }: Held): ActorQuarantined | ActorStopped {
  return mode === 'stopped' ? new ActorStopped(actor, reason) : new ActorQuarantined(actor, reason)
}

/** A held actor as it leaves the shard. */
export interface HeldView extends Held {
  readonly type: string
  readonly key: string
  readonly failures: readonly number[]
  /** How many commands and messages are kept for it. */
  readonly waiting: number
}
