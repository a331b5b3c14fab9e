/**
 * What one shard sends to another, many in one JSON text: messages with their position on the link, and how far the other
 * direction has come. Either may be lost with a thread; both are sent again.
 */

/** Tags of the tuples. */
export const BetweenShards = {
  message: 0,
  confirm: 1,
  again: 2,
} as const

/** A message, encoded, with its position: 1, 2, 3, … without a gap. */
export type LinkMessage = readonly [tag: typeof BetweenShards.message, sequence: number, message: string]

/** Everything up to this position is in the receiver's store; with `again`, what comes after it is wanted once more. */
export type LinkConfirm = readonly [tag: typeof BetweenShards.confirm | typeof BetweenShards.again, through: number]

/** Everything that passes between shards. */
export type BetweenShardsMessage = LinkMessage | LinkConfirm

/** Many messages as one text. */
export function encodeBetweenShards(messages: readonly BetweenShardsMessage[]): string {
  return JSON.stringify(messages)
}

/** The messages of one text. */
export function decodeBetweenShards(text: string): readonly BetweenShardsMessage[] {
  return JSON.parse(text) as readonly BetweenShardsMessage[] // Written by `encodeBetweenShards` of the same version.
}
