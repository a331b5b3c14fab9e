/** Digests: of the payload that a key stands for, and of the key itself. Neither is stored as it is. */
import { createHash } from 'node:crypto'
import { InvalidInput } from '@bailiwick/kernel'

/** Digest of a payload: of bytes and texts as they are, of anything else as JSON with its properties in the order of their names. */
export function fingerprintOf(operation: string, payload: unknown): string {
  if (payload instanceof Uint8Array) return digest('bytes', payload)
  if (typeof payload === 'string') return digest('text', payload)
  const text = JSON.stringify(payload, sorted) as string | undefined // Its type does not say so.
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
  return Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
}
