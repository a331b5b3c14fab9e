/** The actor that knows the one active token of an agent, by its hash. Its key is the agent. */
import { command, defineActor, InvalidDefinition, query, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import type { TransitionSnapshot } from 'xstate'
import { z } from 'zod'
import { EMPTY_SLOT, nextSlot } from './agent-slot.ts'
import type { ActiveToken, AgentSlot, SlotEvent } from './agent-slot.ts'
import { isSameHash } from './plaintext.ts'

/** What the tokens of a kind of agents have in common. */
export interface AgentTokensRules {
  /** Name of the kind of actor; it stays the same for ever. */
  readonly type: string
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
  /** The use of a token is noted when it was last noted this long ago, in milliseconds; 0 notes every use. Default 60,000. */
  readonly touchMs?: number
  /** How many characters the metadata of a token may have, written as JSON. Default 4,096. */
  readonly metadataLengthMax?: number
}

type Snapshot = TransitionSnapshot<AgentSlot>

interface IssueInput {
  mode: 'exclusive' | 'rotate'
  hash: string
  prefix: string
  metadata: Record<string, string>
}

/** A token as others may see it. */
export type AgentTokenView = Omit<ActiveToken, 'hash'>

/** The commands of the actor of an agent's token; the facade `AgentTokens` sends them. */
export interface AgentTokensCommands {
  readonly issue: CommandBuilder<
    'command',
    IssueInput,
    IssueInput & Stamp,
    | { readonly outcome: 'issued'; readonly token: AgentTokenView; readonly replaced: number | null }
    | { readonly outcome: 'exists'; readonly prefix: string },
    Snapshot
  >
  readonly revoke: CommandBuilder<
    'command',
    { generation?: number | undefined },
    { generation?: number | undefined },
    { readonly prefix: string; readonly generation: number } | null,
    Snapshot
  >
  readonly touch: CommandBuilder<'command', { generation: number }, { generation: number } & Stamp, undefined, Snapshot>
  readonly check: CommandBuilder<
    'query',
    { hash: string },
    { hash: string } & Stamp,
    { readonly token: AgentTokenView | null; readonly isDue: boolean },
    Snapshot
  >
  readonly active: CommandBuilder<'query', object, object, AgentTokenView | null, Snapshot>
}

/** What `defineAgentTokens` answers. */
export type AgentTokensDefinition = ActorDefinition<string, Snapshot, AgentTokensCommands>

const TOUCH_MS = 60_000
const METADATA_LENGTH_MAX = 4_096
const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'touchMs', 'metadataLengthMax'])

/** Defines the tokens of agents. Throws `InvalidDefinition`, which names the field. */
export function defineAgentTokens(rules: AgentTokensRules): AgentTokensDefinition {
  for (const field of Object.keys(rules)) if (!OPTIONS.has(field)) throw new InvalidDefinition(rules.type, field, 'is no option')
  const { type, module, touchMs = TOUCH_MS, metadataLengthMax = METADATA_LENGTH_MAX } = rules
  for (const [field, value] of Object.entries({ touchMs, metadataLengthMax })) {
    if (!Number.isSafeInteger(value) || value < 0) throw new InvalidDefinition(type, field, `must be a whole number from 0, is ${value}`)
  }
  const hash = z.string().length(43)
  const generation = z.number().int().min(1)
  const metadata = z
    .record(z.string(), z.string())
    .refine((value) => JSON.stringify(value).length <= metadataLengthMax, `must have at most ${metadataLengthMax} characters as JSON`)
  return defineActor({
    type,
    module,
    logic: fromTransition((slot: AgentSlot, event: SlotEvent) => nextSlot(slot, event), EMPTY_SLOT),
    commands: {
      issue: command({
        input: stamped(z.object({ mode: z.enum(['exclusive', 'rotate']), hash, prefix: z.string().max(16), metadata })),
        reply: ({ context: { answer } }) => {
          if (answer.outcome === 'issued') return { outcome: 'issued', token: viewOf(answer.active), replaced: answer.replaced } as const
          if (answer.outcome === 'exists') return answer
          throw new Error('An issue has come to something else.')
        },
      }),
      revoke: command({
        input: z.object({ generation: generation.optional() }),
        reply: ({ context: { answer } }) =>
          answer.outcome === 'revoked' ? { prefix: answer.prefix, generation: answer.generation } : null,
      }),
      touch: command({ input: stamped(z.object({ generation })), priority: 'low' }),
      check: query({
        input: stamped(z.object({ hash })),
        reply: ({ context: { active }, input }) => {
          if (active === null || !isSameHash(active.hash, input.hash)) return { token: null, isDue: false }
          return { token: viewOf(active), isDue: active.lastUsedAt === null || input.at - active.lastUsedAt >= touchMs }
        },
      }),
      active: query({ reply: ({ context: { active } }) => (active === null ? null : viewOf(active)) }),
    },
  })
}

function viewOf({ prefix, generation, issuedAt, lastUsedAt, metadata }: ActiveToken): AgentTokenView {
  return { prefix, generation, issuedAt, lastUsedAt, metadata }
}
