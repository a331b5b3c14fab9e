/**
 * Keys of actors: how a key is written as text, and which shard it belongs to.
 *
 * A string stands for itself; an array of strings is written as JSON. A plain string that would look like such JSON is
 * written as JSON too, so two different keys never have the same text: a compound key cannot be injected through a
 * separator in one of its parts.
 */
import { InvalidInput } from '../errors.ts'

/** Key of an actor: a string, or an array of strings for a compound key. Not empty; at most 1,024 characters when encoded. */
export type ActorKey = string | readonly string[]

const KEY_LENGTH_MAX = 1_024

/** Writes a key as text. Throws `InvalidInput` for an empty, too long or ill-formed key. */
export function encodeKey(type: string, key: ActorKey): string {
  const encoded = typeof key === 'string' ? encodeString(key) : encodeParts(type, key)
  if (encoded === '' || key.length === 0) throw new InvalidInput(type, 'key', 'must not be empty')
  if (encoded.length > KEY_LENGTH_MAX)
    throw new InvalidInput(type, 'key', `must have at most ${KEY_LENGTH_MAX} characters, has ${encoded.length}`)
  if (!encoded.isWellFormed()) throw new InvalidInput(type, 'key', 'must be well-formed Unicode')
  return encoded
}

function encodeString(key: string): string {
  const first = key.charCodeAt(0)
  return first === 0x5b /* [ */ || first === 0x22 /* " */ ? JSON.stringify(key) : key
}

function encodeParts(type: string, key: readonly string[]): string {
  if (!Array.isArray(key)) throw new InvalidInput(type, 'key', 'must be a string or an array of strings')
  for (let index = 0; index < key.length; index += 1) {
    const part: unknown = key[index]
    if (typeof part !== 'string') throw new InvalidInput(type, `key.${index}`, 'must be a string')
    if (!part.isWellFormed()) throw new InvalidInput(type, `key.${index}`, 'must be well-formed Unicode')
  }
  return JSON.stringify(key)
}

/** Reads a key back from its text. */
export function decodeKey(encoded: string): ActorKey {
  const first = encoded.charCodeAt(0)
  return first === 0x5b || first === 0x22 ? (JSON.parse(encoded) as ActorKey) : encoded
}

/** The name of an actor in messages and errors: `account/alice`. */
export function addressOf(type: string, encodedKey: string): string {
  return `${type}/${encodedKey}`
}

/**
 * The shard an actor lives on: FNV-1a over the UTF-16 units of type and key, modulo the number of shards.
 * It is part of the layout on disk: another function here would lose every actor.
 */
export function shardOf(type: string, encodedKey: string, shardCount: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < type.length; index += 1) hash = Math.imul(hash ^ type.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ 0x2f, 0x01000193)
  for (let index = 0; index < encodedKey.length; index += 1) hash = Math.imul(hash ^ encodedKey.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % shardCount
}
