/**
 * The one token that an agent may have: plain arithmetic on plain data. There is a single place for an active token, so two of them
 * cannot be written down.
 */

/** What is known of the active token: everything but the token. */
export interface ActiveToken {
  /** SHA-256 of the token, in base64url. */
  readonly hash: string
  /** Its first characters, for people. */
  readonly prefix: string
  /** How many tokens the agent had before it, plus one: tells tokens of the same millisecond apart. */
  readonly generation: number
  readonly issuedAt: number
  /** When it was used last, as far as it was noted; see `touchMs`. Null if never. */
  readonly lastUsedAt: number | null
  readonly metadata: Readonly<Record<string, string>>
}

/** What the last command has come to. */
type SlotAnswer =
  | { readonly outcome: 'issued'; readonly active: ActiveToken; readonly replaced: number | null }
  | { readonly outcome: 'exists'; readonly prefix: string }
  | { readonly outcome: 'revoked'; readonly prefix: string; readonly generation: number }
  | { readonly outcome: 'none' }

/** The state of an agent's actor. */
export interface AgentSlot {
  /** Generation of the latest token, active or not. It only rises. */
  readonly generation: number
  readonly active: ActiveToken | null
  readonly answer: SlotAnswer
}

/** What can happen to it; `at` is the shard's time. */
export type SlotEvent =
  | {
      readonly type: 'issue'
      readonly mode: 'exclusive' | 'rotate'
      readonly hash: string
      readonly prefix: string
      readonly metadata: Readonly<Record<string, string>>
      readonly at: number
    }
  | { readonly type: 'revoke'; readonly generation?: number | undefined }
  | { readonly type: 'touch'; readonly generation: number; readonly at: number }

const NONE: SlotAnswer = { outcome: 'none' }

/** No token was issued yet. */
export const EMPTY_SLOT: AgentSlot = { generation: 0, active: null, answer: NONE }

/** The slot after an event. */
export function nextSlot(slot: AgentSlot, event: SlotEvent): AgentSlot {
  const { active } = slot
  switch (event.type) {
    case 'issue':
      return issue(slot, event)
    case 'revoke': {
      if (active === null || (event.generation ?? active.generation) !== active.generation) return { ...slot, answer: NONE }
      const { prefix, generation } = active
      return { ...slot, active: null, answer: { outcome: 'revoked', prefix, generation } }
    }
    case 'touch':
      return active?.generation === event.generation ? { ...slot, active: { ...active, lastUsedAt: event.at }, answer: NONE } : slot
  }
}

function issue(slot: AgentSlot, { mode, hash, prefix, metadata, at }: Extract<SlotEvent, { readonly type: 'issue' }>): AgentSlot {
  const { active } = slot
  // The same token once more is the same call that has come twice.
  if (active?.hash === hash) return { ...slot, answer: { outcome: 'issued', active, replaced: null } }
  if (active !== null && mode === 'exclusive') return { ...slot, answer: { outcome: 'exists', prefix: active.prefix } }
  const generation = slot.generation + 1
  const issued = { hash, prefix, generation, issuedAt: at, lastUsedAt: null, metadata }
  return { generation, active: issued, answer: { outcome: 'issued', active: issued, replaced: active?.generation ?? null } }
}
