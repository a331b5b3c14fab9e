/**
 * One active token per agent. The plaintext is made here, in the caller's process, and answered once; what leaves this process is
 * its hash.
 */
import { InvalidInput } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { realSurroundings } from '../seams.ts'
import type { Surroundings } from '../seams.ts'
import { canonicalJson } from '../tokens/canonical-json.ts'
import type { AgentTokensDefinition, AgentTokenView } from './define-agent-tokens.ts'
import { AgentTokenUnknown, AlreadyExists } from './errors.ts'
import { hashOf, isPlaintext, makePlaintext, prefixOf } from './plaintext.ts'

/** What is wanted. */
export interface AgentTokenRequest {
  readonly agent: string
  /** What happens to a token that the agent has: `exclusive` refuses with `AlreadyExists`, `rotate` replaces it. There is no default. */
  readonly mode: 'exclusive' | 'rotate'
  /** Kept with the token, for people and programs. No secrets: it is stored as it is. Default `{}`. */
  readonly metadata?: Readonly<Record<string, string>>
  /**
   * A repeated call under the same key counts once. Asked through the same object it answers the same token; through another one
   * `AgentTokenUnknown`, because the token is not stored anywhere.
   */
  readonly idempotencyKey?: string
}

/** A token that was issued. */
export interface IssuedAgentToken extends AgentTokenView {
  /** The token itself. It is nowhere else: whoever loses it needs another one. */
  readonly token: string
  /** Generation of the token that it has replaced; null if there was none. */
  readonly replaced: number | null
}

/** What a token has turned out to be. */
export type AgentTokenCheck =
  | { readonly outcome: 'valid'; readonly token: AgentTokenView }
  /** It is no token, was revoked, was replaced, or belongs to another agent. */
  | { readonly outcome: 'invalid' }

/** Options of `revoke`. */
export interface AgentTokenRevokeOptions {
  /** Only if this is the active one. Default: whichever is. */
  readonly generation?: number
  /** The same key counts once, and answers the same. */
  readonly idempotencyKey?: string
}

/** A call with a key, remembered for its repetition. */
interface Remembered {
  readonly token: string
  /** When it was first made. */
  readonly since: number
  /** What it has come to, once that is known, and for which request. */
  issued?: { readonly meaning: string; readonly answer: IssuedAgentToken }
}

/** How many calls with a key are remembered for repetition, with their plaintext. */
const REMEMBERED_MAX = 100
/** For how long the plaintext of a call is used again whose outcome is not known: far shorter than the outcome's record is kept. */
const UNKNOWN_MS_MAX = 600_000
const TOUCH_TIMEOUT_MS = 1_000
const KEY_BYTES = 16

/** Issues, verifies and revokes tokens of agents. What it remembers is only for repeated calls of its own. */
export class AgentTokens {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: AgentTokensDefinition
  readonly #surroundings: Surroundings
  readonly #remembered = new Map<string, Remembered>()

  constructor(system: Pick<System, 'actor'>, definition: AgentTokensDefinition, surroundings: Surroundings = realSurroundings) {
    this.#system = system
    this.#definition = definition
    this.#surroundings = surroundings
  }

  /**
   * Issues a token, and answers it once it is the agent's only one. Rejects with `AlreadyExists`, `AgentTokenUnknown`, and as every
   * ask does; after an unknown outcome ask again with the same key.
   */
  async issue({ agent, mode, metadata = {}, idempotencyKey }: AgentTokenRequest): Promise<IssuedAgentToken> {
    const remembered = this.#rememberedFor(agent, idempotencyKey)
    const meaning = canonicalJson([mode, metadata])
    const { token, issued } = remembered
    if (issued !== undefined) {
      // Sent again, when its record is no longer kept, it would bring back a token that was revoked meanwhile.
      if (issued.meaning !== meaning) throw new AgentTokenUnknown(agent)
      return issued.answer
    }
    const input = { mode, hash: hashOf(token), prefix: prefixOf(token), metadata: { ...metadata } }
    const { ask } = this.#system.actor(this.#definition, agent)
    // A call that nobody repeats may still arrive twice, and late: it must not bring a token back that was replaced meanwhile.
    const answer = await ask.issue(input, { idempotencyKey: idempotencyKey ?? input.hash }).catch((error: unknown) => {
      throw codeOf(error) === 'IDEMPOTENCY_CONFLICT' ? new AgentTokenUnknown(agent, { cause: error }) : error
    })
    if (answer.outcome === 'exists') throw new AlreadyExists(agent, answer.prefix)
    const known = { ...answer.token, token, replaced: answer.replaced }
    remembered.issued = { meaning, answer: known }
    return known
  }

  /** Whether a token is the active one of an agent, now. Its use is noted from time to time; that this fails is no harm. */
  async verify(agent: string, token: string): Promise<AgentTokenCheck> {
    if (!isPlaintext(token)) return { outcome: 'invalid' }
    const { ask } = this.#system.actor(this.#definition, agent)
    const { token: found, isDue } = await ask.check({ hash: hashOf(token) })
    if (found === null) return { outcome: 'invalid' }
    if (isDue) await ask.touch({ generation: found.generation }, { timeoutMs: TOUCH_TIMEOUT_MS }).catch(() => undefined)
    return { outcome: 'valid', token: found }
  }

  /** Revokes the active token; answers which one it was, or null if there was none. */
  async revoke(
    agent: string,
    options: AgentTokenRevokeOptions = {},
  ): Promise<{ readonly prefix: string; readonly generation: number } | null> {
    const { generation, idempotencyKey } = options
    const { ask } = this.#system.actor(this.#definition, agent)
    // As above: it must not meet a token that was issued meanwhile.
    const key = idempotencyKey ?? Buffer.from(this.#surroundings.randomBytes(KEY_BYTES)).toString('base64url')
    return await ask.revoke(generation === undefined ? {} : { generation }, { idempotencyKey: key })
  }

  /** What is known of the agent's active token; null if there is none. */
  async active(agent: string): Promise<AgentTokenView | null> {
    return await this.#system.actor(this.#definition, agent).ask.active()
  }

  /** A new token, or the one that was made for this key before. */
  #rememberedFor(agent: string, idempotencyKey: string | undefined): Remembered {
    const now = this.#surroundings.now()
    const fresh: Remembered = { token: makePlaintext(this.#surroundings.randomBytes), since: now }
    if (idempotencyKey === undefined) return fresh
    if (idempotencyKey === '') throw new InvalidInput('AgentTokens.issue', 'idempotencyKey', 'must not be empty')
    const key = JSON.stringify([agent, idempotencyKey])
    const known = this.#remembered.get(key)
    if (known !== undefined && (known.issued !== undefined || now - known.since < UNKNOWN_MS_MAX)) return known
    const [oldest] = this.#remembered.keys()
    if (oldest !== undefined && this.#remembered.size >= REMEMBERED_MAX) this.#remembered.delete(oldest)
    this.#remembered.set(key, fresh)
    return fresh
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
