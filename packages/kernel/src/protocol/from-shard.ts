/** What a shard answers: tagged tuples, many in one JSON text, always after the commit that they depend on. */
import type { EncodedError } from '../errors.ts'
import type { SnapshotView } from '../hosting/host.ts'
import type { EncodedTapEvent } from './tap.ts'

/** Tags of the tuples. */
export const FromShard = {
  value: 0,
  error: 1,
  change: 2,
  joined: 3,
  post: 4,
  progress: 5,
  tap: 6,
  state: 7,
  report: 8,
} as const

/** The answer to a call. */
export type ValueMessage = readonly [tag: typeof FromShard.value, call: number, value?: unknown]

/** The error that ends a call, or a follow. */
export type ErrorMessage = readonly [tag: typeof FromShard.error, call: number, error: EncodedError]

/** A committed state of a followed actor. */
export type ChangeMessage = readonly [tag: typeof FromShard.change, call: number, view: SnapshotView]

/** The call has joined another one with the same idempotency key, which is under way. Its answer will follow. */
export type JoinedMessage = readonly [tag: typeof FromShard.joined, call: number, key: string]

/** Something for another shard, which the caller's thread passes on unread. */
export type PostMessage = readonly [tag: typeof FromShard.post, to: number, text: string]

/** How far a turn has come; nothing is settled by it. */
export type ProgressMessage = readonly [tag: typeof FromShard.progress, call: number, value: unknown]

/** What happened, for whoever reads the tap; at a wall time. `life` is what ids of this life of the shard begin with. */
export type TapMessage = readonly [tag: typeof FromShard.tap, at: number, events: readonly EncodedTapEvent[], life: string]

/** How a shard is. `degraded` tries again by itself; `stopped` needs the system to be opened again; `reopened` has lost what callers it had. */
export type ShardState = { readonly kind: 'ready' | 'reopened' } | { readonly kind: 'degraded' | 'stopped'; readonly error: EncodedError }

/** A shard's state, said whenever it changes. */
export type StateMessage = readonly [tag: typeof FromShard.state, none: 0, state: ShardState]

/** An error that belongs to no caller: an action that threw after its commit, or an event that an actor could not handle. */
export type ReportMessage = readonly [tag: typeof FromShard.report, none: 0, error: EncodedError]

/** Everything that a shard can answer. */
export type FromShardMessage =
  | TapMessage
  | StateMessage
  | ReportMessage
  | ProgressMessage
  | ValueMessage
  | ErrorMessage
  | ChangeMessage
  | JoinedMessage
  | PostMessage

/** Many answers as one text. */
export function encodeFromShard(messages: readonly FromShardMessage[]): string {
  return JSON.stringify(messages)
}

/** The answers of one text. */
export function decodeFromShard(text: string): readonly FromShardMessage[] {
  return JSON.parse(text) as readonly FromShardMessage[] // Written by `encodeFromShard` of the same version in the same process.
}
