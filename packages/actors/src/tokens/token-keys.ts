/** The secrets of tokens: they live in the caller's process, and go nowhere from here. */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { InvalidInput } from '@bailiwick/kernel'
import { isKeyId } from './token-text.ts'

/** A secret and its name. */
export interface TokenKey {
  /** Stands in every token that was signed with it: 1 to 32 letters, digits, `_` or `-`. A name is never used for another secret. */
  readonly id: string
  /** At least 32 bytes; a text counts as its UTF-8 bytes. */
  readonly secret: string | Uint8Array
}

const SECRET_BYTES_MIN = 32

/** Signs with the newest secret, verifies with any of them. A printed one shows nothing. */
export class TokenKeys {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #newest: { readonly id: string; readonly key: KeyObject }

  /** Takes the newest first. Throws `InvalidInput`, which names the field and shows no secret. */
  constructor(keys: readonly [TokenKey, ...TokenKey[]]) {
    const known = new Map<string, KeyObject>()
    for (const [index, { id, secret }] of keys.entries()) {
      const wrong = (field: string, detail: string): InvalidInput => new InvalidInput('Tokens', `keys.${index}.${field}`, detail)
      if (!isKeyId(id)) throw wrong('id', 'must have 1 to 32 letters, digits, "_" or "-"')
      if (known.has(id)) throw wrong('id', 'is the name of another secret')
      const bytes = Buffer.from(secret)
      if (bytes.length < SECRET_BYTES_MIN) throw wrong('secret', `must have at least ${SECRET_BYTES_MIN} bytes`)
      known.set(id, createSecretKey(bytes))
    }
    const [{ id }] = keys
    const key = known.get(id)
    if (key === undefined) throw new Error('The newest secret is missing.')
    this.#keys = known
    this.#newest = { id, key }
  }

  /** HMAC-SHA256 over a text with the newest secret. */
  sign(text: string): { readonly keyId: string; readonly signature: Uint8Array } {
    const { id, key } = this.#newest
    return { keyId: id, signature: createHmac('sha256', key).update(text).digest() }
  }

  /** Whether a signature fits, compared in constant time. */
  check(keyId: string, text: string, signature: Uint8Array): 'good' | 'unknown-key' | 'signature' {
    const key = this.#keys.get(keyId)
    if (key === undefined) return 'unknown-key'
    const expected = createHmac('sha256', key).update(text).digest()
    return expected.length === signature.length && timingSafeEqual(expected, signature) ? 'good' : 'signature'
  }
}
