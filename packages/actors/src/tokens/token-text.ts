/**
 * How a token is written: `<key id>.<claims>.<signature>`, the claims as canonical JSON and both of the latter in base64url.
 * The signature is over the claims. The key id only says which secret to check it with, so it need not be signed: whoever changes
 * it has another secret to satisfy.
 */
import { z } from 'zod'
import type { JsonValue } from '@bailiwick/kernel'
import { canonicalJson } from './canonical-json.ts'

/** What a token says. */
export interface TokenClaims {
  /** Names the token, for instance to revoke it; it is no secret. */
  readonly id: string
  /** What the token is for. */
  readonly capability: string
  /** Who may show it. */
  readonly principal: string
  /** When it was issued, in milliseconds since 1970. */
  readonly issued: number
  /** From this moment on it no longer counts. */
  readonly expires: number
  /** Whatever the issuer wants to say to whoever verifies: limits, scopes, fields. Signed, not secret. */
  readonly constraints: Readonly<Record<string, JsonValue>>
  /** Under which name audit logs know what is done with it. */
  readonly auditId: string
  /** Generation of its principal's tokens: those of earlier generations are revoked. */
  readonly generation: number
}

/** A token as it was read, before anybody has looked at its signature: nothing in it can be trusted. */
export interface UnsignedToken {
  readonly keyId: string
  readonly claims: TokenClaims
  /** What must have been signed. */
  readonly signed: string
  readonly signature: Uint8Array
}

/** Longest token that is looked at, in characters. */
export const TOKEN_LENGTH_MAX = 8_192

const TOKEN_ID = /^[\w-]{22}$/
const KEY_ID = /^[\w-]{1,32}$/

const PRINCIPAL_LENGTH_MAX = 256

/** The id of a token: sixteen bytes in base64url. */
export const tokenIdSchema: z.ZodType<string, string> = z.string().regex(TOKEN_ID)

/** Names of principals and capabilities. */
export const nameSchema: z.ZodType<string, string> = z
  .string()
  .min(1)
  .max(PRINCIPAL_LENGTH_MAX)
  .refine((name) => name.isWellFormed(), 'must be well-formed Unicode')

const time = z.number().int().nonnegative()

const claimsSchema = z.strictObject({
  id: tokenIdSchema,
  capability: nameSchema,
  principal: nameSchema,
  issued: time,
  expires: time,
  // It comes out of JSON, so whatever is in it is JSON; walking through it would let a stranger's nesting end the stack.
  constraints: z.custom<TokenClaims['constraints']>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
  auditId: nameSchema,
  generation: time,
})

/** Whether a text may be the id of a token; no other text is. */
export function isTokenId(text: string): boolean {
  return TOKEN_ID.test(text)
}

/** Whether a text may be the name of a secret. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text)
}

/** The text that is signed. Throws `InvalidInput` for constraints that JSON cannot carry. */
export function signedTextOf({ id, capability, principal, issued, expires, constraints, auditId, generation }: TokenClaims): string {
  return canonicalJson({ id, capability, principal, issued, expires, constraints, auditId, generation })
}

/** Writes a token. */
export function writeToken(keyId: string, signed: string, signature: Uint8Array): string {
  return `${keyId}.${Buffer.from(signed).toString('base64url')}.${Buffer.from(signature).toString('base64url')}`
}

/** Reads a token, whoever made it; `undefined` for what is none. A token has one text: what decodes to the same is not the same. */
export function readToken(text: string): UnsignedToken | undefined {
  if (typeof text !== 'string' || text.length > TOKEN_LENGTH_MAX) return undefined
  const [keyId, claimsPart, signaturePart, ...more] = text.split('.')
  if (keyId === undefined || claimsPart === undefined || signaturePart === undefined || more.length > 0) return undefined
  const bytes = bytesOf(claimsPart)
  const signature = bytesOf(signaturePart)
  if (!isKeyId(keyId) || bytes === undefined || signature === undefined) return undefined
  const signed = bytes.toString('utf8')
  const claims = claimsOf(signed)
  return claims === undefined ? undefined : { keyId, claims, signed, signature }
}

function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

function claimsOf(signed: string): TokenClaims | undefined {
  let value: unknown
  try {
    value = JSON.parse(signed)
  } catch {
    return undefined
  }
  return claimsSchema.safeParse(value).data
}
