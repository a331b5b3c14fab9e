/**
 * What can be wrong with a token, each under a code of its own.
 *
 * What was said about a token before its signature was looked at may be invented by whoever sent it. So an error carries the id
 * of the token only if the signature was right.
 */
import { BailiwickError } from '@bailiwick/kernel'

/** The token was revoked, alone or with all of its principal. Nothing will make it good again. */
export class TokenRevoked extends BailiwickError {
  readonly code = 'TOKEN_REVOKED'
  readonly retryable = false
  /** Id of the token; null if its signature was wrong as well. */
  readonly id: string | null

  constructor(id: string | null) {
    super('The token was revoked.')
    this.id = id
  }

  fields(): Record<string, string | null> {
    return { id: this.id }
  }
}

/** The token's time is over: it counts until the millisecond before `expires`. */
export class TokenExpired extends BailiwickError {
  readonly code = 'TOKEN_EXPIRED'
  readonly retryable = false
  /** Id of the token; null if its signature was wrong as well. */
  readonly id: string | null

  constructor(id: string | null) {
    super('The token has expired.')
    this.id = id
  }

  fields(): Record<string, string | null> {
    return { id: this.id }
  }
}

/** What was given is no token of ours: it is no token at all, was signed by somebody else, or was changed afterwards. */
export class TokenInvalid extends BailiwickError {
  readonly code = 'TOKEN_INVALID'
  readonly retryable = false
  /** `malformed`: it is no token. `unknown-key`: it names a secret that is not, or no longer, known here. `signature`: it was not signed with that secret. */
  readonly reason: 'malformed' | 'unknown-key' | 'signature'

  constructor(reason: TokenInvalid['reason']) {
    super(`The token is not valid: ${WORDS[reason]}.`)
    this.reason = reason
  }

  fields(): Record<string, string> {
    return { reason: this.reason }
  }
}

const WORDS = {
  malformed: 'it is not written as a token is',
  'unknown-key': 'it names a secret that is not known here',
  signature: 'its signature does not fit',
} as const

/** A good token, of somebody else than the one who shows it. */
export class TokenPrincipalMismatch extends BailiwickError {
  readonly code = 'TOKEN_PRINCIPAL_MISMATCH'
  readonly retryable = false
  readonly id: string

  constructor(id: string) {
    super('The token belongs to another principal.')
    this.id = id
  }

  fields(): Record<string, string> {
    return { id: this.id }
  }
}

/** A good token, for another capability than the one that is wanted. */
export class TokenCapabilityMismatch extends BailiwickError {
  readonly code = 'TOKEN_CAPABILITY_MISMATCH'
  readonly retryable = false
  readonly id: string
  /** The capability that was wanted. */
  readonly capability: string

  constructor(id: string, capability: string) {
    super(`The token is not for the capability "${capability}".`)
    this.id = id
    this.capability = capability
  }

  fields(): Record<string, string> {
    return { id: this.id, capability: this.capability }
  }
}

/** There is no secret to sign with. Give one, the same to every process that is to verify; for a machine of your own there is `developmentSecret`. */
export class TokenSecretMissing extends BailiwickError {
  readonly code = 'TOKEN_SECRET_MISSING'
  readonly retryable = false

  constructor() {
    super(
      'There is no secret to sign tokens with: give `keys`, with the same secrets in every process. For development alone, `developmentSecret: true` makes one that nobody else has.',
    )
  }

  fields(): Record<string, never> {
    return {}
  }
}

/** The principal has as many unexpired tokens as its definition allows. No token was issued. Revoke some, or wait until some have expired. */
export class TokenLimitReached extends BailiwickError {
  readonly code = 'TOKEN_LIMIT_REACHED'
  readonly retryable = true
  readonly principal: string
  readonly limit: number

  constructor(principal: string, limit: number) {
    super(`${principal} has ${limit} unexpired tokens already, which is the limit.`)
    this.principal = principal
    this.limit = limit
  }

  fields(): Record<string, string | number> {
    return { principal: this.principal, limit: this.limit }
  }
}
