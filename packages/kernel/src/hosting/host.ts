/**
 * What the shard needs from whoever interprets an actor's logic. One folder (`hosting`) implements it for XState v5;
 * everything specific to a version of XState stays in there.
 *
 * A host computes; it never does. A transition answers the next snapshot and, as data, what the logic wants: timers,
 * and actions that the shard has run only after the commit.
 */
import type { TimerRestart } from '@bailiwick/store'
import type { ActorKey } from '../definition/key.ts'
import type { EventLike, TellWish, Wish } from './wish.ts'

export type { EventLike } from './wish.ts'

/** A timer that the logic wants set or cancelled, in the order in which it said so. */
export type TimerWish =
  | {
      readonly kind: 'set'
      readonly name: string | undefined
      readonly event: EventLike
      readonly delayMs: number
      /** Wall time at which it is due; `undefined` for `delayMs` from now. */
      readonly at?: number | undefined
      /** Time from tick to tick: positive on a fixed grid, negative from the handling of one tick to the next, 0 for once. Default 0. */
      readonly everyMs?: number | undefined
      /** Default: that of the definition. */
      readonly onRestart?: TimerRestart | undefined
    }
  | { readonly kind: 'cancel'; readonly name: string }

/** What one event led to. Nothing of it has happened yet. */
export interface Step {
  /** The next snapshot; the same object as before where nothing changed. */
  readonly snapshot: SnapshotLike
  /** False if the present state does not take the event; then nothing else of the step counts. */
  readonly isAccepted: boolean
  readonly timers: readonly TimerWish[]
  /** What it wants of other actors, its callers and the outside world, in order. */
  readonly wishes: readonly Wish[]
  /** Actions to run after the commit, in order. */
  readonly actions: readonly unknown[]
}

/** The part of a snapshot that every logic has. */
export interface SnapshotLike {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly context?: unknown
  readonly value?: unknown
  readonly output?: unknown
  readonly error?: unknown
}

/** A snapshot as callers see it: plain data with XState's fields. */
export interface SnapshotView {
  readonly status: SnapshotLike['status']
  readonly value?: unknown
  readonly context?: unknown
  readonly output?: unknown
  /** Message of the error that ended the logic, where `status` is `error`. */
  readonly error?: string
}

/** What a hosted actor tells the shard between transitions. `Owner` is the shard's own record of the actor. */
export interface HostEvents<Owner> {
  /** A child, or an action that ran after a commit, sent the actor an event. */
  internalEvent(owner: Owner, event: EventLike): void
  /** A child changed, and its state is part of the actor's snapshot. */
  childChanged(owner: Owner): void
  /** A child asks another actor. Settles with the answer. */
  ask(owner: Owner, wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown>
  /** An action threw after the commit. State is not affected. */
  actionFailed(owner: Owner, error: unknown): void
}

/** Time, as children of hosted actors may use it. */
export interface HostClock {
  setTimer(callback: () => void, delayMs: number): { cancel(): void }
}

/** One actor in memory, as its host holds it. */
export interface Hosted {
  readonly snapshot: SnapshotLike
  /** Whether children run, so that the actor must stay in memory. */
  readonly isBusy: boolean
  /** Whether its snapshot holds children, whose state nobody else has looked at. */
  readonly hasChildren: boolean
}

/** Interprets one logic for all actors of a type on one shard. */
export interface Host<Owner> {
  /** A new actor in its initial state. Throws what the logic throws. */
  create(owner: Owner, address: string, key: ActorKey, input: unknown): { readonly hosted: Hosted; readonly step: Step }
  /** An actor from its stored snapshot. Throws if the logic cannot restore it. */
  restore(owner: Owner, address: string, stored: unknown): Hosted
  /** The step for one event. Changes nothing; throws what the logic throws. */
  transition(hosted: Hosted, event: EventLike): Step
  /** Makes the snapshot of a step the actor's own. */
  apply(hosted: Hosted, snapshot: SnapshotLike): void
  /** Runs actions after their commit. Never throws. */
  release(hosted: Hosted, actions: readonly unknown[]): void
  /** Starts what a restored or newly committed actor has running: its children. */
  start(hosted: Hosted): void
  /** Stops the children of an actor that leaves memory. */
  dispose(hosted: Hosted): void
  /** The snapshot as JSON text, to be stored. */
  encode(hosted: Hosted): string
  /** The snapshot for callers. */
  view(hosted: Hosted): SnapshotView
}
