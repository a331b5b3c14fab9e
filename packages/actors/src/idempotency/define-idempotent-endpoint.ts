/**
 * The actor behind an idempotent endpoint: one for each principal and operation, keyed `[principal, operation]`.
 *
 * It decides who does the work under a key, and keeps what came of it. It is journaled: a reservation, a renewal and a
 * completion are one row each, whatever else is kept.
 */
import { command, defineActor, InvalidDefinition, query, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import type { TransitionSnapshot } from 'xstate'
import { z } from 'zod'
import { complete, EMPTY, holds, release, renew, reserve, standingOf, standingOfOwner } from './ledger.ts'
import type { Asking, KeptOutcome, Ledger, LedgerRules, Standing } from './ledger.ts'
import { checkRules } from './rules.ts'
import type { CheckedRules, EndpointRules } from './rules.ts'

/** What is needed to define an endpoint. */
export interface EndpointOptions extends EndpointRules {
  /** Name of the kind of actor. Part of every stored row: it must stay the same for ever. */
  readonly type: string
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
}

type Snapshot = TransitionSnapshot<Ledger>

/** What the shard adds to a command: its time, and the rules by which it was decided. */
interface Ruled extends Stamp {
  readonly rules: LedgerRules
}
type Command<Given, Reply> = CommandBuilder<'command', Given, Given & Ruled, Reply, Snapshot>
type Look = Omit<Asking, 'at'>
type Reserve = Look & { readonly owner: string }
interface Held {
  readonly name: string
  readonly epoch: number
}
type Complete = Held & { readonly outcome: KeptOutcome; readonly bytes: number }

/** The commands of the actor; the facade is what calls them. */
export interface EndpointCommands {
  readonly look: CommandBuilder<'query', Look, Look & Stamp, Standing, Snapshot>
  readonly reserve: Command<Reserve, Standing>
  readonly renew: Command<Held, boolean>
  readonly complete: Command<Complete, boolean>
  readonly release: CommandBuilder<'command', Held, Held, undefined, Snapshot>
  readonly size: CommandBuilder<'query', object, object, EndpointSize, Snapshot>
}

/** How much an endpoint remembers of one principal and one operation. */
export interface EndpointSize {
  readonly keys: number
  readonly completed: number
  /** Of kept answers. */
  readonly bytes: number
}

/** Definition of an idempotent endpoint. */
export type EndpointDefinition = ActorDefinition<string, Snapshot, EndpointCommands>

type Event =
  | ({ readonly type: 'reserve' } & Reserve & Ruled)
  | ({ readonly type: 'renew' } & Held & Ruled)
  | ({ readonly type: 'complete' } & Complete & Ruled)
  | ({ readonly type: 'release' } & Held)

const look = z.object({ name: z.string(), fingerprint: z.string() })
const held = z.object({ name: z.string(), epoch: z.number().int() })
const kept: z.ZodType<KeptOutcome, KeptOutcome> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('response'),
    response: z.object({
      status: z.number().int(),
      headers: z.record(z.string(), z.union([z.string(), z.array(z.string()).readonly()])),
      body: z.string().nullable(),
      encoding: z.enum(['text', 'base64']),
    }),
  }),
  z.object({ kind: z.literal('oversized'), status: z.number().int(), bytes: z.number().int() }),
])

/** Rules by definition: the facade, in the caller's thread, has the same ones as the shard. */
const rulesByDefinition = new WeakMap<object, CheckedRules>()

/** The rules of a definition that `defineIdempotentEndpoint` has made. Throws `InvalidDefinition` for any other. */
export function rulesOf(definition: EndpointDefinition): CheckedRules {
  const rules = rulesByDefinition.get(definition)
  if (rules === undefined) throw new InvalidDefinition(definition.type, 'definition', 'was not made by defineIdempotentEndpoint')
  return rules
}

/**
 * Defines an idempotent endpoint. Export what it answers from the module that it names, and open the system with it.
 * Throws `InvalidDefinition`, naming the field.
 */
export function defineIdempotentEndpoint(options: EndpointOptions): EndpointDefinition {
  const { type, module } = options
  const rules = checkRules(type, options)
  const { leaseMs, ttlMs, keysMax, inProgressMax, keptBytesMax } = rules
  const present: LedgerRules = { leaseMs, ttlMs, keysMax, inProgressMax, keptBytesMax }
  const ruled = <Given extends object>(schema: z.ZodType<Given, Given>) =>
    stamped(schema.transform((input): Given & Pick<Ruled, 'rules'> => ({ ...input, rules: present })))
  const definition: EndpointDefinition = defineActor({
    type,
    module,
    persist: 'journal',
    logic: fromTransition((ledger: Ledger, event: Event): Ledger => {
      switch (event.type) {
        case 'reserve':
          return reserve(ledger, event, event.rules)
        case 'renew':
          return renew(ledger, event.name, event.epoch, event.at, event.rules)
        case 'complete':
          return complete(ledger, event, event.rules)
        case 'release':
          return release(ledger, event.name, event.epoch)
      }
    }, EMPTY),
    commands: {
      look: query({ input: stamped(look), reply: ({ context, input }) => standingOf(context, input, rules) }),
      reserve: command({
        input: ruled(look.extend({ owner: z.string() })),
        reply: ({ context, input }) => standingOfOwner(context, input, rules),
      }),
      renew: command({ input: ruled(held), reply: ({ context, input }) => holds(context, input.name, input.epoch, 'in-progress') }),
      complete: command({
        input: ruled(held.extend({ outcome: kept, bytes: z.number().int() })),
        reply: ({ context, input }) => holds(context, input.name, input.epoch, 'completed'),
      }),
      release: command({ input: held }),
      size: query({
        reply: ({ context: { completed, bytes, inProgress } }) => ({ keys: completed + Object.keys(inProgress).length, completed, bytes }),
      }),
    },
  })
  rulesByDefinition.set(definition, rules)
  return definition
}
