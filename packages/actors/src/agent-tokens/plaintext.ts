/** Tokens of agents as text: `bwa_` and 32 random bytes in base64url. With so much chance in it, a plain hash cannot be guessed back. */
import { createHash, timingSafeEqual } from 'node:crypto'

const MARK = 'bwa_'
const BYTES = 32
const FORM = /^bwa_[\w-]{43}$/
const PREFIX_LENGTH = MARK.length + 6

/** Makes a token. */
export function makePlaintext(randomBytes: (count: number) => Uint8Array): string {
  return `${MARK}${Buffer.from(randomBytes(BYTES)).toString('base64url')}`
}

/** Whether a text may be a token at all. */
export function isPlaintext(text: string): boolean {
  return FORM.test(text)
}

/** What is stored of a token. */
export function hashOf(plaintext: string): string {
  return createHash('sha256').update(plaintext).digest('base64url')
}

/** What people are shown of a token: 36 of its 256 bits. */
export function prefixOf(plaintext: string): string {
  return plaintext.slice(0, PREFIX_LENGTH)
}

/** Compares two hashes in constant time. */
export function isSameHash(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)]
  return first.length === second.length && timingSafeEqual(first, second)
}
