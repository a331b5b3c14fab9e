/** What can be in the way of a new token. That a token is not good is no error: `verify` answers it. */
import { BailiwickError } from '@bailiwick/kernel'

/** The agent has an active token, and `exclusive` was asked for. Nothing changed. Revoke it first, or issue with `rotate`. */
export class AlreadyExists extends BailiwickError {
  readonly code = 'ALREADY_EXISTS'
  readonly retryable = false
  readonly agent: string
  /** The beginning of the active token. */
  readonly prefix: string

  constructor(agent: string, prefix: string) {
    super(`${agent} has an active token already: ${prefix}…`)
    this.agent = agent
    this.prefix = prefix
  }

  fields(): Record<string, string> {
    return { agent: this.agent, prefix: this.prefix }
  }
}

/**
 * A token was asked for under this idempotency key before, by somebody else or with another mode or other metadata. What it was is
 * known to whoever got the answer, and nowhere else. If nobody has it, issue another one with `rotate` and a new key.
 */
export class AgentTokenUnknown extends BailiwickError {
  readonly code = 'AGENT_TOKEN_UNKNOWN'
  readonly retryable = false
  readonly agent: string

  constructor(agent: string, options?: ErrorOptions) {
    super(`A token of ${agent} was asked for under this key before; only whoever got the answer knows it.`, options)
    this.agent = agent
  }

  fields(): Record<string, string> {
    return { agent: this.agent }
  }
}
