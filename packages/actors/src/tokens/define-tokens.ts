/** The actor that knows which tokens of a principal are revoked. Its key is the principal. */
import { command, defineActor, InvalidDefinition, query, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import type { TransitionSnapshot } from 'xstate'
import { z } from 'zod'
import { EMPTY_LEDGER, isRevoked, nextLedger } from './token-ledger.ts'
import type { LedgerEvent, LedgerRules, TokenLedger } from './token-ledger.ts'
import { tokenIdSchema as id } from './token-text.ts'

/** What tokens of a kind have in common. */
export interface TokensRules {
  /** Name of the kind of actor; it stays the same for ever. */
  readonly type: string
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
  /** How long a token lives where its issuer does not say, in milliseconds. Default 3,600,000: one hour. */
  readonly lifeMs?: number
  /**
   * How long a token may live at most. Default: `lifeMs`. Revocations of tokens that were not issued here are kept for so long; do
   * not lower it while tokens with a longer life are under way.
   */
  readonly lifeMsMax?: number
  /** How many unexpired tokens a principal may have; one more is refused with `TokenLimitReached`. Default 1,000. */
  readonly liveMax?: number
  /**
   * How many revoked, unexpired tokens of a principal are remembered one by one. Beyond it only tokens that were issued by this
   * system count, until every token that exists by then has expired. Default 1,000.
   */
  readonly revokedMax?: number
}

type Snapshot = TransitionSnapshot<TokenLedger>
type Command<Input extends object, Reply> = CommandBuilder<'command', Input, Input & Stamp, Reply, Snapshot>

/** The rules by which a command was decided stand in its event: a journal that is read by code with others leads to the same state. */
interface Ruled {
  readonly rules: LedgerRules
}
type RuledCommand<Input extends object, Reply> = CommandBuilder<'command', Input, Input & Ruled & Stamp, Reply, Snapshot>

/** The commands of the actor of tokens; the facade `Tokens` sends them. */
export interface TokensCommands {
  readonly issue: RuledCommand<{ id: string; lifeMs?: number | undefined; digest?: string | undefined }, TokenLedger['answer']>
  readonly revoke: RuledCommand<{ id: string }, number>
  readonly revokeAll: Command<object, number>
  readonly status: CommandBuilder<
    'query',
    { id: string; generation: number },
    { id: string; generation: number } & Stamp,
    { readonly isRevoked: boolean; readonly at: number },
    Snapshot
  >
}

/** What `defineTokens` answers. */
export type TokensDefinition = ActorDefinition<string, Snapshot, TokensCommands>

const LIFE_MS = 3_600_000
/** Thirty years: every moment at which something expires stays a whole number to JavaScript. */
const LIFE_MS_MAX = 1e12
const COUNT_MAX = 1_000
const SNAPSHOT_EVERY = 200
const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'lifeMs', 'lifeMsMax', 'liveMax', 'revokedMax'])

/** Defines tokens. Throws `InvalidDefinition`, which names the field. */
export function defineTokens(options: TokensRules): TokensDefinition {
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new InvalidDefinition(options.type, name, 'is no option')
  const rules = rulesOf(options)
  const ruled = <Given extends object>(schema: z.ZodType<Given, Given>) =>
    stamped(schema.transform((input): Given & Ruled => ({ ...input, rules })))
  return defineActor({
    type: options.type,
    module: options.module,
    logic: fromTransition(
      (ledger: TokenLedger, event: LedgerEvent & Partial<Ruled>) => nextLedger(event.rules ?? rules, ledger, event),
      EMPTY_LEDGER,
    ),
    // An event is a few dozen bytes, the ledger may be a thousand times as much.
    persist: 'journal',
    journal: { snapshotEvery: SNAPSHOT_EVERY },
    commands: {
      issue: command({
        // The digest is there for the fingerprint of an idempotency key alone: other claims under the same key are a conflict.
        input: ruled(z.object({ id, lifeMs: z.number().int().min(1).max(rules.lifeMsMax).optional(), digest: z.string().optional() })),
        reply: ({ context }) => context.answer,
      }),
      revoke: command({ input: ruled(z.object({ id })), reply: ({ context }) => countOf(context) }),
      revokeAll: command({ input: stamped(), reply: ({ context }) => countOf(context) }),
      status: query({
        input: stamped(z.object({ id, generation: z.number().int().nonnegative() })),
        reply: ({ context, input }) => ({ isRevoked: isRevoked(context, input, input.at), at: input.at }),
      }),
    },
  })
}

function countOf({ answer }: TokenLedger): number {
  return answer?.outcome === 'revoked' ? answer.count : 0
}

function rulesOf({ type, lifeMs = LIFE_MS, lifeMsMax = lifeMs, liveMax = COUNT_MAX, revokedMax = COUNT_MAX }: TokensRules): LedgerRules {
  for (const [field, value] of Object.entries({ lifeMs, lifeMsMax, liveMax, revokedMax })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new InvalidDefinition(type, field, `must be a whole number from 1, is ${value}`)
  }
  if (lifeMsMax > LIFE_MS_MAX) throw new InvalidDefinition(type, 'lifeMsMax', `must be at most ${LIFE_MS_MAX}, is ${lifeMsMax}`)
  if (lifeMsMax < lifeMs) throw new InvalidDefinition(type, 'lifeMsMax', `must be at least lifeMs, ${lifeMs}, is ${lifeMsMax}`)
  return { lifeMs, lifeMsMax, liveMax, revokedMax }
}
