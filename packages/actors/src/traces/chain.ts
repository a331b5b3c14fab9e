/**
 * The arithmetic of a keyed hash chain.
 *
 * A record's hash is an HMAC-SHA256 over the chain's name, the record's number and time, the hash of the record before it, and
 * its text. So nobody without the secret can write a record, change one, or put one elsewhere. Head and checkpoint have a MAC of
 * their own: without it, whoever cuts the chain at one of its ends could make any of its records the first or the last.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Buffer } from 'node:buffer'

/** What a chain is signed with: at least 16 bytes, of which a text counts in UTF-8. */
export type TraceSecret = string | Uint8Array

/** One record as it is stored. */
export interface TraceRecord {
  /** Counted from 1, without gaps. */
  readonly seq: number
  /** The shard's wall time in milliseconds since 1970. */
  readonly at: number
  /** Hash of the record before; empty for the first. */
  readonly previous: string
  /** What was appended, as JSON text. */
  readonly text: string
  readonly hash: string
}

/** The place up to which a chain was pruned. */
export interface TraceCheckpoint {
  readonly seq: number
  /** Hash of the last record that is gone. */
  readonly hash: string
  /** When it was pruned. */
  readonly at: number
  readonly mac: string
}

/** The end of a chain. */
export interface TraceHead {
  /** Number of the last record; 0 for none. */
  readonly seq: number
  /** Its hash; empty for none. */
  readonly hash: string
}

/** How few bytes a secret may have. */
export const SECRET_BYTES_MIN = 16

/** Hash of a record. */
export function hashOf(secret: TraceSecret, chain: string, record: Omit<TraceRecord, 'hash'>): string {
  const { seq, at, previous, text } = record
  return mac(secret, ['record', chain, seq, at, previous, text])
}

/** MAC of a chain's end; `pruned` is the number of the checkpoint, 0 for none. */
export function macOfHead(secret: TraceSecret, chain: string, { seq, hash }: TraceHead, pruned: number): string {
  return mac(secret, ['head', chain, seq, hash, pruned])
}

/** MAC of a checkpoint. */
export function macOfCheckpoint(secret: TraceSecret, chain: string, { seq, hash, at }: Omit<TraceCheckpoint, 'mac'>): string {
  return mac(secret, ['checkpoint', chain, seq, hash, at])
}

/** A name for a secret that says nothing about it: it tells a wrong secret from a changed record. */
export function idOfSecret(secret: TraceSecret): string {
  return mac(secret, ['secret']).slice(0, 16)
}

/** Whether two hashes are equal, in a time that does not depend on where they differ. */
export function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)]
  return left.length === right.length && timingSafeEqual(left, right)
}

// The parts are joined as JSON, so no two lists of parts have the same text.
function mac(secret: TraceSecret, parts: readonly (string | number)[]): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify(['bailiwick-trace/1', ...parts]))
    .digest('base64url')
}
