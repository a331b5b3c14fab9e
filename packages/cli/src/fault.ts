/** Faults of actors, as they are shown. */
import { decodeFault } from '@bailiwick/kernel'
import type { Address } from './address.ts'
import { attempt } from './stored.ts'

/** What is known of an actor's failures. */
export interface Fault {
  /** Why it is held back; null if it is not. */
  readonly held: {
    readonly mode: 'quarantined' | 'stopped'
    readonly reason: string
    readonly error: { readonly code: string; readonly message: string } | null
    readonly command: string | null
    readonly revision: number
    readonly at: number
  } | null
  /** Times of the failures within its window, the oldest first. */
  readonly failures: readonly number[]
}

/** A fault from its text; null where there is none, or none that can be read. */
export function faultOf({ type, key }: Address, detail: string | undefined): Fault | null {
  if (detail === undefined) return null
  const fault = attempt(() => decodeFault({ type, key, detail }))
  if (fault === undefined) return null
  const { held, failures } = fault
  if (held === undefined) return { held: null, failures }
  const { mode, reason, error, command, revision, at } = held
  return { held: { mode, reason, error, command, revision, at }, failures }
}
