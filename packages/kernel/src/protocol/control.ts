/** Control: what callers do to an actor's turns and leases, beside its commands. It goes before the commands and is never shed. */
import type { PreemptMode } from '../definition/turn-context.ts'

/** One such wish. */
export type Control =
  | {
      readonly kind: 'cancel-turn'
      readonly turn: number
      readonly attempt?: number
      readonly mode: PreemptMode
      readonly reason?: string
    }
  | { readonly kind: 'acquire'; readonly name: string; readonly owner: string; readonly ttlMs: number; readonly waitMs: number }
  | { readonly kind: 'renew'; readonly name: string; readonly owner: string; readonly epoch: number; readonly ttlMs: number }
  | { readonly kind: 'release'; readonly name: string; readonly owner: string; readonly epoch: number }
  | {
      readonly kind: 'hand-over'
      readonly name: string
      readonly owner: string
      readonly epoch: number
      readonly to: string
      readonly ttlMs: number
    }
  | { readonly kind: 'force-release'; readonly name: string; readonly reason?: string }
  | { readonly kind: 'read-lease'; readonly name: string }

/** What `acquire` is answered. */
export type LeaseAnswer =
  | { readonly isGranted: true; readonly epoch: number }
  | { readonly isGranted: false; readonly owner: string | null; readonly epoch: number }
