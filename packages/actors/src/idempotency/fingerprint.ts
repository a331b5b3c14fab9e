/** Digests: of the payload that a key stands for, and of the key itself. Neither is stored as it is. */
import { createHash } from 'node:crypto'
import { InvalidInput } from '@bailiwick/kernel'

/**
 * Digest of a payload: of bytes and texts as they are, of anything else as JSON with its properties in the order of their names.
 * What JSON would make nothing of, such as a `Map` or `FormData`, is refused: all of them would be the same payload.
 */
export function fingerprintOf(operation: string, payload: unknown): string {
  if (ArrayBuffer.isView(payload)) return digest('bytes', new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength))
  if (payload instanceof ArrayBuffer) return digest('bytes', new Uint8Array(payload))
  if (typeof payload === 'string') return digest('text', payload)
  let text: string | undefined
  try {
    text = JSON.stringify(payload, sorted) as string | undefined // Its type does not say so.
  } catch {
    text = undefined // A cycle, a bigint, or a part that is no JSON.
  }
  if (text === undefined && payload !== undefined) throw new InvalidInput(operation, 'payload', 'must be bytes, a string or JSON')
  return digest('json', text ?? '')
}

/** The name under which a key is remembered: short, whatever the client has sent, and not to be read back. */
export function nameOfKey(key: string): string {
  return digest('key', key).slice(0, 22)
}

function digest(kind: string, content: string | Uint8Array): string {
  return createHash('sha256').update(`${kind}\0`).update(content).digest('base64url')
}

function sorted(_name: string, part: unknown): unknown {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
  const prototype: unknown = Object.getPrototypeOf(part)
  // What has a form of its own as JSON has it by now. A prototype of another realm is one without a prototype.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw new TypeError('It is no plain object.')
  return Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
}
