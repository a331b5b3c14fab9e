/**
 * A budget as an actor: what it has is decided by one actor, one command at a time, so grants never add up to more than there is.
 *
 * Every reservation has a lease. It is over at `expiresAt` for every command that is stamped with that moment or a later one; a
 * durable timer at the first such moment returns what it held even if nobody asks.
 */
import { cancelTimer, command, defineActor, InvalidDefinition, query, setTimer, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, ActorKey, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { assign, enqueueActions, setup } from 'xstate'
import type { ActorLogic, Snapshot } from 'xstate'
import { z } from 'zod'
import { balanceOf, lapse, ledgerOf, nextLapseOf, record, release, renew, reserve } from './ledger.ts'
import type { BudgetBalance, Ledger, LedgerBounds } from './ledger.ts'
import { recordOutcomeOf, releaseOutcomeOf, renewOutcomeOf, reserveOutcomeOf } from './outcomes.ts'
import type { BudgetRecordOutcome, BudgetReleaseOutcome, BudgetRenewOutcome, BudgetReserveOutcome } from './outcomes.ts'
import { escalateResponseMode, RESPONSE_MODES } from './response-mode.ts'
import type { ResponseMode } from './response-mode.ts'

/** What a budget is made of. */
export interface BudgetOptions<Type extends string> {
  /** Name of the kind of actor, as in `defineActor`. */
  readonly type: Type
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
  /** What a new budget has: a whole number from 1, or a pure function of its key. `resize` changes it later. */
  readonly total: number | ((key: ActorKey) => number)
  /** What a reservation asks for that names no amount. Default 4,000. */
  readonly reserveDefault?: number
  /** How long a reservation counts that names no time, in milliseconds. Default 60,000. */
  readonly ttlMs?: number
  /** How many reservations of one budget may be open. Default 256. */
  readonly openMax?: number
  /** How many reservations that have ended are remembered, so that a repeated call gets the same answer. Default 100, or `openMax` if that is more. */
  readonly endedMax?: number
  /** After so many milliseconds without a call a budget leaves memory; its row and its timer stay. Default 60,000. */
  readonly idleMs?: number
}

/** What a reservation is asked with. */
export interface BudgetReserveInput {
  /** Names the reservation; whoever repeats a call repeats it. 1 to 100 characters. */
  readonly id: string
  /** How much; a whole number from 1. Default: that of the definition. */
  readonly amount?: number | undefined
  /** How long it counts, in whole milliseconds from 1. Default: that of the definition. */
  readonly ttlMs?: number | undefined
}

/** Names a reservation. */
export interface BudgetReservationInput {
  readonly id: string
}

/** What a reservation has cost: a whole number from 0, which may be more than was reserved. */
export interface BudgetRecordInput extends BudgetReservationInput {
  readonly actual: number
}

/** For how long a reservation is to count from now on. */
export interface BudgetRenewInput extends BudgetReservationInput {
  readonly ttlMs?: number | undefined
}

/** What a budget is to have. */
export interface BudgetResizeInput {
  readonly total: number
}

/** How a response was meant to be given. */
export interface BudgetResponseModeInput {
  readonly asked: ResponseMode
}

/** In which mode to answer, and from what that follows. */
export interface BudgetModeView {
  readonly mode: ResponseMode
  readonly balance: BudgetBalance
}

/** The state of a budget. */
export interface BudgetState extends Ledger {
  /** The moment at which the timer rings, if one is set. */
  readonly alarmAt: number | null
}

/** What a budget hears. */
export type BudgetEvent =
  | ({ readonly type: 'reserve' } & BudgetReserveInput & Stamp)
  | ({ readonly type: 'record' } & BudgetRecordInput & Stamp)
  | ({ readonly type: 'release' } & BudgetReservationInput & Stamp)
  | ({ readonly type: 'renew' } & BudgetRenewInput & Stamp)
  | ({ readonly type: 'resize' } & BudgetResizeInput & Stamp)
  | ({ readonly type: 'leaseOver' } & Stamp)

/** What a budget looks like to the kernel. */
export type BudgetSnapshot = Snapshot<undefined> & { readonly context: BudgetState }

type BudgetCommand<Given extends object, Reply> = CommandBuilder<'command', Given, Given & Stamp, Reply, BudgetSnapshot>

/** The commands of a budget, for those who reach it without the facade, such as the machine of another actor. */
export interface BudgetCommands {
  readonly reserve: BudgetCommand<BudgetReserveInput, BudgetReserveOutcome>
  readonly record: BudgetCommand<BudgetRecordInput, BudgetRecordOutcome>
  readonly release: BudgetCommand<BudgetReservationInput, BudgetReleaseOutcome>
  readonly renew: BudgetCommand<BudgetRenewInput, BudgetRenewOutcome>
  readonly resize: BudgetCommand<BudgetResizeInput, BudgetBalance>
  readonly balance: CommandBuilder<'query', object, Stamp, BudgetBalance, BudgetSnapshot>
  readonly responseMode: CommandBuilder<'query', BudgetResponseModeInput, BudgetResponseModeInput & Stamp, BudgetModeView, BudgetSnapshot>
}

/** A budget, as `defineBudget` answers it. */
export type BudgetDefinition<Type extends string = string> = ActorDefinition<Type, BudgetSnapshot, BudgetCommands>

/** Amounts stay whole numbers to JavaScript, also when they are multiplied to find a mode, and when they add up. */
const AMOUNT_MAX = 1e12
const TTL_MS_MAX = 30 * 24 * 3_600_000
const ALARM = 'lease'
const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'total', 'reserveDefault', 'ttlMs', 'openMax', 'endedMax', 'idleMs'])

const amount = z.number().int().min(1).max(AMOUNT_MAX)
const id = z.string().min(1).max(100)
const ttl = z.number().int().min(1).max(TTL_MS_MAX).optional()

/** Defines a budget. Its actors have any keys. Throws `InvalidDefinition`, naming the field. */
export function defineBudget<const Type extends string>(options: BudgetOptions<Type>): BudgetDefinition<Type> {
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new InvalidDefinition(options.type, name, 'is no option')
  const { type, module, total, reserveDefault = 4_000, ttlMs = 60_000, openMax = 256, endedMax = Math.max(100, openMax), idleMs } = options
  if (typeof total !== 'function') requireWhole(type, 'total', total, AMOUNT_MAX)
  requireWhole(type, 'reserveDefault', reserveDefault, AMOUNT_MAX)
  requireWhole(type, 'ttlMs', ttlMs, TTL_MS_MAX)
  requireWhole(type, 'openMax', openMax, 10_000)
  requireWhole(type, 'endedMax', endedMax, 10_000)
  const bounds = { openMax, endedMax }
  return defineActor({
    type,
    module,
    ...(idleMs === undefined ? {} : { idleMs }),
    logic: logicOf({ bounds, reserveDefault, ttlMs }),
    input: ({ key }) => {
      const given = typeof total === 'function' ? total(key) : total
      requireWhole(type, 'total', given, AMOUNT_MAX)
      return { total: given }
    },
    commands: {
      reserve: command({
        input: stamped(z.object({ id, amount: amount.optional(), ttlMs: ttl })),
        reply: ({ context, input }): BudgetReserveOutcome => reserveOutcomeOf(context, input.id),
      }),
      record: command({
        input: stamped(z.object({ id, actual: z.number().int().min(0).max(AMOUNT_MAX) })),
        reply: ({ context, input }): BudgetRecordOutcome => recordOutcomeOf(context, input.id),
      }),
      release: command({
        input: stamped(z.object({ id })),
        reply: ({ context, input }): BudgetReleaseOutcome => releaseOutcomeOf(context, input.id),
      }),
      renew: command({
        input: stamped(z.object({ id, ttlMs: ttl })),
        reply: ({ context, input }): BudgetRenewOutcome => renewOutcomeOf(context, input.id),
      }),
      resize: command({ input: stamped(z.object({ total: amount })), reply: ({ context }): BudgetBalance => balanceOf(context) }),
      balance: query({ input: stamped(), reply: ({ context, input }): BudgetBalance => balanceOf(lapse(context, bounds, input.at)) }),
      responseMode: query({
        input: stamped(z.object({ asked: z.enum(RESPONSE_MODES) })),
        reply: ({ context, input }): BudgetModeView => {
          const balance = balanceOf(lapse(context, bounds, input.at))
          return { mode: escalateResponseMode(input.asked, balance), balance }
        },
      }),
    },
  })
}

interface Settings {
  readonly bounds: LedgerBounds
  readonly reserveDefault: number
  readonly ttlMs: number
}

function logicOf(settings: Settings): ActorLogic<BudgetSnapshot, BudgetEvent, { readonly total: number }> {
  const machine = setup({
    // The casts are XState's way of stating types; the values are never read.
    types: { context: {} as BudgetState, events: {} as BudgetEvent, input: {} as { readonly total: number } },
    actions: {
      account: assign(({ context, event }) => after(context, event, settings)),
      setAlarm: enqueueActions(({ context, enqueue }) => {
        const at = nextLapseOf(context)
        if (at === context.alarmAt) return
        enqueue.assign({ alarmAt: at })
        enqueue(at === null ? cancelTimer(ALARM) : setTimer(ALARM, { at, event: { type: 'leaseOver', at } }))
      }),
    },
  }).createMachine({
    context: ({ input }) => ({ ...ledgerOf(input.total), alarmAt: null }),
    on: {
      reserve: { actions: ['account', 'setAlarm'] },
      record: { actions: ['account', 'setAlarm'] },
      release: { actions: ['account', 'setAlarm'] },
      renew: { actions: ['account', 'setAlarm'] },
      resize: { actions: ['account', 'setAlarm'] },
      leaseOver: { actions: ['account', 'setAlarm'] },
    },
  })
  // A machine without states: of its snapshot nobody needs more than status and context, and its own type cannot be written down.
  return machine as unknown as ActorLogic<BudgetSnapshot, BudgetEvent, { readonly total: number }>
}

/** The ledger after an event. Whatever else it is, leases that are over by then have lapsed before. */
function after(state: Ledger, event: BudgetEvent, { bounds, reserveDefault, ttlMs }: Settings): Ledger {
  const ledger = lapse(state, bounds, event.at)
  switch (event.type) {
    case 'reserve': {
      const wanted = { id: event.id, amount: event.amount ?? reserveDefault, expiresAt: event.at + (event.ttlMs ?? ttlMs) }
      return reserve(ledger, bounds, wanted)
    }
    case 'record':
      return record(ledger, bounds, event.id, event.actual)
    case 'release':
      return release(ledger, bounds, event.id)
    case 'renew':
      return renew(ledger, event.id, event.at + (event.ttlMs ?? ttlMs))
    case 'resize':
      return { ...ledger, total: event.total }
    case 'leaseOver':
      return ledger
  }
}

function requireWhole(type: string, field: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return
  throw new InvalidDefinition(type, field, `must be a whole number from 1 to ${max}, is ${String(value)}`)
}
