/** The actors that hold handles: see `slots.ts` for how they share the work. */
import { command, defineActor, InvalidDefinition, query, setTimer, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { pageOf } from './grant.ts'
import type { HandleDenied, HandleGrant, HandleRow, HandlePage, HandleSelection } from './grant.ts'
import { allocate, EMPTY_SLOTS, lookUp, put, remove, wipe } from './slots.ts'
import type { HandleState, Put, SlotRules } from './slots.ts'

/** What handles of a kind have in common. */
export interface HandlesRules {
  /** Name of the kind of actor; it stays the same for ever. */
  readonly type: string
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
  /** How long a handle lives, in milliseconds: all of one definition equally long. Default 3,600,000: one hour. */
  readonly ttlMs?: number
  /** How many handles there may be; one more takes the place of the oldest. Default 10,000. */
  readonly capacity?: number
  /** How large the rows of one handle may be, as UTF-8 bytes of their JSON. Default 262,144. */
  readonly bytesMax?: number
  /** How many rows one expansion answers at most. Default 1,000. */
  readonly pageRowsMax?: number
  /** Takes out of every row what nobody may see, at every expansion. Pure; it runs in the shard. Default: nothing. */
  readonly redact?: (row: HandleRow) => HandleRow
}

interface Shown {
  readonly nonce: string
  readonly principal?: string | undefined
}

type ReadInput = Shown & HandleSelection & { readonly grant: HandleGrant }

type Outcome<Names extends string> = { readonly outcome: Names }

/** The state of a handle's actor: the machine has one state and everything in its context. */
interface Snapshot {
  readonly context: HandleState
}

type Command<Given extends object, Reply> = CommandBuilder<'command', Given, Given, Reply, Snapshot>
type StampedCommand<Given extends object, Reply> = CommandBuilder<'command', Given, Given & Stamp, Reply, Snapshot>

/** The commands of the actors of handles; the facade `Handles` sends them. */
export interface HandlesCommands {
  readonly allocate: Command<{ bytes: number }, HandleState['answer']>
  readonly put: StampedCommand<Omit<Put, 'at'>, HandleState['answer']>
  readonly collect: StampedCommand<Shown, HandleState['answer']>
  readonly release: StampedCommand<Shown, HandleState['answer']>
  readonly read: CommandBuilder<
    'query',
    ReadInput,
    ReadInput & Stamp,
    HandlePage | HandleDenied | Outcome<'expired' | 'not-found' | 'mismatch'>,
    Snapshot
  >
}

/** What `defineHandles` answers. */
export type HandlesDefinition = ActorDefinition<string, Snapshot, HandlesCommands>

type HandleEvent =
  | { readonly type: 'allocate'; readonly bytes: number }
  | ({ readonly type: 'put' } & Put)
  | ({ readonly type: 'collect' | 'release' } & Shown & Stamp)
  | { readonly type: 'wipe' }

const TTL_MS = 3_600_000
/** Thirty years: a timer takes no moment that is much later. */
const TTL_MS_MAX = 1e12
const CAPACITY = 10_000
const BYTES_MAX = 262_144
const PAGE_ROWS_MAX = 1_000
const NAME_LENGTH_MAX = 256
const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'ttlMs', 'capacity', 'bytesMax', 'pageRowsMax', 'redact'])

const name = z.string().min(1).max(NAME_LENGTH_MAX)
const count = z.number().int().nonnegative()
// Not `z.record`, which leaves out a property with the name `__proto__`: a scope must never lose a part of itself.
const scope = z.custom<NonNullable<HandleGrant['scope']>>(isScope, 'must be an object of strings, numbers, booleans or null')
const grant = z.strictObject({ fields: z.array(name).optional(), scope: scope.optional(), rowsMax: count.optional() })
const shown = z.object({ nonce: z.string().max(NAME_LENGTH_MAX), principal: name.optional() })

/** Defines handles. Throws `InvalidDefinition`, which names the field. */
export function defineHandles(options: HandlesRules): HandlesDefinition {
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new InvalidDefinition(options.type, name, 'is no option')
  const { ttlMs = TTL_MS, capacity = CAPACITY, bytesMax = BYTES_MAX, pageRowsMax = PAGE_ROWS_MAX, redact } = options
  for (const [field, value] of Object.entries({ ttlMs, capacity, bytesMax, pageRowsMax })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new InvalidDefinition(options.type, field, `must be a whole number from 1, is ${value}`)
  }
  if (ttlMs > TTL_MS_MAX) throw new InvalidDefinition(options.type, 'ttlMs', `must be at most ${TTL_MS_MAX}, is ${ttlMs}`)
  const rows = z.string().refine((text) => Buffer.byteLength(text) <= bytesMax, `must have at most ${bytesMax} bytes`)
  const definition = defineActor({
    type: options.type,
    module: options.module,
    logic: machineOf({ ttlMs, capacity, bytesMax }),
    commands: {
      allocate: command({ input: z.object({ bytes: count }), reply: ({ context }) => context.answer }),
      put: command({
        input: stamped(z.object({ number: count, nonce: name, principal: name.optional(), grant, rows })),
        reply: ({ context }) => context.answer,
      }),
      collect: command({ input: stamped(shown), reply: ({ context }) => context.answer }),
      release: command({ input: stamped(shown), reply: ({ context }) => context.answer }),
      read: query({
        input: stamped(
          shown.extend({
            grant,
            fields: z.array(name).optional(),
            filter: scope.optional(),
            offset: count.optional(),
            limit: count.optional(),
          }),
        ),
        reply: ({ context, input }) => {
          const held = lookUp(context, input.nonce, input.principal, input.at)
          if (typeof held === 'string') return { outcome: held }
          // Written by the facade, which takes nothing but rows.
          return pageOf(JSON.parse(held.rows ?? '[]') as HandleRow[], [held.grant, input.grant], input, { pageRowsMax, redact })
        },
      }),
    },
  })
  return definition as ActorDefinition as HandlesDefinition // The machine's own type of snapshots has no name; nobody outside reads more of it.
}

function isScope(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((part) => part === null || ['string', 'boolean'].includes(typeof part) || Number.isFinite(part))
}

function machineOf(rules: SlotRules) {
  const machine = setup({
    // The casts are XState's way of stating types; the values are never read.
    types: { context: {} as HandleState, events: {} as HandleEvent },
    actions: {
      // Rows do not stay on the disk after their time only because nobody asks for them. A handle that is put here later sets it anew.
      wipeInTime: setTimer('wipe', { at: ({ context }) => context.held?.expires ?? 0, event: 'wipe' }),
    },
  })
  return machine.createMachine({
    context: EMPTY_SLOTS,
    on: {
      allocate: { actions: assign(({ context, event }) => allocate(rules, context, event.bytes)) },
      put: [
        {
          guard: ({ context, event }) => event.number > context.number,
          actions: [assign(({ context, event }) => put(rules, context, event)), 'wipeInTime'],
        },
        { actions: assign(({ context, event }) => put(rules, context, event)) },
      ],
      collect: { actions: assign(({ context, event }) => remove(context, 'expired', event)) },
      release: { actions: assign(({ context, event }) => remove(context, 'released', event)) },
      wipe: { actions: assign(({ context }) => wipe(context)) },
    },
  })
}
