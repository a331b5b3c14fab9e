/**
 * What a caller's thread sends to a shard: tagged tuples, many in one JSON text.
 *
 * Types and commands travel as their positions in the list of definitions and in a definition's commands; both sides
 * have compared their definitions before the first message.
 */
import type { Lane } from '../shard/lanes.ts'

/** Tags of the tuples. */
export const ToShard = {
  ask: 0,
  tell: 1,
  snapshot: 2,
  follow: 3,
  unfollow: 4,
  close: 5,
} as const

/** A command with its caller's number for the call; `tell` is answered when it is accepted, `ask` when it has been handled. */
export type CommandMessage = readonly [
  tag: typeof ToShard.ask | typeof ToShard.tell,
  call: number,
  type: number,
  key: string,
  command: number,
  lane: Lane,
  input: object | null,
  idempotencyKey?: string,
  fingerprint?: string,
]

/** Reads an actor's state once, or follows it until `unfollow`. */
export type ReadMessage = readonly [tag: typeof ToShard.snapshot | typeof ToShard.follow, call: number, type: number, key: string]

/** Ends a follow. */
export type UnfollowMessage = readonly [tag: typeof ToShard.unfollow, call: number]

/** Ends the shard: it finishes its batch, closes its store and answers. */
export type CloseMessage = readonly [tag: typeof ToShard.close, call: number]

/** Everything that a shard can be sent. */
export type ToShardMessage = CommandMessage | ReadMessage | UnfollowMessage | CloseMessage

/** Many messages as one text. */
export function encodeToShard(messages: readonly ToShardMessage[]): string {
  return JSON.stringify(messages)
}

/** The messages of one text. */
export function decodeToShard(text: string): readonly ToShardMessage[] {
  return JSON.parse(text) as readonly ToShardMessage[] // Written by `encodeToShard` of the same version in the same process.
}
