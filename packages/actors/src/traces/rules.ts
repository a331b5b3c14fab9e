/** The rules of traces, checked once, when they are defined. */
import { Buffer } from 'node:buffer'
import { InvalidDefinition } from '@bailiwick/kernel'
import { SECRET_BYTES_MIN } from './chain.ts'
import type { TraceSecret } from './chain.ts'
import { TraceSecretWrong } from './errors.ts'

/** What a definition may say about its traces. */
export interface TraceRules {
  /**
   * Answers the secret that chains are signed with, at least 16 bytes. It is called in the threads of the shards and in that of
   * the caller, which are of one process: read it from the environment or a file. It is never stored.
   */
  readonly secret: () => TraceSecret
  /**
   * How many records one segment has. The last segment is part of the chain's own state, which is written with every batch: half a
   * segment on average. Default 16.
   */
  readonly segmentRecords?: number
  /** How many bytes a record may have, as JSON. Default 8,192. */
  readonly recordBytesMax?: number
  /** Takes out of a record what must not be kept, in the caller's thread, before anything is sent. */
  readonly redact?: (record: unknown) => unknown
}

/** Rules with every default filled in. */
export type CheckedTraceRules = Required<TraceRules>

const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'segments', 'secret', 'segmentRecords', 'recordBytesMax', 'redact'])

/** Checks rules as a whole. Throws `InvalidDefinition`, naming the field. */
export function checkTraceRules(type: string, options: TraceRules): CheckedTraceRules {
  const refuse = (field: string, detail: string): never => {
    throw new InvalidDefinition(type, field, detail)
  }
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) refuse(name, 'is no option')
  const { secret, segmentRecords = 16, recordBytesMax = 8_192, redact = (record: unknown) => record } = options
  if (typeof secret !== 'function') refuse('secret', 'must be a function that answers the secret')
  if (typeof redact !== 'function') refuse('redact', 'must be a function')
  if (!Number.isSafeInteger(segmentRecords) || segmentRecords < 2) refuse('segmentRecords', 'must be a whole number from 2')
  if (!Number.isSafeInteger(recordBytesMax) || recordBytesMax < 2) refuse('recordBytesMax', 'must be a whole number from 2')
  return { secret, segmentRecords, recordBytesMax, redact }
}

/** A secret that is one. Throws `TraceSecretWrong`, loudly: a default would sign what nobody can verify. */
export function checkSecret(trace: string, secret: unknown): TraceSecret {
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) throw new TraceSecretWrong(trace, 'there is none')
  if (Buffer.byteLength(secret) < SECRET_BYTES_MIN) throw new TraceSecretWrong(trace, `it must have at least ${SECRET_BYTES_MIN} bytes`)
  return secret
}
