/**
 * What a caller's thread sends to a shard: tagged tuples, many in one JSON text.
 *
 * Types and commands travel as their positions in the list of definitions and in a definition's commands; both sides
 * have compared their definitions before the first message. What one shard has for another passes through here unread.
 */
import type { DeadLetterFilter } from '@bailiwick/store'
import type { Preempt } from '../definition/turn-context.ts'
import type { Lane } from '../shard/lanes.ts'
import type { Control } from './control.ts'

/** Tags of the tuples. */
export const ToShard = {
  ask: 0,
  tell: 1,
  snapshot: 2,
  follow: 3,
  unfollow: 4,
  close: 5,
  timers: 6,
  post: 7,
  peerStarted: 8,
  listLetters: 9,
  replayLetters: 10,
  discardLetters: 11,
  withdraw: 12,
  control: 13,
  turns: 14,
  lateResults: 15,
  park: 16,
  tap: 17,
  holds: 18,
  compact: 19,
} as const

/** Options of a command that few calls have. */
export interface Extras {
  /** How long it may wait for a place. */
  readonly waitMs?: number
  readonly delayMs?: number
  readonly dueAt?: number
  readonly naturalKey?: string
  readonly deliveryId?: string
  readonly preempt?: Preempt
  readonly lease?: { readonly name: string; readonly epoch: number }
  /** Whether progress is wanted. */
  readonly isFollowed?: true
}

/** A command with its caller's number for the call; `tell` is answered when it is accepted, `ask` when it has been handled. */
export type CommandMessage = readonly [
  tag: typeof ToShard.ask | typeof ToShard.tell,
  call: number,
  type: number,
  key: string,
  command: number,
  lane: Lane,
  input: object | null,
  idempotencyKey?: string | null,
  fingerprint?: string | null,
  extras?: Extras,
]

/** Reads an actor's state, timers, turns or late results once, or follows its state until `unfollow`. */
export type ReadMessage = readonly [
  tag: typeof ToShard.snapshot | typeof ToShard.follow | typeof ToShard.timers | typeof ToShard.turns | typeof ToShard.lateResults,
  call: number,
  type: number,
  key: string,
  limit?: number,
]

/** Does something to an actor's turns or leases. */
export type ControlMessage = readonly [tag: typeof ToShard.control, call: number, type: number, key: string, control: Control]

/** Lets running turns come to a boundary, and none begin: the shard is about to be closed. */
export type ParkMessage = readonly [tag: typeof ToShard.park]

/** Ends a follow. */
export type UnfollowMessage = readonly [tag: typeof ToShard.unfollow, call: number]

/** Ends the shard: it finishes its batch, closes its store and answers. */
export type CloseMessage = readonly [tag: typeof ToShard.close, call: number]

/** Something from another shard, as `protocol/between-shards.ts` writes it. */
export type PostedMessage = readonly [tag: typeof ToShard.post, from: number, text: string]

/** Another shard has been started, perhaps again: what it has not confirmed is to be sent once more. */
export type PeerStartedMessage = readonly [tag: typeof ToShard.peerStarted, peer: number]

/** Reads, replays or discards dead letters: those that match, at most `limit`. */
export type LettersMessage = readonly [
  tag: typeof ToShard.listLetters | typeof ToShard.replayLetters | typeof ToShard.discardLetters,
  call: number,
  filter: DeadLetterFilter,
  limit: number,
]

/** The caller of a call that has joined another has left. */
export type WithdrawMessage = readonly [tag: typeof ToShard.withdraw, call: number]

/** Says whether anybody reads the tap. */
export type TapWishMessage = readonly [tag: typeof ToShard.tap, isRead: boolean]

/** Which held actors are meant. Every field that is given must match. */
export interface HoldFilter {
  readonly type?: string
  /** The encoded key. */
  readonly key?: string
}

/** What is done with held actors: `list` answers them, `hold` holds one back that need not have failed, `release` lets them go on. */
export type HoldWish =
  | { readonly kind: 'list'; readonly filter: HoldFilter; readonly limit: number }
  | { readonly kind: 'release'; readonly filter: HoldFilter; readonly limit: number }
  | { readonly kind: 'hold'; readonly type: string; readonly key: string; readonly reason: string }

/** Reads, holds or releases actors. */
export type HoldsMessage = readonly [tag: typeof ToShard.holds, call: number, wish: HoldWish]

/** Gives space back to the disk; answered when it is done. */
export type CompactMessage = readonly [tag: typeof ToShard.compact, call: number]

/** Everything that a shard can be sent. */
export type ToShardMessage =
  | CommandMessage
  | ReadMessage
  | UnfollowMessage
  | CloseMessage
  | PostedMessage
  | PeerStartedMessage
  | LettersMessage
  | WithdrawMessage
  | ControlMessage
  | ParkMessage
  | TapWishMessage
  | HoldsMessage
  | CompactMessage

/** Many messages as one text. */
export function encodeToShard(messages: readonly ToShardMessage[]): string {
  return JSON.stringify(messages)
}

/** The messages of one text. */
export function decodeToShard(text: string): readonly ToShardMessage[] {
  return JSON.parse(text) as readonly ToShardMessage[] // Written by `encodeToShard` of the same version in the same process.
}
