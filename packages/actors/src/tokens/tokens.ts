/**
 * Signed tokens: issued and verified in the caller's process, revoked in the actor of their principal.
 *
 * The signature says that a token was issued; only the actor knows whether it was revoked. So `verify` asks it, every time: an
 * answer that is kept would be a revocation that does not count.
 */
import { createHash } from 'node:crypto'
import { InvalidInput } from '@bailiwick/kernel'
import type { JsonValue, System } from '@bailiwick/kernel'
import { realSurroundings } from '../seams.ts'
import type { Surroundings } from '../seams.ts'
import { canonicalJson } from './canonical-json.ts'
import type { TokensDefinition } from './define-tokens.ts'
import {
  TokenCapabilityMismatch,
  TokenExpired,
  TokenInvalid,
  TokenLimitReached,
  TokenPrincipalMismatch,
  TokenRevoked,
  TokenSecretMissing,
} from './errors.ts'
import { TokenKeys } from './token-keys.ts'
import type { TokenKey } from './token-keys.ts'
import { isTokenId, nameSchema, readToken, signedTextOf, TOKEN_LENGTH_MAX, writeToken } from './token-text.ts'
import type { TokenClaims, UnsignedToken } from './token-text.ts'

/** With what tokens are signed. */
export interface TokensOptions {
  /** The secrets, the newest first: it signs, all of them verify. The same in every process that is to verify. */
  readonly keys?: readonly TokenKey[]
  /** Instead of `keys`: makes a secret that nobody else has and that is gone with this object, and warns. For development. */
  readonly developmentSecret?: boolean
  /**
   * Whether a token whose signature is wrong is refused as such before anything else, without asking an actor. Then nobody can
   * learn what is revoked by sending tokens of his own making, and a revoked token that was changed is `TokenInvalid`. Default
   * false: revoked, then expired, then signature.
   */
  readonly signatureFirst?: boolean
  /** Where the warning goes. Default: a warning of the process. */
  readonly warn?: (message: string) => void
}

/** What is wanted of a token. */
export interface TokenRequest {
  /** Who may show it: 1 to 256 characters. */
  readonly principal: string
  /** What it is for: 1 to 256 characters. */
  readonly capability: string
  /** Said to whoever verifies; signed, not secret. Default `{}`. */
  readonly constraints?: Readonly<Record<string, JsonValue>>
  /** Default: the id of the token. */
  readonly auditId?: string
  /** Default and maximum are those of the definition. */
  readonly lifeMs?: number
  /** The same key for the same request answers the same token; see `IdempotencyConflict`. */
  readonly idempotencyKey?: string
}

/** A token, and what it says. */
export interface IssuedToken {
  readonly token: string
  readonly claims: TokenClaims
}

/** What a token has to be good for. */
export interface TokenUse {
  readonly principal: string
  readonly capability: string
}

/** Options of what changes something. */
export interface TokenRevokeOptions {
  /** The same key for the same request counts once, and answers the same number. */
  readonly idempotencyKey?: string
}

const ID_BYTES = 16
const SECRET_BYTES = 32

/** Issues, verifies and revokes tokens. It holds secrets and no state: any number of them, in any place, are as good as one. */
export class Tokens {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: TokensDefinition
  readonly #keys: TokenKeys
  readonly #isSignatureFirst: boolean
  readonly #surroundings: Surroundings

  /** Throws `TokenSecretMissing`, or `InvalidInput` for a secret that cannot be used. */
  constructor(
    system: Pick<System, 'actor'>,
    definition: TokensDefinition,
    options: TokensOptions,
    surroundings: Surroundings = realSurroundings,
  ) {
    this.#system = system
    this.#definition = definition
    this.#surroundings = surroundings
    this.#isSignatureFirst = options.signatureFirst ?? false
    this.#keys = keysOf(options, surroundings)
  }

  /**
   * Issues a token, once its actor has noted it. Rejects with `TokenLimitReached` or `InvalidInput`, and as every ask does; then
   * there is no token, though one may have been noted that nobody has.
   */
  async issue(request: TokenRequest): Promise<IssuedToken> {
    const { principal, capability, constraints = {}, lifeMs, idempotencyKey } = request
    requireName('principal', principal)
    requireName('capability', capability)
    const id = idempotencyKey === undefined ? this.#randomId() : idOf(principal, idempotencyKey)
    const { auditId = id } = request
    requireName('auditId', auditId)
    const meaning = canonicalJson([capability, constraints, auditId])
    if (meaning.length > TOKEN_LENGTH_MAX / 2) throw new InvalidInput('Tokens.issue', 'constraints', 'make the token too long')
    const { ask } = this.#system.actor(this.#definition, principal)
    const life = lifeMs === undefined ? {} : { lifeMs }
    const answer =
      idempotencyKey === undefined
        ? await ask.issue({ id, ...life })
        : await ask.issue({ id, ...life, digest: digestOf(meaning) }, { idempotencyKey })
    if (answer?.outcome === 'full') throw new TokenLimitReached(principal, answer.limit)
    if (answer?.outcome !== 'issued') throw new Error('The actor of tokens has answered something else.')
    const { generation, issued, expires } = answer
    const claims = { id, capability, principal, issued, expires, constraints, auditId, generation }
    const signed = signedTextOf(claims)
    const { keyId, signature } = this.#keys.sign(signed)
    return { token: writeToken(keyId, signed, signature), claims }
  }

  /**
   * Verifies a token against its signature, its time and its principal's revocations, as they are now; answers what it says.
   * Rejects with the first of `TokenRevoked`, `TokenExpired`, `TokenInvalid`, `TokenPrincipalMismatch` and
   * `TokenCapabilityMismatch` that applies, and as every ask does: what cannot be asked is not accepted. What is no token at all
   * is `TokenInvalid` before everything else.
   */
  async verify(token: string, use: TokenUse): Promise<TokenClaims> {
    const read = requireToken(token)
    const { keyId, claims, signed, signature } = read
    const found = this.#keys.check(keyId, signed, signature)
    if (this.#isSignatureFirst && found !== 'good') throw new TokenInvalid(found)
    const { id, generation, principal } = claims
    // Not signed yet: good for nothing but this question.
    const { isRevoked, at } = await this.#system.actor(this.#definition, principal).ask.status({ id, generation })
    if (isRevoked) throw new TokenRevoked(found === 'good' ? id : null)
    return accepted(read, found, use, at)
  }

  /**
   * Verifies what can be seen without asking anybody: signature, time, principal and capability. It knows nothing of revocations,
   * so a token that was revoked passes until it expires. For what must be fast and may be late, and never for the last word.
   * Throws as `verify` does, without `TokenRevoked`.
   */
  verifyLocally(token: string, use: TokenUse): TokenClaims {
    const read = requireToken(token)
    return accepted(read, this.#keys.check(read.keyId, read.signed, read.signature), use, this.#surroundings.now())
  }

  /**
   * Revokes one token, which takes its principal and its id: those of `claims`. Counts from the next `verify` on, whoever calls it.
   * Answers how many were newly revoked: 0 for one that was revoked before, has expired, or was never issued here; the latter is
   * remembered all the same.
   */
  async revoke({ principal, id }: Pick<TokenClaims, 'principal' | 'id'>, options: TokenRevokeOptions = {}): Promise<number> {
    requireName('principal', principal)
    // Nothing else is the id of a token.
    if (!isTokenId(id)) return 0
    return await this.#system.actor(this.#definition, principal).ask.revoke({ id }, keyed(options))
  }

  /**
   * Revokes every token of a principal that exists now, wherever it was issued; those that are issued afterwards are good. Answers
   * how many were newly revoked: those that were issued here, have not expired and were not revoked before.
   */
  async revokeAll(principal: string, options: TokenRevokeOptions = {}): Promise<number> {
    requireName('principal', principal)
    // A call that nobody repeats may still arrive twice, and late: it must not meet what was issued meanwhile.
    const { idempotencyKey = this.#randomId() } = options
    return await this.#system.actor(this.#definition, principal).ask.revokeAll({}, { idempotencyKey })
  }

  #randomId(): string {
    return Buffer.from(this.#surroundings.randomBytes(ID_BYTES)).toString('base64url')
  }
}

function keyed({ idempotencyKey }: TokenRevokeOptions): { readonly idempotencyKey?: string } {
  return idempotencyKey === undefined ? {} : { idempotencyKey }
}

function requireToken(text: string): UnsignedToken {
  const read = readToken(text)
  if (read === undefined) throw new TokenInvalid('malformed')
  return read
}

/** What comes after revocation: expiry, signature, principal, capability. */
function accepted({ claims }: UnsignedToken, found: ReturnType<TokenKeys['check']>, use: TokenUse, at: number): TokenClaims {
  if (claims.expires <= at) throw new TokenExpired(found === 'good' ? claims.id : null)
  if (found !== 'good') throw new TokenInvalid(found)
  if (claims.principal !== use.principal) throw new TokenPrincipalMismatch(claims.id)
  if (claims.capability !== use.capability) throw new TokenCapabilityMismatch(claims.id, use.capability)
  return claims
}

function requireName(field: string, value: string): void {
  const { error } = nameSchema.safeParse(value)
  if (error !== undefined) throw new InvalidInput('Tokens', field, error.issues[0]?.message ?? 'is no name')
}

/** The id of a token that is asked for under a key: whoever asks again, anywhere, means the same one. */
function idOf(principal: string, idempotencyKey: string): string {
  return createHash('sha256')
    .update(canonicalJson(['token', principal, idempotencyKey]))
    .digest()
    .subarray(0, ID_BYTES)
    .toString('base64url')
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function keysOf({ keys, developmentSecret = false, warn = warnProcess }: TokensOptions, { randomBytes }: Surroundings): TokenKeys {
  const [newest, ...older] = keys ?? []
  if (newest !== undefined) return new TokenKeys([newest, ...older])
  if (!developmentSecret) throw new TokenSecretMissing()
  warn('Tokens are signed with a secret made for development: no other process can verify them, and nobody can after a restart.')
  return new TokenKeys([{ id: 'development', secret: randomBytes(SECRET_BYTES) }])
}

function warnProcess(message: string): void {
  process.emitWarning(message, { type: 'BailiwickDevelopmentSecret' })
}
